"""Chases follow what is owed; holds and notes are moved by one hand at a time; verdicts are intervals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.integration.store.books import NOW, TODAY, Books, a_hold, at, customer, gone, invoice, payment

from arsync.connector import NoteTarget, Resource, TargetKind
from arsync.domain.chase import Rule, Verdict
from arsync.domain.states import NOTE_ARROWS, ChaseState, Decision, HoldState, MessageState, NoteState
from arsync.store import chases, holds, messages, notes, verdicts
from arsync.store.engine import Store

TERM = timedelta(minutes=10)


def states(books: Books) -> list[tuple[object, ...]]:
    return books.rows("SELECT payer_id, currency, state FROM chases ORDER BY id")


# --- chases ----------------------------------------------------------------------------------------------------------


def test_a_chase_opens_with_the_first_item_and_closes_when_clear(books: Books) -> None:
    books.keep(
        customer("C1"), customer("C2"), customer("C2a", parent_id="C2"),
        invoice("I1"), invoice("I2", currency="USD"), invoice("I3", customer="C2a"),
    )  # fmt: skip
    assert books.follow() == (3, 0)
    assert states(books) == [("C1", "EUR", "open"), ("C1", "USD", "open"), ("C2", "EUR", "open")]
    assert books.follow() == (0, 0), "nothing new, nothing done"
    books.keep(invoice("I1", "0.00", minutes=1), gone(Resource.INVOICES, "I3"))
    assert books.follow(at(60)) == (0, 2)
    assert states(books) == [("C1", "EUR", "clear"), ("C1", "USD", "open"), ("C2", "EUR", "clear")]


def test_who_paid_up_and_owes_anew_gets_a_new_chase(books: Books) -> None:
    books.keep(customer(), invoice("I1"))
    books.follow()
    books.keep(invoice("I1", "0.00", minutes=1), invoice("I2", "0.00"))
    books.follow()
    books.keep(invoice("I3", minutes=2))
    assert books.follow(at(90)) == (1, 0)
    assert states(books) == [("C1", "EUR", "clear"), ("C1", "EUR", "open")]
    assert books.chase().opened_at == at(90)


def test_a_reversed_payment_reopens_the_chase_that_had_spoken_of_it(books: Books) -> None:
    books.keep(customer(), invoice("I1"))
    books.follow()
    before = books.chase()
    message_id = books.plan()
    with books.store.working() as work:
        work.execute(text("UPDATE messages SET state = 'accepted'"))
        work.commit()
    books.keep(invoice("I1", "0.00", minutes=1), payment(on={"I1": "100.00"}))
    books.follow()
    assert states(books) == [("C1", "EUR", "clear")]
    books.keep(invoice("I1", "100.00", minutes=2), gone(Resource.PAYMENTS, "P1"))
    assert books.follow() == (1, 0)
    after = books.chase()
    assert (after.id, after.state) == (before.id, ChaseState.REOPENED)
    assert after.version > before.version
    assert books.message(message_id).chase_id == after.id


@pytest.mark.parametrize("state", ["handed_off", "written_off"])
def test_what_was_given_away_is_not_chased_again(books: Books, state: str) -> None:
    books.keep(customer(), invoice())
    books.follow()
    with books.store.working() as work:
        work.execute(text("UPDATE chases SET state = :state"), {"state": state})
        work.commit()
    assert books.follow() == (0, 0)
    assert states(books) == [("C1", "EUR", state)]


def test_two_live_chases_of_one_payer_are_impossible(books: Books) -> None:
    books.keep(customer(), invoice())
    books.follow()
    copy = (
        "INSERT INTO chases (connection_id, payer_id, currency, state, version, opened_at) "
        "SELECT connection_id, payer_id, currency, 'reopened', 1, opened_at FROM chases"
    )
    with books.store.working() as work, pytest.raises(IntegrityError):
        work.execute(text(copy))


def test_a_bump_reaches_the_payer_of_a_branch_and_nobody_else(books: Books) -> None:
    books.keep(
        customer("head"), customer("branch", parent_id="head"), customer("other"),
        invoice("I1", customer="branch"), invoice("I2", customer="other"),
    )  # fmt: skip
    books.follow()
    before = {payer: books.chase(payer).version for payer in ("head", "other")}
    with books.store.working() as work:
        chases.bump(work, books.id, {"branch", *(f"x{number}" for number in range(1200))})
        work.commit()
    assert books.chase("head").version == before["head"] + 1
    assert books.chase("other").version == before["other"]


# --- holds -----------------------------------------------------------------------------------------------------------


def test_a_hold_ends_on_the_day_after_its_last(books: Books) -> None:
    with books.store.working() as work:
        until_today = holds.place(work, books.id, a_hold(until=TODAY), now=NOW)
        for_ever = holds.place(work, books.id, a_hold(payer="C2"), now=NOW)
        assert holds.expire(work, books.id, today=TODAY, now=NOW) == 0
        work.commit()
    with books.store.working() as work:
        assert holds.expire(work, books.id, today=TODAY + timedelta(days=1), now=at(60)) == 1
        assert [one.id for one in holds.active(work, books.id)] == [for_ever]
        assert not holds.lift(work, until_today, now=NOW)
        work.commit()
    assert books.rows("SELECT state FROM holds ORDER BY id") == [("expired",), ("active",)]


def test_a_hold_reads_back_as_it_was_placed(books: Books) -> None:
    hold = a_hold(invoice="I1", begins=date(2026, 8, 1), until=date(2026, 9, 30))
    with books.store.working() as work:
        holds.place(work, books.id, hold, now=NOW)
        work.commit()
    with books.store.reading() as work:
        (placed,) = holds.active(work, books.id)
        assert holds.active(work, books.id + 1) == []
    assert (placed.hold, placed.state, placed.created_at) == (hold, HoldState.ACTIVE, NOW)


# --- notes -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def noted(books: Books) -> Books:
    """A message with a note on its invoice and one on its customer."""
    books.keep(customer(), invoice())
    books.follow()
    message_id = books.plan()
    with books.store.working() as work:
        for kind, remote_id in ((TargetKind.INVOICE, "I1"), (TargetKind.CUSTOMER, "C1")):
            plan_note(work, books, message_id, NoteTarget(kind, remote_id))
        work.commit()
    return books


def plan_note(work: object, books: Books, message_id: int, target: NoteTarget) -> None:
    notes.plan(
        work, connection_id=books.id, message_id=message_id, target=target, text="sent",  # type: ignore[arg-type]
        marker=notes.new_marker("abcd1234"), now=NOW,
    )  # fmt: skip


def claim(books: Books, store: Store | None = None) -> notes.Note | None:
    with (store or books.store).working() as work:
        note = notes.claim(work, books.id, term=TERM, now=NOW)
        work.commit()
    return note


def test_a_second_note_of_one_message_on_one_target_is_impossible(noted: Books) -> None:
    with noted.store.working() as work, pytest.raises(IntegrityError):
        plan_note(work, noted, 1, NoteTarget(TargetKind.INVOICE, "I1"))


def test_each_note_is_claimed_by_one_worker(noted: Books, another_store: Callable[[], Store]) -> None:
    first, second, third = claim(noted), claim(noted, another_store()), claim(noted)
    assert first is not None
    assert second is not None
    assert third is None
    assert {first.target.kind, second.target.kind} == {TargetKind.INVOICE, TargetKind.CUSTOMER}
    assert (first.state, first.attempts, first.tried_at) == (NoteState.CLAIMED, 1, NOW)
    assert len(first.marker) <= 40
    assert len(first.key) <= 36


def test_notes_move_along_arrows_and_under_their_claim_only(noted: Books) -> None:
    old = claim(noted)
    assert old is not None
    for origin in NoteState:
        for target in NoteState:
            if target not in NOTE_ARROWS[origin]:
                with noted.store.working() as work, pytest.raises(AssertionError, match="no arrow"):
                    notes.move(work, old, origin, target, reason="", now=NOW)
    with noted.store.working() as work:
        assert notes.move(work, old, NoteState.CLAIMED, NoteState.PENDING, reason="", now=NOW)
        work.commit()
    new = claim(noted)
    assert new is not None
    assert new.id == old.id
    with noted.store.working() as work:
        assert not notes.move(work, old, NoteState.CLAIMED, NoteState.WRITTEN, reason="", now=NOW)
        assert notes.move(work, new, NoteState.CLAIMED, NoteState.WRITTEN, reason="", now=NOW, remote_id="77")
        work.commit()
    with noted.store.reading() as work:
        assert notes.counts(work) == {"written": 1, "pending": 1}
        written, waiting = notes.of_message(work, 1)
    assert (written.state, written.remote_id, waiting.state) == (NoteState.WRITTEN, "77", NoteState.PENDING)


def test_a_dead_or_late_writers_note_is_found(noted: Books) -> None:
    note = claim(noted)
    assert note is not None
    with noted.store.working() as work:
        assert notes.abandoned(work, noted.id, now=NOW) == []
        assert [one.id for one in notes.abandoned(work, noted.id, now=NOW + TERM)] == [note.id]
        work.execute(text("UPDATE notes SET claimed_by = replace(claimed_by, ' start ', ' start 1')"))
        assert [one.id for one in notes.abandoned(work, noted.id, now=NOW)] == [note.id]


# --- verdicts --------------------------------------------------------------------------------------------------------


def say(decision: Decision, reason: str, next_on: date | None = None, *, invoice_id: str = "I1") -> Verdict:
    return Verdict(invoice_id, decision, Rule.NOT_DUE, reason, next_on)


def test_a_row_is_written_only_when_the_answer_changes(books: Books) -> None:
    """
    09-01 wait until 09-03 / 09-02 the same / 09-03 act / 09-04 paid: no verdict / 09-07 open again: wait
    """
    books.keep(customer(), invoice())
    books.follow()
    chase = books.chase()
    wait = say(Decision.WAIT, "due in 2 days", date(2026, 9, 3))
    days: list[tuple[int, list[Verdict], int]] = [
        (1, [wait], 1), (2, [wait], 0), (3, [say(Decision.ACT, "friendly is due")], 1),
        (4, [], 1), (5, [], 0), (7, [wait], 1),
    ]  # fmt: skip
    for number, said, changed in days:
        with books.store.working() as work:
            run = verdicts.begin_run(work, "run", now=NOW)
            answers = [(chase.id, verdict) for verdict in said]
            today = date(2026, 9, number)
            assert verdicts.record(work, books.id, answers, run_id=run, today=today) == changed, number
            verdicts.end_run(work, run, {"accepted": 0}, now=NOW)
            work.commit()
    with books.store.reading() as work:
        intervals = verdicts.of_invoice(work, books.id, "I1")
    assert [(one.decision.value, one.first_on.day, one.last_on and one.last_on.day) for one in intervals] == [
        ("wait", 1, 3), ("act", 3, 4), ("wait", 7, None),
    ]  # fmt: skip

    def said_on(number: int) -> list[str]:
        day = date(2026, 9, number)
        return [one.reason for one in intervals if one.first_on <= day and (one.last_on is None or day < one.last_on)]

    assert [said_on(number) for number in (1, 2, 3, 4, 6, 7, 30)] == [
        ["due in 2 days"], ["due in 2 days"], ["friendly is due"], [], [], ["due in 2 days"], ["due in 2 days"],
    ]  # fmt: skip


def test_two_standing_verdicts_of_one_invoice_are_impossible(books: Books) -> None:
    books.keep(customer(), invoice())
    books.follow()
    with books.store.working() as work:
        run = verdicts.begin_run(work, "run", now=NOW)
        verdicts.record(work, books.id, [(books.chase().id, say(Decision.WAIT, "a"))], run_id=run, today=TODAY)
        work.commit()
    columns = "connection_id, chase_id, invoice_id, decision, rule, reason, inputs, first_run, first_on"
    copy = f"INSERT INTO verdicts ({columns}) SELECT {columns} FROM verdicts"
    with books.store.working() as work, pytest.raises(IntegrityError):
        work.execute(text(copy))


def test_a_message_of_a_closed_chase_keeps_its_state(books: Books) -> None:
    books.keep(customer(), invoice())
    books.follow()
    message_id = books.plan(state=MessageState.PLANNED)
    books.keep(invoice("I1", "0.00", minutes=1))
    books.follow()
    assert books.message(message_id).state is MessageState.PLANNED, "whether to withdraw it is the planner's to say"
    with books.store.reading() as work:
        assert messages.live_of(work, 1) is not None
