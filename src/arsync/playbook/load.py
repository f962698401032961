"""A playbook file becomes a `Playbook`, or all that is wrong with it at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import time
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import yaml
from babel.core import get_global

from arsync.domain.money import amount
from arsync.domain.policy import Backlog, Playbook, Reanchor, SendWindow, Step, StepChannel, StepMode, Tone
from arsync.playbook import templates
from arsync.playbook.match_section import canonical, read_match
from arsync.playbook.nodes import Section, compose, entries, line
from arsync.playbook.problems import Problem, Problems, nearest

KEYS: Final = ("name", "match", "do_nothing", "gap", "minimum", "backlog", "reanchor", "window", "steps")
REQUIRED: Final = ("name", "gap", "window", "steps")
#: The keys of a playbook that says never to chase.
NOTHING_KEYS: Final = ("name", "match", "do_nothing")
NOTHING_REQUIRED: Final = ("name", "do_nothing")
WINDOW_KEYS: Final = ("weekdays", "opens", "closes")
STEP_KEYS: Final = ("id", "offset", "channel", "tone", "template", "mode")
STEP_REQUIRED: Final = ("id", "offset", "channel", "tone", "template")
SLUG: Final = r"[a-z0-9]+(-[a-z0-9]+)*"
AMOUNT: Final = r"[0-9]+(\.[0-9]{1,4})?"
WEEKDAYS: Final = {name: day for day, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
CHANNELS: Final = {channel.value: channel for channel in StepChannel}
TONES: Final = {tone.name.lower(): tone for tone in Tone}
MODES: Final = {mode.value: mode for mode in StepMode}
BACKLOGS: Final = {backlog.value: backlog for backlog in Backlog}
REANCHORS: Final = {reanchor.value: reanchor for reanchor in Reanchor}
GAP_BOUNDS: Final = (1, 365)
OFFSET_BOUNDS: Final = (-365, 3650)
LONGEST_REASON: Final = 300
#: How many milder messages come before one that names consequences.
MILDER_BEFORE_FINAL: Final = 2


@dataclass(frozen=True, slots=True)
class Source:
    """All that a playbook was read from, so that it can be kept: its text, and each file of its templates by name."""

    text: str
    templates: Mapping[str, str]


def load(path: Path, templates_folder: Path | None = None) -> tuple[Playbook | None, tuple[Problem, ...]]:
    """The playbook in a file, or None and every problem; templates are looked for in `templates/` beside it."""
    playbook, _source, problems = load_whole(path, templates_folder)
    return playbook, problems


def load_whole(
    path: Path, templates_folder: Path | None = None
) -> tuple[Playbook | None, Source | None, tuple[Problem, ...]]:
    """As `load`, with what it was read from."""
    problems = Problems(path.name)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.add(1, f"cannot be read: {error.strerror or error}")
        return None, None, problems.by_line()
    except UnicodeDecodeError as error:
        problems.add(error.object.count(b"\n", 0, error.start) + 1, "is not UTF-8 text")
        return None, None, problems.by_line()
    root = compose(text, problems)
    if root is None:
        return None, None, problems.by_line()
    folder = templates_folder or path.parent / "templates"
    draft = _does_nothing(root, problems) or _read(
        Section(root, "the playbook", problems, known=KEYS, required=REQUIRED), problems, folder
    )
    if draft.playbook is None or problems:
        return None, None, problems.by_line()
    playbook = replace(draft.playbook, version=_version(draft.playbook, draft.files, folder))
    files = {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in sorted(draft.files)}
    return playbook, Source(text, files), ()


@dataclass(frozen=True, slots=True)
class _Draft:
    playbook: Playbook | None
    files: list[Path]


@dataclass(frozen=True, slots=True)
class _StepDraft:
    """A step as far as it could be read, with the lines to point at."""

    section: Section
    id: str | None
    offset: int | None
    channel: StepChannel | None
    tone: Tone | None
    template: str | None
    mode: StepMode | None

    def step(self) -> Step | None:
        if self.id is None or self.offset is None or self.channel is None or self.tone is None or self.template is None:
            return None
        return Step(self.id, self.offset, self.channel, self.tone, self.template, self.mode)


def _does_nothing(node: yaml.MappingNode, problems: Problems) -> _Draft | None:
    """The playbook of those who are never chased; None where it is an ordinary one."""
    if not any(isinstance(key, yaml.ScalarNode) and key.value == "do_nothing" for key, _value in node.value):
        return None
    root = Section(node, "a playbook with do_nothing", problems, known=NOTHING_KEYS, required=NOTHING_REQUIRED)
    name, match = root.slug("name", SLUG), read_match(root, problems, currencies())
    reason = root.text("do_nothing", LONGEST_REASON)
    if name is None or reason is None:
        return _Draft(None, [])
    window = SendWindow(frozenset(range(7)), time(0), time(23, 59))
    playbook = Playbook(
        name=name, version="", gap=1, minimum={}, backlog=Backlog.AGE_STEP, reanchor=Reanchor.FIT_AGE, window=window,
        steps=(), match=match, nothing=reason,
    )  # fmt: skip
    return _Draft(playbook, [])


def _read(root: Section, problems: Problems, folder: Path) -> _Draft:
    name = root.slug("name", SLUG)
    match = read_match(root, problems, currencies())
    gap = root.whole("gap", *GAP_BOUNDS)
    minimum = dict(_minimums(root, problems))
    backlog = root.choice("backlog", BACKLOGS) or Backlog.AGE_STEP
    reanchor = root.choice("reanchor", REANCHORS) or Reanchor.FIT_AGE
    window = _window(root, problems)
    drafts = list(_steps(root, problems))
    _check_ids(drafts, problems)
    _check_offsets(drafts, problems)
    _check_tones(drafts, problems)
    files = _check_templates(drafts, folder, problems)
    steps = tuple(step for step in (draft.step() for draft in drafts) if step)
    if name is None or gap is None or window is None or not steps:
        return _Draft(None, files)
    return _Draft(
        Playbook(
            name=name,
            version="",
            gap=gap,
            minimum=minimum,
            backlog=backlog,
            reanchor=reanchor,
            window=window,
            steps=steps,
            match=match,
        ),
        files,
    )


def _minimums(root: Section, problems: Problems) -> Iterator[tuple[str, Decimal]]:
    """Exact amounts, read from the text as written: a float has lost the cents before one can ask."""
    node = root.mapping("minimum")
    if node is None:
        return
    for currency, value in entries(node, "minimum", problems):
        if currency not in currencies():
            problems.add(line(value), f"minimum: {currency!r} is no ISO 4217 currency", _near_currency(currency))
        if not isinstance(value, yaml.ScalarNode) or not re.fullmatch(AMOUNT, value.value):
            problems.add(line(value), f"minimum: {currency} must be an amount such as 10.00, with at most 4 decimals")
            continue
        try:
            yield currency, amount(value.value)
        except ValueError as error:
            problems.add(line(value), f"minimum: {currency}: {error}")


def _near_currency(currency: str) -> str | None:
    found = nearest(currency, (code.lower() for code in currencies()))
    return found.upper() if found else None


@cache
def currencies() -> frozenset[str]:
    """The ISO 4217 codes that some country uses today."""
    in_use = get_global("territory_currencies").values()
    return frozenset(code for entry in in_use for code, _begin, end, tender in entry if tender and end is None)


def _window(root: Section, problems: Problems) -> SendWindow | None:
    node = root.mapping("window")
    if node is None:
        return None
    section = Section(node, "window", problems, known=WINDOW_KEYS, required=WINDOW_KEYS)
    days: list[int | None] = [
        section.one_of("weekdays", entry, WEEKDAYS) for entry in section.listing("weekdays") or ()
    ]
    opens, closes = section.clock_time("opens"), section.clock_time("closes")
    if opens is not None and closes is not None and opens >= closes:
        problems.add(
            section.line_of("closes"), f"window: it closes at {closes:%H:%M}, before it opens at {opens:%H:%M}"
        )
    if opens is None or closes is None or not days:
        return None
    return SendWindow(frozenset(day for day in days if day is not None), opens, closes)


def _steps(root: Section, problems: Problems) -> Iterator[_StepDraft]:
    for number, node in enumerate(root.listing("steps") or (), start=1):
        if not isinstance(node, yaml.MappingNode):
            problems.add(line(node), f"step {number} must be a mapping of keys: {', '.join(STEP_KEYS)}")
            continue
        section = Section(node, f"step {number}", problems, known=STEP_KEYS, required=STEP_REQUIRED)
        yield _StepDraft(
            section=section,
            id=section.slug("id", SLUG),
            offset=section.whole("offset", *OFFSET_BOUNDS),
            channel=section.choice("channel", CHANNELS),
            tone=section.choice("tone", TONES),
            template=section.slug("template", SLUG),
            mode=section.choice("mode", MODES),
        )


def _check_ids(drafts: Sequence[_StepDraft], problems: Problems) -> None:
    seen: dict[str, int] = {}
    for draft in drafts:
        if draft.id is None:
            continue
        here = draft.section.line_of("id")
        if draft.id in seen:
            problems.add(here, f"the step id {draft.id!r} is used twice, first on line {seen[draft.id]}")
        seen.setdefault(draft.id, here)


def _check_offsets(drafts: Sequence[_StepDraft], problems: Problems) -> None:
    for before, after in pairwise(draft for draft in drafts if draft.offset is not None):
        assert before.offset is not None
        assert after.offset is not None
        if after.offset <= before.offset:
            problems.add(
                after.section.line_of("offset"),
                f"offsets must rise from step to step: {after.offset} does not come after {before.offset}",
            )


def _check_tones(drafts: Sequence[_StepDraft], problems: Problems) -> None:
    milder = 0
    for draft in drafts:
        late = draft.offset is None or draft.offset > 0
        here = draft.section.line_of("tone")
        if draft.tone is not None and not late and draft.tone > Tone.COURTESY:
            # A sign written the wrong way round must not send a final notice before anything is due.
            written = draft.tone.name.lower()
            problems.add(here, f"on or before the due date only the tone courtesy is possible, not {written}")
        if draft.tone is Tone.COURTESY and late and draft.offset is not None:
            problems.add(here, "the tone courtesy is for steps on or before the due date: offset 0 or negative")
        if draft.tone is Tone.FINAL and milder < MILDER_BEFORE_FINAL:
            problems.add(here, f"a final step must come after two milder ones past the due date; there are {milder}")
        milder += draft.tone in (Tone.FRIENDLY, Tone.FIRM)
        if draft.channel is StepChannel.CALL and draft.mode not in (None, StepMode.TASK):
            problems.add(draft.section.line_of("mode"), "a call is a person's task: its mode is task, or left out")


def _check_templates(drafts: Sequence[_StepDraft], folder: Path, problems: Problems) -> list[Path]:
    there = templates.known(folder)
    lines: dict[str, int] = {}
    for draft in drafts:
        if draft.template is None:
            continue
        here = draft.section.line_of("template")
        if draft.template in there:
            lines.setdefault(draft.template, here)
        else:
            message = f"there is no template {draft.template!r} in {folder.name}/"
            problems.add(here, message, nearest(draft.template, there))
    return templates.check(lines, folder, problems, lines)


def _version(playbook: Playbook, files: Sequence[Path], folder: Path) -> str:
    """The hash of all that shapes a message: comments and layout of the YAML do not count."""
    content = {
        **_canonical(playbook),
        "templates": templates.digest(files, folder),
        # What is not written is not in the hash: a key that arsync learns later changes no version.
        **({} if playbook.match is None else {"match": canonical(playbook.match)}),
        **({} if playbook.nothing is None else {"nothing": playbook.nothing}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _canonical(playbook: Playbook) -> Mapping[str, object]:
    def clock(moment: time) -> str:
        return f"{moment:%H:%M}"

    return {
        "name": playbook.name,
        "gap": playbook.gap,
        "minimum": {currency: str(least.normalize()) for currency, least in playbook.minimum.items()},
        "backlog": playbook.backlog,
        "reanchor": playbook.reanchor,
        "window": [sorted(playbook.window.weekdays), clock(playbook.window.opens), clock(playbook.window.closes)],
        "steps": [
            [step.id, step.offset, step.channel, step.tone.name, step.template, step.mode] for step in playbook.steps
        ],
    }
