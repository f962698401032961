"""What the planner is told: open items by payer and currency, exact sums, and what quarantine stops."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.integration.store.books import (
    NOW,
    Books,
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

from arsync.connector import Resource
from arsync.domain.documents import CreditState, CustomerState, InvoiceLine, InvoiceState, PaymentKind
from arsync.domain.money import Money
from arsync.domain.states import MessageState
from arsync.store import cached, finding, ledger, messages
from arsync.store.engine import Store
from arsync.store.ledger import Ledger


def read(books: Books, payer: str | None = None) -> Ledger:
    with books.store.reading() as work:
        return ledger.read(work, books.id, payer)


def test_open_items_stand_under_their_payer_and_currency(books: Books) -> None:
    books.keep(
        customer("head", contacts=[contact("Ada"), contact("Bob")]), customer("branch", parent_id="head"),
        invoice("I1", "10.00", customer="head"), invoice("I2", "20.00", customer="branch"),
        invoice("I3", "30.00", customer="branch", currency="USD"), invoice("I4", "0.00", customer="head"),
        invoice("I5", customer="head", state=InvoiceState.DRAFT),
        invoice("I6", customer="head", state=InvoiceState.VOID),
        invoice("I7", customer="stranger"),
    )  # fmt: skip
    book = read(books)
    found = {name: sorted(item.invoice_id for item in items) for name, items in book.items.items()}
    assert found == {("head", "EUR"): ["I1", "I2"], ("head", "USD"): ["I3"], ("stranger", "EUR"): ["I7"]}
    assert [person.name for person in book.payers["head"].contacts] == ["Ada", "Bob"]
    one = read(books, "head")
    assert {name: sorted(i.invoice_id for i in items) for name, items in one.items.items()} == {
        ("head", "EUR"): ["I1", "I2"],
        ("head", "USD"): ["I3"],
    }
    assert set(one.payers) == {"head"}
    assert one.items["head", "USD"][0].balance == Money(Decimal("30.00"), "USD")


def test_unapplied_money_is_summed_exactly_by_payer_and_currency(books: Books) -> None:
    books.keep(
        customer("head"), customer("branch", parent_id="head"), customer("other"),
        payment("P1", "0.10", customer="head"), payment("P2", "0.20", customer="branch"),
        payment("P3", "7.0001", customer="head", currency="KWD", kind=PaymentKind.PREPAYMENT),
        payment("P4", "900000000000000", customer="other", currency="JPY"),
        payment("P5", "900000000000000", customer="other", currency="JPY", kind=PaymentKind.OVERPAYMENT),
        payment("P6", "50.00", on={"I1": "50.00"}, customer="head"),
        payment("P7", "50.00", customer="head", state=CreditState.VOID),
        payment("P8", "50.00", customer=None),
        credit("N1", "0.05", customer="branch"), credit("N2", "9.00", on={"I1": "2.50"}, customer="other"),
    )  # fmt: skip
    assert dict(read(books).unapplied) == {
        ("head", "EUR"): Decimal("0.35"),
        ("head", "KWD"): Decimal("7.0001"),
        ("other", "EUR"): Decimal("6.50"),
        ("other", "JPY"): Decimal("1800000000000000"),
    }
    assert dict(read(books, "head").unapplied) == {
        ("head", "EUR"): Decimal("0.35"),
        ("head", "KWD"): Decimal("7.0001"),
    }


def test_lines_come_in_their_order_with_exact_quantities(books: Books) -> None:
    books.keep(customer(), invoice(lines=(line("Tar", "0.01", "0.333333"), line("Ash", "99.99", None))))
    with books.store.reading() as work:
        assert ledger.lines(work, books.id, ["I1", "I2"]) == {
            "I1": (
                InvoiceLine("Tar", Decimal("0.333333"), Decimal("0.01")),
                InvoiceLine("Ash", None, Decimal("99.99")),
            )
        }


@pytest.mark.parametrize("resource", [Resource.PAYMENTS, Resource.CREDIT_NOTES])
def test_unreadable_money_holds_its_payer_and_nobody_else(books: Books, resource: Resource) -> None:
    books.keep(
        customer("head"), customer("branch", parent_id="head"), customer("other"),
        broken=[unreadable(resource, "X1", "branch")],
    )  # fmt: skip
    for book in (read(books), read(books, "head")):
        assert list(book.quarantined) == ["head"]
        (said,) = book.quarantined["head"]
        assert "X1: Amount: not an amount" in said
        assert book.quarantined_for_all == []
    books.keep(payment("X1", customer="branch") if resource is Resource.PAYMENTS else credit("X1", customer="branch"))
    assert not read(books).quarantined


@pytest.mark.parametrize("resource", [Resource.PAYMENTS, Resource.CREDIT_NOTES])
@pytest.mark.parametrize("name", ["X1", None])
def test_unreadable_money_of_nobody_knows_whom_holds_everybody(
    books: Books, resource: Resource, name: str | None
) -> None:
    books.keep(customer("head"), broken=[unreadable(resource, name)])
    book = read(books)
    assert not book.quarantined
    assert len(book.quarantined_for_all) == 1


def test_an_unreadable_customer_or_invoice_holds_who_owes_it(books: Books) -> None:
    books.keep(customer("C1"), invoice("I1", customer="C1"))
    books.keep(
        broken=[
            unreadable(Resource.CUSTOMERS, "C9"),
            unreadable(Resource.INVOICES, "I1"),  # known from before it broke
            unreadable(Resource.INVOICES, "I2"),  # never read: nobody is chased for it
            unreadable(Resource.INVOICES, "I3", "C2"),
        ]
    )
    book = read(books)
    assert sorted(book.quarantined) == ["C1", "C2", "C9"]
    assert book.quarantined_for_all == []


def test_history_is_what_may_have_been_sent_by_payer_and_currency(books: Books) -> None:
    books.keep(customer("C1"), customer("C2"), invoice("I1"), invoice("I2", customer="C2"))
    books.follow()
    first = books.plan()
    books.plan("C2", invoices=("I2",))
    assert [past.invoice_ids for past in read(books).history["C1", "EUR"]] == [frozenset({"I1"})], "not those listed"
    with books.store.reading() as work:
        assert not ledger.read(work, books.id, "C1", without=[first]).history
    with books.store.working() as work:
        messages.move(work, first, MessageState.APPROVED, MessageState.SUPERSEDED, reason="", now=NOW)
        work.commit()
    assert set(read(books).history) == {("C2", "EUR")}


def test_an_invoice_is_found_by_its_printed_number_or_its_id(books: Books, store: Store) -> None:
    other = open_books(store, "quay")
    books.keep(customer(), invoice("I1", number="1001"))
    other.keep(customer(), invoice("I1", number="1001"), invoice("1001", number="7"))
    books.follow()
    with store.reading() as work:
        found = finding.find_invoices(work, "1001")
        assert [(one.connection, one.invoice_id) for one in found] == [
            ("harbour", "I1"), ("quay", "1001"), ("quay", "I1"),
        ]  # fmt: skip
        assert [one.chase_id is None for one in found] == [False, True, True]
        assert len(finding.find_invoices(work, "1001", "quay")) == 2
        assert finding.find_invoices(work, "'; drop table invoices") == []
        assert [one.customer_id for one in finding.find_customers(work, "CUSTOMER c1", "harbour")] == ["C1"]
        assert [one.name for one in finding.customers_like(work, "c1 CUST", "harbour")] == ["Customer C1"]
        assert finding.customers_like(work, "100%") == finding.customers_like(work, " ") == []


def test_totals_and_open_ids_count_what_is_there(books: Books) -> None:
    books.keep(customer(), invoice("I1"), invoice("I2", "0.00"), payment(), gone(Resource.INVOICES, "I9"))
    with books.store.reading() as work:
        assert cached.totals(work, books.id) == {"customers": 1, "invoices": 2, "payments": 1, "credit_notes": 0}
        assert cached.open_invoice_ids(work, books.id) == {"I1"}
        assert cached.open_invoice_ids(work, books.id, ["C2"]) == set()
        assert cached.customers_of(work, books.id, ["C1", "C7"]) == {"C1", "C7"}


def test_a_merged_away_customer_is_nobodys_payer(books: Books) -> None:
    books.keep(
        customer("A", state=CustomerState.MERGED, merged_into="B"), customer("B"),
        invoice(customer="A"), payment(customer="A", amount="5.00"),
    )  # fmt: skip
    book = read(books)
    assert set(book.payers) == {"B"}
    assert set(book.items) == {("B", "EUR")}
    assert dict(book.unapplied) == {("B", "EUR"): Decimal("5.00")}
