"""The playbook as a value: a chase policy and its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from enum import IntEnum, StrEnum


class StepChannel(StrEnum):
    """How a step reaches the payer."""

    EMAIL = "email"
    CALL = "call"  # a task for a person: ring them


class Tone(IntEnum):
    """How hard a step speaks; the order matters."""

    COURTESY = 0  # before anything is due
    FRIENDLY = 1
    FIRM = 2
    FINAL = 3  # names consequences; needs two milder messages not known to be undelivered


class StepMode(StrEnum):
    """Who lets a step go out."""

    AUTO = "auto"
    APPROVE = "approve"
    TASK = "task"


class Backlog(StrEnum):
    """What happens to invoices that were long overdue when the chase began, or was resumed."""

    SKIP = "skip"  # the step whose day is today or later
    AGE_STEP = "age_step"  # the step that fits their age, never a final one
    FIRST_STEP = "first_step"  # from the beginning of the ladder


class Reanchor(StrEnum):
    """Where the ladder goes on when its oldest invoice is paid."""

    FIT_AGE = "fit_age"  # at the step that fits the age of the next oldest, never one already sent for it
    RESTART = "restart"  # at the first step


@dataclass(frozen=True, slots=True)
class SendWindow:
    """When messages may leave: the company's local time, on the payer's business days."""

    weekdays: frozenset[int]  # Monday is 0
    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class Step:
    """One act of a playbook; due when `today >= due date + offset`."""

    id: str
    offset: int  # days relative to the due date; negative is before it
    channel: StepChannel
    tone: Tone
    template: str
    mode: StepMode | None  # None: the connection's


@dataclass(frozen=True, slots=True)
class Playbook:
    """A chase policy, known by the hash of its content."""

    name: str
    version: str  # hash over the YAML and every template it uses
    gap: int  # least days between two messages to one payer
    minimum: Mapping[str, Decimal]  # currency -> least overdue amount that is chased; absent: anything above zero
    backlog: Backlog
    reanchor: Reanchor
    window: SendWindow
    steps: tuple[Step, ...]

    def position(self, step_id: str) -> int:
        """The step's place in the ladder; KeyError where the playbook has no such step."""
        for place, step in enumerate(self.steps):
            if step.id == step_id:
                return place
        raise KeyError(step_id)
