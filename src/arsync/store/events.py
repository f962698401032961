"""The append-only log: what happened, in the past tense, by whom."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, insert, select

from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_LINE: Final = Prepared(insert(t.events))


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log."""

    at: datetime
    kind: str
    author: str
    data: Mapping[str, Any]


def log(
    work: Work,
    kind: str,
    *,
    at: datetime,
    author: str = "arsync",
    connection_id: int | None = None,
    chase_id: int | None = None,
    message_id: int | None = None,
    **data: Any,
) -> None:
    """Appends a line; `data` holds ids and reasons, never secrets or message bodies."""
    told = json.dumps(data, default=str, sort_keys=True)
    _LINE(
        work, at=at, kind=kind, author=author, connection_id=connection_id, chase_id=chase_id, message_id=message_id,
        data=told,
    )  # fmt: skip


def of_kind(work: Work, connection_id: int | None, kind: str) -> list[Event]:
    """The connection's lines of one kind, oldest first; None: those that are of none."""
    c = t.events.c
    query = select(c.at, c.kind, c.author, c.data).where(c.connection_id == connection_id, c.kind == kind)
    return [Event(row.at, row.kind, row.author, json.loads(row.data)) for row in work.execute(query.order_by(c.id))]


def last(work: Work) -> int:
    """The number of the newest line; 0 where there is none."""
    return work.execute(select(func.max(t.events.c.id))).scalar_one() or 0


def count(work: Work, connection_id: int, kind: str, *, after: int) -> int:
    """How many lines of one kind the connection has got since the line of that number."""
    c = t.events.c
    query = select(func.count()).where(c.connection_id == connection_id, c.kind == kind, c.id > after)
    return int(work.execute(query).scalar_one())


def of_chase(work: Work, chase_id: int) -> list[Event]:
    """The chase's own lines, oldest first."""
    c = t.events.c
    query = select(c.at, c.kind, c.author, c.data).where(c.chase_id == chase_id).order_by(c.id)
    return [Event(row.at, row.kind, row.author, json.loads(row.data)) for row in work.execute(query)]


def of_message(work: Work, message_id: int) -> list[Event]:
    """The message's own lines, oldest first."""
    c = t.events.c
    query = select(c.at, c.kind, c.author, c.data).where(c.message_id == message_id).order_by(c.id)
    return [Event(row.at, row.kind, row.author, json.loads(row.data)) for row in work.execute(query)]


def newest(work: Work, kinds: Collection[str]) -> Event | None:
    """The last line of any of these kinds."""
    return next(iter(lately(work, kinds, most=1)), None)


def lately(work: Work, kinds: Collection[str], *, most: int) -> list[Event]:
    """The last so many lines of any of these kinds, the newest first."""
    c = t.events.c
    query = select(c.at, c.kind, c.author, c.data).where(c.kind.in_(kinds)).order_by(c.id.desc()).limit(most)
    return [Event(row.at, row.kind, row.author, json.loads(row.data)) for row in work.execute(query)]
