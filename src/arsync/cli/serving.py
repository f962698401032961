"""The desk in the browser: serve."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.cli.context import opened
from arsync.cli.output import say
from arsync.logs import configure


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(serve)


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Default: serve.host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: serve.port.")] = None,
) -> None:
    """Serves the desk to browsers, and the vendors' endpoints, until it is told to stop."""
    with opened(context) as app:
        configure(app.settings.log.format, app.settings.log.level or "info")
        from arsync.web import serving  # noqa: PLC0415 - no other command needs a web server

        settings = app.settings.serve
        here, there = host or settings.host, settings.port if port is None else port
        say(f"the desk is at {settings.public_url or f'http://{here}:{there}'} (Ctrl+C ends it)")
        serving.serve(app, here, there)
