"""What customers answered: replies list, show, done, match, undo."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final

import typer

from arsync.acts.holding import put
from arsync.acts.lifting import end
from arsync.acts.noting import note
from arsync.acts.promising import give, owed_by, promised_part
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, Json, OfCompany, author_or_me, companies, opened
from arsync.cli.naming import one_invoice, one_payer
from arsync.cli.output import dump, flat, say, table
from arsync.domain.chase import Hold
from arsync.domain.replies import FOR_A_PERSON, MailKind, Meaning, ReplyState
from arsync.domain.states import HoldKind, HoldState
from arsync.errors import NotFound, UsageError
from arsync.inbox.intake import pause, stop
from arsync.store import connections, events, finding, holds, messages, replies
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.replies import Reply

_DAY: Final = "%Y-%m-%d"
_GRACE: Final = 2
_group = typer.Typer(invoke_without_command=True, help="What customers answered.")
Number = Annotated[int, typer.Argument(metavar="REPLY", help="As `arsync replies list` lists it.")]


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.add_typer(_group, name="replies")


@_group.callback()
def replies_alone(context: typer.Context) -> None:
    """Lists what customers answered and a person must read; or one of these."""
    if context.invoked_subcommand is None:
        list_replies(context)


@_group.command("list")
def list_replies(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also what is done, and what a program wrote.")] = False,
    connection: OfCompany = None,
    as_json: Json = False,
) -> None:
    """Lists the mails that came in and wait for a person, oldest first."""
    with opened(context) as app, app.store.reading() as work:
        found = replies.every(work) if every else replies.waiting(work)
        if connection is not None:
            (company,) = companies(work, connection)
            found = [one for one in found if one.connection_id == company.id]
        rows = [(one, _company(work, one), _payer(work, one)) for one in found]
        zones = {one.id: app.timezone(one) for one in connections.connections(work)}
    if as_json:
        dump([{"connection": company and company.name, "payer": payer, "reply": one} for one, company, payer in rows])
        return
    table(
        ("id", "received", "connection", "payer", "from", "kind", "means", "state", "text"),
        [
            (one.id, f"{one.received_at:%Y-%m-%d %H:%M}", company and company.name, payer, one.sender, one.kind,
             _means(one), one.outcome or one.state, flat(one.text)[:60])
            for one, company, payer in rows
        ],
    )  # fmt: skip
    if not rows:
        say("nothing waits" if zones else "no company is linked yet: arsync connect")


@_group.command()
def show(context: typer.Context, number: Number, as_json: Json = False) -> None:
    """Prints a reply: whose it is and how that was told, what it seems to mean and by which phrases, its text."""
    with opened(context) as app, app.store.reading() as work:
        one = _known(work, number)
        company, payer = _company(work, one), _payer(work, one)
        answered = messages.get(work, one.message_id) if one.message_id is not None else None
        numbers = [item.number for item in messages.items(work, one.message_id)] if one.message_id is not None else []
    if as_json:
        dump({"connection": company and company.name, "payer": payer, "invoices": numbers, "reply": one})
        return
    whose = f"of {payer} ({company.name})" if company and payer else "of nobody that is known"
    say(flat(f"reply {one.id} {whose}, received {one.received_at:%Y-%m-%d %H:%M} UTC: {one.state}"), style="bold")
    say("  from:     " + flat(f"{one.sender}"))
    say("  subject:  " + flat(f"{one.subject}"))
    if answered is not None:
        say("  answers:  " + flat(f"message {answered.id} ({answered.step_id}), about {', '.join(numbers)}"))
    say("  kind:     " + flat(f"{one.kind}: {one.why}"))
    if one.meaning is not None:
        by = f": {', '.join(one.phrases)}" if one.phrases else ""
        say("  means:    " + flat(f"{_means(one)}, by the rules{by}"))
    if one.state is ReplyState.DONE and one.done_at is not None:
        say("  done:     " + flat(f"{one.outcome}, by {one.done_by} on {one.done_at:%Y-%m-%d}"))
    say()
    for line in one.text.split("\n"):
        say(f"  | {flat(line)}")
    if one.state is ReplyState.WAITING:
        say()
        say(_then(one))


def _then(one: Reply) -> str:
    if one.payer_id is None:
        return f"say whose it is: arsync replies match {one.id} --customer NAME, or be done with it: " \
               f"arsync replies done {one.id}"  # fmt: skip
    paused = "the chase is paused until it is done; " if one.kind in FOR_A_PERSON else ""
    return f"{paused}when you have read it: arsync replies done {one.id} [--promise DATE=AMOUNT | --dispute REASON | " \
           "--pause DATE]"  # fmt: skip


@_group.command()
def done(
    context: typer.Context,
    number: Number,
    promise: Annotated[
        str | None, typer.Option(metavar="DATE[=AMOUNT]", help="It promises that; without amount all that is open.")
    ] = None,
    dispute: Annotated[str | None, typer.Option(metavar="REASON", help="It contests the invoice.")] = None,
    until: Annotated[
        datetime | None, typer.Option("--pause", formats=[_DAY], help="Nothing goes out until after that day.")
    ] = None,
    invoice: Annotated[str | None, typer.Option(help="Which it is about, where the message named several.")] = None,
    currency: Annotated[str | None, typer.Option(help="Of the promise, where the customer owes in several.")] = None,
    comment: Annotated[str, typer.Option(help="What was done about it.")] = "",
    author: Author = None,
) -> None:
    """Says that a person has handled a reply, keeps what it says, and lets the chase go on."""
    if sum(one is not None for one in (promise, dispute, until)) > 1:
        raise UsageError("one of --promise, --dispute and --pause")
    with opened(context) as app:
        who = author_or_me(author)
        with app.store.reading() as work:
            one = _known(work, number)
        recorded = promise or dispute or until is not None
        named = _about(app, one, invoice, single=dispute is not None) if recorded else None
        with app.store.working() as work:
            now, placed, outcome = app.clock.now(), [], comment.strip() or "handled"
            reason = comment.strip() or f"reply {one.id} of {one.sender}"
            if named is not None:
                company = connections.connection_by_id(work, named.connection_id)
                if promise is not None:
                    day, _, amount = promise.partition("=")
                    agreed = promised_part(owed_by(work, named, currency), amount or None)
                    given = give(app, work, company, [named], agreed, _date(day), _GRACE, reason=reason, who=who)
                    hold_id = given.holds[0]
                    outcome = f"{agreed} promised by {day} for {named.what}; it is in time until {given.until}"
                    note(
                        app, work, company, named.payer_id, named.invoice_id, by=who, now=now,
                        what=f"Promise (hold {hold_id}): {agreed} by {day} for {named.what}, said",
                        more=(f"How: {reason}", f"In time until: {given.until}"),
                    )  # fmt: skip
                else:
                    hold_id, outcome = _hold(app, work, company, named, dispute, until, reason, who)
                placed.append(hold_id)
            if not replies.finish(work, number, outcome=outcome, placed=placed, author=who, now=now):
                raise NotFound(f"reply {number} that waits")
            release(app, work, one, outcome, who, noted=not placed)
            work.commit()
    say(flat(f"reply {number} is done: {outcome} (take it back by: arsync replies undo {number})"))


def _hold(
    app: App, work: Work, company: Connection, named: Whom, dispute: str | None, until: datetime | None, reason: str,
    who: str,
) -> tuple[int, str]:  # fmt: skip
    today = app.today(company)
    last = until.date() if until else None
    if last is not None and last < today:
        raise UsageError(f"--pause {last} has passed; today is {today}")
    if dispute is not None and not dispute.strip():
        raise UsageError("--dispute: say what is contested")
    kind = HoldKind.PAUSE if dispute is None else HoldKind.DISPUTE
    hold = Hold(kind, dispute or reason, who, named.payer_id, named.invoice_id, today, last)
    hold_id = put(app, work, company, hold, what=named.what, now=app.clock.now())
    return hold_id, f"{kind} on {named.what}{f' until {last}' if last else ''} (hold {hold_id})"


def _about(app: App, one: Reply, invoice: str | None, *, single: bool) -> Whom:
    """What a reply speaks of: the invoice that is named, the one of the message, or all that the payer owes."""
    if one.payer_id is None or one.connection_id is None:
        raise UsageError(f"nobody knows whose reply {one.id} is: arsync replies match {one.id} --customer NAME")
    with app.store.reading() as work:
        company = connections.connection_by_id(work, one.connection_id)
        name = finding.customer_name(work, company.id, one.payer_id)
        items = messages.items(work, one.message_id) if one.message_id is not None else []
    demanded = [item for item in items if item.demanded]
    if invoice is None and len(demanded) == 1:
        invoice = f"id:{demanded[0].invoice_id}"
    if invoice is None:
        if single:
            listed = ", ".join(item.number for item in demanded)
            raise UsageError(f"--invoice: which is contested{f' ({listed})' if listed else ''}?")
        return Whom(company.id, one.payer_id, None, f"everything {name} pays for")
    found = one_invoice(app, invoice, company.name)
    if found.payer_id != one.payer_id:
        raise UsageError(f"{found.number} is not paid for by {name}")
    return Whom(company.id, one.payer_id, found, f"invoice {found.number} of {found.customer}")


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


@_group.command()
def match(
    context: typer.Context,
    number: Number,
    customer: Annotated[str, typer.Option("--customer", help="A customer's name, id or e-mail.")],
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Says whose a reply is that nobody could match: that customer's chase is paused."""
    with opened(context) as app:
        found = one_payer(app, customer, connection)
        who = author_or_me(author)
        with app.store.working() as work:
            one = _known(work, number)
            why = f"{one.why}; {who} said that it is of {found.name}"
            if one.kind not in FOR_A_PERSON or one.state is not ReplyState.WAITING:
                raise NotFound(f"reply {number} that waits and pauses")
            if not replies.assign(work, number, connection_id=found.connection_id, payer_id=found.payer_id, why=why):
                raise UsageError(f"reply {number} is known to be of {_payer(work, one)}")
            stop(work, number, app.fronts(), now=app.clock.now())
            events.log(
                work, "reply_matched", at=app.clock.now(), author=who, connection_id=found.connection_id,
                reply=number, payer=found.payer_id,
            )  # fmt: skip
            work.commit()
    say(flat(f"reply {number} is of {found.name}, whose chase is paused until it is done"))


@_group.command()
def undo(context: typer.Context, number: Number, author: Author = None) -> None:
    """Takes back that a reply is done, with what was kept of it: it waits again, and the chase is paused."""
    with opened(context) as app, app.store.working() as work:
        one, who, now = _known(work, number), author_or_me(author), app.clock.now()
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
    say(flat(f"reply {number} waits again; it was: {one.outcome}"))


def _known(work: Work, number: int) -> Reply:
    one = replies.get(work, number)
    if one is None:
        raise NotFound(f"reply {number}")
    return one


def _company(work: Work, one: Reply) -> Connection | None:
    return None if one.connection_id is None else connections.connection_by_id(work, one.connection_id)


def _payer(work: Work, one: Reply) -> str | None:
    if one.connection_id is None or one.payer_id is None:
        return None
    return finding.customer_name(work, one.connection_id, one.payer_id)


def _means(one: Reply) -> str:
    if one.kind is not MailKind.PERSON or one.meaning is None:
        return ""
    meaning = one.meaning.replace("_", " ")
    return meaning if one.meaning is Meaning.UNCLEAR else f"{meaning} ({one.confidence}%)"


def _date(written: str) -> date:
    try:
        return date.fromisoformat(written.strip())
    except ValueError:
        raise UsageError(f"--promise {written!r}: write DATE or DATE=AMOUNT, as 2026-01-31=120.50") from None
