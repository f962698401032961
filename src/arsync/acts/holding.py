"""What stops a chase."""

from __future__ import annotations

from datetime import datetime

from arsync.acts.noting import kept, note
from arsync.bootstrap import App
from arsync.domain.chase import Hold
from arsync.domain.money import Money, amount
from arsync.domain.states import HoldKind, WriteKind
from arsync.errors import UsageError
from arsync.outbox import facts
from arsync.store import connections, events, holds
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.finding import FoundInvoice


def contested_part(found: FoundInvoice, written: str) -> Money | None:
    """The amount in the invoice's currency; None where it is all that is open."""
    contested = money(written, found.balance.currency)
    if contested > found.balance:
        raise UsageError(f"of {found.number} {found.balance} is open: no more of it can be contested", field="amount")
    return contested if contested < found.balance else None


def money(written: str, currency: str) -> Money:
    """An amount above zero as a person writes it, `1,250.00` too; UsageError otherwise."""
    try:
        exact = amount(written.replace(",", ""))
    except ValueError:
        raise UsageError(f"{written!r} is no amount: write 1250.00", field="amount") from None
    if exact <= 0:
        raise UsageError(f"{written!r}: an amount above zero", field="amount")
    return Money(exact, currency)


def put(
    app: App, work: Work, connection: Connection, placed: Hold, *, what: str, now: datetime, noted: bool = True,
    call_id: int | None = None,
) -> int:  # fmt: skip
    """Places a hold in this work, with its event and its note (one at its target); its number."""
    hold_id = holds.place(work, connection.id, placed, now=now, call_id=call_id)
    events.log(
        work, "hold_placed", at=now, author=placed.author, connection_id=connection.id, hold=hold_id,
        hold_kind=placed.kind.value, payer=placed.payer_id, invoice=placed.invoice_id, reason=placed.reason,
        part=placed.part and str(placed.part), code=placed.code,
    )  # fmt: skip
    if noted:
        said, more = told(placed, hold_id, what)
        note(
            app, work, connection, placed.payer_id, placed.invoice_id, what=f"{said} set", more=more,
            by=placed.author, now=now,
        )  # fmt: skip
    return hold_id


def told(placed: Hold, hold_id: int, what: str) -> tuple[str, tuple[str, ...]]:
    """A hold as its note tells it: what it is, and the lines below."""
    kind = placed.kind.value.replace("_", "-").capitalize()
    why = f"{placed.code.replace('_', ' ')}: {placed.reason}" if placed.code else placed.reason
    until = f"Until: {placed.until or 'lifted by a person'}"
    return f"{kind} (hold {hold_id}) of {what}", (f"Why: {why}", until)


def place(app: App, connection_id: int, placed: Hold, *, what: str) -> tuple[int, bool]:
    """Places a hold with its note: its number, and whether the accounting system is told of it as well. UsageError
    where it has no reason, or would be over already."""
    if not placed.reason.strip():
        raise UsageError("the reason is missing: say why", field="reason")
    if placed.until is not None and placed.until < placed.begins:
        raise UsageError(f"{placed.until} has passed; today is {placed.begins}", field="until")
    with app.store.working() as work:
        connection = connections.connection_by_id(work, connection_id)
        now = app.clock.now()
        hold_id = put(app, work, connection, placed, what=what, now=now)
        promised = placed.kind is HoldKind.PROMISE and WriteKind.EXPECTED_ON in kept(app, connection)
        told_there = False
        if promised and placed.invoice_id is not None and placed.until is not None:
            facts.expect(work, connection_id, placed.invoice_id, placed.until, now=now)
            told_there = True
        work.commit()
    return hold_id, told_there
