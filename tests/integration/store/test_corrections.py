"""What was asked for though it had been paid is found out when the books tell of it, once, and never on a guess."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from tests.integration.store.books import NOW, TODAY, Books, at, credit, customer, invoice, payment

from arsync.domain.documents import CreditState
from arsync.domain.policy import ACCOUNT, APOLOGY
from arsync.domain.states import MessageState
from arsync.outbox.accept import Acceptance, accept
from arsync.outbox.facts import mark_sent
from arsync.store import corrections, events, messages, settled, tables

WAY = (MessageState.APPROVED, MessageState.CLAIMED, MessageState.SENDING, MessageState.ACCEPTED)
BEFORE, ON_THE_DAY, AFTER = (TODAY + timedelta(days=days) for days in (-3, 0, 2))


@pytest.fixture
def asked(books: Books) -> int:
    """A message of 09-01 for I1, over 100.00."""
    books.keep(customer(), invoice("I1"))
    books.follow()
    number = books.plan()
    with books.store.working() as work:
        for here, there in pairwise(WAY):
            more: dict[str, Any] = {"sent_on": TODAY, "accepted_at": NOW} if there is MessageState.ACCEPTED else {}
            assert messages.move(work, number, here, there, reason="sent", now=NOW, **more)
        work.commit()
    return number


def found(books: Books) -> list[tuple[int, str, date]]:
    with books.store.working() as work:
        news = corrections.look(work, books.id, since=TODAY - timedelta(days=60), now=at(60))
        work.commit()
    return [(one.message_id, one.invoice_id, one.paid_on) for one in news]


def paid(books: Books, *money: object) -> None:
    books.keep(*money, invoice("I1", "0.00", minutes=30))  # type: ignore[arg-type]


def test_a_payment_entered_later_with_an_earlier_day_is_a_correction_once(books: Books, asked: int) -> None:
    """08-29 the money comes / 09-01 the message / 09-03 the payment is entered."""
    assert found(books) == []
    paid(books, payment(on={"I1": "100.00"}, received_on=BEFORE, minutes=30))
    assert found(books) == [(asked, "I1", BEFORE)]
    assert found(books) == []
    with books.store.working() as work:
        told = [one.kind for one in events.of_chase(work, messages.get(work, asked).chase_id)]
        assert told.count("paid_before_accepted") == 1
        assert [one.number for one in corrections.unsettled(work, books.id)] == ["No I1"]
        assert corrections.settle(work, [asked], author="Ada", now=NOW) == 1
        assert corrections.unsettled(work, books.id) == []
        assert [one.settled_by for one in corrections.every(work)] == ["Ada"]


@pytest.mark.parametrize("came", [ON_THE_DAY, AFTER])
def test_money_of_the_same_day_or_later_is_no_correction(books: Books, asked: int, came: date) -> None:
    paid(books, payment(on={"I1": "100.00"}, received_on=came, minutes=30))
    assert found(books) == []


def test_what_was_paid_in_part_before_and_the_rest_after_was_rightly_asked_for(books: Books, asked: int) -> None:
    early = payment("P1", "60.00", on={"I1": "60.00"}, received_on=BEFORE, minutes=30)
    paid(books, early, payment("P2", "40.00", on={"I1": "40.00"}, received_on=AFTER, minutes=30))
    assert found(books) == []


def test_what_only_a_credit_note_cleared_was_not_paid(books: Books, asked: int) -> None:
    paid(books, credit(total="100.00", on={"I1": "100.00"}, minutes=30))
    assert found(books) == []


def test_an_apology_that_has_gone_answers_for_its_invoices(books: Books, asked: int) -> None:
    paid(books, payment(on={"I1": "100.00"}, received_on=BEFORE, minutes=30))
    found(books)
    since = TODAY - timedelta(days=60)
    with books.store.working() as work:
        assert settled.read(work, books.id, None, today=TODAY, since=since).wrongly == {"I1"}
        assert corrections.answered_by(work, books.id, ["I1", "I9"], author="message 7", now=NOW) == 1
        assert corrections.unsettled(work) == []
        assert settled.read(work, books.id, None, today=TODAY, since=since).wrongly == frozenset()
        assert [one.settled_by for one in corrections.every(work)] == ["message 7"]


def wrongly(books: Books) -> frozenset[str]:
    with books.store.working() as work:
        return settled.read(work, books.id, None, today=AFTER, since=TODAY - timedelta(days=60)).wrongly


def test_a_payment_that_is_taken_back_takes_its_correction_back(books: Books, asked: int) -> None:
    """08-29 the cheque / 09-01 the message / it bounces, and is paid really on 09-03 / it had been the bank's error."""
    cheque = payment(on={"I1": "100.00"}, received_on=BEFORE, minutes=30)
    paid(books, cheque)
    assert found(books)
    bounced = payment(state=CreditState.VOID, minutes=40, on={}, unapplied=Decimal(0))
    books.keep(bounced, invoice("I1", "100.00", minutes=40))
    assert found(books) == []
    with books.store.working() as work:
        assert corrections.unsettled(work) == []
        assert [one.settled_by for one in corrections.every(work)] == [corrections.TAKEN_BACK]
        assert len(events.of_kind(work, books.id, "correction_withdrawn")) == 1
    books.keep(payment("P2", on={"I1": "100.00"}, received_on=AFTER, minutes=50), invoice("I1", "0.00", minutes=50))
    assert found(books) == []
    assert wrongly(books) == frozenset()
    books.keep(
        payment("P2", state=CreditState.VOID, on={}, unapplied=Decimal(0), minutes=55),
        payment("P3", on={"I1": "100.00"}, received_on=BEFORE, minutes=55),
        invoice("I1", "0.00", minutes=55),
    )
    assert found(books) == [(asked, "I1", BEFORE)], "entered anew with its old day"
    assert wrongly(books) == {"I1"}


def test_what_went_to_the_trial_address_asked_the_customer_for_nothing(books: Books, asked: int) -> None:
    with books.store.working() as work:
        work.execute(tables.messages.update().values(diverted_to="me@us.example"))
        work.commit()
    paid(books, payment(on={"I1": "100.00"}, received_on=BEFORE, minutes=30))
    assert found(books) == []


@pytest.mark.parametrize(("diverted_to", "waiting"), [(None, 0), ("me@us.example", 1)])
def test_only_an_apology_that_went_to_the_customer_answers(
    books: Books, asked: int, diverted_to: str | None, waiting: int
) -> None:
    paid(books, payment(on={"I1": "100.00"}, received_on=BEFORE, minutes=30))
    found(books)
    sorry = books.plan(occurrence=2)
    how = Acceptance(TODAY, writes=False, diverted_to=diverted_to)
    with books.store.working() as work:
        for here, there in pairwise(WAY[:-1]):
            assert messages.move(work, sorry, here, there, reason="sent", now=NOW)
        work.execute(tables.messages.update().where(tables.messages.c.id == sorry).values(step_id=APOLOGY))
        said = messages.get(work, sorry)
        assert accept(work, said, MessageState.SENDING, reference=None, reason="taken", how=how, now=NOW)
        assert len(corrections.unsettled(work)) == waiting


def test_a_statement_of_account_asked_for_nothing(books: Books, asked: int) -> None:
    """Nobody says sorry for one, nobody is thanked for what only it named, and it marks no invoice as sent."""
    with books.store.working() as work:
        work.execute(tables.messages.update().values(step_id=ACCOUNT))
        work.commit()
    paid(books, payment(on={"I1": "100.00"}, received_on=BEFORE, minutes=30))
    assert found(books) == []
    with books.store.working() as work:
        assert settled.read(work, books.id, None, today=AFTER, since=TODAY - timedelta(days=60)).paid == {}
        work.execute(tables.invoices.update().values(sent=False))
        assert mark_sent(work, messages.get(work, asked), now=NOW) == 0


@pytest.mark.usefixtures("asked")
def test_what_money_did_is_known_of_whoever_pays_now_alone_or_among_all(books: Books) -> None:
    """I1 was asked of C1 and is P1's by now; a part comes in, and last the rest. E9 owes nothing."""
    books.keep(customer("P1"), invoice("I2"), invoice("I3", customer="P1"))
    books.follow()
    books.keep(invoice("I1", "40.00", customer="P1", minutes=30))
    books.keep(payment(on={"I1": "60.00"}, minutes=30))
    books.follow()

    def read(*who: str) -> settled.Settled:
        with books.store.reading() as work:
            return settled.read(work, books.id, who or None, today=TODAY, since=TODAY - timedelta(days=60))

    assert list(read().in_part) == ["I1"]
    assert [list(read(who).in_part) for who in ("P1", "E9")] == [["I1"], []]
    books.keep(payment(on={"I1": "100.00"}, minutes=40), invoice("I1", "0.00", customer="P1", minutes=40))
    assert list(read().paid) == [("P1", "EUR")]
    assert read("P1", "E9") == read("P1") == read()
