"""A playbook file becomes a `Playbook`, or all that is wrong with it at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

import yaml
from babel.core import get_global

from arsync.domain.money import amount
from arsync.domain.policy import (
    Act,
    Anchor,
    Backlog,
    Caps,
    Group,
    Lacking,
    OnReply,
    Playbook,
    Reanchor,
    SendWindow,
    Statements,
    Step,
)
from arsync.playbook import templates, windows
from arsync.playbook.limits_section import read_apology, read_caps, read_end, read_statements
from arsync.playbook.match_section import canonical, read_match
from arsync.playbook.nodes import Section, compose, entries, line
from arsync.playbook.problems import Problem, Problems, nearest
from arsync.playbook.reply_section import read_on_reply
from arsync.playbook.step_checks import check_steps
from arsync.playbook.step_section import ANCHORS, MODES, SLUG, read_steps

KEYS: Final = (
    "name", "match", "do_nothing", "gap", "minimum", "backlog", "reanchor", "group", "anchor", "mode",
    "caps",
    "window", "steps", "statements", "apology", "on_reply", "end",
)  # fmt: skip
REQUIRED: Final = ("name", "gap", "window", "steps")
#: The keys of a playbook that says never to chase.
NOTHING_KEYS: Final = ("name", "match", "do_nothing")
NOTHING_REQUIRED: Final = ("name", "do_nothing")
AMOUNT: Final = r"[0-9]+(\.[0-9]{1,4})?"
BACKLOGS: Final = {backlog.value: backlog for backlog in Backlog}
GROUPS: Final = {group.value: group for group in Group}
REANCHORS: Final = {reanchor.value: reanchor for reanchor in Reanchor}
GAP_BOUNDS: Final = (1, 365)
LONGEST_REASON: Final = 300


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
    window = windows.read_window(root, problems)
    group = root.choice("group", GROUPS) or Group.PAYER
    caps, end = read_caps(root, problems), read_end(root, problems)
    anchor, mode = root.choice("anchor", ANCHORS) or Anchor.DUE_DATE, root.choice("mode", MODES)
    drafts = list(read_steps(root, problems, anchor, mode))
    check_steps(drafts, group, gap, end, problems)
    statements, line_of_it = read_statements(root, problems)
    named = [(draft.template, draft.section.line_of("template")) for draft in drafts if draft.template is not None]
    named += [(one.instead_template, one.section.line_of("instead_template")) for one in drafts if one.instead_template]
    if statements is not None:
        named += [(one, line_of_it) for one in statements.step.templates]
    apology, line_of_it = read_apology(root, problems)
    if apology is not None:
        named.append((apology.template, line_of_it))
    files = _check_templates(named, folder, problems)
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
            group=group,
            caps=caps,
            end=end,
            match=match,
            statements=statements,
            apology=apology,
            on_reply=read_on_reply(root, problems),
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


def _check_templates(named: Sequence[tuple[str, int]], folder: Path, problems: Problems) -> list[Path]:
    """The files of these templates, each with the line that names it."""
    there = templates.known(folder)
    lines: dict[str, int] = {}
    for name, here in named:
        if name in there:
            lines.setdefault(name, here)
        else:
            problems.add(here, f"there is no template {name!r} in {folder.name}/", nearest(name, there))
    return templates.check(lines, folder, problems, lines)


def _version(playbook: Playbook, files: Sequence[Path], folder: Path) -> str:
    """The hash of all that shapes a message: comments and layout of the YAML do not count."""
    content = {
        **_canonical(playbook),
        "templates": templates.digest(files, folder),
        # What is not written is not in the hash: a key that arsync learns later changes no version.
        **({} if playbook.match is None else {"match": canonical(playbook.match)}),
        **({} if playbook.nothing is None else {"nothing": playbook.nothing}),
        **({} if playbook.group is Group.PAYER else {"group": playbook.group}),
        **({} if playbook.caps == Caps() else {"caps": astuple(playbook.caps)}),
        **({} if playbook.end is None else {"end": astuple(playbook.end)}),
        **({} if playbook.statements is None else {"statements": _statements(playbook.statements)}),
        **({} if playbook.on_reply is None else {"on_reply": _on_reply(playbook.on_reply)}),
        **({} if playbook.apology is None else {"apology": [playbook.apology.template, playbook.apology.mode]}),
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
        "window": windows.content(playbook.window),
        "steps": [
            [step.id, step.offset, step.channel, step.tone.name, step.template, step.mode, *_special(step)]
            for step in playbook.steps
        ],
    }


def _statements(said: Statements) -> list[object]:
    step = said.step
    more = [step.instead_template] if step.instead_template is not None else []
    return [said.business_day, step.template, step.mode, step.instead, *more]


def _on_reply(said: OnReply) -> list[object]:
    return [said.confidence, sorted((meaning.value, days) for meaning, days in said.acts.items())]


def _special(step: Step) -> list[dict[str, object]]:
    """What few steps have; nothing where it has nothing of it."""
    written: dict[str, object] = {}
    if step.anchor is not Anchor.DUE_DATE:
        written["anchor"] = step.anchor
    if step.act is not Act.REMIND:
        written["act"] = step.act
    if step.repeat is not None:
        written["repeat"] = astuple(step.repeat)
    if step.when:
        written["when"] = sorted(step.when)
    if step.unless:
        written["unless"] = sorted(step.unless)
    if step.before_payment_run is not None:
        written["before_payment_run"] = step.before_payment_run
    if step.attach:
        written["attach"] = sorted(step.attach)
    if step.lacking is not Lacking.WAIT:
        written["attach_missing"] = step.lacking
    if step.to:
        written["to"] = list(step.to)
    if step.cc:
        written["cc"] = list(step.cc)
    if step.instead is not None:
        written["instead"] = step.instead
    if step.instead_template is not None:
        written["instead_template"] = step.instead_template
    return [written] if written else []
