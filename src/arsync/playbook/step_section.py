"""The `steps` of a playbook file, each as far as it can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

import yaml

from arsync.domain.documents import ContactRole
from arsync.domain.policy import Act, Anchor, Attach, Happening, Lacking, Repeat, Step, StepChannel, StepMode, Tone
from arsync.playbook.nodes import Section, line
from arsync.playbook.problems import Problems

STEP_KEYS: Final = (
    "id", "act", "offset", "anchor", "channel", "tone", "template", "mode", "repeat", "when", "unless",
    "before_payment_run", "attach", "attach_missing", "to", "cc", "instead", "instead_template",
)  # fmt: skip
#: `offset` as well, but of a thank-you.
STEP_REQUIRED: Final = ("id", "channel", "tone", "template")
REPEAT_KEYS: Final = ("every", "times", "until")
REPEAT_REQUIRED: Final = ("every",)
SLUG: Final = r"[a-z0-9]+(-[a-z0-9]+)*"
ACTS: Final = {act.value: act for act in Act}
ANCHORS: Final = {anchor.value: anchor for anchor in Anchor}
CHANNELS: Final = {channel.value: channel for channel in StepChannel}
TONES: Final = {tone.name.lower(): tone for tone in Tone}
ATTACHED: Final = {one.value: one for one in Attach}
MISSING: Final = {one.value: one for one in Lacking}
ROLES: Final = {role.value: role for role in ContactRole}
INSTEAD: Final = {name: channel for name, channel in CHANNELS.items() if channel is not StepChannel.EMAIL}
MODES: Final = {mode.value: mode for mode in StepMode}
HAPPENINGS: Final = {happening.value: happening for happening in Happening}
OFFSET_BOUNDS: Final = (-365, 3650)
EVERY_BOUNDS: Final = (1, 365)
TIMES_BOUNDS: Final = (1, 52)
RUN_BOUNDS: Final = (1, 10)


@dataclass(frozen=True, slots=True)
class StepDraft:
    """A step as far as it could be read, with the lines to point at."""

    section: Section
    id: str | None
    act: Act
    offset: int | None
    anchor: Anchor
    channel: StepChannel | None
    tone: Tone | None
    template: str | None
    mode: StepMode | None
    repeat: Repeat | None
    when: frozenset[Happening]
    unless: frozenset[Happening]
    before_payment_run: int | None
    attach: frozenset[Attach]
    lacking: Lacking | None
    to: tuple[ContactRole, ...]
    cc: tuple[ContactRole, ...]
    instead: StepChannel | None
    instead_template: str | None

    @property
    def is_on_ladder(self) -> bool:
        """Whether it is one of the steps that follow one another by their days."""
        return self.act is not Act.THANK_YOU and self.section.node("when") is None

    def step(self) -> Step | None:
        """The step; None where anything that it needs is missing."""
        offset = 0 if self.act is Act.THANK_YOU else self.offset
        if self.id is None or offset is None or self.channel is None or self.tone is None or self.template is None:
            return None
        return Step(
            id=self.id, offset=offset, channel=self.channel, tone=self.tone, template=self.template, mode=self.mode,
            anchor=self.anchor, act=self.act, repeat=self.repeat, when=self.when, unless=self.unless,
            before_payment_run=self.before_payment_run, attach=self.attach, lacking=self.lacking or Lacking.WAIT,
            to=self.to, cc=self.cc, instead=self.instead, instead_template=self.instead_template,
        )  # fmt: skip


def read_steps(root: Section, problems: Problems, anchor: Anchor, mode: StepMode | None = None) -> Iterator[StepDraft]:
    """Each step of the playbook; `anchor` is that of a step that names none, and so is `mode`, of what is sent."""
    for number, node in enumerate(root.listing("steps") or (), start=1):
        name = f"step {number}"
        if not isinstance(node, yaml.MappingNode):
            problems.add(line(node), f"{name} must be a mapping of keys: {', '.join(STEP_KEYS)}")
            continue
        section = Section(node, name, problems, known=STEP_KEYS, required=STEP_REQUIRED)
        act = section.choice("act", ACTS) or Act.REMIND
        if act is not Act.THANK_YOU and not section.is_written("offset"):
            problems.add(section.line, f"{name} needs the key 'offset'")
        channel = section.choice("channel", CHANNELS)
        instead, instead_template = read_instead(section, problems)
        sent = channel in (StepChannel.EMAIL, StepChannel.LETTER) and act is not Act.HANDOFF
        yield StepDraft(
            section=section,
            id=section.slug("id", SLUG),
            act=act,
            offset=section.whole("offset", *OFFSET_BOUNDS),
            anchor=section.choice("anchor", ANCHORS) or anchor,
            channel=channel,
            tone=section.choice("tone", TONES),
            template=section.slug("template", SLUG),
            mode=section.choice("mode", MODES) or (mode if sent else None),
            repeat=_repeat(section, name, problems),
            when=_several(section, "when", HAPPENINGS),
            unless=_several(section, "unless", HAPPENINGS),
            before_payment_run=section.whole("before_payment_run", *RUN_BOUNDS),
            attach=_several(section, "attach", ATTACHED),
            lacking=section.choice("attach_missing", MISSING),
            to=_roles(section, "to"),
            cc=_roles(section, "cc"),
            instead=instead,
            instead_template=instead_template,
        )


def read_instead(section: Section, problems: Problems) -> tuple[StepChannel | None, str | None]:
    """What an e-mail is where it would reach nobody, and the template of what it says then: needed of a call."""
    instead, template = section.choice("instead", INSTEAD), section.slug("instead_template", SLUG)
    if instead is StepChannel.CALL and not section.is_written("instead_template"):
        said = "a call instead of an e-mail needs its script: instead_template, the name of a template such as call"
        problems.add(section.line_of("instead"), said)
    if section.is_written("instead_template") and not section.is_written("instead"):
        said = "instead_template is what `instead` says: write instead as well"
        problems.add(section.line_of("instead_template"), said)
    return instead, template


def _roles(step: Section, key: str) -> tuple[ContactRole, ...]:
    """One kind of person, or a list of them, the best first."""
    node = step.node(key)
    if node is None:
        return ()
    nodes = step.listing(key) or () if isinstance(node, yaml.SequenceNode) else (node,)
    found = [step.one_of(key, one, ROLES) for one in nodes]
    return tuple(dict.fromkeys(role for role in found if role is not None))


def _repeat(step: Section, name: str, problems: Problems) -> Repeat | None:
    node = step.mapping("repeat")
    if node is None:
        return None
    section = Section(node, f"{name}: repeat", problems, known=REPEAT_KEYS, required=REPEAT_REQUIRED)
    every = section.whole("every", *EVERY_BOUNDS)
    times, until = section.whole("times", *TIMES_BOUNDS), section.whole("until", *OFFSET_BOUNDS)
    ends = [key for key in ("times", "until") if section.is_written(key)]
    if not ends:
        message = f"{name}: a repeat needs an end: times (how often more) or until (days after the anchor)"
        problems.add(section.line, message)
    elif len(ends) > 1:
        problems.add(section.line, f"{name}: a repeat has one end: either times or until")
    if every is None or (times is None) == (until is None):
        return None
    return Repeat(every, times, until)


Word = TypeVar("Word", bound=StrEnum)


def _several(step: Section, key: str, words: Mapping[str, Word]) -> frozenset[Word]:
    """One of these words, or a list of them."""
    node = step.node(key)
    if node is None:
        return frozenset()
    nodes = step.listing(key) or () if isinstance(node, yaml.SequenceNode) else (node,)
    found = [step.one_of(key, one, words) for one in nodes]
    return frozenset(word for word in found if word is not None)
