"""What customers answered: replies list, show, done, match, undo."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final

import typer

from arsync.acts import answering
from arsync.acts.answering import Answer
from arsync.cli.context import Author, ConnectionOption, Json, OfCompany, author_or_me, companies, opened
from arsync.cli.naming import one_invoice, one_payer
from arsync.cli.output import dump, flat, say, table
from arsync.domain.replies import FOR_A_PERSON, MailKind, Meaning, ReplyState
from arsync.errors import UsageError
from arsync.store import connections, messages, replies
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.replies import Reply

_DAY: Final = "%Y-%m-%d"
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
        rows = [(one, _company(work, one), answering.whose(work, one)) for one in found]
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
        one = answering.known(work, number)
        company, payer = _company(work, one), answering.whose(work, one)
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
        with app.store.reading() as work:
            company = _company(work, answering.known(work, number))
        found = one_invoice(app, invoice, company.name) if invoice is not None and company is not None else None
        day, _, amount = (promise or "").partition("=")
        said = Answer(
            promised_on=_date(day) if promise is not None else None, amount=amount or None, currency=currency,
            dispute=dispute, paused_until=until.date() if until else None, invoice=found, comment=comment,
        )  # fmt: skip
        outcome = answering.done(app, number, said, who=author_or_me(author))
    say(flat(f"reply {number} is done: {outcome} (take it back by: arsync replies undo {number})"))


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
        name = answering.match(app, number, found.connection_id, found.payer_id, who=author_or_me(author))
    say(flat(f"reply {number} is of {name}, whose chase is paused until it is done"))


@_group.command()
def undo(context: typer.Context, number: Number, author: Author = None) -> None:
    """Takes back that a reply is done, with what was kept of it: it waits again, and the chase is paused."""
    with opened(context) as app:
        was = answering.undo(app, number, who=author_or_me(author))
    say(flat(f"reply {number} waits again; it was: {was}"))


def _company(work: Work, one: Reply) -> Connection | None:
    return None if one.connection_id is None else connections.connection_by_id(work, one.connection_id)


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
