"""Playbooks: what each does on which day, what is wrong with any, and what each step says in each language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.responses import Response

from arsync.bootstrap import App
from arsync.domain.chase import Rendered
from arsync.domain.policy import Playbook, Step, StepMode, Tone
from arsync.domain.roles import Role
from arsync.errors import NotFound
from arsync.playbook.checking import Checked, checked
from arsync.playbook.preview import sample
from arsync.render import locales, render
from arsync.resources import bundled
from arsync.store.connections import Connection
from arsync.web.access import Needs, Reach
from arsync.web.framed import framed
from arsync.web.ladder import ladder
from arsync.web.routes import page
from arsync.web.visit import Visit

_WEEK: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Shown:
    """A playbook with its file, its templates and the companies that follow it unless something else is said."""

    playbook: Playbook
    path: Path
    templates: Path
    companies: tuple[Connection, ...]

    @property
    def file(self) -> str:
        """Its name."""
        return self.path.name


def playbooks(visit: Visit) -> Response:
    """All of them, and what is wrong with any."""
    found = _checked(visit.app)
    return visit.render(
        "playbooks.html", shown=_shown(visit, found).values(), problems=found.problems, own=found.own,
        folder=visit.app.settings.playbook_folder,
    )  # fmt: skip


def playbook(visit: Visit) -> Response:
    """One of them: its ladder as a picture and as a table."""
    one = _one(visit)
    found = one.playbook
    window = found.window
    return visit.render(
        "playbook.html", one=one, playbook=found, ladder=ladder(found),
        days=" ".join(_WEEK[day] for day in sorted(window.weekdays)),
        modes={step.id: _mode(step) for step in found.steps}, besides={step.id: _besides(step) for step in found.steps},
        languages={step.id: sorted(locales(step.template, one.templates)) for step in found.steps},
    )  # fmt: skip


def preview(visit: Visit) -> Response:
    """What a step says, for a customer made up, in a language."""
    one = _one(visit)
    step, language, there = _step(visit, one)
    return visit.render(
        "preview.html", one=one, step=step, language=language, there=there,
        rendered=_rendered(visit, one, step, language), seller=_seller_of(visit, one),
    )  # fmt: skip


def preview_message(visit: Visit) -> Response:
    """The message alone, for the frame."""
    one = _one(visit)
    step, language, _ = _step(visit, one)
    return framed(_rendered(visit, one, step, language).html)


# --- which ------------------------------------------------------------------------------------------------------------


def _checked(app: App) -> Checked:
    """What is wrong is looked for again as soon as a file changes."""
    folders = {app.settings.playbook_folder, bundled("playbooks")}
    return _kept(app, tuple(sorted(_stamps(folders))), app.clock.now().date())


def _stamps(folders: Iterable[Path]) -> Iterable[tuple[str, int, int]]:
    for folder in folders:
        for path in (*folder.glob("*.yaml"), *folder.glob("templates/*")):
            stat = path.stat()
            yield str(path), stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=2)
def _kept(app: App, _stamps: tuple[tuple[str, int, int], ...], today: date) -> Checked:
    return checked(app.settings, today=today)


def known(visit: Visit) -> Mapping[str, Shown]:
    """The playbooks that can be followed, by their names."""
    return _shown(visit, _checked(visit.app))


def _shown(visit: Visit, found: Checked) -> Mapping[str, Shown]:
    """Those that can be followed, by their names: those of the companies of whoever asks, and those of all."""
    settings = visit.app.settings
    paths = {path.name: path for path in found.paths}
    of = {one.name: settings.company(one.name).playbook for one in visit.companies}
    shown = {}
    for file, one in found.good.items():
        beside = paths[file].parent / "templates"
        templates = beside if beside.is_dir() else bundled("playbooks") / "templates"
        theirs = tuple(company for company in visit.companies if of[company.name] in (one.name, file))
        shown[one.name] = Shown(one, paths[file], templates, theirs)
    return shown


def _one(visit: Visit) -> Shown:
    found = known(visit).get(visit.named["playbook"])
    if found is None:
        raise NotFound(f"a playbook {visit.named['playbook']!r}")
    return found


def _step(visit: Visit, one: Shown) -> tuple[Step, str, list[str]]:
    """The step, the language in which it is asked for, and those in which it is there."""
    step = next((step for step in one.playbook.steps if step.id == visit.named["step"]), None)
    if step is None:
        raise NotFound(f"a step {visit.named['step']!r}")
    there = sorted(locales(step.template, one.templates))
    usual = visit.site.look.locale.language
    language = visit.query.get("language", usual if usual in there else next(iter(there), ""))
    if language not in there:
        raise NotFound(f"{step.template} in {language!r}")
    return step, language, there


# --- what it says -----------------------------------------------------------------------------------------------------


def _seller_of(visit: Visit, one: Shown) -> Connection | None:
    """The company in whose name it is shown."""
    wanted = visit.query.get("company", "")
    if wanted:
        found = next((company for company in visit.companies if company.name == wanted), None)
        if found is None:
            raise NotFound(f"a company {wanted!r}")
        return found
    return next(iter([*one.companies, *visit.companies]), None)


def _rendered(visit: Visit, one: Shown, step: Step, language: str) -> Rendered:
    company = _seller_of(visit, one)
    if company is None:
        raise NotFound("a company in whose name it could be shown")
    seller = visit.app.policy(company).seller
    same = seller.locale.lower().startswith(language.partition("-")[0].partition("_")[0])
    intent, letterhead = sample(step, seller, seller.locale if same else language, visit.app.today(company))
    return render(intent, letterhead, one.templates)


def _mode(step: Step) -> str:
    if step.is_task:
        return "a person's task"
    if step.mode is not None:
        return "by itself" if step.mode is StepMode.AUTO else "approved first"
    return "as the settings say" if step.tone < Tone.FIRM else "approved first, until replies are read"


def _besides(step: Step) -> list[str]:
    """What few steps have: what they depend on, how often, what goes along."""
    said = [f"only when {_any(step.when)}"] if step.when else []
    said += [f"not when {_any(step.unless)}"] if step.unless else []
    if step.repeat is not None:
        end = f"until day {step.repeat.until}" if step.repeat.times is None else f"{step.repeat.times} times more"
        said.append(f"again every {step.repeat.every} days, {end}")
    said += [f"with the {one.value}" for one in sorted(step.attach)]
    said += [f"by {step.instead.value} where an e-mail reaches nobody"] if step.instead is not None else []
    return said


def _any(happenings: Iterable[str]) -> str:
    return " or ".join(sorted(str(one).replace("_", " ") for one in happenings))


_VIEWER: Final = Needs(Role.VIEWER, Reach.THEIRS)
ROUTES = [
    page("/playbooks", playbooks, access=_VIEWER),
    page("/playbooks/{playbook}", playbook, access=_VIEWER),
    page("/playbooks/{playbook}/{step}", preview, access=_VIEWER),
    page("/playbooks/{playbook}/{step}/message", preview_message, access=_VIEWER),
]
