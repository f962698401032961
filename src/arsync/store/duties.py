"""What is done by the clock: of each job the moment for which it was taken up last, and what came of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select, update

from arsync.store import tables as t
from arsync.store.bulk import among, insert_new
from arsync.store.engine import Work

_C = t.duties.c


@dataclass(frozen=True, slots=True)
class Duty:
    """One job as it was done last."""

    name: str
    due_at: datetime
    begun_at: datetime | None  # None: it was called for, and nobody does it yet
    ended_at: datetime | None  # None: it is being done, or its worker is gone
    error: str | None  # of its last end

    @property
    def until(self) -> datetime:
        """It was done, or is, for every moment until then: what was missed is made up at once."""
        return self.due_at if self.begun_at is None else max(self.due_at, self.begun_at)


def every(work: Work) -> dict[str, Duty]:
    """All of them, by name."""
    return _read(work, _duties())


def standing(work: Work) -> dict[str, Duty]:
    """Those that have not ended, by name."""
    return _read(work, _duties().where(_C.ended_at.is_(None)))


def named(work: Work, names: Collection[str]) -> dict[str, Duty]:
    """Those of these names."""
    return _read(work, _duties().where(among(work, _C.name, names)))


def _duties() -> Select[*tuple[object, ...]]:
    return select(_C.name, _C.due_at, _C.begun_at, _C.ended_at, _C.error)


def _read(work: Work, query: Select[*tuple[object, ...]]) -> dict[str, Duty]:
    return {row.name: Duty(*row) for row in work.execute(query)}


def begin(work: Work, name: str, *, due: datetime, now: datetime) -> None:
    """It is taken up for that moment."""
    _write(work, name, {"due_at": due, "begun_at": now, "ended_at": None})


def call(work: Work, name: str, *, due: datetime) -> None:
    """It is to be done by whoever takes it; nothing where it is to be done already."""
    open_now = select(_C.name).where(_C.name == name, _C.ended_at.is_(None))
    if work.execute(open_now).one_or_none() is None:
        _write(work, name, {"due_at": due, "begun_at": None, "ended_at": None})


def take(work: Work, name: str, *, now: datetime) -> bool:
    """Whoever is first has it; False where it is not called for, or another does it."""
    waits = (_C.name == name, _C.begun_at.is_(None), _C.ended_at.is_(None))
    taken = work.execute(update(t.duties).where(*waits).values(begun_at=now).returning(_C.name))
    return taken.one_or_none() is not None


def leave(work: Work, name: str, *, begun: datetime | None = None) -> None:
    """It is still to be done, by whoever takes it; with `begun` only where that is when it was begun."""
    where = [_C.name == name, _C.ended_at.is_(None), *([_C.begun_at == begun] if begun is not None else [])]
    work.execute(update(t.duties).where(*where).values(begun_at=None))


def end(work: Work, name: str, *, begun: datetime, error: str | None, now: datetime) -> None:
    """It is done, with this error or with none; nothing where another has begun it since."""
    mine = (_C.name == name, _C.begun_at == begun)
    work.execute(update(t.duties).where(*mine).values(ended_at=now, error=error))


def _write(work: Work, name: str, values: dict[str, datetime | None]) -> None:
    found = work.execute(update(t.duties).where(_C.name == name).values(**values).returning(_C.name))
    if found.one_or_none() is None:
        insert_new(work, t.duties, name=name, **values)
