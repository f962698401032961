// Keys for who has no hand for the mouse. Everything works without this file.
"use strict";
(() => {
  const rows = () => [...document.querySelectorAll("table.walk tbody tr")].filter((row) => row.querySelector(".row"));
  const writes = (place) => place.matches("input, textarea, select, [contenteditable]");

  function walk(step) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.classList.contains("here"));
    const next = Math.min(all.length - 1, Math.max(0, now + step));
    all.forEach((row) => row.classList.remove("here"));
    all[next].classList.add("here");
    all[next].querySelector(".row").focus();
    all[next].scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && writes(event.target)) { event.target.blur(); return; }
    if (writes(event.target)) return;
    const place = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (place) {
      event.preventDefault();
      if (writes(place)) { place.focus(); place.select?.(); } else { place.click(); }
    } else if (event.key === "j") { walk(1); } else if (event.key === "k") { walk(-1); }
  });
})();
