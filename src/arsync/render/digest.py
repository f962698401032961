"""What will go out, on one page: for the people of the house, never for a customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from arsync.domain.chase import Rendered
from arsync.render.wording import folded, one_line

_WIDTH: Final = 400


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of the digest: what it is about, a row for each thing, and what is said where there is none."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def digest(title: str, chapters: Sequence[Chapter]) -> Rendered:
    """The page as text and as HTML; whatever comes from outside is made harmless."""
    told = [_clean(chapter) for chapter in chapters]
    text = "\n\n".join(_text(chapter) for chapter in told)
    body = "\n".join(_html(chapter) for chapter in told)
    html = (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title></head>\n"
        '<body style="font-family:Helvetica Neue,Helvetica,Arial,sans-serif;font-size:15px;line-height:22px">\n'
        '<div style="max-width:900px;margin:0 auto;padding:24px 12px">\n'
        f'<h1 style="font-size:22px;line-height:28px">{escape(title)}</h1>\n'
        f"{body}\n</div>\n</body>\n</html>\n"
    )
    return Rendered(one_line(title, 150), folded(text), html)


def _clean(chapter: Chapter) -> Chapter:
    rows = tuple(tuple(one_line(cell, _WIDTH) for cell in row) for row in chapter.rows)
    return Chapter(one_line(chapter.title, _WIDTH), chapter.columns, rows, one_line(chapter.note, _WIDTH))


def _text(chapter: Chapter) -> str:
    lines = [chapter.title, "-" * min(len(chapter.title), 78)]
    for row in chapter.rows:
        first, *rest = [cell for cell in row if cell]
        lines += [f"* {first}", *(f"    {cell}" for cell in rest)]
    return "\n".join([*lines, *([chapter.note] if chapter.note else [])])


def _html(chapter: Chapter) -> str:
    cell = "padding:6px 12px 6px 0;border-bottom:1px solid #8884;text-align:left;vertical-align:top"
    head = "".join(f'<th style="{cell};font-size:13px">{escape(name)}</th>' for name in chapter.columns)
    body = "\n".join(
        "<tr>" + "".join(f'<td style="{cell}">{escape(value)}</td>' for value in row) + "</tr>" for row in chapter.rows
    )
    table = f'<table role="table" cellspacing="0" style="width:100%">\n<tr>{head}</tr>\n{body}\n</table>'
    note = f"<p>{escape(chapter.note)}</p>" if chapter.note else ""
    title = f'<h2 style="font-size:17px;line-height:23px;margin-top:28px">{escape(chapter.title)}</h2>'
    return f"{title}\n{table if chapter.rows else ''}{note}"
