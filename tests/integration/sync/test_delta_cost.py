"""What a delta costs: by what changed, whatever the size of the company."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import event
from tests.integration.store.books import NOW, TODAY, Books, credit, customer, gone, invoice, open_books, page, payment

from arsync.connector import Company, Connector, Page, Resource
from arsync.domain.documents import InvoiceState, Record, resource_of
from arsync.store import connections, pulse
from arsync.store.engine import Store
from arsync.store.pulse import Beat
from arsync.sync.delta import DELTA, sync
from arsync.sync.refresh import refresh
from arsync.testing.ports import FixedClock

_COMPANY = Company("harbour", "Harbour Ltd", "EUR", "DE", "Europe/Berlin", reminders_on=None, source_id="1")


#: What a statement's values look like once they are written into it.
_VALUE = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")


@dataclass
class Source:
    """Tells what changed in pages, and whatever it knows by id."""

    known: dict[tuple[Resource, str], Record]
    changed: list[Page] = field(default_factory=list)

    def company(self) -> Company:
        return _COMPANY

    def delta(self, cursor: str) -> Iterator[Page]:
        yield from self.changed

    def refresh(self, customer_ids: Collection[str], *, cursor: str) -> Iterator[Page]:
        yield from self.changed

    def records(self, resource: Resource, remote_ids: Collection[str]) -> Iterator[Page]:
        yield page(*(self.known[resource, one] for one in remote_ids))


@dataclass
class Effort:
    """Rows fetched, and steps of SQLite's machine by statement."""

    rows: int = 0
    steps: Counter[str] = field(default_factory=Counter)


def _measured(store: Store, act: Callable[[], object]) -> Effort:
    effort = Effort()
    running = ""

    def told(statement: str) -> None:
        nonlocal running
        running = _VALUE.sub("?", statement)

    def connected(raw: Any, _record: Any) -> None:
        def row(_cursor: Any, values: tuple[Any, ...]) -> tuple[Any, ...]:
            effort.rows += 1
            return values

        def step() -> None:
            effort.steps[running] += 1

        raw.row_factory = row
        raw.set_progress_handler(step, 1)
        raw.set_trace_callback(told)

    store.close()  # connections made from here on are measured
    event.listen(store.engine, "connect", connected)
    try:
        act()
    finally:
        event.remove(store.engine, "connect", connected)
        store.close()
    assert effort.rows > 10, "nothing was measured"
    assert sum(effort.steps.values()) > 1000
    return effort


def _company(store: Store, invoices: int) -> tuple[Books, dict[tuple[Resource, str], Record]]:
    """Ten invoices to a customer, half of them paid; every fifth customer a branch of the one before it, and chased."""
    books = open_books(store)
    customers = [
        customer(f"C{one}", parent_id=f"C{one - 1}" if one % 5 == 4 else None, balance=Decimal(500))
        for one in range(invoices // 10)
    ]
    items = [invoice(f"I{one}", "0.00" if one % 2 else "100.00", customer=f"C{one // 10}") for one in range(invoices)]
    money = [payment(f"P{one}", on={f"I{one}": "100.00"}, customer=f"C{one // 10}") for one in range(1, invoices, 2)]
    notes = [credit(f"N{one}", customer=f"C{one}", on={f"I{one * 10}": "0.01"}) for one in range(invoices // 10)]
    every: list[Record] = [*customers, *items, *money, *notes]
    books.keep(*every)
    books.follow()
    with store.working() as work:
        for day in range(5, 600, max(1, 12_000 // invoices)):  # the longer its history, the more days of it
            pulse.add(work, books.id, Beat(TODAY - timedelta(days=day), 3, 2))
        for pull, done in ((DELTA, False), ("backfill", True)):
            connections.move_cursor(work, books.id, pull, position="then", done=done, seen=0, now=NOW)
        work.commit()
    return books, {(resource_of(one), one.remote_id): one for one in every}


def _life() -> list[Page]:
    """Some of everything: paid, new, void, deleted, reopened, rebilled, a new branch, a branch that leaves, a parent
    that closes."""
    paid = [invoice(f"I{one}", "0.00", minutes=5) for one in (2, 4)]
    return [
        page(
            customer("C1", balance=Decimal(20), minutes=5),  # owes less than its items: read again
            customer("C9", parent_id=None, balance=Decimal(500), minutes=5),
            customer("C19", parent_id="C2", balance=Decimal(500), minutes=5),
            customer("C-new", parent_id="C3", balance=Decimal(100), minutes=5),
            customer("C-top", balance=Decimal(0), minutes=5),
        ),
        page(
            *paid,
            invoice("I-new", customer="C-new", minutes=5),
            invoice("I6", "0.00", minutes=5, state=InvoiceState.VOID),
            invoice("I11", "100.00", customer="C1", minutes=5),
            invoice("I60", customer="C7", minutes=5),
            gone(Resource.INVOICES, "I12"),
            gone(Resource.PAYMENTS, "P11"),
        ),
        page(*(payment(f"P-{one.remote_id}", on={one.remote_id: "100.00"}, minutes=5) for one in paid)),
    ]


def _told(known: dict[tuple[Resource, str], Record]) -> Source:
    changed = _life()
    latest = {(resource_of(one), one.remote_id): one for some in changed for one in some.records}
    return Source(known | latest, changed)


def _efforts(make_store: Callable[[], Store], act: Callable[[Books, Source], object]) -> tuple[Effort, Effort]:
    efforts = []
    for invoices in (200, 2_000):
        books, known = _company(make_store(), invoices)
        source = _told(known)
        sync(books.store, books.connection, cast(Connector, Source(known)), FixedClock(NOW))  # the first looks at all
        efforts.append(_measured(books.store, lambda books=books, source=source: act(books, source)))  # type: ignore[misc]
    small, large = efforts
    return small, large


def _grown(small: Effort, large: Effort) -> dict[str, tuple[int, int]]:
    return {
        statement: (small.steps[statement], steps)
        for statement, steps in large.steps.items()
        if steps > small.steps[statement] * 1.1 + 50
    }


def test_a_delta_reads_what_changed_and_not_the_company(make_store: Callable[[], Store]) -> None:
    def act(books: Books, source: Source) -> None:
        found = sync(books.store, books.connection, cast(Connector, source), FixedClock(NOW + timedelta(hours=1)))
        assert found.written >= 15

    small, large = _efforts(make_store, act)
    assert _grown(small, large) == {}, "statements that walk through the company"
    assert large.rows <= small.rows + 5


def test_a_refresh_reads_the_payer_and_not_the_company(make_store: Callable[[], Store]) -> None:
    def act(books: Books, source: Source) -> None:
        refresh(books.store, books.connection, cast(Connector, source), ["C1"], FixedClock(NOW + timedelta(hours=1)))

    small, large = _efforts(make_store, act)
    assert _grown(small, large) == {}, "statements that walk through the company"
    assert large.rows <= small.rows + 5
