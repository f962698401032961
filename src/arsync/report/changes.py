"""What changed since last week: from what was open then to what is open now, and who owes more or less."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from arsync.domain.aging import AgingBucket
from arsync.domain.states import PromiseState
from arsync.report.aging import Account, accounts, summed
from arsync.report.doubts import doubts
from arsync.report.people import by_reason
from arsync.report.period import midnight
from arsync.report.sheet import Cell, Column, Office, Sheet, Unit, headline
from arsync.store import movements
from arsync.store.engine import Work
from arsync.store.movements import Movement

_NOTHING: Final = Decimal("0.00")
_ONE_DAY: Final = timedelta(days=1)
_OF_WHOM: Final = (Column("connection"), Column("on", Unit.DATE, aside=True), Column("since", Unit.DATE))
#: Told also where they are nothing.
_ENDS: Final = ("open before", "open now")
_Line = tuple[str, int | None, Decimal | None]


def changes(work: Work, offices: Sequence[Office], days: int) -> Sheet:
    """Of each company and currency: what leads from the open invoices so many days ago to those of the day, and what
    else happened meanwhile."""
    columns = (*_OF_WHOM, Column("currency"), Column("what"), Column("count", Unit.COUNT), Column("amount", Unit.MONEY))
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for office in offices:
        before = replace(office, on=office.on - timedelta(days=days))
        then = {one.currency: one for one in summed(accounts(work, before))}
        now = {one.currency: one for one in summed(accounts(work, office))}
        happened = _happened(work, before, office)
        told = _contested(work, before, office)
        for currency in sorted(then.keys() | now.keys() | happened.keys() | told.keys()):
            nothing = Account(None, None, "", "", currency)
            lines = _bridge(then.get(currency, nothing), now.get(currency, nothing), happened.get(currency, {}))
            rows += [
                (office.name, office.on, before.on, currency, *line)
                for line in (*lines, *told.get(currency, ()))
                if line[0] in _ENDS or line[1] or line[2]
            ]
        notes += doubts(work, office)
    return Sheet(headline("changes", offices), columns, tuple(rows), notes=tuple(notes))


def _bridge(then: Account, now: Account, happened: dict[str, Movement]) -> Iterable[_Line]:
    """The lines of one currency, in the order of a reader's questions. From `open before` to `open now` they add up."""
    moved = _NOTHING
    yield "open before", then.invoices, then.open
    for what in ("invoiced", "received", "credited"):
        one = happened.pop(what, None)
        if one is not None:
            moved += one.amount
            yield what, one.count, one.amount
    if left := now.open - then.open - moved:
        yield "otherwise", None, left
    yield "open now", now.invoices, now.open
    yield "past due before", None, then.overdue
    if fresh := happened.pop("newly past due", None):
        yield "newly past due", fresh.count, fresh.amount
    yield "past due now", None, now.overdue
    for when, one_ in (("before", then), ("now", now)):
        yield f"over 90 days {when}", None, one_.aging[AgingBucket.DAYS_90_PLUS]
    for when, one_ in (("before", then), ("now", now)):
        yield f"on no invoice {when}", None, one_.unapplied
    for what, rest in happened.items():
        yield what, rest.count, rest.amount


def _happened(work: Work, before: Office, office: Office) -> dict[str, dict[str, Movement]]:
    """What happened since, by currency and kind."""
    first, last, of = before.on + _ONE_DAY, office.on, office.id
    since, until = (midnight(day, office.timezone) for day in (first, last + _ONE_DAY))
    money, credit = movements.settled(work, of, first, last)
    kinds: tuple[tuple[str, Iterable[Movement], int], ...] = (
        ("invoiced", movements.invoiced(work, of, first, last), 1),
        ("received", money, -1),
        ("credited", credit, -1),
        ("newly past due", movements.newly_past_due(work, of, first, last), 1),
        ("messages sent", movements.messages_sent(work, of, first, last), 1),
        ("promises given", movements.promises_given(work, of, since, until), 1),
        ("promises kept", movements.promises_settled(work, of, PromiseState.KEPT, since, until), 1),
        ("promises broken", movements.promises_settled(work, of, PromiseState.BROKEN, since, until), 1),
    )
    found: defaultdict[str, dict[str, Movement]] = defaultdict(dict)
    for what, those, sign in kinds:
        for one in those:
            known = found[one.currency].get(what, Movement(one.currency, 0, _NOTHING))
            found[one.currency][what] = Movement(
                one.currency, known.count + one.count, known.amount + sign * one.amount
            )  # fmt: skip
    return dict(found)


def _contested(work: Work, before: Office, office: Office) -> dict[str, list[_Line]]:
    """By currency how many disputes began since, and how many ended."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (_, currency), those in by_reason(work, office).items():
        for one, _ in those:
            counts[currency]["disputes begun"] += before.on < one.since <= office.on
            counts[currency]["disputes ended"] += one.ended is not None and before.on < one.ended <= office.on
    return {
        currency: [(what, count, None) for what, count in those.items() if count] for currency, those in counts.items()
    }


# --- by payer -------------------------------------------------------------------------------------------------------


def by_payer(work: Work, offices: Sequence[Office], days: int, top: int) -> Sheet:
    """The payers whose balances changed most, up or down, in each company and currency."""
    columns = (
        *_OF_WHOM, Column("currency"), Column("payer"), Column("payer_id", aside=True),
        Column("balance before", Unit.MONEY), Column("balance now", Unit.MONEY), Column("change", Unit.MONEY),
        Column("past due before", Unit.MONEY), Column("past due now", Unit.MONEY),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for office in offices:
        before = replace(office, on=office.on - timedelta(days=days))
        then, now = ({(one.payer_id, one.currency): one for one in accounts(work, at)} for at in (before, office))
        moved: defaultdict[str, list[tuple[Account, Account]]] = defaultdict(list)
        for who in then.keys() | now.keys():
            known = now.get(who) or then[who]
            nothing = Account(known.payer_id, None, known.name, known.payer, known.currency)
            pair = then.get(who, nothing), now.get(who, nothing)
            if pair[0].balance != pair[1].balance:
                moved[known.currency].append(pair)
        for currency, pairs in sorted(moved.items()):
            for old, new in sorted(pairs, key=_most_first)[:top]:
                rows.append(
                    (
                        office.name, office.on, before.on, currency, new.payer, new.payer_id, old.balance, new.balance,
                        new.balance - old.balance, old.overdue, new.overdue,
                    )
                )  # fmt: skip
        notes += doubts(work, office)
    return Sheet(headline("changes", offices), columns, tuple(rows), notes=tuple(notes))


def _most_first(pair: tuple[Account, Account]) -> tuple[Decimal, str, str]:
    old, new = pair
    return (-abs(new.balance - old.balance), new.name, str(new.payer_id))
