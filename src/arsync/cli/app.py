"""The program: all groups of commands, and what the exit status says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from arsync import __version__
from arsync.cli import demo, explain, night, people, playbooks, pull, setup
from arsync.cli.context import State
from arsync.cli.output import complain, say
from arsync.errors import Ambiguous, ArsyncError, ConfigurationError, Locked, NotFound, UsageError

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


@program.callback()
def options(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Default: $ARSYNC_CONFIG, else arsync.toml.")] = None,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
) -> None:
    """Keeps the options before the command's name."""
    if version:
        say(__version__)
        raise typer.Exit
    context.obj = State(config, context.obj)


for group in (demo, setup, pull, night, people, explain, playbooks):
    group.register(program)


def run(arguments: Sequence[str], *, observe: Callable[[str, str], None] | None = None) -> int:
    """Runs one command; its exit status. Errors of ours are one clear sentence, never a traceback.

    `observe` is told "before" and "after" each commit and outbound request, and what it is.
    """
    try:
        program(list(arguments), obj=observe)
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
    return 0
