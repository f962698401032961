"""What followed on each step of the playbooks: paid within so many days, beside invoices that nobody had asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from arsync.domain.aging import days_past_due
from arsync.domain.effect import Baseline, Life
from arsync.domain.metrics import percent
from arsync.domain.money import from_units
from arsync.report.doubts import doubts
from arsync.report.sheet import Cell, Column, Office, Sheet, Unit, headline
from arsync.store import asked, receipts
from arsync.store.asked import Asked, Lived
from arsync.store.engine import Work

_NOTHING: Final = Decimal("0.00")


def steps(work: Work, offices: Sequence[Office], days: int, within: int) -> Sheet:
    """For each step the invoices it asked for so long ago that their days are over, and what was paid."""
    columns = (
        Column("connection"), Column("on", Unit.DATE, aside=True), Column("playbook"), Column("step"),
        Column("currency"), Column("asked", Unit.COUNT), Column("paid", Unit.COUNT), Column("paid %", Unit.PERCENT),
        Column("alike", Unit.COUNT), Column("of these %", Unit.PERCENT), Column("baseline %", Unit.PERCENT),
        Column("demanded", Unit.MONEY), Column("received", Unit.MONEY), Column("received %", Unit.PERCENT),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for office in offices:
        rows += _of_office(work, office, days, within)
        notes += doubts(work, office, replayed=False)
    title = f"{headline('steps', offices)}: paid within {within} days"
    return Sheet(title, columns, tuple(rows), notes=tuple(notes))


def _of_office(work: Work, office: Office, days: int, within: int) -> Iterator[tuple[Cell, ...]]:
    last = office.on - timedelta(days=within)
    first = last - timedelta(days=days - 1)
    every = [one for one in asked.by_steps(work, office.id) if one.on <= office.on]
    begun = _first_asked([*((one.invoice_id, one.on) for one in every), *asked.by_hand(work, office.id)])
    lately = {one.invoice_id for one in every if first <= one.on <= last}
    known: dict[str, Lived] = {}
    unasked: defaultdict[str, Counter[Life]] = defaultdict(Counter)
    for lived in asked.lives(work, office.id, office.on):  # of each invoice of the company only a count is kept
        unasked[lived.currency][_unasked(lived, begun.get(lived.invoice_id), office.on)] += 1
        if lived.invoice_id in lately:
            known[lived.invoice_id] = lived
    baselines = {currency: Baseline(those.elements()) for currency, those in unasked.items()}
    money: defaultdict[str, list[receipts.Receipt]] = defaultdict(list)
    for receipt in receipts.between(work, office.id, first, office.on):
        if receipt.invoice_id in lately:
            money[receipt.invoice_id].append(receipt)
    groups: defaultdict[tuple[str, str, str], list[Asked]] = defaultdict(list)
    for one in every:
        if first <= one.on <= last and one.invoice_id in known:
            groups[one.playbook, one.step_id, known[one.invoice_id].currency].append(one)
    for (playbook, step_id, currency), those in sorted(groups.items()):
        told = _told(those, known, money, baselines[currency], within)
        yield (office.name, office.on, playbook, step_id, currency, *told)


def _first_asked(those: Iterable[tuple[str, date]]) -> dict[str, date]:
    found: dict[str, date] = {}
    for invoice_id, on in those:
        found[invoice_id] = min(on, found.get(invoice_id, on))
    return found


def _unasked(one: Lived, asked_on: date | None, on: date) -> Life:
    """The invoice as long as nobody had asked for it, by what was known on that day."""
    last = min(one.cleared_on or on, on)
    if asked_on is not None:
        last = min(last, asked_on - timedelta(days=1))
    return Life(
        days_past_due(one.due_on, one.issued_on),
        days_past_due(one.due_on, last),
        paid=one.is_paid and last == one.cleared_on,
    )


def _told(
    those: Sequence[Asked], known: Mapping[str, Lived], money: Mapping[str, Sequence[receipts.Receipt]],
    baseline: Baseline, within: int,
) -> tuple[Cell, ...]:  # fmt: skip
    paid = alike = paid_alike = 0
    expected = Decimal(0)
    demanded = received = _NOTHING
    for one in those:
        invoice = known[one.invoice_id]
        end = one.on + timedelta(days=within)
        is_paid = invoice.is_paid and invoice.cleared_on is not None and one.on <= invoice.cleared_on <= end
        paid += is_paid
        chance = baseline.paid_within(days_past_due(invoice.due_on, one.on), within)
        if chance is not None:
            alike += 1
            paid_alike += is_paid
            expected += chance
        demanded += one.amount
        came = sum(each.units for each in money.get(one.invoice_id, ()) if one.on <= each.received_on <= end)
        received += min(from_units(came), one.amount)
    return (
        len(those), paid, percent(paid, len(those)), alike, percent(paid_alike, alike), percent(expected, alike),
        demanded, received, percent(received, demanded),
    )  # fmt: skip
