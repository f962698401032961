"""How long money is outstanding: days sales outstanding, collection effectiveness, days to pay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from arsync.domain.aging import AgingBucket, days_past_due
from arsync.domain.metrics import Month, countback, days_of_sales, effectiveness, weighted_days
from arsync.domain.money import from_units
from arsync.report.doubts import doubts
from arsync.report.period import calendar_months, months_before
from arsync.report.sheet import Cell, Column, Office, Sheet, Unit, headline
from arsync.store import aged, receipts, sales
from arsync.store.engine import Work

_NOTHING: Final = Decimal("0.00")
#: Counting back goes no further.
COUNTED_BACK: Final = 36
_OF_WHOM: Final = (Column("connection"), Column("on", Unit.DATE, aside=True))


class Level(StrEnum):
    """What a row is of."""

    COMPANY = "company"
    PAYER = "payer"


def _receivables(work: Work, office: Office, on: date) -> dict[str, tuple[Decimal, Decimal]]:
    """By currency: all open invoices of that day, and those of them not past due."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for one in aged.owed(work, office.id, on):
        every, current = found.get(one.currency, (_NOTHING, _NOTHING))
        young = one.open if one.bucket is AgingBucket.CURRENT else _NOTHING
        found[one.currency] = every + one.open, current + young
    return found


def _sold(sales_of: Mapping[date, Decimal], first: date, last: date) -> Decimal:
    return sum((amount for day, amount in sales_of.items() if first <= day <= last), start=_NOTHING)


# --- days sales outstanding -----------------------------------------------------------------------------------------


def dso(work: Work, offices: Sequence[Office], days: int) -> Sheet:
    """Days sales outstanding, simple and by counting back; what they could be at best, and the difference."""
    columns = (
        *_OF_WHOM, Column("currency"), Column("receivables", Unit.MONEY), Column("not due", Unit.MONEY),
        Column("days", Unit.DAYS, aside=True), Column("sales", Unit.MONEY), Column("DSO", Unit.DAYS),
        Column("best", Unit.DAYS), Column("ADD", Unit.DAYS), Column("DSO back", Unit.DAYS),
        Column("best back", Unit.DAYS), Column("ADD back", Unit.DAYS),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for office in offices:
        begin = months_before(office.on, COUNTED_BACK).replace(day=1)
        first = office.on - timedelta(days=days - 1)
        sold = sales.by_day(work, office.id, min(begin, first), office.on)
        owed = _receivables(work, office, office.on)
        for currency in sorted(owed.keys() | sold.keys()):
            every, current = owed.get(currency, (_NOTHING, _NOTHING))
            of_days = sold.get(currency, {})
            period = _sold(of_days, first, office.on)
            if not every and not period:
                continue
            simple = [days_of_sales(amount, period, days) for amount in (every, current)]
            months = list(_months(of_days, office.on, begin))
            back = [countback(amount, months) for amount in (every, current)]
            counted = [one.days if one.whole else None for one in back]
            if not back[0].whole:
                notes.append(
                    f"{office.name}: the receivables in {currency} are more than all sales of {COUNTED_BACK} months: "
                    "no days by counting back"
                )
            rows.append(
                (
                    office.name, office.on, currency, every, current, days, period, *simple, _less(*simple), *counted,
                    _less(*counted),
                )
            )  # fmt: skip
        notes += doubts(work, office)
    title = f"{headline('days sales outstanding', offices)}, simple by the sales of {days} days"
    return Sheet(title, columns, tuple(rows), notes=tuple(notes))


def _months(of_days: Mapping[date, Decimal], on: date, begin: date) -> Iterable[Month]:
    for first, last in calendar_months(on, begin):
        yield Month(_sold(of_days, first, last), (last - first).days + 1)


def _less(whole: Decimal | None, part: Decimal | None) -> Decimal | None:
    return None if whole is None or part is None else whole - part


# --- collection effectiveness ---------------------------------------------------------------------------------------


def cei(work: Work, offices: Sequence[Office], months: int, *, annual: bool = False) -> Sheet:
    """The collection effectiveness index of so many months; `annual`: their sales are not divided by their number."""
    columns = (
        *_OF_WHOM, Column("from", Unit.DATE), Column("currency"), Column("begin", Unit.MONEY),
        Column("sales", Unit.MONEY), Column("end", Unit.MONEY), Column("not due", Unit.MONEY),
        Column("CEI", Unit.PERCENT),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for office in offices:
        eve = months_before(office.on, months)
        before, now = _receivables(work, office, eve), _receivables(work, office, office.on)
        sold = sales.by_day(work, office.id, eve + timedelta(days=1), office.on)
        for currency in sorted(before.keys() | now.keys() | sold.keys()):
            begin, _ = before.get(currency, (_NOTHING, _NOTHING))
            end, current = now.get(currency, (_NOTHING, _NOTHING))
            period = _sold(sold.get(currency, {}), eve, office.on)
            index = effectiveness(begin, period, end, current, months=1 if annual else months)
            rows.append((office.name, office.on, eve + timedelta(days=1), currency, begin, period, end, current, index))
        notes += doubts(work, office)
    return Sheet(headline("collection effectiveness", offices), columns, tuple(rows), notes=tuple(notes))


# --- days to pay ----------------------------------------------------------------------------------------------------


def days_to_pay(work: Work, offices: Sequence[Office], days: int, level: Level = Level.COMPANY) -> Sheet:
    """How many days after the invoice, and after its due date, the money of the last days came, weighed with it."""
    payer = (Column("payer"), Column("payer_id", aside=True)) if level is Level.PAYER else ()
    columns = (
        *_OF_WHOM, Column("from", Unit.DATE), *payer, Column("currency"), Column("received", Unit.MONEY),
        Column("days to pay", Unit.DAYS), Column("days late", Unit.DAYS),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for office in offices:
        first = office.on - timedelta(days=days - 1)
        found: defaultdict[tuple[str | None, str], list[receipts.Receipt]] = defaultdict(list)
        for one in receipts.between(work, office.id, first, office.on):
            if one.issued_on <= office.on:
                found[one.payer_id if level is Level.PAYER else None, one.currency].append(one)
        names = aged.names(work, office.id, {who for who, _ in found if who})
        for (who, currency), those in sorted(
            found.items(), key=lambda item: (names.get(item[0][0] or "", ""), str(item[0][0]), item[0][1])
        ):
            own = (names.get(who or "", who), who) if level is Level.PAYER else ()
            rows.append((office.name, office.on, first, *own, currency, *_paid(those)))
        notes += doubts(work, office, replayed=False)
    return Sheet(headline("days to pay", offices), columns, tuple(rows), notes=tuple(notes))


def _paid(those: Sequence[receipts.Receipt]) -> tuple[Decimal, Decimal | None, Decimal | None]:
    received = from_units(sum(one.units for one in those))
    after = weighted_days((from_units(one.units), (one.paid_on - one.issued_on).days) for one in those)
    late = weighted_days(
        (from_units(one.units), days_past_due(one.due_on, one.paid_on)) for one in those if one.due_on is not None
    )
    return received, after, late
