"""Aging on any day, replayed from what was put on the invoices since; each test's docstring is its ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from sqlalchemy import event
from tests.integration.report.conftest import named, office
from tests.integration.store.books import TODAY, Books, credit, customer, invoice, open_books, payment, unreadable

from arsync.connector import Resource
from arsync.domain.documents import Allocation, CreditState, InvoiceState, Payment
from arsync.domain.money import LIMIT
from arsync.domain.states import Health
from arsync.report import aging
from arsync.report.aging import Whose
from arsync.store import connections

D = Decimal


def day(written: str) -> date:
    return date.fromisoformat(f"2026-{written}")


def put(found: Payment, **parts: tuple[str, str]) -> Payment:
    """The payment, with these amounts on invoices on these days."""
    told = tuple(Allocation(name, D(amount), day(on)) for name, (amount, on) in parts.items())
    return replace(found, allocations=told, unapplied=found.amount - sum(part.amount for part in told))


def told(books: Books, on: date = TODAY, whose: Whose = Whose.PAYER) -> list[Mapping[str, object]]:
    """What each row of the aging says, without the names and without the columns that are nothing."""
    with books.store.reading() as work:
        sheet = aging.aging(work, [office(books, on)], whose)
    hidden = {"connection", "on", "payer", "payer_id", "customer", "invoices", "oldest"}
    return [
        {name: str(value) for name, value in row.items() if name not in hidden and value}
        | {"who": row["customer_id" if whose is Whose.CUSTOMER else "payer_id"]}
        for row in named(sheet)
    ]


def notes(books: Books, on: date = TODAY) -> tuple[str, ...]:
    with books.store.reading() as work:
        return aging.aging(work, [office(books, on)]).notes


def test_open_invoices_stand_in_the_column_of_their_age_by_currency(books: Books) -> None:
    """
    EUR  I1 100.00 due 09-01 today   I2 50.00 due 08-31   I3 30.00 due 06-03   I4 7.00 due 06-02   I5 5.00 no due date
    USD  I6  20.00 due 08-01         P1 12.00 on no invoice
    """
    books.keep(
        customer(), invoice("I1", due_on=TODAY), invoice("I2", "50.00", due_on=day("08-31")),
        invoice("I3", "30.00", due_on=day("06-03"), issued_on=day("05-04")),
        invoice("I4", "7.00", due_on=day("06-02"), issued_on=day("05-03")), invoice("I5", "5.00", due_on=None),
        invoice("I6", "20.00", due_on=day("08-01"), currency="USD"), payment("P1", "12.00", currency="USD"),
    )  # fmt: skip
    assert told(books) == [
        {"who": "C1", "currency": "EUR", "current": "105.00", "1-30": "50.00", "61-90": "30.00", "90+": "7.00",
         "open": "192.00", "balance": "192.00"},
        {"who": "C1", "currency": "USD", "31-60": "20.00", "open": "20.00", "unapplied": "12.00", "balance": "8.00"},
    ]  # fmt: skip


def test_a_past_day_is_replayed_from_what_was_put_on_since(books: Books) -> None:
    """
    07-01 I1 100.00, due 07-31
    08-10 P1  60.00: 25.00 on I1 that day, 35.00 on 08-20
    08-25 N1  40.00: on I1 that day
    """
    note = credit("N1", on={"I1": "40.00"}, issued_on=day("08-25"))
    books.keep(
        customer(), invoice("I1", "0.00"), put(payment("P1", "60.00", received_on=day("08-10")), I1=("25.00", "08-10")),
        replace(note, allocations=(Allocation("I1", D("40.00"), day("08-25")),)),
    )  # fmt: skip
    later = put(payment("P1", "60.00", received_on=day("08-10"), minutes=1), I1=("25.00", "08-10"))
    both = (*later.allocations, Allocation("I1", D("35.00"), day("08-20")))
    books.keep(replace(later, allocations=both, unapplied=D("0.00")))

    assert told(books) == []
    assert told(books, day("06-30")) == []
    assert told(books, day("07-01")) == [{"who": "C1", "currency": "EUR", "current": "100.00", "open": "100.00",
                                          "balance": "100.00"}]  # fmt: skip
    assert told(books, day("08-10")) == [{"who": "C1", "currency": "EUR", "1-30": "75.00", "open": "75.00",
                                          "unapplied": "35.00", "balance": "40.00"}]  # fmt: skip
    assert told(books, day("08-24")) == [{"who": "C1", "currency": "EUR", "1-30": "40.00", "open": "40.00",
                                          "balance": "40.00"}]  # fmt: skip


def test_money_that_came_before_its_invoice_lay_on_none(books: Books) -> None:
    """
    08-01 P1 100.00, put on I1, which was written on 08-15
    """
    books.keep(
        customer(), invoice("I1", "0.00", issued_on=day("08-15"), due_on=day("09-14")),
        put(payment("P1", received_on=day("08-01")), I1=("100.00", "08-01")),
    )  # fmt: skip
    assert told(books, day("08-10")) == [{"who": "C1", "currency": "EUR", "unapplied": "100.00", "balance": "-100.00"}]
    assert told(books, day("08-15")) == []


def test_credit_whose_use_only_a_payment_tells_lay_on_no_invoice_before(books: Books) -> None:
    """
    07-01 I1 100.00   07-10 N1 40.00 (QuickBooks: the note does not say on what)
    08-10 P1 60.00, with 100.00 on I1
    07-12 N2 9.00 at a branch, refunded: of its use nothing is told
    """
    books.keep(
        customer("C1"), customer("B", parent_id="C1"), invoice("I1", "0.00"),
        credit("N1", "40.00", issued_on=day("07-10"), unapplied=D("0.00")),
        credit("N2", "9.00", customer="B", issued_on=day("07-12"), unapplied=D("0.00")),
        replace(put(payment("P1", "60.00", received_on=day("08-10")), I1=("100.00", "08-10")), unapplied=D("0.00")),
    )  # fmt: skip
    assert told(books, day("07-09"))[0]["balance"] == "100.00"
    assert told(books, day("07-31")) == [{"who": "C1", "currency": "EUR", "current": "100.00", "open": "100.00",
                                          "unapplied": "40.00", "balance": "60.00"}]  # fmt: skip
    (own,) = told(books, day("07-31"), Whose.CUSTOMER)
    assert (own["who"], own["unapplied"]) == ("C1", "40.00")
    assert told(books, day("08-10")) == []


def test_drafts_voids_and_what_is_dated_later_are_left_out_and_payments_taken_back_never_came(books: Books) -> None:
    """
    V voided, D draft, F dated 09-05; I1 100.00 with P1 voided; I2 100.00, paid by P2 dated 09-03
    """
    books.keep(
        customer(), invoice("V", state=InvoiceState.VOID), invoice("D", state=InvoiceState.DRAFT),
        invoice("F", "70.00", issued_on=day("09-05"), due_on=day("10-05")), invoice("I1"), invoice("I2", "0.00"),
        put(payment("P1", state=CreditState.VOID), I1=("100.00", "08-15")),
        put(payment("P2", received_on=day("09-03")), I2=("100.00", "09-03")),
    )  # fmt: skip
    for on in (TODAY, day("08-20")):
        (row,) = told(books, on)
        assert (row["open"], row["balance"]) == ("200.00", "200.00")
    assert notes(books) == (
        "harbour: 70.00 EUR of invoices dated later are left out",
        "harbour: 100.00 EUR of money and credit dated later is counted as not there yet",
    )


def test_what_no_payment_explains_is_taken_for_never_owed_and_told(books: Books) -> None:
    """
    I1 100.00, of which 30.00 was written off by a journal entry, nobody knows when
    """
    books.keep(customer(), invoice("I1", "70.00"))
    assert [row["open"] for row in told(books, day("08-20"))] == ["70.00"]
    assert notes(books) == ()
    assert notes(books, day("08-20")) == (
        "harbour: invoices that no known payment or credit explains: 1, by 30.00 EUR that is taken for never owed",
    )


def test_books_that_are_not_whole_are_told_with_the_report(books: Books) -> None:
    """
    read whole on 09-01 at 12:00 UTC, one record in quarantine; then partial
    """
    broken = unreadable(Resource.INVOICES, "I9", "C1")
    books.keep(customer(), invoice(), broken=[broken])
    assert notes(books) == ("harbour: records in quarantine, and so in no figure: 1 (arsync quarantine)",)
    with books.store.working() as work:
        connections.set_health(work, books.id, Health.PARTIAL, "the vendor was away")
        work.commit()
        late = replace(office(books, day("09-02")), connection=connections.connection(work, "harbour"))
        told_then = aging.exposure(work, [late], top=1).notes
    assert told_then[:2] == (
        "harbour: its books were last read whole at 2026-09-01 12:00 UTC, before the report's day",
        "harbour: partial: the vendor was away",
    )


def test_a_payers_row_has_its_branches_and_a_branch_its_own(books: Books) -> None:
    """
    head 10.00; branch of it 20.00 and 5.00 on no invoice; old, merged into head, 3.00; stranger 1.00; P2 of nobody 2.00
    """
    books.keep(
        customer("head"), customer("branch", parent_id="head"), customer("old", merged_into="head"),
        invoice("I1", "10.00", customer="head"), invoice("I2", "20.00", customer="branch"),
        invoice("I3", "3.00", customer="old"), invoice("I4", "1.00", customer="stranger"),
        payment("P1", "5.00", customer="branch"), payment("P2", "2.00", customer=None),
    )  # fmt: skip
    assert {row["who"]: row["balance"] for row in told(books)} == {"head": "28.00", "stranger": "1.00", None: "-2.00"}
    assert {row["who"]: row["balance"] for row in told(books, whose=Whose.CUSTOMER)} == {
        "head": "10.00", "branch": "15.00", "old": "3.00", "stranger": "1.00", None: "-2.00",
    }  # fmt: skip


def test_another_company_with_the_same_ids_is_not_added(books: Books) -> None:
    other = open_books(books.store, "other")
    books.keep(customer(), invoice("I1", "0.00"), put(payment("P1"), I1=("100.00", "08-15")))
    other.keep(customer(), invoice("I1", "0.00"), put(payment("P1"), I1=("40.00", "08-15")))
    assert [row["open"] for row in told(books, day("08-01"))] == ["100.00"]
    assert [row.get("open") for row in told(other, day("08-01"))] == ["40.00"]


def test_what_was_paid_later_adds_up_to_the_cent(books: Books) -> None:
    """
    I1 to I3 of 1,234.56, paid on 08-20 in parts of 1,000.01 and 234.55
    """
    for n in (1, 2, 3):
        first = put(payment(f"P{n}", "1000.01", received_on=day("08-20")), **{f"I{n}": ("1000.01", "08-20")})
        rest = put(payment(f"R{n}", "234.55", received_on=day("08-20")), **{f"I{n}": ("234.55", "08-20")})
        books.keep(customer(), invoice(f"I{n}", "0.00", total=D("1234.56")), first, rest)
    assert [row["open"] for row in told(books, day("08-19"))] == ["3703.68"]


def test_the_largest_amounts_add_up(books: Books) -> None:
    most = str(LIMIT)
    books.keep(customer(), *(invoice(name, most, total=LIMIT) for name in ("I1", "I2", "I3")))
    assert [row["open"] for row in told(books)] == [str(3 * LIMIT) + ".00"]


def test_highest_balances_come_first_with_their_part_of_all(books: Books) -> None:
    """
    EUR  A 60.00   B 30.00   C 10.00 less 10.00 on no invoice   D 10.00     USD  A 5.00
    """
    books.keep(
        *(customer(name, name=name) for name in "ABCD"), invoice("I1", "60.00", customer="A"),
        invoice("I2", "30.00", customer="B", due_on=TODAY), invoice("I3", "10.00", customer="C"),
        payment("P1", "10.00", customer="C"), invoice("I4", "10.00", customer="D"),
        invoice("I5", "5.00", customer="A", currency="USD"),
    )  # fmt: skip
    with books.store.reading() as work:
        sheet = aging.exposure(work, [office(books)], top=2)
    shown = ("currency", "rank", "payer", "balance", "share", "running", "overdue", "oldest")
    assert [tuple(str(row[name]) for name in shown) for row in named(sheet)] == [
        ("EUR", "1", "A", "60.00", "60.0", "60.0", "60.00", "32"),
        ("EUR", "2", "B", "30.00", "30.0", "90.0", "0.00", "None"),
        ("USD", "1", "A", "5.00", "100.0", "100.0", "5.00", "32"),
    ]


def test_it_costs_the_same_queries_for_many_payers_as_for_one(books: Books) -> None:
    asked: list[str] = []
    event.listen(books.store.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    counts = []
    for many in (1, 60):
        for n in range(many):
            note = credit(f"N{n}", "40.00", customer=f"C{n}", issued_on=day("07-10"), unapplied=D("0.00"))
            paid = put(
                payment(f"P{n}", "60.00", customer=f"C{n}", received_on=day("08-10")), **{f"I{n}": ("100.00", "08-10")}
            )
            books.keep(customer(f"C{n}"), invoice(f"I{n}", "0.00", customer=f"C{n}"), note,
                       replace(paid, unapplied=D("0.00")))  # fmt: skip
        asked.clear()
        assert len(told(books, day("08-01"))) == many
        counts.append(len([one for one in asked if one.lstrip("( ").startswith(("SELECT", "WITH"))]))
    assert counts == [9, 9]
