"""Two payers who owe, on either database."""

from __future__ import annotations

import pytest
from tests.integration.store.books import Books, contact, customer, invoice, open_books

from arsync.store.engine import Store


@pytest.fixture
def books(store: Store) -> Books:
    """Ada is a contact of C1, who owes I1 and I2; C2 owes I3."""
    books = open_books(store)
    books.keep(
        customer("C1", contacts=[contact("Ada")]), customer("C2", contacts=[contact("Bob")]),
        invoice("I1"), invoice("I2"), invoice("I3", customer="C2"),
    )  # fmt: skip
    books.follow()
    return books
