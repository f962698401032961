"""The second pass of the planner: what one run may send of all that its chases would."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from arsync.domain.chase import Budget, Plan, Rule, Verdict
from arsync.domain.policy import StepMode
from arsync.domain.states import Decision


def admit(plans: Sequence[Plan], budget: Budget, sent_before: int) -> list[Plan]:
    """The same plans in the same order; some lose their intent: over the cap they wait, far above the usual they hold.

    `sent_before` counts the messages that went out earlier this day, which counts as one run. What a person
    lets go, and calls, which reach only our own staff, are neither capped nor counted; but a tripped breaker holds them
    too: the facts are in doubt.
    """
    plans = _one_payer_at_a_time(plans)
    ranked = by_stake(plans)
    volume = sent_before + len(ranked)
    reason = _far_above_usual(ranked, budget, sent_before) if volume > budget.handful else None
    if reason is not None:
        return [held_back(plan, Decision.HOLD, Rule.BREAKER, reason) if plan.intent else plan for plan in plans]
    beyond: dict[int, int] = {}
    gone = sent_before
    for plan in ranked:
        # A playbook's own cap counts whatever left that mailbox, by whichever playbook.
        most = budget.max_per_run if plan.mailbox is None else min(budget.max_per_run, plan.mailbox)
        if gone < most:
            gone += 1
        else:
            beyond[id(plan)] = most
    return [_over(plan, beyond.get(id(plan))) for plan in plans]


def _far_above_usual(ranked: Sequence[Plan], budget: Budget, sent_before: int) -> str | None:
    """Why a person must look before anything goes out; None where the day is as others, or too few are known."""
    usual, volume = budget.usual_per_run, sent_before + len(ranked)
    if usual is None:
        return None
    look = "a person must look before any goes out, and may then raise"
    if volume > usual * budget.breaker_factor:
        return (
            f"{volume} messages in one day where {usual} are usual (more than {budget.breaker_factor} times as many); "
            f"{look} safety.breaker_factor for a run"
        )
    if budget.open_customers is None:
        return None
    payers = sent_before + len({(one.facts.connection.connection_id, one.facts.payer_id) for one in ranked})
    if payers - usual > budget.open_customers * budget.breaker_share:
        share = f"more than {budget.breaker_share * 100:f} % of them beyond that"
        return (
            f"{payers} of {budget.open_customers} customers who owe anything would hear from us in one day where "
            f"{usual} are usual ({share}); {look} safety.breaker_share for a run"
        )
    return None


def _over(plan: Plan, most: int | None) -> Plan:
    if most is None:
        return plan
    reason = f"{most} messages are enough for one day; larger amounts go first"
    return held_back(plan, Decision.WAIT, Rule.CAP, reason)


def _one_payer_at_a_time(plans: Sequence[Plan]) -> Sequence[Plan]:
    """Where a payer is chased in several currencies on one day, no more than its caps leave room for; the rest wait."""
    room: dict[tuple[int, str], int] = {}
    several: defaultdict[tuple[int, str], list[Plan]] = defaultdict(list)
    for plan in plans:
        if plan.intent is not None and plan.room is not None:
            payer = (plan.facts.connection.connection_id, plan.facts.payer_id)
            several[payer].append(plan)
            room[payer] = min(plan.room, room.get(payer, plan.room))
    beyond = {
        id(plan)
        for payer, asking in several.items()
        for plan in sorted(asking, key=lambda one: one.facts.chase_id)[room[payer] :]
    }
    if not beyond:
        return plans
    reason = "another currency's message goes out today, and that is enough for this payer"
    return [held_back(plan, Decision.WAIT, Rule.PAYER_CAP, reason) if id(plan) in beyond else plan for plan in plans]


def by_stake(plans: Sequence[Plan], *, every: bool = False) -> list[Plan]:
    """Messages by money at stake, the most first, those that leave by themselves or `every` one; amounts in two
    currencies cannot be compared, so that the largest of each currency come first (in the order of the codes), then the
    second largest of each, and so on.
    """
    by_currency: defaultdict[str, list[tuple[Decimal, int, Plan]]] = defaultdict(list)
    for plan in plans:
        if plan.intent is not None and (every or plan.intent.mode is StepMode.AUTO):
            by_currency[plan.facts.currency].append((-plan.intent.at_stake.amount, plan.facts.chase_id, plan))
    ranked = [
        (rank, currency, plan)
        for currency, entries in by_currency.items()
        for rank, (_, _, plan) in enumerate(sorted(entries, key=lambda entry: entry[:2]))
    ]
    return [plan for _, _, plan in sorted(ranked, key=lambda entry: entry[:2])]


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
