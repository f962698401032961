"""A desk: an installation whose companies' books a test writes into the database; no vendor is asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.installation import Ran, arsync_here
from tests.integration.store.books import Books, customer, invoice, open_books

from arsync.bootstrap import App
from arsync.store.engine import Store
from arsync.store.upgrade import upgrade

#: A Tuesday, ten in the morning in New York.
NOW = datetime(2026, 9, 1, 14, tzinfo=UTC)


class StillClock:
    """The time of the test."""

    at = NOW

    def now(self) -> datetime:
        return self.at

    def elapsed(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


@dataclass
class Desk:
    """Harbor: Acme owes I1 (100.00) and I2 (300.00), Birch I3 (250.00), all since 2026-07-31."""

    folder: Path
    books: Books
    clock: StillClock

    def arsync(self, *arguments: str, status: int | None = 0) -> Ran:
        return arsync_here("--config", str(self.folder / "arsync.toml"), *arguments, status=status)

    def json(self, *arguments: str) -> Any:
        return self.arsync(*arguments, "--json").json()

    def notes(self) -> list[tuple[str, str, str]]:
        """What is to be written into the books: where, and the first line."""
        rows = self.books.rows("SELECT target_kind, target_id, text FROM notes WHERE kind = 'note' ORDER BY id")
        return [(kind, target, text.splitlines()[0]) for kind, target, text in rows]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: bringing up a schema takes longer than a test."""
    path = tmp_path_factory.mktemp("schema") / "arsync.db"
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    with store.engine.connect() as plain:
        plain.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return path


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database: Path) -> Iterator[Desk]:
    """Its clock stands still."""
    clock = StillClock()
    monkeypatch.setattr(App, "clock", clock)
    (tmp_path / "arsync.toml").write_text(
        '[database]\nurl = "sqlite:///arsync.db"\n[defaults]\ntimezone = "America/New_York"\ncountry = "US"\n'
        'bank_details.EUR = "Harbor Bank"\n[delivery]\nfrom = "Harbor <a@harbor.example>"\n'
        '[connection.harbor]\nprovider = "quickbooks"\nexternal_id = "harbor"\n',
        encoding="utf-8",
    )
    shutil.copy(empty_database, tmp_path / "arsync.db")
    store = Store(f"sqlite:///{tmp_path / 'arsync.db'}")
    books = open_books(store, "harbor")
    books.keep(customer("A", name="Acme Stores"), customer("B", name="Birch Cafe"))
    for name, whose, amount in (("I1", "A", "100.00"), ("I2", "A", "300.00"), ("I3", "B", "250.00")):
        books.keep(invoice(name, amount, customer=whose, number=name, total=Decimal(amount)))
    books.follow()
    yield Desk(tmp_path, books, clock)
    store.close()
