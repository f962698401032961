"""What a person did by hand, without arsync."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from arsync.acts.days import past
from arsync.acts.noting import note
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.domain.people import TouchKind
from arsync.errors import UsageError
from arsync.playbook.following import followed
from arsync.store import connections, events, ledger, touches
from arsync.store.connections import Connection
from arsync.store.engine import Work


def touch(
    app: App, named: Whom, kind: TouchKind, *, on: date | None, step: str | None, comment: str, who: str,
    about: Collection[str] | None = None,
) -> tuple[int, date]:  # fmt: skip
    """Keeps it with its note: its number, and its day. It counts for gap and caps and, with a step, for the ladder; it
    is about these invoices, else about the one that is named or all that are overdue. UsageError where the day is still
    to come, or no playbook that is followed has that step."""
    with app.store.working() as work:
        company = connections.connection_by_id(work, named.connection_id)
        day, now = past(app, company, on), app.clock.now()
        if step is not None:
            _check_step(app, work, company, named, step)
        if about is None:
            overdue = [] if named.invoice else ledger.overdue(work, company.id, named.payer_id, on=day)
            about = [named.invoice.invoice_id] if named.invoice else overdue
        number = touches.keep_touch(
            work, company.id, payer_id=named.payer_id, kind=kind, made_on=day, step_id=step, invoice_ids=about,
            comment=comment, author=who, now=now,
        )  # fmt: skip
        as_step = f" as {step}" if step else ""
        note(
            app, work, company, named.payer_id, named.invoice_id, by=who, now=now,
            what=f"A {kind} by hand (touch {number}){as_step}, said",
            more=(f"Made on: {day}", *((comment,) if comment else ())),
        )  # fmt: skip
        events.log(
            work, "touch_made", at=now, author=who, connection_id=company.id, touch=number, payer=named.payer_id,
            touch_kind=kind.value, day=day, step=step, comment=comment,
        )  # fmt: skip
        work.commit()
    return number, day


def _check_step(app: App, work: Work, company: Connection, named: Whom, step: str) -> None:
    """UsageError where no playbook that the chase follows has that step."""
    playbooks = followed(
        work, company, app.policy(company), named.payer_id, named.invoice_id, now=app.clock.now()
    )  # fmt: skip
    if not any(step == one.id for playbook in playbooks for one in playbook.steps):
        known = "; ".join(f"{one.name} has {', '.join(step.id for step in one.steps) or 'none'}" for one in playbooks)
        raise UsageError(f"--step {step!r}: no step of the playbook that is followed: {known}")
