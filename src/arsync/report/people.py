"""What customers said and what our people did: promises, disputes, activity."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from arsync.domain.clock import local_date
from arsync.domain.metrics import mean, percent
from arsync.domain.states import PromiseState
from arsync.report.doubts import doubts
from arsync.report.outstanding import Level
from arsync.report.period import midnight
from arsync.report.sheet import Cell, Column, Office, Sheet, Unit, headline
from arsync.store import activity, aged, contested, promised
from arsync.store.activity import Act
from arsync.store.contested import Dispute
from arsync.store.engine import Work

_NOTHING: Final = Decimal("0.00")
_ONE_DAY: Final = timedelta(days=1)
_OF_WHOM: Final = (Column("connection"), Column("on", Unit.DATE, aside=True), Column("from", Unit.DATE))


# --- promises -------------------------------------------------------------------------------------------------------


def promises(work: Work, offices: Sequence[Office], days: int, level: Level = Level.COMPANY) -> Sheet:
    """Of what was promised and fell due in the last days, how much was kept: by count and by value."""
    payer = (Column("payer"), Column("payer_id", aside=True)) if level is Level.PAYER else ()
    columns = (
        *_OF_WHOM, *payer, Column("currency"), Column("kept", Unit.COUNT), Column("broken", Unit.COUNT),
        Column("undecided", Unit.COUNT), Column("kept %", Unit.PERCENT), Column("amount kept", Unit.MONEY),
        Column("amount broken", Unit.MONEY), Column("amount kept %", Unit.PERCENT),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for office in offices:
        first = office.on - timedelta(days=days - 1)
        counts: defaultdict[tuple[str | None, str], Counter[PromiseState]] = defaultdict(Counter)
        amounts: defaultdict[tuple[str | None, str, PromiseState], Decimal] = defaultdict(lambda: _NOTHING)
        for one in promised.due_between(work, office.id, first, office.on, by_payer=level is Level.PAYER):
            counts[one.payer_id, one.currency][one.state] += one.count
            amounts[one.payer_id, one.currency, one.state] += one.amount
        names = aged.names(work, office.id, {who for who, _ in counts if who})
        for who, currency in sorted(counts, key=lambda key: (names.get(key[0] or "", ""), str(key[0]), key[1])):
            count = counts[who, currency]
            kept, broken = (amounts[who, currency, state] for state in (PromiseState.KEPT, PromiseState.BROKEN))
            own = (names.get(who or "", who), who) if level is Level.PAYER else ()
            decided = count[PromiseState.KEPT] + count[PromiseState.BROKEN]
            rows.append(
                (
                    office.name, office.on, first, *own, currency, count[PromiseState.KEPT],
                    count[PromiseState.BROKEN], count[PromiseState.OPEN], percent(count[PromiseState.KEPT], decided),
                    kept, broken, percent(kept, kept + broken),
                )
            )  # fmt: skip
        notes += doubts(work, office, replayed=False)
    return Sheet(headline("promises", offices), columns, tuple(rows), notes=tuple(notes))


# --- disputes -------------------------------------------------------------------------------------------------------


def disputes(work: Work, offices: Sequence[Office], days: int) -> Sheet:
    """By reason: the disputes that stand and what of it is contested, and those that came and went in the last days."""
    columns = (
        *_OF_WHOM, Column("reason"), Column("currency"), Column("standing", Unit.COUNT),
        Column("contested", Unit.MONEY), Column("oldest", Unit.DAYS), Column("new", Unit.COUNT),
        Column("ended", Unit.COUNT), Column("days to end", Unit.DAYS),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for office in offices:
        first = office.on - timedelta(days=days - 1)
        for (reason, currency), those in sorted(by_reason(work, office).items()):
            rows.append((office.name, office.on, first, reason, currency, *_of_reason(those, first, office.on)))
        notes += doubts(work, office)
    return Sheet(headline("disputes", offices), columns, tuple(rows), notes=tuple(notes))


Contested = list[tuple[Dispute, dict[str, Decimal]]]


def by_reason(work: Work, office: Office) -> dict[tuple[str, str], Contested]:
    """The disputes by reason and currency, each with what of its invoices was open on the day."""
    every = contested.disputes(work, office.id, lambda at: local_date(at, office.timezone))
    known = [one for one in every if one.since <= office.on]
    invoice_ids = {one.invoice_id for one in known if one.invoice_id is not None}
    payer_ids = {one.payer_id for one in known if one.invoice_id is None and one.payer_id is not None}
    currencies = contested.currencies(work, office.id, invoice_ids)
    of_invoice: dict[str, Decimal] = {}
    of_payer: defaultdict[str, dict[str, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    for one in contested.open_of(work, office.id, office.on, invoice_ids=invoice_ids, payer_ids=payer_ids):
        of_invoice[one.invoice_id] = one.open
        of_payer[one.payer_id][one.currency][one.invoice_id] = one.open
    found: defaultdict[tuple[str, str], Contested] = defaultdict(list)
    for dispute in known:
        reason = dispute.code.value if dispute.code else ""
        if dispute.invoice_id is not None:
            currency = currencies.get(dispute.invoice_id, office.connection.base_currency)
            left = {dispute.invoice_id: of_invoice.get(dispute.invoice_id, _NOTHING)}
            found[reason, currency].append((dispute, left))
            continue
        owed = of_payer.get(dispute.payer_id or "") or {office.connection.base_currency: {}}
        for currency, items in owed.items():
            found[reason, currency].append((dispute, items))
    return found


def _of_reason(those: Contested, first: date, on: date) -> tuple[Cell, ...]:
    standing = [(one, items) for one, items in those if one.stands(on)]
    left: dict[str, Decimal] = {}
    most: dict[str, Decimal] = {}
    for one, items in standing:
        for invoice_id, still in items.items():
            most[invoice_id] = still
            part = still if one.part is None else min(one.part, still)
            left[invoice_id] = left.get(invoice_id, _NOTHING) + part
    amount = sum((min(part, most[invoice_id]) for invoice_id, part in left.items()), start=_NOTHING)
    ended = [one for one, _ in those if one.ended is not None and first <= one.ended <= on]
    lasted = sum((one.ended - one.since).days for one in ended if one.ended is not None)
    return (
        len(standing),
        amount,
        max(((on - one.since).days for one, _ in standing), default=None),
        sum(first <= one.since <= on for one, _ in those),
        len(ended),
        mean(lasted, len(ended)),
    )


# --- activity -------------------------------------------------------------------------------------------------------


def collectors(work: Work, offices: Sequence[Office], days: int) -> Sheet:
    """What each of our people did in the last days."""
    columns = (*_OF_WHOM, Column("who"), *(Column(act.value, Unit.COUNT) for act in Act), Column("all", Unit.COUNT))
    rows: list[tuple[Cell, ...]] = []
    for office in offices:
        first = office.on - timedelta(days=days - 1)
        since, before = (midnight(day, office.timezone) for day in (first, office.on + _ONE_DAY))
        found = activity.acts(work, office.id, first=first, last=office.on, since=since, before=before)
        for who, count in sorted(found.items(), key=lambda item: (-item[1].total(), item[0])):
            rows.append((office.name, office.on, first, who, *(count[act] for act in Act), count.total()))
    return Sheet(headline("activity", offices), columns, tuple(rows))
