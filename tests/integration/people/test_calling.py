"""What came of a call: what the customer said is kept with it, in one commit, and goes with it again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from tests.integration.people.conftest import NOW, Desk

from arsync.domain.people import CallOutcome
from arsync.domain.policy import Step, StepChannel, StepMode, Tone
from arsync.domain.states import MessageState
from arsync.store import ledger, messages, touches

CALL = Step("call", 21, StepChannel.CALL, Tone.FIRM, "call", StepMode.TASK)
WAY = (MessageState.APPROVED, MessageState.CLAIMED, MessageState.SENDING, MessageState.ACCEPTED)
MIA = ("--author", "mia", "--comment", "spoke to Tom")


def listed(desk: Desk, *invoices: str) -> str:
    """A call to Acme about these invoices, on the call list; its number."""
    number = desk.books.plan("A", step=CALL, invoices=invoices)
    with desk.books.store.working() as work:
        for here, there in pairwise(WAY):
            assert messages.move(work, number, here, there, reason="on the list", now=NOW)
        work.commit()
    return str(number)


def stopped(desk: Desk) -> list[tuple[Any, ...]]:
    return [
        (held["hold"]["hold"]["kind"], held["hold"]["hold"]["invoice_id"], held["hold"]["hold"]["until"])
        for held in desk.json("holds")
    ]


def outcomes(desk: Desk) -> list[CallOutcome]:
    with desk.books.store.reading() as work:
        return [one.outcome for one in touches.outcomes(work, desk.books.id)]


def test_a_day_named_on_the_phone_is_a_promise_with_one_note_and_is_tracked(desk: Desk) -> None:
    """I1 over 100.00 and I2 over 300.00: 350.00 by Friday 09-04; in time until Wednesday 09-09 (Labor Day)."""
    number = listed(desk, "I1", "I2")
    before = desk.books.chase("A").version
    told = desk.arsync("call", number, "--outcome", "promised", "--date", "2026-09-04", "--amount", "350", *MIA).out
    assert "promised 350.00 EUR by 2026-09-04 for I1, I2" in told
    assert stopped(desk) == [("promise", "I1", "2026-09-09"), ("promise", "I2", "2026-09-09")]
    (promise,) = desk.json("promises")
    assert (promise["promise"]["amount"]["amount"], promise["promise"]["state"]) == ("350.00", "open")
    ((kind, target, first),) = desk.notes()
    assert (kind, target) == ("customer", "A")
    assert first.startswith(f"Call {number} (call) made: promised 350.00 EUR by 2026-09-04 for I1, I2, said")
    assert desk.books.chase("A").version > before
    assert desk.json("calls") == []
    assert outcomes(desk) == [CallOutcome.PROMISED], "what the playbook branches on"


def test_what_is_contested_on_the_phone_is_a_dispute_of_that_invoice_or_a_part_of_it(desk: Desk) -> None:
    number = listed(desk, "I1", "I2")
    desk.arsync("call", number, "--outcome", "disputed", "--invoice", "I2", "--amount", "40", "--code", "quality", *MIA)
    assert stopped(desk) == [("dispute", "I2", None)]
    ((kind, target, first),) = desk.notes()
    assert (kind, target) == ("invoice", "I2")
    assert "contested 40.00 EUR of I2 (quality)" in first
    assert "dispute (quality) of 40.00 EUR, the rest is chased" in desk.arsync("explain", "I2").out


def test_who_says_that_it_is_paid_is_left_alone_until_the_money_would_have_come(desk: Desk) -> None:
    """Friday 09-04 and two business days: Monday is Labor Day => Wednesday 09-09; then by itself it goes on."""
    desk.arsync("call", listed(desk, "I1"), "--outcome", "paid", "--date", "2026-09-04", *MIA)
    assert stopped(desk) == [("pause", "I1", "2026-09-09")]
    ((_, target, first),) = desk.notes()
    assert target == "I1"
    assert "paid on 2026-09-04, I1" in first


@pytest.mark.parametrize(("outcome", "tried"), [("no_answer", "no answer"), ("wrong_number", "wrong number")])
def test_a_call_on_which_nobody_was_reached_stays_on_the_list_and_says_so(desk: Desk, outcome: str, tried: str) -> None:
    number = listed(desk, "I1")
    desk.arsync("call", number, "--outcome", outcome, "--author", "mia")
    assert stopped(desk) == []
    assert f"{tried} on 2026-09-01" in desk.arsync("calls").out
    (line,) = desk.json("today")["calls"]
    assert line.endswith(f"({tried} on 2026-09-01)")
    desk.arsync("call", number, "--outcome", "paid", "--author", "mia")
    assert outcomes(desk) == [CallOutcome(outcome), CallOutcome.PAID]


def test_a_call_has_told_them_once_somebody_was_reached_and_no_longer_when_that_is_taken_back(desk: Desk) -> None:
    number = listed(desk, "I1")

    def told() -> list[bool]:
        with desk.books.store.reading() as work:
            return [past.told for past in ledger.read(work, desk.books.id).history["A", "EUR"]]

    assert told() == [False], "it only stands on the list"
    desk.arsync("call", number, "--outcome", "no_answer", "--author", "mia")
    assert told() == [False]
    desk.arsync("call", number, "--outcome", "paid", "--author", "mia")
    assert told() == [True]
    desk.arsync("undo", "call", "2", "--author", "mia")
    assert told() == [False]


def test_an_undone_call_takes_its_promise_and_its_holds_along(desk: Desk) -> None:
    number = listed(desk, "I1", "I2")
    desk.arsync("call", number, "--outcome", "promised", "--date", "2026-09-04", *MIA)
    told = desk.arsync("undo", "call", "1", "--author", "tom").out
    assert "call 1 is taken back: promised on 2026-09-01, by mia: spoke to Tom, and with it hold 1 (promise), " in told
    assert stopped(desk) == []
    assert desk.json("promises") == []
    assert len(desk.notes()) == 2
    assert len(desk.json("calls")) == 1, "it is to be made again"
    assert "outcome 1 of a call that stands" in desk.arsync("undo", "call", "1", status=2).err


def test_what_cannot_be_said_of_a_call_is_refused_whole(desk: Desk) -> None:
    number = listed(desk, "I1", "I2")
    for options, why in (
        (("promised",), "which day did they name?"),
        (("promised", "--date", "2026-08-31"), "2026-08-31 has passed"),
        (("promised", "--date", "2026-09-04", "--amount", "401"), "400.00 EUR is open"),
        (("promised", "--date", "2026-09-04", "--invoice", "I3"), "the call is about I1, I2"),
        (("disputed",), "what do they contest?"),
        (("disputed", "--comment", "broken", "--amount", "40"), "of which is that amount? Name one: I1, I2"),
        (("no_answer", "--date", "2026-09-04"), "--date goes with --outcome promised or paid"),
        (("paid", "--on", "2026-09-02"), "still to come"),
    ):
        assert why in desk.arsync("call", number, "--outcome", *options, status=2).err
    assert desk.notes() == []
    assert stopped(desk) == []
    assert outcomes(desk) == []


def test_a_call_that_was_answered_is_not_answered_twice(desk: Desk) -> None:
    number = listed(desk, "I1")
    desk.arsync("call", number, "--outcome", "promised", "--date", "2026-09-04", *MIA)
    again = desk.arsync("call", number, "--outcome", "paid", status=2).err
    assert "was answered on 2026-09-01: promised, kept by mia" in again
    assert "arsync undo call 1" in again
