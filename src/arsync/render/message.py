"""Records become a message: subject, plain text and HTML, which say the same.

A step's template `friendly` is a pair of files per language, `friendly.en.txt.j2` (its first line the subject) and
`friendly.en.html.j2`, beside `_words.en.j2` with the words that all of them share. Every value reaches a template
formatted for the reader's locale and made harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from babel import Locale
from jinja2 import pass_context
from jinja2.runtime import Context

from arsync.domain.chase import Intent, Item, Letterhead, Rendered
from arsync.domain.money import totals
from arsync.domain.policy import StepChannel
from arsync.errors import TemplateError
from arsync.render.mail import styled
from arsync.render.sandbox import MessageEnvironment, run, words
from arsync.render.wording import (
    beside,
    counted,
    day_text,
    fill,
    folded,
    lines_of,
    locale_of,
    money_text,
    one_line,
)

_SUBJECT_LIMIT: Final = 150
_REMITTANCE_LIMIT: Final = 140  # what a SEPA transfer carries
_LINES_NAMED: Final = 3
_FALLBACK_COLOR: Final = "#1f4e79"


@dataclass(frozen=True, slots=True)
class ItemView:
    """One invoice as a template sees it; amounts and days are text in the reader's locale."""

    number: str
    reference: str | None  # the customer's own; its purchase order number where it gave no other
    purchase_order: str | None
    terms: str | None  # as the source words them
    pay_link: str | None
    customer: str | None  # whom it was billed to, where that is not the payer
    issued_on: str
    due_on: str | None
    days_late: int | None  # negative before the due date; None without one
    days_left: int | None
    purpose: str | None  # what it was for
    balance: str
    total: str | None  # only where a part is paid
    currency: str


@dataclass(frozen=True, slots=True)
class BankView:
    """Where to pay one currency."""

    currency: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody at the payer."""

    name: str
    email: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class SellerView:
    """Who writes."""

    name: str
    reply_to: str
    reply_link: str  # the mailto: address, quoted
    legal: tuple[str, ...]
    color: str
    on_color: str  # readable on `color`


def render(intent: Intent, letterhead: Letterhead, templates: Path) -> Rendered:
    """The message of an intent; TemplateError naming file and line where a template is missing or wrong.

    A call or task is a script for our own people: it is in the seller's language, where its template has it.
    """
    tag = letterhead.locale
    if intent.step.channel in (StepChannel.CALL, StepChannel.TASK):
        wanted = locale_of(letterhead.seller.locale)
        if _language(intent.step.template, wanted, templates):
            tag = letterhead.seller.locale
    locale = _regional(locale_of(tag), locale_of(letterhead.seller.locale))
    language = _language(intent.step.template, locale, templates)
    if language is None:
        raise TemplateError(f"{intent.step.template}.{locale.language}.txt.j2 and .html.j2 are not in {templates}")

    jinja = _environment(templates.resolve())
    values = _values(intent, letterhead, locale)
    values["words"] = words(jinja, f"_words.{language}.j2")

    name = f"{intent.step.template}.{language}.txt.j2"
    first, _, rest = run(jinja, name, values).lstrip().partition("\n")
    if not first.startswith("Subject:"):
        raise TemplateError(f"{name}, line 1: it must begin with 'Subject: '")
    subject = one_line(first.removeprefix("Subject:"), _SUBJECT_LIMIT)
    if not subject:
        raise TemplateError(f"{name}, line 1: the subject is empty")

    page = f"{intent.step.template}.{language}.html.j2"
    html = run(jinja, page, {**values, "subject": subject})
    return Rendered(subject=subject, text=folded(rest), html=styled(html, page))


def locales(template: str, templates: Path) -> frozenset[str]:
    """The languages in which that template can be rendered: text, HTML and shared words are all there."""
    return frozenset(
        language
        for path in templates.glob(f"{template}.*.txt.j2")
        if (language := path.name.removeprefix(f"{template}.").removesuffix(".txt.j2"))
        and (templates / f"{template}.{language}.html.j2").is_file()
        and (templates / f"_words.{language}.j2").is_file()
    )


def _language(template: str, locale: Locale, templates: Path) -> str | None:
    there = locales(template, templates)
    return next((name for name in (str(locale), str(locale).replace("_", "-"), locale.language) if name in there), None)


def _regional(reader: Locale, seller: Locale) -> Locale:
    """The reader's locale; where it names no region, the seller's habits in the same language (10 May, not May 10)."""
    return seller if reader.territory is None and reader.language == seller.language else reader


@lru_cache(maxsize=8)
def _environment(directory: Path) -> MessageEnvironment:
    """One per folder of templates; changed files are read again."""
    return MessageEnvironment(
        directory, {"fill": fill, "counted": counted, "beside": beside, "days_from_today": _days_from_today}
    )


@pass_context
def _days_from_today(context: Context, days: int) -> str:
    if not 0 <= days <= 366:
        raise ValueError(f"days_from_today: {days} is no number of days to name in a message")
    return day_text(context["day"] + timedelta(days=days), context["locale"])


def _values(intent: Intent, letterhead: Letterhead, locale: Locale) -> dict[str, Any]:
    today = letterhead.today
    payer = one_line(letterhead.payer_name)
    demanded = [_item(item, letterhead, locale) for item in intent.demanded]
    listed = [_item(item, letterhead, locale) for item in intent.listed]
    owed = totals(item.balance for item in intent.demanded)
    ages = [view.days_late for view in demanded if view.days_late is not None]
    people = [
        PersonView(
            name=one_line(contact.name),
            email=one_line(contact.email) if contact.email else None,
            phone=one_line(contact.phone, 40) if contact.phone else None,
        )
        for contact in intent.recipients
    ]
    seller = letterhead.seller
    color = seller.color if re.fullmatch(r"#(?:[0-9a-fA-F]{3}){1,2}", seller.color) else _FALLBACK_COLOR
    return {
        "language": str(locale).replace("_", "-"),
        "payer_language": locale_of(letterhead.locale).get_display_name(locale),
        "payer": payer,
        "greeted": people[0].name if len(people) == 1 and people[0].name else payer,
        "people": people,
        "demanded": demanded,
        "listed": listed,
        "not_due": [view for view in listed if view.days_late is None or view.days_late <= 0],
        "recently_due": [view for view in listed if view.days_late is not None and view.days_late > 0],
        "totals": [money_text(money, locale) for money in owed.values()],
        "oldest_days": max(ages, default=0),
        "unapplied": money_text(intent.unapplied, locale) if intent.unapplied else None,
        "bank": [
            BankView(currency, lines_of(seller.bank_details[currency]))
            for currency in owed
            if currency in seller.bank_details
        ],
        "remittance": one_line(letterhead.remittance, _REMITTANCE_LIMIT),
        "today": day_text(today, locale),
        "day": today,
        "locale": locale,
        "seller": SellerView(
            name=one_line(seller.name),
            reply_to=one_line(seller.reply_to, 254),
            reply_link="mailto:" + quote(one_line(seller.reply_to, 254), safe="@.+-_"),
            legal=lines_of(seller.legal_footer, 300),
            color=color,
            on_color=_readable_on(color),
        ),
    }


def _item(item: Item, letterhead: Letterhead, locale: Locale) -> ItemView:
    late = (letterhead.today - item.due_on).days if item.due_on else None
    return ItemView(
        number=one_line(item.number, 40),
        reference=one_line(item.reference or item.purchase_order or "", 60) or None,
        purchase_order=one_line(item.purchase_order or "", 60) or None,
        terms=one_line(item.terms or "", 80) or None,
        pay_link=item.pay_link,
        customer=one_line(item.customer_name) if item.customer_name != letterhead.payer_name else None,
        issued_on=day_text(item.issued_on, locale),
        due_on=day_text(item.due_on, locale) if item.due_on else None,
        days_late=late,
        days_left=-late if late is not None else None,
        purpose=_purpose(line.description for line in item.lines),
        balance=money_text(item.balance, locale),
        total=money_text(item.total, locale) if item.balance != item.total else None,
        currency=item.balance.currency,
    )


def _purpose(descriptions: Iterable[str]) -> str | None:
    named = list(dict.fromkeys(short for text in descriptions if (short := one_line(text, 60))))
    more = f" (+{len(named) - _LINES_NAMED})" if len(named) > _LINES_NAMED else ""
    return "; ".join(named[:_LINES_NAMED]) + more if named else None


def _readable_on(color: str) -> str:
    digits = color[1:] if len(color) == 7 else "".join(digit * 2 for digit in color[1:])
    red, green, blue = (int(digits[place : place + 2], 16) for place in (0, 2, 4))
    return "#111418" if (299 * red + 587 * green + 114 * blue) // 1000 > 150 else "#ffffff"
