"""Facts that are to stand on invoices in the source: planned here, written with the notes."""

from __future__ import annotations

from datetime import date, datetime

from arsync.domain.states import WriteKind
from arsync.store import connections, ledger, notes
from arsync.store import messages as outbox
from arsync.store.engine import Work
from arsync.store.messages import Message


def mark_sent(work: Work, message: Message, *, now: datetime) -> int:
    """Plans the mark for every invoice that the message demands and the source holds for not sent; how many."""
    demanded = [item.invoice_id for item in outbox.items(work, message.id) if item.demanded]
    unsent = ledger.unsent(work, message.connection_id, demanded)
    for invoice_id in unsent:
        notes.plan_fact(
            work,
            connection_id=message.connection_id,
            kind=WriteKind.SENT,
            invoice_id=invoice_id,
            value="true",
            text=f"the mark that invoice {ledger.invoice_number(work, message.connection_id, invoice_id)} was sent",
            marker=_marker(work),
            message_id=message.id,
            now=now,
        )
    return len(unsent)


def expect(work: Work, connection_id: int, invoice_id: str, on: date, *, now: datetime) -> None:
    """Plans that the source expects the money of an invoice on that day; an older day not yet written is forgotten."""
    number = ledger.invoice_number(work, connection_id, invoice_id)
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


def _marker(work: Work) -> str:
    return notes.new_marker(connections.installation(work).key)
