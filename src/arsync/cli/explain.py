"""The whole story of an invoice or a payer: why something went out, or nothing did."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

import typer

from arsync.acts import story
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.cli.context import ConnectionOption, Json, opened
from arsync.cli.naming import CustomerOption, InvoiceArgument, whom
from arsync.cli.output import dump, flat, say
from arsync.cli.source import standing as standing_of
from arsync.domain.behaviour import Behaviour
from arsync.domain.chase import Rule
from arsync.domain.clock import local_date
from arsync.domain.documents import InvoiceState
from arsync.domain.states import WriteKind
from arsync.errors import ConfigurationError
from arsync.playbook.choose import Choice
from arsync.playbook.following import choices
from arsync.store import (
    assignments,
    behaviour,
    connections,
    drift,
    events,
    finding,
    holds,
    ledger,
    messages,
    notes,
    promises,
    reminders,
    succession,
    verdicts,
)
from arsync.store.engine import Work
from arsync.store.finding import FoundInvoice
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
    invoice: InvoiceArgument = None,
    customer: CustomerOption = None,
    connection: ConnectionOption = None,
    as_json: Json = False,
) -> None:
    """Tells an invoice's verdicts, messages, notes and next date, or a payer's with all that people said of it."""
    with opened(context) as app:
        named = whom(app, invoice, customer, connection)
        if named.invoice is None:
            _explain_payer(app, named, as_json)
            return
        found = named.invoice
        follows = _follows(app, found.connection_id, found.payer_id).get(found.invoice_id)
        lines, standing = _story(app, found, follows)
        since = _since_the_run(app, found, standing)
        unasked = _unasked(app, found)
        pays = how_it_pays(app, found.connection_id, found.payer_id)
        with app.store.reading() as work:
            drifts = drift.drifting(work, found.connection_id, found.invoice_id)
            owner = story.owner_line(work, found.connection_id, found.payer_id)
    if as_json:
        dump(
            {
                "invoice": found,
                "now": standing,
                "since": since,
                "playbook": follows,
                "drift": drifts[0].difference if drifts else None,
                "behaviour": pays,
                "story": [{"on": on, "what": line} for on, line in lines],
            }
        )
        return
    due = f"due {found.due_on}" if found.due_on else "no due date"
    owed = f"{found.state}, {found.balance} of {found.total}, {due}"
    say(flat(f"{found.number} of {found.customer} ({found.connection}): {owed}"), style="bold")
    rated = [f"rated {one_currency}" for one_currency in pays]
    follow = None if follows is None else f"follows playbook {follows.name}: {follows.why}"
    asked = unasked and f"whether {found.connection} sends reminders itself is {unasked}"
    for told in filter(None, (_told(found), *rated, follow, owner, asked)):
        say("     " + flat(told))
    if since is not None:
        say(flat(f"now: {since}"))
        if standing is not None and found.state == "open":
            say("     " + flat(f"the last run had said: {standing.decision} ({standing.rule}): {standing.reason}"))
    elif standing is None:
        say("now: nothing is decided yet; run `arsync run`")
    else:
        following = f"next on {standing.next_on}" if standing.next_on else "a person must act, or something must change"
        say(flat(f"now: {standing.decision} ({standing.rule}) since {standing.first_on}: {standing.reason}"))
        say(f"     {following}")
    for one in drifts:
        say("     " + flat(f"{one}"))
    for on, line in lines:
        say(f"  {on}  {flat(line)}")


def _explain_payer(app: App, named: Whom, as_json: bool) -> None:
    """All that a payer owes with the standing answers, and what was said to it and of it."""
    with app.store.reading() as work:
        company = connections.connection_by_id(work, named.connection_id)
        name = finding.customer_name(work, company.id, named.payer_id)
        owed = ledger.open_balances(work, company.id, named.payer_id)
        ids = [one for currency in owed for one in promises.open_invoices(work, company.id, named.payer_id, currency)]
        found = [one for some in ids for one in finding.find_invoices(work, some, company.name)]
        every = [one for one in found if one.invoice_id in ids]
        every.sort(key=lambda one: (one.due_on or date.max, one.number))
        owner = story.owner_line(work, company.id, named.payer_id)
        lines = story.said(work, company.id, named.payer_id)
        for message in messages.of_payer(work, company.id, named.payer_id):
            at = message.accepted_at or message.sending_at or message.planned_at
            about = f"{message.amount:,.2f} {message.currency}"
            what = f"message {message.id}, {message.step_id} about {about}: {message.state}, {message.reason}"
            lines.append((at, what))
    answers = []
    follows = _follows(app, company.id, named.payer_id)
    several = len({choice.name for choice in follows.values()}) > 1
    for one in every:
        _, standing = _story(app, one)
        answers.append((one, standing, _since_the_run(app, one, standing)))
    zone = app.timezone(company)
    told = [(local_date(at, zone), line) for at, line in sorted(lines, key=lambda line: line[0])]
    pays = how_it_pays(app, company.id, named.payer_id)
    if as_json:
        dump({
            "customer_id": named.payer_id, "customer": name, "connection": company.name, "owed": list(owed.values()),
            "owner": owner, "behaviour": pays,
            "invoices": [
                {"invoice": one, "now": standing, "since": since, "playbook": follows.get(one.invoice_id)}
                for one, standing, since in answers
            ],
            "story": [{"on": on, "what": line} for on, line in told],
        })  # fmt: skip
        return
    say(flat(f"{name} ({company.name}): {' and '.join(map(str, owed.values())) or 'nothing'} open"), style="bold")
    told_once = next((f"follows playbook {choice.name}: {choice.why}" for choice in follows.values()), None)
    for line in (*(f"rated {one}" for one in pays), None if several else told_once, owner):
        if line:
            say("     " + flat(f"{line}"))
    for one, standing, since in answers:
        due = f"due {one.due_on}" if one.due_on else "no due date"
        say(flat(f"{one.number}: {one.balance} of {one.total}, {due}"))
        if several and (choice := follows.get(one.invoice_id)) is not None:
            say("     " + flat(f"follows playbook {choice.name}: {choice.why}"))
        if since is not None:
            say("     " + flat(f"now: {since}"))
        elif standing is None:
            say("     now: nothing is decided yet; run `arsync run`")
        else:
            then = f"; next on {standing.next_on}" if standing.next_on else ""
            say("     " + flat(f"now: {standing.decision} ({standing.rule}): {standing.reason}{then}"))
    for on, line in told:
        say(f"  {on}  {flat(line)}")


def how_it_pays(app: App, connection_id: int, payer_id: str) -> tuple[Behaviour, ...]:
    """How the payer has paid until today, in each currency."""
    with app.store.reading() as work:
        connection = connections.connection_by_id(work, connection_id)
        today = local_date(app.clock.now(), app.timezone(connection))
        return behaviour.of_payer(work, connection_id, payer_id, today)


def _follows(app: App, connection_id: int, payer_id: str) -> dict[str, Choice]:
    """Which playbook each of the payer's invoices follows, and why; nothing where the playbooks cannot be read."""
    with app.store.reading() as work:
        company = connections.connection_by_id(work, connection_id)
        try:
            return choices(work, company, app.policy(company), payer_id, now=app.clock.now())
        except ConfigurationError:
            return {}  # `doctor` and `plan` name what is wrong


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
        if mine and hold.part is not None:
            continue  # the rest is chased
        if mine and (standing is None or standing.at < one.created_at):
            return f"{hold.kind} by {hold.author}: {hold.reason} (hold {one.id}); it is not chased"
    return None


def _story(
    app: App, found: FoundInvoice, follows: Choice | None = None
) -> tuple[list[tuple[date, str]], Interval | None]:
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
            to += f", copy to {', '.join(message.copies)}" if message.copies else ""
            happened = message.accepted_at or message.sending_at or message.planned_at
            lines.append((happened, f"{what} to {to}: {message.state}, {message.reason}"))
            for note in notes.of_message(work, message.id):
                mine = note.kind is WriteKind.NOTE and note.target.remote_id in (found.invoice_id, found.payer_id)
                if mine and note.written_at is not None:
                    lines.append((note.written_at, f"note of message {message.id} on the {note.target.kind}: written"))
        for change in succession.changes_of(work, found.connection_id, found.customer_id, found.invoice_id):
            now, before = (
                finding.customer_name(work, found.connection_id, who) for who in (change.payer, change.former)
            )
            along = f"; with it went {change.followed}" if change.followed else ""
            lines.append((change.at, f"{_CHANGE[change.how].format(now=now, before=before)}{along}"))
        for fact in notes.facts_on(work, found.connection_id, found.invoice_id):
            at = fact.written_at or fact.tried_at or app.clock.now()
            lines.append((at, f"written back: {fact.text}: {fact.state}, {fact.reason}"))
        lines += story.said(work, found.connection_id, found.payer_id, found.invoice_id)
        lines += _followed(work, found, follows)
        connection = connections.connection_by_id(work, found.connection_id)
    timezone = app.timezone(connection)
    return [(local_date(at, timezone), said) for at, said in sorted(lines, key=lambda line: line[0])], standing


def _followed(work: Work, found: FoundInvoice, follows: Choice | None) -> list[tuple[datetime, str]]:
    """Which playbooks the chase followed and why, and what a person chose."""
    lines = []
    chosen = [
        event
        for event in (events.of_chase(work, found.chase_id) if found.chase_id is not None else ())
        if event.kind == "playbook_chosen"
    ]
    # What is kept is of the chase as a whole; an invoice may follow one of its own.
    alone = bool(chosen) and follows is not None and follows.name != chosen[-1].data["playbook"]
    for event in chosen:
        told = f"playbook {event.data['playbook']}, version {event.data['version'][:12]}: {event.data['why']}"
        lines.append((event.at, f"the payer's other invoices: {told}" if alone else told))
    for one in assignments.of_payer(work, found.connection_id, found.payer_id, found.invoice_id):
        what = "this invoice" if one.invoice_id is not None else "the customer"
        ended = " (ended)" if one.ended_at is not None else ""
        lines.append(
            (one.created_at, f"playbook {one.playbook} chosen for {what} by {one.author}: {one.reason}{ended}")
        )
    return lines
