"""A person's own words as a message: made harmless, and an HTML form that says the same as the text."""

from __future__ import annotations

import re
from html import escape
from typing import Final

from arsync.domain.chase import Rendered
from arsync.errors import UsageError
from arsync.render.wording import folded, one_line

SUBJECT_LIMIT: Final = 150
TEXT_LIMIT: Final = 20_000
_LINE_LIMIT: Final = 2_000
_LINK: Final = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")
#: Words that stand in columns keep them.
_COLUMNS: Final = re.compile(r"\S {2,}\S|^ {2,}\S")
_PLAIN: Final = "margin:0 0 14px"
_ALIGNED: Final = (
    "margin:0 0 14px;font-family:Menlo,Consolas,'Courier New',monospace;font-size:13px;white-space:pre-wrap"
)


def edited(subject: str, text: str, *, language: str) -> Rendered:
    """The message in these words; UsageError where there are none, or too many of them.

    No control or direction character is left in it, its HTML has no element that is not ours, and its text no line
    beyond the margin.
    """
    if len(text) > TEXT_LIMIT:
        raise UsageError(f"the text has {len(text)} characters: {TEXT_LIMIT} at most")
    title = one_line(subject, SUBJECT_LIMIT)
    if not title:
        raise UsageError("the subject is empty")
    lines = [_harmless(line) for line in text.expandtabs(4).splitlines()]
    plain = folded("\n".join(lines).strip("\n"))
    if not plain.strip():
        raise UsageError("the text is empty")
    paragraphs = "\n".join(_paragraph(part) for part in re.split(r"\n{2,}", plain.strip("\n")))
    html = (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title></head>\n"
        '<body style="font-family:Helvetica Neue,Helvetica,Arial,sans-serif;font-size:16px;line-height:25px">\n'
        f'<div style="max-width:600px;margin:0 auto;padding:24px 12px">\n{paragraphs}\n</div>\n</body>\n</html>\n'
    )
    return Rendered(title, plain, html)


def _harmless(line: str) -> str:
    """One line without control or direction characters; its columns stay where they are."""
    indent = len(line) - len(line.lstrip(" "))
    words = [one_line(part, _LINE_LIMIT) for part in re.split(r"( {2,})", line.strip(" ")) if part.strip(" ")]
    gaps = re.findall(r" {2,}", line.strip(" "))
    whole = "".join(word + gap for word, gap in zip(words, [*gaps, ""], strict=False))
    return " " * indent + whole if whole else ""


def _paragraph(text: str) -> str:
    lines = text.split("\n")
    aligned = any(_COLUMNS.search(line) for line in lines)
    body = "\n".join(map(_linked, lines)) if aligned else "<br>\n".join(_linked(line.strip()) for line in lines)
    return f'<p style="{_ALIGNED if aligned else _PLAIN}">{body}</p>'


def _linked(line: str) -> str:
    """The line for HTML, what is a web address as a link."""
    told, place = [], 0
    for found in _LINK.finditer(line):
        address = escape(found[0], quote=True)
        told += [escape(line[place : found.start()]), f'<a href="{address}">{address}</a>']
        place = found.end()
    return "".join([*told, escape(line[place:])])
