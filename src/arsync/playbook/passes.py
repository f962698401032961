"""The two pure passes over a connection's chases as they stand in the cache; nothing is saved.

No more than a page of payers is in memory at once, and as many answers that wait for those of others. Of any other
chase that would speak nothing is kept between the passes but what the second one asks about it (`Asking`); once it is
known whether it may, its plan is made anew. Whom the cap cannot refuse, or must, is told as soon as that is certain
(`Foremost`): on a first day that leaves no more of them than the day's cap to wait.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from arsync.domain.chase import Budget, Plan
from arsync.domain.garbage import tidied, undisturbed
from arsync.playbook import facts
from arsync.playbook.admit import Asking, Foremost, Refusal, asking, is_free, is_usual, one_payer_at_a_time, refused
from arsync.playbook.answers import Answered, Answers
from arsync.playbook.drafts import not_rejected
from arsync.playbook.facts import Policy
from arsync.playbook.going_live import Known, Payer, in_segment, later, not_yet
from arsync.store import tags, volume
from arsync.store.connections import Connection
from arsync.store.engine import Work

#: The objects of two pages: what one page leaves behind is gone before the collector looks at it.
_YOUNG: Final = 500_000
#: After so many pages, the little that one leaves behind is looked for all the same.
_TIDIED: Final = 8


def consider(
    work: Work, connection: Connection, policy: Policy, *, now: datetime, today: date | None = None
) -> tuple[Plan, ...]:
    """The answer for every chase, all at once, by the chase's id."""
    every = considering(work, connection, policy, now=now, today=today)
    return tuple(sorted(every, key=lambda plan: plan.facts.chase_id))


def considering(
    work: Work, connection: Connection, policy: Policy, *, now: datetime, today: date | None = None,
    chosen: Collection[Payer] = (),
) -> Iterator[Plan]:  # fmt: skip
    """As `consider`, one after the other in the order in which they are final. Where only so many customers are written
    to, those `chosen` of other companies count."""
    for page in passes(work, connection, policy, now=now, today=today or policy.today(now), chosen=chosen):
        for one in page:
            yield one.plan


def passes(
    work: Work, connection: Connection, policy: Policy, *, now: datetime, today: date, chosen: Collection[Payer] = ()
) -> Iterator[list[Answered]]:
    """Every chase's final answer once, some payers at a time: first what nobody need admit, then what asked for it."""
    with undisturbed(_YOUNG):
        for number, page in enumerate(_Passes(work, connection, policy, now, today, chosen).final(), start=1):
            yield page
            del page  # before the next one comes
            if number % _TIDIED == 0:
                tidied()


class _Passes:
    def __init__(
        self, work: Work, connection: Connection, policy: Policy, now: datetime, today: date, chosen: Collection[Payer]
    ) -> None:
        self._work, self._connection, self._policy = work, connection, policy
        self._answers = Answers(work, connection, policy, now=now, today=today)
        self._sent_before = volume.gone(work, connection.id, on=today)
        self._asked_before = volume.asked(work, connection.id, on=today)
        self._usual = volume.usual(work, connection.id, before=today)
        self._tags = tags.of_connection(work, connection.id) if policy.rollout.has_segment else {}
        #: who is written to already: as it stands before the first page, for what is settled on the way changes it
        own, waits = connection.id, policy.rollout.first is not None
        reached, pending = (volume.reached(work, own), volume.pending(work, own)) if waits else (set(), set())
        self._known = Known("", {}, {}, reached=reached.union(chosen), pending=pending)
        #: no more leave today
        self._most = self._sent_before + self._answers.count
        self._is_free = policy.rollout.first is None and is_free(self._budget(0), self._most)
        #: where the cap is all that may refuse
        self._foremost: Foremost | None = None
        if policy.rollout.first is None and is_usual(self._budget(0), self._most):
            self._foremost = Foremost(policy.max_per_run, self._sent_before)
        self._owing = 0
        self._asking: list[Asking] = []
        self._waiting: dict[int, str] = {}  # the chases whose answers are not final yet, each with its payer
        self._kept: dict[int, tuple[Asking, Answered]] = {}  # more of them, and their answers: no more than a page

    def final(self) -> Iterator[list[Answered]]:
        for page in self._answers.read():
            yield self._first(self._narrowed(page))
        if not self._waiting and not self._kept:
            return
        first, no = self._not_first(), self._refused()
        kept = [answered for _, answered in self._kept.values()]
        self._kept.clear()
        if kept:
            yield self._second(kept, first, no)
            del kept
        if self._waiting:
            for page in self._answers.read(self._waiting):
                yield self._second(self._narrowed(page), first, no)

    def _narrowed(self, page: Sequence[Answered]) -> list[Answered]:
        page = not_rejected(self._work, self._connection.id, page)
        rollout = self._policy.rollout
        if not rollout.has_segment:
            return page
        names = {one.plan.facts.chase_id: one.policy.playbook.name for one in page}
        known = Known(self._connection.name, names, self._tags, reached=(), pending=())
        return [replace(one, plan=in_segment(one.plan, rollout, known)) for one in page]

    def _first(self, page: list[Answered]) -> list[Answered]:
        """What of a page is final; of the others what the second pass asks about is noted."""
        self._owing += len(
            {one.plan.facts.payer_id for one in page if any(item.balance.amount > 0 for item in one.plan.facts.items)}
        )
        speaking = [one for one in page if one.plan.intent is not None]
        asked = [asking(one.plan) for one in speaking]
        if self._is_free and all(one.mailbox is None or self._most <= one.mailbox for one in asked):
            # Nobody is refused but for the payer's own caps, and a page has all chases of its payers.
            capped = one_payer_at_a_time(asked)
            self._asking += [one for place, one in enumerate(asked) if place not in capped]
            no = {asked[place].chase_id: refusal for place, refusal in capped.items()}
            return self._second(page, set(), no) if no else page
        self._asking += asked
        told = self._foremost.told(asked) if self._foremost is not None else {}
        no = {asked[place].chase_id: refusal for place, refusal in told.items() if refusal is not None}
        fallen = self._fallen()
        final = [self._kept.pop(chase_id)[1] for chase_id in fallen]
        waiting = {one.chase_id: (one, speaking[place]) for place, one in enumerate(asked) if place not in told}
        for chase_id, (one, answered) in waiting.items():
            if len(self._kept) < facts.PAYERS_A_PAGE:
                self._kept[chase_id] = one, answered
            else:
                self._waiting[chase_id] = one.payer_id
        final += [one for one in page if one.plan.facts.chase_id not in waiting]
        return self._second(final, set(), no | fallen)

    def _fallen(self) -> dict[int, Refusal]:
        """Those of earlier pages, their answers kept, who are over the cap by now."""
        foremost = self._foremost
        if foremost is None:
            return {}
        asked = [one for one, _ in self._kept.values()]
        return {one.chase_id: why for one in asked if (why := foremost.over(one)) is not None}

    def _second(self, page: list[Answered], first: set[int], no: dict[int, Refusal]) -> list[Answered]:
        for place, one in enumerate(page):
            chase_id, plan = one.plan.facts.chase_id, one.plan
            if chase_id in first:
                page[place] = replace(one, plan=not_yet(plan, self._policy.rollout))
            elif chase_id in no:
                page[place] = replace(one, plan=no[chase_id].of(plan))
        return page

    def _not_first(self) -> set[int]:
        """The chases that wait while only so many customers are written to; they ask for nothing more."""
        rollout, asking = self._policy.rollout, self._asking
        if rollout.first is None:
            return set()
        waiting = later(asking, rollout, self._known)
        self._asking = [one for place, one in enumerate(asking) if place not in waiting]
        return {asking[place].chase_id for place in waiting}

    def _refused(self) -> dict[int, Refusal]:
        no = refused(self._asking, self._budget(self._owing), self._sent_before, self._asked_before)
        return {self._asking[place].chase_id: refusal for place, refusal in no.items()}

    def _budget(self, owing: int) -> Budget:
        policy = self._policy
        return Budget(
            policy.max_per_run, self._usual, policy.breaker_factor,
            open_customers=owing, breaker_share=policy.breaker_share,
        )  # fmt: skip
