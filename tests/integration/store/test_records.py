"""The cache: newest wins, nothing is written twice, deletions are states, one bad record costs one record."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.store.books import (
    NOW,
    Books,
    at,
    contact,
    credit,
    customer,
    gone,
    invoice,
    line,
    open_books,
    payment,
    unreadable,
)
from tests.integration.store.books import page as page_of

from arsync.connector import Resource
from arsync.domain.documents import CreditState, CustomerGroup, CustomerState, Invoice, InvoiceState, Record
from arsync.domain.states import Health
from arsync.store import connections, customer_groups, finding, ledger, quarantine, records
from arsync.store.engine import Store

BALANCE = "SELECT state, balance FROM invoices ORDER BY remote_id"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_newest_wins_whatever_the_order_of_the_pages(books: Books, order: tuple[int, ...]) -> None:
    versions = [invoice(balance="100.00"), invoice(balance="60.00", minutes=1), invoice(balance="0.00", minutes=2)]
    for place in order:
        books.keep(versions[place])
    assert books.rows(BALANCE) == [("paid", 0)]


def test_tombstones_of_two_kinds_may_have_the_same_id(books: Books) -> None:
    books.keep(customer(), invoice("7"), payment("7"), credit("7"))
    books.keep(*(gone(kind, "7") for kind in (Resource.PAYMENTS, Resource.INVOICES, Resource.CREDIT_NOTES)))
    for table in ("invoices", "payments", "credit_notes"):
        assert books.rows(f"SELECT state FROM {table}") == [("deleted",)]


@pytest.mark.parametrize("together", [True, False])
def test_within_one_second_the_tenth_version_beats_the_ninth(books: Books, together: bool) -> None:
    nine, ten = invoice(balance="100.00", version="9"), invoice(balance="0.00", version="10")
    for pair in ((nine, ten), (ten, nine)):
        if together:
            books.keep(*pair)
        else:
            books.keep(pair[0])
            books.keep(pair[1])
        assert books.rows(BALANCE) == [("paid", 0)]


def test_what_says_the_same_is_not_written_and_wakes_nobody(books: Books) -> None:
    everything: list[Record] = [
        customer(contacts=[contact("Ada")], balance=Decimal("100.00")),
        invoice(lines=(line("Rope"),)),
        payment(on={"I1": "30.00"}),
        credit(),
    ]
    first = books.keep(*everything)
    assert first.written == 4
    assert first.customers == {"C1"}
    books.follow()
    version = books.chase().version
    again = books.keep(*everything)
    assert (again.written, again.customers, again.allocated, again.quarantined) == (0, set(), set(), 0)
    assert again.invoices == {"I1"}, "it was read, though not changed"
    assert books.chase().version == version


@pytest.mark.parametrize(
    "change",
    [
        {"balance": Decimal("99.99")},
        {"due_on": date(2026, 8, 1)},
        {"due_on": None},
        {"total": Decimal("101.00")},
        {"number": "No 2"},
        {"state": InvoiceState.VOID},
        {"currency": "USD"},
        {"customer_id": "C2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_without_a_new_update_time_is_news_all_the_same(books: Books, change: dict[str, Any]) -> None:
    books.keep(customer("C1"), customer("C2"), invoice())
    stored = books.keep(replace(invoice(), **change))
    assert stored.written == 1
    assert "C1" in stored.customers
    name, value = next(iter(change.items()))
    ((kept,),) = books.rows(f"SELECT {name} FROM invoices")
    if isinstance(value, Decimal):
        assert kept == value * 10_000
    else:
        assert str(kept) == str(value)


def test_a_customers_balance_follows_the_source_though_its_update_time_stands(books: Books) -> None:
    books.keep(customer(balance=Decimal("100.00")))
    assert books.keep(customer(balance=Decimal("70.00"))).customers == {"C1"}
    assert books.rows("SELECT balance FROM customers") == [(700_000,)]


def test_lines_contacts_and_allocations_are_replaced_as_a_whole(books: Books) -> None:
    books.keep(
        customer(contacts=[contact("Ada"), contact("Bob"), contact("Cy")]),
        invoice(lines=(line("Rope"), line("Tar", quantity=None), line("Oil"))),
        payment(on={"I1": "10.00", "I2": "20.00", "I3": "30.00"}),
        credit(on={"I1": "5.00", "I4": "6.00"}),
    )
    stored = books.keep(
        customer(contacts=[contact("Dora")], minutes=1),
        invoice(lines=(line("Rope and tar"),), minutes=1),
        payment(on={"I2": "25.00"}, minutes=1),
        credit(minutes=1),
    )
    assert books.rows("SELECT name FROM contacts") == [("Dora",)]
    assert books.rows("SELECT description, quantity FROM invoice_lines") == [("Rope and tar", "1.5000")]
    assert books.rows("SELECT source, invoice_id, amount FROM allocations") == [("payments", "I2", 250_000)]
    assert stored.allocated == {"I1", "I2", "I3", "I4"}, "also those that money was taken off"


def test_deleted_and_void_are_states_not_missing_rows(books: Books) -> None:
    books.keep(customer(), invoice("I1"), invoice("I2"), payment(on={"I2": "40.00"}), credit())
    stored = books.keep(
        gone(Resource.INVOICES, "I1"),
        invoice("I2", "0.00", state=InvoiceState.VOID, minutes=1),
        gone(Resource.PAYMENTS, "P1"),
        credit(state=CreditState.VOID, unapplied=Decimal(0), minutes=1),
    )
    assert stored.customers == {"C1"}
    assert stored.allocated == {"I2"}, "what the payment had paid is to be read again"
    assert books.rows(BALANCE) == [("deleted", 0), ("void", 0)]
    assert books.rows("SELECT state, unapplied FROM payments") == [("deleted", 0)]
    assert books.rows("SELECT state, unapplied FROM credit_notes") == [("void", 0)]
    assert books.rows("SELECT * FROM allocations") == []
    with books.store.reading() as work:
        book = ledger.read(work, books.id)
    assert not book.items
    assert not book.unapplied
    again = books.keep(gone(Resource.INVOICES, "I1"), gone(Resource.PAYMENTS, "P1"), gone(Resource.CUSTOMERS, "C9"))
    assert (again.written, again.customers) == (0, set())


def test_a_tombstone_closes_only_what_was_open(books: Books) -> None:
    """I1 is open, I2 long paid, I3 was never known; a payment is gone that has the id of the open I4."""
    books.keep(customer(), invoice("I1"), invoice("I2", "0.00"), invoice("I4"))
    stored = books.keep(
        *(gone(Resource.INVOICES, remote_id) for remote_id in ("I1", "I2", "I3")), gone(Resource.PAYMENTS, "I4")
    )
    assert stored.closed == {"I1"}


def test_a_page_fetched_before_the_deletion_does_not_raise_the_dead(books: Books) -> None:
    books.keep(customer(), invoice(minutes=30))
    books.keep(gone(Resource.INVOICES, "I1", minutes=10))  # by a clock that is behind
    assert books.keep(invoice(minutes=30)).written == 0
    assert books.rows(BALANCE) == [("deleted", 0)]
    books.keep(invoice(minutes=31))
    assert books.rows(BALANCE) == [("open", 1_000_000)], "a later version of it is another matter"


@pytest.mark.parametrize("tombstone_first", [True, False])
def test_a_tombstone_wins_in_its_own_page(books: Books, tombstone_first: bool) -> None:
    pair: list[Record] = [gone(Resource.INVOICES, "I1"), invoice()]
    books.keep(*(pair if tombstone_first else reversed(pair)))
    assert books.rows(BALANCE) == [("deleted", 0)]


def test_two_connections_keep_their_books_apart(books: Books, store: Store) -> None:
    other = open_books(store, "quay")
    books.keep(customer(), invoice(balance="100.00"), payment(on={"I1": "10.00"}))
    other.keep(customer(), invoice(balance="7.00"), payment(on={"I1": "20.00"}))
    books.keep(gone(Resource.INVOICES, "I1"), gone(Resource.PAYMENTS, "P1"))
    assert other.rows("SELECT state, balance FROM invoices ORDER BY connection_id") == [
        ("deleted", 0),
        ("open", 70_000),
    ]
    assert other.rows("SELECT amount FROM allocations") == [(200_000,)]


# --- what a first load takes for new -------------------------------------------------------------------------------


def test_a_page_taken_for_new_whose_records_are_known_is_stored_as_any_other(books: Books) -> None:
    """I1 was read by a later page already, P1 in an earlier try; I2 and I3 are new."""
    books.keep(
        customer(), invoice("I1", "70.00", minutes=5, lines=(line("Oil"),)), payment("P1", on={"I1": "30.00"}), new=True
    )
    stored = books.keep(
        invoice("I1", "100.00", lines=(line("Rope"), line("Tar"))), invoice("I2"), customer(balance=Decimal("70.00")),
        payment("P1", on={"I1": "10.00", "I2": "20.00"}, minutes=1), invoice("I3", lines=(line("Tar"),)),
        credit("CN1"), new=True,
    )  # fmt: skip
    assert books.rows("SELECT remote_id, balance FROM invoices WHERE remote_id = 'I1'") == [("I1", 700_000)]
    assert books.rows("SELECT invoice_id, description FROM invoice_lines ORDER BY 1") == [("I1", "Oil"), ("I3", "Tar")]
    assert books.rows("SELECT invoice_id FROM allocations ORDER BY 1") == [("I1",), ("I2",)]
    assert books.rows("SELECT balance FROM customers") == [(700_000,)]
    assert stored.arrived == {
        Resource.CUSTOMERS: 0, Resource.INVOICES: 2, Resource.PAYMENTS: 0, Resource.CREDIT_NOTES: 1
    }  # fmt: skip
    assert stored.quarantined == 0


def test_a_page_that_cannot_be_stored_whole_leaves_what_its_transaction_did_before(books: Books, database: str) -> None:
    bad, _ = poisoned(database)
    with books.store.working() as work:
        connections.set_health(work, books.id, Health.PARTIAL, "told before the page")
        records.store_page(work, books.id, page_of(bad[0], invoice("I2")), now=NOW)
        work.commit()
    assert books.rows("SELECT health_reason FROM connections") == [("told before the page",)]
    assert books.rows("SELECT remote_id FROM invoices") == [("I2",)]


# --- poison --------------------------------------------------------------------------------------------------------


def poisoned(database: str) -> tuple[list[Invoice], set[str]]:
    """Two invoices that this database refuses, and their names in quarantine."""
    if database == "sqlite":  # it takes any text that is Unicode
        return [invoice("bad1", reference="\ud800"), invoice("bad2", number="\udfff")], {"bad1", "bad2"}
    return [invoice("bad1", reference="a\x00b"), invoice("x" * 65)], {"bad1", "sha256:"}


@pytest.mark.parametrize("new", [False, True], ids=["any page", "a first load's"])
def test_a_record_that_the_database_refuses_costs_one_record(books: Books, database: str, new: bool) -> None:
    bad, names = poisoned(database)
    page: list[Record] = [
        customer(),
        invoice("I1", lines=(line("Rope"),)),
        bad[0],
        invoice("I2"),
        bad[1],
        payment(on={"I1": "5.00"}),
    ]
    stored = books.keep(*page, new=new)
    assert (stored.written, stored.quarantined) == (4, 2)
    assert books.rows("SELECT remote_id FROM invoices ORDER BY remote_id") == [("I1",), ("I2",)]
    assert books.rows("SELECT invoice_id FROM invoice_lines") == [("I1",)]
    with books.store.reading() as work:
        jailed = connections.quarantined(work, books.id)
    assert {one.remote_id if one.has_id else "sha256:" for one in jailed} == names
    assert all(one.customer_id == "C1" and "the database refuses it" in one.reason for one in jailed)


def test_poison_that_stays_poison_stays_in_quarantine_and_is_let_out_when_mended(books: Books, database: str) -> None:
    bad, _ = poisoned(database)
    books.keep(customer(), bad[0])
    books.keep(bad[0], invoice("I2"), now=at(60))
    assert len(books.rows("SELECT * FROM quarantine")) == 1
    with books.store.reading() as work:
        (jailed,) = connections.quarantined(work)
    assert (jailed.first_at, jailed.last_at) == (NOW, at(60))
    books.keep(invoice("bad1"))
    assert books.rows("SELECT * FROM quarantine") == []


def test_a_broken_record_with_a_name_that_cannot_be_kept_is_named_by_a_hash(books: Books) -> None:
    stored = books.keep(
        broken=[
            unreadable(Resource.PAYMENTS, "y" * 300, "c" * 300, raw="a\x00b\ud800"),
            unreadable(Resource.PAYMENTS, "a\x00b", "C1"),
            unreadable(Resource.PAYMENTS, None, None, raw='{"Id": []}'),
        ]
    )
    assert stored.quarantined == 3
    rows = books.rows("SELECT remote_id, customer_id FROM quarantine ORDER BY customer_id")
    assert all(str(name).startswith("sha256:") and len(str(name)) <= 64 for name, _ in rows)
    assert {owner for _, owner in rows} == {None, "C1"}
    with books.store.working() as work:
        quarantine.forget_unnamed(work, books.id)
        work.commit()
    assert books.rows("SELECT * FROM quarantine") == []


def test_the_same_broken_record_is_listed_once(books: Books) -> None:
    for minutes in (0, 10, 20):
        books.keep(broken=[unreadable(Resource.INVOICES, "I1", "C1")], now=at(minutes))
    with books.store.reading() as work:
        (jailed,) = connections.quarantined(work, books.id)
    assert (jailed.first_at, jailed.last_at) == (NOW, at(20))


def test_a_deleted_record_leaves_quarantine(books: Books) -> None:
    books.keep(broken=[unreadable(Resource.PAYMENTS, "P1", "C1"), unreadable(Resource.INVOICES, "P1", "C1")])
    books.keep(gone(Resource.PAYMENTS, "P1"))
    assert books.rows("SELECT resource FROM quarantine") == [("invoices",)]


def test_what_lies_in_quarantine_is_looked_up_by_the_names_of_a_page(books: Books) -> None:
    """Two hundred lie there; a page with two of them, one of which is still broken, reads those two and frees one."""
    books.keep(broken=[unreadable(Resource.INVOICES, f"I{number}", "C1") for number in range(200)])
    answers: list[int] = []
    with books.store.working() as work:
        whole = work.execute

        def counting(statement: Any, *more: Any) -> Any:
            if statement.is_select:
                answers.append(len(whole(statement, *more).all()))
            return whole(statement, *more)

        work.execute = counting  # type: ignore[method-assign, assignment]
        page = [invoice("I7"), invoice("I8"), invoice("J1")]
        quarantine.release(work, books.id, page, [unreadable(Resource.INVOICES, "I8", "C1")], NOW)
        work.commit()
    assert sum(answers) <= 3, "whether there is any, and the two"
    assert books.rows("SELECT count(*) FROM quarantine WHERE remote_id <> 'I7'") == [(199,)]
    with books.store.reading() as work:
        assert quarantine.tried_longest_ago(work, books.id, 2) == {"invoices": ["I0", "I1"]}


# --- who pays ---------------------------------------------------------------------------------------------------------


def payers(books: Books) -> dict[str, str]:
    return {str(name): str(payer) for name, payer in books.rows("SELECT remote_id, payer_id FROM customers")}


@pytest.mark.parametrize("order", list(permutations(["root", "middle", "leaf"])))
def test_payers_are_found_whatever_the_order_of_arrival(books: Books, order: tuple[str, ...]) -> None:
    family = {
        "root": customer("root"),
        "middle": customer("middle", parent_id="root"),
        "leaf": customer("leaf", parent_id="middle"),
    }
    for name in order:
        books.keep(family[name])
    assert payers(books) == dict.fromkeys(family, "root")


def test_a_merge_moves_the_debt_and_its_children_to_the_survivor(books: Books) -> None:
    books.keep(customer("A"), customer("B"), customer("A1", parent_id="A"), invoice(customer="A1"))
    assert payers(books)["A1"] == "A"
    stored = books.keep(customer("A", state=CustomerState.MERGED, merged_into="B", minutes=1))
    assert payers(books) == {"A": "B", "A1": "B", "B": "B"}
    assert stored.customers == {"A", "A1", "B"}, "both sides of the merge are woken"
    books.keep(customer("A1", parent_id="A", name="New name", minutes=2))
    assert payers(books)["A1"] == "B", "an edit does not forget the merge"


def test_parents_in_a_circle_end_at_one_payer(books: Books) -> None:
    books.keep(
        customer("X", parent_id="Y"), customer("Y", parent_id="Z"), customer("Z", parent_id="X"),
        customer("W", parent_id="Y"), customer("self", parent_id="self"),
    )  # fmt: skip
    assert payers(books) == {"W": "X", "X": "X", "Y": "X", "Z": "X", "self": "self"}


def test_a_parent_that_never_arrives_pays_nothing(books: Books) -> None:
    books.keep(customer("child", parent_id="nobody"))
    assert payers(books) == {"child": "child"}


def test_an_older_page_does_not_undo_a_merge(books: Books) -> None:
    books.keep(customer("B"), customer("A", state=CustomerState.MERGED, merged_into="B", minutes=5))
    assert books.keep(customer("A")).written == 0
    assert payers(books)["A"] == "B"


def test_what_else_the_source_says_of_an_invoice_is_kept_exactly(books: Books) -> None:
    told = invoice(
        currency="USD", purchase_order="PO 9", terms="Net 30", copies=("a@x.example", "b@x.example"),
        exchange_rate=Decimal("1.086956522"), expected_on=date(2026, 8, 20), sent=False,
    )  # fmt: skip
    books.keep(customer(region="Berlin", terms="30 days after the invoice date"), told, invoice("I2"))
    books.keep(payment(exchange_rate=Decimal("0.92")), credit(exchange_rate=Decimal("0.93")))
    kept = "SELECT purchase_order, terms, copies, exchange_rate, sent FROM invoices ORDER BY remote_id"
    assert books.rows(kept)[0][:4] == ("PO 9", "Net 30", "a@x.example, b@x.example", "1.086956522")
    assert books.rows("SELECT exchange_rate FROM payments UNION SELECT exchange_rate FROM credit_notes ORDER BY 1") == [
        ("0.92",),
        ("0.93",),
    ]
    with books.store.reading() as work:
        (found,) = finding.find_invoices(work, "No I1")
        (plain,) = finding.find_invoices(work, "No I2")
        items = ledger.read(work, books.id).items["C1", "USD"]
    assert (found.expected_on, found.sent, found.terms) == (date(2026, 8, 20), False, "Net 30")
    assert (plain.exchange_rate, plain.sent) == (None, None)
    assert plain.terms == "30 days after the invoice date", "the customer's, where the invoice has none of its own"
    assert [(one.purchase_order, one.copies) for one in items] == [("PO 9", ("a@x.example", "b@x.example"))]


def test_a_change_of_groups_is_news_although_nothing_stamps_it(books: Books) -> None:
    """Both vendors' ways: the name with the customer (trade), and names told apart by the company (7)."""
    trade, seven = CustomerGroup("trade-id", "Trade"), CustomerGroup("7")

    def groups(payer_id: str | None = None) -> dict[str, set[str]]:
        with books.store.reading() as work:
            return {name: set(those) for name, those in customer_groups.of_customers(work, books.id, payer_id).items()}

    books.keep(customer(groups=(seven, trade)), customer("C2", groups=(seven,)), customer("C3"))
    assert groups() == {"C1": {"trade"}}, "nobody knows yet what 7 is called"
    with books.store.working() as work:
        customer_groups.remember(work, books.id, [CustomerGroup("7", " Key Accounts")])
        work.commit()
    assert groups() == {"C1": {"trade", "key accounts"}, "C2": {"key accounts"}}
    assert books.keep(customer(groups=(trade, seven))).written == 0, "their order says nothing"
    assert books.keep(customer(groups=(trade,)), customer("C2")).customers == {"C1", "C2"}
    assert (groups(), groups("C2")) == ({"C1": {"trade"}}, {})


def test_a_row_that_was_lost_comes_back_over_the_lines_it_left_behind(books: Books) -> None:
    invoiced = invoice("7", lines=(line("Ink"),))
    paid, credited = payment("8", on={"7": "1.00"}), credit("9", on={"7": "1.00"})
    books.keep(customer(), invoiced, paid, credited)
    before = [books.rows(f"SELECT * FROM {table}") for table in ("invoice_lines", "allocations")]
    with books.store.working() as work:
        for table in ("invoices", "payments", "credit_notes"):
            work.execute(text(f"DELETE FROM {table}"))
        work.commit()
    stored = books.keep(invoiced, paid, credited)
    assert stored.quarantined == 0
    assert [books.rows(f"SELECT * FROM {table}") for table in ("invoice_lines", "allocations")] == before
    assert books.rows("SELECT remote_id FROM invoices") == [("7",)]
