"""What people said of an invoice or a payer, in the order in which they said it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from arsync.domain.states import HoldState, PromiseState
from arsync.store import corrections, finding, notes, owners, promises, replies, touches
from arsync.store import holds as placed_holds
from arsync.store.corrections import TAKEN_BACK, Correction
from arsync.store.engine import Work
from arsync.store.holds import PlacedHold
from arsync.store.promises import Promise
from arsync.store.replies import Reply

Line = tuple[datetime, str]


def said(
    work: Work, connection_id: int, payer_id: str, invoice_id: str | None = None, *, holds: int | None = None
) -> list[Line]:
    """Holds, promises, touches, calls, comments, corrections and their notes: of the payer, or of one invoice; where
    `holds` is told, of the holds that are over only the newest, up to so many in all."""
    lines = [
        line for one in placed_holds.of_payer(work, connection_id, payer_id, invoice_id, most=holds)
        if _concerns(one, payer_id, invoice_id) for line in _hold(one)
    ]  # fmt: skip
    promised = [
        one for one in promises.of_payer(work, connection_id, payer_id)
        if invoice_id is None or invoice_id in promises.invoices_of(work, one)
    ]  # fmt: skip
    numbers = finding.invoice_numbers(work, connection_id, {one.invoice_id for one in promised if one.invoice_id})
    for promise in promised:
        lines += _promise(promise, numbers)
    for touch in touches.standing(work, connection_id, payer_id):
        if invoice_id is None or not touch.invoice_ids or invoice_id in touch.invoice_ids:
            as_step = f" as {touch.step_id}" if touch.step_id else ""
            what = f"touch {touch.id}: a {touch.kind} by hand on {touch.made_on}{as_step}, by {touch.author}"
            lines.append((touch.created_at, f"{what}{_colon(touch.comment)}"))
    for call in touches.outcomes(work, connection_id, payer_id):
        what = f"call {call.message_id}: {call.outcome.replace('_', ' ')} on {call.made_on}, by {call.author}"
        lines.append((call.created_at, f"{what}{_colon(call.comment)}"))
    for comment in touches.comments(work, connection_id, payer_id):
        if invoice_id is None or comment.invoice_id in (None, invoice_id):
            again = f", again on {comment.follow_up}" if comment.follow_up else ""
            done = " (done with)" if comment.done_at else ""
            lines.append((comment.created_at, f"comment {comment.id}{done} by {comment.author}{again}: {comment.text}"))
    for correction in corrections.of_payer(work, connection_id, payer_id):
        if invoice_id in (None, correction.invoice_id):
            lines += _correction(correction)
    for reply in replies.of_payer(work, connection_id, payer_id):
        lines += _reply(reply)
    for note in notes.said_on(work, connection_id, [one for one in (payer_id, invoice_id) if one]):
        if note.written_at is not None:
            lines.append((note.written_at, f"note on the {note.target.kind}: {note.text.splitlines()[0]}: written"))
    return lines


def owner_line(work: Work, connection_id: int, payer_id: str) -> str | None:
    """Who looks after the payer."""
    found = owners.of_customer(work, connection_id, payer_id)
    if found is None:
        return None
    return f"looked after by {', '.join(part for part in (found.name, found.email, found.phone) if part)}"


def _concerns(one: PlacedHold, payer_id: str, invoice_id: str | None) -> bool:
    hold = one.hold
    if hold.invoice_id is None:
        return hold.payer_id in (None, payer_id)
    return hold.invoice_id == invoice_id or (invoice_id is None and hold.payer_id == payer_id)


def _hold(one: PlacedHold) -> list[Line]:
    hold = one.hold
    until = f" until {hold.until}" if hold.until else ""
    state = "" if one.state is HoldState.ACTIVE else f" ({one.state})"
    code = f" ({hold.code.replace('_', ' ')})" if hold.code else ""
    part = f" of {hold.part}, the rest is chased," if hold.part else ""
    return [(one.created_at, f"hold {one.id}{state}: {hold.kind}{code}{part} by {hold.author}{until}: {hold.reason}")]


def _promise(one: Promise, numbers: Mapping[str, str]) -> list[Line]:
    what = f"instalment of plan {one.plan_id}" if one.plan_id else "promise"
    number = f" for {numbers[one.invoice_id]}" if one.invoice_id else ""
    lines = [(one.created_at, f"{what}: {one.amount} by {one.promised_on}{number}, by {one.author}: {one.reason}")]
    if one.settled_at is not None and one.state is not PromiseState.OPEN:
        lines.append((one.settled_at, f"{what} of {one.amount} by {one.promised_on}: {one.state}"))
    return lines


def _correction(one: Correction) -> list[Line]:
    assert one.found_at is not None, "it is kept with its moment"
    what = f"message {one.message_id} of {one.sent_on} had asked for {one.number}"
    lines = [(one.found_at, f"{what}, which had been paid on {one.paid_on}, as the books told then")]
    if one.settled_at is not None:
        back = one.settled_by == TAKEN_BACK
        answer = (
            "rightly: the payment was taken back" if back else f"though it was paid; answered for by {one.settled_by}"
        )
        lines.append((one.settled_at, f"{what} {answer}"))
    return lines


def _reply(one: Reply) -> list[Line]:
    means = "" if one.meaning is None else f", by the rules {one.meaning.replace('_', ' ')}"
    kind = one.kind.replace("_", " ")
    lines = [(one.received_at, f"reply {one.id} ({kind}{means}) from {one.sender}: {one.text[:200] or one.subject}")]
    if one.done_at is not None:
        lines.append((one.done_at, f"reply {one.id} handled by {one.done_by}: {one.outcome}"))
    return lines


def _colon(text: str) -> str:
    return f": {text}" if text else ""
