"""Whatever is done in works on SQLite, by SQLAlchemy or the driver, in parts, against others and against an
interruption: what was committed is there, all of it, and nothing else."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Integer, bindparam, column, insert, table, text

from arsync.errors import DatabaseUnusable, Locked
from arsync.store import engine
from arsync.store.engine import Store, Work
from arsync.store.prepared import Prepared

_KEPT = table("kept", column("n", Integer))
_PREPARED = Prepared(insert(_KEPT).values(n=bindparam("n", type_=Integer)))
_PLAIN = text("INSERT INTO kept VALUES (:n)")


class _Dropped(Exception):
    """What undoes a part, or a work."""


class Story:
    """Two stores on one file. `saved` is what was committed, `begun` what the work of now has done so far."""

    def __init__(self, stores: tuple[Store, Store], seed: int) -> None:
        self.stores, self.chance = stores, Random(seed)
        self.numbers = count(1)
        self.saved: set[int] = set()
        self.begun: set[int] = set()

    def tell(self) -> None:
        for _ in range(self.chance.randint(3, 9)):
            own, other = self.chance.sample(self.stores, 2)
            if self.chance.random() < 0.3:
                with other.working() as holder:
                    holder.execute(_PLAIN, {"n": (number := next(self.numbers))})
                    for _attempt in range(self.chance.randint(1, 2)):
                        with suppress(Locked):
                            self.work(own)
                    holder.commit()
                    self.saved.add(number)
            else:
                self.work(own)
            with own.reading() as work:
                there = set(work.execute(text("SELECT n FROM kept")).scalars())
            assert there == self.saved

    def work(self, store: Store) -> None:
        self.begun = set()
        with suppress(_Dropped, DatabaseUnusable), store.working(durable=self.chance.random() < 0.5) as work:
            for _ in range(self.chance.randint(1, 6)):
                self.act(work)
            self.begun = set()

    def act(self, work: Work) -> None:
        match self.chance.randrange(12):
            case 0:
                kept = set(self.begun)
                with suppress(_Dropped), work.part():
                    for _ in range(self.chance.randint(0, 2)):
                        self.put(work)
                    if self.chance.random() < 0.5:
                        self.begun = kept
                        raise _Dropped
            case 1:
                with suppress(Locked):  # whoever goes on all the same
                    self.put(work)
            case 2:
                raise _Dropped
            case 3:
                work.driver.rollback()  # as SQLite does by itself where the disk is full or fails
                self.begun.clear()
            case 4 | 5:
                work.commit()
                self.saved |= self.begun
                self.begun = set()
            case _:
                self.put(work)

    def put(self, work: Work) -> None:
        number = next(self.numbers)
        match self.chance.randrange(4):
            case 0:
                work.execute(_PLAIN, {"n": number})
            case 1:
                _PREPARED(work, n=number)
            case 2:
                work.connection.exec_driver_sql("INSERT INTO kept VALUES (?)", (number,))
            case _:
                work.driver.execute("INSERT INTO kept VALUES (?)", (number,))
        self.begun.add(number)


def tell(folder: Path, seed: int) -> None:
    url = f"sqlite:///{tempfile.mkdtemp(dir=folder)}/arsync.db"
    stores = Store(url), Store(url)
    with stores[0].working() as work:
        work.execute(text("CREATE TABLE kept (n INTEGER)"))
        work.commit()
    Story(stores, seed).tell()
    for store in stores:
        store.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where nobody waits for a lock."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0)
    return tmp_path


_STORIES = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_STORIES
@given(seed=st.integers(0, 2**48))
def test_what_was_committed_is_there_and_nothing_else(folder: Path, seed: int) -> None:
    tell(folder, seed)


@pytest.mark.long
@settings(_STORIES, max_examples=2_000)
@given(seed=st.integers(0, 2**48))
def test_it_is_so_in_thousands_of_stories(folder: Path, seed: int) -> None:
    tell(folder, seed)
