"""Statements of account beside the ladder, as a calendar of what goes out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arsync.domain.calendar import Calendar
from arsync.domain.chase import Resend, Rule
from arsync.domain.policy import ACCOUNT, APOLOGY, ON_REQUEST, Backlog, Playbook, Statements, StepMode
from arsync.domain.states import Decision, HoldKind, MessageState
from arsync.playbook.account import month_day
from arsync.playbook.plan import plan
from arsync.testing.builders import (
    WORKDAYS,
    a_hold,
    a_playbook,
    acts,
    an_item,
    day,
    keep_diary,
    past,
    pays,
    some_facts,
    verdict_of,
)


def monthly(business_day: int = 2) -> Playbook:
    return replace(a_playbook(), statements=Statements(ON_REQUEST, business_day))


@pytest.mark.parametrize(
    ("month", "count", "on"),
    [("06-15", 1, "06-01"), ("08-15", 1, "08-03"), ("08-15", 2, "08-04"), ("02-10", 20, "02-27")],
)
def test_the_nth_business_day_of_a_month_is_counted_on_the_payers_calendar(month: str, count: int, on: str) -> None:
    """08-01 and 08-02 are a weekend; February 2026 has 20 workdays."""
    assert month_day(WORKDAYS, day(month), count) == day(on)


def test_a_month_with_fewer_business_days_has_it_on_the_last() -> None:
    only = Calendar(frozenset({0}), frozenset())
    assert month_day(only, day("06-10"), 20) == day("06-29")


def test_it_goes_once_a_month_while_anything_is_open_and_never_when_nothing_is() -> None:
    entries = keep_diary(
        some_facts(an_item("A", due="12-20")), monthly(), "06-01", "09-30", calendar=WORKDAYS,
        events={"08-10": pays("A")},
    )  # fmt: skip
    assert acts(entries) == [f"06-02 {ACCOUNT} A", f"07-02 {ACCOUNT} A", f"08-04 {ACCOUNT} A"]


def test_the_ladder_goes_first_and_both_keep_the_gap() -> None:
    """07-02 the statement, and friendly (07-03) waits for the gap; where friendly goes first the statement does."""
    entries = keep_diary(some_facts(an_item("A", due="06-30")), monthly(), "07-01", "07-20", calendar=WORKDAYS)
    assert acts(entries) == [f"07-02 {ACCOUNT} A", "07-07 friendly A", "07-14 firm A"]
    first = keep_diary(some_facts(an_item("A", due="06-29")), monthly(), "07-02", "07-10", calendar=WORKDAYS)
    assert acts(first) == ["07-02 friendly A", f"07-07 {ACCOUNT} A"]


def test_after_an_outage_it_comes_some_days_late_or_not_at_all() -> None:
    june = {day(f"06-{number:02}") for number in range(1, 10)}
    late = keep_diary(
        some_facts(an_item("A", due="12-20")), monthly(), "06-01", "06-30", calendar=WORKDAYS, outage=june
    )
    assert acts(late) == [f"06-10 {ACCOUNT} A"]
    long = june | {day(f"06-{number}") for number in range(10, 13)}
    assert acts(keep_diary(some_facts(an_item("A", due="12-20")), monthly(), "06-01", "06-30", calendar=WORKDAYS,
                           outage=long)) == []  # fmt: skip


def test_who_began_to_owe_after_the_day_gets_the_next() -> None:
    entries = keep_diary(
        some_facts(an_item("A", due="12-20"), opened="06-03"), monthly(), "06-03", "07-03", calendar=WORKDAYS
    )
    assert acts(entries) == [f"07-02 {ACCOUNT} A"]


def test_one_that_may_have_gone_is_not_sent_again_and_what_is_held_is_left_out() -> None:
    facts = some_facts(an_item("A", due="12-20"), an_item("B", due="12-21"), holds=[a_hold(invoice="B")])
    entries = keep_diary(facts, monthly(), "06-01", "06-12", calendar=WORKDAYS, outcome=MessageState.UNKNOWN)
    assert acts(entries) == [f"06-02 {ACCOUNT} A"]
    paused = replace(facts, holds=(a_hold(HoldKind.PAUSE),))
    assert acts(keep_diary(paused, monthly(), "06-01", "06-12", calendar=WORKDAYS)) == []


def test_with_no_address_it_is_no_silence() -> None:
    answer = plan(some_facts(an_item("A", due="12-20"), recipients=()), monthly(), WORKDAYS, day("06-02"))
    verdict = verdict_of(answer, "A")
    assert (verdict.decision, verdict.rule) == (Decision.HOLD, Rule.NO_RECIPIENT)


def test_every_wait_is_looked_at_again_on_the_day_of_the_statement() -> None:
    facts = some_facts(an_item("A", due="12-20"))
    for on in ("05-28", "06-10"):
        verdict = verdict_of(plan(facts, monthly(), WORKDAYS, day(on)), "A")
        assert verdict.next_on in (day("06-02"), day("06-11"))


def test_a_persons_own_goes_before_the_ladder_and_whatever_the_gap() -> None:
    facts = replace(
        some_facts(an_item("A", due="06-30"), an_item("B", due="09-30")), resend=Resend(ACCOUNT, 1, frozenset())
    )
    answer = plan(facts, a_playbook(), WORKDAYS, day("07-03"))
    assert answer.intent is not None
    assert (answer.intent.step, answer.intent.mode) == (ON_REQUEST, StepMode.AUTO)
    assert [item.number for item in answer.intent.demanded] == ["A", "B"]
    assert "as a person wants it" in verdict_of(answer, "B").reason


@pytest.mark.parametrize("step", [ACCOUNT, APOLOGY])
def test_what_asked_for_nothing_wakes_no_backlog_that_is_skipped(step: str) -> None:
    """06-01 the chase opens, five months late / 06-10 a statement of account, or an apology: no ladder follows."""
    skipping = replace(a_playbook(), backlog=Backlog.SKIP)
    facts = some_facts(an_item("A", due="01-15"), opened="06-01", history=[past(step, "06-10", "A")])
    assert acts(keep_diary(facts, skipping, "06-11", "07-31", calendar=WORKDAYS)) == []


def test_a_skipped_backlog_gets_its_months_statements_and_no_step() -> None:
    skipping = replace(monthly(), backlog=Backlog.SKIP)
    entries = keep_diary(
        some_facts(an_item("A", due="01-15"), opened="06-01"), skipping, "06-01", "07-31", calendar=WORKDAYS
    )
    assert acts(entries) == [f"06-02 {ACCOUNT} A", f"07-02 {ACCOUNT} A"]


def test_one_that_waits_over_the_end_of_the_month_is_late_and_not_lost() -> None:
    """06-26 is the 20th business day / an outage until 07-01 / July's is of 07-28: each month has one."""
    out = {day(f"06-{number}") for number in range(26, 31)}
    facts = some_facts(an_item("A", due="12-20"))
    entries = keep_diary(facts, monthly(20), "06-20", "07-31", calendar=WORKDAYS, outage=out)
    assert acts(entries) == [f"07-01 {ACCOUNT} A", f"07-28 {ACCOUNT} A"]
    sent = [entry.plan.intent.occurrence for entry in entries if entry.plan.intent]
    assert sent == [202606, 202607]
    long = out | {day(f"07-{number:02}") for number in range(1, 8)}
    late = keep_diary(facts, monthly(20), "06-20", "07-20", calendar=WORKDAYS, outage=long)
    assert acts(late) == [], "more than 10 days"


def test_one_that_waits_for_the_gap_over_the_end_of_the_month_still_goes() -> None:
    """06-25 friendly, and seven days lie between two messages."""
    slow = replace(monthly(20), gap=7)
    facts = some_facts(an_item("A", due="06-22"), history=[past("friendly", "06-25", "A")])
    assert acts(keep_diary(facts, slow, "06-26", "07-03", calendar=WORKDAYS)) == [f"07-02 {ACCOUNT} A"]
