"""Aging adds up on every day: forward from what was sold and paid, back from what is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.report.conftest import named
from tests.integration.store.books import TODAY, Books, credit, customer, invoice, open_books, payment
from tests.postgres import Server

from arsync.domain.documents import Allocation, InvoiceState
from arsync.report.aging import Account, Whose, accounts, summed
from arsync.report.changes import changes
from arsync.report.sheet import Office
from arsync.store import ledger
from arsync.store.engine import Store
from arsync.store.upgrade import upgrade

FIRST = TODAY - timedelta(days=120)
DAYS = st.integers(0, 120).map(lambda n: FIRST + timedelta(days=n))
CENTS = st.integers(1, 50_000).map(lambda n: Decimal(n).scaleb(-2))
WHO = st.sampled_from(["head", "branch", "other"])
CURRENCY = st.sampled_from(["EUR", "USD"])
STORED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOTHING = Decimal("0.00")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Books]]:
    """Makes one more connection in one database: books with nothing in them."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('reports') / 'arsync.db'}"
    else:
        server: Server = request.getfixturevalue("postgres")
        url = server.url(server.fresh())
    store = Store(url)
    upgrade(store)
    numbers = count(1)
    yield lambda: open_books(store, f"books {next(numbers)}")
    store.close()


@dataclass
class Sold:
    """An invoice as it was written."""

    name: str
    who: str
    currency: str
    total: Decimal
    on: date
    due: date


@dataclass
class Came:
    """Money or credit, and what of it was put where and when."""

    name: str
    who: str
    currency: str
    amount: Decimal
    on: date
    is_money: bool
    parts: list[tuple[str, Decimal, date]]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Sold], list[Came]]:
    """Invoices, and money and credit that is put on those of the same customer and currency."""
    sold = [
        Sold(
            f"I{n}", draw(WHO), draw(CURRENCY), draw(CENTS), on := draw(DAYS), on + timedelta(draw(st.integers(0, 60)))
        )
        for n in range(draw(st.integers(0, 6)))
    ]
    left = {one.name: one.total for one in sold}
    came: list[Came] = []
    for n in range(draw(st.integers(0, 6))):
        one = Came(f"M{n}", draw(WHO), draw(CURRENCY), draw(CENTS), draw(DAYS), draw(st.booleans()), [])
        free = one.amount
        for target in sold:
            part = min(free, left[target.name])
            if (target.who, target.currency) == (one.who, one.currency) and part > 0 and draw(st.booleans()):
                part = min(part, draw(CENTS))
                one.parts.append((target.name, part, one.on + timedelta(days=draw(st.integers(0, 40)))))
                left[target.name] -= part
                free -= part
        came.append(one)
    return sold, came


def keep(books: Books, sold: list[Sold], came: list[Came]) -> None:
    """As the source tells it today."""
    put: dict[str, Decimal] = {}
    for one in came:
        for name, part, _ in one.parts:
            put[name] = put.get(name, NOTHING) + part
    for sale in sold:
        balance = sale.total - put.get(sale.name, NOTHING)
        state = InvoiceState.OPEN if balance else InvoiceState.PAID
        base = invoice(sale.name, str(balance), customer=sale.who, currency=sale.currency)
        books.keep(replace(base, total=sale.total, state=state, issued_on=sale.on, due_on=sale.due))
    for one in came:
        parts = tuple(Allocation(*part) for part in one.parts)
        unapplied = one.amount - sum(part.amount for part in parts)
        if one.is_money:
            base_money = payment(one.name, str(one.amount), customer=one.who, currency=one.currency)
            books.keep(replace(base_money, received_on=one.on, unapplied=unapplied, allocations=parts))
        else:
            base_credit = credit(one.name, str(one.amount), customer=one.who, currency=one.currency)
            books.keep(replace(base_credit, issued_on=one.on, unapplied=unapplied, allocations=parts))


def told(books: Books, on: date, whose: Whose = Whose.PAYER) -> list[Account]:
    with books.store.reading() as work:
        return accounts(work, Office(books.connection, on, TODAY, "UTC"), whose)


@STORED
@given(histories(), DAYS)
def test_a_days_aging_is_what_was_sold_less_what_had_come(
    fresh: Callable[[], Books], history: tuple[list[Sold], list[Came]], on: date
) -> None:
    sold, came = history
    books = fresh()
    books.keep(customer("head"), customer("branch", parent_id="head"), customer("other"))
    keep(books, sold, came)
    open_: dict[tuple[str, str], Decimal] = {}
    loose: dict[tuple[str, str], Decimal] = {}
    issued = {one.name: one.on for one in sold}
    for one in sold:
        if one.on <= on:
            put = sum(
                (part for each in came for name, part, day in each.parts if name == one.name and day <= on), NOTHING
            )
            open_[one.who, one.currency] = open_.get((one.who, one.currency), NOTHING) + one.total - put
    for each in came:
        if each.on <= on:
            used = sum((part for name, part, day in each.parts if max(day, issued[name]) <= on), NOTHING)
            loose[each.who, each.currency] = loose.get((each.who, each.currency), NOTHING) + each.amount - used
    by_customer = told(books, on, Whose.CUSTOMER)
    assert {(one.customer_id, one.currency): one.open for one in by_customer if one.open} == {
        key: amount for key, amount in open_.items() if amount
    }
    assert {(one.customer_id, one.currency): one.unapplied for one in by_customer if one.unapplied} == {
        key: amount for key, amount in loose.items() if amount
    }


@STORED
@given(histories(), DAYS)
def test_columns_payers_and_customers_add_up_to_the_same(
    fresh: Callable[[], Books], history: tuple[list[Sold], list[Came]], on: date
) -> None:
    books = fresh()
    books.keep(customer("head"), customer("branch", parent_id="head"), customer("other"))
    keep(books, *history)
    by_payer, by_customer = told(books, on), told(books, on, Whose.CUSTOMER)
    assert {one.payer_id for one in by_payer} <= {"head", "other"}
    assert [(one.currency, one.aging, one.unapplied, one.invoices, one.oldest) for one in summed(by_payer)] == [
        (one.currency, one.aging, one.unapplied, one.invoices, one.oldest) for one in summed(by_customer)
    ]


@STORED
@given(histories())
def test_once_every_date_has_passed_the_aging_is_the_caches_own_balance(
    fresh: Callable[[], Books], history: tuple[list[Sold], list[Came]]
) -> None:
    books = fresh()
    books.keep(customer("head"), customer("branch", parent_id="head"), customer("other"))
    keep(books, *history)
    found = told(books, TODAY + timedelta(days=400))
    with books.store.reading() as work:
        known = ledger.read(work, books.id)
    assert {(one.payer_id, one.currency): one.open for one in found if one.open} == {
        key: sum((item.balance.amount for item in items), NOTHING) for key, items in known.items.items() if items
    }
    assert {(one.payer_id, one.currency): one.unapplied for one in found if one.unapplied} == {
        key: amount for key, amount in known.unapplied.items() if amount
    }


@STORED
@given(histories(), DAYS, st.integers(1, 60))
def test_what_changed_leads_from_one_day_to_the_other(
    fresh: Callable[[], Books], history: tuple[list[Sold], list[Came]], on: date, days: int
) -> None:
    books = fresh()
    books.keep(customer("head"), customer("branch", parent_id="head"), customer("other"))
    keep(books, *history)
    with books.store.reading() as work:
        sheet = changes(work, [Office(books.connection, on, TODAY, "UTC")], days)
    amounts: dict[str, dict[str, Decimal]] = {}
    for row in named(sheet):
        amounts.setdefault(row["currency"], {})[row["what"]] = row["amount"]
    for told in amounts.values():
        assert "otherwise" not in told
        moved = (told.get(what, NOTHING) for what in ("invoiced", "received", "credited"))
        assert told["open before"] + sum(moved) == told["open now"]
        assert told.get("newly past due", NOTHING) <= told.get("past due now", NOTHING)
