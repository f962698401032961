"""What is in the outbox, and a person's evidence and second thoughts about it: outbox, resolve, resend."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from arsync.acts import outgoing
from arsync.bootstrap import App
from arsync.cli.approving import show
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.days import DAY
from arsync.cli.naming import one_payer
from arsync.cli.output import dump, flat, say, table
from arsync.domain.states import MessageState
from arsync.errors import NotFound
from arsync.store import connections, events, finding, messages, notes
from arsync.store.engine import Work
from arsync.store.messages import Message


class Evidence(StrEnum):
    """What a person knows of a message."""

    SENT = "sent"
    NOT_SENT = "not-sent"


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(outbox)
    program.command()(resolve)
    program.command()(resend)


def outbox(
    context: typer.Context,
    message_id: Annotated[int | None, typer.Argument(metavar="[MESSAGE]", help="Tell this one's whole story.")] = None,
    states: Annotated[list[MessageState] | None, typer.Option("--state", help="Only these; may be repeated.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only to this customer: its name, id or e-mail.")] = None,
    step: Annotated[str | None, typer.Option(help="Only of this step.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=[DAY], help="Only from this day on.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most, the newest.")] = 50,
    connection: ConnectionOption = None,
    as_json: Json = False,
) -> None:
    """Lists messages in whatever state, the newest first, or tells one's whole story with its words."""
    with opened(context) as app:
        if message_id is not None:
            _tell(app, message_id, as_json)
            return
        payer = one_payer(app, customer, connection) if customer is not None else None
        with app.store.reading() as work:
            company = connections.connection(work, connection).id if connection is not None else None
            found = messages.search(
                work, states=states or list(MessageState), step_id=step, since=since.date() if since else None,
                connection_id=payer.connection_id if payer else company, payer_id=payer.payer_id if payer else None,
                limit=limit,
            )  # fmt: skip
            counts = messages.counts(work)
            if as_json:
                dump({"counts": counts, "messages": [_summary(work, one) for one in found]})
                return
            _list(work, found)
    every = ", ".join(f"{counts[state]} {state}" for state in MessageState if state in counts)
    say(f"{len(found)} shown; in all: {every or 'none'}")


def _list(work: Work, found: list[Message]) -> None:
    rows = [
        (one.id, one.sent_on or one.planned_on, one.state, f"{one.step_id} #{one.occurrence}.{one.revision}",
         one.channel, finding.customer_name(work, one.connection_id, one.payer_id),
         f"{one.amount:,.2f} {one.currency}", flat(one.reason))
        for one in found
    ]  # fmt: skip
    table(("id", "on", "state", "step", "by", "payer", "demands", "why"), rows, right=("demands",))


def _summary(work: Work, one: Message) -> dict[str, object]:
    return {
        "id": one.id, "key": one.key, "connection": connections.connection_by_id(work, one.connection_id).name,
        "payer_id": one.payer_id, "payer": finding.customer_name(work, one.connection_id, one.payer_id),
        "step": one.step_id, "occurrence": one.occurrence, "revision": one.revision, "state": one.state,
        "reason": one.reason, "channel": one.channel, "to": one.recipients, "cc": one.copies, "subject": one.subject,
        "amount": one.amount, "currency": one.currency, "planned_on": one.planned_on, "sent_on": one.sent_on,
        "approved_by": one.approved_by, "approved_until": one.approved_until, "edited_by": one.edited_by,
        "attempts": one.attempts, "resend_of": one.resend_of, "asked_by": one.asked_by,
    }  # fmt: skip


def _tell(app: App, message_id: int, as_json: bool) -> None:
    with app.store.reading() as work:
        one = _one(work, message_id)
        items, story = messages.items(work, one.id), events.of_message(work, one.id)
        owed = notes.of_message(work, one.id)
        targets = [finding.named(work, note.connection_id, note.target) for note in owed]
        if as_json:
            words = {"text": one.text, "html": one.html}
            dump({**_summary(work, one), **words, "items": items, "story": story, "notes": owed})
            return
        show(work, one)
    say()
    table(
        ("invoice", "due", "amount", ""),
        [
            (item.number, item.due_on, f"{item.amount:,.2f} {one.currency}", "" if item.demanded else "listed")
            for item in items
        ],
        right=("amount",),
    )
    for event in story:
        why = f": {event.data['reason']}" if event.data.get("reason") else ""
        say(flat(f"  {event.at:%Y-%m-%d %H:%M} UTC  {event.kind.replace('_', ' ')} by {event.author}{why}"))
    for note, target in zip(owed, targets, strict=True):
        why = "" if note.reason == note.state else f", {note.reason}"
        say(flat(f"  {note.kind} on {target}: {note.state}{why}"))


def _one(work: Work, message_id: int) -> Message:
    found = messages.find(work, message_id)
    if found is None:
        raise NotFound(f"message {message_id}")
    return found


# --- evidence ------------------------------------------------------------------------------------------------


def resolve(
    context: typer.Context,
    message_id: Annotated[int, typer.Argument(metavar="MESSAGE")],
    evidence: Annotated[Evidence, typer.Argument(help="What you know of it.")],
    reason: Annotated[str, typer.Option(help="How you know.")],
    author: Author = None,
) -> None:
    """Says of a message that nobody knows about whether it went out."""
    sent = evidence is Evidence.SENT
    with opened(context) as app:
        day = outgoing.resolve(app, message_id, sent=sent, reason=reason, who=author_or_me(author))
    if sent:
        say(f"message {message_id} went out on {day}; its notes are written at the next run")
    else:
        then = f"arsync approve {message_id} lets it go again, arsync reject {message_id} leaves it"
        say(f"message {message_id} did not go out: {then}")


# --- once more -----------------------------------------------------------------------------------------------


def resend(
    context: typer.Context,
    message_id: Annotated[int, typer.Argument(metavar="MESSAGE")],
    reason: Annotated[str, typer.Option(help="Why.")],
    author: Author = None,
) -> None:
    """Plans a message's step once more, about what of it is still owed: another message, which says so."""
    with opened(context) as app:
        made = outgoing.resend(app, message_id, reason=reason, who=author_or_me(author))
        with app.store.reading() as work:
            show(work, made)
    then = f"arsync approve {made.id}" if made.state is MessageState.PLANNED else "it goes out at the next run"
    what = f"{made.step_id} for the {outgoing.nth(made.occurrence)} time, a message of its own"
    say(f"\nmessage {made.id} is {what}: {then}", style="bold")
