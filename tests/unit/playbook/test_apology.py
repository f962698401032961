"""An apology for what was asked for though it had been paid: before all else, once, where the playbook says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arsync.domain.chase import ChaseFacts, Resend, Rule
from arsync.domain.documents import InvoiceState
from arsync.domain.policy import ACCOUNT, APOLOGY, Act, Playbook, Step, StepChannel, StepMode, Tone
from arsync.domain.states import Decision, HoldKind, MessageState
from arsync.playbook.plan import plan
from arsync.testing.builders import (
    STANDARD_STEPS,
    WORKDAYS,
    a_hold,
    a_playbook,
    acts,
    an_item,
    day,
    keep_diary,
    past,
    some_facts,
    verdict_of,
)

SORRY = Step(APOLOGY, 0, StepChannel.EMAIL, Tone.FRIENDLY, "apology", None)
THANKS = Step("thanks", 0, StepChannel.EMAIL, Tone.COURTESY, "thanks", None, act=Act.THANK_YOU)


def sorry(step: Step = SORRY) -> Playbook:
    return replace(a_playbook(*STANDARD_STEPS, THANKS), apology=step)


def wrongly_asked() -> ChaseFacts:
    """07-03 friendly asked for A, for which the money had come on 07-01; B is 13 days late by 07-14."""
    paid = replace(
        an_item("A", due="06-30", balance="0.00", total="90.00", state=InvoiceState.PAID), paid_on=day("07-01")
    )
    facts = some_facts(an_item("B", due="06-30"), paid, history=[past("friendly", "07-03", "A", "B")])
    return replace(facts, wrongly=frozenset({"A"}))


def test_it_goes_within_the_gap_before_the_ladder_and_once() -> None:
    entries = keep_diary(wrongly_asked(), sorry(), "07-06", "07-20", calendar=WORKDAYS)
    assert acts(entries) == [f"07-06 {APOLOGY} A", "07-14 firm B"]


def test_what_would_go_that_day_waits_for_the_gap() -> None:
    answer = plan(wrongly_asked(), sorry(), WORKDAYS, day("07-14"))
    assert answer.intent is not None
    assert answer.intent.step.id == APOLOGY
    assert not answer.intent.at_stake
    waits = verdict_of(answer, "B")
    assert (waits.rule, waits.next_on) == (Rule.GAP, day("07-20"))


def test_a_playbook_that_does_not_say_so_leaves_it_to_a_person() -> None:
    assert acts(keep_diary(wrongly_asked(), a_playbook(), "07-06", "07-20", calendar=WORKDAYS)) == ["07-14 firm B"]


@pytest.mark.parametrize("outcome", [MessageState.UNKNOWN, MessageState.FAILED, MessageState.DELIVERED])
def test_one_that_may_have_gone_is_not_said_twice(outcome: MessageState) -> None:
    entries = keep_diary(wrongly_asked(), sorry(), "07-06", "07-13", calendar=WORKDAYS, outcome=outcome)
    assert acts(entries) == [f"07-06 {APOLOGY} A"]


def test_nobody_is_thanked_for_that_of_which_we_are_sorry() -> None:
    """Once all is paid: the apology, and no thanks for the same."""
    clear = replace(wrongly_asked(), items=wrongly_asked().items[1:])
    assert acts(keep_diary(clear, sorry(), "07-06", "07-13", calendar=WORKDAYS)) == [f"07-06 {APOLOGY} A"]


def test_its_mode_is_its_own() -> None:
    answer = plan(wrongly_asked(), sorry(replace(SORRY, mode=StepMode.APPROVE)), WORKDAYS, day("07-06"))
    assert verdict_of(answer, "A").rule is Rule.APPROVE


def test_a_hold_on_the_paid_invoice_leaves_its_apology_to_a_person_and_starves_nobody() -> None:
    """A is paid and on hold (its customer said so); B is 14 days late."""
    facts = replace(wrongly_asked(), holds=(a_hold(invoice="A"),))
    assert acts(keep_diary(facts, sorry(), "07-06", "07-14", calendar=WORKDAYS)) == ["07-14 firm B"]


@pytest.mark.parametrize("kind", [HoldKind.EXCLUDE, HoldKind.PAUSE])
def test_nobody_who_is_not_to_be_written_to_gets_an_apology(kind: HoldKind) -> None:
    facts = replace(wrongly_asked(), holds=(a_hold(kind),))
    assert plan(facts, sorry(), WORKDAYS, day("07-06")).intent is None


def test_beside_a_statement_that_a_person_wants_it_waits_and_says_so() -> None:
    facts = replace(wrongly_asked(), resend=Resend(ACCOUNT, 1, frozenset()))
    answer = plan(facts, sorry(), WORKDAYS, day("07-06"))
    assert answer.intent is not None
    assert answer.intent.step.id == ACCOUNT
    said = verdict_of(answer, "A")
    assert (said.decision, said.rule, said.step_id) == (Decision.WAIT, Rule.GAP, APOLOGY)
    assert "a statement of account goes first" in said.reason
