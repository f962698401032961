"""Money comes back to the last ten-thousandth, and the cache ends at the newest truth whatever came when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.store.books import Books, at, credit, customer, invoice, line, open_books, payment

from arsync.domain.documents import Invoice
from arsync.domain.money import LIMIT, Money, amount, from_units, to_units
from arsync.store import ledger
from arsync.store.engine import Store
from arsync.store.upgrade import upgrade

AMOUNTS = st.decimals(min_value=-LIMIT, max_value=LIMIT, places=4, allow_nan=False, allow_infinity=False)
SOME_MONEY = st.decimals(min_value=Decimal("0.0001"), max_value=Decimal("99999999.9999"), places=4)
CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD"])
STORED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Books]]:
    """Makes one more connection in one database: books with nothing in them."""
    folder: Path = tmp_path_factory.mktemp("money")
    store = Store(f"sqlite:///{folder / 'arsync.db'}")
    upgrade(store)
    numbers = count(1)
    yield lambda: open_books(store, f"books {next(numbers)}")
    store.close()


@given(AMOUNTS)
def test_an_amount_is_a_whole_number_of_ten_thousandths(value: Decimal) -> None:
    assert from_units(to_units(amount(value))) == value
    assert abs(to_units(value)) < 2**63


@STORED
@given(SOME_MONEY, SOME_MONEY, st.lists(SOME_MONEY, max_size=5), CURRENCIES)
def test_money_comes_back_from_the_database_exactly(
    fresh: Callable[[], Books], total: Decimal, balance: Decimal, amounts: list[Decimal], currency: str
) -> None:
    books = fresh()
    lines = tuple(line(f"line {place}", str(part)) for place, part in enumerate(amounts))
    books.keep(customer(), replace(invoice(lines=lines, currency=currency), total=total, balance=balance))
    with books.store.reading() as work:
        (item,) = ledger.read(work, books.id).items["C1", currency]
        kept = ledger.lines(work, books.id, ["I1"]).get("I1", ())
    assert (item.total, item.balance) == (Money(total, currency), Money(balance, currency))
    assert [part.amount for part in kept] == amounts


@STORED
@given(st.lists(st.tuples(st.sampled_from(["A", "B", "A1"]), CURRENCIES, SOME_MONEY, st.booleans()), max_size=12))
def test_unapplied_money_adds_up_by_payer_and_currency(
    fresh: Callable[[], Books], receipts: list[tuple[str, str, Decimal, bool]]
) -> None:
    books = fresh()
    books.keep(customer("A"), customer("B"), customer("A1", parent_id="A"))
    expected: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for number, (who, currency, sum_, is_payment) in enumerate(receipts):
        if is_payment:
            books.keep(payment(f"P{number}", str(sum_), customer=who, currency=currency))
        else:
            books.keep(credit(f"N{number}", str(sum_), customer=who, currency=currency))
        expected["B" if who == "B" else "A", currency] += sum_
    with books.store.reading() as work:
        assert dict(ledger.read(work, books.id).unapplied) == dict(expected)


@STORED
@given(st.lists(st.lists(SOME_MONEY, max_size=4), min_size=1, max_size=5))
def test_the_last_word_on_a_payment_is_what_its_allocations_add_up_to(
    fresh: Callable[[], Books], words: list[list[Decimal]]
) -> None:
    books = fresh()
    for minutes, parts in enumerate(words):
        put = {f"I{place}": str(part) for place, part in enumerate(parts)}
        books.keep(payment("P1", "999999999.0000", on=put, minutes=minutes))
    rows = books.rows(f"SELECT amount FROM allocations WHERE connection_id = {books.id} ORDER BY position")
    assert [from_units(int(units)) for (units,) in rows] == words[-1]
    ((unapplied,),) = books.rows(f"SELECT unapplied FROM payments WHERE connection_id = {books.id}")
    assert from_units(int(unapplied)) == Decimal("999999999.0000") - sum(words[-1], start=Decimal(0))


@st.composite
def histories(draw: st.DrawFn) -> list[list[Invoice]]:
    """Pages, in any order and with repetitions, of the versions that a few invoices went through."""
    versions: list[Invoice] = []
    for number in range(draw(st.integers(1, 3))):
        minutes = 0
        for version in range(draw(st.integers(1, 12))):
            minutes += draw(st.integers(0, 1))  # several edits may fall into one second
            balance = draw(st.sampled_from(["0.00", "1.00", "55.55", "100.00"]))
            versions.append(invoice(f"I{number}", balance, version=str(version), minutes=minutes))
    order = draw(st.permutations([*versions, *draw(st.lists(st.sampled_from(versions), max_size=5))]))
    pages: list[list[Invoice]] = [[]]
    for one in order:
        if draw(st.booleans()):
            pages.append([])
        pages[-1].append(one)
    return pages


@STORED
@given(histories())
def test_the_cache_ends_at_the_newest_version_whatever_the_order_of_the_pages(
    fresh: Callable[[], Books], pages: list[list[Invoice]]
) -> None:
    books = fresh()
    newest: dict[str, Invoice] = {}
    for page in pages:
        books.keep(*page)
        for one in page:
            known = newest.get(one.remote_id, one)
            newest[one.remote_id] = max(known, one, key=lambda it: (it.updated_at, int(it.version)))
    query = f"SELECT remote_id, balance, version FROM invoices WHERE connection_id = {books.id}"
    assert {name: (from_units(int(units)), version) for name, units, version in books.rows(query)} == {
        name: (one.balance, one.version) for name, one in newest.items()
    }
    assert at() <= max(one.updated_at for one in newest.values())
