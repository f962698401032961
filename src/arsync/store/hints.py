"""That a vendor told of changes at a company, until a pull has looked. What changed is never taken from there."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from arsync.connector import Changed
from arsync.domain.posted import Reception
from arsync.domain.states import Health
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work

_H, _C, _E = t.hints.c, t.connections.c, t.webhook_events.c
#: Vendors repeat for days what they could not deliver.
_REMEMBERED: Final = timedelta(days=30)


def tell(work: Work, provider: str, changed: Changed, *, now: datetime) -> Reception:
    """Keeps that something changed at a company, once for each event; commit it before the vendor is answered."""
    whose = select(_C.id).where(
        _C.provider == provider, _C.external_id == changed.external_id, _C.health != Health.DISCONNECTED.value
    )
    connection_id = work.execute(whose).scalar_one_or_none()
    if connection_id is None:
        return Reception.STRANGER
    if not _remember(work, provider, changed.events, now):
        return Reception.KNOWN
    if any(changed.ids.values()):
        _raise(work, connection_id, now)
    return Reception.TAKEN


def _remember(work: Work, provider: str, events: Collection[str], now: datetime) -> bool:
    """Whether any of them is new."""
    work.execute(delete(t.webhook_events).where(_E.received_at < now - _REMEMBERED))
    named = select(_E.event_id).where(_E.provider == provider, among(work, _E.event_id, events))
    new = set(events) - set(work.execute(named).scalars())
    put = postgresql.insert if work.dialect == "postgresql" else sqlite.insert
    rows = [{"provider": provider, "event_id": one, "received_at": now} for one in sorted(new)]
    if rows:
        work.execute(put(t.webhook_events).on_conflict_do_nothing(), rows)
    return bool(new)


def _raise(work: Work, connection_id: int, now: datetime) -> None:
    since = case((_H.seen < _H.told, _H.since), else_=now)
    raised = update(t.hints).where(_H.connection_id == connection_id).values(told=_H.told + 1, since=since)
    if not work.execute(raised).rowcount:
        work.execute(insert(t.hints).values(connection_id=connection_id, told=1, seen=0, since=now))


def told(work: Work, connection_id: int) -> int:
    """How often something was told of the company; for `seen`, asked before its source is."""
    return work.execute(select(_H.told).where(_H.connection_id == connection_id)).scalar_one_or_none() or 0


def seen(work: Work, connection_id: int, up_to: int, *, now: datetime) -> None:
    """A pull has come through that began when it was told so often."""
    looked = (_H.connection_id == connection_id, _H.seen < up_to)
    work.execute(update(t.hints).where(*looked).values(seen=up_to, since=now))


def open_since(work: Work) -> dict[str, datetime]:
    """The companies, by name, of which was told what nobody has seen, and since when; not those that cannot be asked
    before a person has connected them."""
    unasked = [Health.REAUTHORISE.value, Health.DISCONNECTED.value]
    query = (
        select(_C.name, _H.since)
        .join(t.connections, _C.id == _H.connection_id)
        .where(_H.seen < _H.told, _C.health.not_in(unasked))
        .order_by(_H.since)
    )
    return {row.name: row.since for row in work.execute(query)}
