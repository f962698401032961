"""Statements of account: every open item of one customer, on screen and as PDF."""

from __future__ import annotations

from tests.integration.store.books import invoice, payment
from tests.integration.web.conftest import House
from tests.integration.web.counting import counted


def test_a_statement_has_every_open_item_and_what_they_come_to(house: House) -> None:
    """EUR: I1 100.00, I2 60.00, P1 25.00 on no invoice => 135.00      USD: I3 7.00"""
    house.harbour.keep(payment("P1", "25.00"), invoice("I3", "7.00", currency="USD"))
    ann = house.comes("ann")
    page = ann.get("/statements/harbour/C1")
    assert "€135.00 €160.00 overdue; €25.00 on no invoice" in page.text
    assert "invoice No I1" in page.text
    assert "$7.00" in page.text
    assert "/statements/harbour/C1" in ann.get("/customers/harbour/C1").links
    pdf = next(link for link in page.links if link.startswith("/statement.pdf/") and "currency=EUR" in link)
    found = ann.client.get(pdf)
    assert (found.headers["content-type"], found.content[:5]) == ("application/pdf", b"%PDF-")
    assert "statement-harbour-EUR-2026-09-01.pdf" in found.headers["content-disposition"]


def test_nobodys_statement_and_anothers_are_not_there(house: House) -> None:
    ann = house.comes("ann")
    for path in ("/statements/harbour/C9", "/statements/thames/C1", "/statement.pdf/thames/C1",
                 "/statement.pdf/harbour/C1?currency=CHF"):  # fmt: skip
        assert ann.get(path).status == 404, path
    assert ann.get("/statements/harbour/C1?on=soon").status == 422


def test_it_takes_as_many_queries_for_ten_invoices_as_for_a_thousand(house: House) -> None:
    ann = house.comes("ann")
    house.harbour.keep(*(invoice(f"J{one}") for one in range(10)))
    few, _ = counted(house.app.store, lambda: ann.get("/statements/harbour/C1"))
    house.harbour.keep(*(invoice(f"J{one}") for one in range(10, 1000)))
    many, page = counted(house.app.store, lambda: ann.get("/statements/harbour/C1"))
    assert page.source.count("<tr>") == 1003
    assert many == few <= 40
