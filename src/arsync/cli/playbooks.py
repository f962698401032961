"""Playbooks: lint, show."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from arsync.cli.context import Json, State, opened
from arsync.cli.output import dump, say, table
from arsync.domain.policy import Act, Anchor, Group, Playbook, Step, Tone
from arsync.playbook.choose import clashes
from arsync.playbook.load import load
from arsync.playbook.problems import Problem
from arsync.playbook.step_checks import reads_replies
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
        for name, playbook in good.items():
            for step_id in reads_replies(playbook):
                say(f"{name}: {step_id} depends on replies, and arsync does not read them yet: none is ever known")
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
        dump({key: value for key, value in asdict(playbook).items() if key != "shape"})
        return
    window = playbook.window
    days = " ".join(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day] for day in sorted(window.weekdays))
    say(f"{playbook.name}, version {playbook.version[:12]}", style="bold")
    say(f"at least {playbook.gap} days between two messages; {days}, {window.opens:%H:%M}-{window.closes:%H:%M}")
    table(
        ("step", "day", "channel", "tone", "mode", "template", "besides"),
        [
            (
                step.id,
                _day(step),
                step.channel,
                step.tone.name.lower(),
                _mode(step),
                step.template,
                _besides(step),
            )
            for step in playbook.steps
        ],
        right=("day",),
    )
    caps = {"7 days": playbook.caps.week, "30 days": playbook.caps.month, "one day": playbook.caps.mailbox}
    if said := ", ".join(f"{most} in {span}" for span, most in caps.items() if most is not None):
        say(f"at most: {said}")
    if playbook.group is Group.INVOICE:
        say("each invoice at its own pace, one message at a time")
    if playbook.end is not None:
        say(f"in the end, {playbook.end.id}: {playbook.end.says}")
    say(f"templates: {templates}")


def _day(step: Step) -> str:
    if step.act is Act.THANK_YOU:
        return "paid"
    counted = "" if step.anchor is Anchor.DUE_DATE else f" from {step.anchor.value.replace('_', ' ')}"
    return f"{step.offset:+d}{counted}"


def _besides(step: Step) -> str:
    """What few steps have: what they do, what they depend on, how often."""
    said = [] if step.act is Act.REMIND else [step.act.value]
    said += [f"when {' or '.join(sorted(step.when))}"] if step.when else []
    said += [f"unless {' or '.join(sorted(step.unless))}"] if step.unless else []
    if step.repeat is not None:
        end = f"until day {step.repeat.until}" if step.repeat.times is None else f"{step.repeat.times} more"
        said.append(f"every {step.repeat.every} days, {end}")
    return "; ".join(said)


def _mode(step: Step) -> str:
    if step.is_task:
        return "task"
    if step.mode is not None:
        return step.mode
    return "as configured" if step.tone < Tone.FIRM else "approve, until replies are read"
