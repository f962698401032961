"""Playbooks: lint, show."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from arsync.cli.context import Json, State, opened
from arsync.cli.output import dump, say, table
from arsync.domain.policy import Playbook, Step, Tone
from arsync.playbook.choose import clashes
from arsync.playbook.load import load
from arsync.playbook.problems import Problem
from arsync.resources import bundled
from arsync.settings import load as load_settings

_group = typer.Typer(no_args_is_help=True, help="Chase policies.")


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.add_typer(_group, name="playbook")


@_group.command()
def lint(
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(help="Default: every playbook of this installation.")] = None,
    as_json: Json = False,
) -> None:
    """Checks playbooks and their templates: all problems at once, each with its file and line."""
    problems: list[Problem] = []
    paths = files or _own(context)
    good: dict[str, Playbook] = {}
    for path in paths:
        templates = path.parent / "templates"
        playbook, found = load(path, templates if templates.is_dir() else bundled("playbooks") / "templates")
        problems += found
        if playbook is not None:
            good[path.name] = playbook
    problems += clashes(good)
    if as_json:
        dump(problems)
    else:
        for problem in problems:
            say(str(problem))
        say(f"{len(paths)} playbooks, {len(problems)} problems")
    if problems:
        raise typer.Exit(1)


def _own(context: typer.Context) -> list[Path]:
    state: State = context.obj
    own = sorted(load_settings(state.config).playbook_folder.glob("*.yaml"))
    return own or sorted(bundled("playbooks").glob("*.yaml"))


@_group.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A playbook's name or file.")] = "standard",
    as_json: Json = False,
) -> None:
    """Shows a playbook's ladder and its version."""
    with opened(context) as app:
        playbook, templates = app.playbook(name)
    if as_json:
        dump(asdict(playbook))
        return
    window = playbook.window
    days = " ".join(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day] for day in sorted(window.weekdays))
    say(f"{playbook.name}, version {playbook.version[:12]}", style="bold")
    say(f"at least {playbook.gap} days between two messages; {days}, {window.opens:%H:%M}-{window.closes:%H:%M}")
    table(
        ("step", "day", "channel", "tone", "mode", "template"),
        [
            (
                step.id,
                f"{step.offset:+d}",
                step.channel,
                step.tone.name.lower(),
                _mode(step),
                step.template,
            )
            for step in playbook.steps
        ],
        right=("day",),
    )
    say(f"templates: {templates}")


def _mode(step: Step) -> str:
    if step.mode is not None:
        return step.mode
    return "as configured" if step.tone < Tone.FIRM else "approve, until replies are read"
