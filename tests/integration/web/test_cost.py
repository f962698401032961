"""A page costs a fixed small number of statements, however much there is, and none that goes through the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from tests.integration.store.books import NOW, TODAY, a_hold, customer, invoice, payment
from tests.integration.web.conftest import Guest, House, a_call

from arsync.domain.chase import Rule, Verdict
from arsync.domain.states import Decision, Health, MessageState
from arsync.store import connections, holds, prepared, touches, verdicts

#: What people look at, and how many statements each may cost.
PAGES = {
    "/": 24, "/customers": 8, "/customers?q=acme&sort=name&page=2": 8, "/customers/harbour/C1": 44,
    "/statements/harbour/C1": 28, "/messages": 8, "/messages?state=planned": 8, "/messages?step=friendly": 8,
    "/messages?channel=letter": 8, "/messages?on=2026-08-31": 8,
    "/messages?customer=acme": 8, "/messages/1": 16, "/calls": 10, "/calls/2": 64, "/approvals": 12, "/audit": 12,
    "/connections": 10, "/connections/harbour": 14,
}  # fmt: skip
Asked = tuple[str, Any]  # a statement, and its values


class _Heard:
    """SQLite's driver, of which is kept what it is asked."""

    def __init__(self, raw: Any, asked: list[Asked]) -> None:
        self._raw = raw
        self._asked = asked

    def execute(self, statement: str, values: Any) -> Any:
        self._asked.append((statement, values))
        return self._raw.execute(statement, values)


@contextmanager
def statements(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Asked]]:
    """Every statement that is asked within, by whichever way."""
    asked: list[Asked] = []

    def seen(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        asked.append((statement, values))

    whole = prepared._Lite.run

    def run(self: prepared._Lite, raw: object, values: dict[str, object]) -> list[prepared.Row]:
        return whole(self, _Heard(raw, asked), values)

    event.listen(house.app.store.engine, "before_cursor_execute", seen)
    with monkeypatch.context() as patch:
        patch.setattr(prepared._Lite, "run", run)
        yield asked
    event.remove(house.app.store.engine, "before_cursor_execute", seen)


def cost(house: House, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Asked]]:
    """What each page asks, once the figures of the last sync were looked at."""
    found = {}
    for path in PAGES:
        assert guest.get(path).status == 200
        with statements(house, monkeypatch) as asked:
            assert guest.get(path).status == 200
        found[path] = list(asked)
    return found


def grow(house: House, number: int) -> None:
    """So many invoices more, a tenth of them of C1, each tenth paid in part, and some things that were said."""
    books = house.harbour
    books.keep(*(customer(f"X{one}", minutes=5) for one in range(number // 10)), new=True)
    every = [
        invoice(
            f"G{one}", "70.00", customer="C1" if one % 10 == 0 else f"X{one % (number // 10)}",
            due_on=date(2026, 1, 1) + timedelta(days=one % 300), minutes=6,
        )
        for one in range(number)
    ]  # fmt: skip
    books.keep(*every)
    books.keep(*(payment(f"Q{one}", "30.00", on={f"G{one}": "30.00"}, minutes=7) for one in range(0, number, 10)))
    with house.app.store.working() as work:
        for _ in range(number // 100):
            holds.place(work, books.id, a_hold(until=TODAY + timedelta(days=3)), now=NOW)
            touches.keep_comment(
                work, books.id, payer_id="C1", invoice_id=None, text="ask", follow_up=TODAY, author="ann", now=NOW
            )
        run, chase = verdicts.begin_run(work, "run", now=NOW), books.chase().id
        rules = (Rule.LADDER_DONE, Rule.NO_RECIPIENT)
        answers = [
            (chase, Verdict(f"G{one}", Decision.HOLD, rules[one % 2], f"{one % 30}", None)) for one in range(number)
        ]
        verdicts.record(work, books.id, answers, run_id=run, today=TODAY)
        connections.set_health(work, books.id, Health.OK, "complete", synced_at=NOW + timedelta(minutes=number))
        work.commit()


@pytest.fixture
def at_work(house: House) -> House:
    """With a message that waits for a person (1), and a call to make (2)."""
    house.harbour.plan(state=MessageState.PLANNED)
    house.harbour.keep(customer("C2", name="Beta"), invoice("B1", "70.00", customer="C2"))
    house.harbour.follow()
    assert a_call(house, "B1", payer="C2") == 2
    return house


def test_a_thousand_invoices_cost_as_many_statements_as_ten(at_work: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house, bob = at_work, at_work.comes("bob")
    grow(house, 10)
    few = cost(house, bob, monkeypatch)
    grow(house, 1000)
    many = cost(house, bob, monkeypatch)
    for path, most in PAGES.items():
        assert len(few[path]) == len(many[path]), path
        assert len(many[path]) <= most, path
    assert "93 who are late" in bob.get("/customers").text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_no_page_goes_through_the_ledger(at_work: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As SQLite plans it (PostgreSQL reads small tables whole, as that is faster): what grows with the years is found
    by an index, never by going through all of it."""
    house = at_work
    grow(house, 1000)
    bob = house.comes("bob")
    assert [line for path, asked in cost(house, bob, monkeypatch).items() for line in scans(house, path, asked)] == []
    house.desk.state.site.figures.forget([house.harbour.id])
    with statements(house, monkeypatch) as asked:
        bob.get("/customers")
    assert scans(house, "the first after a sync", asked), "once, and told here so that this test is seen to look"


def scans(house: House, path: str, asked: list[Asked]) -> list[str]:
    """What of these statements goes through a company's documents, decisions or messages, or through what was said."""
    documents = "invoices|invoice_lines|payments|credit_notes|allocations|message_items|verdicts"
    said = "messages|message_words|customers|events|provider_events|notes|holds|promises|comments|touches|replies"
    # What lies on no invoice is little, and has an index of its own.
    by_company = rf"SEARCH ({documents}) (?!.*_unapplied ).*\(connection_id=\?( AND source=\?)?\)$"
    whole = re.compile(rf"SCAN ({documents}|{said}|call_outcomes)\b|{by_company}")
    found = []
    with house.app.store.reading() as work:
        for statement, values in asked:
            if re.match(r"\s*(SELECT|WITH)", statement):
                plan = work.driver.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
                found += [f"{path}: {row[3]}" for row in plan if whole.match(row[3])]
    return found


def test_the_figures_are_read_once_for_a_sync_and_anew_after_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = house.comes("ann"), house.comes("bob")
    ann.get("/customers")
    house.harbour.keep(invoice("I5", "500.00"))
    assert "€160.00" in ann.get("/customers").text, "as of the last sync, as the page says"
    with house.app.store.working() as work:
        connections.set_health(work, house.harbour.id, Health.OK, "complete", synced_at=NOW + timedelta(minutes=1))
        work.commit()
    with statements(house, monkeypatch) as asked:
        assert "€660.00" in bob.get("/customers").text
    of_documents = [one for one, _ in asked if re.search(r"FROM (invoices|payments|credit_notes)\b", one)]
    assert len(of_documents) == 3, "for both companies together"
