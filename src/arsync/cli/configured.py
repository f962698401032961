"""What the settings come to: settings show."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Final

import typer

from arsync.bootstrap import App
from arsync.cli.context import Json, opened
from arsync.cli.output import dump, table
from arsync.errors import NotFound
from arsync.settings.shown import Shown, of_company, of_connector, of_installation
from arsync.store import connections

_group = typer.Typer(no_args_is_help=True, help="The settings.")
_COLUMNS: Final = ("key", "value", "from")


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.add_typer(_group, name="settings")


@_group.command("show")
def show(
    context: typer.Context,
    connection: Annotated[
        str | None, typer.Option(help="What holds for that company; default: for the whole installation.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Shows each setting that holds and where it comes from; of secrets only that they are there."""
    with opened(context) as app:
        shown = _of_all(app) if connection is None else _of_one(app, connection)
    if as_json:
        dump([{"key": one.key, "value": one.value, "from": one.source} for one in shown])
    else:
        table(_COLUMNS, [tuple(asdict(one).values()) for one in shown])


def _of_all(app: App) -> list[Shown]:
    settings = app.settings
    return [
        *of_installation(settings),
        *(
            one
            for name in sorted(settings.connectors)
            for one in of_connector(settings, name, app.connector_settings(name))
        ),
    ]


def _of_one(app: App, name: str) -> list[Shown]:
    """One that is written in the file or linked; a name that is neither is a slip."""
    settings = app.settings
    if name not in settings.connections:
        file = settings.database_file
        known = _linked(app) if file is None or file.exists() else []
        if name not in known:
            there = ", ".join(sorted({*settings.connections, *known})) or "none yet"
            raise NotFound(f"connection {name!r} (there are: {there})")
    return of_company(settings, name)


def _linked(app: App) -> list[str]:
    with app.store.reading() as work:
        return [one.name for one in connections.connections(work)]
