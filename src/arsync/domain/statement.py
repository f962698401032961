"""A statement of account: all that is open between us and one payer in one currency, on a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from arsync.domain.aging import AgingBucket, bucket, days_past_due
from arsync.domain.money import Money, total


class EntryKind(StrEnum):
    """What an open item is."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Entry:
    """One open item. What is owed to us is positive; what lies with us, on no invoice, is negative."""

    kind: EntryKind
    remote_id: str
    number: str | None  # as printed; None of a payment without a reference
    on: date  # issued, or received
    due_on: date | None
    customer_name: str  # whom it was billed to
    reference: str | None
    total: Money  # what it was written for
    open: Money  # what of it is still open


@dataclass(frozen=True, slots=True)
class Line:
    """An open item and what all lines down to it come to."""

    entry: Entry
    running: Money
    days_late: int | None  # negative before the due date; None where nothing is due


@dataclass(frozen=True, slots=True)
class Statement:
    """What is open on a day, the oldest document first: `owed` less `unapplied` is `balance`."""

    payer_id: str
    payer_name: str
    currency: str
    on: date
    lines: tuple[Line, ...]
    aging: Mapping[AgingBucket, Money]  # of the invoices, every bucket
    owed: Money
    unapplied: Money
    balance: Money

    @property
    def overdue(self) -> Money:
        """What of the invoices is past due."""
        late = (money for name, money in self.aging.items() if name is not AgingBucket.CURRENT)
        return total(late, self.currency)


def statements(payer_id: str, payer_name: str, entries: Iterable[Entry], on: date) -> tuple[Statement, ...]:
    """One statement for each currency in which anything is open, in the order of their codes."""
    by_currency: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_currency[entry.open.currency].append(entry)
    return tuple(
        _statement(payer_id, payer_name, currency, sorted(those, key=_order), on)
        for currency, those in sorted(by_currency.items())
    )


def _statement(payer_id: str, payer_name: str, currency: str, entries: list[Entry], on: date) -> Statement:
    nothing = Money(Decimal("0.00"), currency)
    running, owed, unapplied = nothing, nothing, nothing
    aging = dict.fromkeys(AgingBucket, nothing)
    lines = []
    for entry in entries:
        running += entry.open
        late = None
        if entry.kind is EntryKind.INVOICE:
            owed += entry.open
            column = bucket(entry.due_on, on)
            aging[column] += entry.open
            late = days_past_due(entry.due_on, on) if entry.due_on else None
        else:
            unapplied -= entry.open
        lines.append(Line(entry, running, late))
    return Statement(payer_id, payer_name, currency, on, tuple(lines), aging, owed, unapplied, running)


def _order(entry: Entry) -> tuple[date, str, str, str]:
    return (entry.on, entry.kind, entry.number or "", entry.remote_id)
