"""Where each invoice stands on the ladder, and which step the chase takes next.

Days are reckoned as ordinals here: the planner looks at every open invoice of every company each night.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from arsync.domain.calendar import Calendar
from arsync.domain.chase import ChaseFacts, Item
from arsync.domain.policy import (
    MILDER_NEEDED,
    Act,
    Backlog,
    Group,
    Happening,
    Playbook,
    Reanchor,
    Step,
    Tone,
)
from arsync.domain.record import record
from arsync.playbook.happenings import Log
from arsync.playbook.history import History

_UNASKED: Final = (-1, 0)  # what no invoice's next step is


@record(frozen=True, slots=True)
class Rung:
    """The step the chase stands before: `day` is the first business day on or after its anchor plus its offset."""

    step: Step
    anchor: Item
    day: date
    demanded: tuple[Item, ...]
    listed: tuple[Item, ...]
    until: date | None = None  # from this day on another step stands in its place, should it still wait then


class Ladder:
    """One chase's history laid over its playbook, on one day."""

    __slots__ = (
        "_after_due", "_contacted", "_last_on", "_log", "_milder", "_next", "_opened", "_playbook", "_reached",
        "_shape", "_steps", "_taken", "_today", "calendar", "history",
    )  # fmt: skip

    def __init__(self, facts: ChaseFacts, playbook: Playbook, calendar: Calendar, today: date) -> None:
        self.calendar = calendar
        self._playbook = playbook
        self._steps = playbook.steps
        self._shape = playbook.shape
        self._after_due = playbook.shape.after_due
        self._today = today.toordinal()
        self._opened = facts.opened_on.toordinal()
        self.history = past = History(facts.history, playbook.steps, playbook.shape)
        self._contacted, self._reached, self._milder = past.contacted, past.reached, past.milder
        self._taken, self._last_on = past.taken, past.last_on
        self._next: dict[str, tuple[int, int] | None] = {}
        self._log = Log(facts, today) if self._shape.conditional else None

    # --- what has gone out ------------------------------------------------------------------------------------

    def gap_ends(self) -> date | None:
        """The first business day on which another message may go out, None where none has gone yet."""
        touch = self.history.last_touch()
        return self._open(touch.on.toordinal() + self._playbook.gap) if touch else None

    def milder(self, item: Item) -> int:
        """In how many milder messages, not known to be undelivered, the payer was told of the invoice."""
        return self._milder.get(item.invoice_id, 0)

    def last_step(self, item: Item) -> Step | None:
        """The furthest step in which the invoice was effectively demanded."""
        place = self._reached.get(item.invoice_id)
        return None if place is None else self._steps[place]

    @property
    def has_final(self) -> bool:
        """Whether any step of the ladder needs milder ones before it."""
        return bool(self._shape.finals)

    # --- days -------------------------------------------------------------------------------------------------

    def _raw(self, item: Item, place: int) -> int:
        """The anchor plus the offset; what is past the due date is never on or before it."""
        assert item.due_on is not None
        offset = self._after_due[place]
        if offset is not None:
            return item.due_on.toordinal() + offset
        step = self._steps[place]
        day = step.anchor.day(item.issued_on, item.due_on).toordinal() + step.offset
        return day if step.tone is Tone.COURTESY else max(day, item.due_on.toordinal() + 1)

    def _open(self, ordinal: int) -> date:
        return self.calendar.next_open(date.fromordinal(ordinal))

    def day(self, item: Item, step: Step) -> date:
        """When a step is due for an invoice by its own anchor: a business day."""
        return self._open(self._raw(item, self._shape.places[step.id]))

    def is_moved(self, rung: Rung) -> bool:
        """Whether the step's own day is closed, so that it comes later."""
        place = self._shape.places[rung.step.id]
        found = self._next_place(rung.anchor) if place in self._shape.late else None
        raw = found[1] if found and found[0] == place else self._raw(rung.anchor, place)
        return rung.day.toordinal() > raw

    # --- the next step of one invoice ---------------------------------------------------------------------------

    def _next_place(self, item: Item) -> tuple[int, int] | None:
        """An overdue invoice's own next step and its day; None where the ladder has no more."""
        name = item.invoice_id
        found = self._next.get(name, _UNASKED)
        if found is _UNASKED:
            found = self._next[name] = self._find_next(item)
        return found

    def _find_next(self, item: Item) -> tuple[int, int] | None:
        reached = self._reached.get(item.invoice_id)
        if reached is None or self._steps[reached].tone is Tone.COURTESY:
            start = self._start(item)
        else:
            if self._steps[reached].repeat is not None and (again := self._again(item, reached)) is not None:
                return reached, again
            start = reached + 1
        place = self._shape.late_from[start] if self._log is None else self._from(item, start)
        return None if place is None else (place, self._raw(item, place))

    def before_the_end(self, overdue: Iterable[Item]) -> list[Item]:
        """Those for which the ladder has no more, or nothing but a step that needs milder ones before it."""
        finals = self._shape.finals
        return [item for item in overdue if (found := self._next_place(item)) is None or found[0] in finals]

    def runs_out_on(self, item: Item) -> date | None:
        """The first day on which what fits the invoice's age by then is left out, and nothing comes after it."""
        if not self._shape.dispensable or not self._enters_by_age(item):
            return None
        days = [
            day
            for place in self._shape.dispensable
            if (day := self._raw(item, place)) > self._today and self._from(item, place) is None
        ]
        return date.fromordinal(min(days)) if days else None

    def _enters_by_age(self, item: Item) -> bool:
        """Whether it has had no step of the ladder yet, and its first one is chosen by its age on the day."""
        reached = self._reached.get(item.invoice_id)
        if not self._shape.late or (reached is not None and self._steps[reached].tone is not Tone.COURTESY):
            return False
        if self._contacted and self._playbook.group is Group.PAYER:
            return self._playbook.reanchor is Reanchor.FIT_AGE
        is_backlog = self._raw(item, self._shape.late[0]) < self._opened
        return is_backlog and self._playbook.backlog is Backlog.AGE_STEP

    def _from(self, item: Item, start: int) -> int | None:
        if self._log is None:
            return self._shape.late_from[start]
        for place in self._shape.late:
            if place >= start and not self._is_left_out(item, place):
                return place
        return None

    def _is_left_out(self, item: Item, place: int) -> bool:
        unless = self._steps[place].unless
        return bool(unless) and self._happened(item, unless) is not None

    def _again(self, item: Item, place: int) -> int | None:
        """The day of a step's next repetition; None where it has none, or the next step comes first."""
        repeat = self._steps[place].repeat
        if repeat is None:
            return None
        count, last = self._taken[item.invoice_id, place]
        day = last + repeat.every
        if repeat.times is not None and count > repeat.times:
            return None
        if repeat.until is not None and day > self._raw(item, place) - self._steps[place].offset + repeat.until:
            return None
        following = self._from(item, place + 1)
        return None if following is not None and self._raw(item, following) <= day else day

    def next_step(self, item: Item) -> Step | None:
        """An overdue invoice's own next step, whether or not its day has come; None where the ladder has no more."""
        found = self._next_place(item)
        return None if found is None else self._steps[found[0]]

    def next_day(self, item: Item) -> date | None:
        """The business day of `next_step`."""
        found = self._next_place(item)
        return None if found is None else self._open(found[1])

    def _start(self, item: Item) -> int:
        """The place at which an invoice enters the ladder."""
        late = self._shape.late
        nowhere = len(self._steps)
        if not late:
            return nowhere
        first = late[0]
        if self._contacted and self._playbook.group is Group.PAYER:
            return self._fit(item) if self._playbook.reanchor is Reanchor.FIT_AGE else first
        if self._raw(item, first) >= self._opened:
            return first  # not backlog: the chase was there in time, however long the worker then slept
        if self._playbook.backlog is Backlog.AGE_STEP:
            return self._fit(item)
        match self._playbook.backlog:
            case Backlog.FIRST_STEP:
                return first
            case Backlog.SKIP:
                ahead = (place for place in late if self._raw(item, place) >= self._opened)
                place = next(ahead, nowhere)
                return nowhere if place != nowhere and self._steps[place].tone is Tone.FINAL else place

    def _fit(self, item: Item) -> int:
        """The step that fits the invoice's age, yet early enough that two milder ones come before a final notice."""
        assert item.due_on is not None
        fitting = self._shape.fitting(self._today - item.due_on.toordinal())
        if fitting is None:
            late = self._shape.late
            fitting = next((place for place in reversed(late) if self._raw(item, place) <= self._today), late[0])
        entry = self._shape.last_entry
        return fitting if entry is None else min(fitting, entry)

    def _changes_on(self, item: Item, *, but: int | None) -> int | None:
        """The day on which a step waiting for an invoice gives way to one that fits its age better, leaving one out."""
        reached = self._reached.get(item.invoice_id)
        if reached is not None and self._steps[reached].tone is not Tone.COURTESY:
            return None
        return min(
            (day for place in self._shape.late if place != but and (day := self._raw(item, place)) > self._today),
            default=None,
        )

    # --- the next step of the chase -------------------------------------------------------------------------------

    def late_rung(self, overdue: Sequence[Item], upcoming: Sequence[Item] = ()) -> Rung | None:
        """The chase's next step by its oldest overdue invoice; None where no invoice given has a next step.

        The invoices come by age.
        """
        for anchor in overdue:
            found = self._next_place(anchor)
            if found is not None:
                break
        else:
            return None
        place, raw = found
        day = self._open(raw)
        aside = self._aside(overdue, day)
        if aside is not None and (aside.day.toordinal() <= self._today or aside.day < day):
            return aside
        step = self._steps[place]
        # A step whose own day is closed still comes, on the next business day.
        fits_until = self._changes_on(anchor, but=place if day.toordinal() > self._today else None)
        sooner = [date.fromordinal(fits_until)] if fits_until is not None else []
        sooner += [aside.day] if aside is not None else []
        until = min(sooner, default=None)
        if day.toordinal() > self._today:
            return Rung(step, anchor, day, (), (), until)  # not due: what it will demand is not known yet
        earlier = [one for one in self._shape.late if one < place]
        before = earlier[-1] if earlier else None
        demanded = tuple([item for item in overdue if item is anchor or self._demands(place, before, item)])
        listed: tuple[Item, ...] = ()
        # A final notice speaks of nothing but what it is final about.
        if step.tone is not Tone.FINAL:
            if len(demanded) < len(overdue):
                ids = {item.invoice_id for item in demanded}
                listed = tuple([item for item in overdue if item.invoice_id not in ids])
            if step.act is Act.STATEMENT:
                listed += tuple(upcoming)
        return Rung(step, anchor, day, demanded, listed, until)

    def _demands(self, place: int, before: int | None, item: Item) -> bool:
        """Whether a step of the ladder, with that one before it, demands the invoice as well as its anchor."""
        if before is not None and self._raw(item, before) > self._today:
            return False
        if self._reached.get(item.invoice_id, -1) >= place:
            found = self._next_place(item)  # once more only where its own repetition has come
            if found is None or found[0] != place or found[1] > self._today:
                return False
        return self._steps[place].tone < Tone.FINAL or self.milder(item) >= MILDER_NEEDED

    # --- what has happened ------------------------------------------------------------------------------------------

    def _happened(self, item: Item, kinds: frozenset[Happening]) -> int | None:
        """The last day on which one of these happened to the invoice since its last step on the ladder."""
        if self._log is None:
            return None
        since = self._last_on.get(item.invoice_id, self._opened)
        return self._log.last(item, kinds, since)

    def _answers(self, item: Item, place: int) -> int | None:
        """The day from which an aside is due for an invoice; None where nothing has happened that it answers."""
        step = self._steps[place]
        on = self._happened(item, step.when)
        if on is None or (step.tone is Tone.FINAL and self.milder(item) < MILDER_NEEDED):
            return None
        _, taken_on = self._taken.get((item.invoice_id, place), (0, 0))
        return None if taken_on >= on else max(on, self._raw(item, place))

    def _aside(self, overdue: Sequence[Item], before: date) -> Rung | None:
        """The answer to what has happened that is due first; of those due on one day the first in the playbook."""
        best: tuple[date, int, Item] | None = None
        for place in self._shape.asides:
            for item in overdue:
                raw = self._answers(item, place)
                if raw is None:
                    continue
                day = self._open(raw)
                if best is None or day < best[0]:
                    best = day, place, item
        if best is None:
            return None
        day, place, anchor = best
        step = self._steps[place]
        answering = [(item, self._answers(item, place)) for item in overdue]
        demanded = tuple(
            [item for item, raw in answering if item is anchor or (raw is not None and raw <= self._today)]
        )
        ids = {item.invoice_id for item in demanded}
        others = () if step.tone is Tone.FINAL else tuple([it for it in overdue if it.invoice_id not in ids])
        return Rung(step, anchor, day, demanded, others)

    def has_answer(self, item: Item) -> bool:
        """Whether something has happened to the invoice that a step beside the ladder answers, once it is overdue."""
        return any(self._answers(item, place) is not None for place in self._shape.asides)

    def passed_over(self, item: Item) -> str:
        """What is not taken for want of what it depends on, or because of it; empty where there is nothing to say."""
        if not self._shape.conditional:
            return ""
        found = self._next_place(item)
        here = len(self._steps) if found is None else found[0]
        reached = self._reached.get(item.invoice_id, -1)
        told = []
        for place in range(reached + 1, here):
            step = self._steps[place]
            if step.when and self._answers(item, place) is None:
                told.append(f"{step.id} is left out, for nothing of {_named(step.when)} has happened")
            elif step.unless and self._is_left_out(item, place):
                told.append(f"{step.id} is left out, for {_named(step.unless)} has happened")
        return "".join(f"; {one}" for one in told)

    # --- before the due date ------------------------------------------------------------------------------------------

    def early_rung(self, upcoming: Sequence[Item]) -> Rung | None:
        """The step before the due date whose day has come for the earliest invoice that has not had it.

        The invoices come by age.
        """
        if not self._shape.early:
            return None
        for anchor in upcoming:
            place = self._early_place(anchor)
            if place is not None:
                step = self._steps[place]
                demanded = tuple([item for item in upcoming if self._is_coming_up(place, item)])
                following = self.next_early(anchor)
                return Rung(step, anchor, self.day(anchor, step), demanded, (), following)
        return None

    def _early_place(self, item: Item) -> int | None:
        return next((place for place in reversed(self._shape.early) if self._is_coming_up(place, item)), None)

    def _is_coming_up(self, place: int, item: Item) -> bool:
        if self._reached.get(item.invoice_id, -1) >= place:
            return False
        raw = self._raw(item, place)
        # With terms shorter than the step's lead the invoice itself has just said it.
        if raw > self._today or item.issued_on.toordinal() > raw:
            return False
        if self._playbook.backlog is Backlog.SKIP and raw < self._opened:
            return False
        return self._open(raw).toordinal() <= self._today and not self._is_left_out(item, place)

    def next_early(self, item: Item) -> date | None:
        """The business day of the invoice's next step before its due date, after today."""
        reached = self._reached.get(item.invoice_id, -1)
        best: date | None = None
        for place in self._shape.early:
            if place <= reached:
                continue
            raw = self._raw(item, place)
            if item.issued_on.toordinal() > raw:
                continue
            day = self._open(raw)
            if day.toordinal() > self._today and (best is None or day < best):
                best = day
        return best


def _named(kinds: Iterable[Happening]) -> str:
    return " or ".join(sorted(kind.value for kind in kinds))
