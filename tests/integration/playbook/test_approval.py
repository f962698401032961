"""An approval is for what was seen, lasts to the next send window, and can be taken back until the last gate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from tests.integration.playbook.desk import OFFICE_HOURS, Desk
from tests.integration.playbook.shop import SELLER, Shop

from arsync.domain.chase import Rule
from arsync.domain.policy import StepMode
from arsync.domain.states import MessageState
from arsync.playbook.confirm import Confirmation
from arsync.store import pay_links

LINKS = "{% for item in demanded %}{% if item.pay_link %}{{ item.pay_link }}{% endif %}{% endfor %}"


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """C1 owes I1 and I2, overdue since 08-25; it is noon on Tuesday, 09-01, and every message needs a person. C1 is in
    Berlin, where the window of 9 to 17 ends at 15:00 UTC."""
    shop.write("standard", rest=OFFICE_HOURS)
    shop.owes("C1", "I1")
    shop.owes("C1", "I2")
    return Desk(shop)


def planned(desk: Desk) -> MessageState:
    desk.night()
    return desk.last().state


def test_what_was_approved_goes_as_it_was_seen(desk: Desk) -> None:
    """09-01 12:00 planned, 13:00 approved, until the window of 09-02 closes; 09-02 10:00 it passes the gate."""
    assert planned(desk) is MessageState.PLANNED
    desk.pass_time(hours=1)
    assert desk.approve(desk.last())
    assert desk.last().approved_until == datetime(2026, 9, 2, 15, tzinfo=UTC)
    desk.pass_time(hours=21)
    desk.night()
    (message,) = desk.claim()
    assert desk.confirm(message)[0] is Confirmation.HOLDS
    assert desk.pass_gate(message) is None
    assert desk.log(message) == [
        "message_planned by arsync", "message_approved by ann", "message_sending by arsync",
    ]  # fmt: skip


def test_an_approval_given_while_the_window_is_closed_lasts_to_the_end_of_the_next(desk: Desk) -> None:
    desk.pass_time(hours=8)  # 20:00
    desk.night()
    desk.approve(desk.last())
    assert desk.last().approved_until == datetime(2026, 9, 2, 15, tzinfo=UTC)


def test_what_has_not_gone_when_the_window_closes_waits_for_a_person_again(desk: Desk) -> None:
    """09-01 approved; 09-02 nothing ran; 09-03 it is in the queue again and says why."""
    desk.night()
    desk.approve(desk.last())
    desk.pass_time(days=2)
    assert desk.claim() == []
    desk.night()
    message = desk.last()
    assert (message.state, message.approved_by, message.approved_as) == (MessageState.PLANNED, None, None)
    assert (
        "look at it again: the send window of 2026-09-02 15:00 UTC closed before it went, approved by ann"
        in message.reason
    )
    assert desk.log(message)[-1] == "approval_expired by arsync"


def test_an_approval_that_ends_between_claim_and_gate_ends(desk: Desk) -> None:
    desk.night()
    desk.approve(desk.last())
    desk.pass_time(days=1, hours=2, minutes=59)
    (message,) = desk.claim()
    desk.pass_time(minutes=2)
    answer, reason = desk.confirm(message)
    assert answer is Confirmation.WITHDRAWN
    assert "look at it again" in reason
    assert desk.last().state is MessageState.PLANNED
    assert desk.pass_gate(message) is not None


# --- the facts change ------------------------------------------------------------------------------------------


def test_a_payment_after_the_approval_asks_the_person_again(desk: Desk) -> None:
    desk.night()
    desk.approve(desk.last())
    (message,) = desk.claim()
    desk.pays("C1", "I2")
    answer, reason = desk.confirm(message)
    assert (answer, reason) == (
        Confirmation.WITHDRAWN, "the facts changed right before it went out: No I2 is not in it any more",
    )  # fmt: skip
    again = desk.last()
    assert (again.id != message.id, again.state) == (True, MessageState.PLANNED)
    assert again.reason == (
        "a person must approve it; approved by ann before the facts changed: No I2 is not in it any more"
    )
    assert desk.items(again) == [("I1", "100.00")]
    assert desk.claim() == []


def test_words_that_would_be_others_ask_again_also_where_all_facts_are_the_same(desk: Desk) -> None:
    """A link to pay online has come since: it stands in no fact that is compared, and in the message."""
    for kind in ("html", "txt"):
        template = desk.shop.folder / "templates" / f"friendly.en.{kind}.j2"
        template.write_text(f"{template.read_text()}{LINKS}")
    desk.night(pay_links=True)
    desk.approve(desk.last())
    (message,) = desk.claim()
    with desk.shop.books.store.working() as work:
        pay_links.keep(work, desk.shop.books.id, "I1", "https://pay.example/1", now=desk.now)
        work.commit()
    assert desk.confirm(message, pay_links=True)[0] is Confirmation.WITHDRAWN
    assert desk.last().state is MessageState.PLANNED


def test_may_shrink_lets_paid_invoices_drop_out_and_the_rest_go(desk: Desk) -> None:
    desk.night()
    desk.approve(desk.last(), may_shrink=True)
    (message,) = desk.claim()
    desk.pays("C1", "I2")
    assert desk.confirm(message)[0] is Confirmation.WITHDRAWN
    (smaller,) = desk.claim()
    assert desk.items(smaller) == [("I1", "100.00")]
    assert (smaller.approved_by, smaller.amount) == ("ann", message.amount / 2)
    assert smaller.approved_until == message.approved_until
    assert desk.confirm(smaller)[0] is Confirmation.HOLDS
    assert desk.pass_gate(smaller) is None


@pytest.mark.parametrize("change", ["a part is paid", "another falls due", "another bank account"])
def test_may_shrink_allows_for_nothing_else(desk: Desk, change: str) -> None:
    desk.night()
    desk.approve(desk.last(), may_shrink=True)
    (message,) = desk.claim()
    policy = {}
    if change == "a part is paid":
        desk.pays("C1", "I2", "40.00", left="60.00")
    elif change == "another falls due":
        desk.pays("C1", "I2")
        desk.shop.owes("C1", "I3")
    else:
        desk.pays("C1", "I2")
        policy = {"seller": replace(SELLER, bank_details={"EUR": "IBAN 9"})}
    assert desk.confirm(message, **policy)[0] is Confirmation.WITHDRAWN
    assert desk.last().state is MessageState.PLANNED


def test_when_all_is_paid_nothing_is_asked(desk: Desk) -> None:
    desk.night()
    desk.approve(desk.last(), may_shrink=True)
    for invoice_id in ("I1", "I2"):
        desk.pays("C1", invoice_id)
    desk.night()
    assert [message.state for message in desk.messages()] == [MessageState.SUPERSEDED]


# --- taking it back --------------------------------------------------------------------------------------------


def test_within_the_undo_window_nothing_is_claimed_and_it_can_be_taken_back(desk: Desk) -> None:
    desk.night()
    desk.approve(desk.last(), undo=15)
    desk.pass_time(minutes=14)
    assert desk.claim() == []
    assert desk.take_back(desk.last())
    desk.pass_time(minutes=5)
    assert desk.claim() == []
    assert desk.last().state is MessageState.PLANNED


def test_a_claimed_message_that_is_taken_back_or_rejected_does_not_pass_the_gate(desk: Desk) -> None:
    for stop in (desk.take_back, desk.reject):
        desk.night()
        if desk.last().state is MessageState.PLANNED:
            desk.approve(desk.last())
        (message,) = desk.claim()
        assert desk.confirm(message)[0] is Confirmation.HOLDS
        assert stop(message)
        assert desk.pass_gate(message) is not None


# --- no --------------------------------------------------------------------------------------------------------


def test_what_was_rejected_is_not_planned_again_until_it_would_say_something_else(desk: Desk) -> None:
    """
    09-01 ann says no               held: rejected
    09-02 nothing has changed       held: no message is planned
    09-03 I2 is paid                planned anew, about I1 alone
    """
    desk.night()
    assert desk.reject(desk.last())
    assert desk.log(desk.last())[-1] == "message_rejected by ann"
    for _ in range(2):
        assert desk.night().planned == 0
        desk.pass_time(days=1)
    assert desk.night().planned == 0
    said = desk.shop.said("I1")
    assert said.rule is Rule.REJECTED
    assert "rejected by ann: wrong tone" in said.reason
    desk.pays("C1", "I2")
    desk.night()
    assert (desk.last().state, desk.items(desk.last())) == (MessageState.PLANNED, [("I1", "100.00")])


# --- other words -----------------------------------------------------------------------------------------------


def test_edited_words_go_out_as_they_are_on_a_later_day_too(desk: Desk) -> None:
    desk.night()
    assert desk.edit(desk.last(), "Dear Ada, as we said on the phone.")
    desk.approve(desk.last())
    desk.pass_time(days=1)
    (message,) = desk.claim()
    assert desk.confirm(message)[0] is Confirmation.HOLDS
    assert desk.last().text == "Dear Ada, as we said on the phone."


def test_words_edited_after_the_approval_need_another_one(desk: Desk) -> None:
    desk.night()
    shown = desk.last()
    desk.approve(shown)
    assert desk.edit(desk.last(), "Something else")
    assert (desk.last().state, desk.last().approved_by) == (MessageState.PLANNED, None)
    assert not desk.approve(shown), "who approves what was there before has not seen this"
    assert desk.approve(desk.last())


def test_words_that_changed_behind_an_approval_do_not_go_out(desk: Desk) -> None:
    desk.night()
    desk.edit(desk.last(), "Dear Ada")
    desk.approve(desk.last())
    with desk.shop.books.store.working() as work:
        work.execute(text("UPDATE message_words SET text = 'Pay or else'"))
        work.commit()
    (message,) = desk.claim()
    answer, reason = desk.confirm(message)
    assert (answer, desk.last().state) == (Confirmation.WITHDRAWN, MessageState.PLANNED)
    assert "not those that ann approved" in reason


def test_edited_words_are_discarded_when_the_facts_change_and_the_new_message_says_so(desk: Desk) -> None:
    desk.night()
    desk.edit(desk.last(), "You owe us two hundred.")
    desk.approve(desk.last(), may_shrink=True)
    desk.pays("C1", "I2")
    desk.night()
    again = desk.last()
    assert (again.state, again.edited_by) == (MessageState.PLANNED, None)
    assert "two hundred" not in again.text
    assert again.reason.endswith("No I2 is not in it any more; the edited words are discarded")


def test_an_edited_message_waits_for_a_person_also_where_messages_go_by_themselves(desk: Desk) -> None:
    desk.mode = StepMode.AUTO
    desk.night()
    assert desk.edit(desk.last(), "Dear Ada")
    desk.night()
    assert (len(desk.messages()), desk.last().state) == (1, MessageState.PLANNED)
    assert desk.claim() == []
