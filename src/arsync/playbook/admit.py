"""The second pass of the planner: what one run may send of all that its chases would."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from heapq import heappush, heapreplace
from math import ceil
from sys import intern
from typing import Final

from arsync.domain.chase import Budget, Plan, Rule, Verdict
from arsync.domain.policy import ACCOUNT, StepChannel, StepMode
from arsync.domain.record import record
from arsync.domain.states import Decision

_OUTWARD: Final = (StepChannel.EMAIL, StepChannel.LETTER)


@record(frozen=True, slots=True)
class Asking:
    """A chase that would speak, as far as the second pass asks about it: nothing else of it is kept between the two."""

    chase_id: int
    connection_id: int
    payer_id: str
    currency: str
    amount: Decimal  # at stake
    by_itself: bool  # it leaves without a person: counted and capped
    outward: bool  # it reaches the customer
    room: int | None
    mailbox: int | None
    asks: bool = True  # a statement of account asks for nothing: it is capped, and no day is unusual by it

    @property
    def payer(self) -> tuple[int, str]:
        """Of its connection."""
        return self.connection_id, self.payer_id


@record(frozen=True, slots=True)
class Refusal:
    """Why a chase does not speak today, though it would."""

    decision: Decision
    rule: Rule
    reason: str

    def of(self, plan: Plan) -> Plan:
        """The plan as refused; one that would not speak stays as it is."""
        return held_back(plan, self.decision, self.rule, self.reason) if plan.intent is not None else plan


def asking(plan: Plan) -> Asking:
    """What the second pass asks about a plan, which has an intent."""
    facts, intent = plan.facts, plan.intent
    assert intent is not None
    return Asking(
        facts.chase_id, facts.connection.connection_id, facts.payer_id, intern(facts.currency), intent.at_stake.amount,
        intent.mode is StepMode.AUTO, intent.step.way in _OUTWARD, plan.room, plan.mailbox, intent.step.id != ACCOUNT,
    )  # fmt: skip


def admit(plans: Sequence[Plan], budget: Budget, sent_before: int) -> list[Plan]:
    """The same plans in the same order; those that are `refused` lose their intent and say why."""
    places = [place for place, plan in enumerate(plans) if plan.intent is not None]
    no = refused([asking(plans[place]) for place in places], budget, sent_before)
    told = list(plans)
    for place, refusal in no.items():
        told[places[place]] = refusal.of(plans[places[place]])
    return told


def refused(
    asking: Sequence[Asking], budget: Budget, sent_before: int, asked_before: int | None = None
) -> dict[int, Refusal]:
    """Who may not speak, by the place in the sequence: over the cap they wait, far above the usual they hold.

    `sent_before` counts the messages that went out earlier this day, which counts as one run, and `asked_before` those
    of them that were no statement of account (all, where nothing is said): the month's statements make no day unusual,
    and under the cap they come after what asks. What a person lets go, and calls, which reach only our own staff, are
    neither capped nor counted; but a tripped breaker holds them too: the facts are in doubt.
    """
    no = one_payer_at_a_time(asking)
    ranked = sorted([place for place in by_stake(asking) if place not in no], key=lambda place: not asking[place].asks)
    room = max(0, budget.max_per_run - sent_before)  # what the cap leaves for other days makes no day unusual
    asks = [asking[place] for place in ranked if asking[place].asks][:room]
    before = sent_before if asked_before is None else asked_before
    far = _far_above_usual(asks, budget, before) if before + len(asks) > budget.handful else None
    if far is not None:
        held = Refusal(Decision.HOLD, Rule.BREAKER, far)
        return {place: no.get(place, held) for place in range(len(asking))}
    gone = sent_before
    for place in ranked:
        # A playbook's own cap counts whatever left that mailbox, by whichever playbook.
        mailbox = asking[place].mailbox
        if gone < (budget.max_per_run if mailbox is None else min(budget.max_per_run, mailbox)):
            gone += 1
        else:
            no[place] = over_the_cap(budget.max_per_run, mailbox)
    return no


@cache
def over_the_cap(max_per_run: int, mailbox: int | None) -> Refusal:
    """Why one waits of whom the run, or its playbook's mailbox, has had enough."""
    if mailbox is None or mailbox >= max_per_run:
        most, cap = max_per_run, "safety.max_messages_per_run"
    else:
        most, cap = mailbox, "the playbook's caps.mailbox"
    enough = "1 message is enough" if most == 1 else f"{most} messages are enough"
    return Refusal(Decision.WAIT, Rule.CAP, f"{enough} for one day ({cap}); larger amounts go first")


def is_free(budget: Budget, most: int) -> bool:
    """Whether the day's budget refuses nobody, should no more than so many leave in all."""
    return most <= budget.max_per_run and is_usual(budget, most)


def is_usual(budget: Budget, most: int) -> bool:
    """Whether the breaker is out of reach, should no more than so many leave in all."""
    usual = budget.usual_per_run
    return usual is None or most <= budget.handful or most <= usual * min(budget.breaker_factor, Decimal(1))


class Foremost:
    """The largest amounts of each currency that ask so far, as many as the day's cap has room for.

    Whoever comes behind that many of its own currency is over the cap, whoever else may ask: what another currency
    asks for only comes between, and what asks for nothing comes after. So it need not wait for the others to hear it.
    That holds where nothing but the caps refuses: the breaker is out of reach, and everybody may be written to.
    """

    def __init__(self, max_per_run: int, sent_before: int) -> None:
        self._max, self._room = max_per_run, max(0, max_per_run - sent_before)
        self._last: defaultdict[str, list[tuple[Decimal, int]]] = defaultdict(list)  # heaps: the last is on top

    def told(self, page: Sequence[Asking]) -> dict[int, Refusal | None]:
        """Takes note of those who ask on a page, which has all chases of its payers; by their places those who need
        not wait for the other pages, and why they may not speak (None: they may)."""
        told: dict[int, Refusal | None] = {place: None for place, one in enumerate(page) if not one.by_itself}
        told |= one_payer_at_a_time(page)
        asks = [(place, one) for place, one in enumerate(page) if place not in told]
        for _, one in asks:
            # A statement comes after all that asks; a mailbox of its own may be full before the cap is.
            if one.asks and (one.mailbox is None or one.mailbox >= self._max):
                self._note(one)
        return told | {place: why for place, one in asks if (why := self.over(one)) is not None}

    def over(self, one: Asking) -> Refusal | None:
        """Why one who leaves by itself is over the cap, by now; None where nobody knows yet."""
        heap = self._last[one.currency]
        is_behind = len(heap) >= self._room and (not heap or (one.amount, -one.chase_id) < heap[0])
        return over_the_cap(self._max, one.mailbox) if is_behind else None

    def _note(self, one: Asking) -> None:
        heap, rank = self._last[one.currency], (one.amount, -one.chase_id)
        if len(heap) < self._room:
            heappush(heap, rank)
        elif heap and heap[0] < rank:
            heapreplace(heap, rank)


def _far_above_usual(ranked: Sequence[Asking], budget: Budget, sent_before: int) -> str | None:
    """Why a person must look before anything goes out, and how one lets it go; None where the day is as others, or too
    few are known."""
    usual, volume = budget.usual_per_run, sent_before + len(ranked)
    if usual is None:
        return None
    far, raised = [], []
    if volume > usual * budget.breaker_factor:
        times = f"more than {budget.breaker_factor} times as many"
        far.append(f"{volume} messages in one day where {usual} are usual ({times})")
        raised.append(f"ARSYNC_SAFETY__BREAKER_FACTOR={ceil(volume / usual)}")
    payers, owing = sent_before + len({one.payer for one in ranked}), budget.open_customers
    if owing is not None and payers - usual > owing * budget.breaker_share:
        share = f"more than {budget.breaker_share * 100:f} % of them beyond that"
        hear = "customers who owe anything would hear from us in one day"
        far.append(f"{payers} of {owing} {hear} where {usual} are usual ({share})")
        raised.append("ARSYNC_SAFETY__BREAKER_SHARE=1")
    if not far:
        return None
    return (
        f"{'; '.join(far)}: a person must look before any goes out. "
        f"{' '.join(raised)} before `arsync plan` shows them, and before `arsync run` lets them go once"
    )


def one_payer_at_a_time(asking: Sequence[Asking]) -> dict[int, Refusal]:
    """Where a payer is chased in several currencies on one day, no more than its caps leave room for; the rest wait."""
    room: dict[tuple[int, str], int] = {}
    several: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for place, one in enumerate(asking):
        if one.room is not None:
            several[one.payer].append(place)
            room[one.payer] = min(one.room, room.get(one.payer, one.room))
    waits = Refusal(
        Decision.WAIT, Rule.PAYER_CAP, "another currency's message goes out today, and that is enough for this payer"
    )
    return {
        place: waits
        for payer, places in several.items()
        for place in sorted(places, key=lambda place: asking[place].chase_id)[room[payer] :]
    }


def by_stake(asking: Sequence[Asking], *, every: bool = False) -> list[int]:
    """The places of those that leave by themselves, or of `every` one, by money at stake, the most first; amounts in
    two currencies cannot be compared, so that the largest of each currency come first (in the order of the codes), then
    the second largest of each, and so on.
    """
    by_currency: defaultdict[str, list[tuple[Decimal, int, int]]] = defaultdict(list)
    for place, one in enumerate(asking):
        if every or one.by_itself:
            by_currency[one.currency].append((-one.amount, one.chase_id, place))
    ranked = [
        (rank, currency, place)
        for currency, entries in by_currency.items()
        for rank, (_, _, place) in enumerate(sorted(entries))
    ]
    return [place for _, _, place in sorted(ranked)]


def held_back(plan: Plan, decision: Decision, rule: Rule, reason: str) -> Plan:
    """The plan without its message; each invoice in it says why."""
    assert plan.intent is not None
    in_message = {item.invoice_id for item in (*plan.intent.demanded, *plan.intent.listed)}
    next_on = plan.again_on if decision is Decision.WAIT else None

    def held(verdict: Verdict) -> Verdict:
        if verdict.invoice_id not in in_message:
            return verdict
        return Verdict(verdict.invoice_id, decision, rule, reason, next_on, verdict.step_id)

    return replace(plan, verdicts=tuple(held(verdict) for verdict in plan.verdicts), intent=None)
