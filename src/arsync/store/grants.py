"""Grants: how old a consent is, when it ends, and what follows when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from arsync.domain.states import Health
from arsync.errors import Reauthorise
from arsync.store import chases, connections, events
from arsync.store import tables as t
from arsync.store.connections import Connection
from arsync.store.engine import Work

_G = t.grants.c
_C = t.connections.c


@dataclass(frozen=True, slots=True)
class Grant:
    """One consent, without its tokens."""

    id: int
    provider: str
    consented_at: datetime | None  # None: not known, the token came from elsewhere
    renewed_at: datetime  # when its tokens came: the last time that the refresh token was used
    idle_until: datetime | None
    hard_until: datetime | None
    ended_at: datetime | None
    ended_reason: str | None
    has_tokens: bool

    @property
    def ends_at(self) -> datetime | None:
        """When a person must consent again at the latest if nobody uses it; None where that is not known, or never."""
        return min((end for end in (self.idle_until, self.hard_until) if end is not None), default=None)


_COLUMNS = (
    _G.id, _G.provider, _G.consented_at, _G.updated_at, _G.idle_until, _G.hard_until, _G.ended_at, _G.ended_reason,
    (_G.sealed != "").label("has_tokens"),
)  # fmt: skip


def grants(work: Work) -> dict[int, Grant]:
    """Every grant by its id."""
    return {row.id: Grant(*tuple(row)) for row in work.execute(select(*_COLUMNS).order_by(_G.id))}


def sealed(work: Work, grant_id: int, *, lock: bool = False) -> tuple[str, str | None] | None:
    """The grant's tokens as sealed, and why it has ended if it has; None where there is no such grant any more.

    With `lock` nobody changes them until the work is over.
    """
    query = select(_G.sealed, _G.ended_reason).where(_G.id == grant_id)
    row = work.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else (str(row.sealed), row.ended_reason)


def has_ended(work: Work, grant_id: int) -> bool:
    """Whether the vendor has taken back the grant, so that a person must connect; True where there is none any more."""
    found = sealed(work, grant_id)
    return found is None or found[1] is not None


def all_sealed(work: Work) -> dict[int, str]:
    """The tokens of every grant that has any, as sealed, by its id."""
    query = select(_G.id, _G.sealed).where(_G.sealed != "").order_by(_G.id)
    return {row.id: row.sealed for row in work.execute(query)}


def reseal(work: Work, grant_id: int, token: str, *, instead_of: str) -> bool:
    """Stores the same tokens under another seal, unless they have been replaced meanwhile; whether it did."""
    statement = update(t.grants).where(_G.id == grant_id, _G.sealed == instead_of).values(sealed=token)
    return bool(work.execute(statement).rowcount)


def connections_of(work: Work, grant_id: int) -> list[Connection]:
    """The connections that live by the grant, by name."""
    return [one for one in connections.connections(work) if one.grant_id == grant_id]


def end(work: Work, grant_id: int, reason: str, *, instead_of: str, now: datetime) -> bool:
    """Keeps that the vendor takes the grant's tokens no more, for all its connections; not where others are stored
    than those that were refused. Whether it did."""
    statement = (
        update(t.grants)
        .where(_G.id == grant_id, _G.sealed == instead_of, _G.ended_at.is_(None))
        .values(ended_at=now, ended_reason=reason)
    )
    if not work.execute(statement).rowcount:
        return False
    for one in connections_of(work, grant_id):
        if one.health is Health.DISCONNECTED:
            continue
        connections.set_health(work, one.id, Health.REAUTHORISE, str(Reauthorise(reason)))
        events.log(work, "consent_ended", at=now, connection_id=one.id, provider=one.provider, reason=reason)
    return True


def revive(work: Work, grant_id: int, *, now: datetime) -> None:
    """Tokens came after all, from a refresher that had been suspended: the grant lives."""
    statement = (
        update(t.grants).where(_G.id == grant_id, _G.ended_at.is_not(None)).values(ended_at=None, ended_reason=None)
    )
    if not work.execute(statement).rowcount:
        return
    for one in connections_of(work, grant_id):
        if one.health is Health.REAUTHORISE:
            resume(work, one, "the consent lives after all, not synced since", now=now)


def resume(work: Work, connection: Connection, reason: str, *, now: datetime) -> None:
    """A connection with a consent again: to be loaded where its first load never ended, else to be synced."""
    loaded = connections.cursor(work, connection.id, "backfill").done
    if loaded:
        health, said = Health.PARTIAL, reason
    else:
        health, said = Health.RECOVERING, "the first load is not complete"
    connections.set_health(work, connection.id, health, said, instead_of=connection.health)
    events.log(work, "connection_resumed", at=now, connection_id=connection.id, reason=reason)


def disconnect(work: Work, connection: Connection, *, author: str, now: datetime) -> None:
    """From this commit on nothing passes the last gate for it, and nothing is read; its data and grant stay."""
    connections.set_health(
        work, connection.id, Health.DISCONNECTED, f"disconnected by {author} on {now:%Y-%m-%d %H:%M} UTC"
    )
    chases.bump_all(work, connection.id)
    events.log(work, "connection_disconnected", at=now, author=author, connection_id=connection.id)


def leave(work: Work, connection: Connection, *, now: datetime) -> None:
    """Takes a disconnected connection off its grant, which goes with its last one; it keeps one without tokens."""
    empty = connections.add_grant(work, provider=connection.provider, sealed="", now=now)
    work.execute(update(t.grants).where(_G.id == empty).values(ended_at=now, ended_reason="disconnected"))
    work.execute(update(t.connections).where(_C.id == connection.id).values(grant_id=empty))
    connections.drop_grant(work, connection.grant_id)
