"""A message was accepted: its state and the notes it owes are saved in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from arsync.connector import NoteTarget, TargetKind
from arsync.domain.chase import Item
from arsync.domain.documents import InvoiceState
from arsync.domain.money import Money
from arsync.domain.policy import APOLOGY, StepChannel
from arsync.domain.states import MessageState
from arsync.outbox import facts
from arsync.render.note import customer_note, invoice_note, oldest_note
from arsync.store import connections, corrections, messages, notes, provider_events
from arsync.store.engine import Work
from arsync.store.messages import Message, MessageItem

#: From so many invoices on the note goes to the customer, with one line on the oldest invoice.
_TOO_MANY = 5


@dataclass(frozen=True, slots=True)
class Acceptance:
    """How a message is accepted on one connection."""

    today: date
    writes: bool  # notes are written into the source
    diverted_to: str | None = None  # where every message goes instead of to the customer, and the notes say so
    marks_sent: bool = False  # an invoice that is demanded is marked as sent in the source
    installation: str | None = None  # the key of this database, where it has been looked up already


@dataclass(frozen=True, slots=True)
class Owed:
    """One note that a message owes once it is accepted."""

    target: NoteTarget
    text: str
    marker: str


def accept(
    work: Work,
    message: Message,
    origin: MessageState,
    *,
    reference: str | None,
    reason: str,
    how: Acceptance,
    now: datetime,
    token: str | None = None,
    author: str = "arsync",
    owed: Sequence[Owed] | None = None,
) -> bool:
    """Moves a message to `accepted` and plans its notes; False where another was faster. The caller commits. `owed`
    are its notes, where they have been written already."""
    moved = messages.move(
        work, message.id, origin, MessageState.ACCEPTED, reason=reason, now=now, token=token,
        author=author, accepted_at=now, sent_on=how.today, reference=reference,
    )  # fmt: skip
    if moved:
        provider_events.fold(work, message.id, now=now)  # what the provider told may have come first
    diverted = how.diverted_to is not None and message.channel == StepChannel.EMAIL
    if moved and message.step_id == APOLOGY and not diverted:
        said = [item.invoice_id for item in messages.items(work, message.id) if item.demanded]
        corrections.answered_by(work, message.connection_id, said, author=f"message {message.id}", now=now)
    if moved and how.writes:
        if owed is None:
            own = how.installation or connections.installation(work).key
            owed = notes_owed(message, how, own, messages.items(work, message.id))
        for note in owed:
            notes.plan(
                work, connection_id=message.connection_id, message_id=message.id, target=note.target, text=note.text,
                marker=note.marker, now=now,
            )  # fmt: skip
        if how.marks_sent and message.channel == StepChannel.EMAIL and not diverted:
            facts.mark_sent(work, message, now=now)
    return moved


def notes_owed(message: Message, how: Acceptance, installation: str, items: Sequence[MessageItem]) -> list[Owed]:
    """The notes of a message about these invoices, once it is accepted; nothing is planned yet."""
    today = how.today
    recipients = (*message.recipients, *(f"{one} (copy)" for one in message.copies))
    if message.unreadable:
        recipients = (*recipients, f"({message.unreadable})")
    if how.diverted_to and message.channel == StepChannel.EMAIL:
        recipients = (f"{how.diverted_to} (diverted: the customer got nothing)",)
    channel = StepChannel(message.channel)
    named = [_as_item(item, message) for item in items]
    owed: list[Owed] = []
    if len(named) < _TOO_MANY:
        for item in named:
            marker = notes.new_marker(installation)
            text = invoice_note(
                channel=channel, step_id=message.step_id, playbook=message.playbook, message_id=message.key,
                subject=message.subject, recipients=recipients, sent_on=today, item=item, marker=marker,
            )  # fmt: skip
            owed.append(Owed(NoteTarget(TargetKind.INVOICE, item.invoice_id), text, marker))
        return owed
    marker = notes.new_marker(installation)
    text = customer_note(
        channel=channel, step_id=message.step_id, playbook=message.playbook, message_id=message.key,
        subject=message.subject, recipients=recipients, sent_on=today, items=named, marker=marker,
    )  # fmt: skip
    owed.append(Owed(NoteTarget(TargetKind.CUSTOMER, message.payer_id), text, marker))
    marker = notes.new_marker(installation)
    text = oldest_note(
        channel=channel, step_id=message.step_id, playbook=message.playbook, message_id=message.key,
        recipients=recipients, sent_on=today, items=named, marker=marker,
    )  # fmt: skip
    oldest = min(named, key=lambda item: (item.due_on or date.max, item.number))
    owed.append(Owed(NoteTarget(TargetKind.INVOICE, oldest.invoice_id), text, marker))
    return owed


def _as_item(item: MessageItem, message: Message) -> Item:
    balance = Money(item.amount, message.currency)
    return Item(
        invoice_id=item.invoice_id,
        number=item.number,
        customer_name="",
        state=InvoiceState.OPEN,
        total=balance,
        balance=balance,
        issued_on=item.due_on or message.planned_on,
        due_on=item.due_on,
        reference=None,
        email=None,
        disputed=None if item.disputed is None else Money(item.disputed, message.currency),
    )
