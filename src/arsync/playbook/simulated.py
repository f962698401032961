"""What a simulation found: its touches, and the figures that two playbooks are compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from arsync.domain.money import Money
from arsync.domain.policy import StepChannel, StepMode, Tone

#: Whoever pays within so many days of a message had most likely sent the money already.
ANYWAY: Final = timedelta(days=3)


#: What no simulation knows, though it would have made a difference to a night.
NOT_KNOWN: Final = (
    "what customers had heard before the first day, from arsync or by hand",
    "how far the bank feed had come",
    "records that could not be read on a day (quarantine), and pulls that did not come through",
    "earlier tags, customer groups, ratings and choices of playbooks: today's are taken for all days",
)


@dataclass(frozen=True, slots=True)
class Touched:
    """One invoice of a touch."""

    invoice_id: str
    number: str
    cleared_on: date | None  # when nothing was open on it any more; None: it still is
    paid_anyway: bool  # money that came within three days cleared it


@dataclass(frozen=True, slots=True)
class Touch:
    """A message that would have gone out, or a call that would have been made."""

    on: date
    payer_id: str
    payer: str
    step_id: str
    channel: StepChannel
    mode: StepMode
    tone: Tone
    thanks: bool
    amount: Money
    demanded: tuple[Touched, ...]

    @property
    def is_demand(self) -> bool:
        """Whether it asks for what is overdue."""
        return not self.thanks and self.tone is not Tone.COURTESY

    @property
    def paid_anyway(self) -> bool:
        """Whether something that it asked for was paid within three days."""
        return not self.thanks and any(one.paid_anyway for one in self.demanded)


@dataclass(frozen=True, slots=True)
class OfCustomer:
    """What one customer would have had."""

    payer_id: str
    payer: str
    steps: Mapping[str, int]  # how often each
    paid_anyway: int
    pressure: int  # days

    @property
    def touches(self) -> int:
        """How many in all."""
        return sum(self.steps.values())


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a playbook would have done between two days, both included."""

    playbook: str
    version: str
    first: date
    last: date
    steps: tuple[str, ...]  # in the playbook's order
    touches: tuple[Touch, ...]  # by day, then payer
    held: Mapping[str, int]  # rule -> how many chases it ever stopped until a person would have acted
    unusual: tuple[date, ...]  # days far above the usual, on which a person would have been asked first
    planned: int  # how many times a chase was planned

    def by_step(self) -> dict[str, int]:
        """How many touches of each step, in the playbook's order."""
        counted = Counter(touch.step_id for touch in self.touches)
        return {step: counted[step] for step in self.steps}

    def by_mode(self, mode: StepMode) -> int:
        """How many touches that leave by themselves, wait for approval, or are a person's task."""
        return sum(touch.mode is mode for touch in self.touches)

    @property
    def paid_anyway(self) -> int:
        """Touches to invoices that were paid within three days anyway."""
        return sum(touch.paid_anyway for touch in self.touches)

    def by_customer(self) -> list[OfCustomer]:
        """Everybody who would have heard from us, whoever had most first."""
        of: dict[str, list[Touch]] = {}
        for touch in self.touches:
            of.setdefault(touch.payer_id, []).append(touch)
        found = []
        for payer_id, touches in of.items():
            counted = Counter(touch.step_id for touch in touches)
            found.append(
                OfCustomer(
                    payer_id=payer_id,
                    payer=touches[-1].payer,
                    steps={step: counted[step] for step in self.steps if counted[step]},
                    paid_anyway=sum(touch.paid_anyway for touch in touches),
                    pressure=pressure(touches, self.last),
                )
            )
        return sorted(found, key=lambda one: (-one.touches, -one.pressure, one.payer, one.payer_id))

    def by_span(self, starts: Iterable[date]) -> list[int]:
        """How many touches from each of these days to the day before the next."""
        begins = list(starts)
        counted = [0] * len(begins)
        place = 0
        for touch in self.touches:
            while place + 1 < len(begins) and begins[place + 1] <= touch.on:
                place += 1
            counted[place] += 1
        return counted


def pressure(touches: Iterable[Touch], last: date) -> int:
    """The days, up to the last, on which something was open that one of these touches to one customer had demanded as
    overdue; a day counts once, however much was open."""
    open_days = sorted(
        (touch.on, min(one.cleared_on or date.max, last + timedelta(days=1)))
        for touch in touches
        if touch.is_demand
        for one in touch.demanded
    )
    days = 0
    counted_to = date.min
    for begins, ends in open_days:
        if ends > counted_to:
            days += (ends - max(begins, counted_to)).days
            counted_to = ends
    return days


def spans(first: date, last: date) -> list[date]:
    """The weeks (from Monday) between two days, or their months where there would be more than 27: each by its first
    day within."""
    weeks = [first, *_steps(first, last)]
    if len(weeks) <= 27:
        return weeks
    return [first, *(day for day in _days(first + timedelta(days=1), last) if day.day == 1)]


def _steps(first: date, last: date) -> list[date]:
    return [day for day in _days(first + timedelta(days=1), last) if day.weekday() == 0]


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))


def figures(found: Simulation) -> dict[str, int]:
    """What two playbooks are compared by, in the order in which it is told."""
    customers = found.by_customer()
    return {
        "touches": len(found.touches),
        "by_themselves": found.by_mode(StepMode.AUTO),
        "approvals": found.by_mode(StepMode.APPROVE),
        "tasks": found.by_mode(StepMode.TASK),
        "thanks": sum(touch.thanks for touch in found.touches),
        "paid_anyway": found.paid_anyway,
        "customers": len(customers),
        "most_to_one_customer": max((one.touches for one in customers), default=0),
        "days_of_pressure": sum(one.pressure for one in customers),
        "unusual_days": len(found.unusual),
    }


#: What each figure is called; `PARTS` are of the one before them.
CALLED: Final[Mapping[str, str]] = {
    "touches": "touches",
    "by_themselves": "that leave by themselves",
    "approvals": "that a person would have had to approve",
    "tasks": "that are a person's task, such as calls",
    "thanks": "of all, thank-yous",
    "paid_anyway": "touches to invoices paid within 3 days anyway",
    "customers": "customers who hear from us",
    "most_to_one_customer": "most touches to one customer",
    "days_of_pressure": "days of pressure, all customers together",
    "unusual_days": "days on which a person is asked before anything goes out",
}
PARTS: Final = frozenset({"by_themselves", "approvals", "tasks", "thanks"})


def called(found: Sequence[Simulation]) -> list[str]:
    """What the playbooks are called: by their versions as well where two have one name."""
    names = [one.playbook for one in found]
    return names if len(set(names)) == len(names) else [f"{one.playbook} {one.version[:8]}" for one in found]
