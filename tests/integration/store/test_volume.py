"""What leaves by itself, day by day: what the cap and the breaker compare with."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from tests.integration.store.books import FRIENDLY, NOW, TODAY, Books, customer, invoice, open_books

from arsync.domain.policy import ACCOUNT, StepChannel
from arsync.domain.states import MessageState
from arsync.store import messages, tables, volume


@pytest.fixture
def sending(books: Books) -> Books:
    """A payer with an invoice to write about."""
    books.keep(customer(), invoice())
    books.follow()
    return books


def leave(
    books: Books, on: date, count: int, *, state: MessageState = MessageState.ACCEPTED, **changes: object
) -> None:
    """So many messages leave that day."""
    with books.store.reading() as work:
        before = sum(messages.counts(work).values())
    for occurrence in range(before + 1, before + count + 1):
        message_id = books.plan(occurrence=occurrence)
        with books.store.working() as work:
            for origin, target in (
                (MessageState.APPROVED, MessageState.CLAIMED),
                (MessageState.CLAIMED, MessageState.SENDING),
                (MessageState.SENDING, state),
            ):
                if target is not origin:
                    messages.move(work, message_id, origin, target, reason="as told", now=NOW)
            values = {"sent_on": on, **changes}
            work.execute(tables.messages.update().where(tables.messages.c.id == message_id).values(**values))
            work.commit()


def usual(books: Books) -> Decimal | None:
    with books.store.reading() as work:
        return volume.usual(work, books.id, before=TODAY)


def gone_today(books: Books) -> int:
    with books.store.reading() as work:
        return volume.gone(work, books.id, on=TODAY)


def test_the_usual_is_the_mean_of_the_last_days_on_which_any_left(sending: Books) -> None:
    for ago, count in ((9, 4), (7, 6), (5, 5), (3, 5)):
        leave(sending, TODAY - timedelta(days=ago), count)
    assert usual(sending) is None, "four days are too few to tell"
    leave(sending, TODAY - timedelta(days=1), 10)
    leave(sending, TODAY, 40)
    assert usual(sending) == Decimal(6), "today is not counted among the usual days"


def test_of_today_all_that_left_or_may_have_left_counts(sending: Books) -> None:
    leave(sending, TODAY, 2)
    leave(sending, TODAY - timedelta(days=1), 3)
    leave(sending, TODAY, 1, approved_by="ann")
    leave(sending, TODAY, 1, channel=StepChannel.CALL.value)
    assert gone_today(sending) == 2, "neither what a person approved nor a call"
    leave(sending, TODAY, 1, state=MessageState.UNKNOWN, sent_on=None)
    assert gone_today(sending) == 3, "it may have left"


def test_another_connection_is_not_counted(sending: Books) -> None:
    other = open_books(sending.store, "mill", provider="xero")
    leave(sending, TODAY, 2)
    assert gone_today(other) == 0


def test_what_never_left_is_not_counted(sending: Books) -> None:
    sending.plan(step=FRIENDLY)
    assert gone_today(sending) == 0


def test_statements_of_account_make_no_day_unusual_and_are_counted_to_the_cap(sending: Books) -> None:
    for ago in range(1, 6):
        leave(sending, TODAY - timedelta(days=ago), 1)
    leave(sending, TODAY - timedelta(days=1), 9, step_id=ACCOUNT)
    leave(sending, TODAY, 1)
    leave(sending, TODAY, 3, step_id=ACCOUNT)
    assert usual(sending) == Decimal(1)
    assert gone_today(sending) == 4
    with sending.store.reading() as work:
        assert volume.asked(work, sending.id, on=TODAY) == 1
