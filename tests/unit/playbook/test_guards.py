"""Every guard on 2026-07-14, the day of the firm step: INV-1 fell due on 06-30, friendly went out on 07-03."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from arsync.domain.calendar import Calendar
from arsync.domain.chase import ChaseFacts, PastMessage, Plan, Rule
from arsync.domain.documents import Contact, ContactRole, InvoiceState
from arsync.domain.policy import Caps, Playbook, StepChannel, StepMode, Tone
from arsync.domain.states import Decision, Health, HoldKind, MessageState
from arsync.playbook import step_guards
from arsync.playbook.plan import plan
from arsync.testing.builders import (
    EVERY_DAY,
    WORKDAYS,
    a_connection,
    a_hold,
    a_playbook,
    a_step,
    an_item,
    day,
    money,
    past,
    some_facts,
    verdict_of,
)

TODAY = day("07-14")
FRIENDLY = past("friendly", "07-03")


def firm_day(**changes: Any) -> ChaseFacts:
    items = changes.pop("items", (an_item(),))
    return some_facts(*items, **{"history": [FRIENDLY], **changes})


def planned(facts: ChaseFacts, playbook: Playbook | None = None, today: date = TODAY) -> Plan:
    return plan(facts, playbook or a_playbook(), EVERY_DAY, today)


def test_with_everything_in_order_the_firm_step_goes_out() -> None:
    found = planned(firm_day())
    verdict = verdict_of(found)
    assert (verdict.decision, verdict.rule, verdict.step_id) == (Decision.ACT, Rule.SEND, "firm")
    assert verdict.next_on == day("07-21")
    assert found.intent is not None
    for fact in ("firm", "INV-1", "100.00 EUR", "2026-06-30", "ada@park.example"):
        assert fact in verdict.reason


# Each guard alone, in the order they are asked: (what is wrong, rule, decision, next date, words of the reason)
HOLD, WAIT = Decision.HOLD, Decision.WAIT
Case = tuple[Callable[[ChaseFacts], ChaseFacts], Rule, Decision, str | None, str]


def connected(**changes: Any) -> Callable[[ChaseFacts], ChaseFacts]:
    return lambda facts: replace(facts, connection=replace(facts.connection, **changes))


def changed(**changes: Any) -> Callable[[ChaseFacts], ChaseFacts]:
    return lambda facts: replace(facts, **changes)


def the_item(**changes: Any) -> Callable[[ChaseFacts], ChaseFacts]:
    return lambda facts: replace(facts, items=(replace(facts.items[0], **changes),))


def message(state: MessageState) -> Callable[[ChaseFacts], ChaseFacts]:
    return lambda facts: replace(facts, history=(FRIENDLY, past("firm", "07-14", state=state)))


def came_back(step: str, on: str, to: str = "ada@park.example") -> PastMessage:
    return replace(past(step, on, state=MessageState.BOUNCED), to=frozenset({to}))


CASES: list[Case] = [
    (connected(stopped="too many calls"), Rule.STOPPED, HOLD, None, "too many calls"),
    (connected(health=Health.RECOVERING), Rule.CONNECTION, WAIT, "07-15", "being loaded"),
    (connected(health=Health.PARTIAL), Rule.CONNECTION, WAIT, "07-15", "did not come through"),
    (connected(health=Health.SUSPECT), Rule.CONNECTION, HOLD, None, "a person must look"),
    (connected(health=Health.REAUTHORISE), Rule.CONNECTION, HOLD, None, "must connect it again"),
    (connected(stale=True), Rule.STALE, WAIT, "07-15", "too old"),
    (
        connected(source_reminds=True),
        Rule.SOURCE_REMINDS,
        HOLD,
        None,
        "sends reminders itself; a person must turn",
    ),
    (connected(source_reminds=None), Rule.SOURCE_REMINDS, HOLD, None, "sends reminders itself is not known; a person"),
    (changed(quarantined=("payment 9: no amount",)), Rule.QUARANTINE, HOLD, None, "payment 9: no amount"),
    (
        changed(balance_mismatch="90.00 EUR there, 100.00 EUR here"),
        Rule.BALANCE_MISMATCH,
        HOLD,
        None,
        "90.00 EUR there",
    ),
    (changed(no_playbook="there is no playbook 'vip' any more"), Rule.NO_PLAYBOOK, HOLD, None, "no playbook 'vip'"),
    (changed(holds=(a_hold(until="07-20"),)), Rule.HOLD, HOLD, "07-21", "the goods came broken"),
    (the_item(state=InvoiceState.VOID), Rule.NOT_OWED, HOLD, None, "void"),
    (changed(nothing="they settle among themselves"), Rule.DO_NOTHING, HOLD, None, "nobody need act"),
    (the_item(due_on=None), Rule.NO_DUE_DATE, HOLD, None, "a person must enter one"),
    (changed(autopay=frozenset({"INV-1"})), Rule.AUTOPAY, HOLD, None, "collected by itself"),
    (changed(history=(FRIENDLY, past("firm", "07-13"))), Rule.NOT_DUE, WAIT, "07-21", "call comes 21 days after INV-1"),
    (the_item(balance=money("9.99")), Rule.BELOW_MINIMUM, HOLD, None, "9.99 EUR is under the minimum of 10.00 EUR"),
    (changed(unapplied=money("100.00")), Rule.COVERED, HOLD, None, "a person must allocate it"),
    (connected(banked_through=day("07-10")), Rule.NOT_BANKED, HOLD, "07-15", "only through 2026-07-10"),
    (message(MessageState.PLANNED), Rule.LIVE_MESSAGE, HOLD, None, "waits for a person"),
    (message(MessageState.APPROVED), Rule.LIVE_MESSAGE, WAIT, "07-15", "on its way"),
    (message(MessageState.CLAIMED), Rule.LIVE_MESSAGE, WAIT, "07-15", "on its way"),
    (message(MessageState.SENDING), Rule.LIVE_MESSAGE, WAIT, "07-15", "on its way"),
    (message(MessageState.FAILED), Rule.FAILED_MESSAGE, HOLD, None, "refused by the channel"),
    (message(MessageState.UNKNOWN), Rule.UNKNOWN_MESSAGE, HOLD, "07-17", "nobody knows whether firm of 2026-07-14"),
    (changed(history=(past("friendly", "07-11"),)), Rule.GAP, WAIT, "07-16", "friendly went out on 2026-07-11"),
    (changed(elsewhere=(day("07-09"), day("07-10"))), Rule.PAYER_CAP, WAIT, "07-16", "has had 2 messages in 7 days"),
    (changed(recipients=()), Rule.NO_RECIPIENT, HOLD, None, "no usable e-mail address"),
    (
        changed(history=(FRIENDLY, *(came_back("firm", on) for on in ("07-04", "07-09")))),
        Rule.UNDELIVERED,
        HOLD,
        None,
        "came back 2 times from ada@park.example, last that of 2026-07-09",
    ),
    (changed(locale="fi"), Rule.NO_TEMPLATE, HOLD, None, "no templates in 'fi'"),
    (connected(pay_currencies=frozenset({"USD"})), Rule.NO_PAY_DETAILS, HOLD, None, "no bank details for EUR"),
]
MINIMUM = replace(a_playbook(minimum={"EUR": "10.00"}), caps=Caps(week=2))


@pytest.mark.parametrize("case", CASES, ids=[f"{case[1].value}-{number}" for number, case in enumerate(CASES)])
def test_each_guard_alone_stops_the_message_and_says_why_and_until_when(case: Case) -> None:
    """Failure 21: "why was nothing sent?" has an answer."""
    wrong, rule, decision, next_on, words = case
    found = plan(wrong(firm_day()), MINIMUM, EVERY_DAY, TODAY)
    verdict = verdict_of(found)
    assert found.intent is None
    assert (verdict.rule, verdict.decision) == (rule, decision)
    assert verdict.next_on == (day(next_on) if next_on else None)
    assert words in verdict.reason


def test_the_guard_asked_first_wins() -> None:
    """Of any two things wrong at once the one earlier in `Rule` answers."""
    order = list(Rule)
    independent = [case for case in CASES if case[1] not in (Rule.NOT_DUE, Rule.GAP, Rule.BELOW_MINIMUM)]
    for first in independent:
        for second in independent:
            if order.index(first[1]) >= order.index(second[1]):
                continue
            both = first[0](second[0](firm_day()))
            assert verdict_of(plan(both, MINIMUM, EVERY_DAY, TODAY)).rule is first[1], (first[1], second[1])


def test_every_guard_of_the_rules_has_a_test_here() -> None:
    elsewhere = {
        *(Rule.MILDER_FIRST, Rule.LADDER_DONE, Rule.LISTED, Rule.TASK, Rule.CALENDAR),  # test_ladder.py
        *(Rule.CAP, Rule.BREAKER),  # test_admit.py
        Rule.NOT_LIVE,  # test_going_live.py
        Rule.REJECTED,  # tests/integration/playbook/test_approval.py
        Rule.UNPLANNABLE,  # tests/acceptance/test_second_thoughts.py
        *(Rule.SEND, Rule.APPROVE),  # below
    }
    assert {case[1] for case in CASES} | elsewhere == set(Rule)


# --- one invoice of several ------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [InvoiceState.DRAFT, InvoiceState.PAID, InvoiceState.VOID, InvoiceState.DELETED])
def test_what_is_not_owed_is_never_demanded_and_the_rest_is(state: InvoiceState) -> None:
    """Failures 11, 20: written off or voided in the source, and still chased."""
    facts = firm_day(items=(an_item("A", "06-01", state=state), an_item("INV-1")))
    found = planned(facts)
    assert verdict_of(found, "A").rule is Rule.NOT_OWED
    assert found.intent is not None
    assert [item.number for item in found.intent.demanded] == ["INV-1"]


def test_an_open_invoice_with_nothing_left_on_it_is_not_owed() -> None:
    assert verdict_of(planned(firm_day(items=(an_item(balance="0.00", total="50.00"),)))).rule is Rule.NOT_OWED


def test_an_invoice_without_a_due_date_waits_for_a_person_and_the_rest_is_chased() -> None:
    """Failure 6: neither at once nor never without a word."""
    found = planned(firm_day(items=(an_item("A", None), an_item("INV-1"))))
    assert verdict_of(found, "A").rule is Rule.NO_DUE_DATE
    assert found.intent is not None
    assert [item.number for item in found.intent.demanded] == ["INV-1"]


def test_a_hold_on_the_payer_stops_every_invoice_and_one_on_an_invoice_only_that_one() -> None:
    items = (an_item("INV-1"), an_item("B"))
    assert planned(firm_day(items=items, holds=[a_hold()])).intent is None
    assert planned(firm_day(items=items, holds=[a_hold(connection_wide=True)])).intent is None
    only = planned(firm_day(items=items, holds=[a_hold(invoice="B")])).intent
    assert only is not None
    assert [item.number for item in only.demanded] == ["INV-1"]


def test_of_several_holds_the_one_that_lasts_longest_answers() -> None:
    holds = [a_hold(HoldKind.PROMISE, until="07-20"), a_hold(HoldKind.LEGAL), a_hold(HoldKind.PAUSE, until="08-30")]
    verdict = verdict_of(planned(firm_day(holds=holds)))
    assert verdict.next_on is None
    assert verdict.reason.startswith("legal on the payer")


def test_a_hold_counts_from_its_first_day_through_its_last() -> None:
    facts = firm_day(holds=[a_hold(begins="07-14", until="07-16")])
    rules = [verdict_of(planned(facts, today=day(on))).rule for on in ("07-13", "07-14", "07-16", "07-17")]
    assert rules == [Rule.NOT_DUE, Rule.HOLD, Rule.HOLD, Rule.SEND]


# --- money -----------------------------------------------------------------------------------------------


def test_credit_that_covers_part_is_named_and_lowers_what_counts_for_the_minimum() -> None:
    """Failure 11: 100.00 overdue, 95.00 unapplied: 5.00 net is under the minimum of 10.00; with 80.00 it is chased."""
    under = planned(firm_day(unapplied="95.00"), MINIMUM)
    assert verdict_of(under).rule is Rule.BELOW_MINIMUM
    assert "100.00 EUR less 95.00 EUR" in verdict_of(under).reason
    chased = planned(firm_day(unapplied="80.00"), MINIMUM)
    assert chased.intent is not None
    assert str(chased.intent.unapplied) == "80.00 EUR"


def test_credit_that_covers_what_the_step_demands_stops_it_even_if_more_is_overdue() -> None:
    """A (100.00) is demanded, B (500.00) only listed: 100.00 on no invoice may well be A's payment."""
    facts = firm_day(items=(an_item("INV-1"), an_item("B", "07-13", "500.00")), unapplied="100.00")
    assert verdict_of(planned(facts)).rule is Rule.COVERED


def test_below_the_minimum_is_looked_at_again_when_more_falls_due() -> None:
    facts = firm_day(items=(an_item(balance="5.00"), an_item("B", "07-20")))
    verdict = verdict_of(planned(facts, MINIMUM))
    assert (verdict.rule, verdict.decision, verdict.next_on) == (Rule.BELOW_MINIMUM, WAIT, day("07-21"))


def test_a_currency_without_a_minimum_is_chased_for_anything_above_zero() -> None:
    facts = firm_day(items=(an_item(balance="0.01"),))
    assert planned(facts, a_playbook(minimum={"GBP": "10.00"})).intent is not None


def test_a_covered_ladder_that_has_ended_still_asks_for_the_allocation() -> None:
    history = [past(step, on) for step, on in (("friendly", "05-03"), ("firm", "05-14"), ("final", "05-30"))]
    verdict = verdict_of(planned(firm_day(items=(an_item(due="04-30"),), history=history, unapplied="100.00")))
    assert verdict.rule is Rule.COVERED


def test_the_bank_feed_up_to_the_last_business_day_is_enough_and_friendly_needs_none() -> None:
    """Failure 1: 07-13 is a Monday; banked through Friday 07-10 is up to date, through Thursday is not."""
    friendly = replace(firm_day(connection=a_connection(banked_through="06-01")), history=())
    assert plan(friendly, a_playbook(), WORKDAYS, day("07-13")).intent is not None
    for banked, goes in (("07-10", True), ("07-09", False)):
        facts = firm_day(items=(an_item(due="06-29"),), connection=a_connection(banked_through=banked))
        assert (plan(facts, a_playbook(), WORKDAYS, day("07-13")).intent is not None) is goes


# --- who lets it go out ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tone", "step_mode", "connection_mode", "replies_read", "expected"),
    [
        (Tone.FRIENDLY, None, StepMode.AUTO, False, Rule.SEND),
        (Tone.FRIENDLY, None, StepMode.APPROVE, True, Rule.APPROVE),
        (Tone.FRIENDLY, StepMode.AUTO, StepMode.APPROVE, False, Rule.SEND),
        (Tone.FIRM, None, StepMode.AUTO, True, Rule.SEND),
        (Tone.FIRM, None, StepMode.AUTO, False, Rule.APPROVE),
        (Tone.FIRM, StepMode.AUTO, StepMode.AUTO, False, Rule.APPROVE),
        (Tone.FIRM, StepMode.APPROVE, StepMode.AUTO, True, Rule.APPROVE),
        (Tone.FIRM, StepMode.TASK, StepMode.AUTO, False, Rule.TASK),
    ],
)
def test_until_replies_are_read_nothing_firm_goes_out_by_itself(
    tone: Tone, step_mode: StepMode | None, connection_mode: StepMode, replies_read: bool, expected: Rule
) -> None:
    """Failure 23."""
    playbook = a_playbook(a_step("only", 14, tone, mode=step_mode))
    connection = a_connection(mode=connection_mode, replies_read=replies_read)
    verdict = verdict_of(planned(firm_day(history=[], connection=connection), playbook))
    assert (verdict.decision, verdict.rule) == (Decision.ACT, expected)
    assert (verdict.next_on is None) == (expected is not Rule.SEND)


def test_a_call_needs_no_address() -> None:
    playbook = a_playbook(a_step("ring", 14, Tone.FIRM, channel=StepChannel.CALL))
    silent = Contact("Bo", None, None, ContactRole.PRIMARY)
    found = planned(firm_day(history=[], recipients=[silent]), playbook)
    assert found.intent is not None
    assert found.intent.mode is StepMode.TASK
    assert planned(firm_day(recipients=[silent])).intent is None


def test_a_reason_does_not_change_from_night_to_night_while_nothing_happens() -> None:
    """A verdict's row is written only when it changes."""
    facts = some_facts(
        an_item("A", "06-30"), an_item("B", "08-30"), an_item("C", None), history=[past("firm", "07-14", "A")]
    )
    weeks = [plan(facts, a_playbook(), EVERY_DAY, day(on)).verdicts for on in ("07-15", "07-16", "07-20")]
    assert weeks[0] == weeks[1] == weeks[2]


def test_a_refused_message_about_what_has_been_paid_since_stops_nothing() -> None:
    paid = an_item("PAID", "06-20", "0.00", state=InvoiceState.PAID)
    history = [past("friendly", "07-03", "PAID", state=MessageState.FAILED)]
    assert planned(firm_day(items=(paid, an_item()), history=history)).intent is not None


def test_a_closed_day_says_when_it_goes_on() -> None:
    """07-14 is a holiday, and the day of firm: it comes on 07-15. Where its day had come before, it waits for it."""
    calendar = Calendar(frozenset(range(5)), frozenset({TODAY}))
    verdict = verdict_of(plan(firm_day(), a_playbook(), calendar, TODAY))
    assert (verdict.rule, verdict.next_on) == (Rule.NOT_DUE, day("07-15"))
    assert "on 2026-07-15, the next business day" in verdict.reason
    late = verdict_of(plan(firm_day(items=(an_item(due="06-29"),)), a_playbook(), calendar, TODAY))
    assert (late.rule, late.next_on) == (Rule.CALENDAR, day("07-15"))


# --- whom a step reaches --------------------------------------------------------------------------------------


JANE = Contact("Jane", "jane@harbour.example", None, ContactRole.BILLING)
CHIEF = Contact("Olu", "olu@harbour.example", None, ContactRole.OTHER)


def test_a_step_goes_to_the_first_kind_of_people_that_has_an_address() -> None:
    facts = replace(firm_day(), recipients=(JANE,), people=(JANE, CHIEF))
    step = replace(a_step("friendly", 3), to=(ContactRole.PRIMARY, ContactRole.OTHER))
    assert step_guards.written_to(step, facts) == (CHIEF,)
    assert step_guards.written_to(replace(step, to=(ContactRole.PRIMARY,)), facts) == (JANE,)
    assert step_guards.written_to(step, replace(facts, recipients=())) == (CHIEF,)


BOSS = Contact("Ida", "ida@harbour.example", None, ContactRole.ESCALATION)
BOOKS = Contact("Books", "books@harbour.example", None, ContactRole.CC)


def test_a_copy_goes_to_those_of_the_role_cc_and_those_the_step_names_and_to_nobody_twice() -> None:
    facts = replace(firm_day(), recipients=(JANE,), people=(JANE, BOSS, BOOKS, CHIEF))
    step = replace(a_step("firm", 14), to=(ContactRole.ESCALATION,), cc=(ContactRole.BILLING,))
    assert step_guards.written_to(step, facts) == (BOSS,)
    assert step_guards.copied_to(step, facts, (BOSS,)) == (JANE, BOOKS)
    only = replace(JANE, role=ContactRole.PRIMARY)
    assert step_guards.copied_to(step, replace(facts, recipients=(only,), people=(BOSS, only)), (BOSS,)) == (only,)
    same = replace(BOOKS, email="IDA@harbour.example")
    assert step_guards.copied_to(step, replace(facts, people=(BOSS, same)), (BOSS,)) == (JANE,)


def test_an_address_that_nobody_writes_to_gets_no_copy_and_the_verdict_says_so() -> None:
    gone = ((ContactRole.CC, "old@harbour.example (bounce of 2026-07-01)"), (ContactRole.OTHER, "x@y.example (..)"))
    answer = planned(replace(firm_day(), people=(BOOKS,), shunned=gone))
    assert answer.intent is not None
    assert answer.intent.copies == (BOOKS,)
    said = verdict_of(answer).reason
    assert "a copy to books@harbour.example; no copy to old@harbour.example (bounce of 2026-07-01)" in said
    assert "x@y.example" not in said


@pytest.mark.parametrize(
    ("instead", "address", "way"),
    [
        (StepChannel.CALL, None, StepChannel.CALL),
        (StepChannel.LETTER, "1 High Street", StepChannel.LETTER),
        (StepChannel.LETTER, None, StepChannel.TASK),
        (None, None, StepChannel.EMAIL),
    ],
)
def test_an_e_mail_that_would_reach_nobody_takes_the_steps_next_way(
    instead: StepChannel | None, address: Any, way: StepChannel
) -> None:
    """Where it has none it is held, and listed for a person."""
    facts = replace(firm_day(), recipients=(), address=address)
    step = replace(a_step("friendly", 3), instead=instead)
    assert step_guards.reached(step, facts).way is way
    assert step_guards.reached(step, replace(facts, recipients=(JANE,))).way is StepChannel.EMAIL
    scripted = replace(step, instead_template="script")
    assert step_guards.reached(scripted, facts).template == (step.template if instead is None else "script")
    assert step_guards.reached(scripted, replace(facts, recipients=(JANE,))).template == step.template
