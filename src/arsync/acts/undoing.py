"""What a person kept, taken back: a touch, the outcome of a call, a comment."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from arsync.acts.calling import take_back
from arsync.acts.noting import note
from arsync.bootstrap import App
from arsync.errors import NotFound
from arsync.store import connections, events, finding, touches
from arsync.store.connections import Connection
from arsync.store.engine import Work


class Undone(StrEnum):
    """What can be taken back by its number."""

    TOUCH = "touch"
    CALL = "call"
    COMMENT = "comment"


def undo(app: App, what: Undone, number: int, *, who: str) -> tuple[str, str]:
    """Takes it back with all that was kept of it: what it was, and whose. NotFound where it does not stand."""
    with app.store.working() as work:
        now = app.clock.now()
        company, payer_id, invoice_id, said = _taken_back(app, work, what, number, who, now)
        note(
            app, work, company, payer_id, invoice_id, by=who, now=now,
            what=f"{what.capitalize()} {number} {ended(what)}", more=(f"It was: {said}",),
        )  # fmt: skip
        events.log(work, f"{what}_undone", at=now, author=who, connection_id=company.id, number=number, payer=payer_id)
        name = finding.customer_name(work, company.id, payer_id)
        work.commit()
    return said, name


def ended(what: Undone) -> str:
    """What it is then."""
    return "done with" if what is Undone.COMMENT else "taken back"


def _taken_back(
    app: App, work: Work, what: Undone, number: int, who: str, now: datetime
) -> tuple[Connection, str, str | None, str]:
    match what:
        case Undone.TOUCH:
            if (made := touches.undo_touch(work, number, now=now)) is not None:
                as_step = f" as {made.step_id}" if made.step_id else ""
                comment = f": {made.comment}" if made.comment else ""
                said = f"a {made.kind} on {made.made_on}{as_step}, by {made.author}{comment}"
                single = made.invoice_ids[0] if len(made.invoice_ids) == 1 else None
                company = connections.connection_by_id(work, made.connection_id)
                return company, made.payer_id, single, said
        case Undone.CALL:
            return take_back(app, work, number, who, now)
        case Undone.COMMENT:
            if (kept := touches.end_comment(work, number, now=now)) is not None:
                company = connections.connection_by_id(work, kept.connection_id)
                return company, kept.payer_id, kept.invoice_id, f"{kept.text} ({kept.author})"
    raise NotFound(f"{what} {number} that stands")
