"""What a person decides: hold, dispute, holds, lift, approve, stop, start."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.output import complain, dump, flat, say, table
from arsync.domain.chase import Hold
from arsync.domain.states import HoldKind, MessageState, WriteKind
from arsync.errors import Ambiguous, ConfigurationError, NotFound, UsageError
from arsync.outbox import facts
from arsync.store import connections, events, holds, ledger, messages
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.ledger import FoundInvoice

_DAY = "%Y-%m-%d"
#: Before an id, where a number of one invoice is the id of another.
_BY_ID = "id:"
Until = Annotated[datetime | None, typer.Option(formats=[_DAY], help="The last day of it; default: until lifted.")]
Reason = Annotated[str, typer.Option(help="Why; it is shown wherever it stops something.")]


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(hold)
    program.command()(dispute)
    program.command("holds")(list_holds)
    program.command()(lift)
    program.command()(calls)
    program.command()(approve)
    program.command()(stop)
    program.command()(start)


def hold(
    context: typer.Context,
    reason: Reason,
    invoice: Annotated[str | None, typer.Argument(help="An invoice's number.")] = None,
    customer: Annotated[str | None, typer.Option(help="A customer's name or id instead: all it pays for.")] = None,
    kind: Annotated[HoldKind, typer.Option(help="What kind of stop.")] = HoldKind.PAUSE,
    until: Until = None,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Stops the chase of one invoice, or of everything a customer pays for."""
    if (invoice is None) == (customer is None):
        raise UsageError("name an invoice, or --customer")
    with opened(context) as app:
        last = until.date() if until else None
        if invoice is not None:
            found = one_invoice(app, invoice, connection)
            place(app, found, kind=kind, reason=reason, until=last, author=author)
            return
        assert customer is not None
        with app.store.reading() as work:
            people = ledger.find_customers(work, customer, connection)
        if not people:
            raise NotFound(f"customer {customer!r}")
        if len({(one.connection_id, one.payer_id) for one in people}) > 1:
            listed = "; ".join(f"{one.customer_id} --connection {one.connection} ({flat(one.name)})" for one in people)
            raise Ambiguous(f"customer {customer!r}: {listed}")
        _place(
            app, people[0].connection_id, payer_id=people[0].payer_id, invoice_id=None, kind=kind, reason=reason,
            until=last, author=author, what=f"everything {people[0].name} pays for",
        )  # fmt: skip


def dispute(
    context: typer.Context,
    invoice: Annotated[str, typer.Argument(help="The invoice's number.")],
    reason: Reason,
    until: Until = None,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Says that the customer contests an invoice: it is not chased; the rest of the customer's is."""
    with opened(context) as app:
        found = one_invoice(app, invoice, connection)
        last = until.date() if until else None
        place(app, found, kind=HoldKind.DISPUTE, reason=reason, until=last, author=author)


def one_invoice(app: App, number: str, connection: str | None) -> FoundInvoice:
    """The invoice of that number, or of that id where no number fits or it is written `id:...`.

    Ambiguous with the list where there are several.
    """
    by_id = number.startswith(_BY_ID)
    wanted = number.removeprefix(_BY_ID)
    with app.store.reading() as work:
        if connection is not None:
            connections.connection(work, connection)  # or NotFound, with the names there are
        both = ledger.find_invoices(work, wanted, connection)
    numbered = [] if by_id else [one for one in both if one.number == wanted]
    found = numbered or [one for one in both if one.invoice_id == wanted]
    if not found:
        raise NotFound(f"invoice {number!r}")
    if len(found) > 1:
        listed = "; ".join(
            f"{_BY_ID}{one.invoice_id} --connection {one.connection} ({flat(one.customer)}, {one.total})"
            for one in found
        )
        raise Ambiguous(f"invoice {number!r}: {listed}")
    return found[0]


def place(app: App, found: FoundInvoice, *, kind: HoldKind, reason: str, until: date | None, author: str | None) -> int:
    """Places a hold on one invoice and says so."""
    return _place(
        app, found.connection_id, payer_id=found.payer_id, invoice_id=found.invoice_id, kind=kind, reason=reason,
        until=until, author=author, what=f"invoice {found.number} of {found.customer}",
    )  # fmt: skip


def _place(
    app: App,
    connection_id: int,
    *,
    payer_id: str,
    invoice_id: str | None,
    kind: HoldKind,
    reason: str,
    until: date | None,
    author: str | None,
    what: str,
) -> int:
    who, told = author_or_me(author), ""
    with app.store.working() as work:
        connection = connections.connection_by_id(work, connection_id)
        now = app.clock.now()
        today = app.today(connection)
        if until is not None and until < today:
            raise UsageError(f"--until {until} has passed; today is {today}")
        placed = Hold(kind, reason, who, payer_id, invoice_id, begins=today, until=until)
        hold_id = holds.place(work, connection_id, placed, now=now)
        promised = kind is HoldKind.PROMISE and WriteKind.EXPECTED_ON in _kept(app, connection)
        if promised and invoice_id is not None and until is not None:
            facts.expect(work, connection_id, invoice_id, until, now=now)
            told = "; the accounting system is told with the next run"
        events.log(
            work, "hold_placed", at=now, author=who, connection_id=connection_id, hold=hold_id, hold_kind=kind.value,
            payer=payer_id, invoice=invoice_id, reason=reason,
        )  # fmt: skip
        work.commit()
    say(flat(f"{kind} on {what}{f' until {until}' if until else ''} (lift it by: arsync lift {hold_id}){told}"))
    return hold_id


def _kept(app: App, connection: Connection) -> frozenset[WriteKind]:
    try:
        return app.keeps(connection)
    except ConfigurationError:
        return frozenset()  # a hold is placed whatever is wrong with the connector


def list_holds(context: typer.Context, as_json: Json = False) -> None:
    """Lists what is stopped, why and by whom."""
    with opened(context) as app, app.store.reading() as work:
        every = [(one.name, held) for one in connections.connections(work) for held in holds.active(work, one.id)]
    if as_json:
        dump([{"connection": name, "hold": held} for name, held in every])
        return
    with opened(context) as app, app.store.reading() as work:
        names = {(one.id, name): _whom(work, one) for name, one in every}
    table(
        ("id", "connection", "kind", "stops", "reason", "author", "from", "until"),
        [
            (one.id, name, one.hold.kind, names[one.id, name], one.hold.reason, one.hold.author, one.hold.begins,
             one.hold.until or "somebody lifts it")
            for name, one in every
        ],
    )  # fmt: skip


def _whom(work: Work, placed: holds.PlacedHold) -> str:
    hold = placed.hold
    if hold.payer_id is None:
        return "everybody"
    payer = ledger.customer_name(work, placed.connection_id, hold.payer_id)
    if hold.invoice_id is None:
        return f"everything {payer} pays for"
    return f"{ledger.invoice_number(work, placed.connection_id, hold.invoice_id)} of {payer}"


def calls(
    context: typer.Context,
    message_id: Annotated[int | None, typer.Argument(metavar="[MESSAGE]", help="Print this call's script.")] = None,
    as_json: Json = False,
) -> None:
    """Lists the calls to make, the most money first, or prints the script of one."""
    with opened(context) as app, app.store.reading() as work:
        due = messages.calls(work)
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


def lift(
    context: typer.Context,
    hold_id: Annotated[int, typer.Argument(metavar="HOLD", help="As `arsync holds` lists it.")],
    author: Author = None,
) -> None:
    """Ends a hold."""
    with opened(context) as app, app.store.working() as work:
        now = app.clock.now()
        lifted = holds.lift(work, hold_id, now=now)
        if lifted is None:
            raise NotFound(f"active hold {hold_id}")
        told = _took_back(app, work, lifted, now)
        events.log(work, "hold_lifted", at=now, author=author_or_me(author), hold=hold_id)
        work.commit()
    say(f"hold {hold_id} is lifted{told}")


def _took_back(app: App, work: Work, lifted: holds.PlacedHold, now: datetime) -> str:
    """Has the source forget the day of a promise that is no more; what to say of it."""
    invoice_id = lifted.hold.invoice_id
    if lifted.hold.kind is not HoldKind.PROMISE or invoice_id is None:
        return ""
    connection = connections.connection_by_id(work, lifted.connection_id)
    if not facts.follow_promises(work, connection.id, invoice_id, today=app.today(connection), now=now):
        return ""
    writes = WriteKind.EXPECTED_ON in _kept(app, connection)
    return f"; the accounting system is told {'with the next run' if writes else 'once it may be written to'}"


def approve(
    context: typer.Context,
    message_ids: Annotated[list[int] | None, typer.Argument(metavar="MESSAGE")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Lists the messages that wait for a person, or approves some; they go out at the next run."""
    if message_ids and every:
        raise UsageError("name messages, or --all")
    with opened(context) as app:
        if message_ids or every:
            approve_messages(app, message_ids or None, author_or_me(author))
            return
        with app.store.reading() as work:
            waiting = messages.in_states(work, (MessageState.PLANNED, MessageState.FAILED))
        if as_json:
            dump(waiting)
            return
        table(
            ("id", "state", "step", "to", "subject", "demands", "why"),
            [
                (one.id, one.state, one.step_id, ", ".join(one.recipients), one.subject,
                 f"{one.amount:,.2f} {one.currency}", one.reason)
                for one in waiting
            ],
            right=("demands",),
        )  # fmt: skip


def approve_messages(app: App, message_ids: list[int] | None, author: str) -> int:
    """Approves these messages, or all that are planned; how many it were."""
    approved = 0
    with app.store.working() as work:
        waiting = {one.id: one for one in messages.in_states(work, (MessageState.PLANNED, MessageState.FAILED))}
        chosen = message_ids or [one.id for one in waiting.values() if one.state is MessageState.PLANNED]
        for message_id in chosen:
            one = waiting.get(message_id)
            if one is None:
                raise NotFound(f"message {message_id} that waits for a person")
            live = messages.live_of(work, one.chase_id)
            if live is not None and live.id != one.id:
                raise UsageError(f"message {live.id} of the same chase is {live.state}: settle it first")
            approved += messages.move(
                work, message_id, one.state, MessageState.APPROVED, reason=f"approved by {author}",
                now=app.clock.now(), author=author, approved_by=author, attempts=0, not_before=None,
            )  # fmt: skip
        work.commit()
    say(f"{approved} messages approved; they go out at the next run")
    return approved


def stop(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why.")] = "stopped by hand",
    author: Author = None,
) -> None:
    """The red button: nothing passes the last gate from now on, whatever runs."""
    with opened(context) as app, app.store.working() as work:
        who, now = author_or_me(author), app.clock.now()
        connections.press_stop(work, author=who, reason=reason, now=now)
        events.log(work, "stop_pressed", at=now, author=who, reason=reason)
        work.commit()
    complain(f"stopped: {reason}. Nothing goes out until `arsync start`.")


def start(context: typer.Context, author: Author = None) -> None:
    """Releases the red button."""
    with opened(context) as app, app.store.working() as work:
        now = app.clock.now()
        connections.release_stop(work)
        events.log(work, "stop_released", at=now, author=author_or_me(author))
        work.commit()
    say("started: messages go out again at the next run")
