"""What is at stake at each company, in each currency, and that it costs the same for many as for one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from tests.integration.store.books import NOW, TODAY, Books, customer, invoice, open_books, payment
from tests.shortcuts import lay_database

from arsync.cli.app import run
from arsync.domain.documents import InvoiceState
from arsync.domain.states import Health, MessageState
from arsync.store import connections, overview
from arsync.store.engine import Store
from arsync.store.overview import Stake


def stakes(books: Books, today: date = TODAY) -> list[Stake]:
    with books.store.reading() as work:
        return overview.stakes(work, today).get(books.id, [])


def test_open_and_overdue_are_told_by_currency(books: Books) -> None:
    """
    I1 EUR  100.00  due 07-31  overdue
    I2 EUR   50.50  due 09-01  today: not overdue
    I3 EUR   20.00  no due date
    I4 USD    7.00  due 08-31  overdue
    I5 EUR   90.00  draft; I6 paid
    """
    books.keep(
        customer(), invoice("I1"), invoice("I2", "50.50", due_on=TODAY), invoice("I3", "20.00", due_on=None),
        invoice("I4", "7.00", currency="USD", due_on=date(2026, 8, 31)),
        invoice("I5", "90.00", state=InvoiceState.DRAFT), invoice("I6", "0.00"),
        payment(amount="30.00"),
    )  # fmt: skip
    assert stakes(books) == [
        Stake("EUR", Decimal("170.50"), Decimal("100.00"), 1),
        Stake("USD", Decimal("7.00"), Decimal("7.00"), 1),
    ]
    assert stakes(books, date(2026, 7, 31))[0] == Stake("EUR", Decimal("170.50"), Decimal("0.00"), 0)


def test_messages_are_counted_by_company_and_state(books: Books) -> None:
    other = open_books(books.store, "other")
    for one in (books, other):
        one.keep(customer(), invoice())
        one.follow()
    books.plan(state=MessageState.PLANNED)
    other.plan(state=MessageState.APPROVED)
    with books.store.reading() as work:
        assert overview.messages_in(work, [MessageState.PLANNED]) == {(books.id, MessageState.PLANNED): 1}


@pytest.fixture
def firm(tmp_path: Path) -> Path:
    """An accountant's installation without a company; its clock is ours."""
    (tmp_path / "arsync.toml").write_text('[defaults]\nmode = "approve"\n', encoding="utf-8")
    lay_database(tmp_path / "arsync.db")
    return tmp_path


def take_on(firm: Path, *names: str) -> None:
    store = Store(f"sqlite:///{firm}/arsync.db")
    for name in names:
        books = open_books(store, name, provider="xero")
        books.keep(customer(), invoice("I1"), invoice("I2", "10.00", due_on=date(2030, 1, 1)))
    store.close()


def listed(firm: Path, *options: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many statements the listing takes."""
    asked: list[Any] = []
    whole = Store.__init__

    def listening(self: Store, *args: Any, **named: Any) -> None:
        whole(self, *args, **named)
        event.listen(self.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))

    with monkeypatch.context() as patch:
        patch.setattr(Store, "__init__", listening)
        assert run(["--config", str(firm / "arsync.toml"), "connections", *options]) == 0
    return len(asked)


def test_sixty_clients_cost_as_many_statements_as_two(
    firm: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take_on(firm, "a-1", "a-2")
    few = listed(firm, monkeypatch=monkeypatch)
    take_on(firm, *(f"b-{number}" for number in range(58)))
    assert listed(firm, monkeypatch=monkeypatch) == few
    assert capsys.readouterr().out.splitlines()[-1] == (
        "60 connections: 60 ok; overdue 6,000.00 EUR; open 6,600.00 EUR"
    )


def test_only_the_troubled_are_listed_and_the_sums_are_of_all(
    firm: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take_on(firm, "birch", "elm")
    store = Store(f"sqlite:///{firm}/arsync.db")
    with store.working() as work:
        elm = connections.connection(work, "elm")
        connections.set_health(work, elm.id, Health.SUSPECT, "half of it is gone", synced_at=NOW)
        work.commit()
    store.close()
    listed(firm, "--troubled", monkeypatch=monkeypatch)
    _head, row, sums = capsys.readouterr().out.splitlines()
    assert row.startswith("elm")
    assert "half of it is gone" in row
    assert sums == "2 connections: 1 ok, 1 suspect; overdue 200.00 EUR; open 220.00 EUR"
