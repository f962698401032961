"""What mail providers told of our messages: facts that are only ever added. A message's state is folded from them, so
that they may come first, late, twice, or out of order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Final

from sqlalchemy import and_, bindparam, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from arsync.domain.feedback import HANDED_OVER, LOST, EventKind, ProviderEvent
from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.store import chases, mailboxes, messages
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_E: Final = t.provider_events.c
_M: Final = t.messages.c
#: A list tells of an address and not of a message; a bounce comes within so long of the message that caused it.
_CAUSED_WITHIN: Final = timedelta(hours=72)
_TOLD: Final = Prepared(
    select(_E.kind, _E.address, _E.at, _E.reason).where(_E.message_id == bindparam("message")).order_by(_E.at, _E.id)
)
_TAKEN: Final = (MessageState.ACCEPTED, MessageState.DELIVERED)


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that was told of a message."""

    kind: EventKind
    address: str
    at: datetime
    reason: str


def add(work: Work, event: ProviderEvent, message_id: int | None, *, now: datetime) -> bool:
    """Adds what was told; False where it was told before."""
    insert = postgresql.insert if work.dialect == "postgresql" else sqlite.insert
    statement = (
        insert(t.provider_events)
        .values(
            provider=event.provider,
            event_id=event.event_id,
            kind=event.kind.value,
            address=event.address,
            at=event.at,
            received_at=now,
            reason=event.reason,
            message_id=message_id,
            reference=event.reference,
        )
        .on_conflict_do_nothing()
    )
    # On PostgreSQL the count of rows is of no use here: it says one whether the row was there or not.
    return work.execute(statement.returning(_E.id)).first() is not None


def message_of(work: Work, event: ProviderEvent) -> int | None:
    """The message that it is about, by our own id or the provider's reference; None where that is none of ours."""
    if event.message_key is not None:
        return work.execute(select(_M.id).where(_M.key == event.message_key)).scalar_one_or_none()
    if event.reference is None:
        return None
    named = select(_M.id).where(_M.reference == event.reference, _M.channel == StepChannel.EMAIL.value)
    found = work.execute(named.limit(2)).scalars().all()
    return found[0] if len(found) == 1 else None


def likely_cause(work: Work, address: str, at: datetime) -> int | None:
    """The message that an address which a list names came on that list for: the last one to it before that moment;
    None where something was heard of that one."""
    recent = select(_M.id, _M.recipients, _M.state).where(
        _M.channel == StepChannel.EMAIL.value,
        _M.state.in_([state.value for state in (*_TAKEN, MessageState.BOUNCED)]),
        _M.diverted_to.is_(None),
        _M.accepted_at <= at + timedelta(minutes=1),  # two machines' clocks
        _M.accepted_at >= at - _CAUSED_WITHIN,
        func.lower(_M.recipients).contains(address, autoescape=True),
    )
    for row in work.execute(recent.order_by(_M.accepted_at.desc(), _M.id.desc())):
        if address in addresses(row.recipients):
            heard = select(_E.id).where(_E.message_id == row.id, _E.address == address)
            known = row.state != MessageState.ACCEPTED.value or work.execute(heard.limit(1)).first() is not None
            return None if known else int(row.id)
    return None


def of_message(work: Work, message_id: int) -> list[Told]:
    """All that was told of a message, in the order in which it happened."""
    return [Told(EventKind(kind), *more) for kind, *more in _TOLD(work, message=message_id)]


def lost(work: Work, message_id: int) -> frozenset[str]:
    """The addresses that did not get the message."""
    return frozenset(one.address for one in of_message(work, message_id) if one.kind in LOST)


def evidence(work: Work, message_id: int) -> tuple[str, str] | None:
    """The provider that told that it had the message, and its reference, or its name."""
    had = [kind.value for kind in HANDED_OVER]
    query = select(_E.reference, _E.provider).where(_E.message_id == message_id, _E.kind.in_(had))
    row = work.execute(query.order_by(_E.id).limit(1)).first()
    return None if row is None else (str(row.provider), str(row.reference or row.provider))


def evident(work: Work, state: MessageState) -> list[int]:
    """The messages in that state of which a provider told that it had them."""
    had = select(_E.message_id).where(_E.kind.in_([kind.value for kind in HANDED_OVER]), _E.message_id.is_not(None))
    query = select(_M.id).where(_M.state == state.value, _M.id.in_(had))
    return list(work.execute(query.order_by(_M.id)).scalars())


def fold(work: Work, message_id: int, *, now: datetime) -> MessageState | None:
    """Moves an accepted message to where all that was told of it says; the new state, None where it stays.

    It has bounced when nobody whom it was written to got it, and was delivered when anybody did. The chase is planned
    anew after a bounce.
    """
    told = of_message(work, message_id)
    if not told:
        return None
    row = work.execute(
        select(_M.state, _M.recipients, _M.diverted_to, _M.connection_id, t.chases.c.payer_id)
        .join(t.chases, t.chases.c.id == _M.chase_id)
        .where(_M.id == message_id)
    ).one()
    state = MessageState(row.state)
    if state not in _TAKEN:
        return None
    lost = {one.address: one for one in told if one.kind in LOST}
    written_to = addresses([row.diverted_to] if row.diverted_to else row.recipients)
    if written_to and written_to <= lost.keys():
        reason = "; ".join(f"{address}: {lost[address].reason or lost[address].kind}" for address in sorted(written_to))
        chases.bump(work, row.connection_id, [row.payer_id])
        moved = messages.move(work, message_id, state, MessageState.BOUNCED, reason=f"came back: {reason}", now=now)
        return MessageState.BOUNCED if moved else None
    reached = [one for one in told if one.kind is EventKind.DELIVERED and one.address in written_to - lost.keys()]
    if state is MessageState.ACCEPTED and reached:
        reason = f"delivered at {reached[0].at:%Y-%m-%d %H:%M}"
        moved = messages.move(work, message_id, state, MessageState.DELIVERED, reason=reason, now=now)
        return MessageState.DELIVERED if moved else None
    return None


def bump(work: Work, event: ProviderEvent, message_id: int | None) -> None:
    """Before anything else of an event that a plan depends on: whoever is about to be written to at that address, and
    the chase of its message, are looked at again first."""
    writing = _M.state == MessageState.CLAIMED.value
    query = (
        select(_M.id, _M.connection_id, t.chases.c.payer_id)
        .join(t.chases, t.chases.c.id == _M.chase_id)
        .where(
            or_(
                _M.id == message_id,
                and_(writing, func.lower(_M.recipients).contains(event.address, autoescape=True)),
                and_(writing, func.lower(_M.copies).contains(event.address, autoescape=True)),
            )
        )
    )
    payers: dict[int, set[str]] = {}
    for row in work.execute(query):
        payers.setdefault(row.connection_id, set()).add(row.payer_id)
    for connection_id in sorted(payers):
        chases.bump(work, connection_id, payers[connection_id])


def last_heard(work: Work) -> datetime | None:
    """When the providers' lists were last read."""
    at: datetime | None = work.execute(select(t.installation.c.lists_read_at)).scalar_one()
    return at


def heard(work: Work, *, now: datetime) -> None:
    """The providers' lists were read."""
    work.execute(update(t.installation).values(lists_read_at=now))


def addresses(recipients: str | Collection[str]) -> frozenset[str]:
    """The bare addresses of a message's mailboxes, in lower case."""
    written_to = mailboxes.read(recipients) or () if isinstance(recipients, str) else recipients
    return frozenset(parseaddr(mailbox)[1].lower() for mailbox in written_to)
