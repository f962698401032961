"""Who owes how much for how long, on any day; and who owes most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import Final

from arsync.domain.aging import AgingBucket, days_past_due
from arsync.domain.metrics import percent
from arsync.report.doubts import doubts
from arsync.report.sheet import Cell, Column, Office, Sheet, Unit, headline
from arsync.store import aged
from arsync.store.engine import Work

_NOTHING: Final = Decimal("0.00")
_NOBODY: Final = "(no customer)"


class Whose(StrEnum):
    """Whose rows an aging has."""

    PAYER = "payer"  # who pays, with all for whom it pays
    CUSTOMER = "customer"  # who was billed


@dataclass(slots=True)
class Account:
    """What one payer, or customer, owes in one currency."""

    payer_id: str | None
    customer_id: str | None
    name: str
    payer: str
    currency: str
    aging: dict[AgingBucket, Decimal] = field(default_factory=lambda: dict.fromkeys(AgingBucket, _NOTHING))
    invoices: int = 0
    oldest: date | None = None  # the earliest due date of an open invoice
    unapplied: Decimal = _NOTHING

    @property
    def open(self) -> Decimal:
        """All open invoices."""
        return sum(self.aging.values(), start=_NOTHING)

    @property
    def overdue(self) -> Decimal:
        """Those of them that are past due."""
        return self.open - self.aging[AgingBucket.CURRENT]

    @property
    def balance(self) -> Decimal:
        """The open invoices less what lies on none."""
        return self.open - self.unapplied


def accounts(work: Work, office: Office, whose: Whose = Whose.PAYER) -> list[Account]:
    """Every account of a company that is not empty, by name and currency."""
    found: dict[tuple[str | None, str], Account] = {}
    parts: list[aged.Owed | aged.Lying] = [
        *aged.owed(work, office.id, office.on), *aged.lying(work, office.id, office.on),
    ]  # fmt: skip
    ids = {one for part in parts for one in (part.payer_id, part.customer_id) if one is not None}
    names = aged.names(work, office.id, ids)
    for part in parts:
        own = part.payer_id if whose is Whose.PAYER else part.customer_id
        account = found.get((own, part.currency))
        if account is None:
            customer = None if whose is Whose.PAYER else part.customer_id
            payer = names.get(part.payer_id or "", part.payer_id or _NOBODY)
            account = Account(part.payer_id, customer, names.get(own or "", own or _NOBODY), payer, part.currency)
            found[own, part.currency] = account
        if isinstance(part, aged.Lying):
            account.unapplied += part.amount
            continue
        account.aging[part.bucket] += part.open
        account.invoices += part.invoices
        account.oldest = min((day for day in (account.oldest, part.oldest) if day is not None), default=None)
    return sorted(found.values(), key=lambda one: (one.name.casefold(), one.name, str(one.payer_id), one.currency))


# --- aging ----------------------------------------------------------------------------------------------------------

_MONEY: Final = (*(name.value for name in AgingBucket), "open", "unapplied", "balance")


def aging(work: Work, offices: Sequence[Office], whose: Whose = Whose.PAYER) -> Sheet:
    """What is owed by age, a row for each payer (or customer) and currency."""
    branch = (Column("customer"), Column("customer_id", aside=True)) if whose is Whose.CUSTOMER else ()
    columns = (
        Column("connection"), Column("on", Unit.DATE, aside=True), Column("payer"), Column("payer_id", aside=True),
        *branch, Column("currency"), *(Column(name, Unit.MONEY) for name in _MONEY), Column("invoices", Unit.COUNT),
        Column("oldest", Unit.DAYS),
    )  # fmt: skip
    rows, totals, notes = [], [], []
    for office in offices:
        those = accounts(work, office, whose)
        rows += [_row(office, one, whose) for one in those]
        totals += [_row(office, one, whose) for one in summed(those)]
        notes += doubts(work, office)
    return Sheet(headline("aging", offices), columns, tuple(rows), tuple(totals), tuple(notes))


def _row(office: Office, one: Account, whose: Whose) -> tuple[Cell, ...]:
    own = (one.name, one.customer_id) if whose is Whose.CUSTOMER else ()
    return (
        office.name, office.on, one.payer, one.payer_id, *own, one.currency, *one.aging.values(), one.open,
        one.unapplied, one.balance, one.invoices, _age(one, office.on),
    )  # fmt: skip


def _age(one: Account, on: date) -> int | None:
    """Days past due of the oldest open invoice; None where nothing is."""
    late = days_past_due(one.oldest, on) if one.oldest else 0
    return late if late > 0 else None


def summed(those: Iterable[Account]) -> list[Account]:
    """All accounts of a company as one for each currency."""
    found: dict[str, Account] = {}
    for one in those:
        all_ = found.setdefault(one.currency, Account(None, None, "", "", one.currency))
        for name, amount in one.aging.items():
            all_.aging[name] += amount
        all_.invoices += one.invoices
        all_.unapplied += one.unapplied
        all_.oldest = min((day for day in (all_.oldest, one.oldest) if day is not None), default=None)
    return [found[currency] for currency in sorted(found)]


# --- top exposures --------------------------------------------------------------------------------------------------


def exposure(work: Work, offices: Sequence[Office], top: int) -> Sheet:
    """The payers with the highest balances in each currency, and what part of all each is."""
    columns = (
        Column("connection"), Column("on", Unit.DATE, aside=True), Column("currency"), Column("rank", Unit.COUNT),
        Column("payer"), Column("payer_id", aside=True), Column("balance", Unit.MONEY), Column("share", Unit.PERCENT),
        Column("running", Unit.PERCENT), Column("overdue", Unit.MONEY), Column("oldest", Unit.DAYS),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for office in offices:
        owing = [one for one in accounts(work, office) if one.balance > 0]
        for currency, group in groupby(sorted(owing, key=attrgetter("currency")), key=attrgetter("currency")):
            rows += _highest(office, currency, list(group), top)
        notes += doubts(work, office)
    return Sheet(headline("exposure", offices), columns, tuple(rows), notes=tuple(notes))


def _highest(office: Office, currency: str, owing: list[Account], top: int) -> list[tuple[Cell, ...]]:
    every = sum((one.balance for one in owing), start=_NOTHING)
    owing.sort(key=lambda one: (-one.balance, one.name, str(one.payer_id)))
    rows: list[tuple[Cell, ...]] = []
    running = _NOTHING
    for rank, one in enumerate(owing[:top], start=1):
        running += one.balance
        rows.append(
            (
                office.name, office.on, currency, rank, one.payer, one.payer_id, one.balance,
                percent(one.balance, every), percent(running, every), one.overdue, _age(one, office.on),
            )
        )  # fmt: skip
    return rows
