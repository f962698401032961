"""Where each invoice stands on the ladder, and which step the chase takes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from arsync.domain.chase import ChaseFacts, Item, PastMessage, by_age
from arsync.domain.policy import Backlog, Playbook, Reanchor, Step, Tone
from arsync.domain.states import EFFECTIVE, MessageState

#: How many milder messages an invoice was demanded in, not known to be undelivered, before a final notice names it.
MILDER_NEEDED: Final = 2
_TOUCHED: Final = EFFECTIVE | {MessageState.BOUNCED}
_NOTICED: Final = frozenset({MessageState.ACCEPTED, MessageState.DELIVERED})


@dataclass(frozen=True, slots=True)
class Rung:
    """The step the chase stands before: `day` is the anchor's due date plus the step's offset."""

    step: Step
    anchor: Item
    day: date
    demanded: tuple[Item, ...]
    listed: tuple[Item, ...]


class Ladder:
    """One chase's history laid over its playbook, on one day."""

    def __init__(self, facts: ChaseFacts, playbook: Playbook, today: date) -> None:
        self._playbook = playbook
        self._steps = playbook.steps
        self._today = today
        self._opened_on = facts.opened_on
        self._history = facts.history
        self._places = {step.id: place for place, step in enumerate(playbook.steps)}
        #: steps before or on the due date, and those after it: an invoice due today is not overdue
        self._early = [place for place, step in enumerate(playbook.steps) if step.offset <= 0]
        self._late = [place for place, step in enumerate(playbook.steps) if step.offset > 0]
        self._reached: dict[str, int] = {}
        self._milder: Counter[str] = Counter()
        self._contacted = False
        for message in facts.history:
            self._read(message)

    def _read(self, message: PastMessage) -> None:
        if message.state not in EFFECTIVE:
            return  # a bounce or a refusal steps the ladder back: as if it had never been sent
        place = self._places.get(message.step_id)
        if place is None:
            self._contacted = True  # a step of an older playbook: they have heard from us
            return
        step = self._steps[place]
        self._contacted |= step.offset > 0
        for invoice_id in message.invoice_ids:
            self._reached[invoice_id] = max(place, self._reached.get(invoice_id, place))
            if step.offset > 0 and step.tone < Tone.FINAL and message.state in _NOTICED:
                self._milder[invoice_id] += 1

    def last_touch(self) -> PastMessage | None:
        """The latest message that left us; one that came back counts too, so that a bad address is not hammered."""
        return max((past for past in self._history if past.state in _TOUCHED), key=lambda past: past.on, default=None)

    def gap_ends(self) -> date | None:
        """The first day on which another message may go out, None where none has gone yet."""
        touch = self.last_touch()
        return touch.on + timedelta(days=self._playbook.gap) if touch else None

    def occurrence(self, step: Step) -> int:
        """Which time this step is meant for this chase, from 1; one that never left us is still the same intent."""
        spent = (past.occurrence for past in self._history if past.step_id == step.id and past.state in _TOUCHED)
        return 1 + max(spent, default=0)

    def milder(self, item: Item) -> int:
        """In how many milder messages, not known to be undelivered, the invoice was demanded."""
        return self._milder[item.invoice_id]

    def last_step(self, item: Item) -> Step | None:
        """The furthest step in which the invoice was effectively demanded."""
        place = self._reached.get(item.invoice_id)
        return None if place is None else self._steps[place]

    def day(self, item: Item, step: Step) -> date:
        """When a step is due for an invoice by its own due date."""
        assert item.due_on is not None
        return item.due_on + timedelta(days=step.offset)

    def next_step(self, item: Item) -> Step | None:
        """An overdue invoice's own next step, whether or not its day has come; None where the ladder has no more."""
        reached = self._reached.get(item.invoice_id)
        start = self._start(item) if reached is None or reached in self._early else reached + 1
        return next((self._steps[place] for place in self._late if place >= start), None)

    def _start(self, item: Item) -> int:
        """The place at which an invoice enters the ladder."""
        nowhere = len(self._steps)
        first = self._late[0] if self._late else nowhere
        if first == nowhere:
            return nowhere
        if self._contacted:
            return self._fit(item) if self._playbook.reanchor is Reanchor.FIT_AGE else first
        if self.day(item, self._steps[first]) >= self._opened_on:
            return first  # not backlog: the chase was there in time, however long the worker then slept
        match self._playbook.backlog:
            case Backlog.FIRST_STEP:
                return first
            case Backlog.AGE_STEP:
                return self._fit(item)
            case Backlog.SKIP:
                ahead = (place for place in self._late if self.day(item, self._steps[place]) >= self._opened_on)
                place = next(ahead, nowhere)
                return nowhere if place != nowhere and self._steps[place].tone is Tone.FINAL else place

    def _fit(self, item: Item) -> int:
        """The step that fits the invoice's age, yet early enough that two milder ones come before a final notice."""
        fitting = [place for place in self._late if self.day(item, self._steps[place]) <= self._today]
        final = next((place for place in self._late if self._steps[place].tone is Tone.FINAL), len(self._steps))
        milder = [place for place in self._late if place < final]
        latest = milder[-MILDER_NEEDED:][0] if final < len(self._steps) and milder else self._late[-1]
        return min(fitting[-1] if fitting else self._late[0], latest)

    def late_rung(self, overdue: Sequence[Item]) -> Rung | None:
        """The chase's next step by its oldest overdue invoice; None where no invoice given has a next step."""
        anchor = next((item for item in by_age(overdue) if self.next_step(item)), None)
        step = self.next_step(anchor) if anchor else None
        if anchor is None or step is None:
            return None
        demanded = tuple(item for item in by_age(overdue) if self._demands(step, item))
        ids = {item.invoice_id for item in demanded}
        younger = tuple(item for item in by_age(overdue) if item.invoice_id not in ids)
        # A final notice speaks of nothing but what it is final about.
        listed = () if step.tone is Tone.FINAL else younger
        return Rung(step, anchor, self.day(anchor, step), demanded, listed)

    def _demands(self, step: Step, item: Item) -> bool:
        place = self._places[step.id]
        before = [self._steps[earlier] for earlier in self._late if earlier < place]
        old_enough = not before or self.day(item, before[-1]) <= self._today
        fresh = self._reached.get(item.invoice_id, -1) < place
        noticed = step.tone < Tone.FINAL or self.milder(item) >= MILDER_NEEDED
        return old_enough and fresh and noticed

    def early_rung(self, upcoming: Sequence[Item]) -> Rung | None:
        """The step before the due date whose day has come for the earliest invoice that has not had it."""
        for anchor in by_age(upcoming):
            step = self._early_step(anchor)
            if step is not None:
                place = self._places[step.id]
                demanded = tuple(item for item in by_age(upcoming) if self._is_coming_up(place, item))
                return Rung(step, anchor, self.day(anchor, step), demanded, ())
        return None

    def _early_step(self, item: Item) -> Step | None:
        places = [place for place in self._early if self._is_coming_up(place, item)]
        return self._steps[places[-1]] if places else None

    def _is_coming_up(self, place: int, item: Item) -> bool:
        day = self.day(item, self._steps[place])
        fresh = self._reached.get(item.invoice_id, -1) < place
        # With terms shorter than the step's lead the invoice itself has just said it.
        written_before = item.issued_on <= day
        skipped = self._playbook.backlog is Backlog.SKIP and day < self._opened_on
        return fresh and written_before and not skipped and day <= self._today

    def first_word(self, item: Item, *, early: bool) -> date:
        """When an invoice not yet overdue is next looked at: its next step's day after today."""
        assert item.due_on is not None
        reached = self._reached.get(item.invoice_id, -1)
        places: Iterable[int] = [*self._early, *self._late] if early else self._late
        days = [self.day(item, self._steps[place]) for place in places if place > reached]
        return min((day for day in days if day > self._today), default=item.due_on + timedelta(days=1))
