"""What others got wrong and no other test here says: docs/lessons.md has the whole list."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from arsync.domain.chase import Rule
from arsync.domain.clock import local_date
from arsync.domain.documents import Contact, ContactRole
from arsync.domain.policy import Repeat
from arsync.domain.states import MessageState
from arsync.playbook.facts import recipients
from arsync.playbook.plan import plan
from arsync.testing.builders import (
    ADA,
    EVERY_DAY,
    a_playbook,
    a_step,
    acts,
    after,
    an_item,
    day,
    keep_diary,
    some_facts,
    verdict_of,
)


def test_however_often_a_day_is_planned_one_message_comes_of_it() -> None:
    """Failure 2: a schedule every quarter of an hour is no reason for 96 letters."""
    facts = some_facts(an_item())
    sent = 0
    for _quarter_of_an_hour in range(96):
        planned = plan(facts, a_playbook(), EVERY_DAY, day("07-03"))
        sent += planned.intent is not None
        facts = after(facts, planned, day("07-03"))
    assert sent == 1


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "UTC", "Pacific/Honolulu"])
def test_a_step_comes_on_its_day_wherever_midnight_falls(zone: str) -> None:
    """Failure 3: a run every hour over the days around it; by the company's clock it is neither early nor left out."""
    playbook = a_playbook(a_step("friendly", 4))
    facts, seen = some_facts(an_item()), []
    for hour in range(24 * 5):
        now = datetime(2026, 7, 2 + hour // 24, hour % 24, 30, tzinfo=UTC)
        today = local_date(now, zone)
        planned = plan(facts, playbook, EVERY_DAY, today)
        if planned.intent is not None:
            seen.append(f"{today:%m-%d} {planned.intent.step.id} INV-1")
        facts = after(facts, planned, today)
    assert seen == ["07-04 friendly INV-1"]


def test_without_an_address_the_ladder_stands_and_begins_once_there_is_one() -> None:
    """Failure 4: 07-03 to 07-15 nobody to write to / 07-16 Ada is on file: friendly first, not firm."""
    diary = keep_diary(
        some_facts(an_item(), recipients=()), a_playbook(), "07-03", "07-25",
        events={"07-16": lambda facts: replace(facts, recipients=(ADA,))},
    )  # fmt: skip
    assert verdict_of(diary[0].plan).rule is Rule.NO_RECIPIENT
    assert acts(diary) == ["07-16 friendly INV-1", "07-21 firm INV-1"]


def test_a_step_that_is_wanted_again_is_another_intent_and_not_taken_for_the_first() -> None:
    """Failure 14: over-eager against doubles, a system swallows what was meant twice."""
    playbook = a_playbook(replace(a_step("friendly", 3), repeat=Repeat(every=7, times=2)), gap=3)
    diary = keep_diary(some_facts(an_item()), playbook, "07-01", "08-31")
    intents = [entry.plan.intent for entry in diary if entry.plan.intent]
    assert acts(diary) == ["07-03 friendly INV-1", "07-10 friendly INV-1", "07-17 friendly INV-1"]
    assert [one.occurrence for one in intents] == [1, 2, 3]


def test_a_lost_try_does_not_use_up_a_repeat() -> None:
    """Failure 14: what was superseded before it left is still to come."""
    playbook = a_playbook(replace(a_step("friendly", 3), repeat=Repeat(every=7, times=1)), gap=3)
    lost = keep_diary(some_facts(an_item()), playbook, "07-03", "07-03", outcome=MessageState.SUPERSEDED)
    facts = after(some_facts(an_item()), lost[0].plan, day("07-03"), MessageState.SUPERSEDED)
    assert acts(keep_diary(facts, playbook, "07-04", "07-31")) == ["07-04 friendly INV-1", "07-11 friendly INV-1"]


def test_whoever_is_sent_the_invoices_is_written_to_and_nobody_else() -> None:
    """Failure 24: the buyer's private secretary gets no reminder while accounts payable has an address."""
    buyer = Contact("Buyer", "buyer@park.example", None, ContactRole.OTHER)
    head = Contact("Head office", "office@park.example", None, ContactRole.PRIMARY)
    payable = Contact("Payables", "ap@park.example", None, ContactRole.BILLING)
    same = Contact("Payables again", "AP@park.example", None, ContactRole.BILLING)
    wrong = Contact("Typing error", "ap.park.example", None, ContactRole.BILLING)
    assert recipients([buyer, head, payable, same, wrong], []) == (payable,)
    assert recipients([buyer, head, wrong], []) == (head,)
    sent_to = replace(an_item("B"), email="invoices@park.example")
    assert [one.email for one in recipients([buyer], [an_item("A"), sent_to])] == ["invoices@park.example"]
    assert recipients([buyer], []) == ()


def test_in_a_language_without_texts_nothing_goes_out_in_another() -> None:
    """Failure 24: a letter in the wrong language is worse than a person's task."""
    verdict = verdict_of(plan(some_facts(an_item(), locale="fi"), a_playbook(), EVERY_DAY, day("07-03")))
    assert (verdict.rule, verdict.next_on) == (Rule.NO_TEMPLATE, None)
    assert "fi" in verdict.reason
