"""Books to report on, and an office that looks at them on a day."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.integration.store.books import TODAY, Books, open_books

from arsync.report.sheet import Office, Sheet
from arsync.store.engine import Store


@pytest.fixture
def books(store: Store) -> Books:
    """One healthy connection, no records."""
    return open_books(store)


def office(books: Books, on: date = TODAY, *, timezone: str = "Europe/Berlin") -> Office:
    """The company, as its report of that day sees it."""
    return Office(books.connection, on, TODAY, timezone)


def named(sheet: Sheet) -> list[dict[str, Any]]:
    """The rows with each value by the name that people read over its column."""
    return [dict(zip([column.name for column in sheet.columns], row, strict=True)) for row in sheet.rows]
