"""States that people are told of: each once by each path when it begins, and once when it is over."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, insert, or_, select, update

from arsync.store import tables as t
from arsync.store.engine import Work

_A = t.alerts.c


@dataclass(frozen=True, slots=True)
class Told:
    """One state on one path, as it is to be told next."""

    key: str
    text: str
    since: datetime
    over: bool  # it was told, and has ended


def follow(work: Work, standing: Mapping[str, str], paths: Collection[str], *, now: datetime) -> None:
    """Keeps what stands now, by key, for each path; what has ended and was never told is forgotten."""
    work.execute(delete(t.alerts).where(_A.path.not_in(paths)))
    ended = _A.key.not_in(standing)
    work.execute(delete(t.alerts).where(ended, _A.told_at.is_(None)))
    work.execute(update(t.alerts).where(ended, _A.ended_at.is_(None)).values(ended_at=now))
    known = {(row.key, row.path) for row in work.execute(select(_A.key, _A.path))}
    for key, text in standing.items():
        work.execute(update(t.alerts).where(_A.key == key).values(text=text, ended_at=None))
        for path in paths:
            if (key, path) not in known:
                work.execute(insert(t.alerts).values(key=key, path=path, text=text, since=now))


def to_tell(work: Work, path: str) -> list[Told]:
    """What that path was not told yet, the oldest first."""
    news = or_(_A.told_at.is_(None), _A.ended_at.is_not(None))
    query = select(_A.key, _A.text, _A.since, _A.ended_at).where(_A.path == path, news)
    return [
        Told(row.key, row.text, row.since, row.ended_at is not None)
        for row in work.execute(query.order_by(_A.since, _A.key))
    ]


def told(work: Work, path: str, those: Collection[Told], *, now: datetime) -> None:
    """The path was told of them. One that has ended or come back meanwhile is told of that next."""
    for one in those:
        same = and_(_A.path == path, _A.key == one.key)
        if one.over:
            work.execute(delete(t.alerts).where(same, _A.ended_at.is_not(None)))
        else:
            work.execute(update(t.alerts).where(same).values(told_at=now))
