"""Verdicts as intervals: a row is written only when the answer changes, so every past day can still be asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, insert, select, update

from arsync.domain.chase import Rule, Verdict
from arsync.domain.states import Decision
from arsync.store import tables as t
from arsync.store.engine import Work


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


_V = t.verdicts.c


def record(work: Work, connection_id: int, answers: Iterable[tuple[int, Verdict]], *, run_id: int, today: date) -> int:
    """Keeps each chase's verdicts as given by a full run over the connection; returns how many changed.

    An invoice that got no verdict any more (paid, void) has its interval closed.
    """
    return _keep(work, connection_id, list(answers), _V.last_run.is_(None), run_id, today)


def amend(
    work: Work, connection_id: int, chase_id: int, answers: Iterable[Verdict], *, run_id: int, today: date
) -> int:
    """Keeps what one chase was told after its run had planned it: right before dispatch. As `record` else."""
    given = [(chase_id, verdict) for verdict in answers]
    # An invoice may have come from another chase meanwhile.
    moved = _V.invoice_id.in_([verdict.invoice_id for _, verdict in given])
    return _keep(work, connection_id, given, _V.last_run.is_(None) & ((_V.chase_id == chase_id) | moved), run_id, today)


def _keep(
    work: Work,
    connection_id: int,
    answers: list[tuple[int, Verdict]],
    replaced: ColumnElement[bool],
    run_id: int,
    today: date,
) -> int:
    query = select(_V.id, _V.invoice_id, _V.inputs).where(_V.connection_id == connection_id, replaced)
    standing = {row.invoice_id: row for row in work.execute(query)}
    fresh = []
    ended: list[int] = []
    seen: set[str] = set()
    for chase_id, verdict in answers:
        seen.add(verdict.invoice_id)
        inputs = _hash(verdict)
        known = standing.get(verdict.invoice_id)
        if known is not None and known.inputs == inputs:
            continue
        if known is not None:
            ended.append(known.id)
        fresh.append(
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
    ended += [row.id for invoice_id, row in standing.items() if invoice_id not in seen]
    _end(work, ended, run_id, today)
    if fresh:
        work.execute(insert(t.verdicts), fresh)
    return len(fresh) + len(standing.keys() - seen)


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
    said = [verdict.decision, verdict.rule, verdict.reason, verdict.next_on, verdict.step_id]
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()
