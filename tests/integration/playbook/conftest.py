"""An installation's folder of playbooks, over a connection with a few invoices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.playbook.shop import Shop
from tests.integration.store.books import open_books
from tests.shortcuts import lay_database

from arsync.store.engine import Store


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Standard alone, nobody owes anything yet; what the statements do on PostgreSQL is tested with the store."""
    lay_database(tmp_path / "shop.db")
    store = Store(f"sqlite:///{tmp_path / 'shop.db'}")
    made = Shop(open_books(store), tmp_path / "playbooks")
    made.write("standard")
    yield made
    store.close()
