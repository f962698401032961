"""Who owes what: searched, filtered, sorted, a page at a time."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from tests.integration.store.books import TODAY, credit, customer, invoice, payment
from tests.integration.web.conftest import Guest, House
from tests.integration.web.pages import Page


@pytest.fixture
def ann(house: House) -> Guest:
    """
    Acme of harbour  EUR 160.00 overdue, 32 days late
    Birch            EUR  20.00 overdue since 2026-01-01, 80.00 open; USD 5.00 not due
    Élan             EUR 900.00 due today
    Cedar            nothing open, 12.50 on account
    Dale             nothing at all
    """
    later = TODAY + timedelta(days=9)
    house.harbour.keep(
        customer("B", name="Birch & Sons"), customer("E", name="Élan 50%"), customer("K", name="Cedar"),
        customer("D", name="Dale"),
        invoice("B1", "20.00", customer="B", due_on=date(2026, 1, 1)),
        invoice("B2", "60.00", customer="B", due_on=later),
        invoice("B3", "5.00", customer="B", currency="USD", due_on=later),
        invoice("E1", "900.00", customer="E", due_on=TODAY), invoice("D1", "0.00", customer="D"),
        payment("K1", "10.00", customer="K"), credit("K2", "2.50", customer="K"),
    )  # fmt: skip
    return house.comes("ann")


def names(page: Page) -> list[str]:
    """The rows, in their order."""
    return re.findall(r'<a class="row" href="[^"]*">([^<]*)</a>', page.source)


def test_who_is_late_comes_first_and_whoever_owes_most(ann: Guest) -> None:
    page = ann.get("/customers")
    assert names(page) == ["Acme of harbour", "Birch &amp; Sons"]
    assert "2 who are late" in page.text
    assert "Birch & Sons €20.00 €80.00 243 2" in page.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("show=open", ["Acme of harbour", "Birch &amp; Sons", "Élan 50%", "Birch &amp; Sons"]),
        ("show=open&sort=open", ["Élan 50%", "Acme of harbour", "Birch &amp; Sons", "Birch &amp; Sons"]),
        ("show=open&sort=oldest", ["Birch &amp; Sons", "Acme of harbour", "Birch &amp; Sons", "Élan 50%"]),
        ("show=all&sort=name", ["Acme of harbour", "Birch &amp; Sons", "Birch &amp; Sons", "Cedar", "Élan 50%"]),
        ("show=account", ["Cedar"]),
        ("show=open&currency=usd", ["Birch &amp; Sons"]),
        ("q=SONS birch", ["Birch &amp; Sons", "Birch &amp; Sons"]),
        ("q=élan", ["Élan 50%"]),
        ("q=50%25", ["Élan 50%"]),
        ("q=%25", ["Élan 50%"]),
        ("q=nobody", []),
        ("show=evil&sort=evil&page=evil&company=nowhere", []),
        ("page=99999", ["Acme of harbour", "Birch &amp; Sons"]),
        ("page=%C2%B2&sort=", ["Acme of harbour", "Birch &amp; Sons"]),
    ],
)
def test_the_address_says_who_is_shown_and_in_which_order(ann: Guest, query: str, shown: list[str]) -> None:
    page = ann.get(f"/customers?{query}")
    assert page.status == 200
    assert names(page) == shown


def test_who_owes_nothing_is_found_by_name_all_the_same(ann: Guest) -> None:
    page = ann.get("/customers?q=dale")
    assert names(page) == []
    assert "/customers/harbour/D" in page.links


def test_nobody_is_found_at_a_company_that_is_not_ones_own(ann: Guest) -> None:
    assert "thames" not in ann.get("/customers?q=acme&show=all").source
    assert names(ann.get("/customers?company=thames&show=all")) == []


def test_who_sees_both_may_look_at_one(house: House) -> None:
    bob = house.comes("bob")
    assert sorted(names(bob.get("/customers"))) == ["Acme of harbour", "Acme of thames"]
    assert names(bob.get("/customers?company=thames")) == ["Acme of thames"]


def test_fifty_stand_on_a_page_and_the_next_ones_on_the_next(house: House) -> None:
    house.harbour.keep(*(customer(f"N{one:03}", name=f"N {one:03}") for one in range(120)))
    house.harbour.keep(*(invoice(f"N{one}", f"{1000 - one}.00", customer=f"N{one:03}") for one in range(120)))
    ann = house.comes("ann")
    first = ann.get("/customers?q=n")
    assert names(first) == [f"N {one:03}" for one in range(50)]
    assert "1 of 3" in first.text
    assert "/customers?q=n&page=2" in first.links
    last = ann.get("/customers?q=n&page=3")
    assert names(last) == [f"N {one:03}" for one in range(100, 120)]
    assert "Next" not in last.text
