"""The program: all groups of commands, and what the exit status says."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Final

import typer

from arsync import __version__
from arsync.cli import (
    alerting,
    answers,
    approving,
    call_list,
    calling,
    configured,
    connect,
    contacting,
    corrections,
    database,
    demo,
    explain,
    feedback,
    forecasting,
    handoff,
    holding,
    importing,
    inbox,
    keys,
    languages,
    letters,
    lifting,
    night,
    outgoing,
    overview,
    playbooks,
    preview,
    promising,
    pull,
    remembering,
    reports,
    scenarios,
    serving,
    setup,
    simulate,
    source,
    statements,
    tags,
    today,
    truth,
    users,
    working,
)
from arsync.cli.context import State
from arsync.cli.output import complain, say
from arsync.errors import Ambiguous, ArsyncError, ConfigurationError, Locked, NotFound, UsageError
from arsync.logs import masked

#: 0 done; 1 something failed, or a person must act today; 2 wrong usage or configuration; 3 another run has the lock
FAILED: Final = 1
WRONG: Final = 2
LOCKED: Final = 3

program = typer.Typer(
    name="arsync",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Chases overdue invoices from QuickBooks Online and Xero, and writes every message back.",
)


def _tell_version(asked: bool) -> None:
    if asked:
        say(__version__)
        raise typer.Exit


@program.callback()
def options(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Default: $ARSYNC_CONFIG, else arsync.toml.")] = None,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Print the version.")
    ] = False,
) -> None:
    """Keeps the options before the command's name."""
    context.obj = State(config, context.obj)


_GROUPS: Final = (
    demo, setup, database, configured, connect, overview, keys, pull, truth, night, approving, outgoing, holding,
    handoff, lifting, promising, call_list, calling, remembering, contacting, inbox, answers, importing, today, explain,
    source, playbooks, preview, scenarios, simulate, reports, forecasting, statements, letters, corrections, tags,
    feedback, languages, working, serving, users, alerting,
)  # fmt: skip
for group in _GROUPS:
    group.register(program)


def run(arguments: Sequence[str], *, observe: Callable[[str, str], None] | None = None) -> int:
    """Runs one command; its exit status. Errors of ours are one clear sentence, never a traceback.

    `observe` is told "before" and "after" each commit and outbound request, and what it is.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal of another encoding is no reason to fail
    try:
        _commands()(list(arguments), prog_name="arsync", obj=observe)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except Locked as error:
        complain(str(error))
        return LOCKED
    except (ConfigurationError, UsageError, NotFound, Ambiguous) as error:
        complain(str(error))
        return WRONG
    except ArsyncError as error:
        complain(str(error))
        return FAILED
    except Exception as error:  # noqa: BLE001 - the last place: a fault of ours is a sentence, too
        return _fault(error)
    return 0


@cache
def _commands() -> Callable[..., object]:
    """All commands with their options: read off their functions once for a process."""
    return typer.main.get_command(program)


def _fault(error: Exception) -> int:
    """Its class and place, never its text, which may hold anything; all of it where ARSYNC_TRACEBACK asks."""
    if os.environ.get("ARSYNC_TRACEBACK"):
        sys.stderr.write(masked("".join(traceback.format_exception(error))))
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    complain(f"arsync itself failed: {type(error).__name__} at {place} (ARSYNC_TRACEBACK=1 shows where it came from)")
    return FAILED
