"""What people did and want remembered: calls, call, touch, comment, owner, contact, undo."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final

import typer

from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.holding import note
from arsync.cli.naming import CustomerOption, InvoiceArgument, Whom, one_payer, whom
from arsync.cli.output import dump, flat, say, table
from arsync.domain.documents import Contact, ContactRole
from arsync.domain.people import CallOutcome, Owner, TouchKind
from arsync.domain.policy import StepChannel
from arsync.errors import NotFound, UsageError
from arsync.store import connections, events, ledger, messages, own_contacts, owners, touches
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.messages import Message

_DAY: Final = "%Y-%m-%d"
#: What to do after a call, so that it stops what it should.
_THEN: Final = {
    CallOutcome.PROMISED: "keep it: arsync promise",
    CallOutcome.DISPUTED: "keep it: arsync dispute",
    CallOutcome.PAID: "look whether it came: arsync sync",
    CallOutcome.WRONG_NUMBER: "mend the number: arsync contact",
}


class Undone(StrEnum):
    """What can be taken back by its number."""

    TOUCH = "touch"
    CALL = "call"
    COMMENT = "comment"


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(calls)
    program.command()(call)
    program.command()(touch)
    program.command()(comment)
    program.command()(owner)
    program.command()(contact)
    program.command()(undo)


# --- calls of the list -----------------------------------------------------------------------------------------


def calls(
    context: typer.Context,
    message_id: Annotated[int | None, typer.Argument(metavar="[MESSAGE]", help="Print this call's script.")] = None,
    as_json: Json = False,
) -> None:
    """Lists the calls to make, the most money first, or prints the script of one."""
    with opened(context) as app, app.store.reading() as work:
        due = waiting_calls(work)
        payers = {one.id: ledger.customer_name(work, one.connection_id, one.payer_id) for one in due}
    if message_id is not None:
        script = next((one for one in due if one.id == message_id), None)
        if script is None:
            raise NotFound(f"call {message_id} on the list")
        dump(script) if as_json else say(f"{script.subject}\n\n{script.text}")
        return
    if as_json:
        dump(due)
        return
    table(
        ("id", "since", "payer", "at stake", "about"),
        [(one.id, one.sent_on, payers[one.id], f"{one.amount:,.2f} {one.currency}", one.subject) for one in due],
        right=("at stake",),
    )


def waiting_calls(work: Work) -> list[Message]:
    """The calls to make: those of which nobody has said how they went, or that nobody took."""
    spoken = {
        one.message_id
        for linked in connections.connections(work)
        for one in touches.outcomes(work, linked.id)
        if one.outcome is not CallOutcome.NO_ANSWER
    }
    return [one for one in messages.calls(work) if one.id not in spoken]


def call(
    context: typer.Context,
    message_id: Annotated[int, typer.Argument(metavar="MESSAGE", help="As `arsync calls` lists it.")],
    outcome: Annotated[CallOutcome, typer.Option(help="How it went.")],
    on: Annotated[datetime | None, typer.Option("--on", formats=[_DAY], help="Default: today.")] = None,
    comment: Annotated[str, typer.Option(help="What was said.")] = "",
    author: Author = None,
) -> None:
    """Keeps how a call of the list went; playbooks branch on it."""
    with opened(context) as app, app.store.working() as work:
        made = next((one for one in messages.calls(work) if one.id == message_id), None)
        if made is None or made.channel != StepChannel.CALL:
            raise NotFound(f"call {message_id} on the list")
        company = connections.connection_by_id(work, made.connection_id)
        who, day, now = author_or_me(author), _past(app, company, on), app.clock.now()
        number = touches.keep_outcome(work, message_id, outcome, made_on=day, comment=comment, author=who, now=now)
        said = outcome.replace("_", " ")
        note(
            app, work, company, made.payer_id, None, what=f"Call {message_id} ({made.step_id}) made: {said}, said",
            more=(f"Called on: {day}", *((comment,) if comment else ())), by=who, now=now,
        )  # fmt: skip
        events.log(
            work, "call_made", at=now, author=who, connection_id=company.id, chase_id=made.chase_id,
            message_id=message_id, outcome=outcome.value, day=day, comment=comment, number=number,
        )  # fmt: skip
        work.commit()
    then = f"; {_THEN[outcome]}" if outcome in _THEN else ""
    say(f"call {message_id}: {said} on {day} (take it back by: arsync undo call {number}){then}")


# --- by hand ------------------------------------------------------------------------------------------------------


def touch(
    context: typer.Context,
    invoice: InvoiceArgument = None,
    customer: CustomerOption = None,
    kind: Annotated[TouchKind, typer.Option(help="How.")] = TouchKind.CALL,
    on: Annotated[datetime | None, typer.Option("--on", formats=[_DAY], help="Default: today.")] = None,
    step: Annotated[str | None, typer.Option(help="The step of the playbook that it stood for.")] = None,
    comment: Annotated[str, typer.Option(help="What was said.")] = "",
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Keeps a call, mail, letter or visit made by hand: it counts for gap and caps and, with a step, for the ladder."""
    with opened(context) as app:
        named = whom(app, invoice, customer, connection)
        with app.store.working() as work:
            company = connections.connection_by_id(work, named.connection_id)
            who, day, now = author_or_me(author), _past(app, company, on), app.clock.now()
            if step is not None:
                _check_step(app, company, step)
            about = (
                [named.invoice.invoice_id]
                if named.invoice
                else ledger.overdue(work, company.id, named.payer_id, on=day)
            )
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
    say(flat(f"{kind} on {day}{as_step} about {named.what}: it counts (take it back by: arsync undo touch {number})"))


def _past(app: App, company: Connection, on: datetime | None) -> date:
    today = app.today(company)
    day = on.date() if on else today
    if day > today:
        raise UsageError(f"--on {day} is still to come; today is {today}")
    return day


def _check_step(app: App, company: Connection, step: str) -> None:
    known = [one.id for one in app.policy(company).playbook.steps]
    if step not in known:
        raise UsageError(f"--step {step!r}: the playbook has {', '.join(known)}")


def comment(
    context: typer.Context,
    text: Annotated[str, typer.Option(help="What is to be remembered.")],
    invoice: InvoiceArgument = None,
    customer: CustomerOption = None,
    follow_up: Annotated[
        datetime | None, typer.Option("--follow-up", formats=[_DAY], help="A task from that day on.")
    ] = None,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Keeps a comment on an invoice or a customer; with a day it is a task from then on. It stops nothing."""
    with opened(context) as app:
        named = whom(app, invoice, customer, connection)
        if not text.strip():
            raise UsageError("--text: say what")
        with app.store.working() as work:
            company = connections.connection_by_id(work, named.connection_id)
            who, now = author_or_me(author), app.clock.now()
            day = follow_up.date() if follow_up else None
            if day is not None and day < app.today(company):
                raise UsageError(f"--follow-up {day} has passed; today is {app.today(company)}")
            number = touches.keep_comment(
                work, company.id, payer_id=named.payer_id, invoice_id=named.invoice_id, text=text, follow_up=day,
                author=who, now=now,
            )  # fmt: skip
            again = (f"To be looked at again on: {day}",) if day else ()
            note(
                app, work, company, named.payer_id, named.invoice_id, by=who, now=now,
                what=f"Comment {number} made", more=(text, *again),
            )  # fmt: skip
            events.log(
                work, "comment_made", at=now, author=who, connection_id=company.id, comment=number,
                payer=named.payer_id, invoice=named.invoice_id, follow_up=day,
            )  # fmt: skip
            work.commit()
    later = f", a task from {day} on" if day else ""
    say(flat(f"comment {number} on {named.what}{later} (done with it: arsync undo comment {number})"))


def undo(
    context: typer.Context,
    what: Annotated[Undone, typer.Argument(help="What kind.")],
    number: Annotated[int, typer.Argument(help="As it was told when it was kept.")],
    author: Author = None,
) -> None:
    """Takes back a touch or the outcome of a call, or is done with a comment; says what that was."""
    with opened(context) as app, app.store.working() as work:
        who, now = author_or_me(author), app.clock.now()
        connection_id, payer_id, invoice_id, said = _taken_back(work, what, number, now)
        company = connections.connection_by_id(work, connection_id)
        end = "done with" if what is Undone.COMMENT else "taken back"
        note(
            app, work, company, payer_id, invoice_id, by=who, now=now,
            what=f"{what.capitalize()} {number} {end}", more=(f"It was: {said}",),
        )  # fmt: skip
        events.log(
            work, f"{what}_undone", at=now, author=who, connection_id=connection_id, number=number, payer=payer_id
        )
        name = ledger.customer_name(work, connection_id, payer_id)
        work.commit()
    say(flat(f"{what} {number} is {end}: {said} ({name})"))


def _taken_back(work: Work, what: Undone, number: int, now: datetime) -> tuple[int, str, str | None, str]:
    match what:
        case Undone.TOUCH:
            if (made := touches.undo_touch(work, number, now=now)) is not None:
                as_step = f" as {made.step_id}" if made.step_id else ""
                said = f"a {made.kind} on {made.made_on}{as_step} by {made.author} {made.comment}"
                single = made.invoice_ids[0] if len(made.invoice_ids) == 1 else None
                return made.connection_id, made.payer_id, single, said.strip()
        case Undone.CALL:
            if (spoken := touches.undo_outcome(work, number, now=now)) is not None:
                said = f"{spoken.outcome} on {spoken.made_on} by {spoken.author} {spoken.comment}"
                return spoken.connection_id, spoken.payer_id, None, said.strip()
        case Undone.COMMENT:
            if (kept := touches.end_comment(work, number, now=now)) is not None:
                return kept.connection_id, kept.payer_id, kept.invoice_id, f"{kept.text} ({kept.author})"
    raise NotFound(f"{what} {number} that stands")


# --- people ---------------------------------------------------------------------------------------------------------


def owner(
    context: typer.Context,
    customer: Annotated[str | None, typer.Argument(help="A customer; left out: all are listed.")] = None,
    name: Annotated[str | None, typer.Option(help="Who looks after it from now on.")] = None,
    email: Annotated[str | None, typer.Option(help="Their address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Their number.")] = None,
    signature: Annotated[
        str | None, typer.Option(help="What their messages end with; `\\n` begins another line.")
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Take the owner away.")] = False,
    connection: ConnectionOption = None,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Says who of our people looks after a customer, or lists it."""
    with opened(context) as app:
        if customer is None or not (name or nobody):
            _list_owners(app, customer, connection, as_json)
            return
        found = one_payer(app, customer, connection)
        named = Whom(found.connection_id, found.payer_id, None, found.name)
        lines = signature.replace("\\n", "\n") if signature else None
        with app.store.working() as work:
            company = connections.connection_by_id(work, found.connection_id)
            fresh = None if nobody else Owner(name or "", email, phone, lines)
            changed = change_owner(app, work, company, named, fresh, author_or_me(author))
            work.commit()
    say(flat(changed))


def change_owner(app: App, work: Work, company: Connection, named: Whom, fresh: Owner | None, who: str) -> str:
    """Gives a payer another owner, or none, with its note: what was done, in a sentence."""
    now = app.clock.now()
    before = owners.of_customer(work, company.id, named.payer_id)
    was = f" (it was {before.name})" if before else ""
    if fresh is None:
        if owners.take_away(work, company.id, named.payer_id) is None:
            return f"{named.what} has no owner"
        what = f"{named.what} has no owner any more{was}"
    else:
        if not owners.put(work, company.id, named.payer_id, fresh, author=who, now=now):
            return f"{named.what}: {fresh.name} looks after it already"
        what = f"{named.what}: {fresh.name} looks after it{was}"
    note(app, work, company, named.payer_id, None, what=f"Owner: {what}, said", by=who, now=now)
    events.log(
        work, "owner_changed", at=now, author=who, connection_id=company.id, payer=named.payer_id,
        owner=fresh and fresh.name, before=before and before.name,
    )  # fmt: skip
    return what


def _list_owners(app: App, customer: str | None, connection: str | None, as_json: bool) -> None:
    only = None if customer is None else one_payer(app, customer, connection)
    with app.store.reading() as work:
        rows = [
            (linked.name, customer_id, ledger.customer_name(work, linked.id, customer_id), one)
            for linked in connections.connections(work)
            for customer_id, one in owners.of_customers(work, linked.id).items()
            if only is None or (linked.id, customer_id) == (only.connection_id, only.payer_id)
        ]
    if as_json:
        dump([{"connection": a, "customer_id": b, "customer": c, "owner": d} for a, b, c, d in rows])
        return
    rows.sort(key=lambda row: (row[0], row[2]))
    table(
        ("connection", "customer", "owner", "e-mail", "phone"),
        [(a, c, one.name, one.email, one.phone) for a, _, c, one in rows],
    )


def contact(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="A customer's name, id or e-mail.")],
    email: Annotated[str, typer.Argument(help="The person's address.")],
    name: Annotated[str, typer.Option(help="The person's name.")] = "",
    phone: Annotated[str | None, typer.Option(help="The person's number.")] = None,
    role: Annotated[ContactRole, typer.Option(help="Who is sent the invoices is `billing`.")] = ContactRole.BILLING,
    remove: Annotated[bool, typer.Option("--remove", help="Forget the person that was added by hand.")] = False,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Adds a person at a customer whom the accounting system does not know; no sync takes them away."""
    with opened(context) as app:
        found = one_payer(app, customer, connection)
        named = Whom(found.connection_id, found.payer_id, None, found.name)
        with app.store.working() as work:
            company = connections.connection_by_id(work, found.connection_id)
            who = author_or_me(author)
            if remove:
                said = forget_contact(app, work, company, named, email, who)
            else:
                said = add_contact(app, work, company, named, Contact(name, email, phone, role), who)
            work.commit()
    say(flat(said))


def add_contact(app: App, work: Work, company: Connection, named: Whom, fresh: Contact, who: str) -> str:
    """Adds or changes a person, with a note: what was done, in a sentence."""
    now = app.clock.now()
    if not own_contacts.put(work, company.id, named.payer_id, fresh, author=who, now=now):
        return f"{named.what}: {fresh.email} is known already"
    what = f"{named.what}: {fresh.name} <{fresh.email}> is {fresh.role}"
    note(app, work, company, named.payer_id, None, what=f"Contact by hand: {what}, said", by=who, now=now)
    events.log(
        work, "contact_added", at=now, author=who, connection_id=company.id, payer=named.payer_id, email=fresh.email,
        role=fresh.role.value,
    )  # fmt: skip
    return what


def forget_contact(app: App, work: Work, company: Connection, named: Whom, email: str, who: str) -> str:
    """Forgets a person that was added by hand; NotFound where there is none."""
    now = app.clock.now()
    if not own_contacts.take_away(work, company.id, named.payer_id, email):
        raise NotFound(f"contact {email} of {named.what} that was added by hand")
    what = f"{named.what}: {email} is no contact by hand any more"
    note(app, work, company, named.payer_id, None, what=f"Contact by hand: {what}, said", by=who, now=now)
    events.log(work, "contact_removed", at=now, author=who, connection_id=company.id, payer=named.payer_id, email=email)
    return what
