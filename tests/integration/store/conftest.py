"""A connection with nothing in it, on either database."""

from __future__ import annotations

import pytest
from tests.integration.store.books import Books, open_books

from arsync.store.engine import Store


@pytest.fixture
def books(store: Store) -> Books:
    """One healthy connection, no records."""
    return open_books(store)
