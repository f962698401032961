"""What one run may send, as a ledger of amounts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from arsync.domain.chase import Budget, Plan, Rule
from arsync.domain.policy import StepMode
from arsync.domain.states import Decision
from arsync.playbook.admit import admit, asking, refused
from arsync.playbook.plan import plan
from arsync.testing.builders import (
    WORKDAYS,
    a_connection,
    a_playbook,
    an_item,
    day,
    past,
    some_facts,
    verdict_of,
)

FRIDAY = day("07-03")
CONNECTION = a_connection(pay_currencies=("EUR", "JPY"))


def a_plan(chase_id: int, balance: str, currency: str = "EUR", *, due: str = "06-30") -> Plan:
    item = an_item("INV-1", due, balance, currency=currency)
    facts = some_facts(item, chase_id=chase_id, currency=currency, connection=CONNECTION)
    return plan(facts, a_playbook(), WORKDAYS, FRIDAY)


def owing(chase_id: int) -> Plan:
    """Each a customer of its own."""
    one = a_plan(chase_id, "10.00")
    return replace(one, facts=replace(one.facts, payer_id=f"payer {chase_id}"))


def a_budget(most: int = 100, *, usual: str | None = None, factor: str = "3", handful: int = 0) -> Budget:
    mean = Decimal(usual) if usual else None
    return Budget(max_per_run=most, usual_per_run=mean, breaker_factor=Decimal(factor), handful=handful)


def going(plans: list[Plan]) -> list[int]:
    return [plan.facts.chase_id for plan in plans if plan.intent]


def test_the_largest_amounts_go_first_and_equal_ones_by_id() -> None:
    plans = [a_plan(1, "10.00"), a_plan(4, "50.00"), a_plan(2, "50.00"), a_plan(3, "90.00")]
    assert going(admit(plans, a_budget(1), 0)) == [3]
    assert going(admit(plans, a_budget(2), 0)) == [2, 3]
    assert going(admit(plans, a_budget(3), 0)) == [4, 2, 3]


def test_yen_do_not_outrank_euros_by_their_number() -> None:
    """9,000 JPY and 80 EUR are the largest of their currency: both before the second largest."""
    plans = [a_plan(1, "9000", "JPY"), a_plan(2, "8000", "JPY"), a_plan(3, "80.00"), a_plan(4, "70.00")]
    assert going(admit(plans, a_budget(2), 0)) == [1, 3]


def test_what_the_cap_leaves_over_waits_for_the_next_business_day() -> None:
    """07-03 is a Friday."""
    over = admit([a_plan(1, "10.00"), a_plan(2, "20.00")], a_budget(1), 0)[0]
    verdict = verdict_of(over)
    assert over.intent is None
    assert (verdict.decision, verdict.rule, verdict.next_on) == (Decision.WAIT, Rule.CAP, day("07-06"))


def test_what_was_sent_before_counts() -> None:
    plans = [a_plan(1, "10.00"), a_plan(2, "20.00")]
    assert going(admit(plans, a_budget(10), 9)) == [2]
    assert going(admit(plans, a_budget(10), 10)) == []
    assert going(admit(plans, a_budget(10), 11)) == []


def test_the_order_of_the_plans_changes_nothing() -> None:
    plans = [a_plan(number, f"{number * 7 % 5}.50") for number in range(1, 9)]
    forwards, backwards = admit(plans, a_budget(3), 0), admit(plans[::-1], a_budget(3), 0)
    assert [plan.facts.chase_id for plan in forwards] == list(range(1, 9))
    assert set(going(forwards)) == set(going(backwards))


@pytest.mark.parametrize(("usual", "sent_before", "trips"), [("1", 0, False), ("0.9", 0, True), ("1", 1, True)])
def test_far_more_than_usual_holds_every_message(usual: str, sent_before: int, trips: bool) -> None:
    """Three messages with a factor of 3: more than 3 x usual trips the breaker, exactly 3 x does not."""
    plans = [a_plan(number, "10.00") for number in (1, 2, 3)]
    admitted = admit(plans, a_budget(usual=usual), sent_before)
    assert (going(admitted) == []) is trips
    if trips:
        verdict = verdict_of(admitted[0])
        assert (verdict.decision, verdict.rule, verdict.next_on) == (Decision.HOLD, Rule.BREAKER, None)
        assert f"{3 + sent_before} messages" in verdict.reason
        raised = 4  # 3 / 0.9 and 4 / 1, rounded up
        assert f"ARSYNC_SAFETY__BREAKER_FACTOR={raised} before `arsync plan`" in verdict.reason


def test_what_the_cap_leaves_for_other_days_makes_no_day_unusual() -> None:
    """Five a day, by the cap, and thirty who wait for their turn: each day would look unusual, and nothing would go."""
    plans = [a_plan(number, "10.00") for number in range(1, 31)]
    admitted = admit(plans, a_budget(5, usual="5", handful=20), 0)
    assert going(admitted) == [1, 2, 3, 4, 5]
    assert {verdict_of(one).rule for one in admitted[5:]} == {Rule.CAP}
    assert going(admit(plans, a_budget(16, usual="5", handful=10), 0)) == [], "sixteen would go where five are usual"


def test_with_too_little_history_there_is_no_breaker() -> None:
    plans = [a_plan(number, "10.00") for number in range(1, 30)]
    assert len(going(admit(plans, a_budget(usual=None), 0))) == 29


def test_a_plan_without_an_intent_passes_unchanged() -> None:
    quiet = a_plan(1, "10.00", due="08-30")
    assert admit([quiet], a_budget(0), 0) == [quiet]


def test_calls_are_not_capped_but_a_tripped_breaker_holds_them() -> None:
    """The first plan is a call task, the second a message."""
    history = [past("friendly", "06-12"), past("firm", "06-23")]
    call = plan(
        some_facts(an_item(due="06-09"), history=history, connection=CONNECTION), a_playbook(), WORKDAYS, FRIDAY
    )
    plans = [call, a_plan(2, "10.00")]
    assert going(admit(plans, a_budget(0), 0)) == [1]
    assert going(admit(plans, a_budget(usual="0.1"), 0)) == []


def test_items_listed_in_a_message_that_waits_wait_too() -> None:
    facts = some_facts(
        an_item("A", "06-12"), an_item("B", "07-02"), history=[past("friendly", "06-15", "A")], connection=CONNECTION
    )
    both = plan(facts, a_playbook(), WORKDAYS, FRIDAY)
    assert verdict_of(both, "B").rule is Rule.LISTED
    capped = admit([both], a_budget(0), 0)[0]
    assert {verdict.rule for verdict in capped.verdicts} == {Rule.CAP}


def test_a_handful_is_never_far_above_the_usual() -> None:
    """A firm that sends one message in ten days may send three on a Monday."""
    plans = [a_plan(number, "10.00") for number in (1, 2, 3)]
    assert going(admit(plans, a_budget(usual="0.1", handful=3), 0)) == [1, 2, 3]
    assert going(admit(plans, a_budget(usual="0.1", handful=2), 0)) == []


def test_what_a_person_lets_go_needs_no_cap() -> None:
    """The first waits for a person, the second goes by itself."""
    careful = a_connection(pay_currencies=("EUR",), mode=StepMode.APPROVE)
    by_hand = plan(some_facts(an_item(balance="99.00"), connection=careful), a_playbook(), WORKDAYS, FRIDAY)
    assert by_hand.intent is not None
    assert by_hand.intent.mode is StepMode.APPROVE
    assert going(admit([by_hand, a_plan(2, "10.00")], a_budget(1), 0)) == [1, 2]


def test_a_playbooks_own_cap_counts_all_that_left_the_mailbox() -> None:
    """Of three with a cap of four, two have room where two have gone; the fourth's playbook knows no cap."""
    plans = [replace(a_plan(number, f"{number}0.00"), mailbox=4) for number in (1, 2, 3)] + [a_plan(4, "5.00")]
    admitted = admit(plans, a_budget(), 2)
    assert going(admitted) == [2, 3, 4]
    reason = "4 messages are enough for one day (the playbook's caps.mailbox); larger amounts go first"
    assert verdict_of(admitted[0]).reason == reason


def test_two_currencies_share_what_a_payer_may_get() -> None:
    """One message a week, and it is owed in euros and in yen: the older chase first, the other another day."""
    euro, yen = replace(a_plan(1, "10.00"), room=1), replace(a_plan(2, "9000", "JPY"), room=1)
    for plans in ([euro, yen], [yen, euro]):
        admitted = admit(plans, a_budget(), 0)
        assert going(admitted) == [1]
        waits = next(verdict for plan in admitted if not plan.intent for verdict in plan.verdicts)
        assert (waits.rule, waits.next_on) == (Rule.PAYER_CAP, day("07-06"))


@pytest.mark.parametrize(
    ("sent_before", "share", "going_out"), [(0, "0.5", 6), (1, "0.5", 0), (1, "0.6", 6), (4, "1", 6)]
)
def test_more_than_that_share_of_all_who_owe_beyond_the_usual_stops_the_run(
    sent_before: int, share: str, going_out: int
) -> None:
    """10 customers owe, 1 hears from us on a usual day: 6 of them are half of all beyond that, 7 are more."""
    budget = replace(a_budget(usual="1", factor="100"), open_customers=10, breaker_share=Decimal(share))
    admitted = admit([owing(number) for number in range(6)], budget, sent_before)
    assert len(going(admitted)) == going_out
    if not going_out:
        verdict = verdict_of(admitted[0])
        assert (verdict.decision, verdict.rule) == (Decision.HOLD, Rule.BREAKER)
        assert "7 of 10 customers who owe anything would hear from us in one day where 1 are usual" in verdict.reason
        assert "ARSYNC_SAFETY__BREAKER_SHARE=1 before `arsync plan`" in verdict.reason
        assert "BREAKER_FACTOR" not in verdict.reason


def test_currencies_of_one_customer_are_one_customer_to_the_share() -> None:
    plans = [a_plan(number, "10.00") for number in range(6)]
    budget = replace(a_budget(usual="1", factor="100"), open_customers=1, breaker_share=Decimal("0.5"))
    assert len(going(admit(plans, budget, 0))) == 6


def test_a_months_statements_do_not_stop_the_ladder_and_are_capped_after_it() -> None:
    """Three statements over much and one reminder over little; one message a day is usual."""
    asks = asking(a_plan(9, "5.00"))
    statements = [replace(asking(a_plan(number, f"{number}00.00")), asks=False) for number in (1, 2, 3)]
    assert asks.asks
    assert refused([*statements, asks], a_budget(usual="1", factor="1"), 40, 0) == {}
    assert set(refused([*statements, asks], a_budget(2, usual="1", factor="1"), 0, 0)) == {0, 1}
    tripped = refused([*statements, asks], a_budget(usual="0.5", factor="1"), 0, 0)
    assert {one.rule for one in tripped.values()} == {Rule.BREAKER}
    assert len(tripped) == 4, "the facts are in doubt: nothing goes"
