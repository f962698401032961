"""Going live step by step: who is written to so far; the others wait, and are told why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from arsync.domain.chase import Plan, Rule
from arsync.domain.policy import StepChannel
from arsync.domain.rollout import Rollout
from arsync.domain.states import Decision
from arsync.playbook.admit import Asking, asking, by_stake, held_back

#: A payer of a connection.
Payer = tuple[int, str]
_OUTWARD = (StepChannel.EMAIL, StepChannel.LETTER)


@dataclass(frozen=True, slots=True)
class Known:
    """What of a connection's payers the rollout asks."""

    connection: str
    playbooks: Mapping[int, str]  # by chase
    tags: Mapping[str, Collection[str]]  # by customer
    reached: Collection[Payer]  # written to, or about to be by another connection
    pending: Collection[Payer]  # a message of theirs waits in the outbox


def narrowed(plans: Sequence[Plan], rollout: Rollout, known: Known) -> list[Plan]:
    """The same plans in the same order; those to customers whose turn it is not wait."""
    kept = [in_segment(plan, rollout, known) for plan in plans]
    places = [place for place, plan in enumerate(kept) if plan.intent is not None]
    for place in later([asking(kept[place]) for place in places], rollout, known):
        kept[places[place]] = not_yet(kept[places[place]], rollout)
    return kept


def in_segment(plan: Plan, rollout: Rollout, known: Known) -> Plan:
    """The plan; where it is to somebody who is not meant it waits. Calls and tasks, which reach only our own staff, are
    not narrowed."""
    facts = plan.facts
    if not rollout.has_segment or not leaves(plan):
        return plan
    names = {facts.payer_name.casefold(), facts.payer_id.casefold()}
    tags = {tag.casefold() for tag in known.tags.get(facts.payer_id, ())}
    fits = (
        (not rollout.connections or known.connection in rollout.connections)
        and (not rollout.playbooks or known.playbooks.get(facts.chase_id) in rollout.playbooks)
        and (not rollout.tags or bool(rollout.tags & tags))
        and (not rollout.customers or bool(rollout.customers & names))
    )
    return plan if fits else _waits(plan, f"only customers {rollout} are written to so far (delivery.only)")


def later(asking: Sequence[Asking], rollout: Rollout, known: Known) -> set[int]:
    """The places of those to whom it is not the turn yet, while only so many customers are written to."""
    if rollout.first is None:
        return set()
    chosen = set(known.reached)
    ranked = [asking[place] for place in by_stake(asking, every=True) if asking[place].outward]
    for one in sorted(ranked, key=lambda one: one.payer not in known.pending):  # stable: then the most at stake
        if len(chosen) < rollout.first:
            chosen.add(one.payer)
    return {place for place, one in enumerate(asking) if one.outward and one.payer not in chosen}


def not_yet(plan: Plan, rollout: Rollout) -> Plan:
    """The plan of one of `later`."""
    count = "the first customer is" if rollout.first == 1 else f"the first {rollout.first} customers are"
    return _waits(plan, f"only {count} written to so far (delivery.first_customers)") if leaves(plan) else plan


def leaves(plan: Plan) -> bool:
    """Whether something of it would reach the customer."""
    return plan.intent is not None and plan.intent.step.way in _OUTWARD


def _waits(plan: Plan, why: str) -> Plan:
    return held_back(plan, Decision.WAIT, Rule.NOT_LIVE, f"{why}, and {plan.facts.payer_name} is not among them")
