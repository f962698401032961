"""A record that comes again without news wakes nobody: our own notes may have touched it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.integration.store.books import Books, at, contact, customer, invoice, line

from arsync.domain.documents import Customer, Invoice


@pytest.fixture
def owing(books: Books) -> Books:
    books.keep(a_customer(), an_invoice())
    books.follow()
    return books


def a_customer(minutes: float = 0, **facts: object) -> Customer:
    return replace(customer(minutes=minutes, contacts=[contact("Ada"), contact("Bob")]), **facts)  # type: ignore[arg-type]


def an_invoice(minutes: float = 0, **facts: object) -> Invoice:
    whole = invoice(minutes=minutes, lines=(line("Nails"), line("Screws")), email="ada@example.com")
    return replace(whole, **facts)  # type: ignore[arg-type]


def test_a_touched_record_is_kept_and_wakes_nobody(owing: Books) -> None:
    before = owing.chase().version
    stored = owing.keep(a_customer(1, version="1"), an_invoice(1, version="1"))
    assert (stored.written, stored.customers) == (2, set())
    assert owing.chase().version == before
    assert owing.rows("SELECT version FROM invoices UNION ALL SELECT version FROM customers") == [("1",), ("1",)]
    assert owing.keep(a_customer(1, version="1"), an_invoice(1, version="1")).written == 0


def test_marks_of_our_own_wake_nobody(owing: Books) -> None:
    before = owing.chase().version
    owing.keep(an_invoice(1, sent=True, expected_on=at(5).date()))
    assert owing.chase().version == before
    assert owing.rows("SELECT count(*) FROM invoices WHERE sent") == [(1,)]


@pytest.mark.parametrize(
    "news",
    [
        {"reference": "PO 8"}, {"email": "bob@example.com"}, {"terms": "Net 30"}, {"number": "No 2"}, {"due_on": None},
        {"lines": (line("Nails"), line("Bolts"))}, {"lines": (line("Nails"),)}, {"lines": ()},
    ],
    ids=str,
)  # fmt: skip
def test_whatever_a_message_would_say_wakes_the_payer(owing: Books, news: dict[str, object]) -> None:
    before = owing.chase().version
    owing.keep(an_invoice(1, **news))
    assert owing.chase().version == before + 1


@pytest.mark.parametrize(
    "news",
    [{"name": "C & Sons"}, {"language": "fr"}, {"contacts": (contact("Ada"),)}, {"contacts": (contact("Eve"),)}],
    ids=["name", "language", "fewer contacts", "another contact"],
)
def test_whoever_is_written_to_wakes_the_payer(owing: Books, news: dict[str, object]) -> None:
    before = owing.chase().version
    owing.keep(a_customer(1, **news))
    assert owing.chase().version == before + 1
