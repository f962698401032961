"""Going live step by step: who is written to so far; the others wait, and are told why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from arsync.domain.chase import Plan, Rule
from arsync.domain.policy import StepChannel
from arsync.domain.rollout import Rollout
from arsync.domain.states import Decision
from arsync.playbook.admit import by_stake, held_back

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
    """The same plans in the same order; those to customers whose turn it is not wait. Calls and tasks, which reach only
    our own staff, are not narrowed."""
    kept = [_in_segment(plan, rollout, known) for plan in plans]
    if rollout.first is None:
        return kept
    chosen = set(known.reached)
    asking = [plan for plan in by_stake(kept, every=True) if _leaves(plan)]
    for plan in sorted(asking, key=lambda one: _payer(one) not in known.pending):  # stable: then the most at stake
        if len(chosen) < rollout.first:
            chosen.add(_payer(plan))
    count = "the first customer is" if rollout.first == 1 else f"the first {rollout.first} customers are"
    return [
        plan
        if not _leaves(plan) or _payer(plan) in chosen
        else _waits(plan, f"only {count} written to so far (delivery.first_customers)")
        for plan in kept
    ]


def _in_segment(plan: Plan, rollout: Rollout, known: Known) -> Plan:
    facts = plan.facts
    if not rollout.has_segment or not _leaves(plan):
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


def _leaves(plan: Plan) -> bool:
    return plan.intent is not None and plan.intent.step.way in _OUTWARD


def _payer(plan: Plan) -> Payer:
    return plan.facts.connection.connection_id, plan.facts.payer_id


def _waits(plan: Plan, why: str) -> Plan:
    return held_back(plan, Decision.WAIT, Rule.NOT_LIVE, f"{why}, and {plan.facts.payer_name} is not among them")
