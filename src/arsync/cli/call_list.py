"""The calls to make: calls."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Final

import typer

from arsync.acts import story
from arsync.acts.calls import tried_on, waiting_calls
from arsync.bootstrap import App
from arsync.cli.context import Json, OfCompany, companies, opened
from arsync.cli.output import complain, dump, flat, say, table
from arsync.domain.people import CallOutcome
from arsync.domain.policy import StepChannel
from arsync.errors import ConnectorError, NotFound
from arsync.store import calls as call_rows
from arsync.store import connections, finding, messages
from arsync.worker.calls import OpenedCall, open_call

_STORY: Final = 8


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(calls)


def calls(
    context: typer.Context,
    message_id: Annotated[int | None, typer.Argument(metavar="[MESSAGE]", help="Open this call.")] = None,
    connection: OfCompany = None,
    as_json: Json = False,
) -> None:
    """Lists the calls to make, the most money at stake first, or opens one: the source is read again first."""
    with opened(context) as app:
        if message_id is not None:
            _open(app, message_id, as_json)
            return
        with app.store.reading() as work:
            those = {one.id for one in companies(work, connection)}
            due = waiting_calls(app, work, those)
            payers = finding.customer_names(work, {(one.message.connection_id, one.message.payer_id) for one in due})
    if as_json:
        dump([{**asdict(one.message), "at_stake": one.stake.open.amount} for one in due])
        return
    if not due:
        say("no call waits")
        return
    table(
        ("id", "since", "payer", "at stake", "about", "tried"),
        [
            (one.message.id, one.message.sent_on, payers[one.message.connection_id, one.message.payer_id],
             one.stake.open, one.message.subject, tried_on(one.tried))
            for one in due
        ],
        right=("at stake",),
    )  # fmt: skip


def _open(app: App, message_id: int, as_json: bool) -> None:
    with app.store.reading() as work:
        found = next((one.message for one in waiting_calls(app, work) if one.message.id == message_id), None)
        if found is None:
            raise NotFound(f"call {message_id} on the list")
        company = connections.connection_by_id(work, found.connection_id)
    if found.channel != StepChannel.CALL and not found.amount:
        say(f"{found.subject}\n\n{found.text}")
        return
    try:
        told = open_call(app.store, app.intake(company), app.clock, found)
    except ConnectorError as error:
        if not as_json:
            say(f"{found.subject}\n\n{found.text}")
        complain(f"the source could not be read again, look there before you ring: {error}")
        raise typer.Exit(1) from None
    if told is None:
        with app.store.reading() as work:
            stake = call_rows.stakes(work, [found], {company.id: app.today(company)})[found.id]
        reason = stake.stopped or "nothing that it was about is owed any more"
        if as_json:
            dump({"withdrawn": reason})
        else:
            say(flat(f"call {message_id} is off the list: {reason}"), style="yellow")
        return
    if as_json:
        dump(
            {**asdict(found), "subject": told.script.subject, "text": told.script.text,
             "at_stake": told.stake.open.amount, "local_time": told.local, "opens_at": told.opens_at}
        )  # fmt: skip
        return
    _tell(app, told)


def _tell(app: App, told: OpenedCall) -> None:
    say(f"{told.script.subject}", style="bold")
    now = f"it is {told.local:%A %H:%M} there ({told.local.tzinfo})"
    say(now if told.opens_at is None else f"{now}; their hours begin on {told.opens_at:%A, %Y-%m-%d at %H:%M}")
    was = told.message.amount
    if told.stake.open.amount != was:
        say(f"{told.stake.open} is at stake; it was {was:,.2f} when the call was put on the list", style="yellow")
    say(f"\n{told.script.text}")
    with app.store.reading() as work:
        before = story.said(work, told.message.connection_id, told.message.payer_id)
        before += [
            (one.accepted_at, f"message {one.id}: {one.step_id} by {one.channel}: {one.subject}")
            for one in messages.of_payer(work, told.message.connection_id, told.message.payer_id)
            if one.accepted_at is not None and one.id != told.message.id
        ]
    if before:
        say("What happened so far:")
    for at, line in sorted(before)[-_STORY:]:
        say(flat(f"  {at:%Y-%m-%d} {line}"))
    say(f"\nAfterwards: arsync call {told.message.id} --outcome {'|'.join(CallOutcome)}")
    if told.message.channel == StepChannel.TASK:
        say(flat(f"Or, where somebody else has it from now on: arsync handoff id:{told.message.payer_id} --to NAME"))
