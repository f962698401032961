"""Verdicts as intervals: a row is written only when the answer changes, so every past day can still be asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, insert, select, update

from arsync.domain.chase import Rule, Verdict
from arsync.domain.documents import InvoiceState
from arsync.domain.money import Money
from arsync.domain.states import Decision
from arsync.store import tables as t
from arsync.store.bulk import among, among_ids, among_those, those
from arsync.store.engine import Work
from arsync.store.ledger import billed
from arsync.store.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Interval:
    """The answer for one invoice from a day until the run that changed it (None: it still stands)."""

    decision: Decision
    rule: str
    reason: str
    next_on: date | None
    step_id: str | None
    first_on: date
    last_on: date | None
    at: datetime  # of the run that gave it


@dataclass(frozen=True, slots=True)
class Through:
    """A payer's invoices in one currency that no step will come for by itself: a person decides."""

    connection_id: int
    payer_id: str
    invoices: int
    open: Money
    reason: str  # of the one that is due first


_V = t.verdicts.c
_THROUGH: Final = (Rule.LADDER_DONE, Rule.MILDER_FIRST)


class Recording:
    """Keeps the verdicts of a full run over a connection, some chases at a time; `changed` counts what that changed."""

    def __init__(self, work: Work, connection_id: int, *, run_id: int, today: date) -> None:
        self._work, self._connection_id, self._run_id, self._today = work, connection_id, run_id, today
        self._chases: set[int] = set()
        self._unsaid: dict[str, int] = {}  # the standing rows of invoices of which their chase says nothing any more
        self._elsewhere: set[str] = set()  # invoices that another chase says the same of
        self.changed = 0

    def keep(self, answers: Sequence[tuple[int, Verdict]], chase_ids: Collection[int]) -> None:
        """Keeps all that these chases were told."""
        self._chases.update(chase_ids)
        named = [verdict.invoice_id for _, verdict in answers]
        standing: dict[str, _Standing] = {
            row[0]: row for row in _OF_CHASES(self._work, those=those(self._work, chase_ids))
        }
        # An invoice may have come from another chase meanwhile.
        came = [name for name in named if name not in standing]
        if came:
            standing |= self._standing(among(self._work, _V.invoice_id, came))
        told = _differences(self._connection_id, answers, standing, self._run_id, self._today)
        _write(self._work, told, self._run_id, self._today)
        self.changed += len(told.fresh)
        self._elsewhere |= told.elsewhere
        if standing.keys() - told.seen:
            self._unsaid |= {name: row[1] for name, row in standing.items() if name not in told.seen}
        for name in named if self._unsaid else ():
            self._unsaid.pop(name, None)

    def close(self) -> None:
        """An invoice that got no verdict any more (paid, void) has its interval closed."""
        orphans = self._standing(~among_ids(self._work, _V.chase_id, self._chases))
        unsaid = {**{name: row[1] for name, row in orphans.items()}, **self._unsaid}
        ended = [row_id for name, row_id in unsaid.items() if name not in self._elsewhere]
        self.changed += len(ended)
        _end(self._work, ended, self._run_id, self._today)

    def _standing(self, which: ColumnElement[bool]) -> dict[str, _Standing]:
        return _standing(self._work, _V.connection_id == self._connection_id, which)


def record(work: Work, connection_id: int, answers: Sequence[tuple[int, Verdict]], *, run_id: int, today: date) -> int:
    """Keeps each chase's verdicts as given by a full run over the connection; returns how many changed."""
    recording = Recording(work, connection_id, run_id=run_id, today=today)
    recording.keep(answers, {chase_id for chase_id, _ in answers})
    recording.close()
    return recording.changed


def amend(
    work: Work, connection_id: int, chase_id: int, answers: Iterable[Verdict], *, run_id: int, today: date
) -> int:
    """Keeps what one chase was told after its run had planned it: right before dispatch. As `record` else."""
    given = [(chase_id, verdict) for verdict in answers]
    # An invoice may have come from another chase meanwhile.
    moved = _V.invoice_id.in_([verdict.invoice_id for _, verdict in given])
    standing = _standing(work, _V.connection_id == connection_id, (_V.chase_id == chase_id) | moved)
    told = _differences(connection_id, given, standing, run_id, today)
    unsaid = [row[1] for name, row in standing.items() if name not in told.seen]
    told.ended += unsaid
    _write(work, told, run_id, today)
    return len(told.fresh) + len(unsaid)


@dataclass(slots=True)
class _Told:
    """What there is to write."""

    fresh: list[dict[str, Any]]
    ended: list[int]
    seen: set[str]  # every invoice that has a verdict
    elsewhere: set[str]  # ... and those of them whose standing row is another chase's


#: A row that stands: of which invoice, its id, its hash, and whose chase gave it.
_Standing = tuple[str, int, str, int]


def _stands(*which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return select(_V.invoice_id, _V.id, _V.inputs, _V.chase_id).where(_V.last_run.is_(None), *which)


#: Not by the connection, which the chases tell: SQLite would go through all that stands for every page.
_OF_CHASES: Final = Prepared(lambda dialect: _stands(among_those(dialect, _V.chase_id)))


def _standing(work: Work, *which: ColumnElement[bool]) -> dict[str, _Standing]:
    return {row[0]: tuple(row) for row in work.execute(_stands(*which)).all()}


def _differences(
    connection_id: int,
    answers: Sequence[tuple[int, Verdict]],
    standing: Mapping[str, _Standing],
    run_id: int,
    today: date,
) -> _Told:
    told = _Told([], [], {verdict.invoice_id for _, verdict in answers}, set())
    for chase_id, verdict in answers:
        inputs = _hash(verdict)
        known = standing.get(verdict.invoice_id)
        if known is not None and known[2] == inputs:
            if known[3] != chase_id:
                told.elsewhere.add(verdict.invoice_id)
            continue
        if known is not None:
            told.ended.append(known[1])
        told.fresh.append(
            {
                "connection_id": connection_id,
                "chase_id": chase_id,
                "invoice_id": verdict.invoice_id,
                "decision": verdict.decision.value,
                "rule": verdict.rule.value,
                "reason": verdict.reason,
                "next_on": verdict.next_on,
                "step_id": verdict.step_id,
                "inputs": inputs,
                "first_run": run_id,
                "first_on": today,
            }
        )
    return told


def _write(work: Work, told: _Told, run_id: int, today: date) -> None:
    _end(work, told.ended, run_id, today)
    if told.fresh:
        work.execute(insert(t.verdicts), told.fresh)


def of_invoice(work: Work, connection_id: int, invoice_id: str) -> list[Interval]:
    """Every answer there ever was for the invoice, oldest first."""
    query = (
        select(_V.decision, _V.rule, _V.reason, _V.next_on, _V.step_id, _V.first_on, _V.last_on, t.runs.c.started_at)
        .join(t.runs, t.runs.c.id == _V.first_run)
        .where(_V.connection_id == connection_id, _V.invoice_id == invoice_id)
        .order_by(_V.id)
    )
    return [Interval(Decision(row[0]), *tuple(row)[1:]) for row in work.execute(query)]


def standing(work: Work, rule: Rule) -> list[tuple[int, str]]:
    """What is answered by that rule as of the last run: each reason once, with its connection."""
    query = select(_V.connection_id, _V.reason).where(_V.last_run.is_(None), _V.rule == rule.value).distinct()
    return [(row.connection_id, row.reason) for row in work.execute(query.order_by(_V.connection_id, _V.reason))]


def concerned(work: Work, rule: Rule) -> list[tuple[int, str, str]]:
    """What is answered by that rule as of the last run, and whom it is about: connection, reason and payer's name."""
    i, c, payer = t.invoices.c, t.customers.c, t.customers.alias()
    joined = (
        t.verdicts.join(t.invoices, and_(i.connection_id == _V.connection_id, i.remote_id == _V.invoice_id))
        .outerjoin(t.customers, billed(t.invoices))
        .outerjoin(payer, and_(payer.c.connection_id == _V.connection_id, payer.c.remote_id == c.payer_id))
    )
    name = func.coalesce(payer.c.name, c.name, i.customer_id)
    query = select(_V.connection_id, _V.reason, name).select_from(joined).distinct()
    standing = query.where(_V.last_run.is_(None), _V.rule == rule.value)
    return [(row[0], row[1], row[2]) for row in work.execute(standing.order_by(_V.connection_id, _V.reason, name))]


def through(work: Work) -> list[Through]:
    """What the ladder is done with, as of the last run, as far as the cache still has it open; the most money first."""
    i, c = t.invoices.c, t.customers.c
    invoice = and_(i.connection_id == _V.connection_id, i.remote_id == _V.invoice_id)
    joined = t.verdicts.join(t.invoices, invoice).outerjoin(t.customers, billed(t.invoices))
    query = (
        select(_V.connection_id, c.payer_id, i.currency, i.balance, _V.reason)
        .select_from(joined)
        .where(_V.last_run.is_(None), _V.rule.in_(sorted(_THROUGH)), i.state == InvoiceState.OPEN.value, i.balance > 0)
        .order_by(i.due_on, i.number)
    )
    found: dict[tuple[int, str, str], Through] = {}
    for connection_id, payer_id, currency, balance, reason in work.execute(query):
        name = connection_id, payer_id, currency
        before = found.get(name)
        found[name] = (
            Through(connection_id, payer_id, 1, Money(balance, currency), reason)
            if before is None
            else replace(before, invoices=before.invoices + 1, open=before.open + Money(balance, currency))
        )
    return sorted(found.values(), key=lambda one: (-one.open.amount, one.connection_id, one.payer_id))


def begin_run(work: Work, kind: str, *, now: datetime) -> int:
    """Opens a run and gives its id."""
    return int(work.execute(insert(t.runs).values(kind=kind, started_at=now).returning(t.runs.c.id)).scalar_one())


def end_run(work: Work, run_id: int, summary: object, *, now: datetime) -> None:
    """Closes a run with its counts."""
    text = json.dumps(summary, default=str, sort_keys=True)
    work.execute(update(t.runs).where(t.runs.c.id == run_id).values(finished_at=now, summary=text))


def _end(work: Work, ids: Collection[int], run_id: int, today: date) -> None:
    every = list(ids)
    for start in range(0, len(every), 500):
        chunk = every[start : start + 500]
        work.execute(update(t.verdicts).where(_V.id.in_(chunk)).values(last_run=run_id, last_on=today))


def _hash(verdict: Verdict) -> str:
    # The reason comes last: of what stands before it nothing has a line of its own.
    said = verdict.decision, verdict.rule, str(verdict.next_on), str(verdict.step_id), verdict.reason
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
