"""Checking the playbooks of an installation: every problem of all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from arsync.domain.calendar import closed_days
from arsync.domain.policy import Playbook
from arsync.playbook.calendars import House, never_at_home
from arsync.playbook.choose import clashes
from arsync.playbook.load import load
from arsync.playbook.places import Place
from arsync.playbook.problems import Problem
from arsync.resources import bundled
from arsync.settings import Settings


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found: the files that were looked at, the playbooks that can be followed by their files' names, and what
    is wrong with any."""

    paths: tuple[Path, ...]
    own: bool  # they are the installation's, not those that arsync brings
    good: Mapping[str, Playbook]
    problems: tuple[Problem, ...]


def checked(settings: Settings, files: Sequence[Path] | None = None, *, today: date) -> Checked:
    """Those files; else every playbook of the installation, else those that arsync brings."""
    own = sorted(settings.playbook_folder.glob("*.yaml"))
    paths = files or own or sorted(bundled("playbooks").glob("*.yaml"))
    good: dict[str, Playbook] = {}
    problems: list[Problem] = []
    for path in paths:
        templates = path.parent / "templates"
        playbook, found = load(path, templates if templates.is_dir() else bundled("playbooks") / "templates")
        problems += found
        if playbook is not None:
            good[path.name] = playbook
            problems += _never_at_home(settings, path, playbook, today)
    problems += clashes(good)
    # several playbooks may share a template
    return Checked(tuple(paths), bool(own), good, tuple(dict.fromkeys(problems)))


def _never_at_home(settings: Settings, path: Path, playbook: Playbook, today: date) -> Iterator[Problem]:
    """A window that holidays and closed days never let open for customers where a company of the settings is."""
    for company in {one: settings.company(one) for one in ("", *settings.connections)}.values():
        if company.country is not None or company.closed:
            closed = tuple(closed_days(one) for one in company.closed)
            house = House(Place(company.country, company.region), company.timezone or "UTC", closed)
            if why := never_at_home(playbook.window, house, today):
                lines = path.read_text(encoding="utf-8").splitlines()
                where = f", where {company.country} is" if company.country else ""
                at = next((number for number, line in enumerate(lines, 1) if line.startswith("window:")), 1)
                yield Problem(path.name, at, f"window: {why}{where}")
                return
