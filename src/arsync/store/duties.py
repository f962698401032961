"""What is done by the clock: of each job the moment for which it was taken up last, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from arsync.store import tables as t
from arsync.store.engine import Work


@dataclass(frozen=True, slots=True)
class Duty:
    """One job as it was done last."""

    name: str
    due_at: datetime
    begun_at: datetime
    ended_at: datetime | None  # None: it is being done, or its worker is gone
    error: str | None  # of its last end


def every(work: Work) -> dict[str, Duty]:
    """All of them, by name."""
    c = t.duties.c
    query = select(c.name, c.due_at, c.begun_at, c.ended_at, c.error)
    return {row.name: Duty(*row) for row in work.execute(query)}


def begin(work: Work, name: str, *, due: datetime, now: datetime) -> None:
    """It is taken up for that moment."""
    values = {"due_at": due, "begun_at": now, "ended_at": None}
    found = work.execute(update(t.duties).where(t.duties.c.name == name).values(**values).returning(t.duties.c.name))
    if found.one_or_none() is None:
        work.execute(insert(t.duties).values(name=name, **values))


def end(work: Work, name: str, *, error: str | None, now: datetime) -> None:
    """It is done, with this error or with none."""
    work.execute(update(t.duties).where(t.duties.c.name == name).values(ended_at=now, error=error))
