"""Records become a message: subject, plain text and HTML, which say the same amounts.

A step's template `friendly` is a pair of files per language, `friendly.en.txt.j2` (its first line the subject) and
`friendly.en.html.j2`, beside `_words.en.j2` with the words that all of them share. Every value reaches a template
formatted for the reader's locale and made harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from babel import Locale
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from arsync.domain.chase import Intent, Letterhead, Rendered
from arsync.domain.policy import StepChannel
from arsync.errors import TemplateError
from arsync.render.mail import check_twins, styled
from arsync.render.sandbox import MessageEnvironment, run, words
from arsync.render.view import MessageView, view
from arsync.render.wording import beside, counted, day_text, fill, folded, locale_of, one_line

_SUBJECT_LIMIT: Final = 150
_KEPT: Final = re.compile(r"(?=[^-]*-)\S{3,24}")  # numbers and references; a longer one would leave a phone
_TWINS_COMPARED: Final = 50  # so many invoices are looked for in both forms of a message


def render(intent: Intent, letterhead: Letterhead, templates: Path) -> Rendered:
    """The message of an intent; TemplateError naming file and line where a template is missing or wrong.

    A call or task is a script for our own people: it is in the seller's language, where its template has it.
    """
    told = tell(intent, letterhead, templates)
    subject, rest = told.subject, told.rest
    page = f"{intent.step.template}.{told.language}.html.j2"
    html = run(told.jinja, page, {**told.values, "subject": subject})
    text = folded(rest)
    message = told.view
    amounts = [*message.totals, *(item.balance for item in message.demanded[:_TWINS_COMPARED])]
    finished = styled(html, page)
    check_twins(text, html, amounts, f"{intent.step.template}.{told.language}")
    return Rendered(subject=subject, text=text, html=finished)


@dataclass(frozen=True, slots=True)
class Told:
    """A message's plain text as its template gives it, and all that the template was given."""

    subject: str
    rest: str
    language: str
    view: MessageView
    values: dict[str, Any]
    jinja: MessageEnvironment


def tell(intent: Intent, letterhead: Letterhead, templates: Path, parts: Mapping[str, str] | None = None) -> Told:
    """The plain text of an intent's message; `parts` stand in place of the templates of these names. TemplateError as
    with `render`."""
    tag = letterhead.locale
    if intent.step.channel in (StepChannel.CALL, StepChannel.TASK):
        wanted = locale_of(letterhead.seller.locale)
        if _language(intent.step.template, wanted, templates):
            tag = letterhead.seller.locale
    locale = _regional(locale_of(tag), locale_of(letterhead.seller.locale))
    language = _language(intent.step.template, locale, templates)
    if language is None:
        raise TemplateError(f"{intent.step.template}.{locale.language}.txt.j2 and .html.j2 are not in {templates}")

    jinja = _environment(templates.resolve(), tuple(sorted((parts or {}).items())))
    message = view(intent, letterhead, locale)
    values = _named(message)
    shared = f"_words.{language}.j2"
    said = words(jinja, shared) if (templates / shared).is_file() else {}
    if not message.named and "greeting_unnamed" in said:
        said["greeting"] = said["greeting_unnamed"]
    values["words"] = said

    name = f"{intent.step.template}.{language}.txt.j2"
    first, _, rest = run(jinja, name, values).lstrip().partition("\n")
    if not first.startswith("Subject:"):
        raise TemplateError(f"{name}, line 1: it must begin with 'Subject: '")
    subject = one_line(first.removeprefix("Subject:"), _SUBJECT_LIMIT)
    if not subject:
        raise TemplateError(f"{name}, line 1: the subject is empty")
    return Told(subject, rest, language, message, values, jinja)


def locales(template: str, templates: Path) -> frozenset[str]:
    """The languages in which that template can be rendered: text and HTML are there."""
    return frozenset(
        language
        for path in templates.glob(f"{template}.*.txt.j2")
        if (language := path.name.removeprefix(f"{template}.").removesuffix(".txt.j2"))
        and (templates / f"{template}.{language}.html.j2").is_file()
    )


def _language(template: str, locale: Locale, templates: Path) -> str | None:
    there = locales(template, templates)
    return next((name for name in (str(locale), str(locale).replace("_", "-"), locale.language) if name in there), None)


def _regional(reader: Locale, seller: Locale) -> Locale:
    """The reader's locale; where it names no region, the seller's habits in the same language (10 May, not May 10)."""
    return seller if reader.territory is None and reader.language == seller.language else reader


@lru_cache(maxsize=8)
def _environment(directory: Path, parts: tuple[tuple[str, str], ...] = ()) -> MessageEnvironment:
    """One per folder of templates; changed files are read again."""
    return MessageEnvironment(directory, FILTERS, dict(parts))


@pass_context
def _days_from_today(context: Context, days: int) -> str:
    if not 0 <= days <= 366:
        raise ValueError(f"days_from_today: {days} is no number of days to name in a message")
    return day_text(context["day"] + timedelta(days=days), context["locale"])


def _named(message: MessageView) -> dict[str, Any]:
    return {name.name: getattr(message, name.name) for name in fields(message)}


def _unbroken(text: str) -> Markup:
    """HTML of the text in which a mail program parts no number or reference at its hyphens, as phones like to do."""
    return Markup(" ").join(
        Markup('<span style="white-space:nowrap">{}</span>').format(word) if _KEPT.fullmatch(word) else escape(word)
        for word in str(text).split(" ")
    )


#: What templates have beside Jinja's own filters.
FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "fill": fill,
    "counted": counted,
    "beside": beside,
    "days_from_today": _days_from_today,
    "unbroken": _unbroken,
}
