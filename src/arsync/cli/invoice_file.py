"""A CSV file of invoices and when they were paid, to judge the forecast by."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from io import StringIO
from pathlib import Path
from typing import Final

from arsync.domain.forecast import Bill
from arsync.errors import UsageError

#: Each column, and what else it is often called; letters and digits count, in any case.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "customer": ("customerid", "customername", "client"),
    "issued": ("invoicedate", "issuedate", "date"),
    "due": ("duedate",),
    "paid": ("paiddate", "datepaid", "settleddate", "paymentdate", "fullypaidondate"),
    "ended": (),
    "amount": ("invoiceamount", "total"),
    "received": ("amountpaid",),
}
_NEEDED: Final = ("customer", "issued", "paid")


@dataclass(frozen=True, slots=True)
class InvoiceFile:
    """What the file holds: its invoices, the latest day in it, and the lines that were left out, each with why."""

    bills: list[Bill]
    last: date
    problems: list[str]


def read(file: Path, *, named: Mapping[str, str], days: str, terms: int | None) -> InvoiceFile:
    """The file's invoices; `named`: the file's own names of columns, `days`: how days are written, `terms`: days from
    the invoice to its due date where none is written. UsageError where it is no table of invoices."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            text = opened.read()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 at byte {error.start}; save it as CSV UTF-8") from error
    head = text.split("\n", 1)[0]
    rows = csv.reader(StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    places = _places(file, [name.strip() for name in next(rows, [])], named, terms)
    bills: list[Bill] = []
    problems: list[str] = []
    for number, row in _numbered(rows, problems):
        if not any(value.strip() for value in row):
            continue
        try:
            bills.append(_bill(row, places, days, terms))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if not bills:
        raise UsageError(f"{file}: no invoice in it{f'; {problems[0]}' if problems else ''}")
    last = max(day for bill in bills for day in (bill.issued_on, bill.ended_on) if day is not None)
    return InvoiceFile(bills, last, problems)


def _places(file: Path, heads: Sequence[str], named: Mapping[str, str], terms: int | None) -> dict[str, int]:
    """Where each column stands."""
    places: dict[str, int] = {}
    plain = [_plain(head) for head in heads]
    for column, others in COLUMNS.items():
        if column in named:
            if named[column] not in heads:
                raise UsageError(f"{file}, line 1: no column {named[column]!r}; there are {', '.join(heads)}")
            places[column] = heads.index(named[column])
        elif (found := next((name for name in (column, *others) if name in plain), None)) is not None:
            places[column] = plain.index(found)
    needed = _NEEDED if terms is not None else (*_NEEDED, "due")
    if lacking := [column for column in needed if column not in places]:
        hint = f"--column {lacking[0]}=NAME tells what the file calls it"
        hint += ", or --terms DAYS from the invoice on" if "due" in lacking else ""
        raise UsageError(f"{file}, line 1: no column {', '.join(lacking)} among {', '.join(heads)}; {hint}")
    return places


def _plain(head: str) -> str:
    return "".join(letter for letter in head.lower() if letter.isalnum())


def _numbered(rows: Iterator[list[str]], problems: list[str]) -> Iterator[tuple[int, list[str]]]:
    number = 1
    try:
        for row in rows:
            number += 1
            yield number, row
    except csv.Error as error:
        problems.append(f"what follows line {number} cannot be read as CSV: {error}")


def _bill(row: Sequence[str], places: Mapping[str, int], days: str, terms: int | None) -> Bill:
    def value(column: str) -> str:
        place = places.get(column, len(row))
        return row[place].strip() if place < len(row) else ""

    customer, issued = value("customer"), _day(value("issued"), "issued", days)
    due, paid, ended = (_day(value(column), column, days) for column in ("due", "paid", "ended"))
    if not customer:
        raise ValueError("no customer")
    if issued is None:
        raise ValueError("no issued")
    if due is None:
        if terms is None:
            raise ValueError("no due; --terms DAYS tells it where none is written")
        due = issued + timedelta(days=terms)
    if paid is not None and _in_part(value):
        paid = None
    ends = min((day for day in (paid, ended) if day is not None), default=None)
    return Bill(customer, issued, due, None if ends is None else max(ends, issued), ends is not None and ends == paid)


def _in_part(value: Callable[[str], str]) -> bool:
    """Whether less was received than the invoice's amount, where the file tells both."""
    amount, received = (_amount(value(column), column) for column in ("amount", "received"))
    return amount is not None and received is not None and received < amount


def _amount(text: str, column: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", "")) if text else None
    except InvalidOperation:
        raise ValueError(f"{column}: {text!r} is no amount") from None


def _day(text: str, column: str, days: str) -> date | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, days).date()  # noqa: DTZ007 # a day has no zone
    except ValueError:
        raise ValueError(f"{column}: {text!r} is no day written as {days} (--days tells another way)") from None
