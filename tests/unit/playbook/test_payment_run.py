"""A step before the payer's payment run: when the money is being laid out is when a reminder helps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arsync.domain.chase import ChaseFacts, Rule
from arsync.domain.payday import MONTH_END, PayDay, Rhythm
from arsync.domain.policy import Playbook
from arsync.playbook.plan import plan
from arsync.testing.builders import WORKDAYS, a_playbook, a_step, acts, an_item, day, keep_diary, past, some_facts

FRIDAYS = PayDay(Rhythm.WEEKLY, 4)
MIDDLE = PayDay(Rhythm.MONTHLY, 15)


def playbook(count: int = 2, *, gap: int = 5) -> Playbook:
    return a_playbook(replace(a_step("friendly", 3), before_payment_run=count), a_step("firm", 14), gap=gap)


def owing(payment_day: PayDay | None, due: str = "06-30") -> ChaseFacts:
    return replace(some_facts(an_item(due=due)), payment_day=payment_day)


@pytest.mark.parametrize(
    ("payment_day", "due", "goes"),
    [
        (FRIDAYS, "06-30", "07-08"),  # Friday 3 July's two days before are past: Wednesday before the 10th
        (FRIDAYS, "06-26", "07-01"),  # due to go on Monday 29th (a Monday after 3 days): Wednesday before 3 July
        (MIDDLE, "07-09", "07-13"),  # the 12th is a Sunday: Monday, two business days before Wednesday the 15th
        (MIDDLE, "06-30", "07-13"),
        (PayDay(Rhythm.MONTHLY, MONTH_END), "06-30", "07-03"),  # four weeks are too long: on its own day
        (None, "06-30", "07-03"),
    ],
)
def test_it_goes_two_business_days_before_the_run(payment_day: PayDay | None, due: str, goes: str) -> None:
    diary = keep_diary(owing(payment_day, due), playbook(), due, "07-31", calendar=WORKDAYS)
    assert acts(diary)[0] == f"{goes} friendly INV-1"


def test_the_verdict_names_the_run_and_the_day_until_it_comes() -> None:
    facts = owing(MIDDLE)
    (verdict,) = plan(facts, playbook(), WORKDAYS, day("07-03")).verdicts
    assert (verdict.rule, verdict.next_on) == (Rule.CALENDAR, day("07-13"))
    assert verdict.reason == (
        "friendly waits for 2026-07-13, 2 business days before the payment run of 2026-07-15: "
        "payments come about day 15 of the month"
    )
    for on in ("07-04", "07-06", "07-12"):
        assert plan(facts, playbook(), WORKDAYS, day(on)).verdicts == (verdict,)
    (then,) = plan(facts, playbook(), WORKDAYS, day("07-13")).verdicts
    assert then.rule is Rule.SEND


def test_after_an_outage_over_the_day_it_goes_at_once() -> None:
    """07-13 was the day, and nobody ran: it does not wait for the next run as well."""
    (verdict,) = plan(owing(MIDDLE), playbook(), WORKDAYS, day("07-14")).verdicts
    assert verdict.rule is Rule.SEND


def test_the_gap_still_holds() -> None:
    """
    07-03 courtesy; 07-09 friendly's own day; 07-13 is before the run
    07-15 the gap is over
    """
    steps = (a_step("courtesy", -3), replace(a_step("friendly", 3), before_payment_run=2))
    facts = replace(owing(MIDDLE, "07-06"), history=(past("courtesy", "07-03"),))
    diary = keep_diary(facts, a_playbook(*steps, gap=12), "07-04", "07-31", calendar=WORKDAYS)
    assert acts(diary) == ["07-15 friendly INV-1"]
