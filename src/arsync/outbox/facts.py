"""Facts that are to stand on invoices in the source: planned here, written with the notes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from arsync.domain.policy import ASKS_NOTHING
from arsync.domain.states import NoteState, WriteKind
from arsync.store import connections, finding, holds, ledger, notes
from arsync.store import messages as outbox
from arsync.store.engine import Work
from arsync.store.messages import Message
from arsync.store.notes import Note

#: Before the day of a fact that only takes the place of a day of ours; none follows where no day is to stand there.
_INSTEAD: Final = "instead:"
#: Where the source has what was written, or may have it.
_MAY_STAND: Final = (NoteState.WRITTEN, NoteState.CLAIMED, NoteState.UNKNOWN)
#: Where it was not written, and never need be.
_OWED: Final = (NoteState.PENDING, NoteState.FAILED)


def mark_sent(work: Work, message: Message, *, now: datetime) -> int:
    """Plans the mark for every invoice that the message demands and the source holds for not sent; how many. A
    statement of account and an apology demand none."""
    if message.step_id in ASKS_NOTHING:
        return 0
    demanded = [item.invoice_id for item in outbox.items(work, message.id) if item.demanded]
    unsent = ledger.unsent(work, message.connection_id, demanded)
    for invoice_id in unsent:
        notes.plan_fact(
            work,
            connection_id=message.connection_id,
            kind=WriteKind.SENT,
            invoice_id=invoice_id,
            value="true",
            text=f"the mark that invoice {finding.invoice_number(work, message.connection_id, invoice_id)} was sent",
            marker=_marker(work),
            message_id=message.id,
            now=now,
        )
    return len(unsent)


def expect(work: Work, connection_id: int, invoice_id: str, on: date, *, now: datetime) -> None:
    """Plans that the source expects the money of an invoice on that day; an older day not yet written is forgotten."""
    number = finding.invoice_number(work, connection_id, invoice_id)
    notes.plan_fact(
        work,
        connection_id=connection_id,
        kind=WriteKind.EXPECTED_ON,
        invoice_id=invoice_id,
        value=on.isoformat(),
        text=f"{on} as the day on which the money of invoice {number} is expected",
        marker=_marker(work),
        message_id=None,
        now=now,
    )


def follow_promises(work: Work, connection_id: int, invoice_id: str, *, today: date, now: datetime) -> bool:
    """After a promise was taken back: plans that the source expects the money on the day of the newest one left, or on
    no day, in place of a day that we wrote there; whether the source is to be told anything."""
    wanted = holds.promised(work, connection_id, invoice_id, today=today)
    planned = _expected(work, connection_id, invoice_id)
    standing = [fact for fact in planned if fact.state in _MAY_STAND]
    for fact in planned:
        if fact.state in _OWED and day_of(fact) != wanted:
            reason = "the promise was taken back"
            if not notes.move(work, fact, fact.state, NoteState.SUPERSEDED, reason=reason, now=now):
                standing.append(fact)  # just claimed
        elif fact.state is NoteState.PENDING:
            return True  # it is to be told that anyway
    if not planned or (day_of(standing[-1]) if standing else None) == wanted:
        return False
    number = finding.invoice_number(work, connection_id, invoice_id)
    notes.plan_fact(
        work,
        connection_id=connection_id,
        kind=WriteKind.EXPECTED_ON,
        invoice_id=invoice_id,
        value=f"{_INSTEAD}{wanted or ''}",
        text=f"{wanted} as the day on which the money of invoice {number} is expected"
        if wanted
        else f"that the money of invoice {number} is promised no more",
        marker=_marker(work),
        message_id=None,
        now=now,
    )
    return True


def day_of(fact: Note) -> date | None:
    """The day that is to stand on the invoice; None where none is, or where the fact is about something else."""
    named = (fact.value or "").removeprefix(_INSTEAD)
    return date.fromisoformat(named) if fact.kind is WriteKind.EXPECTED_ON and named else None


def takes_place(fact: Note) -> bool:
    """Whether the fact is for the place of a day of ours only: what somebody else entered there stays."""
    return (fact.value or "").startswith(_INSTEAD)


def ours(work: Work, fact: Note) -> set[date | None]:
    """What may stand on the invoice by us right before that fact; nothing by us is no day."""
    days: set[date | None] = set()
    for one in _before(_expected(work, fact.connection_id, fact.target.remote_id), fact):
        if one.state in _MAY_STAND and (day := day_of(one)) is not None:
            days.add(day)
        elif one.state is NoteState.WRITTEN:
            days.clear()  # no day of ours from here on: the same one later is somebody else's
    return days or {None}


def _before(facts: Iterable[Note], fact: Note) -> list[Note]:
    return [one for one in facts if one.id < fact.id]


def _expected(work: Work, connection_id: int, invoice_id: str) -> list[Note]:
    every = notes.facts_on(work, connection_id, invoice_id)
    return [fact for fact in every if fact.kind is WriteKind.EXPECTED_ON]


def _marker(work: Work) -> str:
    return notes.new_marker(connections.installation(work).key)
