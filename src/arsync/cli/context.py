"""What every command is given: where the configuration is, and the installation wired from it when it is needed."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from arsync.bootstrap import App
from arsync.cli.output import complain
from arsync.errors import UsageError
from arsync.logs import configure
from arsync.settings import load
from arsync.store import connections
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.worker.stopping import Stopping


@dataclass(slots=True)
class State:
    """The options before the command's name."""

    config: Path | None = None
    observe: Callable[[str, str], None] | None = None  # told before and after each commit and request


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Connections = Annotated[list[str] | None, typer.Argument(metavar="CONNECTION", help="Default: all.")]
ConnectionOption = Annotated[str | None, typer.Option("--connection", help="Where a number or name is not unique.")]
OfCompany = Annotated[str | None, typer.Option("--connection", help="Only of that company.")]
OfGroup = Annotated[str | None, typer.Option("--group", help="Only of the companies of that group.")]
Author = Annotated[str | None, typer.Option(help="Who says so; default: the user of this session.")]


@contextmanager
def opened(context: typer.Context, stopping: Stopping | None = None) -> Iterator[App]:
    """The installation; closed again after the command."""
    state: State = context.obj
    observed = {"observe": state.observe} if state.observe else {}
    app = App(load(state.config), stopping=stopping, **observed)
    configure(app.settings.log.format, app.settings.log.level or "warning")
    try:
        yield app
    finally:
        app.close()


def linked(app: App, names: Sequence[str] | None) -> list[Connection]:
    """The connections of these names, or all; says so where there is none yet."""
    found = app.linked(names or ())
    if not found:
        complain("no company is linked yet: arsync connect")
    return found


def companies(work: Work, name: str | None) -> list[Connection]:
    """The connection of that name, or every one; NotFound where there is none of it."""
    return connections.connections(work) if name is None else [connections.connection(work, name)]


def chosen(app: App, name: str | None, group: str | None) -> list[Connection] | None:
    """The companies that `--connection` or `--group` names; None where neither does."""
    if name is not None and group is not None:
        raise UsageError("--connection or --group, not both")
    if group is None:
        return None if name is None else app.linked([name])
    if group not in app.settings.groups:
        raise UsageError(
            f"no group {group} is in the settings (there is: {', '.join(sorted(app.settings.groups)) or 'none'})"
        )
    members = {name for name, own in app.settings.connections.items() if own.group == group}
    return [one for one in app.linked() if one.name in members]


def author_or_me(author: str | None) -> str:
    """The author given, or the user of this session."""
    if author:
        return author
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
