"""What is to be written back: one note for each message and target, and no second one whatever happens; and facts on
invoices, of which only the newest counts."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, and_, func, insert, or_, select, update

from arsync.connector import NoteTarget, TargetKind
from arsync.domain.states import NOTE_ARROWS, NoteState, WriteKind
from arsync.store import events
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.leases import holder, is_dead
from arsync.store.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Note:
    """One write-back into the source."""

    id: int
    connection_id: int
    message_id: int | None
    kind: WriteKind
    value: str | None
    target: NoteTarget
    text: str
    marker: str
    key: str
    state: NoteState
    reason: str
    attempts: int
    claim_token: str | None
    tried_at: datetime | None
    absent_at: datetime | None
    written_at: datetime | None
    remote_id: str | None


_N = t.notes.c
_NEW: Final = Prepared(insert(t.notes))


def _note(row: Row[*tuple[Any, ...]]) -> Note:
    named = [name for name in Note.__slots__ if name not in ("target", "state", "kind")]
    return Note(
        **{name: getattr(row, name) for name in named},
        target=NoteTarget(TargetKind(row.target_kind), row.target_id),
        state=NoteState(row.state),
        kind=WriteKind(row.kind),
    )


def new_marker(installation_key: str) -> str:
    """What finds a note again in the source: tells this installation's notes from another's."""
    return f"[arsync:{installation_key}-{secrets.token_hex(6)}]"


def plan(
    work: Work, *, connection_id: int, message_id: int | None, target: NoteTarget, text: str, marker: str, now: datetime
) -> None:
    """Plans a note, in the same work that accepts its message, or keeps what a person said (no message)."""
    _NEW(
        work, connection_id=connection_id, message_id=message_id, kind=WriteKind.NOTE.value,
        target_kind=target.kind.value, target_id=target.remote_id, text=text, marker=marker, key=secrets.token_hex(16),
        state=NoteState.PENDING.value, reason=f"planned {now:%Y-%m-%d}", attempts=0,
    )  # fmt: skip


def plan_fact(
    work: Work,
    *,
    connection_id: int,
    kind: WriteKind,
    invoice_id: str,
    value: str,
    text: str,
    marker: str,
    message_id: int | None,
    now: datetime,
) -> None:
    """Plans a fact on an invoice; older ones of its kind that were not written yet never will be."""
    assert kind is not WriteKind.NOTE, "a note is no fact"
    work.execute(
        update(t.notes)
        .where(
            _N.connection_id == connection_id,
            _N.kind == kind.value,
            _N.target_id == invoice_id,
            _N.state.in_((NoteState.PENDING.value, NoteState.FAILED.value)),
        )
        .values(state=NoteState.SUPERSEDED.value, reason=f"a newer one was planned {now:%Y-%m-%d}")
    )
    work.execute(
        insert(t.notes).values(
            connection_id=connection_id,
            message_id=message_id,
            kind=kind.value,
            value=value,
            target_kind=TargetKind.INVOICE.value,
            target_id=invoice_id,
            text=text,
            marker=marker,
            key=secrets.token_hex(16),
            state=NoteState.PENDING.value,
            reason=f"planned {now:%Y-%m-%d}",
            attempts=0,
        )
    )


def _retire_outdated(work: Work, connection_id: int) -> None:
    """A fact that waits once more (its answer was lost, say) while a newer one was planned is not written again."""
    newer = t.notes.alias()
    outdated = (
        select(1)
        .where(
            and_(
                newer.c.connection_id == _N.connection_id,
                newer.c.kind == _N.kind,
                newer.c.target_id == _N.target_id,
                newer.c.id > _N.id,
            )
        )
        .exists()
    )
    work.execute(
        update(t.notes)
        .where(
            _N.connection_id == connection_id,
            _N.kind != WriteKind.NOTE.value,
            _N.state == NoteState.PENDING.value,
            outdated,
        )
        .values(state=NoteState.SUPERSEDED.value, reason="a newer one stands in its place")
    )


def claim(work: Work, connection_id: int, *, term: timedelta, now: datetime, but: Collection[int] = ()) -> Note | None:
    """Claims the next note that is due, `but` these. From its commit on the note may have been written."""
    _retire_outdated(work, connection_id)
    other = t.notes.alias()
    in_the_air = (  # what was said of that invoice before must have arrived, or it would come out on top
        select(1)
        .where(
            other.c.connection_id == connection_id,
            other.c.state.in_((NoteState.CLAIMED.value, NoteState.UNKNOWN.value)),
            other.c.kind == _N.kind,
            other.c.target_id == _N.target_id,
        )
        .exists()
    )
    due = (
        select(_N.id)
        .where(
            _N.connection_id == connection_id,
            _N.state == NoteState.PENDING.value,
            or_(_N.not_before.is_(None), _N.not_before <= now),
            or_(_N.kind == WriteKind.NOTE.value, ~in_the_air),
            _N.id.not_in(but),
        )
        .order_by(_N.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    note_id = work.execute(due).scalar_one_or_none()
    if note_id is None:
        return None
    work.execute(
        update(t.notes)
        .where(_N.id == note_id, _N.state == NoteState.PENDING.value)
        .values(
            state=NoteState.CLAIMED.value,
            claim_token=secrets.token_hex(16),
            claimed_by=holder(),
            claimed_until=now + term,
            attempts=_N.attempts + 1,
            tried_at=now,
            absent_at=None,
        )
    )
    return _note(work.execute(select(t.notes).where(_N.id == note_id)).one())


def move(
    work: Work,
    note: Note,
    origin: NoteState,
    target: NoteState,
    *,
    reason: str,
    now: datetime,
    **values: Any,
) -> bool:
    """Moves a note along an arrow, under the claim it was read with; False where another was faster."""
    assert target in NOTE_ARROWS[origin], f"no arrow {origin} -> {target}"
    where = [_N.id == note.id, _N.state == origin.value]
    if origin is NoteState.CLAIMED:
        where.append(_N.claim_token == note.claim_token)
    moved = work.execute(update(t.notes).where(*where).values(state=target.value, reason=reason, **values))
    if not moved.rowcount:
        return False
    events.log(
        work, f"note_{target.value}", at=now, connection_id=note.connection_id, message_id=note.message_id,
        note=note.id, reason=reason,
    )  # fmt: skip
    return True


def seen_absent(work: Work, note: Note, *, now: datetime) -> None:
    """Keeps that the source was read and the marker was not there."""
    work.execute(update(t.notes).where(_N.id == note.id, _N.state == NoteState.UNKNOWN.value).values(absent_at=now))


def abandoned(work: Work, connection_id: int, *, now: datetime) -> list[Note]:
    """Notes claimed by a worker whose lease is over or which is dead: they may have been written."""
    query = select(t.notes).where(_N.connection_id == connection_id, _N.state == NoteState.CLAIMED.value)
    return [_note(row) for row in work.execute(query) if row.claimed_until <= now or is_dead(row.claimed_by)]


def in_states(work: Work, states: Collection[NoteState], connection_id: int | None = None) -> list[Note]:
    """Every note in these states, oldest first."""
    query = select(t.notes).where(_N.state.in_([state.value for state in states]))
    if connection_id is not None:
        query = query.where(_N.connection_id == connection_id)
    return [_note(row) for row in work.execute(query.order_by(_N.id))]


def of_message(work: Work, message_id: int) -> list[Note]:
    """The notes of one message."""
    return [_note(row) for row in work.execute(select(t.notes).where(_N.message_id == message_id).order_by(_N.id))]


def facts_on(work: Work, connection_id: int, invoice_id: str) -> list[Note]:
    """What was to be set on an invoice, oldest first."""
    query = select(t.notes).where(
        _N.connection_id == connection_id, _N.target_id == invoice_id, _N.kind != WriteKind.NOTE.value
    )
    return [_note(row) for row in work.execute(query.order_by(_N.id))]


def said_on(work: Work, connection_id: int, target_ids: Collection[str]) -> list[Note]:
    """The notes of what people said, on these invoices and customers, oldest first."""
    query = select(t.notes).where(
        _N.connection_id == connection_id,
        _N.target_id.in_(list(target_ids)),
        _N.kind == WriteKind.NOTE.value,
        _N.message_id.is_(None),
    )
    return [_note(row) for row in work.execute(query.order_by(_N.id))]


def counts(work: Work) -> dict[str, int]:
    """How many notes stand in each state."""
    query = select(_N.state, func.count()).group_by(_N.state)
    return {str(state): int(count) for state, count in work.execute(query)}
