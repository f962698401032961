"""Going live step by step, as a ledger of customers: who is let in, who waits, and why."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from arsync.domain.chase import Budget, Plan, Rule
from arsync.domain.policy import StepMode
from arsync.domain.rollout import Rollout
from arsync.domain.states import Decision
from arsync.playbook.admit import admit
from arsync.playbook.going_live import Known, narrowed
from arsync.playbook.plan import plan
from arsync.testing.builders import WORKDAYS, a_playbook, an_item, day, past, some_facts, verdict_of

FRIDAY = day("07-03")
ME = some_facts().connection.connection_id


def a_plan(payer: str, balance: str, chase_id: int = 1, **facts: object) -> Plan:
    told = replace(some_facts(an_item("INV-1", "06-30", balance), chase_id=chase_id), payer_id=payer, payer_name=payer)
    return plan(replace(told, **facts), a_playbook(), WORKDAYS, FRIDAY)  # type: ignore[arg-type]


PLANS = [
    a_plan("Ash", "10.00", 1),
    a_plan("Birch", "90.00", 2),
    a_plan("Cedar", "50.00", 3),
    a_plan("Dogwood", "70.00", 4),
]


def known(reached: tuple[str, ...] = (), pending: tuple[str, ...] = (), elsewhere: int = 0) -> Known:
    return Known(
        connection="harbor",
        playbooks={1: "standard", 2: "gentle", 3: "standard", 4: "standard"},
        tags={"Ash": ("pilot",), "Cedar": ("pilot", "vip")},
        reached={*((ME, payer) for payer in reached), *((99, str(number)) for number in range(elsewhere))},
        pending={(ME, payer) for payer in pending},
    )


def let_in(rollout: Rollout, of: Known | None = None) -> list[str]:
    return [one.facts.payer_id for one in narrowed(PLANS, rollout, of or known()) if one.intent]


def test_without_a_word_everybody_is_let_in() -> None:
    assert not Rollout().narrows
    assert let_in(Rollout()) == ["Ash", "Birch", "Cedar", "Dogwood"]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (known(), ["Birch", "Dogwood"]),  # who owes the most
        (known(pending=("Ash",)), ["Ash", "Birch"]),  # whose message waits already
        (known(reached=("Cedar",), pending=("Ash",)), ["Ash", "Cedar"]),  # who was written to stays in
        (known(reached=("Ash", "Cedar", "Elm")), ["Ash", "Cedar"]),
        (known(elsewhere=1), ["Birch"]),  # all companies count together
        (known(elsewhere=2), []),
    ],
)
def test_the_first_two_customers_are_let_in_and_stay(of: Known, expected: list[str]) -> None:
    assert let_in(Rollout(first=2), of) == expected


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [
        (Rollout(tags=frozenset({"pilot"})), ["Ash", "Cedar"]),
        (Rollout(playbooks=frozenset({"gentle"})), ["Birch"]),
        (Rollout(customers=frozenset({"dogwood", "ash"})), ["Ash", "Dogwood"]),
        (Rollout(connections=frozenset({"harbor"})), ["Ash", "Birch", "Cedar", "Dogwood"]),
        (Rollout(connections=frozenset({"thames"})), []),
        (Rollout(tags=frozenset({"pilot"}), customers=frozenset({"cedar"})), ["Cedar"]),
        (Rollout(first=1, tags=frozenset({"pilot"})), ["Cedar"]),
    ],
)
def test_one_part_of_the_customers_is_let_in(rollout: Rollout, expected: list[str]) -> None:
    assert let_in(rollout) == expected


def test_who_waits_is_told_why_and_looked_at_on_the_next_business_day() -> None:
    """07-03 is a Friday."""
    by_tag = verdict_of(narrowed(PLANS, Rollout(tags=frozenset({"pilot"})), known())[1])
    assert (by_tag.decision, by_tag.rule, by_tag.next_on) == (Decision.WAIT, Rule.NOT_LIVE, day("07-06"))
    assert by_tag.reason == (
        "only customers with the tag pilot are written to so far (delivery.only), and Birch is not among them"
    )
    by_number = verdict_of(narrowed(PLANS, Rollout(first=2), known())[0])
    assert by_number.reason == (
        "only the first 2 customers are written to so far (delivery.first_customers), and Ash is not among them"
    )


def test_calls_reach_only_our_own_people_and_what_a_person_approves_is_narrowed_as_well() -> None:
    history = (past("friendly", "06-12"), past("firm", "06-23"))
    call = a_plan("Elm", "10.00", 5, history=history)
    call = plan(replace(call.facts, items=(an_item(due="06-09"),)), a_playbook(), WORKDAYS, FRIDAY)
    assert call.intent is not None
    assert call.intent.step.is_task
    by_hand = replace(PLANS[0], intent=replace(PLANS[0].intent, mode=StepMode.APPROVE))  # type: ignore[type-var]
    kept = narrowed([call, by_hand], Rollout(connections=frozenset({"thames"})), known())
    assert [one.intent is not None for one in kept] == [True, False]


def test_whoever_has_to_wait_takes_no_room_of_the_cap() -> None:
    kept = narrowed(PLANS, Rollout(tags=frozenset({"pilot"})), known())
    budget = Budget(max_per_run=1, usual_per_run=None, breaker_factor=Decimal(3))
    assert [one.facts.payer_id for one in admit(kept, budget, 0) if one.intent] == ["Cedar"]
