"""A playbook's ladder as a picture: its steps on the days after (or before) the due date."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from arsync.domain.policy import Act, Anchor, Playbook, Step

#: Hundredths of the width within which two marks would touch on a phone.
_CLOSE: Final = Decimal(8)
_EDGE: Final = Decimal(5)
_LEVEL: Final = 34  # pixels


@dataclass(frozen=True, slots=True)
class Rung:
    """A step as it stands in the picture and in the table beside it."""

    number: int
    step: Step
    left: str  # "" where it is on no day of the line
    top: int
    day: str


@dataclass(frozen=True, slots=True)
class Ladder:
    """The whole picture; `due` is where the due date is."""

    rungs: tuple[Rung, ...]
    due: str
    height: int
    told: str


def ladder(playbook: Playbook) -> Ladder:
    """The steps in their order; those without a day after the due date stand beside the line."""
    days = [step.offset for step in playbook.steps if _has_day(step)]
    low, high = min([0, *days]), max([1, *days])
    rungs = tuple(_rungs(playbook, low, high))
    told = ", ".join(f"{one.number}: {one.step.id} on {one.day}" for one in rungs)
    levels = max((one.top for one in rungs), default=0)
    return Ladder(rungs, _place(0, low, high)[1], levels + 64, told)


def _rungs(playbook: Playbook, low: int, high: int) -> Iterator[Rung]:
    last: list[Decimal] = []  # on each level, where its last mark stands
    for number, step in enumerate(playbook.steps, 1):
        if not _has_day(step):
            yield Rung(number, step, "", 0, _day(step))
            continue
        at, left = _place(step.offset, low, high)
        level = next((level for level, before in enumerate(last) if abs(at - before) >= _CLOSE), len(last))
        last[level : level + 1] = [at]
        yield Rung(number, step, left, level * _LEVEL, _day(step))


def _has_day(step: Step) -> bool:
    return step.act is not Act.THANK_YOU and step.anchor is Anchor.DUE_DATE


def _place(day: int, low: int, high: int) -> tuple[Decimal, str]:
    at = _EDGE + (100 - 2 * _EDGE) * (day - low) / (high - low)
    return at, f"{at:.2f}%"


def _day(step: Step) -> str:
    if step.act is Act.THANK_YOU:
        return "the day all is paid"
    counted = "due date" if step.anchor is Anchor.DUE_DATE else step.anchor.value.replace("_", " ")
    if not step.offset:
        return f"the {counted}"
    days = "day" if abs(step.offset) == 1 else "days"
    return f"{abs(step.offset)} {days} {'before' if step.offset < 0 else 'after'} the {counted}"
