"""What is expected of the open invoices: when each is paid, and what comes in each week."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from random import Random
from typing import Final

from arsync.domain.cash import Owed, by_span, week_ends
from arsync.domain.clock import local_date
from arsync.domain.forecast import Bill, Habits, Usual, day_of
from arsync.domain.medians import Medians
from arsync.domain.metrics import percent
from arsync.domain.money import from_units
from arsync.domain.parting import Part, Promise, kept_chances, laid, outstanding, parts
from arsync.domain.states import HoldKind
from arsync.domain.survival import SURE
from arsync.report.doubts import doubts
from arsync.report.period import midnight
from arsync.report.sheet import Cell, Column, Office, Sheet, Unit, headline
from arsync.store import asked, expected
from arsync.store.asked import Lived
from arsync.store.engine import Work
from arsync.store.expected import Brake, OpenInvoice

#: The lower end of the range, its middle and its upper end, as chances.
EARLY, LIKELY, LATE = SURE // 10, SURE // 2, SURE * 9 // 10
#: With fewer invoices paid that is told.
LEAST: Final = 20
RUNS: Final = 500
#: The same ledger has the same ranges.
SEED: Final = 1
_ONE_DAY: Final = timedelta(days=1)
_OF_WHOM: Final = (Column("connection"), Column("on", Unit.DATE, aside=True), Column("currency"))


class Rows(StrEnum):
    """What a row is of."""

    WEEK = "week"
    INVOICE = "invoice"


class Dates(StrEnum):
    """Where the expected day of an invoice is taken from; the range and the chance are of its payer's habits always."""

    HABITS = "habits"
    MEDIAN = "median"


@dataclass(frozen=True, slots=True)
class Expected:
    """A part of an open invoice, and what is expected of it; `median`: in how many days it is paid by the payer's
    recent median, where that is asked for, is to come, and nothing else was agreed or is held."""

    invoice: OpenInvoice
    part: Part
    median: int | None = None

    def days(self) -> tuple[int | None, int | None, int | None]:
        """In how many days it is expected, and from when to when that may be; None beyond a year."""
        likely, early, late = (day_of(self.part.expected, chance) for chance in (LIKELY, EARLY, LATE))
        if self.median is None:
            return likely, early, late
        early = self.median if early is None else min(early, self.median)
        return self.median, early, None if late is None else max(late, self.median)


def by_week(work: Work, offices: Sequence[Office], weeks: int, seed: int = SEED) -> Sheet:
    """For each company and currency what comes in each of the next weeks, and later; the first week is what is left of
    that of the report's day. `seed`: of the random numbers that the ranges are drawn with."""
    columns = (
        *_OF_WHOM, Column("week"), Column("from", Unit.DATE), Column("to", Unit.DATE),
        Column("expected", Unit.MONEY), Column("P10", Unit.MONEY), Column("P50", Unit.MONEY),
        Column("P90", Unit.MONEY),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    offices, notes = last_read(offices)
    for office in offices:
        those, doubted = expectations(work, office)
        rows += _weeks(office, those, weeks, Random(seed))  # noqa: S311 # no secret
        notes += doubted
    return Sheet(headline("forecast", offices), columns, tuple(rows), notes=tuple(notes))


def _weeks(office: Office, those: Iterable[Expected], weeks: int, chance: Random) -> Iterator[tuple[Cell, ...]]:
    ends = week_ends(office.on, weeks)
    days = [(end - office.on).days for end in ends]
    owed = [
        Owed(one.invoice.payer_id, one.invoice.currency, one.part.units, one.part.expected) for one in those
    ]  # fmt: skip
    begins = [end + _ONE_DAY for end in (office.on, *ends)]
    for currency, spans in by_span(owed, days, RUNS, chance).items():
        for number, (begin, span) in enumerate(zip(begins, spans, strict=True), start=1):
            last = number > len(ends)
            name, end = ("later", None) if last else (str(number), ends[number - 1])
            amounts = (from_units(units) for units in (span.expected, span.low, span.middle, span.high))
            yield (office.name, office.on, currency, name, begin, end, *amounts)


def by_invoice(work: Work, offices: Sequence[Office], within: int, dates: Dates = Dates.HABITS) -> Sheet:
    """For each open invoice the day on which it is expected, from when to when that may be, and the chance that it is
    paid within so many days; one of which parts are promised or disputed has a row for each part."""
    columns = (
        *_OF_WHOM, Column("payer"), Column("payer_id", aside=True), Column("invoice"),
        Column("invoice_id", aside=True), Column("due", Unit.DATE), Column("open", Unit.MONEY),
        Column("expected", Unit.DATE), Column("P10", Unit.DATE), Column("P90", Unit.DATE),
        Column(f"in {within} days %", Unit.PERCENT), Column("by"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    offices, notes = last_read(offices)
    for office in offices:
        those, doubted = expectations(work, office, dates)
        found = [(one.days(), one) for one in those]
        found.sort(
            key=lambda item: (item[1].invoice.currency, item[0][0] is None, item[0][0] or 0, item[1].invoice.number)
        )
        rows += (_row(office, one, days, within) for days, one in found)
        notes += doubted
    return Sheet(headline("forecast", offices), columns, tuple(rows), notes=tuple(notes))


def _row(office: Office, one: Expected, ahead: Iterable[int | None], within: int) -> tuple[Cell, ...]:
    of, part = one.invoice, one.part
    days = (None if day is None else office.on + timedelta(days=day) for day in ahead)
    chance = percent(part.expected.paid_within(within), SURE)
    return (
        office.name, office.on, of.currency, of.payer, of.payer_id, of.number, of.invoice_id, of.due_on,
        from_units(part.units), *days, chance, part.why,
    )  # fmt: skip


# --- one company ----------------------------------------------------------------------------------------------------


def last_read(offices: Iterable[Office]) -> tuple[list[Office], list[str]]:
    """The companies on the report's day, or on the last day before it of which their books tell, for what has come
    since would be taken for not paid; and a note on each of these."""
    found, notes = [], []
    for office in offices:
        synced_at = office.connection.synced_at
        told = office.on if synced_at is None else min(office.on, local_date(synced_at, office.timezone))
        found.append(replace(office, on=told))
        if told < office.on:
            notes.append(f"{office.name}: its books were last read whole on {told}, and the forecast is of that day")
    return found, notes


def expectations(work: Work, office: Office, dates: Dates = Dates.HABITS) -> tuple[list[Expected], list[str]]:
    """Every open invoice of the day in its parts, and what is to be said of them."""
    on, end = office.on, midnight(office.on + _ONE_DAY, office.timezone)
    bills = [bill(one) for one in asked.lives(work, office.id, on)]
    habits = Habits(bills, on)
    medians = Medians(one for one in bills if _is_paid(one, on)) if dates is Dates.MEDIAN else None
    every = expected.open_then(work, office.id, on)
    every.sort(key=lambda one: (one.due_on or date.max, one.number, one.invoice_id))
    standing = outstanding(expected.agreed(work, office.id, on, end), on)
    promised = laid(standing, {one.invoice_id: (one.currency, one.units) for one in every})
    kept = kept_chances(expected.reliability(work, office.id, end))
    stops = _by_scope(expected.brakes(work, office.id, on, end))
    found = []
    for one in every:
        those = promised.get(one.invoice_id, ())
        parted = _parts(one, habits, those, kept, stops, on)
        found += [Expected(one, part, _median(one, part, medians, on)) for part in parted]
    notes = [f"{office.name}: {note}" for note in _notes(every, habits)]
    return found, notes + doubts(work, office)


def _is_paid(one: Bill, on: date) -> bool:
    return one.paid and one.ended_on is not None and one.ended_on <= on


def _median(one: OpenInvoice, part: Part, medians: Medians | None, on: date) -> int | None:
    if medians is None or not len(medians) or one.due_on is None or not isinstance(part.expected, Usual):
        return None
    days = (one.due_on - on).days + medians.recent(one.payer_id, on)
    return days if days > 0 else None


def bill(one: Lived) -> Bill:
    """An invoice as the cache knows it."""
    return Bill(one.payer_id, one.issued_on, one.due_on, one.cleared_on, one.is_paid)


def _parts(
    one: OpenInvoice, habits: Habits, promised: Sequence[tuple[Promise, int]], kept: Mapping[str | None, int],
    stops: Mapping[tuple[str | None, str | None], list[Brake]], on: date,
) -> list[Part]:  # fmt: skip
    usual = habits.expected(one.payer_id, one.due_on)
    paid = habits.paid(one.payer_id)
    if one.due_on is None:
        why = "no due date"
    else:
        why = f"own habits ({paid} paid)" if paid else "the company's habits"
    agreed = [(each, units, kept.get(each.payer, kept[None])) for each, units in promised]
    those = [*stops.get((None, one.invoice_id), ()), *stops.get((one.payer_id, None), ())]
    whole = [brake for brake in those if brake.part is None]
    disputed = [brake for brake in those if brake.part is not None]
    held = None
    if whole:
        why_held = "disputed" if any(brake.kind is HoldKind.DISPUTE for brake in whole) else f"held: {whole[0].kind}"
        held = (why_held, _ends(whole, on))
    contested = (sum(brake.part or 0 for brake in disputed), _ends(disputed, on)) if disputed else None
    return parts(one.units, usual, why, agreed, on, contested, held)


def _by_scope(stops: Iterable[Brake]) -> dict[tuple[str | None, str | None], list[Brake]]:
    found: dict[tuple[str | None, str | None], list[Brake]] = {}
    for one in stops:
        scope = (None, one.invoice_id) if one.invoice_id is not None else (one.payer_id, None)
        found.setdefault(scope, []).append(one)
    return found


def _ends(stops: Iterable[Brake], on: date) -> int | None:
    """In how many days the last of them ends; None where one has no end."""
    days = [None if one.until is None else (one.until - on).days for one in stops]
    known = [day for day in days if day is not None]
    return max(known, default=None) if len(known) == len(days) else None


def _notes(every: Sequence[OpenInvoice], habits: Habits) -> Iterator[str]:
    if not every:
        return
    if habits.paid_by_all == 0:
        yield "nobody has ever paid an invoice here: nothing is expected but what was promised"
    elif habits.paid_by_all < LEAST:
        yield f"only {habits.paid_by_all} invoices were paid so far: the range is narrower than what is known"
    undated = sum(one.due_on is None for one in every)
    if undated:
        yield f"open invoices without a due date, of which nothing is expected: {undated}"
    strangers = sum(one.due_on is not None and not habits.paid(one.payer_id) for one in every)
    if strangers and habits.paid_by_all:
        yield f"open invoices of payers who have paid none yet, expected as the company's are: {strangers}"
