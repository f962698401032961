"""Who is at the desk: sessions by the hash of their token, and how often somebody tried to log in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from arsync.store import tables as t
from arsync.store.engine import Work

_S: Final = t.sessions.c
_L: Final = t.login_tries.c
#: A session that is used is written so often at most.
_NOTED: Final = timedelta(minutes=1)


def begin(work: Work, token: str, user_key: str, *, now: datetime, lasts: timedelta) -> None:
    """Begins a session; those that have ended are forgotten."""
    work.execute(delete(t.sessions).where(_S.ends_at <= now))
    work.execute(
        t.sessions.insert().values(
            token_hash=_hash(token), user_key=user_key, created_at=now, seen_at=now, ends_at=now + lasts
        )
    )


def whose(work: Work, token: str, *, now: datetime, idle: timedelta) -> tuple[str, bool] | None:
    """The key of the person whose session it is, and whether it is time to note that it was seen; None where it has
    ended, or was not used for longer than `idle`."""
    row = work.execute(
        select(_S.user_key, _S.seen_at).where(_S.token_hash == _hash(token), _S.ends_at > now, _S.seen_at > now - idle)
    ).one_or_none()
    return None if row is None else (row.user_key, now - row.seen_at >= _NOTED)


def seen(work: Work, token: str, *, now: datetime) -> None:
    """It was used just now."""
    work.execute(update(t.sessions).where(_S.token_hash == _hash(token)).values(seen_at=now))


def end(work: Work, token: str) -> None:
    """Ends it."""
    work.execute(delete(t.sessions).where(_S.token_hash == _hash(token)))


def _hash(token: str) -> str:
    """Tokens are long and drawn by lot: a plain hash keeps what is in the database from being one."""
    return hashlib.sha256(token.encode()).hexdigest()


# --- how often ---------------------------------------------------------------------------------------------------


def count_tries(work: Work, scopes: Sequence[str], *, now: datetime, within: timedelta) -> list[int]:
    """Counts one more try in each scope; how many each has had since its first one, which was within that time."""
    work.execute(delete(t.login_tries).where(_L.since <= now - within))
    insert = postgresql.insert if work.dialect == "postgresql" else sqlite.insert
    told = []
    for scope in sorted(scopes):  # in one order, so that two at once do not wait for each other
        row = insert(t.login_tries).values(scope=scope, tries=1, since=now)
        counted = row.on_conflict_do_update(index_elements=["scope"], set_={"tries": _L.tries + 1})
        told.append((scope, work.execute(counted.returning(_L.tries)).scalar_one()))
    counts = dict(told)
    return [int(counts[scope]) for scope in scopes]


def forgive(work: Work, scopes: Sequence[str]) -> None:
    """A try that came through is not counted."""
    for scope in sorted(scopes):
        less = case((_L.tries > 0, _L.tries - 1), else_=0)
        work.execute(update(t.login_tries).where(_L.scope == scope).values(tries=less))


def forget_tries(work: Work, scope: str) -> None:
    """As if nobody had tried."""
    work.execute(delete(t.login_tries).where(_L.scope == scope))
