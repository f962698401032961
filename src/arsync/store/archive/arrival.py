"""Rows that come from elsewhere, or from earlier: what a database may believe of itself until the sources are asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from arsync.domain.states import Health, MessageState, NoteState
from arsync.store import chases, claims, connections, duties, events, messages, notes, reading_back
from arsync.store.engine import Work

#: Every term is over by then.
_WHENEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What was made of it."""

    connections: int  # nothing goes out for them until their notes have been read back
    released: int  # messages that had been taken up, and not begun
    unknown: int  # messages and notes that were on their way


def arrive(work: Work, *, now: datetime, kind: str, reason: str, author: str) -> Arrived:
    """Every company is `recovering`, and nobody is at work: what was taken up is let go, and of what was on its way
    nobody knows whether it came to its end. The log has it as `kind`."""
    released = unknown = 0
    every = connections.connections(work)
    ids = [one.id for one in every]
    for message_id in claims.abandoned_claims(work, ids, now=_WHENEVER):
        released += messages.move(
            work, message_id, MessageState.CLAIMED, MessageState.APPROVED, reason=reason, now=now,
            claim_token=None, claimed_until=None,
        )  # fmt: skip
    for message_id in claims.abandoned_sendings(work, ids, before=_WHENEVER):
        unknown += messages.move(work, message_id, MessageState.SENDING, MessageState.UNKNOWN, reason=reason, now=now)
    for one in every:
        for note in notes.abandoned(work, one.id, now=_WHENEVER):
            unknown += notes.move(
                work, note, NoteState.CLAIMED, NoteState.UNKNOWN, reason=reason, now=now, tried_at=now
            )
        reading_back.begin(work, one.id, reason, now=now)
        chases.bump_all(work, one.id)
        events.log(work, kind, at=now, author=author, connection_id=one.id, reason=reason)
    for name in duties.standing(work):
        duties.leave(work, name)
    linked = [one for one in every if one.health is not Health.DISCONNECTED]
    return Arrived(len(linked), released, unknown)
