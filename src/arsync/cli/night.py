"""Deciding and sending: plan, run."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from arsync.acts.calls import waiting_calls
from arsync.bootstrap import App
from arsync.cli import digest
from arsync.cli.acting import act_on
from arsync.cli.context import Connections, Json, linked, opened
from arsync.cli.output import complain, counted, dump, flat, say, so_many, table, taken_for_sent
from arsync.domain.chase import Intent, Plan, Verdict
from arsync.domain.money import Money
from arsync.domain.states import Decision, MessageState
from arsync.errors import ArsyncError, ConnectorError
from arsync.inbox.posted import take_in
from arsync.playbook import review
from arsync.playbook.decide import Decided
from arsync.playbook.going_live import Payer
from arsync.store import connections, letters, messages
from arsync.store.connections import Connection
from arsync.worker import jobs
from arsync.worker.dispatch import Dispatched
from arsync.worker.jobs import Night, Shift

_log: Final = logging.getLogger(__name__)
_DAY = "%Y-%m-%d"


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(plan)
    program.command()(run)


def plan(
    context: typer.Context,
    names: Connections = None,
    as_of: Annotated[datetime | None, typer.Option(formats=[_DAY], help="Another day than today.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Each invoice, not only those with a message.")] = False,
    as_json: Json = False,
) -> None:
    """Says what would go out and why, and what would not and why. Sends and saves nothing."""
    on = as_of.date() if as_of else None
    with opened(context) as app:
        told: dict[str, list[dict[str, object]]] = {}
        chosen: set[Payer] = set()
        for connection in linked(app, names):
            answers = jobs.preview(app.store, app.desk(connection), app.clock, today=on, chosen=chosen)
            if as_json:
                told[connection.name] = [_as_json(answer) for answer in answers]
            else:
                tell_plans(connection.name, answers, every=every)
    changed = pending_changes(app)
    if as_json:
        dump(told)
        return
    for change in changed:
        say(f"{change}: arsync playbook review", style="yellow")


def pending_changes(app: App) -> list[str]:
    """Changed playbooks that running chases have not taken and nobody has answered, a sentence each."""
    with app.store.reading() as work:
        return review.waiting(work, [(one, app.policy(one)) for one in app.linked()])


def tell_plans(name: str, answers: Iterable[Plan], *, every: bool = False, most: int = 1000) -> None:
    """Prints a connection's plan: the messages, then how many invoices each rule stops, with an example. Of the plans
    no more is kept than what is printed."""
    rows: list[_Message] = []
    silent: list[tuple[object, ...]] = []
    acting = demanded = 0
    followed: set[str] = set()
    rules: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], Verdict] = {}
    for answer in answers:
        if answer.intent is not None:
            acting += 1
            followed.add(answer.playbook)
            rows.append(_message(answer, answer.intent))
            if len(rows) > 2 * most:
                rows = _largest(rows, most)
        for verdict in answer.verdicts:
            if verdict.decision is Decision.ACT:
                demanded += 1
            else:
                rules[verdict.decision, verdict.rule] += 1
                examples.setdefault((verdict.decision, verdict.rule), verdict)
        if every:
            payer, numbers = answer.facts.payer_name, {item.invoice_id: item.number for item in answer.facts.items}
            silent += [
                (numbers.get(one.invoice_id, one.invoice_id), payer, one.decision, one.rule, one.reason, one.next_on)
                for one in answer.verdicts
            ]
    say(f"\n{name}: {counted(acting, 'message')} about {counted(demanded, 'invoice')}", style="bold")
    if rows:
        columns = ("step", "mode", "payer", "to", "demands", "invoices", "playbook")
        shown = len(columns) if len(followed) > 1 else -1  # of one alone nobody need be told
        table(columns[:shown], [row[:shown] for row in _largest(rows, most)], right=("demands", "invoices"))
    if acting > most:
        say(f"... and {acting - most} more")
    say(f"{name}: {counted(rules.total(), 'invoice')} not demanded today", style="bold")
    table(
        ("invoices", "", "rule", "for example"),
        [(count, decision, rule, _said(examples[decision, rule])) for (decision, rule), count in rules.most_common()],
        right=("invoices",),
    )
    if every:
        table(("invoice", "payer", "", "rule", "reason", "next"), silent)


#: Step, mode, payer, to whom, what is demanded, of how many invoices, by which playbook.
_Message = tuple[str, str, str, str, Money, int, str]


def _message(answer: Plan, intent: Intent) -> _Message:
    to = ", ".join(contact.email or contact.phone or contact.name for contact in intent.recipients)
    to += "".join(f", cc {contact.email}" for contact in intent.copies)
    payer, demanded = answer.facts.payer_name, len(intent.demanded)
    return intent.step.id, intent.mode, payer, to, intent.at_stake, demanded, answer.playbook


def _largest(rows: Sequence[_Message], most: int) -> list[_Message]:
    return sorted(rows, key=lambda row: -row[4].amount)[:most]


def _said(verdict: Verdict) -> str:
    return verdict.reason + (f" (next: {verdict.next_on})" if verdict.next_on else "")


def _as_json(answer: Plan) -> dict[str, object]:
    intent = answer.intent
    return {
        "payer_id": answer.facts.payer_id,
        "payer": answer.facts.payer_name,
        "currency": answer.facts.currency,
        "message": None
        if intent is None
        else {
            "playbook": answer.playbook,
            "step": intent.step.id,
            "occurrence": intent.occurrence,
            "mode": intent.mode,
            "to": [contact.email for contact in intent.recipients],
            "cc": [contact.email for contact in intent.copies],
            "amount": intent.at_stake.amount,
            "invoices": [item.number for item in intent.demanded],
        },
        "verdicts": answer.verdicts,
    }


def run(context: typer.Context, names: Connections = None, as_json: Json = False) -> None:
    """Syncs, plans, dispatches and writes back: the nightly job, once. Twice a day does no harm."""
    with opened(context) as app:
        app.alarm.paths()  # what is wrong with them is said before anything is done
        night = work_night(app, linked(app, names))
        if as_json:
            dump(_night_as_json(app, night))
        else:
            tell_night(app, night)
        untold = app.alarm.tell()
        if not any(shift.errors for shift in night.shifts):
            app.alarm.ping()
    for line in untold:
        complain(line)
    if untold or night.tasks or any(shift.errors or shift.dispatched.failed for shift in night.shifts):
        raise typer.Exit(1)


def work_night(app: App, those: Iterable[Connection]) -> Night:
    """One run over these connections."""
    those = list(those)
    posted, failed = take_posts(app)  # before planning: who has answered is not chased
    acted, unread = read_inbox(app)
    page = digest.of_the_day(app)
    night = jobs.run(app.store, [app.desk(connection) for connection in those], app.clock)
    night.acted += posted + acted
    night.tasks += failed
    if page is not None:
        (night.tasks if page.failed else night.acted).append(page.told)
    if unread is not None:
        night.tasks.insert(0, unread)
    return night


def take_posts(app: App, *, go_on: Callable[[], None] = lambda: None) -> tuple[list[str], list[str]]:
    """Takes in what the mail provider posted: what was done because of answers among it, and what could not be taken
    in, a sentence each."""
    done = take_in(app.store, app.fronts(), app.clock, go_on=go_on)
    if done.posts:
        told = {
            "posts": done.posts,
            "events": done.heard.new,
            "mails": sum(one.reply_id is not None for one in done.mails),
        }
        _log.info("posts_taken_in", extra=told)
    return act_on(app, done.mails), done.failed


def read_inbox(app: App) -> tuple[list[str], str | None]:
    """What was done because of the mails that came, and why they could not be read: a mail server stops no run."""
    try:
        polled = app.poll()
        return act_on(app, polled.taken) if polled is not None else [], None
    except ConnectorError as error:
        return [], f"the inbox could not be read: {error}"
    except ArsyncError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of ours, too
        return [], f"the inbox could not be read: unexpected {type(error).__name__}"


def tell_night(app: App, night: Night) -> None:
    """Prints what a run did, and what a person must look at."""
    rows = []
    for shift in night.shifts:
        decided, sent, written = shift.decided, shift.dispatched, shift.written
        said = _said_of(decided)
        rows.append(
            (shift.connection, shift.synced, len(sent.accepted), len(sent.withdrawn), len(sent.postponed),
             len(sent.unknown), said[Decision.HOLD], said[Decision.WAIT], written.written + written.found)
        )  # fmt: skip
    columns = ("connection", "changed", "sent", "withdrawn", "postponed", "unknown", "held", "waiting", "notes")
    table(columns, rows, right=columns[1:])
    for shift in night.shifts:
        for line in _of_shift(shift):
            say(f"{shift.connection}: {line}")
        for error in shift.errors:
            say(f"{shift.connection}: {error}", style="red")
        for reason, count in _reasons(shift):
            say(f"{shift.connection}: {count} {reason}")
        if shift.decided is not None and shift.decided.superseded:
            gone = shift.decided.superseded
            old = so_many(gone, "of an earlier run no longer holds", "of earlier runs no longer hold")
            say(f"{shift.connection}: {old} (arsync explain)")
    with app.store.reading() as work:
        waiting_for = len(messages.in_states(work, (MessageState.PLANNED,)))
        to_call = len(waiting_calls(app, work))
        own = connections.installation(work)
    changed = pending_changes(app)
    if own.stopped_at is not None:
        say(
            f"nothing goes out: stopped by {own.stopped_by} at {own.stopped_at:%Y-%m-%d %H:%M} UTC: "
            f"{own.stop_reason} (arsync start)",
            style="yellow",
        )
    for change in changed:
        say(f"{change}: arsync playbook review", style="yellow")
    _tell_waiting(app, waiting_for, to_call)
    for line in night.acted:
        say(line)
    for task in night.tasks:
        say(f"to do: {task}", style="yellow")


def _of_shift(shift: Shift) -> Iterator[str]:
    """What is to be known of a company's night, and is no fault."""
    if (closed := _closed(shift.dispatched)) is not None:
        yield closed
    for why, count in shift.decided.capped.most_common() if shift.decided else ():
        yield f"{so_many(count, 'waits', 'wait')}: {why}"
    if shift.adopted:
        yield taken_for_sent(shift.adopted)
    if shift.corrected:
        yield f"{counted(shift.corrected, 'message')} had asked for what was paid before: arsync corrections"


def _tell_waiting(app: App, unanswered: int, to_call: int) -> None:
    """Prints what waits for a person: for second thoughts, within `undo_minutes` of the yes, for the yes, and for what
    only a person can do."""
    if kept_back := _kept_back(app):
        last = max(kept_back)
        many = so_many(len(kept_back), "is kept back", "are kept back")
        say(f"{many} until {last:%Y-%m-%d %H:%M} UTC, for second thoughts: arsync unapprove")
    if unanswered:
        say(f"{so_many(unanswered, 'waits for approval', 'wait for approval')}: arsync approve")
    if to_call:
        say(f"{to_call} {'call or task waits' if to_call == 1 else 'calls and tasks wait'} for a person: arsync calls")
    with app.store.reading() as work:
        paper = letters.waiting(work)
    for those, what in zip(paper, ("printed", "posted"), strict=True):
        if those:
            say(f"{'1 letter waits' if len(those) == 1 else f'{len(those)} letters wait'} to be {what}: arsync letters")


def _kept_back(app: App) -> list[datetime]:
    now, wait = app.clock.now(), timedelta(minutes=app.settings.delivery.undo_minutes)
    if not wait:
        return []
    with app.store.reading() as work:
        approved = messages.in_states(work, (MessageState.APPROVED,))
    ends = [one.approved_at + wait for one in approved if one.approved_at]
    return [end for end in ends if end > now]


def _closed(sent: Dispatched) -> str | None:
    """For whom it is not the time, and when it is; None where it is for everybody."""
    if sent.opens_at is None:
        return None
    opens = f"{sent.opens_at:%Y-%m-%d %H:%M %Z}"
    if sent.night:
        return f"the send window is closed; messages go at {opens}"
    messages_wait = "1 message waits" if sent.closed == 1 else f"{sent.closed} messages wait"
    others = "; the others are not held up" if sent.leaving else ""
    return f"{messages_wait} for the customers' own send windows, the first until {opens}{others}"


def _said_of(decided: Decided | None) -> Counter[Decision]:
    """How many invoices were told to act, to wait or to hold."""
    return Counter() if decided is None else decided.said


def _reasons(shift: Shift) -> list[tuple[str, int]]:
    """Why messages did not go out as planned, each reason once, the most frequent first; not what stopped them all,
    which the errors tell."""
    sent = shift.dispatched
    kinds = (
        ("withdrawn", sent.withdrawn), ("postponed", sent.postponed), ("failed", sent.failed), ("unknown", sent.unknown)
    )  # fmt: skip
    return Counter(
        f"{what}: {flat(reason)}" for what, those in kinds for _message, reason in those if reason != sent.error
    ).most_common()


def _night_as_json(app: App, night: Night) -> dict[str, object]:
    with app.store.reading() as work:
        own = connections.installation(work)
        to_approve = [message.id for message in messages.in_states(work, (MessageState.PLANNED,))]
    return {
        "run": night.run_id,
        "stopped": own.stop_reason if own.stopped_at is not None else None,
        "to_approve": to_approve,
        "settled": night.settled,
        "connections": [
            {
                "connection": shift.connection,
                "synced": shift.synced,
                "planned": shift.decided.planned if shift.decided else 0,
                "superseded": shift.decided.superseded if shift.decided else 0,
                "held": _said_of(shift.decided)[Decision.HOLD],
                "waiting": _said_of(shift.decided)[Decision.WAIT],
                "accepted": [message.key for message in shift.dispatched.accepted],
                "withdrawn": [[message.key, reason] for message, reason in shift.dispatched.withdrawn],
                "postponed": [[message.key, reason] for message, reason in shift.dispatched.postponed],
                "failed": [[message.key, reason] for message, reason in shift.dispatched.failed],
                "unknown": [[message.key, reason] for message, reason in shift.dispatched.unknown],
                "opens_at": shift.dispatched.opens_at,
                "capped": shift.decided.capped if shift.decided else {},
                "adopted": shift.adopted,
                "corrected": shift.corrected,
                "notes": shift.written,
                "errors": shift.errors,
            }
            for shift in night.shifts
        ],
        "acted": night.acted,
        "tasks": night.tasks,
    }
