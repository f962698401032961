"""The ladder as a calendar: what goes out on which day, with everything else in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from arsync.domain.calendar import Calendar
from arsync.domain.chase import Rule
from arsync.domain.policy import Backlog, Reanchor, StepMode, Tone
from arsync.domain.states import HoldKind, MessageState
from arsync.playbook.plan import plan
from arsync.testing.builders import (
    ADA,
    EVERY_DAY,
    WORKDAYS,
    a_hold,
    a_playbook,
    a_step,
    acts,
    an_item,
    day,
    holds,
    keep_diary,
    lifts_all,
    past,
    pays,
    reverses,
    settles,
    some_facts,
    verdict_of,
)


def days(first: str, last: str) -> list[date]:
    start, end = day(first), day(last)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def test_the_standard_ladder_goes_out_once_per_step_and_ends() -> None:
    """06-27 courtesy / 06-30 due / 07-03 friendly / 07-14 firm / 07-21 call / 07-30 final / nothing for ever after."""
    diary = keep_diary(some_facts(an_item(due="06-30")), a_playbook(), "06-01", "12-31")
    assert acts(diary) == [
        "06-27 courtesy INV-1",
        "07-03 friendly INV-1",
        "07-14 firm INV-1",
        "07-21 call INV-1",
        "07-30 final INV-1",
    ]
    end = verdict_of(diary[-1].plan)
    assert (end.rule, end.next_on) == (Rule.LADDER_DONE, None)
    assert "a person decides" in end.reason


def test_a_60_days_late_letter_never_goes_out_60_days_early() -> None:
    """Failure 5: the sign of the offset. 06-30 due / 08-29 late / nothing on 05-01."""
    playbook = a_playbook(a_step("late", 60))
    diary = keep_diary(some_facts(an_item(due="06-30")), playbook, "04-01", "10-01")
    assert acts(diary) == ["08-29 late INV-1"]


def test_due_today_is_not_overdue() -> None:
    """Failure 7: 06-30 due: nothing overdue is demanded that day, nor before the step's own day."""
    playbook = a_playbook(a_step("next-day", 1))
    diary = keep_diary(some_facts(an_item(due="06-30")), playbook, "06-29", "07-01")
    assert [str(entry) for entry in diary] == ["06-29 nothing", "06-30 nothing", "07-01 next-day INV-1"]
    due_day = verdict_of(diary[1].plan)
    assert (due_day.rule, due_day.next_on) == (Rule.NOT_DUE, day("07-01"))


def test_the_gap_beats_the_offsets() -> None:
    """Offsets 0, 4, 8 with a gap of 5 give days 0, 5, 10."""
    playbook = a_playbook(a_step("zero", 0), a_step("four", 4), a_step("eight", 8), gap=5)
    diary = keep_diary(some_facts(an_item(due="07-01")), playbook, "06-20", "08-01")
    assert acts(diary) == ["07-01 zero INV-1", "07-06 four INV-1", "07-11 eight INV-1"]
    fourth = verdict_of(diary[(day("07-05") - day("06-20")).days].plan)
    assert (fourth.rule, fourth.next_on) == (Rule.GAP, day("07-06"))
    before = verdict_of(diary[(day("07-03") - day("06-20")).days].plan)
    assert (before.rule, before.next_on) == (Rule.NOT_DUE, day("07-05")), "then the gap is what it waits for"


def test_a_missed_day_is_caught_up_on_the_next_run() -> None:
    """Failure 3: 07-03 the worker is down / 07-05 friendly, not never."""
    diary = keep_diary(some_facts(an_item()), a_playbook(), "07-01", "07-10", outage=days("07-02", "07-04"))
    assert acts(diary) == ["07-05 friendly INV-1"]


def test_after_a_long_outage_one_step_goes_out_not_all_of_them() -> None:
    """07-03 friendly / 07-05..08-20 down / 08-21 firm / then the gap between each."""
    facts = some_facts(an_item())
    diary = keep_diary(facts, a_playbook(), "07-01", "09-10", outage=days("07-05", "08-20"))
    assert acts(diary) == ["07-03 friendly INV-1", "08-21 firm INV-1", "08-26 call INV-1", "08-31 final INV-1"]


def test_an_outage_from_the_beginning_does_not_make_backlog() -> None:
    """The chase was there in time: 06-30 due / down until 08-20 / 08-21 friendly first."""
    diary = keep_diary(some_facts(an_item()), a_playbook(), "08-21", "08-21")
    assert acts(diary) == ["08-21 friendly INV-1"]


def test_weekends_and_holidays_wait_for_the_next_business_day() -> None:
    """06-27 is a Saturday: courtesy on Monday 06-29 / 07-03 is a holiday, 07-04 a Saturday: friendly on 07-06."""
    calendar = Calendar(WORKDAYS.weekdays, frozenset({day("07-03")}))
    diary = keep_diary(some_facts(an_item()), a_playbook(gap=1), "06-26", "07-10", calendar=calendar)
    assert acts(diary) == ["06-29 courtesy INV-1", "07-06 friendly INV-1"]
    on_the_holiday = verdict_of(diary[7].plan)
    assert (diary[7].day, on_the_holiday.rule, on_the_holiday.next_on) == (day("07-03"), Rule.NOT_DUE, day("07-06"))


def test_three_invoices_give_one_message_a_day_not_three() -> None:
    """Failure 15: one payer, one currency, one message, at the step that the oldest has reached."""
    facts = some_facts(an_item("A", "06-28"), an_item("B", "06-29"), an_item("C", "06-30"))
    diary = keep_diary(facts, a_playbook(), "07-01", "08-15")
    assert acts(diary) == [
        "07-01 friendly A B C",
        "07-12 firm A B C",
        "07-19 call A B C",
        "07-28 final A B C",
    ]


def test_a_step_demands_only_what_has_reached_the_step_before_and_lists_the_younger() -> None:
    """07-14 firm: A (14 days late) and B (4 days) are demanded; C (1 day late) is listed; D (not due) is not named."""
    facts = some_facts(
        an_item("A", "06-30"),
        an_item("B", "07-10"),
        an_item("C", "07-13"),
        an_item("D", "07-20"),
        history=[past("friendly", "07-03", "A")],
    )
    planned = plan(facts, a_playbook(), EVERY_DAY, day("07-14"))
    assert planned.intent is not None
    assert [item.number for item in planned.intent.demanded] == ["A", "B"]
    assert [item.number for item in planned.intent.listed] == ["C"]
    assert verdict_of(planned, "C").rule is Rule.LISTED
    assert verdict_of(planned, "D").rule is Rule.NOT_DUE


def test_reminding_one_invoice_does_not_mute_the_rest() -> None:
    """Failure 12: A went through the whole ladder and waits for a person; B, which fell due later, has its own."""
    facts = some_facts(an_item("A", "06-30"), an_item("B", "08-01"))
    diary = keep_diary(facts, a_playbook(), "07-01", "10-01")
    assert acts(diary) == [
        "07-03 friendly A",
        "07-14 firm A",
        "07-21 call A",
        "07-30 final A",
        "08-04 friendly B",
        "08-15 firm B",
        "08-22 call B",
        "08-31 final B",
    ]
    assert verdict_of(diary[-1].plan, "A").rule is Rule.LADDER_DONE


def test_a_disputed_invoice_stops_alone_and_goes_on_where_it_stood() -> None:
    """Failures 12, 16: 07-03 friendly A B / 07-05 A disputed / 07-14 firm B / 07-16 settled / 07-19 A's own firm."""
    facts = some_facts(an_item("A", "06-30"), an_item("B", "06-30", "50.00"))
    diary = keep_diary(
        facts,
        a_playbook(),
        "07-01",
        "07-20",
        events={"07-05": holds(a_hold(invoice="A")), "07-16": lifts_all()},
    )
    assert acts(diary) == ["07-03 friendly A B", "07-14 firm B", "07-19 firm A"]
    second_firm = next(entry for entry in diary if entry.day == day("07-19")).plan.intent
    assert second_firm is not None
    assert second_firm.occurrence == 2
    assert [item.number for item in second_firm.listed] == ["B"]


def test_an_open_promise_pauses_the_chase_and_its_end_resumes_it() -> None:
    """Failure 16: 07-03 friendly / 07-10 promise for 07-20 / 07-14 nothing / 07-21 firm."""
    promise = a_hold(HoldKind.PROMISE, begins="07-10", until="07-20")
    diary = keep_diary(some_facts(an_item()), a_playbook(), "07-01", "07-22", events={"07-10": holds(promise)})
    assert acts(diary) == ["07-03 friendly INV-1", "07-21 firm INV-1"]
    held = verdict_of(diary[13].plan)
    assert (diary[13].day, held.rule, held.next_on) == (day("07-14"), Rule.HOLD, day("07-21"))


def test_a_hold_does_not_move_the_anchor() -> None:
    """07-03 friendly / 07-05..07-12 paused / 07-14 firm on its own day, not a week later."""
    pause = a_hold(HoldKind.PAUSE, begins="07-05", until="07-12")
    diary = keep_diary(some_facts(an_item(), holds=[pause]), a_playbook(), "07-01", "07-20")
    assert acts(diary) == ["07-03 friendly INV-1", "07-14 firm INV-1"]


def test_a_part_payment_neither_drops_the_invoice_nor_skips_a_step() -> None:
    """Failures 8, 10: 07-03 friendly 100.00 / 07-08 pays 60.00 / 07-14 firm, 40.00 and no more."""
    facts = some_facts(an_item(total="100.00"))
    diary = keep_diary(facts, a_playbook(), "07-01", "07-14", events={"07-08": pays("INV-1", "40.00")})
    assert acts(diary) == ["07-03 friendly INV-1", "07-14 firm INV-1"]
    firm = diary[-1].plan.intent
    assert firm is not None
    assert str(firm.at_stake) == "40.00 EUR"
    assert "40.00 EUR" in verdict_of(diary[-1].plan).reason


def test_each_invoice_is_named_with_its_own_balance() -> None:
    """Failure 8: every row the last invoice's figure."""
    facts = some_facts(an_item("A", "06-29", "10.00", total="99.00"), an_item("B", "06-30", "20.50"))
    planned = plan(facts, a_playbook(), EVERY_DAY, day("07-03"))
    assert planned.intent is not None
    assert [(item.number, str(item.balance)) for item in planned.intent.demanded] == [
        ("A", "10.00 EUR"),
        ("B", "20.50 EUR"),
    ]
    assert str(planned.intent.at_stake) == "30.50 EUR"
    assert "10.00 EUR" in verdict_of(planned, "A").reason
    assert "20.50 EUR" in verdict_of(planned, "B").reason


def test_when_the_oldest_is_paid_the_next_oldest_sets_the_clock() -> None:
    """Failure 10: 06-30 A due / 07-12 B due / 07-14 firm A / 07-15 A paid / 07-19 friendly B / 07-26 firm B."""
    facts = some_facts(an_item("A", "06-30"), an_item("B", "07-12"), history=[past("friendly", "07-03", "A")])
    diary = keep_diary(facts, a_playbook(), "07-14", "07-31", events={"07-15": pays("A")})
    assert acts(diary) == ["07-14 firm A", "07-19 friendly B", "07-26 firm B"]


def test_fit_age_joins_at_the_age_of_the_next_oldest_and_restart_at_the_first_step() -> None:
    """07-30 A is paid; B, never mentioned, is 16 days late: firm by its age, or friendly from the beginning."""
    facts = some_facts(
        an_item("A", "05-30"),
        an_item("B", "07-14"),
        history=[past("friendly", "06-02", "A"), past("firm", "06-13", "A")],
    )
    facts = pays("A")(facts)
    fitted = plan(facts, a_playbook(reanchor=Reanchor.FIT_AGE), EVERY_DAY, day("07-30"))
    restarted = plan(facts, a_playbook(reanchor=Reanchor.RESTART), EVERY_DAY, day("07-30"))
    assert fitted.intent is not None
    assert restarted.intent is not None
    assert (fitted.intent.step.id, fitted.intent.occurrence) == ("firm", 2)
    assert (restarted.intent.step.id, restarted.intent.occurrence) == ("friendly", 2)


def test_an_invoice_that_was_in_a_step_never_gets_it_again_after_a_re_anchor() -> None:
    """B was demanded in A's firm of 07-14; A is paid; B goes on with the call, on its own 21st day."""
    facts = some_facts(an_item("A", "06-30"), an_item("B", "07-05"))
    diary = keep_diary(facts, a_playbook(), "07-01", "07-31", events={"07-15": pays("A")})
    assert acts(diary) == ["07-03 friendly A", "07-14 firm A B", "07-26 call B"]


def test_a_reversed_payment_goes_on_with_the_ladder_and_repeats_nothing() -> None:
    """Failure 25: 07-03 friendly / 07-05 paid / 07-14 nothing / 07-20 reversed: firm, neither friendly nor silence."""
    diary = keep_diary(
        some_facts(an_item()),
        a_playbook(),
        "07-01",
        "07-26",
        events={"07-05": pays("INV-1"), "07-20": reverses("INV-1", "100.00")},
    )
    assert acts(diary) == ["07-03 friendly INV-1", "07-20 firm INV-1", "07-25 call INV-1"]


# --- before the due date ---------------------------------------------------------------------------------


def test_a_courtesy_names_only_what_falls_due_within_its_days() -> None:
    facts = some_facts(an_item("A", "06-30"), an_item("B", "07-01"), an_item("C", "07-20"))
    diary = keep_diary(facts, a_playbook(), "06-20", "06-30")
    assert acts(diary) == ["06-27 courtesy A"]
    facts = some_facts(an_item("A", "06-30"), an_item("B", "06-30"), an_item("C", "07-20"))
    assert acts(keep_diary(facts, a_playbook(), "06-20", "06-30")) == ["06-27 courtesy A B"]


def test_while_anything_is_overdue_there_is_no_courtesy() -> None:
    facts = some_facts(an_item("A", "06-20"), an_item("B", "06-30"), history=[past("friendly", "06-23", "A")])
    planned = plan(facts, a_playbook(), EVERY_DAY, day("06-29"))
    assert planned.intent is None
    assert verdict_of(planned, "B").rule is Rule.NOT_DUE


def test_a_disputed_overdue_invoice_does_not_mute_the_courtesy_for_the_rest() -> None:
    facts = some_facts(an_item("A", "06-01"), an_item("B", "06-30"), holds=[a_hold(invoice="A")])
    assert acts(keep_diary(facts, a_playbook(), "06-25", "06-29")) == ["06-27 courtesy B"]


def test_terms_shorter_than_the_courtesys_lead_get_none() -> None:
    """Issued and due on 06-30: the invoice itself has just said it."""
    facts = some_facts(an_item(due="06-30", issued="06-29"))
    assert acts(keep_diary(facts, a_playbook(), "06-28", "07-03")) == ["07-03 friendly INV-1"]


# --- backlog ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backlog", "due", "expected"),
    [
        # connected on 07-20
        (
            Backlog.AGE_STEP,
            "07-15",
            ["07-20 friendly INV-1", "07-29 firm INV-1", "08-05 call INV-1", "08-14 final INV-1"],
        ),
        # Nobody said that the call reached them: the final notice waits for that.
        (Backlog.AGE_STEP, "07-01", ["07-20 firm INV-1", "07-25 call INV-1"]),
        (Backlog.AGE_STEP, "01-01", ["07-20 firm INV-1", "07-25 call INV-1"]),
        (
            Backlog.FIRST_STEP,
            "01-01",
            ["07-20 friendly INV-1", "07-25 firm INV-1", "07-30 call INV-1", "08-04 final INV-1"],
        ),
        (Backlog.SKIP, "07-10", ["07-24 firm INV-1", "07-31 call INV-1"]),
        (Backlog.SKIP, "06-22", []),  # the next would be the final notice: never the first word
        (Backlog.SKIP, "01-01", []),
    ],
)
def test_backlog_joins_as_the_playbook_says_never_in_a_burst_never_with_a_final_notice(
    backlog: Backlog, due: str, expected: list[str]
) -> None:
    """Failure 17."""
    facts = some_facts(an_item(due=due), opened="07-20")
    assert acts(keep_diary(facts, a_playbook(backlog=backlog), "07-20", "09-30")) == expected


def test_what_the_playbook_skips_waits_for_a_person_and_mutes_nobody() -> None:
    facts = some_facts(an_item("A", "01-01"), an_item("B", "07-18"), opened="07-20")
    diary = keep_diary(facts, a_playbook(backlog=Backlog.SKIP), "07-20", "07-25")
    assert acts(diary) == ["07-21 friendly B"]
    assert verdict_of(diary[0].plan, "A").rule is Rule.LADDER_DONE


def test_skip_catches_up_after_an_outage_for_what_was_not_yet_due_at_the_beginning() -> None:
    """07-20 connected / firm on 07-24 is missed / 07-27 firm all the same: no step hangs on one exact day."""
    facts = some_facts(an_item(due="07-10"), opened="07-20")
    diary = keep_diary(facts, a_playbook(backlog=Backlog.SKIP), "07-20", "07-28", outage=days("07-22", "07-26"))
    assert acts(diary) == ["07-27 firm INV-1"]


# --- what became of messages -----------------------------------------------------------------------------


def test_a_bounce_steps_the_ladder_back_after_the_gap() -> None:
    """07-03 friendly / 07-04 bounced / 07-08 friendly again, the second occurrence."""
    diary = keep_diary(
        some_facts(an_item()), a_playbook(), "07-03", "07-09", events={"07-04": settles(MessageState.BOUNCED)}
    )
    assert acts(diary) == ["07-03 friendly INV-1", "07-08 friendly INV-1"]
    again = next(entry for entry in diary if entry.day == day("07-08")).plan.intent
    assert again is not None
    assert again.occurrence == 2


def test_a_step_that_comes_back_twice_waits_for_another_address() -> None:
    """07-03 and 07-08 friendly come back / held / 07-20 another address: friendly, which comes back twice more."""
    grace = replace(ADA, name="Grace", email="grace@park.example")
    diary = keep_diary(
        some_facts(an_item()),
        a_playbook(a_step("friendly", 3)),
        "07-01",
        "08-30",
        events={"07-20": lambda facts: replace(facts, recipients=(grace,))},
        outcome=MessageState.BOUNCED,
    )
    days = ("07-03", "07-08", "07-20", "07-25")
    assert acts(diary) == [f"{on} friendly INV-1" for on in days]
    held = {entry.day: verdict_of(entry.plan) for entry in diary}
    for on, whose in (("07-13", "ada"), ("08-30", "grace")):
        assert (held[day(on)].rule, held[day(on)].next_on) == (Rule.UNDELIVERED, None)
        assert f"{whose}@park.example" in held[day(on)].reason


@pytest.mark.parametrize("state", [MessageState.SUPERSEDED, MessageState.CANCELLED])
def test_what_never_went_out_moves_nothing_and_stays_the_same_intent(state: MessageState) -> None:
    """Failure 4: the counter moves only when the send succeeded (a refused one waits for a person: test_guards.py)."""
    facts = some_facts(an_item(), history=[past("friendly", "07-03", state=state)])
    planned = plan(facts, a_playbook(), EVERY_DAY, day("07-04"))
    assert planned.intent is not None
    assert (planned.intent.step.id, planned.intent.occurrence) == ("friendly", 1)


def test_a_final_notice_needs_two_milder_messages_known_to_have_gone_out() -> None:
    history = [
        past("friendly", "07-03", state=MessageState.PRESUMED_SENT),
        past("firm", "07-14"),
        past("call", "07-21", state=MessageState.PRESUMED_SENT),
    ]
    held = plan(some_facts(an_item(), history=history), a_playbook(), EVERY_DAY, day("07-30"))
    verdict = verdict_of(held)
    assert (verdict.rule, verdict.next_on) == (Rule.MILDER_FIRST, None)
    settled = [replace(history[0], state=MessageState.DELIVERED), *history[1:]]
    goes = plan(some_facts(an_item(), history=settled), a_playbook(), EVERY_DAY, day("07-30"))
    assert goes.intent is not None
    assert goes.intent.step.id == "final"


def test_a_courtesy_is_no_notice() -> None:
    """Before the due date nothing was late: it does not count among the two milder ones."""
    history = [
        past("courtesy", "06-27"),
        past("friendly", "07-03"),
        past("firm", "07-14", state=MessageState.PRESUMED_SENT),
    ]
    playbook = a_playbook(
        a_step("courtesy", -3), a_step("friendly", 3), a_step("firm", 14, Tone.FIRM), a_step("final", 30, Tone.FINAL)
    )
    planned = plan(some_facts(an_item(), history=history), playbook, EVERY_DAY, day("07-30"))
    assert verdict_of(planned).rule is Rule.MILDER_FIRST


def test_a_final_notice_names_only_invoices_with_two_milder_messages_of_their_own_and_lists_nothing() -> None:
    """07-30: A had friendly, firm and call; B only the call."""
    facts = some_facts(
        an_item("A", "06-30"),
        an_item("B", "07-05"),
        an_item("C", "07-25"),
        history=[past("friendly", "07-03", "A"), past("firm", "07-14", "A"), past("call", "07-21", "A", "B")],
    )
    planned = plan(facts, a_playbook(), EVERY_DAY, day("07-30"))
    assert planned.intent is not None
    assert planned.intent.step.id == "final"
    assert [item.number for item in planned.intent.demanded] == ["A"]
    assert planned.intent.listed == ()
    assert {verdict_of(planned, number).rule for number in "BC"} == {Rule.NOT_DUE}


def test_a_call_is_a_milder_message_once_somebody_was_reached() -> None:
    """07-14 firm / 07-21 call on the list / 07-30 final: only where somebody says that they spoke to them."""
    listed = past("call", "07-21")
    for call in (listed, replace(listed, told=False)):
        facts = some_facts(an_item(due="06-30"), history=[past("firm", "07-14"), call])
        planned = plan(facts, a_playbook(), EVERY_DAY, day("07-30"))
        if call.told:
            assert planned.intent is not None
            assert planned.intent.step.id == "final"
        else:
            assert planned.intent is None
            verdict = verdict_of(planned)
            assert (verdict.rule, verdict.next_on) == (Rule.MILDER_FIRST, None)
            assert "there are 1; call counts once somebody says that it reached them" in verdict.reason


def test_messages_of_an_older_playbook_count_for_the_gap_and_start_no_backlog_burst() -> None:
    facts = some_facts(an_item(due="06-30"), history=[past("renamed", "07-18")])
    diary = keep_diary(facts, a_playbook(), "07-18", "07-24")
    assert acts(diary) == ["07-23 firm INV-1"]


def test_ties_are_broken_by_the_largest_balance() -> None:
    facts = some_facts(an_item("SMALL", "06-30", "1.00"), an_item("LARGE", "06-30", "900.00"))
    planned = plan(facts, a_playbook(), EVERY_DAY, day("07-03"))
    assert planned.intent is not None
    assert [item.number for item in planned.intent.demanded] == ["LARGE", "SMALL"]


def test_a_playbook_that_ends_before_the_due_date_leaves_the_overdue_to_a_person() -> None:
    planned = plan(some_facts(an_item()), a_playbook(a_step("courtesy", -3)), EVERY_DAY, day("07-10"))
    assert verdict_of(planned).rule is Rule.LADDER_DONE


def test_a_call_is_a_task_whatever_the_mode() -> None:
    facts = some_facts(an_item(), history=[past("friendly", "07-03"), past("firm", "07-14")])
    planned = plan(facts, a_playbook(), EVERY_DAY, day("07-21"))
    assert planned.intent is not None
    assert planned.intent.mode is StepMode.TASK
    assert verdict_of(planned).rule is Rule.TASK
