"""The end of what stops a chase."""

from __future__ import annotations

from datetime import datetime

from arsync.acts.noting import kept, note
from arsync.bootstrap import App
from arsync.domain.states import HoldKind, WriteKind
from arsync.errors import NotFound
from arsync.outbox import facts
from arsync.store import connections, events, finding, holds, promises
from arsync.store.engine import Work
from arsync.store.holds import PlacedHold


def scope(work: Work, placed: PlacedHold) -> str:
    """What a hold stops, in words."""
    hold = placed.hold
    if hold.payer_id is None:
        return "everybody"
    payer = finding.customer_name(work, placed.connection_id, hold.payer_id)
    if hold.invoice_id is None:
        return f"everything {payer} pays for"
    part = f"{hold.part} of " if hold.part else ""
    return f"{part}{finding.invoice_number(work, placed.connection_id, hold.invoice_id)} of {payer}"


def end(app: App, work: Work, hold_id: int, *, who: str) -> str:
    """Ends a hold in this work, with what it stands for: what was done; NotFound where it is not active."""
    now = app.clock.now()
    lifted = holds.lift(work, hold_id, now=now)
    if lifted is None:
        raise NotFound(f"active hold {hold_id}")
    others, told = end_with(app, work, lifted, now)
    connection = connections.connection_by_id(work, lifted.connection_id)
    what = f"{lifted.hold.kind} on {scope(work, lifted)} by {lifted.hold.author}: {lifted.hold.reason}"
    for one in (lifted, *others):
        kind = one.hold.kind.value.replace("_", "-").capitalize()
        note(
            app, work, connection, one.hold.payer_id, one.hold.invoice_id,
            what=f"{kind} (hold {one.id}) lifted", more=(f"It was: {one.hold.reason}",), by=who, now=now,
        )  # fmt: skip
        events.log(work, "hold_lifted", at=now, author=who, connection_id=connection.id, hold=one.id)
    with_it = f", and with it {', '.join(f'hold {one.id}' for one in others)}" if others else ""
    return f"hold {hold_id} is lifted ({what}){with_it}{told}"


def end_with(app: App, work: Work, lifted: PlacedHold, now: datetime) -> tuple[list[PlacedHold], str]:
    """Takes back what a lifted hold stood for: the other holds that ended with it, and what to say of the source."""
    others = promises.withdraw(work, lifted, now=now)
    told = [_took_back(app, work, one, now) for one in (lifted, *others)]
    return others, next((said for said in told if said), "")


def _took_back(app: App, work: Work, lifted: PlacedHold, now: datetime) -> str:
    """Has the source forget the day of a promise that is no more; what to say of it."""
    invoice_id = lifted.hold.invoice_id
    if lifted.hold.kind is not HoldKind.PROMISE or invoice_id is None:
        return ""
    connection = connections.connection_by_id(work, lifted.connection_id)
    if not facts.follow_promises(work, connection.id, invoice_id, today=app.today(connection), now=now):
        return ""
    writes = WriteKind.EXPECTED_ON in kept(app, connection)
    return f"; the accounting system is told {'with the next run' if writes else 'once it may be written to'}"
