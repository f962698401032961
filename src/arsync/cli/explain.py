"""The whole story of an invoice: why something went out, or nothing did."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from arsync.bootstrap import App
from arsync.cli.context import ConnectionOption, Json, opened
from arsync.cli.output import dump, flat, say
from arsync.cli.people import one_invoice
from arsync.store import holds, messages, notes, verdicts
from arsync.store.ledger import FoundInvoice
from arsync.store.verdicts import Interval


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(explain)


def explain(
    context: typer.Context,
    invoice: Annotated[str, typer.Argument(help="The invoice's number.")],
    connection: ConnectionOption = None,
    as_json: Json = False,
) -> None:
    """Tells an invoice's verdicts, messages, notes and next date."""
    with opened(context) as app:
        found = one_invoice(app, invoice, connection)
        story, standing = _story(app, found)
    if as_json:
        dump({"invoice": found, "now": standing, "story": [{"on": on, "what": line} for on, line in story]})
        return
    due = f"due {found.due_on}" if found.due_on else "no due date"
    owed = f"{found.state}, {found.balance} of {found.total}, {due}"
    say(flat(f"{found.number} of {found.customer} ({found.connection}): {owed}"), style="bold")
    if standing is None:
        say("now: " + ("nothing is decided yet; run `arsync run`" if found.state == "open" else f"it is {found.state}"))
    else:
        following = f"next on {standing.next_on}" if standing.next_on else "a person must act, or something must change"
        say(flat(f"now: {standing.decision} ({standing.rule}) since {standing.first_on}: {standing.reason}"))
        say(f"     {following}")
    for on, line in story:
        say(f"  {on}  {flat(line)}")


def _story(app: App, found: FoundInvoice) -> tuple[list[tuple[date, str]], Interval | None]:
    lines: list[tuple[date, str]] = []
    standing = None
    with app.store.reading() as work:
        for interval in verdicts.of_invoice(work, found.connection_id, found.invoice_id):
            standing = interval if interval.last_on is None else None
            lines.append((interval.first_on, f"verdict: {interval.decision} ({interval.rule}): {interval.reason}"))
        for message in messages.of_invoice(work, found.connection_id, found.invoice_id):
            what = f"message {message.id}, {message.step_id} #{message.occurrence}.{message.revision}"
            to = ", ".join(message.recipients) or "the call list"
            lines.append((message.sent_on or message.planned_on, f"{what} to {to}: {message.state}, {message.reason}"))
            lines += [
                (note.written_at.date(), f"note on {note.target.kind} {note.target.remote_id}: {note.state}")
                for note in notes.of_message(work, message.id)
                if note.written_at is not None
            ]
        for placed in holds.active(work, found.connection_id):
            hold = placed.hold
            if hold.invoice_id == found.invoice_id or (hold.invoice_id is None and hold.payer_id == found.payer_id):
                until = f" until {hold.until}" if hold.until else ""
                lines.append((hold.begins, f"hold {placed.id}: {hold.kind} by {hold.author}{until}: {hold.reason}"))
    return sorted(lines, key=lambda line: line[0]), standing
