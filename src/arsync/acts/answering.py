"""What a person makes of a customer's answer: what it says, whose it is, or that it was nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from arsync.acts.holding import put
from arsync.acts.lifting import end
from arsync.acts.noting import note
from arsync.acts.promising import give, owed_by, promised_part
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.domain.chase import Hold
from arsync.domain.replies import FOR_A_PERSON, ReplyState
from arsync.domain.states import HoldKind, HoldState
from arsync.errors import NotFound, UsageError
from arsync.inbox.intake import pause, stop
from arsync.store import connections, events, finding, holds, messages, replies
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.finding import FoundInvoice
from arsync.store.replies import Reply

_GRACE: Final = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reply says, as a person read it: one of a promise, a dispute and a pause, or nothing to keep."""

    promised_on: date | None = None
    amount: str | None = None  # of the promise; None: all that is open
    currency: str | None = None  # of it, where they owe in several
    dispute: str | None = None  # what they contest
    paused_until: date | None = None  # nothing goes out until after that day
    invoice: FoundInvoice | None = None  # which it is about; None: the one of the message, or all that they pay for
    comment: str = ""


def known(work: Work, number: int) -> Reply:
    """The reply of that number; NotFound where there is none."""
    one = replies.get(work, number)
    if one is None:
        raise NotFound(f"reply {number}")
    return one


def done(app: App, number: int, said: Answer, *, who: str) -> str:
    """Keeps what it says, in one commit with that a person has handled it: the chase goes on, but for what stands by
    then. What was done, in words. NotFound where it does not wait; UsageError with what cannot be kept."""
    if sum((said.promised_on is not None, said.dispute is not None, said.paused_until is not None)) > 1:
        raise UsageError("one of a promise, a dispute and a pause")
    with app.store.reading() as work:
        one = known(work, number)
        keeps = said.promised_on is not None or said.dispute is not None or said.paused_until is not None
        named = _about(work, one, said.invoice, single=said.dispute is not None) if keeps else None
    with app.store.working() as work:
        placed, outcome = [], said.comment.strip() or "handled"
        if named is not None:
            reason = said.comment.strip() or f"reply {one.id} of {one.sender}"
            company = connections.connection_by_id(work, named.connection_id)
            hold_id, outcome = (
                _promise(app, work, company, named, said, said.promised_on, reason, who)
                if said.promised_on is not None
                else _hold(app, work, company, named, said, reason, who)
            )
            placed.append(hold_id)
        if not replies.finish(work, number, outcome=outcome, placed=placed, author=who, now=app.clock.now()):
            raise NotFound(f"reply {number} that waits")
        release(app, work, one, outcome, who, noted=not placed)
        work.commit()
    return outcome


def _promise(
    app: App, work: Work, company: Connection, named: Whom, said: Answer, day: date, reason: str, who: str
) -> tuple[int, str]:
    agreed = promised_part(owed_by(work, named, said.currency), said.amount)
    given = give(app, work, company, [named], agreed, day, _GRACE, reason=reason, who=who)
    hold_id = given.holds[0]
    note(
        app, work, company, named.payer_id, named.invoice_id, by=who, now=app.clock.now(),
        what=f"Promise (hold {hold_id}): {agreed} by {day} for {named.what}, said",
        more=(f"How: {reason}", f"In time until: {given.until}"),
    )  # fmt: skip
    return hold_id, f"{agreed} promised by {day} for {named.what}; it is in time until {given.until}"


def _hold(
    app: App, work: Work, company: Connection, named: Whom, said: Answer, reason: str, who: str
) -> tuple[int, str]:
    today, last, dispute = app.today(company), said.paused_until, said.dispute
    if last is not None and last < today:
        raise UsageError(f"{last} has passed; today is {today}", field="until")
    if dispute is not None and not dispute.strip():
        raise UsageError("say what is contested", field="dispute")
    kind = HoldKind.PAUSE if dispute is None else HoldKind.DISPUTE
    hold = Hold(kind, dispute or reason, who, named.payer_id, named.invoice_id, today, last)
    hold_id = put(app, work, company, hold, what=named.what, now=app.clock.now())
    return hold_id, f"{kind} on {named.what}{f' until {last}' if last else ''} (hold {hold_id})"


def _about(work: Work, one: Reply, invoice: FoundInvoice | None, *, single: bool) -> Whom:
    """What a reply speaks of: the invoice that is named, the one of the message, or all that the payer owes."""
    if one.payer_id is None or one.connection_id is None:
        raise UsageError(
            f"nobody knows whose reply {one.id} is: say that first (arsync replies match {one.id} --customer NAME)"
        )
    company = connections.connection_by_id(work, one.connection_id)
    name = finding.customer_name(work, company.id, one.payer_id)
    items = messages.items(work, one.message_id) if one.message_id is not None else []
    demanded = [item for item in items if item.demanded]
    if invoice is None and len(demanded) == 1:
        invoice = next(iter(finding.invoices_of(work, company.id, [demanded[0].invoice_id])), None)
    if invoice is None:
        if single:
            listed = ", ".join(item.number for item in demanded)
            raise UsageError(f"which invoice is contested{f' ({listed})' if listed else ''}?", field="invoice")
        return Whom(company.id, one.payer_id, None, f"everything {name} pays for")
    if (invoice.connection_id, invoice.payer_id) != (company.id, one.payer_id):
        raise UsageError(f"{invoice.number} is not paid for by {name}", field="invoice")
    return Whom(company.id, one.payer_id, invoice, f"invoice {invoice.number} of {invoice.customer}")


def release(app: App, work: Work, one: Reply, outcome: str, who: str, *, noted: bool) -> None:
    """Ends the pause; with `noted` the source is told, where nothing else of it is."""
    now = app.clock.now()
    events.log(
        work, "reply_handled", at=now, author=who, connection_id=one.connection_id, message_id=one.message_id,
        reply=one.id, outcome=outcome, payer=one.payer_id,
    )  # fmt: skip
    if one.connection_id is None:
        return
    for lifted in holds.lift_with(work, one.connection_id, reply_id=one.id, now=now):
        events.log(work, "hold_lifted", at=now, author=who, connection_id=one.connection_id, hold=lifted.id)
    if noted and one.payer_id is not None:
        company = connections.connection_by_id(work, one.connection_id)
        note(app, work, company, one.payer_id, None, what=f"Reply {one.id} handled", more=(outcome,), by=who, now=now)


def match(app: App, number: int, connection_id: int, payer_id: str, *, who: str) -> str:
    """Says whose a reply is of which nobody knew: that customer's chase is paused until it is done. The customer's
    name; NotFound where no such reply waits, UsageError where somebody has said it by now."""
    with app.store.working() as work:
        one = known(work, number)
        name = finding.customer_name(work, connection_id, payer_id)
        if one.kind not in FOR_A_PERSON or one.state is not ReplyState.WAITING:
            raise NotFound(f"reply {number} that waits and pauses")
        why = f"{one.why}; {who} said that it is of {name}"
        if not replies.assign(work, number, connection_id=connection_id, payer_id=payer_id, why=why):
            raise UsageError(f"reply {number} is known to be of {whose(work, one)}")
        stop(work, number, app.fronts(), now=app.clock.now())
        events.log(
            work, "reply_matched", at=app.clock.now(), author=who, connection_id=connection_id, reply=number,
            payer=payer_id,
        )  # fmt: skip
        work.commit()
    return name


def whose(work: Work, one: Reply) -> str | None:
    """The name of the customer who wrote it; None where nobody knows."""
    if one.connection_id is None or one.payer_id is None:
        return None
    return finding.customer_name(work, one.connection_id, one.payer_id)


def undo(app: App, number: int, *, who: str) -> str | None:
    """Takes back that a reply is done, with what was kept of it: it waits again, and the chase is paused. What had come
    of it; NotFound where it is not done."""
    with app.store.working() as work:
        one, now = known(work, number), app.clock.now()
        if not replies.reopen(work, number):
            raise NotFound(f"reply {number} that is done")
        for hold_id in one.placed:
            standing = holds.get(work, hold_id)
            if standing is not None and standing.state is HoldState.ACTIVE:
                end(app, work, hold_id, who=who)
        if one.kind in FOR_A_PERSON and one.payer_id is not None and one.connection_id is not None:
            company = connections.connection_by_id(work, one.connection_id)
            pause(work, one, timezone=app.timezone(company), now=now)
        events.log(
            work, "reply_reopened", at=now, author=who, connection_id=one.connection_id, message_id=one.message_id,
            reply=number, outcome=one.outcome, payer=one.payer_id,
        )  # fmt: skip
        work.commit()
    return one.outcome
