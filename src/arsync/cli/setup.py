"""Setting up: init, doctor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from arsync.bootstrap import App
from arsync.cli.context import Json, State, opened
from arsync.cli.init import Laid, lay_down
from arsync.cli.night import pending_changes
from arsync.cli.output import dump, say, table
from arsync.connector import Clock
from arsync.domain.clock import SystemClock
from arsync.errors import ConfigurationError, UsageError
from arsync.logs import masked
from arsync.ops.doctor import examine
from arsync.ops.finding import exit_status, folded
from arsync.playbook.load import load as load_playbook
from arsync.resources import bundled
from arsync.settings import DEFAULT_NAME, load
from arsync.worker.reach import ever_meets

#: More files than these in a folder are told as one line.
_MANY: Final = 10


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(init)
    program.command()(doctor)


def init(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="Where to write them; default: here.")] = None,
) -> None:
    """Writes arsync.toml and copies the playbooks to edit; overwrites nothing."""
    state: State = context.obj
    if folder is not None and state.config is not None:
        raise UsageError("name a folder, or the file by --config")
    for line in _told(lay_down(state.config or (folder or Path()) / DEFAULT_NAME)):
        say(line)
    say("next: fill in arsync.toml, then `arsync doctor`")


def _told(every: Sequence[Laid]) -> list[str]:
    """A line for each file, or for a folder with many of them."""
    many = {folder for folder, files in Counter(one.path.parent for one in every).items() if files > _MANY}
    lines = [f"{_done(one)} {one.path}" for one in every if one.path.parent not in many]
    for (folder, done), files in Counter((one.path.parent, _done(one)) for one in every).items():
        if folder in many:
            lines.append(f"{done} {folder}: {files} {'file' if files == 1 else 'files'}")
    return lines


def _done(laid: Laid) -> str:
    return "wrote" if laid.made else "kept "


def doctor(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also each of the many things that are well.")] = False,
    as_json: Json = False,
) -> None:
    """Checks everything that must be right before messages go out; each finding with its mend."""
    state: State = context.obj
    findings = examine(
        lambda: load(state.config), clock=_clock(state), read_playbook=_read_playbook,
        pending=lambda: _pending(context), unmet=lambda: _unmet(context),
    )  # fmt: skip
    if as_json:
        dump([{**one.as_json(), "detail": masked(one.detail)} for one in findings])
    else:
        table(
            ("", "what", "found", "mend"),
            [
                (one.level, one.subject, masked(one.detail), one.mend)
                for one in (findings if every else folded(findings))
            ],
        )
    if status := exit_status(findings):
        raise typer.Exit(status)


def _clock(state: State) -> Clock:
    """The clock that a run would go by."""
    try:
        app = App(load(state.config))
        app.clock.now()
    except ConfigurationError:
        return SystemClock()
    return app.clock


def _pending(context: typer.Context) -> list[str]:
    with opened(context) as app:
        return pending_changes(app)


def _unmet(context: typer.Context) -> list[str]:
    """Companies for which a worker would do nothing within a send window; a cron of somebody's own may."""
    with opened(context) as app:
        worker, now = app.settings.worker, app.clock.now()
        crontabs = (worker.dispatch, worker.nightly)
        return [
            f"{one.name}: no job of a worker falls into the send window of playbook {policy.playbook.name}"
            for one in app.linked()
            if not ever_meets(policy := app.policy(one), crontabs, now)
        ]


def _read_playbook(path: Path) -> list[str]:
    templates = path.parent / "templates"
    _playbook, problems = load_playbook(path, templates if templates.is_dir() else bundled("playbooks") / "templates")
    return [str(problem) for problem in problems]
