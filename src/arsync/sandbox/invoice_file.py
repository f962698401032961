"""Anybody's list of invoices as CSV: each line an invoice, or a problem with its number."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

_CENT: Final = Decimal("0.01")
#: what can be said of an invoice; only the first three must be
COLUMNS: Final = (
    "number", "issued", "total", "customer", "due", "balance", "paid", "paid_on", "currency", "email", "reference",
)  # fmt: skip
_NEEDED: Final = COLUMNS[:3]


class FileError(ValueError):
    """The file as a whole cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that is left out."""

    line: int
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class Written:
    """An invoice as the file has it."""

    line: int
    number: str
    customer: str
    email: str | None
    currency: str | None
    issued: date
    due: date
    total: Decimal
    paid: Decimal
    paid_on: date
    reference: str


@dataclass(frozen=True, slots=True)
class Form:
    """How the file is written: the column of each thing, the form of its days, its decimal mark, the usual terms."""

    columns: Mapping[str, str]
    dates: str = "%Y-%m-%d"
    decimal: str = "."
    terms: int = 30


def read(path: Path, form: Form) -> Iterator[Written | Problem]:
    """The lines in their order; FileError where it has no header with the columns needed."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            place = {name: form.columns.get(name, name) for name in COLUMNS}
            lacking = [place[name] for name in COLUMNS if place[name] not in names]
            wrong = [one for one in lacking if one in form.columns.values()]
            wrong += [place[name] for name in _NEEDED if place[name] in lacking and place[name] not in wrong]
            if wrong:
                raise FileError(f"{path} has no column {', '.join(wrong)}; it has {', '.join(names) or 'none'}")
            numbers: dict[str, int] = {}
            for row in reader:
                said = {name: (row.get(place[name]) or "").strip() for name in COLUMNS}
                try:
                    written = _written(reader.line_num, said, form)
                    first = numbers.setdefault(written.number, written.line)
                    if first != written.line:
                        raise ValueError(f"number {written.number} stands on line {first} already")
                    yield written
                except ValueError as error:
                    yield Problem(reader.line_num, str(error))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{path} cannot be read: {error}") from None


def _written(line: int, said: Mapping[str, str], form: Form) -> Written:
    if not said["number"]:
        raise ValueError("no number")
    total = _money("total", said["total"], form)
    if total <= 0:
        raise ValueError(f"a total of {total}: nothing to owe")
    if said["balance"]:
        paid = total - _money("balance", said["balance"], form)
    else:
        paid = _money("paid", said["paid"], form) if said["paid"] else Decimal(0)
    if not paid >= 0:
        raise ValueError("the balance is more than the total")
    issued = _day("issued", said["issued"], form)
    due = _day("due", said["due"], form) if said["due"] else issued + timedelta(days=form.terms)
    return Written(
        line=line,
        number=said["number"],
        customer=said["customer"] or "Customer of no name",
        email=said["email"] or None,
        currency=said["currency"].upper() or None,
        issued=issued,
        due=due,
        total=total,
        paid=paid,
        paid_on=_day("paid_on", said["paid_on"], form) if said["paid_on"] else issued,
        reference=said["reference"],
    )


def _money(name: str, text: str, form: Form) -> Decimal:
    plain = text.replace("," if form.decimal == "." else ".", "").replace(form.decimal, ".")
    try:
        exact = Decimal(plain)
        if exact == exact.quantize(_CENT):
            return exact.quantize(_CENT)
    except InvalidOperation:
        pass
    raise ValueError(f"{name} is no amount with two places: {text!r}")


def _day(name: str, text: str, form: Form) -> date:
    try:
        return datetime.strptime(text, form.dates).date()  # noqa: DTZ007 - a day, of no zone
    except ValueError:
        raise ValueError(f"{name} is no day like {form.dates}: {text!r}") from None
