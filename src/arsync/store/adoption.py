"""Messages that stand in the source and that this database does not know: taken for sent, as they were."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import and_, bindparam, func, insert, or_, select, update

from arsync.connector import NoteTarget, TargetKind
from arsync.domain.chase import Rendered
from arsync.domain.documents import InvoiceState
from arsync.domain.policy import StepChannel
from arsync.domain.states import ChaseState, MessageState, NoteState, WriteKind
from arsync.store import chases, events, messages, words
from arsync.store import tables as t
from arsync.store.bulk import among, among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_M = MessageState
#: The arrows that lead a message which went out after all to `accepted`.
_WAY: Final = {
    _M.PLANNED: _M.APPROVED,
    _M.APPROVED: _M.CLAIMED,
    _M.CLAIMED: _M.SENDING,
    _M.SENDING: _M.ACCEPTED,
    _M.UNKNOWN: _M.ACCEPTED,
    _M.FAILED: _M.APPROVED,
    _M.PRESUMED_SENT: _M.ACCEPTED,
}
_REASON: Final = "its note stands in the source: it was sent, and this database did not know"
#: Of a step that the note does not tell any more; no playbook has it, so it counts for the gap and nothing else.
UNTOLD: Final = "?"
_READ_BACK: Final = "read back"
#: The line of the log about a message that is taken for sent from now on.
ADOPTED: Final = "message_adopted"
#: Of a note that this database takes for not written.
_OWED: Final = (NoteState.PENDING.value, NoteState.FAILED.value)


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as its notes tell it; the markers and where they stand."""

    key: str | None
    step_id: str | None
    playbook: str | None
    channel: StepChannel
    sent_on: date
    notes: tuple[tuple[str, NoteTarget, str], ...]  # marker, target, text
    numbers: tuple[str, ...]  # the invoices that a note on a customer lists
    is_cut: bool


_N: Final = t.notes.c
_KNOWN: Final = Prepared(
    lambda dialect: select(_N.marker).where(
        among_those(dialect, _N.marker),
        # never tried and yet there: this is a copy of old
        or_(_N.state != NoteState.PENDING.value, _N.tried_at.is_not(None)),
    )
)
_FOUND: Final = Prepared(
    lambda dialect: (
        update(t.notes)
        # by the markers: an index of states would show all that wait
        .where(among_those(dialect, _N.marker), func.coalesce(_N.state, "").in_(_OWED), _N.tried_at.is_not(None))
        .returning(_N.id)
    )
)
_NEWEST: Final = Prepared(
    select(func.max(_N.written_at)).where(_N.connection_id == bindparam("of"), _N.written_at.is_not(None))
)


def known_markers(work: Work, markers: Collection[str]) -> set[str]:
    """Those of the markers that this database wrote or tried to write, or has adopted: for whatever connection, as a
    company file that is duplicated takes its notes with it."""
    return {marker for (marker,) in _KNOWN(work, those=those(work, markers))}


def found(work: Work, markers: Collection[str], *, now: datetime) -> int:
    """Takes for written what was tried, put back or refused, and yet stands in the source; how many notes it was."""
    return len(_FOUND(work, those=those(work, markers), **_read_back_at(now)))


def newest_note(work: Work, connection_id: int) -> datetime | None:
    """When the newest note that is known here was written."""
    ((found,),) = _NEWEST(work, of=connection_id)
    newest: datetime | None = found
    return newest


def chased(work: Work, connection_id: int, until: date) -> list[str]:
    """The open invoices that may have been chased, by id, the latest due first: what is due by that day."""
    i = t.invoices.c
    query = select(i.remote_id).where(
        i.connection_id == connection_id, i.state == InvoiceState.OPEN.value, i.balance > 0, i.due_on <= until
    )
    return list(work.execute(query.order_by(i.due_on.desc(), i.remote_id)).scalars())


def payers(work: Work, connection_id: int, invoice_ids: Collection[str]) -> list[str]:
    """Who pays for these invoices."""
    i, c = t.invoices.c, t.customers.c
    joined = t.invoices.join(t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
    query = (
        select(c.payer_id)
        .distinct()
        .select_from(joined)
        .where(i.connection_id == connection_id, among(work, i.remote_id, invoice_ids))
    )
    return sorted(work.execute(query).scalars())


def adopt(work: Work, connection_id: int, sent: Sent, *, now: datetime) -> int | None:
    """Keeps the message as accepted on its day, with its notes, and wakes its chase; its id. None where nothing that it
    was about is chased: then its notes alone are known."""
    items = _items(work, connection_id, sent)
    message_id = _known(work, connection_id, sent, now)
    if message_id is None:
        chase = _chase(work, connection_id, items)
        message_id = None if chase is None else _new(work, connection_id, *chase, sent, items, now)
    else:
        _extend(work, message_id, items)
    for marker, target, text in sent.notes:
        _note(work, connection_id, message_id, marker, target, text, now)
    if items:
        chases.bump(work, connection_id, [row.customer_id for row in items])
    return message_id


def _known(work: Work, connection_id: int, sent: Sent, now: datetime) -> int | None:
    """The message of that key in this database, moved along its arrows to where it truly stands."""
    m = t.messages.c
    if sent.key is None:
        return None
    row = work.execute(select(m.id, m.state).where(m.connection_id == connection_id, m.key == sent.key)).one_or_none()
    if row is None or row.state in (_M.SUPERSEDED.value, _M.CANCELLED.value):
        return None
    state = _M(row.state)
    if state in _WAY:
        events.log(
            work, ADOPTED, at=now, connection_id=connection_id, message_id=row.id, step=sent.step_id,
            sent_on=sent.sent_on, key=sent.key,
        )  # fmt: skip
    while state in _WAY:
        following = _WAY[state]
        values: dict[str, Any] = {}
        if following is _M.ACCEPTED:
            values = {"accepted_at": now, "sent_on": sent.sent_on}
        messages.move(work, row.id, state, following, reason=_REASON, now=now, **values)
        state = following
    return int(row.id)


def _items(work: Work, connection_id: int, sent: Sent) -> Sequence[Any]:
    """The invoices that the message demanded, as far as can be told; of a cut list everything that was due."""
    i, c = t.invoices.c, t.customers.c
    joined = t.invoices.join(t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
    named = [target.remote_id for _, target, _ in sent.notes if target.kind is TargetKind.INVOICE]
    customers = [target.remote_id for _, target, _ in sent.notes if target.kind is TargetKind.CUSTOMER]
    theirs = among(work, c.payer_id, customers)
    wanted = [among(work, i.remote_id, named), and_(theirs, among(work, i.number, sent.numbers))]
    if sent.is_cut:
        wanted.append(and_(theirs, i.state == InvoiceState.OPEN.value, i.due_on <= sent.sent_on))
    query = (
        select(i.remote_id, i.number, i.customer_id, i.currency, i.balance, i.due_on, c.payer_id)
        .select_from(joined)
        .where(i.connection_id == connection_id, or_(*wanted))
        .order_by(i.due_on)
    )
    return work.execute(query).all()


def _chase(work: Work, connection_id: int, items: Sequence[Any]) -> tuple[int, str] | None:
    """The live chase of the first of these that has one, and its currency."""
    h = t.chases.c
    for row in items:
        query = select(h.id).where(
            h.connection_id == connection_id,
            h.payer_id == row.payer_id,
            h.currency == row.currency,
            h.state.in_((ChaseState.OPEN.value, ChaseState.REOPENED.value)),
        )
        found = work.execute(query).scalar_one_or_none()
        if found is not None:
            return int(found), row.currency
    return None


def _new(
    work: Work, connection_id: int, chase_id: int, currency: str, sent: Sent, items: Sequence[Any], now: datetime
) -> int:
    m = t.messages.c
    step_id = sent.step_id or UNTOLD
    same = (m.chase_id == chase_id, m.step_id == step_id)
    last = work.execute(select(func.max(m.occurrence)).where(*same)).scalar_one() or 0
    taken = sent.key is None or work.execute(select(m.id).where(m.key == sent.key)).first() is not None
    at = datetime.combine(sent.sent_on, time(12), UTC)
    owed = [row for row in items if row.currency == currency]
    statement = (
        insert(t.messages)
        .values(
            key=secrets.token_hex(16) if taken else sent.key,
            connection_id=connection_id,
            chase_id=chase_id,
            step_id=step_id[:64],
            occurrence=last + 1,
            revision=1,
            state=_M.ACCEPTED.value,
            reason=_REASON,
            channel=sent.channel.value,
            tone=0,
            playbook=(sent.playbook or UNTOLD)[:64],
            playbook_version=_READ_BACK,
            locale="en",
            fingerprint="read back",
            recipients=json.dumps([]),
            subject=sent.notes[0][2].splitlines()[0][:200],
            currency=currency,
            amount=sum((row.balance for row in owed), Decimal(0)),
            planned_at=at,
            planned_on=sent.sent_on,
            accepted_at=at,
            sent_on=sent.sent_on,
            attempts=1,
        )
        .returning(m.id)
    )
    message_id = int(work.execute(statement).scalar_one())
    words.keep(work, message_id, Rendered("", sent.notes[0][2], ""))
    _extend(work, message_id, owed)
    events.log(
        work, ADOPTED, at=now, connection_id=connection_id, chase_id=chase_id, message_id=message_id,
        step=step_id, sent_on=sent.sent_on, key=sent.key,
    )  # fmt: skip
    return message_id


def _extend(work: Work, message_id: int, items: Sequence[Any]) -> None:
    """Adds what the message is not known to have been about, where it is known by its notes alone."""
    m, k = t.messages.c, t.message_items.c
    alone = select(m.currency).where(m.id == message_id, m.playbook_version == _READ_BACK)
    currency = work.execute(alone).scalar_one_or_none()
    if currency is None:
        return
    there = set(work.execute(select(k.invoice_id).where(k.message_id == message_id)).scalars())
    fresh = [row for row in items if row.currency == currency and row.remote_id not in there]
    rows = [
        {
            "message_id": message_id,
            "position": place,
            "invoice_id": row.remote_id,
            "number": row.number,
            "amount": row.balance,
            "due_on": row.due_on,
            "demanded": True,
        }
        for place, row in enumerate(fresh, len(there))
    ]
    if rows:
        work.execute(insert(t.message_items), rows)


def _note(
    work: Work, connection_id: int, message_id: int | None, marker: str, target: NoteTarget, text: str, now: datetime
) -> None:
    """Keeps the note as written; a note of ours for the same message and target that waits is this one, whatever its
    marker (what was settled since the backup was settled before, by the database that was lost)."""
    n = t.notes.c
    there = and_(
        n.message_id == message_id,
        n.kind == WriteKind.NOTE.value,
        n.target_kind == target.kind.value,
        n.target_id == target.remote_id,
    )
    written = {"marker": marker, "text": text, **_read_back_at(now)}
    if work.execute(select(n.id).where(n.marker == marker)).first() is not None:
        work.execute(update(t.notes).where(n.marker == marker, n.state.in_(_OWED)).values(**_read_back_at(now)))
        return
    waits = update(t.notes).where(there, n.state.in_(_OWED)).values(**written)
    if message_id is not None and work.execute(waits).rowcount:  # without a message it may be what a person said
        return
    work.execute(
        insert(t.notes).values(
            connection_id=connection_id,
            message_id=None if work.execute(select(n.id).where(there)).first() else message_id,
            kind=WriteKind.NOTE.value,
            target_kind=target.kind.value,
            target_id=target.remote_id,
            key=secrets.token_hex(16),
            attempts=0,
            **written,
        )
    )


def _read_back_at(now: datetime) -> dict[str, Any]:
    return {"state": NoteState.WRITTEN.value, "reason": "read back from the source", "written_at": now}
