"""Addresses that nobody writes to: they came back, or whoever reads them wants no mail. A person may lift them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, select, update

from arsync.domain.feedback import EventKind, ProviderEvent, SuppressionKind
from arsync.store import events
from arsync.store import tables as t
from arsync.store.bulk import insert_new
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_S: Final = t.suppressions.c


@dataclass(frozen=True, slots=True)
class Suppression:
    """One address that stands on the list, or once stood there."""

    address: str
    kind: SuppressionKind
    since: datetime
    source: str  # the provider that told it
    reason: str
    lifted_at: datetime | None = None
    lifted_by: str | None = None


_LISTED: Final = select(*(_S[name] for name in Suppression.__slots__)).order_by(_S.address, _S.kind)
_EVER: Final = Prepared(_LISTED)
_STANDING: Final = Prepared(_LISTED.where(_S.lifted_at.is_(None)))


def one_at_a_time(work: Work) -> None:
    """Before anything else of a work that may put an address on the list: what is at the last gate passes it wholly
    before, or sees the list with that address."""
    work.execute(select(t.installation.c.id).with_for_update())


def suppress(work: Work, event: ProviderEvent, *, now: datetime) -> bool:
    """Puts the event's address on the list; False where it stands there, or was lifted after the event. What is told
    twice, late or out of order changes nothing."""
    assert event.suppresses is not None, "only what suppresses is put on the list"
    same = and_(_S.address == event.address, _S.kind == event.suppresses.value)
    if event.suppresses is SuppressionKind.GROUP_UNSUBSCRIBE and _resubscribed(work, event.address, event.at):
        return False
    known = work.execute(select(_S.lifted_at).where(same)).one_or_none()
    said = {"since": event.at, "source": event.provider, "reason": event.reason, "lifted_at": None, "lifted_by": None}
    if known is None:
        if not insert_new(work, t.suppressions, address=event.address, kind=event.suppresses.value, **said):
            return False  # another process has just heard of it
    elif known.lifted_at is None or event.at <= known.lifted_at:
        return False
    else:
        work.execute(update(t.suppressions).where(same).values(**said))
    events.log(work, "address_suppressed", at=now, author=event.provider, why=event.suppresses, told=event.reason)
    return True


def resubscribe(work: Work, event: ProviderEvent) -> bool:
    """The reader of the address wants that kind of mail again; False where nothing of it stood."""
    standing = and_(
        _S.address == event.address,
        _S.kind == SuppressionKind.GROUP_UNSUBSCRIBE.value,
        _S.lifted_at.is_(None),
        _S.since <= event.at,
    )
    changed = update(t.suppressions).where(standing).values(lifted_at=event.at, lifted_by=event.address)
    return bool(work.execute(changed).rowcount)


def lift(work: Work, address: str, *, author: str, reason: str, now: datetime) -> list[Suppression]:
    """Takes the address off the list, by a person's word; what stood there. What is told of it from now on counts."""
    address = address.strip().lower()
    stood = [one for one in listed(work) if one.address == address]
    if stood:
        standing = and_(_S.address == address, _S.lifted_at.is_(None))
        work.execute(update(t.suppressions).where(standing).values(lifted_at=now, lifted_by=author))
        events.log(work, "address_lifted", at=now, author=author, reason=reason, kinds=[one.kind for one in stood])
    return stood


def listed(work: Work, *, lifted: bool = False) -> list[Suppression]:
    """What stands on the list, by address; with `lifted` also what once stood there."""
    return [
        Suppression(address, SuppressionKind(kind), *told)
        for address, kind, *told in (_EVER if lifted else _STANDING)(work)
    ]


def standing(work: Work) -> dict[str, Suppression]:
    """By address, in lower case, why nobody writes to it."""
    return {one.address: one for one in listed(work)}


def of(work: Work, addresses: Collection[str]) -> dict[str, Suppression]:
    """The same of these addresses."""
    wanted = {address.strip().lower() for address in addresses}
    return {address: one for address, one in standing(work).items() if address in wanted} if wanted else {}


def _resubscribed(work: Work, address: str, since: datetime) -> bool:
    e = t.provider_events.c
    later = select(e.id).where(e.address == address, e.kind == EventKind.GROUP_RESUBSCRIBED.value, e.at >= since)
    return work.execute(later.limit(1)).first() is not None
