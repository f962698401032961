"""Statements that go straight to the driver write and read what SQLAlchemy writes and reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from tests.integration.store.books import NOW, Books, customer, invoice

from arsync.domain.states import MessageState
from arsync.errors import DatabaseUnusable
from arsync.store import events, messages
from arsync.store import tables as t
from arsync.store.bulk import among_those, those
from arsync.store.engine import Store, Work
from arsync.store.prepared import Prepared

_E = t.events.c
_I = t.invoices.c
SUMMER = timezone(timedelta(hours=2))


def test_instants_days_money_and_nothing_come_back_as_they_were_given(books: Books) -> None:
    books.keep(customer("C1"), invoice("I1", "1234567.89", total=Decimal("1234567.89"), due_on=date(2026, 7, 31)))
    line = Prepared(insert(t.events))
    columns = (_I.remote_id, _I.balance, _I.due_on, _I.reference, _I.email)
    found = Prepared(select(*columns).where(_I.remote_id == bindparam("number"), _I.due_on >= bindparam("since")))
    local = datetime(2026, 9, 1, 14, 30, 5, 250_000, tzinfo=SUMMER)
    with books.store.working() as work:
        for kind in ("first", "second"):  # the second time it is put together already
            line(work, at=local, kind=kind, author="ann", connection_id=books.id, chase_id=None, data="{}")
        work.commit()
    with books.store.reading() as work:
        alike = work.execute(select(_E.at).where(_E.kind.in_(["first", "second"]))).scalars().all()
        rows = [found(work, number="I1", since=date(2026, 7, day)) for day in (31, 30)]
        assert found(work, number="I1", since=date(2026, 8, 1)) == []
    assert alike == [local.astimezone(UTC)] * 2
    assert rows == [[("I1", Decimal("1234567.89"), date(2026, 7, 31), "PO 7", None)]] * 2
    plain = books.rows("SELECT DISTINCT at FROM events WHERE kind IN ('first', 'second')")
    with books.store.working() as work:
        work.execute(insert(t.events), {"at": local, "kind": "third", "author": "ann", "data": "{}"})
        work.commit()
    assert books.rows("SELECT at FROM events WHERE kind = 'third'") == plain, "as SQLAlchemy writes it"


def test_lists_of_constants_and_of_values_both_count(books: Books) -> None:
    books.keep(customer("C1"), *(invoice(f"I{number}") for number in range(4)))
    one = Prepared(
        lambda dialect: (
            select(_I.remote_id)
            .where(among_those(dialect, _I.remote_id), _I.state.in_(["open", "paid"]))
            .order_by(_I.remote_id)
        )
    )
    with books.store.reading() as work:
        for wanted in (["I1", "I3"], ["I2"], [], ["I0", "elsewhere"]):
            found = [name for (name,) in one(work, those=those(work, wanted))]
            assert found == [name for name in wanted if name.startswith("I")]


def test_a_move_tells_whom_it_moved_and_saves_nothing_without_a_commit(books: Books) -> None:
    books.keep(customer("C1"), invoice("I1"))
    books.follow()
    message_id = books.plan()
    planned, approved, cancelled = MessageState.PLANNED, MessageState.APPROVED, MessageState.CANCELLED
    with books.store.working() as work:
        assert messages.move(work, message_id, approved, cancelled, reason="so", now=NOW)
    assert books.message(message_id).state is MessageState.APPROVED, "left without a commit"
    with books.store.working() as work:
        assert not messages.move(work, message_id, planned, cancelled, reason="so", now=NOW)
        assert messages.move(work, message_id, approved, cancelled, reason="so", now=NOW)
        work.commit()
    assert (books.message(message_id).state, books.message(message_id).reason) == (cancelled, "so")


def test_what_the_database_refuses_is_told_as_of_any_statement(books: Books) -> None:
    put = Prepared(update(t.connections).where(t.connections.c.id == bindparam("one")))
    with books.store.working() as work, pytest.raises(IntegrityError):
        put(work, one=books.id, name=None)
    with books.store.working() as work:
        put(work, one=books.id, name="other")
        work.execute(text("SELECT 1"))
        work.commit()
    assert books.rows("SELECT name FROM connections") == [("other",)]


def _interrupted(work: Work, act: Callable[[], object]) -> None:
    """As SQLite ends a whole transaction where the disk is full or fails, or memory is."""
    raw: Any = work.connection.connection.dbapi_connection
    once = [1]
    raw.set_progress_handler(lambda: once.pop() if once else 0, 1)
    try:
        act()
    finally:
        raw.set_progress_handler(None, 0)


@pytest.mark.parametrize("database", ["sqlite"])  # PostgreSQL refuses what follows an error, and the commit
def test_what_sqlite_undid_is_neither_done_again_alone_nor_taken_for_committed(books: Books) -> None:
    """A message is moved; the entry about it, or the first move, ends the transaction: nothing of it is kept."""
    books.keep(customer("C1"), invoice("I1"))
    books.follow()
    message_id = books.plan()
    approved, cancelled = MessageState.APPROVED, MessageState.CANCELLED

    def moved() -> bool:
        return messages.move(work, message_id, approved, cancelled, reason="so", now=NOW)

    def told() -> None:
        events.log(work, "another", at=NOW, message_id=message_id)

    with books.store.working() as work:
        assert moved()
        with pytest.raises(DatabaseUnusable, match="undid the whole transaction"):
            _interrupted(work, told)
        with pytest.raises(DatabaseUnusable, match="undid the whole transaction"):
            told()  # nor does anything go on in it
        with pytest.raises(DatabaseUnusable, match="undid the whole transaction"):
            work.commit()
    with books.store.working() as work:
        work.execute(text("SELECT 1"))  # begun, and nothing written yet
        try:
            _interrupted(work, moved)
            work.commit()
        except DatabaseUnusable:
            pass
    with books.store.working() as work, pytest.raises(DatabaseUnusable):
        assert moved()
        with pytest.raises(DatabaseUnusable):
            _interrupted(work, lambda: work.execute(text("DELETE FROM events")))
        work.commit()
    assert books.message(message_id).state is approved
    assert books.rows("SELECT count(*) FROM events WHERE kind = 'another'") == [(0,)]


@pytest.mark.parametrize("database", ["sqlite"])
def test_what_comes_after_sqlite_undid_a_transaction_is_not_saved_alone(books: Books) -> None:
    """Statements of SQLAlchemy's as well: it does not see that there is no transaction any more."""
    with books.store.working() as work:
        work.execute(text("UPDATE connections SET name = 'other'"))
        with pytest.raises(DatabaseUnusable):
            _interrupted(work, lambda: work.execute(text("DELETE FROM events")))
        for _ in range(2):
            with pytest.raises(DatabaseUnusable):
                work.execute(text("UPDATE connections SET name = 'alone'"))
        with pytest.raises(DatabaseUnusable):
            work.commit()
    assert books.rows("SELECT name FROM connections") == [("harbour",)]


@pytest.mark.parametrize("database", ["sqlite"])
def test_while_an_error_is_dealt_with_the_database_is_read_afresh(
    books: Books, another_store: Callable[[], Store]
) -> None:
    """Rows that were not read to the end hold SQLite to what it was then, as long as the error that has them lives."""
    with books.store.working() as work:
        events.log(work, "one", at=NOW)
        events.log(work, "another", at=NOW)
        work.commit()

    def read() -> None:
        with books.store.reading() as work:
            for _row in (rows := work.execute(select(_E.kind))):
                raise LookupError(rows)

    try:
        read()
    except LookupError:
        with another_store().working() as theirs:
            theirs.execute(text("UPDATE connections SET name = 'other'"))
            theirs.commit()
        assert books.rows("SELECT name FROM connections") == [("other",)]
        with books.store.working() as work:
            work.execute(text("UPDATE connections SET name = 'ours'"))
            work.commit()
    assert books.rows("SELECT name FROM connections") == [("ours",)]
