"""PostgreSQL: a process that is suspended in a transaction does not stop the others for ever. SQLite: who comes first
to a new file does not turn the others away."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import text
from tests.integration.store.books import NOW, TODAY, Books, a_hold, customer, invoice

from arsync.domain.money import Money
from arsync.errors import DatabaseUnusable, Locked
from arsync.store import chases, connections, engine, holds, promises
from arsync.store.engine import Store, Work

Opened = Callable[[], Store]
_TAKE = text("LOCK TABLE budgets IN EXCLUSIVE MODE")


@pytest.mark.parametrize("database", ["postgresql"])
def test_who_waits_too_long_for_a_lock_says_so(another_store: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 1)
    with another_store().working() as holder:
        holder.execute(_TAKE)
        with another_store().working() as other, pytest.raises(Locked, match="held what this one needs"):
            other.execute(_TAKE)


@pytest.mark.parametrize("database", ["postgresql"])
def test_who_is_suspended_in_a_transaction_loses_it_and_its_locks(
    another_store: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_IDLE_SECONDS", 1)
    with another_store().working() as holder:
        holder.execute(_TAKE)
        with another_store().working() as other:
            other.execute(_TAKE)  # comes when the holder has idled for a second
        with pytest.raises(DatabaseUnusable, match="paused in a transaction"):
            holder.execute(_TAKE)


@pytest.mark.parametrize("database", ["postgresql"])
@pytest.mark.parametrize("act", ["lift", "expire", "settle"])
def test_who_ends_a_hold_waits_for_who_follows_a_merge_and_not_the_other_way_round(
    books: Books, another_store: Opened, act: str
) -> None:
    """The merge has locked the payer's chases, and moves its holds and promises next: neither waits for the other."""
    books.keep(customer(), invoice())
    books.follow()
    stop = a_hold(begins=TODAY - timedelta(days=9), until=None if act == "lift" else TODAY - timedelta(days=1))
    owed = Money(Decimal("10.00"), "EUR")
    with books.store.working() as work:
        number = holds.place(work, books.id, stop, now=NOW)
        promises.give(
            work, books.id, payer_id="C1", invoice_id="I1", amount=owed, promised_on=TODAY - timedelta(days=3), grace=1,
            until=TODAY - timedelta(days=2), reason="so", author="kim", now=NOW,
        )  # fmt: skip
        work.commit()
    other = another_store()

    def end() -> object:
        with other.working() as theirs:
            match act:
                case "lift":
                    ended: object = holds.lift(theirs, number, now=NOW)
                case "expire":
                    ended = holds.expire(theirs, books.id, today=TODAY, now=NOW)
                case _:
                    ended = promises.settle(theirs, books.id, today=TODAY, now=NOW)
            theirs.commit()
        return ended

    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with ThreadPoolExecutor(1) as threads, books.store.working() as merge:
        chases.bump(merge, books.id, ["C1"])
        ended = threads.submit(end)
        watching, waiting = another_store(), False
        while not waiting:
            assert not ended.done(), "it does not wait for the chase"
            with watching.reading() as watch:  # anew: within a transaction PostgreSQL tells what it told at first
                waiting = bool(watch.execute(waits).scalar_one())
        merge.execute(text("UPDATE holds SET payer_id = payer_id"))
        merge.execute(text("UPDATE promises SET payer_id = payer_id"))
        merge.commit()
        assert ended.result(timeout=10), "and then it is done"


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """SQLite refuses all but one that switch a new file to its log, and does not wait as it was told to."""
    for number in range(25):
        opened = [Store(f"sqlite:///{tmp_path / str(number)}.db") for _ in range(8)]
        together = Barrier(len(opened))

        def ask(store: Store, together: Barrier = together) -> None:
            together.wait()
            with store.aside() as work:
                work.commit()

        with ThreadPoolExecutor(len(opened)) as threads:
            list(threads.map(ask, opened))  # raises what one of them raised
        for store in opened:
            store.close()


@pytest.mark.parametrize("database", ["sqlite"])  # PostgreSQL has a pool, as it has few connections to give
def test_many_at_work_at_once_wait_for_no_seat(store: Store) -> None:
    """Twenty are each within a transaction of their own at the same moment, twice."""
    together = Barrier(20, timeout=10)

    def ask(_one: int) -> int:
        with store.reading() as work:
            together.wait()
            return int(work.execute(text("SELECT count(*) FROM connections")).scalar_one())

    for _ in range(2):
        with ThreadPoolExecutor(together.parties) as threads:
            assert list(threads.map(ask, range(together.parties))) == [0] * together.parties


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("first", ["a statement", "a part", "a prepared statement"])
def test_who_could_not_begin_saves_nothing_unasked_the_next_time(
    books: Books, another_store: Opened, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Another process writes for too long; when it is done, a work that is left without a commit is undone as ever."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0)
    other, rename = another_store(), text("UPDATE connections SET name = 'other'")

    def act(work: Work) -> None:
        match first:
            case "a statement":
                work.execute(rename)
            case "a part":
                with work.part():
                    work.execute(rename)
            case _:
                connections.cursor(work, books.id, "invoices")
                work.execute(rename)

    with books.store.working() as holder:
        holder.execute(text("UPDATE connections SET name = 'ours'"))
        for _ in range(2):
            with other.working() as work, pytest.raises(Locked):
                act(work)
        with other.working() as work:
            for _ in range(2):
                with pytest.raises(Locked):
                    act(work)
        holder.commit()
    for _ in range(2):
        with other.working() as work:
            act(work)  # no commit
    assert books.rows("SELECT name FROM connections") == [("ours",)]
    with other.working() as work:
        act(work)
        work.commit()
    assert books.rows("SELECT name FROM connections") == [("other",)]
