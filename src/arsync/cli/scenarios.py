"""Scenario tests: whether a playbook does what its author expects."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from arsync.cli.context import Json, State
from arsync.cli.output import dump, say, table
from arsync.domain.policy import Playbook
from arsync.errors import NotFound
from arsync.playbook.expectations import Outcome, check
from arsync.playbook.load import load
from arsync.playbook.problems import Problem, nearest
from arsync.playbook.scenario_file import read
from arsync.playbook.scenarios import file_of
from arsync.playbook.templates import locales
from arsync.resources import bundled
from arsync.settings import load as load_settings

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def register(program: typer.Typer) -> None:
    """Adds the tests to the group of playbooks."""
    (group,) = (found.typer_instance for found in program.registered_groups if found.name == "playbook")
    assert group is not None
    group.command("test")(test)


def test(
    context: typer.Context,
    playbooks: Annotated[
        list[str] | None, typer.Argument(metavar="[PLAYBOOK]...", help="Names or files; default: every one.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The calendars of those that pass, too.")] = False,
    as_json: Json = False,
) -> None:
    """Plays the scenarios beside playbooks day by day, and shows what does not come as expected."""
    state: State = context.obj
    settings = load_settings(state.config)
    own = settings.playbook_folder
    folder = own if any(own.glob("*.yaml")) else bundled("playbooks")
    paths = [_named(name, own) for name in playbooks or ()] or sorted(folder.glob("*.yaml"))
    counts: Counter[str] = Counter()
    answers: list[dict[str, Any]] = []
    for path in paths:
        outcomes, problems = _play(path, named=bool(playbooks))
        counts += Counter("failed" if not one.passed else "passed" for one in outcomes)
        counts["problems"] += len(problems)
        if as_json:
            answers.append(_as_json(path, outcomes, problems))
        else:
            _print(path, outcomes, problems, every)
    if as_json:
        dump(answers)
    else:
        problems_too = f", {counts['problems']} problems" if counts["problems"] else ""
        say(f"{counts['passed'] + counts['failed']} scenarios, {counts['failed']} failed{problems_too}")
    if counts["failed"] or counts["problems"]:
        raise typer.Exit(1)


def _named(name: str, own: Path) -> Path:
    """A file as written, else the installation's own playbook of that name, else the shipped one."""
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise NotFound(f"playbook {name}")
        return Path(name)
    shipped = bundled("playbooks")
    found = next((path for path in (own / f"{name}.yaml", shipped / f"{name}.yaml") if path.is_file()), None)
    if found is None:
        near = nearest(name, (path.stem for folder in (own, shipped) for path in folder.glob("*.yaml")))
        raise NotFound(f"playbook {name}" + (f" (did you mean {near}?)" if near else ""))
    return found


def _play(path: Path, *, named: bool) -> tuple[list[Outcome], tuple[Problem, ...]]:
    """Every scenario of a playbook; the problems of the playbook, or of its scenarios, where it has any."""
    templates = path.parent / "templates"
    templates = templates if templates.is_dir() else bundled("playbooks") / "templates"
    playbook, problems = load(path, templates)
    if playbook is None:
        return [], problems
    file = file_of(path)
    if not file.is_file():
        missing = Problem(path.name, 1, f"has no scenarios: write them into {file.parent.name}/{file.name} beside it")
        return [], (missing,) if named else ()
    scenarios, problems = read(file, playbook)
    return _outcomes(scenarios, playbook, templates), problems


def _outcomes(scenarios: tuple[Any, ...], playbook: Playbook, templates: Path) -> list[Outcome]:
    written = locales(playbook, templates) if playbook.steps else frozenset()
    return [check(scenario, playbook, written) for scenario in scenarios]


def _print(path: Path, outcomes: list[Outcome], problems: tuple[Problem, ...], every: bool) -> None:
    for problem in problems:
        say(str(problem))
    if not outcomes and not problems:
        say(f"{path.stem}: no scenarios")
    file = file_of(path)
    for outcome in outcomes:
        scenario = outcome.scenario
        mark = "passed" if outcome.passed else "FAILED"
        say(f"{mark}  {path.stem}: {scenario.name}", style="" if outcome.passed else "bold")
        if outcome.passed and not every:
            continue
        table(
            ("", "day", "what happens", "expected", "what the playbook does"),
            [
                (
                    "!" if day.differs else "",
                    f"{_WEEKDAYS[day.on.weekday()]} {day.on}",
                    "\n".join(day.happens),
                    "\n".join(day.expected) or ("nothing" if day.differs else ""),
                    "\n".join(day.actual) or ("nothing" if day.differs else ""),
                )
                for day in outcome.days
            ],
            several_lines=True,
        )
        for one in outcome.differences:
            say(f"{file.parent.name}/{file.name}:{one.line}: {one.on}: {one.message}")
        say()


def _as_json(path: Path, outcomes: list[Outcome], problems: tuple[Problem, ...]) -> dict[str, Any]:
    return {
        "playbook": path.stem,
        "file": str(file_of(path)),
        "problems": list(problems),
        "scenarios": [
            {
                "name": outcome.scenario.name,
                "line": outcome.scenario.line,
                "passed": outcome.passed,
                "differences": list(outcome.differences),
                "days": list(outcome.days),
            }
            for outcome in outcomes
        ],
    }
