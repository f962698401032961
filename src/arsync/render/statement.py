"""A statement of account becomes a PDF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babel import Locale
from babel.dates import format_date

from arsync.domain.chase import Seller
from arsync.domain.money import Money
from arsync.domain.statement import Entry, EntryKind, Line, Statement
from arsync.errors import TemplateError
from arsync.render.paper import ROWS_LIMIT, typeset, words_of
from arsync.render.stationery import sheet_values, window_lines
from arsync.render.wording import address_of, counted, day_text, fill, fonts_of, locale_of, money_text, one_line, quoted


def statement_pdf(
    statement: Statement, seller: Seller, *, locale: str, address: str | None = None, country: str | None = None
) -> bytes:
    """The statement as it is sent: what is open, its age, and how to pay; the same statement gives the same bytes.
    `address` is the payer's below its name, in that `country`.

    TemplateError where it is longer than anybody prints.
    """
    if len(statement.lines) > ROWS_LIMIT:
        raise TemplateError(f"a statement of {len(statement.lines):,} items: more than {ROWS_LIMIT:,} are not printed")
    values = statement_values(statement, seller, locale=locale, address=address, country=country)
    return typeset("statement", values, fonts_of(seller.font))


def statement_values(
    statement: Statement, seller: Seller, *, locale: str, address: str | None = None, country: str | None = None
) -> dict[str, Any]:
    """What the sheet prints, in that locale."""
    told = locale_of(locale)
    words = words_of(told.language)
    today = day_text(statement.on, told)
    numbers = [line.entry.number for line in statement.lines if line.entry.kind is EntryKind.INVOICE]
    values = sheet_values(
        seller, told, words, title=words["statement"], today=today,
        window=window_lines(statement.payer_name, address, country, seller),
        currencies=(statement.currency,) if statement.balance.amount > 0 else (), quote=quoted(numbers),
    )  # fmt: skip
    balance = words["balance" if statement.balance.amount >= 0 else "balance_credit"]
    return {
        **values,
        "info": [
            [words["date"], today],
            [words["currency"], statement.currency],
            [words["reply"], address_of(seller.reply_to)],
        ],
        "opening": fill(words["opening"], today) if statement.lines else words["nothing"],
        "lines": [_line(line, statement.payer_name, told, words) for line in statement.lines],
        "aging": [[words["aging"][name], money_text(money, told)] for name, money in statement.aging.items()],
        "sums": _sums(statement, told, words),
        "balance": [fill(balance, statement.currency), money_text(_positive(statement.balance), told)],
        "closing": fill(words["closing"], today),
    }


def _line(line: Line, payer: str, locale: Locale, words: Mapping[str, Any]) -> dict[str, Any]:
    entry = line.entry
    return {
        "on": _short(entry.on, locale),
        "document": _document(entry, words),
        "more": _more(entry, payer, words),
        "due": _short(entry.due_on, locale) if entry.due_on else "",
        "late": _late(line.days_late, words),
        "is_late": (line.days_late or 0) > 0,
        "amount": money_text(entry.total, locale),
        "open": money_text(entry.open, locale),
        "running": money_text(line.running, locale),
    }


def _document(entry: Entry, words: Mapping[str, Any]) -> str:
    number = one_line(entry.number or "", 40)
    if entry.kind is EntryKind.PAYMENT and not number:
        return str(words["payment_plain"])
    return fill(words[entry.kind.value], number)


def _more(entry: Entry, payer: str, words: Mapping[str, Any]) -> str:
    parts = []
    if entry.customer_name != payer:
        parts.append(fill(words["billed_to"], one_line(entry.customer_name, 60)))
    if entry.reference:
        parts.append(fill(words["reference"], one_line(entry.reference, 40)))
    if entry.kind is not EntryKind.INVOICE:
        parts.append(words["not_put"])
    return ", ".join(parts)


def _late(days: int | None, words: Mapping[str, Any]) -> str:
    if days is None:
        return ""
    if days == 0:
        return str(words["due_today"])
    return counted(words["days_late"], days) if days > 0 else counted(words["due_in"], -days)


def _sums(statement: Statement, locale: Locale, words: Mapping[str, Any]) -> list[list[str]]:
    sums = [[words["owed"], money_text(statement.owed, locale)]]
    if statement.overdue:
        sums.append([words["overdue"], money_text(statement.overdue, locale)])
    if statement.unapplied:
        less = Money(-statement.unapplied.amount, statement.currency)
        sums.append([words["unapplied"], money_text(less, locale)])
    return sums


def _positive(money: Money) -> Money:
    return Money(abs(money.amount), money.currency)


def _short(day: Any, locale: Locale) -> str:
    """The day in figures, with its year in full."""
    if locale.language == "en" and locale.territory not in (None, "US"):
        return str(format_date(day, format="d MMM y", locale=locale))
    return str(format_date(day, format="dd.MM.y" if locale.language == "de" else "medium", locale=locale))
