"""A schedule that rings for others: what is lost, told twice or answered too late changes nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from procrastinate.schema import SchemaManager
from sqlalchemy import select, text
from tests.postgres import Server

from arsync.errors import ConfigurationError, Locked, Stopped
from arsync.ops.times import Times, WhenCalled
from arsync.settings import load
from arsync.store import duties, queue_schema
from arsync.store import tables as t
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock
from arsync.worker.duty import Job, Kind, answer
from arsync.worker.queue import Queue
from arsync.worker.schedule import Schedule
from arsync.worker.stopping import Stopping

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Bell:
    """Rung for workers that this test plays."""

    rung: list[str] = field(default_factory=list)  # not answered yet
    times: int = 0

    def ring(self, job: Job) -> None:
        self.times += 1
        if job.name not in self.rung:
            self.rung.append(job.name)

    def waiting(self) -> list[str]:
        return self.rung


@dataclass
class Yard:
    """Who decides, and who works, in one place; the night of harbor is due at 02:00 UTC."""

    store: Store
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))
    bell: Bell = field(default_factory=Bell)
    done: list[str] = field(default_factory=list)
    schedule: Schedule = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def job(self, work: Callable[[], None] | None = None) -> Job:
        return Job(Kind.NIGHT, "harbor", Times("0 2 * * *", "UTC"), work or self._work)

    def _work(self) -> None:
        self.done.append(f"{self.clock.now():%d %H:%M}")

    def restart(self) -> None:
        def here(_name: str, _work: Callable[[], None]) -> None:
            raise AssertionError("nothing is done here")

        self.schedule = Schedule(
            self.store, self.clock, lambda: [self.job()], here, random.Random(7), bell=self.bell
        )  # fmt: skip

    def until(self, day: int, hour: int, minute: int = 0) -> None:
        """Time goes by, a minute at a time, and the one who decides looks at each."""
        while self.clock.now() < NOON.replace(day=day, hour=hour, minute=minute):
            self.schedule.look()
            self.clock.advance(60)
        self.schedule.look()

    def answer(self, work: Callable[[], None] | None = None) -> None:
        """A worker hears the first ring."""
        name = self.bell.rung.pop(0)
        answer(self.store, self.clock, name, lambda: self.job(work))

    def missed(self) -> int:
        with self.store.reading() as work:
            return len(work.execute(select(t.events.c.id).where(t.events.c.kind == "run_missed")).all())


def test_a_night_is_rung_for_once_and_the_next_one_when_it_was_done(store: Store) -> None:
    yard = Yard(store)
    yard.until(3, 2)
    assert yard.bell.rung == ["nightly harbor"]
    yard.until(3, 3)
    assert yard.bell.times == 1, "it waits"
    yard.answer()
    yard.until(4, 1, 59)
    assert yard.done == ["03 03:00"]
    assert yard.bell.times == 1
    yard.until(4, 2)
    assert yard.bell.rung == ["nightly harbor"]
    assert yard.missed() == 0


def test_a_ring_that_is_lost_is_rung_again_within_a_minute(store: Store) -> None:
    """02:00 rung, and the queue's tables are lost / 02:01 rung again"""
    yard = Yard(store)
    yard.until(3, 2)
    yard.bell.rung.clear()
    yard.until(3, 2, 1)
    yard.answer()
    assert yard.done == ["03 02:01"]


def test_a_ring_that_is_doubled_or_late_is_done_once(store: Store) -> None:
    yard = Yard(store)
    yard.until(3, 2)
    yard.bell.rung.append("nightly harbor")
    yard.answer()
    yard.answer()
    yard.bell.rung.append("nightly harbor")  # of yesterday, from a backup of the queue
    yard.answer()
    assert yard.done == ["03 02:00"]


def test_two_workers_that_hear_the_same_ring_do_it_once(store: Store) -> None:
    yard = Yard(store)
    yard.until(3, 2)
    yard.bell.rung.append("nightly harbor")

    def while_another_hears_it() -> None:
        yard.done.append("first")
        yard.answer()

    yard.answer(while_another_hears_it)
    assert yard.done == ["first"]


def test_what_was_told_to_a_worker_that_died_is_rung_for_again(store: Store) -> None:
    """02:00 begun and killed / 02:01 another does it. What the dead one says afterwards is not heard."""
    yard = Yard(store)
    yard.until(3, 2)
    begun = yard.clock.now()
    with store.working() as work:
        assert duties.take(work, yard.bell.rung.pop(), now=begun)
        work.commit()
    yard.until(3, 2, 1)
    with store.working() as work:
        duties.end(work, "nightly harbor", begun=begun, error=None, now=yard.clock.now())
        work.commit()
    with store.reading() as work:
        assert duties.standing(work), "it is not done"
    yard.answer()
    assert yard.done == ["03 02:01"]


def test_what_is_called_for_is_rung_for_at_once_and_may_be_called_for_again_when_it_was_done(store: Store) -> None:
    """In seconds: 0 called / 0 rung / 10 done, while called for anew / by 15 rung again; else a minute would go by."""
    yard, calls = Yard(store), {"look harbor"}
    look = Job(Kind.LOOK, "harbor", WhenCalled(), calls.clear)
    yard.schedule.jobs = lambda: [look]
    yard.schedule.called = lambda: calls
    yard.schedule.look()
    assert yard.bell.rung == ["look harbor"]
    yard.clock.advance(10)
    answer(store, yard.clock, yard.bell.rung.pop(), lambda: look)
    assert calls == set()
    calls.add("look harbor")
    for _ in range(5):
        yard.clock.advance(1)
        yard.schedule.look()
    assert yard.bell.rung == ["look harbor"]
    assert yard.bell.times == 2


@pytest.mark.parametrize("error", [Locked("run 1"), Stopped()])
def test_who_finds_the_company_taken_or_is_told_to_stop_leaves_it_for_later(store: Store, error: Exception) -> None:
    yard = Yard(store)
    yard.until(3, 2)

    def not_now() -> None:
        raise error

    yard.answer(not_now)
    yard.until(3, 2, 1)
    yard.answer()
    assert yard.done == ["03 02:01"]


def test_another_who_decides_rings_again_for_what_was_not_done(store: Store) -> None:
    yard = Yard(store)
    yard.until(3, 2)
    yard.bell.rung.clear()
    yard.restart()
    yard.clock.advance(600)
    yard.schedule.look()
    assert yard.bell.rung == ["nightly harbor"]


def test_a_night_that_no_worker_takes_is_told_as_missed_once(store: Store) -> None:
    yard = Yard(store)
    yard.until(4, 3)
    assert yard.missed() == 1
    assert yard.bell.rung == ["nightly harbor"], "two missed nights are one run"
    yard.answer()
    yard.until(4, 23)
    assert yard.done == ["04 03:00"]
    assert not yard.bell.rung


def test_what_is_not_there_any_more_is_done_with(store: Store) -> None:
    yard = Yard(store)
    yard.until(3, 2)
    answer(store, yard.clock, yard.bell.rung.pop(), lambda: None)
    with store.reading() as work:
        assert not duties.standing(work)


# --- Procrastinate itself ------------------------------------------------------------------------------------------


@pytest.fixture
def yard(postgres: Server, migrated_postgres: str) -> Iterator[Yard]:
    name = postgres.fresh(migrated_postgres)
    store = Store(postgres.url(name))
    yield Yard(store)
    store.close()
    postgres.drop(name)


def test_the_queues_tables_have_a_schema_of_their_own_and_are_laid_anew_where_they_are_others(yard: Yard) -> None:
    tables = SchemaManager.get_schema()
    assert not queue_schema.is_laid(yard.store, tables)
    queue_schema.lay(yard.store, tables)
    queue_schema.lay(yard.store, tables)
    queue_schema.lay(yard.store, f"{tables}\n-- another version\n")
    assert not queue_schema.is_laid(yard.store, tables)
    with yard.store.reading() as work:
        where = text("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE 'procrastinate%'")
        assert [schema for (schema,) in work.execute(where)] == ["arsync_queue"]


def test_workers_answer_what_is_rung_each_company_in_turn_what_is_sent_before_what_is_read(yard: Yard) -> None:
    queue_schema.lay(yard.store, SchemaManager.get_schema())
    queue = Queue(queue_schema.conninfo(yard.store), threads=1)
    times = Times("0 2 * * *", "UTC")
    for kind in (Kind.RECONCILE, Kind.SYNC, Kind.NIGHT, Kind.NIGHT, Kind.DISPATCH):
        queue.ring(Job(kind, "harbor", times, lambda: None))
    assert queue.waiting() == {"reconcile harbor", "sync harbor", "nightly harbor", "dispatch harbor"}
    stopping, heard = Stopping(), list[str]()

    def hear(name: str) -> None:
        heard.append(name)
        if len(heard) == 4:
            stopping.tell()

    thread = threading.Thread(target=queue.serve, args=(hear, stopping))
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert heard == ["dispatch harbor", "nightly harbor", "sync harbor", "reconcile harbor"]
    assert queue.waiting() == set()
    queue.close()


def test_on_sqlite_the_queue_is_refused_in_one_sentence(tmp_path: object) -> None:
    with pytest.raises(ConfigurationError, match=r'worker.queue: is "procrastinate", which needs PostgreSQL, and '):
        load(environ={"ARSYNC_WORKER__QUEUE": "procrastinate"})
