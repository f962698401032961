"""What people are to be told of: alerts."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.cli.context import Json, opened
from arsync.cli.output import complain, dump, flat, say
from arsync.errors import ConfigurationError


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(alerts)


def alerts(
    context: typer.Context,
    tell: Annotated[bool, typer.Option("--tell", help="Tell by the paths of [alerts] what was not told yet.")] = False,
    as_json: Json = False,
) -> None:
    """Lists what our own people are to be told of as things are; status 1 where there is anything."""
    with opened(context) as app:
        if tell and not app.alarm.paths():
            raise ConfigurationError(f"{app.settings.source}: neither alerts.mail nor alerts.webhook is set")
        found = app.alarm.standing()
        wrong = app.alarm.tell() if tell else []
    if as_json:
        dump(found)
    else:
        for line in found.values() or ["nothing"]:
            say(flat(line))
    for line in wrong:
        complain(line)
    if found or wrong:
        raise typer.Exit(1)
