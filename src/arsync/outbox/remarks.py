"""What people said, for the people who work in the accounting system: one note at its target, in the same work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from arsync.connector import NoteTarget, TargetKind
from arsync.render.note import said_note
from arsync.store import connections, notes
from arsync.store.engine import Work


def remark(
    work: Work, connection_id: int, *, payer_id: str | None, invoice_id: str | None, on: date, what: str,
    more: Sequence[str] = (), by: str, now: datetime,
) -> None:  # fmt: skip
    """Plans the note on the invoice, else on the customer; what concerns everybody has no place there."""
    if invoice_id is not None:
        target = NoteTarget(TargetKind.INVOICE, invoice_id)
    elif payer_id is not None:
        target = NoteTarget(TargetKind.CUSTOMER, payer_id)
    else:
        return
    marker = notes.new_marker(connections.installation(work).key)
    text = said_note(on=on, what=what, more=more, by=by, marker=marker)
    notes.plan(
        work, connection_id=connection_id, message_id=None, target=target, text=text, marker=marker, now=now
    )  # fmt: skip
