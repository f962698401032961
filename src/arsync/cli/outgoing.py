"""What stops everything at once, and lets it go again: stop, start."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.cli import digest, outbox
from arsync.cli.context import Author, author_or_me, opened
from arsync.cli.output import complain, say
from arsync.store import connections, events


def register(program: typer.Typer) -> None:
    """Adds what is about messages that go out: the outbox, the morning's page, and these two."""
    outbox.register(program)
    digest.register(program)
    program.command()(stop)
    program.command()(start)


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
