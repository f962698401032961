"""Who falls short, and who pays for whom, found from what changed: the same as from everything, on both databases."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from tests.integration.store.books import NOW, Books, credit, customer, gone, invoice, page, payment

from arsync.connector import Resource
from arsync.domain.documents import CustomerState, InvoiceState, Record
from arsync.domain.money import LIMIT
from arsync.store import balances, statistics
from arsync.store import tables as t
from arsync.sync import pull
from arsync.testing.ports import FixedClock

_SEED = 1
_NAMES = [f"C{one}" for one in range(9)]
_LETTERS = {Resource.CUSTOMERS: "C", Resource.INVOICES: "I", Resource.PAYMENTS: "P", Resource.CREDIT_NOTES: "N"}


def _kept(books: Books, *found: Record) -> None:
    with books.store.working(durable=False) as work:
        pull.keep(work, books.id, page(*found), FixedClock(NOW))
        work.commit()


def _short(books: Books) -> set[str]:
    """As a sync asks for them."""
    with books.store.working(durable=False) as work:
        found = {one.payer_id for one in balances.falling_short(work, books.id, now=NOW)}
        work.commit()
    return found


def _short_of_all(books: Books) -> set[str]:
    with books.store.reading() as work:
        return {payer for payer, one in balances.accounts(work, books.id).items() if one.falls_short}


def _edit(dice: Random, minutes: int) -> Record:
    """Anything that may happen to one of a few records, circles among parents included."""
    name, other = dice.choice(_NAMES), dice.choice([*_NAMES, *[None] * 20])
    few = dice.randrange(12)
    money = f"{dice.choice([5, 5, 40])}.00"
    match dice.randrange(9):
        case 0 | 1 | 2:
            told = dice.choice([None, *map(Decimal, (0, 0, 30, 30, 90, 90, 400))])
            state = dice.choice([CustomerState.ACTIVE, CustomerState.ACTIVE, CustomerState.ARCHIVED])
            one = customer(name, minutes=minutes, balance=told, state=state)
            return replace(one, parent_id=other) if dice.randrange(2) else replace(one, merged_into=other)
        case 3 | 4 | 5:
            due, currency = dice.choice(["0.00", "25.00", "100.00", "100.00"]), dice.choice(["EUR", "USD"])
            item = invoice(f"I{few}", due, customer=name, minutes=minutes, currency=currency)
            return item if dice.randrange(5) else replace(item, state=InvoiceState.VOID, balance=Decimal(0))
        case 6:
            payer = dice.choice([name, None])
            return payment(f"P{few}", money, customer=payer, on={f"I{few}": "5.00"}, minutes=minutes)
        case 7:
            return credit(f"N{few}", money, customer=name, minutes=minutes)
        case _:
            resource = dice.choice(list(_LETTERS))
            return gone(resource, f"{_LETTERS[resource]}{few}", minutes=minutes)


def _payers(links: dict[str, str | None]) -> dict[str, str]:
    """Each followed to its end; of a circle, whoever comes first by name."""
    found = {}
    for name in links:
        path = [name]
        while (up := links[path[-1]]) in links and up is not None and up not in path:
            path.append(up)
        last = links[path[-1]]
        found[name] = min(path[path.index(last) :]) if last in path else path[-1]
    return found


def test_looking_at_what_was_touched_finds_what_looking_at_everything_finds(books: Books) -> None:
    dice = Random(_SEED)
    found = 0
    for minutes in range(1, 45):
        _kept(books, *(_edit(dice, minutes) for _ in range(dice.choice([1, 1, 3, 6]))))
        rows = books.rows("SELECT remote_id, parent_id, merged_into, payer_id FROM customers")
        links = {one: survivor or parent for one, parent, survivor, _ in rows}
        assert {one: payer for one, _, _, payer in rows} == _payers(links)
        if dice.randrange(3) == 0:
            expected = _short_of_all(books)
            assert _short(books) == expected
            found += len(expected)
    assert found > 10, "the edits made some fall short"


def test_who_fell_short_is_looked_at_until_it_does_no_more(books: Books) -> None:
    """C1 owes 100.00 by its invoice and 60.00 by the source."""
    _kept(books, customer("C1", balance=Decimal(60)), customer("C2", balance=Decimal(100)), invoice("I1"))
    assert _short(books) == {"C1"}
    _kept(books, invoice("I2", customer="C2", minutes=1))
    assert _short(books) == {"C1"}, "untouched since, and short still"
    _kept(books, customer("C1", balance=Decimal(100), minutes=2))
    assert _short(books) == set()


def test_after_more_changes_than_can_be_kept_every_account_is_looked_at(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kept(books, *(customer(name, balance=Decimal(100)) for name in _NAMES))
    assert _short(books) == set()
    monkeypatch.setattr(balances, "_MANY", 3)
    _kept(books, *(invoice(f"I-{name}", customer=name, minutes=1) for name in _NAMES))
    _kept(books, invoice("I-more", customer="C1", minutes=1))
    assert _short(books) == {"C1"}


def test_the_largest_amounts_add_up_exactly(books: Books) -> None:
    most = LIMIT - Decimal("0.0001")
    _kept(
        books,
        customer("C1", balance=most),
        customer("C2", parent_id="C1", balance=-most),
        *(invoice(f"I{one}", str(most), total=most) for one in range(12)),
        payment("P1", str(most)),
        payment("P2", "-0.0007", currency="USD"),
    )
    with books.store.reading() as work:
        (one,) = balances.accounts(work, books.id).values()
    assert (one.told, one.net, one.currencies) == (Decimal(0), 11 * most + Decimal("0.0007"), ("EUR", "USD"))


def test_the_planner_is_told_of_indexes_that_there_are() -> None:
    for name, indexes in statistics.TYPICAL.items():
        table = t.metadata.tables[name]
        widths = {str(index.name): len(index.columns) for index in table.indexes}
        if not table.dialect_options["sqlite"]["with_rowid"]:
            widths[name] = len(table.primary_key.columns)
        assert {index: len(stat.split()) - 1 for index, stat in indexes.items()} == widths
