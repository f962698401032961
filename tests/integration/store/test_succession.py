"""Holds and history follow a merge, a change of parent, an invoice billed anew; the stricter wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import event, text
from tests.integration.store.books import FIRM, NOW, TODAY, Books, a_hold, customer, invoice

from arsync.domain.chase import Hold, Rule, Verdict
from arsync.domain.documents import Customer, CustomerState
from arsync.domain.states import Decision, HoldKind, MessageState
from arsync.store import events, holds, ledger, succession, verdicts
from arsync.store import tables as t
from arsync.store.engine import Store


def merged(name: str, into: str, minutes: float = 1) -> Customer:
    return customer(name, state=CustomerState.MERGED, merged_into=into, minutes=minutes)


def hold(books: Books, payer: str, invoice_id: str | None = None) -> int:
    with books.store.working() as work:
        placed = holds.place(work, books.id, a_hold(payer=payer, invoice=invoice_id), now=NOW)
        work.commit()
    return placed


def lift(books: Books, hold_id: int) -> None:
    with books.store.working() as work:
        assert holds.lift(work, hold_id, now=NOW)
        work.commit()


def held(books: Books) -> list[tuple[str | None, str | None]]:
    with books.store.reading() as work:
        return [(one.hold.payer_id, one.hold.invoice_id) for one in holds.active(work, books.id)]


def history(books: Books, payer: str) -> list[tuple[str, frozenset[str]]]:
    """(step, invoices) of each message that counts for the payer."""
    with books.store.reading() as work:
        book = ledger.read(work, books.id, payer)
        whole = ledger.read(work, books.id)
    assert book.history[payer, "EUR"] == whole.history[payer, "EUR"], "alone or with all others, it is the same"
    return [(past.step_id, past.invoice_ids) for past in book.history[payer, "EUR"]]


def sent(books: Books, payer: str, invoice_id: str, **more: object) -> int:
    message_id = books.plan(payer, invoices=(invoice_id,), **more)  # type: ignore[arg-type]
    move(books, message_id, "accepted")
    return message_id


def move(books: Books, message_id: int, state: str) -> None:
    with books.store.working() as work:
        statement = text("UPDATE messages SET state = :state, sent_on = :on WHERE id = :id")
        work.execute(statement, {"state": state, "id": message_id, "on": TODAY})
        work.commit()


def told(books: Books) -> list[tuple[str, str, str]]:
    with books.store.reading() as work:
        every = events.of_kind(work, books.id, succession.PAYER_CHANGED)
    return [(event.data["former"], event.data["payer"], event.data["how"]) for event in every]


# --- merged ----------------------------------------------------------------------------------------------------------


def test_a_merge_into_a_payer_with_a_chase_ends_the_absorbed_one(books: Books) -> None:
    """
    A owes I1, was sent friendly, firm is approved; B owes I2
    A is merged into B    => A's chase is closed, firm superseded, both messages of A are B's history
    """
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"), invoice("I2", customer="B"))
    books.follow()
    first = sent(books, "A", "I1")
    planned = books.plan("A", step=FIRM, invoices=("I1",))
    mine, theirs = books.chase("A"), books.chase("B")
    books.keep(merged("A", "B"))
    assert books.rows("SELECT id, payer_id, state FROM chases ORDER BY id") == [
        (mine.id, "B", "clear"),
        (theirs.id, "B", "open"),
    ]
    assert books.chase("B").version > theirs.version
    assert books.message(planned).state is MessageState.SUPERSEDED
    assert history(books, "B") == [("friendly", frozenset({"I1"}))]
    assert history(books, "A") == []
    assert books.message(first).payer_id == "B"
    assert told(books) == [("A", "B", "joined")]
    assert books.follow() == (0, 0)


def test_a_merge_into_a_payer_without_a_chase_takes_the_chase_along(books: Books) -> None:
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"))
    books.follow()
    sent(books, "A", "I1")
    before = books.chase("A")
    books.keep(merged("A", "B"))
    after = books.chase("B")
    assert (after.id, after.opened_at, after.state) == (before.id, before.opened_at, before.state)
    assert after.version > before.version
    assert history(books, "B") == [("friendly", frozenset({"I1"}))]
    assert books.follow() == (0, 0)


def test_what_was_in_flight_at_a_merge_stops_at_the_last_gate(books: Books) -> None:
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"), invoice("I2", customer="B"))
    books.follow()
    books.plan("A", invoices=("I1",))
    books.plan("B", invoices=("I2",))
    claimed = books.claim()
    assert all(books.confirm(message) for message in claimed)
    books.keep(merged("A", "B"))
    assert all(books.pass_gate(message) is not None for message in claimed), "neither payer's message knew of it"


def test_what_nobody_knows_of_stays_unknown_and_stops_the_survivor(books: Books) -> None:
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"), invoice("I2", customer="B"))
    books.follow()
    message_id = books.plan("A", invoices=("I1",))
    move(books, message_id, "unknown")
    books.keep(merged("A", "B"))
    assert books.message(message_id).state is MessageState.UNKNOWN
    with books.store.reading() as work:
        (past,) = ledger.read(work, books.id, "B").history["B", "EUR"]
    assert past.state is MessageState.UNKNOWN


def test_a_merge_takes_holds_promises_and_the_past_of_holds_along(books: Books) -> None:
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"), invoice("I2", customer="B"))
    books.follow()
    stands, over, on_invoice = hold(books, "A"), hold(books, "A"), hold(books, "A", "I1")
    lift(books, over)
    with books.store.working() as work:
        work.execute(
            text(
                "INSERT INTO promises (connection_id, payer_id, currency, amount, promised_on, grace, until, reason,"
                " paid_before, state, author, created_at) VALUES (:id, 'A', 'EUR', 1, '2026-09-09', 0, '2026-09-09',"
                " 'they called', 0, 'open', 'ann', '2026-09-01 12:00:00')"
            ),
            {"id": books.id},
        )
        work.commit()
    books.keep(merged("A", "B"))
    assert held(books) == [("B", None), ("B", "I1")]
    with books.store.reading() as work:
        assert [one.id for one in holds.of_payer(work, books.id, "B")] == [stands, over, on_invoice]
    assert books.rows("SELECT payer_id FROM promises") == [("B",)]
    lift(books, stands)
    assert held(books) == [("B", "I1")], "lifted once, it is lifted"


def test_the_survivors_hold_stops_what_came_along(books: Books) -> None:
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"))
    books.follow()
    hold(books, "B")
    books.keep(merged("A", "B"))
    assert books.plan("B", invoices=("I1",))
    (claimed,) = books.claim()
    assert books.confirm(claimed)
    assert books.pass_gate(claimed) == "a hold: dispute"


def test_a_verdict_goes_on_over_a_merge(books: Books) -> None:
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"), invoice("I2", customer="B"))
    books.follow()
    said = Verdict("I1", Decision.WAIT, Rule.GAP, "friendly went out on 2026-09-01", date(2026, 9, 6))

    def run(payer: str, today: date) -> int:
        chase = books.chase(payer)
        with books.store.working() as work:
            run_id = verdicts.begin_run(work, "run", now=NOW)
            changed = verdicts.record(work, books.id, [(chase.id, said)], run_id=run_id, today=today)
            work.commit()
        return changed

    assert run("A", date(2026, 9, 1)) == 1
    books.keep(merged("A", "B"))
    books.follow()
    assert run("B", date(2026, 9, 2)) == 0
    assert books.rows("SELECT count(*) FROM verdicts") == [(1,)]


def test_who_was_given_to_an_agency_is_not_chased_under_another_name(books: Books) -> None:
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"), invoice("I2", customer="B"))
    books.follow()
    with books.store.working() as work:
        work.execute(text("UPDATE chases SET state = 'handed_off' WHERE payer_id = 'B'"))
        work.commit()
    books.keep(merged("A", "B"))
    books.follow()
    assert sorted(books.rows("SELECT payer_id, state FROM chases")) == [("B", "clear"), ("B", "handed_off")]


def test_a_merged_customer_whose_merge_is_told_twice_moves_once(books: Books) -> None:
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"))
    books.follow()
    hold(books, "A")
    books.keep(merged("A", "B"))
    books.keep(merged("A", "B", minutes=2))
    assert held(books) == [("B", None)]
    assert told(books) == [("A", "B", "joined")]


# --- a merge that is not told ----------------------------------------------------------------------------------------


def test_a_customer_made_inactive_whose_invoices_went_to_another_was_merged(books: Books) -> None:
    """QuickBooks does not say into whom."""
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"), invoice("I2", customer="A"))
    books.follow()
    sent(books, "A", "I1")
    hold(books, "A")
    books.keep(customer("A", state=CustomerState.ARCHIVED, minutes=1))
    books.keep(invoice("I1", customer="B", minutes=1))
    assert held(books) == [("A", None), ("B", "I1")], "not all of it has come: the hold stands on both"
    books.keep(invoice("I2", customer="B", minutes=2))
    assert set(held(books)) == {("B", None), ("B", "I1")}
    assert history(books, "B") == [("friendly", frozenset({"I1"}))]
    books.follow()
    assert books.chase("B").state == "open"
    assert [change[2] for change in told(books)] == ["rebilled", "joined"]


def test_an_invoice_billed_to_another_takes_its_holds_and_its_messages_along(books: Books) -> None:
    """
    A owes I1 and I2, both in friendly; A is on hold. I1 is billed to B => I1 is on hold there, I3 of B is not
    """
    books.keep(
        customer("A"), customer("B"),
        invoice("I1", customer="A"), invoice("I2", customer="A"), invoice("I3", customer="B"),
    )  # fmt: skip
    books.follow()
    sent(books, "A", "I1")
    sent(books, "A", "I2", step=FIRM)
    hold(books, "A")
    books.keep(invoice("I1", customer="B", minutes=1))
    assert held(books) == [("A", None), ("B", "I1")]
    assert history(books, "B") == [("friendly", frozenset({"I1"}))]
    assert len(history(books, "A")) == 2
    assert told(books) == [("A", "B", "rebilled")]


# --- parents ---------------------------------------------------------------------------------------------------------


def test_a_branch_that_moves_to_another_head_is_held_where_it_was_held(books: Books) -> None:
    """
    H1 pays for b (I1), H2 owes I2; H1 is on hold, friendly went to H1, firm is planned. b moves to H2
    => both are held; friendly counts for both; firm is superseded, for it names I1
    """
    books.keep(
        customer("H1"), customer("H2"), customer("b", parent_id="H1"),
        invoice("I0", customer="H1"), invoice("I1", customer="b"), invoice("I2", customer="H2"),
    )  # fmt: skip
    books.follow()
    sent(books, "H1", "I1")
    planned = books.plan("H1", step=FIRM, invoices=("I1",))
    hold(books, "H1")
    before = {payer: books.chase(payer).version for payer in ("H1", "H2")}
    books.keep(customer("b", parent_id="H2", minutes=1))
    assert held(books) == [("H1", None), ("H2", None)]
    assert history(books, "H2") == history(books, "H1") == [("friendly", frozenset({"I1"}))]
    assert books.message(planned).state is MessageState.SUPERSEDED
    assert all(books.chase(payer).version > before[payer] for payer in before)
    assert told(books) == [("H1", "H2", "left")]


def test_a_branch_that_becomes_its_own_payer_and_comes_back_is_held_once(books: Books) -> None:
    books.keep(customer("H"), customer("b", parent_id="H"), invoice("I0", customer="H"), invoice("I1", customer="b"))
    books.follow()
    sent(books, "H", "I1")
    hold(books, "H")
    books.keep(customer("b", minutes=1))
    books.follow()
    assert held(books) == [("H", None), ("b", None)]
    assert history(books, "b") == [("friendly", frozenset({"I1"}))]
    books.keep(customer("b", parent_id="H", minutes=2))
    assert history(books, "H") == [("friendly", frozenset({"I1"}))]
    assert history(books, "b") == []
    assert held(books) == [("H", None)]
    assert told(books) == [("H", "b", "left"), ("b", "H", "joined")]


def test_a_head_that_is_merged_where_its_branch_went_is_held_once_there_and_lifted_once(books: Books) -> None:
    """H, on hold, pays for b. b moves to R, which takes a copy of the hold; then H is merged into R."""
    books.keep(customer("H"), customer("R"), customer("b", parent_id="H"), invoice("I1", customer="H"))
    books.follow()
    placed, elsewhere = hold(books, "H"), hold(books, "H", "I1")
    books.keep(customer("b", parent_id="R", minutes=1))
    assert held(books) == [("H", None), ("H", "I1"), ("R", None)]
    books.keep(merged("H", "R", minutes=2))
    assert sorted(held(books), key=str) == [("R", "I1"), ("R", None)]
    lift(books, placed)
    lift(books, elsewhere)
    assert held(books) == []


def test_a_customer_that_gets_a_parent_brings_all_it_has(books: Books) -> None:
    books.keep(customer("H"), customer("c"), invoice("I1", customer="c"))
    books.follow()
    sent(books, "c", "I1")
    hold(books, "c")
    books.keep(customer("c", parent_id="H", minutes=1))
    assert held(books) == [("H", None)]
    assert history(books, "H") == [("friendly", frozenset({"I1"}))]


def test_a_parent_that_arrives_late_finds_the_chase_of_its_branch(books: Books) -> None:
    books.keep(customer("b", parent_id="H"), invoice("I1", customer="b"))
    books.follow()
    sent(books, "b", "I1")
    books.keep(customer("H", minutes=1))
    assert history(books, "H") == [("friendly", frozenset({"I1"}))]


def test_branches_of_a_first_load_are_no_story(books: Books) -> None:
    books.keep(customer("H"), *(customer(f"b{n}", parent_id="H") for n in range(5)), invoice("I1", customer="b3"))
    assert told(books) == []


def test_a_whole_family_moves_under_a_new_head(books: Books) -> None:
    books.keep(
        customer("H"), customer("b", parent_id="H"), customer("T"),
        invoice("I0", customer="H"), invoice("I1", customer="b"),
    )  # fmt: skip
    books.follow()
    sent(books, "H", "I1")
    hold(books, "H")
    books.keep(customer("H", parent_id="T", minutes=1))
    assert held(books) == [("T", None)]
    assert history(books, "T") == [("friendly", frozenset({"I1"}))]
    assert books.follow() == (0, 0)


@pytest.mark.parametrize("pages", ["together", "the head first", "the branch first"])
@pytest.mark.parametrize("head", ["A", "Z"])
def test_a_branch_that_leaves_as_its_head_gets_a_head_of_its_own_is_held_where_it_goes(
    books: Books, pages: str, head: str
) -> None:
    """H, on hold, pays for b, and friendly went to H. H gets a head, b moves to R => both are held, both were told."""
    books.keep(
        customer("H"), customer("b", parent_id="H"), customer(head), customer("R"),
        invoice("I0", customer="H"), invoice("I1", customer="b"),
    )  # fmt: skip
    books.follow()
    sent(books, "H", "I1")
    hold(books, "H")
    moves = [customer("H", parent_id=head, minutes=1), customer("b", parent_id="R", minutes=1)]
    if pages == "together":
        books.keep(*moves)
    for one in moves if pages == "the head first" else reversed(moves):
        books.keep(one)
    assert sorted(held(books)) == sorted([("R", None), (head, None)])
    assert history(books, head) == history(books, "R") == [("friendly", frozenset({"I1"}))]
    assert sorted(told(books)) == sorted(
        [("H" if pages != "the head first" else head, "R", "left"), ("H", head, "joined")]
    )


# --- two at once -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(3))
def test_a_hold_on_everything_and_a_delta_never_wait_for_each_other(
    books: Books, another_store: Callable[[], Store], round_: int
) -> None:
    """Each locks many chases: without one order for all, PostgreSQL ends one of the two."""
    names = [f"C{number:02}" for number in range(40)]
    books.keep(*(customer(name) for name in names), *(invoice(f"I-{name}", customer=name) for name in reversed(names)))
    books.follow()
    start = threading.Barrier(2)
    wrong: list[BaseException] = []

    def repeat(act: Callable[[int], None]) -> None:
        try:
            start.wait()
            for number in range(25):
                act(number)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test shall show it
            wrong.append(error)

    other = Books(another_store(), books.connection)

    def stop_all(number: int) -> None:
        everything = Hold(HoldKind.PAUSE, f"pause {number}", "ann", None, None, TODAY, None)
        with other.store.working() as work:
            holds.place(work, books.id, everything, now=NOW)
            work.commit()

    def change(number: int) -> None:
        some = [invoice(f"I-{name}", "50.00", customer=name, minutes=number + 1) for name in names[:: 1 + number % 3]]
        moved = merged(names[-1 - number % 10], names[number % 10], minutes=number + 1)
        books.keep(*some, moved)

    threads = [threading.Thread(target=repeat, args=(act,)) for act in (stop_all, change)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(held(books)) == 25


def test_whatever_names_a_payer_is_looked_for_before_newcomers_are_taken_to_bring_nothing_along() -> None:
    """Else a hold on a branch that was not read yet would stay behind when the branch arrives."""
    named = {table.name for table in t.metadata.tables.values() if "payer_id" in table.c}
    assert named - {"customers"} <= {table.name for table in succession._AGAINST}


def test_a_page_that_moves_nobody_asks_nothing_of_what_may_follow(books: Books) -> None:
    """Two invoices: not asked. A branch that is new: asked once."""
    asked: list[str] = []

    def told(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        if t.playbook_assignments.name in statement:
            asked.append(statement)

    books.keep(customer("head"))
    event.listen(books.store.engine, "before_cursor_execute", told)
    books.keep(invoice("I1", customer="head"), invoice("I2", customer="head"))
    assert asked == []
    books.keep(customer("branch", parent_id="head"))
    assert len(asked) == 1
