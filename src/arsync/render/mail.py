"""A rendered page becomes HTML as mail programs want it: styles on each element, nothing nested too deeply."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from html import unescape
from typing import Final

from css_inline import CSSInliner

from arsync.errors import TemplateError

#: A message is nested some twenty deep; the time that styling takes grows with the square of this.
DEPTH_LIMIT: Final = 150
_INLINER: Final = CSSInliner(load_remote_stylesheets=False, keep_at_rules=False)
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_TAGS: Final = re.compile(r"<[^<>]*>")  # in time that grows with the page, whatever stands in it
_VOID: Final = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"))


def styled(html: str, name: str) -> str:
    """The page with its style sheet on each element; what is marked to be kept (`data-css-inline`) stays in the head.

    TemplateError naming the template where it is nested beyond what a mail program bears.
    """
    _check_depth(html, name)
    return _INLINER.inline(_tightened(html))


def words_of(html: str) -> str:
    """What a reader sees of a page, on one line."""
    for hidden in ("style", "title"):
        html = _without(html, hidden)
    return " ".join(unescape(_TAGS.sub(" ", html)).split())


def _without(html: str, element: str) -> str:
    kept, place = [], 0
    while (begins := html.find(f"<{element}", place)) >= 0:
        kept.append(html[place:begins])
        ends = html.find(f"</{element}>", begins)
        place = len(html) if ends < 0 else ends
    return "".join([*kept, html[place:]])


def check_twins(text: str, html: str, amounts: Iterable[str], name: str) -> None:
    """TemplateError where one form of a message names an amount that the other does not."""
    seen, said = words_of(html), " ".join(text.split())
    for amount in amounts:
        even = " ".join(amount.split())
        if (even in said) != (even in seen):
            one, other = ("text", "HTML") if even in said else ("HTML", "text")
            raise TemplateError(f"{name}: its {one} says {even} and its {other} does not; both say the same amounts")


def _check_depth(html: str, name: str) -> None:
    open_now: list[str] = []
    names: Counter[str] = Counter()
    for closing, tag in _TAG.findall(html.lower()):
        if tag in _VOID:
            continue
        if not closing:
            open_now.append(tag)
            names[tag] += 1
            if len(open_now) > DEPTH_LIMIT:
                raise TemplateError(f"{name}: its elements are nested more than {DEPTH_LIMIT} deep, or not closed")
        elif names[tag]:
            # What was opened inside is closed with it; an end without a beginning closes nothing.
            while (inner := open_now.pop()) != tag:
                names[inner] -= 1
            names[tag] -= 1


def _tightened(html: str) -> str:
    """Without indents and empty lines: some mail programs cut a message off at 102 kB."""
    return "\n".join(line for raw in html.splitlines() if (line := raw.strip()))
