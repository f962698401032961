"""How long money is outstanding, from the cache: the field's golden figures as ledgers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event
from tests.integration.report.conftest import named, office
from tests.integration.store.books import TODAY, Books, credit, customer, invoice, open_books, payment

from arsync.domain.documents import CreditState, Invoice, InvoiceState, Payment
from arsync.report import outstanding
from arsync.report.outstanding import Level
from arsync.report.period import calendar_months, months_before
from arsync.report.sheet import Sheet

D = Decimal


def day(written: str) -> date:
    return date.fromisoformat(f"2026-{written}")


def sale(name: str, total: str, balance: str, on: str, *, due: str = "", who: str = "C1", **more: Any) -> Invoice:
    """An invoice due 30 days after its day, or when told."""
    issued = day(on)
    made = invoice(name, balance, customer=who, issued_on=issued, **more)
    return replace(made, total=D(total), due_on=day(due) if due else issued + timedelta(days=30))


def paid(name: str, amount: str, invoice_id: str, on: str, **more: Any) -> Payment:
    made = payment(name, amount, on={invoice_id: amount}, received_on=day(on), **more)
    return replace(made, allocations=tuple(replace(part, allocated_on=day(on)) for part in made.allocations))


def cells(sheet: Sheet, *names: str) -> list[tuple[str, ...]]:
    return [tuple(str(row[name]) for name in names) for row in named(sheet)]


def dso(books: Books, on: date, days: int = 90) -> Sheet:
    with books.store.reading() as work:
        return outstanding.dso(work, [office(books, on)], days)


def test_dso_counts_back_month_by_month_and_its_best_is_of_what_is_not_due(books: Books) -> None:
    """
    sold: March 900,000  February 800,000  January 700,000; open on 31 March 2,100,000, all but 900,000 of it past due
    """
    books.keep(
        customer(), sale("J", "700000.00", "400000.00", "01-10"), sale("F", "800000.00", "800000.00", "02-10"),
        sale("M", "900000.00", "900000.00", "03-10"), paid("P", "300000.00", "J", "03-01"),
    )  # fmt: skip
    names = ("receivables", "not due", "sales", "DSO", "best", "ADD", "DSO back", "best back", "ADD back")
    assert cells(dso(books, day("03-31")), *names) == [
        ("2100000.00", "900000.00", "2400000.00", "78.75", "33.75", "45.00", "76.71", "31.00", "45.71")
    ]


def test_sales_are_invoices_less_credit_of_each_currency_and_no_draft_or_void(books: Books) -> None:
    """
    EUR  invoices 100.00 + 60.00, credit note 40.00, voided note 9.00, void, draft, one of 31 August 2025
    USD  invoice 50.00      CAD  an invoice of 3 June, paid: no row
    """
    books.keep(
        customer(), sale("A", "100.00", "60.00", "08-20"), sale("B", "60.00", "0.00", "06-04"),
        sale("X", "500.00", "0.00", "08-20", state=InvoiceState.VOID),
        sale("Y", "500.00", "500.00", "08-20", state=InvoiceState.DRAFT),
        credit("N1", "40.00", on={"A": "40.00"}), credit("N2", "9.00", state=CreditState.VOID),
        sale("Z", "50.00", "50.00", "08-30", currency="USD"), sale("O", "7.00", "0.00", "06-03"),
        sale("Q", "3.00", "0.00", "06-03", currency="CAD"),
    )  # fmt: skip
    assert cells(dso(books, TODAY), "currency", "receivables", "sales", "DSO") == [
        ("EUR", "60.00", "120.00", "45.00"),
        ("USD", "50.00", "50.00", "90.00"),
    ]


def test_what_is_more_than_all_sales_has_no_days_and_that_is_told(books: Books) -> None:
    books.keep(customer(), replace(sale("A", "100.00", "100.00", "08-20", due="08-20"), issued_on=date(2019, 1, 1)))
    sheet = dso(books, TODAY)
    assert cells(sheet, "DSO", "ADD", "DSO back", "best back", "ADD back") == [("None", "None", "None", "0.00", "None")]
    assert sheet.notes == (
        "harbour: the receivables in EUR are more than all sales of 36 months: no days by counting back",
    )


def test_collection_effectiveness_of_a_quarter(books: Books) -> None:
    """
    03-31 open 6,200   sold until 06-30 10,890   06-30 open 6,340, of which 3,590 are not due
    """
    books.keep(
        customer(), sale("A", "6200.00", "0.00", "03-01"), paid("P1", "6200.00", "A", "04-10"),
        sale("B", "3590.00", "3590.00", "06-15"), sale("C", "7300.00", "2750.00", "05-01"),
        paid("P2", "4550.00", "C", "06-01"),
    )  # fmt: skip
    names = ("from", "begin", "sales", "end", "not due", "CEI")
    with books.store.reading() as work:
        quarter = outstanding.cei(work, [office(books, day("06-30"))], 3)
        year = outstanding.cei(work, [office(books, day("06-30"))], 12, annual=True)
    assert cells(quarter, *names) == [("2026-04-01", "6200.00", "10890.00", "6340.00", "3590.00", "55.93")]
    # 17,090 sold in the year: (17,090 - 6,340) / (17,090 - 3,590)
    assert cells(year, *names) == [("2025-07-01", "0.00", "17090.00", "6340.00", "3590.00", "79.63")]


def test_days_to_pay_are_weighed_with_the_money_of_the_period(books: Books) -> None:
    """
    I1 issued 07-01 due 07-31: 90.00 on 08-10 (40 days, 10 late), 10.00 on 08-30 (60 days, 30 late)
    I2 of a branch, issued 08-20, no due date: 100.00 that had come on 08-01, before it was written: 0 days
    I3: 25.00 of money with 75.00 of credit in one payment on 07-31: 30 days, in time
    voided, before the period, on no invoice: nothing
    """
    together = replace(payment("P4", "25.00", on={"I3": "100.00"}, received_on=day("07-31")), unapplied=D("0.00"))
    books.keep(
        customer("C1"), customer("B", parent_id="C1"), invoice("I1", "0.00"), paid("P1", "90.00", "I1", "08-10"),
        paid("P2", "10.00", "I1", "08-30"), invoice("I2", "0.00", customer="B", issued_on=day("08-20"), due_on=None),
        paid("P3", "100.00", "I2", "08-01", customer="B"), invoice("I3", "0.00"), together,
        invoice("I4", "0.00"), paid("P5", "100.00", "I4", "07-02"),
        paid("P6", "50.00", "I1", "08-11", state=CreditState.VOID),
        payment("P7", "11.00", received_on=day("08-20")),
    )  # fmt: skip
    with books.store.reading() as work:
        sheet = outstanding.days_to_pay(work, [office(books)], 60)
        each = outstanding.days_to_pay(work, [office(books)], 60, Level.PAYER)
    # (90 x 40 + 10 x 60 + 100 x 0 + 25 x 30) / 225, and (90 x 10 + 10 x 30 + 25 x 0) / 125
    assert cells(sheet, "from", "currency", "received", "days to pay", "days late") == [
        ("2026-07-04", "EUR", "225.00", "22.00", "9.60")
    ]
    assert cells(each, "payer", "payer_id", "received") == [("Customer C1", "C1", "225.00")]


def test_each_report_takes_the_same_queries_for_one_payer_as_for_many_and_sees_one_company(books: Books) -> None:
    other = open_books(books.store, "other")
    other.keep(customer(), sale("I0", "9.00", "9.00", "08-01"))
    asked: list[str] = []
    event.listen(books.store.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    counts = []
    for many in (1, 40):
        for n in range(many):
            books.keep(customer(f"C{n}"), sale(f"I{n}", "100.00", "60.00", "08-01", who=f"C{n}"),
                       paid(f"P{n}", "40.00", f"I{n}", "08-20", customer=f"C{n}"))  # fmt: skip
        asked.clear()
        with books.store.reading() as work:
            here = [office(books)]
            sheets = [outstanding.dso(work, here, 90), outstanding.cei(work, here, 3),
                      outstanding.days_to_pay(work, here, 90, Level.PAYER)]  # fmt: skip
        assert [len(sheet.rows) for sheet in sheets] == [1, 1, many]
        assert cells(sheets[0], "receivables") == [(f"{60 * many}.00",)]
        counts.append(len([one for one in asked if one.lstrip("( ").startswith("SELECT")]))
    assert counts[0] == counts[1] <= 20


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [("2026-11-23", 3, "2026-08-23"), ("2026-11-30", 3, "2026-08-31"), ("2026-03-30", 1, "2026-02-28"),
     ("2024-02-29", 12, "2023-02-28"), ("2026-01-31", 1, "2025-12-31"), ("2026-12-15", 12, "2025-12-15")],
)  # fmt: skip
def test_so_many_months_before_is_the_same_day_and_the_end_of_a_month_an_end(
    day: str, months: int, before: str
) -> None:
    assert months_before(date.fromisoformat(day), months) == date.fromisoformat(before)


def test_months_are_counted_back_from_the_part_that_has_passed() -> None:
    assert list(calendar_months(date(2026, 3, 10), date(2026, 1, 15))) == [
        (date(2026, 3, 1), date(2026, 3, 10)),
        (date(2026, 2, 1), date(2026, 2, 28)),
    ]
