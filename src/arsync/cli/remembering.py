"""What people did by hand and want remembered: touch, comment, undo."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from arsync.acts import touching, undoing
from arsync.acts.noting import note
from arsync.acts.undoing import Undone
from arsync.cli.context import Author, ConnectionOption, author_or_me, opened
from arsync.cli.days import DAY
from arsync.cli.naming import CustomerOption, InvoiceArgument, whom
from arsync.cli.output import flat, say
from arsync.domain.people import TouchKind
from arsync.errors import UsageError
from arsync.store import connections, events, touches


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(touch)
    program.command()(comment)
    program.command()(undo)


def touch(
    context: typer.Context,
    invoice: InvoiceArgument = None,
    customer: CustomerOption = None,
    kind: Annotated[TouchKind, typer.Option(help="How.")] = TouchKind.CALL,
    on: Annotated[datetime | None, typer.Option("--on", formats=[DAY], help="Default: today.")] = None,
    step: Annotated[str | None, typer.Option(help="The step of the playbook that it stood for.")] = None,
    comment: Annotated[str, typer.Option(help="What was said.")] = "",
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Keeps a call, mail, letter or visit made by hand: it counts for gap and caps and, with a step, for the ladder."""
    with opened(context) as app:
        named = whom(app, invoice, customer, connection)
        number, day = touching.touch(
            app, named, kind, on=on.date() if on else None, step=step, comment=comment, who=author_or_me(author)
        )
    as_step = f" as {step}" if step else ""
    say(flat(f"{kind} on {day}{as_step} about {named.what}: it counts (take it back by: arsync undo touch {number})"))


def comment(
    context: typer.Context,
    text: Annotated[str, typer.Option(help="What is to be remembered.")],
    invoice: InvoiceArgument = None,
    customer: CustomerOption = None,
    follow_up: Annotated[
        datetime | None, typer.Option("--follow-up", formats=[DAY], help="A task from that day on.")
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
    """Takes back a touch, or the outcome of a call with what was kept of it, or is done with a comment."""
    with opened(context) as app:
        said, name = undoing.undo(app, what, number, who=author_or_me(author))
    say(flat(f"{what} {number} is {undoing.ended(what)}: {said} ({name})"))
