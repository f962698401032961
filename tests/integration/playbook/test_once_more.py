"""A person wants a message once more: another intent, under all guards but those of pace."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from tests.integration.playbook.desk import Desk
from tests.integration.playbook.shop import Shop
from tests.integration.store.books import a_hold

from arsync.domain.policy import StepMode
from arsync.domain.states import MessageState
from arsync.outbox import settle
from arsync.outbox.accept import Acceptance
from arsync.playbook.confirm import Confirmation
from arsync.playbook.resending import resend, statement
from arsync.store import approvals, connections, events, holds, messages
from arsync.store.messages import Message
from arsync.testing.ports import FixedClock


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """C1 owes I1 and I2; the first step went out on 09-01."""
    shop.owes("C1", "I1")
    shop.owes("C1", "I2")
    made = Desk(shop, StepMode.AUTO)
    made.night()
    (message,) = made.claim()
    assert made.confirm(message)[0] is Confirmation.HOLDS
    assert made.pass_gate(message) is None
    with shop.books.store.working() as work:
        messages.move(
            work, message.id, MessageState.SENDING, MessageState.ACCEPTED, reason="taken", now=made.now,
            sent_on=made.now.date(),
        )  # fmt: skip
        work.commit()
    made.pass_time(hours=1)
    return made


def once_more(desk: Desk, original: Message | None = None) -> tuple[Message | None, str]:
    first = original or desk.messages()[0]
    books = desk.shop.books
    return resend(
        books.store, books.connection, desk.policy(), first, author="ann", reason="they lost it", now=desk.now
    )


def test_it_is_another_intent_that_says_so_and_goes_out_within_the_gap(desk: Desk) -> None:
    """09-01 the first; the same day once more: the run keeps it, and it passes the gate."""
    again, _ = once_more(desk)
    assert again is not None
    assert (again.step_id, again.occurrence, again.revision, again.resend_of) == ("day-3", 2, 1, 1)
    assert again.reason == "message 1 once more, as ann wants: they lost it; by the playbook"
    with desk.shop.books.store.reading() as work:
        assert [event.author for event in events.of_message(work, again.id)] == ["ann"]
    assert desk.night().kept == 1
    (message,) = desk.claim()
    assert desk.confirm(message)[0] is Confirmation.HOLDS
    assert desk.pass_gate(message) is None


def test_what_is_paid_is_left_out_of_it_and_where_all_is_there_is_nothing_to_send(desk: Desk) -> None:
    desk.pays("C1", "I2")
    again, _ = once_more(desk)
    assert again is not None
    assert desk.items(again) == [("I1", "100.00")]
    desk.pays("C1", "I1")
    assert desk.night().superseded == 1
    assert once_more(desk)[0] is None


def test_a_payment_after_it_was_wanted_makes_it_smaller_and_still_the_same_intent(desk: Desk) -> None:
    once_more(desk)
    (message,) = desk.claim()
    desk.pays("C1", "I2")
    assert desk.confirm(message)[0] is Confirmation.WITHDRAWN
    newer = desk.last()
    assert (newer.occurrence, newer.revision, newer.resend_of) == (2, 2, 1)
    assert desk.items(newer) == [("I1", "100.00")]


@pytest.mark.parametrize("stop", ["a hold", "another message", "the red button"])
def test_what_forbids_a_message_forbids_it_and_is_said(desk: Desk, stop: str) -> None:
    with desk.shop.books.store.working() as work:
        if stop == "a hold":
            holds.place(work, desk.shop.books.id, a_hold(), now=desk.now)
        elif stop == "the red button":
            connections.press_stop(work, author="kim", reason="new prices", now=desk.now)
        work.commit()
    if stop == "another message":
        once_more(desk)
    again, why = once_more(desk)
    assert again is None
    assert {"a hold": "dispute", "another message": "on its way", "the red button": "stopped"}[stop] in why


def test_what_was_rejected_can_be_wanted_after_all(desk: Desk) -> None:
    desk.pass_time(days=9)
    desk.night()
    assert desk.reject(desk.last())
    again, _ = once_more(desk, desk.last())
    assert again is not None
    assert again.occurrence == 2
    assert desk.night().kept == 1


@pytest.mark.parametrize("sent", [True, False])
def test_a_person_is_evidence_of_what_nobody_knows(desk: Desk, sent: bool) -> None:
    """Unknown; ann knows: accepted on its day with its notes, or failed and nobody's notes. Once."""
    with desk.shop.books.store.working() as work:
        work.execute(text("UPDATE messages SET state = 'unknown', sent_on = NULL"))
        work.commit()
    lost, how = desk.last(), Acceptance(desk.now.date(), writes=True)
    store, clock = desk.shop.books.store, FixedClock(desk.now)

    def say() -> bool:
        return settle.say(store, lost, sent=sent, author="ann", reason="she asked", how=how, clock=clock)

    assert say()
    assert not say()
    assert desk.last().state is (MessageState.ACCEPTED if sent else MessageState.FAILED)
    assert desk.shop.books.rows("SELECT count(*) FROM notes") == [(2 if sent else 0,)]
    assert desk.log(lost)[-1] == f"message_{desk.last().state} by ann"


def test_who_does_not_answer_within_three_business_days_is_reminded(shop: Shop) -> None:
    """Asked on Tuesday 09-01: Monday 09-07 is the fourth business day."""
    shop.owes("C1", "I1")
    desk = Desk(shop)
    desk.night()
    waits = []
    for _ in range(7):
        desk.night()
        with shop.books.store.reading() as work:
            waits.append(len(approvals.unanswered(work, shop.books.id, today=desk.now.date())))
        desk.pass_time(days=1)
    assert waits == [0, 0, 0, 0, 0, 0, 1]


def test_a_statement_by_hand_is_a_persons_own_with_the_last_gate_and_once(desk: Desk) -> None:
    """09-01, hours after the first step: the gap is no matter; what is paid before the gate is out of it."""
    books = desk.shop.books

    def ask() -> tuple[str, Message | None, str]:
        (made,) = statement(books.store, books.connection, desk.policy(), "C1", author="ann", now=desk.now)
        return made

    currency, made, why = ask()
    assert made is not None, why
    assert (currency, made.step_id, made.asked_by, made.reason) == (
        "EUR", "account_statement", "ann", "as ann wants; by the playbook",
    )  # fmt: skip
    assert desk.items(made) == [("I1", "100.00"), ("I2", "100.00")]
    assert "waits" in ask()[2] or "on its way" in ask()[2]
    assert desk.night().kept == 1
    desk.pays("C1", "I2")
    assert desk.night().superseded == 1
    (message,) = desk.claim()
    assert desk.items(message) == [("I1", "100.00")]
    assert message.asked_by == "ann"
    assert desk.confirm(message)[0] is Confirmation.HOLDS
    assert desk.pass_gate(message) is None
