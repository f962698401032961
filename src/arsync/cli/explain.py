"""The whole story of an invoice: why something went out, or nothing did."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final

import typer

from arsync.bootstrap import App
from arsync.cli.context import ConnectionOption, Json, opened
from arsync.cli.naming import one_invoice
from arsync.cli.output import dump, flat, say
from arsync.cli.source import standing as standing_of
from arsync.domain.behaviour import Behaviour
from arsync.domain.chase import Rule
from arsync.domain.clock import local_date
from arsync.domain.documents import InvoiceState
from arsync.domain.states import HoldState, WriteKind
from arsync.store import behaviour, connections, drift, holds, ledger, messages, notes, reminders, succession, verdicts
from arsync.store.ledger import FoundInvoice
from arsync.store.verdicts import Interval

_CHANGE: Final = {
    "joined": "{now} pays for all that was {before}'s",
    "left": "{now} pays for it, and not {before} any more: what stopped {before} stops {now} as well",
    "rebilled": "it was billed to another customer: {now} pays, and not {before}",
}


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
        since = _since_the_run(app, found, standing)
        unasked = _unasked(app, found)
        pays = how_it_pays(app, found.connection_id, found.payer_id)
        with app.store.reading() as work:
            drifts = drift.drifting(work, found.connection_id, found.invoice_id)
    if as_json:
        dump(
            {
                "invoice": found,
                "now": standing,
                "since": since,
                "drift": drifts[0].difference if drifts else None,
                "behaviour": pays,
                "story": [{"on": on, "what": line} for on, line in story],
            }
        )
        return
    due = f"due {found.due_on}" if found.due_on else "no due date"
    owed = f"{found.state}, {found.balance} of {found.total}, {due}"
    say(flat(f"{found.number} of {found.customer} ({found.connection}): {owed}"), style="bold")
    if told := _told(found):
        say(flat(f"     {told}"))
    for one_currency in pays:
        say(flat(f"     rated {one_currency}"))
    if unasked:
        say(flat(f"     whether {found.connection} sends reminders itself is {unasked}"))
    if since is not None:
        say(flat(f"now: {since}"))
        if standing is not None and found.state == "open":
            say(flat(f"     the last run had said: {standing.decision} ({standing.rule}): {standing.reason}"))
    elif standing is None:
        say("now: nothing is decided yet; run `arsync run`")
    else:
        following = f"next on {standing.next_on}" if standing.next_on else "a person must act, or something must change"
        say(flat(f"now: {standing.decision} ({standing.rule}) since {standing.first_on}: {standing.reason}"))
        say(f"     {following}")
    for one in drifts:
        say(flat(f"     {one}"))
    for on, line in story:
        say(f"  {on}  {flat(line)}")


def how_it_pays(app: App, connection_id: int, payer_id: str) -> tuple[Behaviour, ...]:
    """How the payer has paid until today, in each currency."""
    with app.store.reading() as work:
        connection = connections.connection_by_id(work, connection_id)
        today = local_date(app.clock.now(), app.timezone(connection))
        return behaviour.of_payer(work, connection_id, payer_id, today)


def _told(found: FoundInvoice) -> str:
    """What else the source says of the invoice."""
    said = {
        "purchase order {}": found.purchase_order,
        "reference {}": found.reference,
        "terms: {}": found.terms,
        f"1 {found.total.currency} booked at {{}}": found.exchange_rate,
        "payment expected there on {}": found.expected_on,
        "{}": None if found.sent is None else "marked as sent" if found.sent else "not marked as sent",
    }
    return ", ".join(words.format(value) for words, value in said.items() if value)


def _unasked(app: App, found: FoundInvoice) -> str | None:
    """What should be known before anybody is chased, and is not."""
    with app.store.reading() as work:
        connection = connections.connection_by_id(work, found.connection_id)
        answer = reminders.answered(work, found.connection_id)
    if connection.reminders_on is not None or answer is not None:
        return None
    return None if app.settings.company(connection.name).reminders == "off" else standing_of(connection, answer, False)


def _since_the_run(app: App, found: FoundInvoice, standing: Interval | None) -> str | None:
    """What has happened since the standing verdict was given, and stops the chase whatever it says."""
    if found.state != InvoiceState.OPEN:
        return f"it is {found.state}: nothing is chased"
    with app.store.reading() as work:
        button = connections.installation(work)
        placed = holds.active(work, found.connection_id)
    if button.stopped_at is not None and (standing is None or standing.rule != Rule.STOPPED):
        return f"stopped by {button.stopped_by}: {button.stop_reason}; nothing goes out until `arsync start`"
    for one in placed:
        hold = one.hold
        mine = hold.invoice_id == found.invoice_id or (
            hold.invoice_id is None and hold.payer_id in (None, found.payer_id)
        )
        if mine and (standing is None or standing.at < one.created_at):
            return f"{hold.kind} by {hold.author}: {hold.reason} (hold {one.id}); it is not chased"
    return None


def _story(app: App, found: FoundInvoice) -> tuple[list[tuple[date, str]], Interval | None]:
    """Everything that concerns the invoice in the order in which it happened, on the company's days."""
    lines: list[tuple[datetime, str]] = []
    standing = None
    with app.store.reading() as work:
        for interval in verdicts.of_invoice(work, found.connection_id, found.invoice_id):
            standing = interval if interval.last_on is None else None
            lines.append((interval.at, f"verdict: {interval.decision} ({interval.rule}): {interval.reason}"))
        for message in messages.of_invoice(work, found.connection_id, found.invoice_id):
            what = f"message {message.id}, {message.step_id} #{message.occurrence}.{message.revision}"
            to = ", ".join(message.recipients) or (
                "the call list" if message.channel != "email" else "whom its note names"
            )
            happened = message.accepted_at or message.sending_at or message.planned_at
            lines.append((happened, f"{what} to {to}: {message.state}, {message.reason}"))
            for note in notes.of_message(work, message.id):
                mine = note.kind is WriteKind.NOTE and note.target.remote_id in (found.invoice_id, found.payer_id)
                if mine and note.written_at is not None:
                    lines.append((note.written_at, f"note of message {message.id} on the {note.target.kind}: written"))
        for change in succession.changes_of(work, found.connection_id, found.customer_id, found.invoice_id):
            now, before = (
                ledger.customer_name(work, found.connection_id, who) for who in (change.payer, change.former)
            )
            along = f"; with it went {change.followed}" if change.followed else ""
            lines.append((change.at, f"{_CHANGE[change.how].format(now=now, before=before)}{along}"))
        for fact in notes.facts_on(work, found.connection_id, found.invoice_id):
            at = fact.written_at or fact.tried_at or app.clock.now()
            lines.append((at, f"written back: {fact.text}: {fact.state}, {fact.reason}"))
        for placed in holds.of_payer(work, found.connection_id, found.payer_id):
            hold = placed.hold
            if hold.invoice_id in (None, found.invoice_id):
                until = f" until {hold.until}" if hold.until else ""
                state = "" if placed.state is HoldState.ACTIVE else f" ({placed.state})"
                said = f"hold {placed.id}{state}: {hold.kind} by {hold.author}{until}: {hold.reason}"
                lines.append((placed.created_at, said))
        connection = connections.connection_by_id(work, found.connection_id)
    timezone = app.timezone(connection)
    return [(local_date(at, timezone), said) for at, said in sorted(lines, key=lambda line: line[0])], standing
