"""What the words of the step language do, as calendars."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arsync.domain.chase import ChaseFacts, Happened, Item, Rule
from arsync.domain.documents import InvoiceState
from arsync.domain.people import CallMade, CallOutcome
from arsync.domain.policy import (
    Act,
    Anchor,
    Attach,
    Caps,
    End,
    Group,
    Happening,
    Reanchor,
    Repeat,
    StepChannel,
    StepMode,
    Tone,
)
from arsync.domain.states import Decision, MessageState
from arsync.playbook.plan import plan
from arsync.testing.builders import (
    EVERY_DAY,
    Event,
    a_connection,
    a_hold,
    a_playbook,
    a_step,
    acts,
    an_item,
    day,
    holds,
    keep_diary,
    money,
    past,
    settles,
    some_facts,
    verdict_of,
)

H = Happening
BOUNCED = frozenset({H.BOUNCED})
BROKEN = frozenset({H.PROMISE_BROKEN})
NO_ANSWER = frozenset({H.NO_ANSWER})


def happens(what: Happening, on: str, number: str = "INV-1") -> Event:
    told = Happened(what, day(on), frozenset({number}))
    return lambda facts: replace(facts, happened=(*facts.happened, told))


def is_paid(number: str, on: str, *, by_money: bool = True) -> Event:
    def event(facts: ChaseFacts) -> ChaseFacts:
        items = (
            replace(item, state=InvoiceState.PAID, balance=money("0.00"), paid_on=day(on) if by_money else None)
            if item.number == number
            else item
            for item in facts.items
        )
        return replace(facts, items=tuple(items))

    return event


# --- the day that offsets count from ----------------------------------------


def test_an_offset_may_count_from_the_invoice_or_from_the_end_of_the_month() -> None:
    """Issued 05-31, due 06-10 / 20 days after the invoice is 06-20 / 5 days after the end of June is 07-05."""
    by_issue = replace(a_step("by-issue", 20, Tone.FRIENDLY), anchor=Anchor.INVOICE_DATE)
    by_month = replace(a_step("by-month", 5, Tone.FRIENDLY), anchor=Anchor.END_OF_MONTH)
    facts = some_facts(an_item(due="06-10", issued="05-31"))
    diary = keep_diary(facts, a_playbook(by_issue, by_month), "06-01", "08-01")
    assert acts(diary) == ["06-20 by-issue INV-1", "07-05 by-month INV-1"]
    waits = verdict_of(diary[25].plan)
    assert "5 days after the month in which INV-1 fell due" in waits.reason


def test_nothing_past_due_comes_before_it_is_past_due_whatever_the_anchor() -> None:
    """Failure 5 in another guise: 10 days after the invoice, of 30 days' terms, is no day to ask for payment."""
    early = replace(a_step("early", 10, Tone.FRIENDLY), anchor=Anchor.INVOICE_DATE)
    diary = keep_diary(some_facts(an_item(due="06-30")), a_playbook(early), "06-01", "07-10")
    assert acts(diary) == ["07-01 early INV-1"]


def test_leap_februaries_have_their_own_end() -> None:
    assert Anchor.END_OF_MONTH.day(day("2028-01-01"), day("2028-02-03")) == day("2028-02-29")


# --- again, but not for ever ----------------------------------------


def test_a_repeat_ends_after_its_times_and_counts_from_the_day_it_went_out() -> None:
    """Due 06-30, friendly +3 again every 7 days twice / an outage over 07-10 to 07-14 moves what follows."""
    friendly = replace(a_step("friendly", 3), repeat=Repeat(7, times=2))
    playbook = a_playbook(friendly, a_step("firm", 40, Tone.FIRM))
    asleep = [day(f"07-{number}") for number in range(10, 15)]
    diary = keep_diary(some_facts(an_item()), playbook, "06-25", "09-01", outage=asleep)
    assert acts(diary) == [
        "07-03 friendly INV-1", "07-15 friendly INV-1", "07-22 friendly INV-1", "08-09 firm INV-1",
    ]  # fmt: skip
    occurrences = [entry.plan.intent.occurrence for entry in diary if entry.plan.intent]
    assert occurrences == [1, 2, 3, 1], "each time is an intent of its own"
    assert "friendly comes again 7 days after the last time" in verdict_of(diary[10].plan).reason


def test_a_repeat_gives_way_to_the_next_step_and_ends_on_its_last_day() -> None:
    friendly = replace(a_step("friendly", 3), repeat=Repeat(7, until=60))
    diary = keep_diary(some_facts(an_item()), a_playbook(friendly, a_step("firm", 14, Tone.FIRM)), "07-01", "09-30")
    assert acts(diary) == ["07-03 friendly INV-1", "07-10 friendly INV-1", "07-15 firm INV-1"], (
        "07-17 would be after the day of firm, 07-14, which the gap moves"
    )
    alone = keep_diary(some_facts(an_item()), a_playbook(friendly), "07-01", "09-30")
    assert acts(alone)[-1] == "08-28 friendly INV-1", "day 60 is 08-29"


# --- what has happened ----------------------------------------


def test_an_answer_is_given_once_and_the_ladder_goes_on_where_it_was() -> None:
    """friendly 07-03 / a promise is found broken on 07-09 / as-agreed that day / firm on 07-14, its own day."""
    answer = replace(a_step("as-agreed", 1, Tone.FIRM), when=BROKEN)
    playbook = a_playbook(a_step("friendly", 3), a_step("firm", 14, Tone.FIRM), answer)
    diary = keep_diary(
        some_facts(an_item()), playbook, "07-01", "08-30", events={"07-09": happens(H.PROMISE_BROKEN, "07-09")}
    )
    assert acts(diary) == ["07-03 friendly INV-1", "07-09 as-agreed INV-1", "07-14 firm INV-1"]


def test_what_nobody_knows_to_have_happened_leaves_the_answer_out_and_says_so() -> None:
    answer = replace(a_step("missed-you", 15, Tone.FIRM), when=NO_ANSWER)
    playbook = a_playbook(a_step("friendly", 3), answer, a_step("firm", 20, Tone.FIRM))
    diary = keep_diary(some_facts(an_item()), playbook, "07-01", "07-25")
    assert acts(diary) == ["07-03 friendly INV-1", "07-20 firm INV-1"]
    waits = verdict_of(diary[16].plan)
    assert "missed-you is left out, for nothing of no_answer has happened" in waits.reason


def test_how_a_call_went_decides_what_comes_next() -> None:
    """call 07-14 / on 07-15 somebody says that nobody answered / missed-you after the gap / letter is left out."""
    missed = replace(a_step("missed-you", 14, Tone.FIRM), when=NO_ANSWER)
    unless = replace(a_step("as-said", 16, Tone.FIRM), unless=NO_ANSWER)
    call = a_step("call", 14, Tone.FIRM, channel=StepChannel.CALL, mode=StepMode.TASK)
    playbook = a_playbook(call, missed, unless, a_step("firm", 30, Tone.FIRM))

    def nobody(facts: ChaseFacts) -> ChaseFacts:
        return replace(facts, calls=(CallMade(CallOutcome.NO_ANSWER, day("07-15"), "call"),))

    diary = keep_diary(some_facts(an_item()), playbook, "07-10", "08-10", events={"07-15": nobody})
    assert acts(diary) == ["07-14 call INV-1", "07-19 missed-you INV-1", "07-30 firm INV-1"]
    answered = keep_diary(some_facts(an_item()), playbook, "07-10", "08-10")
    assert acts(answered) == ["07-14 call INV-1", "07-19 as-said INV-1", "07-30 firm INV-1"]


def test_an_answer_to_a_bounce_is_given_once_though_it_bounces_too() -> None:
    """friendly comes back / letter by hand instead / then friendly again, to the address that was mended."""
    letter = replace(a_step("letter", 1, Tone.FRIENDLY, channel=StepChannel.LETTER), when=frozenset({H.BOUNCED}))
    playbook = a_playbook(a_step("friendly", 3), letter)
    diary = keep_diary(
        some_facts(an_item()), playbook, "07-01", "07-30", events={"07-04": settles(MessageState.BOUNCED)}
    )
    assert acts(diary) == ["07-03 friendly INV-1", "07-08 letter INV-1", "07-13 friendly INV-1"]


def test_replies_that_nobody_reads_let_a_person_decide() -> None:
    careful = replace(a_step("careful", 3), unless=frozenset({H.REPLIED}))
    facts = some_facts(an_item(), connection=a_connection(replies_read=False))
    assert verdict_of(plan(facts, a_playbook(careful), EVERY_DAY, day("07-03"))).rule is Rule.APPROVE


# --- one invoice at a time ----------------------------------------


def test_with_group_invoice_each_has_its_own_pace_and_the_payer_one_message_at_a_time() -> None:
    """A due 06-20, B due 06-24 / gap 3: friendly +3, firm +10."""
    playbook = replace(a_playbook(a_step("friendly", 3), a_step("firm", 10, Tone.FIRM), gap=3), group=Group.INVOICE)
    facts = some_facts(an_item("A", "06-20"), an_item("B", "06-24"))
    diary = keep_diary(facts, playbook, "06-15", "07-20")
    assert acts(diary) == ["06-23 friendly A", "06-27 friendly B", "06-30 firm A", "07-04 firm B"]
    both = keep_diary(some_facts(an_item("A", "06-20"), an_item("B", "06-20", "200.00")), playbook, "06-15", "06-24")
    assert acts(both) == ["06-23 friendly B"], "the larger first"
    waits = verdict_of(both[8].plan, "A")
    assert (waits.rule, waits.next_on) == (Rule.GAP, day("06-26"))


def test_with_group_invoice_what_was_refused_about_one_does_not_stop_the_other() -> None:
    playbook = replace(a_playbook(a_step("friendly", 3)), group=Group.INVOICE)
    refused = past("friendly", "06-30", "A", state=MessageState.FAILED)
    facts = some_facts(an_item("A", "06-20"), an_item("B", "06-24"), history=[refused])
    planned = plan(facts, playbook, EVERY_DAY, day("07-01"))
    assert verdict_of(planned, "A").rule is Rule.FAILED_MESSAGE
    assert verdict_of(planned, "B").rule is Rule.SEND


# --- bounds and ends ----------------------------------------


def test_a_payer_hears_from_us_so_often_in_a_month_and_no_more() -> None:
    """Two in 30 days; what a person did by hand counts."""
    playbook = replace(a_playbook(gap=1), caps=Caps(month=2))
    by_hand = replace(past("visit", "06-29"), by_hand=True)
    diary = keep_diary(some_facts(an_item(), history=[by_hand]), playbook, "07-01", "08-05")
    assert acts(diary) == ["07-03 friendly INV-1", "07-29 firm INV-1", "08-02 call INV-1"]
    waits = verdict_of(diary[20].plan)
    assert (waits.rule, waits.next_on) == (Rule.PAYER_CAP, day("07-29"))


def test_what_falls_overdue_moves_nobody_elses_date_where_first_steps_are_not_chosen_by_age() -> None:
    """A had both its messages of the month by 07-08, the next may go on 08-06. B falls overdue on 07-10, begins at the
    first step, and that its last step would be left out from 07-15 on concerns nobody."""
    playbook = replace(
        a_playbook(
            a_step("first", 3),
            a_step("second", 5),
            replace(a_step("last", 6), unless=BOUNCED),
            reanchor=Reanchor.RESTART,
        ),
        gap=1,
        caps=Caps(month=2),
    )
    facts = some_facts(
        an_item("A", "07-03"),
        an_item("B", "07-09"),
        history=[past("first", "07-06", "A"), past("second", "07-08", "A")],
    )
    facts = happens(H.BOUNCED, "07-05", "B")(facts)
    waits = [verdict_of(plan(facts, playbook, EVERY_DAY, day(on)), "A") for on in ("07-09", "07-10", "07-14", "07-15")]
    assert {(verdict.rule, verdict.next_on) for verdict in waits} == {(Rule.PAYER_CAP, day("08-05"))}


def test_an_answer_that_waits_is_looked_at_again_on_the_day_on_which_the_ladder_runs_out() -> None:
    """07-05 part paid / thanks-for-that waits for the cap until 07-29 / from 07-20 on its age fits firm: left out."""
    part = frozenset({H.PART_PAID})
    answer = replace(a_step("thanks-for-that", 1), when=part)
    firm = replace(a_step("firm", 20, Tone.FIRM), unless=part)
    item = replace(an_item(balance="50.00", total="100.00"), paid_on=day("07-05"))
    visits = [replace(past("visit", on, "INV-0"), by_hand=True) for on in ("06-29", "07-04")]
    for group in Group:
        playbook = replace(a_playbook(a_step("friendly", 3), firm, answer, gap=1), caps=Caps(month=2), group=group)
        facts = some_facts(item, history=visits)
        waits = verdict_of(plan(facts, playbook, EVERY_DAY, day("07-06")))
        by_age = group is Group.PAYER  # each invoice by itself begins at its first step, whatever its age
        until = day("07-20" if by_age else "07-29")
        assert (waits.rule, waits.step_id, waits.next_on) == (Rule.PAYER_CAP, "thanks-for-that", until)
        ended = verdict_of(plan(facts, playbook, EVERY_DAY, day("07-20")))
        assert ended.rule is (Rule.LADDER_DONE if by_age else Rule.PAYER_CAP)


def test_the_end_of_the_ladder_has_a_name_and_says_what_to_do() -> None:
    playbook = replace(a_playbook(a_step("friendly", 3)), end=End("decide", "ask the owner whether to sue"))
    done = verdict_of(
        plan(some_facts(an_item(), history=[past("friendly", "07-03")]), playbook, EVERY_DAY, day("07-20"))
    )
    assert (done.rule, done.decision, done.step_id, done.next_on) == (Rule.LADDER_DONE, Decision.HOLD, "decide", None)
    assert done.reason.endswith("a person decides: ask the owner whether to sue")


def test_a_statement_goes_out_with_all_that_is_open_and_a_task_is_a_persons() -> None:
    statement = replace(a_step("statement", 3), act=Act.STATEMENT)
    told = {}
    for step in (statement, replace(a_step("task", 3), channel=StepChannel.TASK)):
        planned = plan(some_facts(an_item(), an_item("NEXT", "08-30")), a_playbook(step), EVERY_DAY, day("07-03"))
        assert planned.intent is not None
        told[step.id] = (planned.intent.mode, verdict_of(planned).rule, planned.intent.step.attached)
        upcoming = [item.number for item in planned.intent.listed]
        assert upcoming == (["NEXT"] if step.act is Act.STATEMENT else [])
    assert told == {
        "statement": (StepMode.AUTO, Rule.SEND, (Attach.STATEMENT,)), "task": (StepMode.TASK, Rule.TASK, ()),
    }  # fmt: skip


def test_a_letter_is_posted_to_an_address_else_mailed_else_a_task() -> None:
    step = replace(a_step("letter", 3), channel=StepChannel.LETTER)
    known = some_facts(an_item(), an_item("NEXT", "08-30"))
    nobody = replace(known, recipients=())
    ways = []
    for facts in (replace(known, address="1 Quay"), known, replace(nobody, address="1 Quay"), nobody):
        planned = plan(facts, a_playbook(step), EVERY_DAY, day("07-03"))
        assert planned.intent is not None
        ways.append((planned.intent.step.way, planned.intent.mode, verdict_of(planned).rule))
    assert ways == [
        (StepChannel.LETTER, StepMode.AUTO, Rule.SEND), (StepChannel.EMAIL, StepMode.AUTO, Rule.SEND),
        (StepChannel.LETTER, StepMode.AUTO, Rule.SEND), (StepChannel.TASK, StepMode.TASK, Rule.TASK),
    ]  # fmt: skip


# --- thanks ----------------------------------------

THANKFUL = a_playbook(
    a_step("friendly", 3), a_step("firm", 14, Tone.FIRM), replace(a_step("thanks", 0), act=Act.THANK_YOU)
)


def test_who_pays_what_was_asked_for_is_thanked_once() -> None:
    """friendly 07-03 / paid 07-05 / thanks after the gap, 07-08 / never again."""
    diary = keep_diary(some_facts(an_item()), THANKFUL, "07-01", "08-30", events={"07-05": is_paid("INV-1", "07-05")})
    assert acts(diary) == ["07-03 friendly INV-1", "07-08 thanks INV-1"]


def unthanked() -> list[tuple[str, list[Item], Event]]:
    late = an_item("LATE", "06-20")
    return [
        ("nobody asked", [an_item()], lambda facts: replace(is_paid("INV-1", "07-05")(facts), history=())),
        ("written off", [an_item()], is_paid("INV-1", "07-05", by_money=False)),
        ("long ago", [an_item()], is_paid("INV-1", "06-20")),
        ("another is overdue", [an_item(), late], is_paid("INV-1", "07-05")),
        ("stopped", [an_item()], lambda facts: holds(a_hold())(is_paid("INV-1", "07-05")(facts))),
    ]


@pytest.mark.parametrize("case", unthanked(), ids=lambda case: case[0])
def test_no_thanks_where_there_is_no_reason(case: tuple[str, list[Item], Event]) -> None:
    _, items, event = case
    facts = event(some_facts(*items, history=[past("friendly", "06-28", *(item.number for item in items))]))
    planned = plan(facts, THANKFUL, EVERY_DAY, day("07-06"))
    assert planned.intent is None or planned.intent.step.act is not Act.THANK_YOU


@pytest.mark.parametrize(
    ("gap", "paid", "thanked"),
    [
        (20, "07-04", "07-23"),  # quick payers, too: the gap ends long after the week that thanks have else
        (20, "07-20", "07-23"),
        (5, "07-04", "07-08"),
        (40, "07-04", None),  # thanks after more than a month are none
    ],
)
def test_thanks_wait_for_the_gap_and_not_for_ever(gap: int, paid: str, thanked: str | None) -> None:
    playbook = replace(THANKFUL, gap=gap)
    diary = keep_diary(some_facts(an_item()), playbook, "07-01", "08-30", events={paid: is_paid("INV-1", paid)})
    assert acts(diary) == ["07-03 friendly INV-1", *([f"{thanked} thanks INV-1"] if thanked else [])]


def test_thanks_do_not_wait_for_what_is_not_yet_due() -> None:
    facts = some_facts(an_item(), an_item("NEXT", "08-30"), history=[past("friendly", "06-28")])
    planned = plan(is_paid("INV-1", "07-05")(facts), THANKFUL, EVERY_DAY, day("07-06"))
    assert planned.intent is not None
    assert (planned.intent.step.act, planned.intent.at_stake) == (Act.THANK_YOU, money("0.00"))
    assert verdict_of(planned, "NEXT").rule is Rule.NOT_DUE


@pytest.mark.parametrize("says", ["the step", "the company"])
def test_what_is_to_be_sent_by_a_person_is_on_the_task_list(says: str) -> None:
    """Mode task: no mail leaves, and nobody has to approve it: it is a task with the words that would have gone out."""
    of_step, of_company = (StepMode.TASK, StepMode.AUTO) if says == "the step" else (None, StepMode.TASK)
    step = replace(a_step("friendly", 3), mode=of_step)
    facts = some_facts(an_item("INV-1", "06-30"), connection=a_connection(mode=of_company))
    answer = plan(facts, a_playbook(step), EVERY_DAY, day("07-03"))
    assert answer.intent is not None
    assert (answer.intent.mode, answer.intent.step.way) == (StepMode.TASK, StepChannel.TASK)
    assert verdict_of(answer).rule is Rule.TASK
