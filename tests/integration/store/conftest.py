"""A connection with nothing in it, and a database that has rows in every table, on either database."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.store.books import NOW, Books, open_books
from tests.integration.store.every_table import fill_every_table

from arsync.ops import archives
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock


@pytest.fixture
def books(store: Store) -> Books:
    """One healthy connection, no records."""
    return open_books(store)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def filled(store: Store) -> Store:
    """Every table has rows."""
    with store.working() as work:
        fill_every_table(work)
        work.commit()
    return store


@pytest.fixture
def kept(filled: Store, tmp_path: Path, clock: FixedClock) -> Path:
    """An archive of it."""
    archives.back_up(filled, tmp_path / "kept.gz", clock)
    return tmp_path / "kept.gz"
