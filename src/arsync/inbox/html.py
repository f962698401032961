"""A mail that is written as a page only, as plain text: what it quotes is marked as plain mails mark it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

_UNSEEN: Final = frozenset({"style", "script", "head", "title", "template", "noscript"})
_LINES: Final = frozenset({"p", "div", "br", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "hr", "pre"})
_MOST: Final = 500_000
#: Nobody quotes deeper, and every level costs a mark on each line.
_DEEPEST: Final = 5


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = [""]
        self._unseen = 0
        self._quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "blockquote":
            self._quoted += 1
            self._break()
        elif tag in _LINES:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag == "blockquote":
            self._quoted = max(0, self._quoted - 1)
            self._break()
        elif tag in _LINES:
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.lines[-1] += " ".join(data.split()).join((" " * data[:1].isspace(), " " * data[-1:].isspace()))

    def _break(self) -> None:
        mark = "> " * min(self._quoted, _DEEPEST)
        if self.lines[-1].strip("> "):
            self.lines.append(mark)
        else:
            self.lines[-1] = mark


def plain(page: str) -> str:
    """The page's text, a line for each paragraph; quoted lines begin with `>`."""
    reader = _Reader()
    reader.feed(page[:_MOST])
    reader.close()
    return "\n".join(" ".join(line.split()) if not line.startswith(">") else line.strip() for line in reader.lines)
