"""What the mail provider posted and nobody has taken in yet. It goes in the moment in which it is taken in: what it
leads to is kept elsewhere, and knows what comes twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from arsync.domain.posted import PostKind
from arsync.store import tables as t
from arsync.store.engine import Work

_P: Final = t.posts.c
#: A post that we fail on is tried again after a minute, then after two, four ...
_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Post:
    """One thing that waits to be taken in."""

    id: int
    kind: PostKind
    content: str
    received_at: datetime
    tries: int
    reason: str


def keep(work: Work, kind: PostKind, content: str, *, now: datetime) -> bool:
    """Keeps it until it is taken in; False where the very same waits already."""
    digest = hashlib.sha256(f"{kind}\n{content}".encode()).hexdigest()
    put = postgresql.insert if work.dialect == "postgresql" else sqlite.insert
    row = {"kind": kind.value, "digest": digest, "content": content, "received_at": now}
    kept = put(t.posts).values(**row, tries=0, due_at=now, reason="").on_conflict_do_nothing().returning(_P.id)
    return work.execute(kept).first() is not None


def next_due(work: Work, *, after: int, now: datetime) -> Post | None:
    """The first one behind that id which is to be taken in by now."""
    query = select(_P.id, _P.kind, _P.content, _P.received_at, _P.tries, _P.reason).where(
        _P.id > after, _P.due_at <= now
    )
    row = work.execute(query.order_by(_P.id).limit(1)).one_or_none()
    return None if row is None else Post(row[0], PostKind(row[1]), *tuple(row)[2:])


def is_due(work: Work, *, now: datetime) -> bool:
    """Whether any is to be taken in by now."""
    return work.execute(select(_P.id).where(_P.due_at <= now).limit(1)).first() is not None


def taken_in(work: Work, post_id: int) -> None:
    """It is forgotten."""
    work.execute(delete(t.posts).where(_P.id == post_id))


def postpone(work: Work, post: Post, *, reason: str, now: datetime) -> None:
    """It was not taken in, and is tried again; nothing behind it waits for that."""
    pause = min(_FIRST_PAUSE * 2 ** min(post.tries, 20), _LONGEST_PAUSE)
    values = {"tries": post.tries + 1, "due_at": now + pause, "reason": reason}
    work.execute(update(t.posts).where(_P.id == post.id).values(**values))


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not taken in."""

    count: int
    since: datetime
    reason: str  # of the oldest that was tried; empty where none was


def waiting(work: Work) -> Waiting | None:
    """What is not taken in; None where all is."""
    count, since = work.execute(select(func.count(), func.min(_P.received_at))).one()
    if not count:
        return None
    tried = select(_P.reason).where(_P.tries > 0).order_by(_P.id).limit(1)
    return Waiting(count, since, work.execute(tried).scalar_one_or_none() or "")
