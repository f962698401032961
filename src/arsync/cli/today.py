"""What is on a person's desk this morning."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

import typer

from arsync.acts.calls import tried_on, waiting_calls
from arsync.bootstrap import App
from arsync.cli.context import Json, OfCompany, OfGroup, chosen, opened
from arsync.cli.output import dump, flat, say
from arsync.domain.states import MessageState, PromiseState
from arsync.store import connections, finding, letters, messages, promises, verdicts
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.verdicts import Through
from arsync.worker import tasks

_LATELY: Final = timedelta(days=7)
_SHOWN: Final = 20


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(today)


def today(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=0, max=90, help="So many days ahead of promised money.")] = 0,
    connection: OfCompany = None,
    group: OfGroup = None,
    as_json: Json = False,
) -> None:
    """Lists what waits for a person today: tasks, follow-ups, calls, letters, approvals, ends and promises."""
    with opened(context) as app:
        desk = _desk(app, days, chosen(app, connection, group))
    if as_json:
        dump(desk)
        return
    for title, lines in desk.items():
        if lines:
            say(f"{title}: {len(lines)}", style="bold")
        shown = lines[:_SHOWN] if title == "to decide" else lines
        for line in shown:
            say(flat(f"  {line}"))
        if len(shown) < len(lines):
            say(f"  and {len(lines) - len(shown)} more, over less (arsync today --json lists all)")
    if not any(desk.values()):
        say("nothing waits for you today")


def _desk(app: App, days: int, those: list[Connection] | None) -> dict[str, list[str]]:
    with app.store.reading() as work:
        companies = connections.connections(work) if those is None else those
        names = {one.id: one.name for one in companies}
        calls = [
            f"call {one.message.id}: {finding.customer_name(work, one.message.connection_id, one.message.payer_id)}, "
            f"{one.stake.open}, since {one.message.sent_on}{f' ({tried_on(one.tried)})' if one.tried else ''}"
            for one in waiting_calls(app, work)
            if one.message.connection_id in names
        ]
        paper = [
            f"letter {one.message.id}: {one.message.step_id} to "
            f"{finding.customer_name(work, one.message.connection_id, one.message.payer_id)}, "
            f"{one.message.amount:,.2f} {one.message.currency}: to be {what}"
            for pile, what in zip(letters.waiting(work), ("printed", "posted"), strict=True)
            for one in pile
            if one.message.connection_id in names
        ]
        waiting = [
            f"message {one.id}: {one.step_id} to {finding.customer_name(work, one.connection_id, one.payer_id)}, "
            f"{one.amount:,.2f} {one.currency}"
            for one in messages.in_states(work, (MessageState.PLANNED,))
            if one.connection_id in names
        ]
        due = [line for one in companies for line in _promised(app, work, one, days)]
        broken = [line for one in companies for line in _broken(app, work, one)]
        decide = [
            _through(work, one, names[one.connection_id])
            for one in verdicts.through(work)
            if one.connection_id in names
        ]
    mornings = [(one, app.today(one)) for one in companies]
    return {
        "tasks": [*tasks.tasks(app.store, None if those is None else names), *tasks.unanswered(app.store, mornings)],
        "follow-ups": tasks.follow_ups(app.store, mornings),
        "calls": calls,
        "letters": paper,
        "to approve": waiting,
        "to decide": decide,
        "promised": due,
        "broken": broken,
    }


def _through(work: Work, ended: Through, company: str) -> str:
    others = f" (and {ended.invoices - 1} more, {ended.open} in all)" if ended.invoices > 1 else ""
    return f"{company}: {finding.customer_name(work, ended.connection_id, ended.payer_id)}: {ended.reason}{others}"


def _promised(app: App, work: Work, company: Connection, days: int) -> list[str]:
    last = app.today(company) + timedelta(days=days)
    return [
        f"{company.name}: {finding.customer_name(work, company.id, one.payer_id)}: {one.amount} by {one.promised_on}"
        f"{' (instalment)' if one.plan_id else ''}, in time until {one.until}"
        for one in promises.in_state(work, company.id, PromiseState.OPEN)
        if one.promised_on <= last
    ]


def _broken(app: App, work: Work, company: Connection) -> list[str]:
    since = app.clock.now() - _LATELY
    return [
        f"{company.name}: {finding.customer_name(work, company.id, one.payer_id)}: {one.amount} by {one.promised_on}"
        for one in promises.in_state(work, company.id, PromiseState.BROKEN)
        if one.settled_at is not None and one.settled_at >= since
    ]
