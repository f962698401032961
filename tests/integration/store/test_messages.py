"""Messages: one live per chase, moved along arrows only, claimed by one worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.integration.store.books import FIRM, NOW, TERM, TODAY, Books, a_draft, at, customer, invoice

from arsync.domain.states import EFFECTIVE, LIVE, MESSAGE_ARROWS, MessageState
from arsync.store import claims, messages, planned, threads
from arsync.store.engine import Store

M = MessageState


@pytest.fixture
def owed(books: Books) -> Books:
    """Three customers, each with an open invoice and a chase."""
    for number in (1, 2, 3):
        books.keep(customer(f"C{number}"), invoice(f"I{number}", customer=f"C{number}"))
    books.follow()
    return books


def force(books: Books, message_id: int, state: MessageState) -> None:
    with books.store.working() as work:
        work.execute(
            text("UPDATE messages SET state = :state WHERE id = :id"), {"state": state.value, "id": message_id}
        )
        work.commit()


def move(books: Books, message_id: int, origin: MessageState, target: MessageState, token: str | None = None) -> bool:
    with books.store.working() as work:
        moved = messages.move(work, message_id, origin, target, reason="as the test says", now=NOW, token=token)
        work.commit()
    return moved


@pytest.mark.parametrize("state", sorted(LIVE))
def test_a_second_live_message_of_a_chase_is_impossible(owed: Books, state: MessageState) -> None:
    first = owed.plan()
    force(owed, first, state)
    for new in (M.PLANNED, M.APPROVED):
        with pytest.raises(IntegrityError):
            owed.plan(step=FIRM, state=new)
    second = owed.plan("C2", invoices=("I2",))
    with owed.store.working() as work, pytest.raises(IntegrityError):
        work.execute(text("UPDATE messages SET chase_id = 1, step_id = 'x' WHERE id = :id"), {"id": second})
    force(owed, first, M.ACCEPTED)
    third = owed.plan(step=FIRM)
    for new in sorted(LIVE):
        with pytest.raises(IntegrityError):
            force(owed, first, new)
    assert owed.message(third).state is M.APPROVED


@pytest.mark.parametrize("state", sorted(set(M) - LIVE))
def test_a_message_that_is_over_leaves_room_for_the_next(owed: Books, state: MessageState) -> None:
    force(owed, owed.plan(), state)
    with owed.store.reading() as work:
        assert messages.live_of(work, owed.chase().id) is None
    again = owed.plan()
    assert owed.message(again).revision == 2
    with owed.store.reading() as work:
        live = messages.live_of(work, owed.chase().id)
    assert live is not None
    assert live.id == again


def test_two_that_plan_the_same_chase_at_once_end_with_one_message(
    owed: Books, another_store: Callable[[], Store]
) -> None:
    chase = owed.chase()
    outcomes: list[str] = []
    stores = [another_store() for _ in range(4)]
    at_once = threading.Barrier(len(stores))

    def plan(store: Store) -> None:
        at_once.wait()
        try:
            with store.working() as work:
                planned.plan(work, a_draft(chase), now=NOW, today=TODAY)
                work.commit()
            outcomes.append("planned")
        except IntegrityError:
            outcomes.append("refused")

    in_threads([lambda store=store: plan(store) for store in stores])  # type: ignore[misc]
    assert sorted(outcomes) == ["planned", "refused", "refused", "refused"]


def test_only_the_arrows_can_be_walked(owed: Books) -> None:
    message_id = owed.plan()
    for origin in M:
        for target in M:
            force(owed, message_id, origin)
            if target in MESSAGE_ARROWS[origin]:
                assert move(owed, message_id, origin, target)
                assert owed.message(message_id).state is target
                assert not move(owed, message_id, origin, target) or target is origin, "the second finds it moved"
            else:
                with pytest.raises(AssertionError, match="no arrow"):
                    move(owed, message_id, origin, target)
                assert owed.message(message_id).state is origin


def test_a_state_that_is_none_is_refused_by_the_database(owed: Books) -> None:
    message_id = owed.plan()
    with owed.store.working() as work, pytest.raises(IntegrityError):
        work.execute(text("UPDATE messages SET state = 'posted' WHERE id = :id"), {"id": message_id})


def test_every_move_is_in_the_log_with_its_message(owed: Books) -> None:
    message_id = owed.plan()
    assert not move(owed, message_id, M.PLANNED, M.CANCELLED)
    assert move(owed, message_id, M.APPROVED, M.CANCELLED)
    rows = owed.rows(f"SELECT kind, chase_id FROM events WHERE message_id = {message_id} ORDER BY id")
    assert rows == [("message_planned", owed.chase().id), ("message_cancelled", owed.chase().id)]


def test_a_message_reads_back_as_it_was_drafted(owed: Books) -> None:
    message = owed.message(owed.plan(invoices=("I1", "I9"), amount="12.50"))
    assert (message.payer_id, message.step_id, message.occurrence, message.revision) == ("C1", "friendly", 1, 1)
    assert (message.currency, str(message.amount)) == ("EUR", "25.00")
    assert message.recipients == ("Ada <ada@example.com>",)
    assert (message.planned_at, message.planned_on, message.attempts) == (NOW, TODAY, 0)
    with owed.store.reading() as work:
        named = messages.items(work, message.id)
        assert [(item.invoice_id, item.demanded) for item in named] == [("I1", True), ("I9", True), ("I-young", False)]
        assert [one.id for one in messages.of_invoice(work, owed.id, "I9")] == [message.id]
        assert [one.id for one in messages.of_chase(work, message.chase_id)] == [message.id]
        assert messages.counts(work) == {"approved": 1}


# --- claims ---------------------------------------------------------------------------------------------------------


def test_the_most_money_is_claimed_first(owed: Books) -> None:
    for number, amount in ((1, "5.00"), (2, "900.00"), (3, "50.00")):
        owed.plan(f"C{number}", invoices=(f"I{number}",), amount=amount)
    assert [message.payer_id for message in owed.claim(limit=2)] == ["C2", "C3"]
    assert [message.payer_id for message in owed.claim()] == ["C1"]
    assert owed.claim() == []


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_claim_costs_the_same_however_many_wait(owed: Books) -> None:
    """Five of twenty and five of three hundred, in steps of SQLite's machine."""

    def waiting(first: int, end: int) -> None:
        owed.keep(*(customer(f"D{number}") for number in range(first, end)))
        owed.keep(*(invoice(f"J{number}", customer=f"D{number}") for number in range(first, end)))
        owed.follow()
        for number in range(first, end):
            owed.plan(f"D{number}", invoices=(f"J{number}",))

    def steps() -> int:
        taken: list[None] = []
        with owed.store.working() as work:
            work.driver.set_progress_handler(lambda: taken.append(None), 1)
            _, claimed = claims.claim(work, owed.id, limit=5, term=TERM, now=NOW)
            work.driver.set_progress_handler(None, 1)
            work.commit()
        assert len(claimed) == 5
        return len(taken)

    waiting(0, 20)
    few = steps()
    waiting(20, 300)
    assert few > 100, "nothing was counted"
    assert steps() < few * 1.1


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_conversation_is_found_at_the_same_cost_however_many_mails_ever_went(owed: Books) -> None:
    """One chase's of three mails and of two hundred, in steps of SQLite's machine."""

    def gone(first: int, end: int) -> None:
        owed.keep(*(customer(f"D{number}") for number in range(first, end)))
        owed.keep(*(invoice(f"J{number}", customer=f"D{number}") for number in range(first, end)))
        owed.follow()
        for number in range(first, end):
            force(owed, owed.plan(f"D{number}", invoices=(f"J{number}",)), M.ACCEPTED)

    def steps() -> int:
        taken: list[None] = []
        with owed.store.reading() as work:
            work.driver.set_progress_handler(lambda: taken.append(None), 1)
            assert threads.before_each(work, [mine]) == {mine.id: ()}
            work.driver.set_progress_handler(None, 1)
        return len(taken)

    gone(0, 3)
    with owed.store.reading() as work:
        (mine,) = messages.of_chase(work, owed.chase("D0").id)
    few = steps()
    gone(3, 200)
    assert few > 10, "nothing was counted"
    assert steps() < few + 20


def test_only_what_is_approved_and_due_is_claimed(owed: Books) -> None:
    owed.plan("C1", state=M.PLANNED)
    later = owed.plan("C2", invoices=("I2",))
    with owed.store.working() as work:
        messages.move(work, later, M.APPROVED, M.CLAIMED, reason="", now=NOW)
        messages.move(work, later, M.CLAIMED, M.APPROVED, reason="", now=NOW, not_before=at(5))
        work.commit()
    assert owed.claim(now=at(4)) == []
    assert [message.id for message in owed.claim(now=at(5))] == [later]


def test_many_workers_never_claim_the_same_message(owed: Books, another_store: Callable[[], Store]) -> None:
    owed.keep(*(customer(f"D{number}") for number in range(12)))
    owed.keep(*(invoice(f"J{number}", customer=f"D{number}") for number in range(12)))
    owed.follow()
    for number in range(12):
        owed.plan(f"D{number}", invoices=(f"J{number}",))
    claimed: list[int] = []
    stores = [another_store() for _ in range(4)]
    at_once = threading.Barrier(len(stores))

    def work_on(store: Store) -> None:
        at_once.wait()
        while True:
            with store.working() as work:
                _, mine = claims.claim(work, owed.id, limit=1, term=TERM, now=NOW)
                work.commit()
            if not mine:
                return
            claimed.extend(message.id for message in mine)

    in_threads([lambda store=store: work_on(store) for store in stores])  # type: ignore[misc]
    assert len(claimed) == len(set(claimed)) == 12


def test_on_postgresql_a_worker_passes_by_what_another_is_claiming(
    owed: Books, another_store: Callable[[], Store], database: str
) -> None:
    first, second = owed.plan("C1"), owed.plan("C2", invoices=("I2",))
    if database == "sqlite":  # one writer at a time: nothing to pass by
        assert [message.id for message in owed.claim(limit=1) + owed.claim(limit=1)] == [first, second]
        return
    with owed.store.working() as slow:
        _, mine = claims.claim(slow, owed.id, limit=1, term=TERM, now=NOW)
        with another_store().working() as quick:
            _, theirs = claims.claim(quick, owed.id, limit=5, term=TERM, now=NOW)
            quick.commit()
        slow.commit()
    assert ([one.id for one in mine], [one.id for one in theirs]) == ([first], [second])


def test_a_lost_claim_moves_nothing(owed: Books) -> None:
    owed.plan()
    (old,) = owed.claim()
    assert move(owed, old.id, M.CLAIMED, M.APPROVED, token=old.claim_token)
    (new,) = owed.claim()
    assert old.claim_token != new.claim_token
    assert not owed.confirm(old)
    assert not move(owed, old.id, M.CLAIMED, M.SUPERSEDED, token=old.claim_token)
    assert owed.confirm(new)


def test_abandoned_claims_and_sendings_are_found_by_time_and_by_death(owed: Books) -> None:
    for number in (1, 2, 3):
        owed.plan(f"C{number}", invoices=(f"I{number}",))
    mine, dead, sent = owed.claim()
    with owed.store.working() as work:
        ours = work.execute(text("SELECT claimed_by FROM messages")).scalars().first()
        assert ours is not None
        gone = f"{ours.partition(' start ')[0]} start 1"
        work.execute(text("UPDATE messages SET claimed_by = :gone WHERE id = :id"), {"gone": gone, "id": dead.id})
        messages.move(work, sent.id, M.CLAIMED, M.SENDING, reason="", now=NOW, sending_at=NOW)
        work.commit()
    with owed.store.reading() as work:
        assert claims.abandoned_claims(work, [owed.id], now=NOW) == [dead.id]
        assert claims.abandoned_claims(work, [owed.id], now=NOW + TERM) == [mine.id, dead.id]
        assert claims.abandoned_sendings(work, [owed.id], before=NOW - timedelta(seconds=1)) == []
        assert claims.abandoned_sendings(work, [owed.id], before=NOW) == [sent.id]
        assert claims.abandoned_claims(work, [owed.id + 1], now=NOW + TERM) == []
        assert claims.abandoned_sendings(work, [owed.id + 1], before=NOW) == []


def test_every_live_state_is_in_the_index_and_no_effective_one_is() -> None:
    assert not LIVE & EFFECTIVE
    assert sorted(LIVE) == ["approved", "claimed", "planned", "sending", "unknown"]


def in_threads(tasks: list[Callable[[], None]]) -> None:
    """Runs them all at once and waits; an error in one is raised here."""
    errors: list[BaseException] = []

    def run(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
