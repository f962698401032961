"""What a person lets out, or stops altogether: approve, stop, start."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.bootstrap import App
from arsync.cli.context import Author, Json, author_or_me, opened
from arsync.cli.output import complain, dump, say, table
from arsync.domain.states import MessageState
from arsync.errors import NotFound, UsageError
from arsync.store import connections, events, messages


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(approve)
    program.command()(stop)
    program.command()(start)


def approve(
    context: typer.Context,
    message_ids: Annotated[list[int] | None, typer.Argument(metavar="MESSAGE")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Lists the messages that wait for a person, or approves some; they go out at the next run."""
    if message_ids and every:
        raise UsageError("name messages, or --all")
    with opened(context) as app:
        if message_ids or every:
            approve_messages(app, message_ids or None, author_or_me(author))
            return
        with app.store.reading() as work:
            waiting = messages.in_states(work, (MessageState.PLANNED, MessageState.FAILED))
        if as_json:
            dump(waiting)
            return
        table(
            ("id", "state", "step", "to", "subject", "demands", "why"),
            [
                (one.id, one.state, one.step_id, ", ".join(one.recipients), one.subject,
                 f"{one.amount:,.2f} {one.currency}", one.reason)
                for one in waiting
            ],
            right=("demands",),
        )  # fmt: skip


def approve_messages(app: App, message_ids: list[int] | None, author: str) -> int:
    """Approves these messages, or all that are planned; how many it were."""
    approved = 0
    with app.store.working() as work:
        waiting = {one.id: one for one in messages.in_states(work, (MessageState.PLANNED, MessageState.FAILED))}
        chosen = message_ids or [one.id for one in waiting.values() if one.state is MessageState.PLANNED]
        for message_id in chosen:
            one = waiting.get(message_id)
            if one is None:
                raise NotFound(f"message {message_id} that waits for a person")
            live = messages.live_of(work, one.chase_id)
            if live is not None and live.id != one.id:
                raise UsageError(f"message {live.id} of the same chase is {live.state}: settle it first")
            approved += messages.move(
                work, message_id, one.state, MessageState.APPROVED, reason=f"approved by {author}",
                now=app.clock.now(), author=author, approved_by=author, attempts=0, not_before=None,
            )  # fmt: skip
        work.commit()
    say(f"{approved} messages approved; they go out at the next run")
    return approved


def stop(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why.")] = "stopped by hand",
    author: Author = None,
) -> None:
    """The red button: nothing passes the last gate from now on, whatever runs."""
    with opened(context) as app, app.store.working() as work:
        who, now = author_or_me(author), app.clock.now()
        connections.press_stop(work, author=who, reason=reason, now=now)
        events.log(work, "stop_pressed", at=now, author=who, reason=reason)
        work.commit()
    complain(f"stopped: {reason}. Nothing goes out until `arsync start`.")


def start(context: typer.Context, author: Author = None) -> None:
    """Releases the red button."""
    with opened(context) as app, app.store.working() as work:
        now = app.clock.now()
        connections.release_stop(work)
        events.log(work, "stop_released", at=now, author=author_or_me(author))
        work.commit()
    say("started: messages go out again at the next run")
