"""What the doctor says of the queue: each finding with its mend."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from procrastinate.schema import SchemaManager
from sqlalchemy import text
from tests.postgres import Server

from arsync.ops.finding import Finding
from arsync.ops.queue import examine_queue
from arsync.settings import Settings, load
from arsync.store import duties, queue_schema
from arsync.store.engine import Store
from arsync.store.leases import Lease
from arsync.testing.ports import FixedClock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(postgres: Server, migrated_postgres: str) -> Iterator[Store]:
    name = postgres.fresh(migrated_postgres)
    store = Store(postgres.url(name))
    yield store
    store.close()
    postgres.drop(name)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


def settings(store: Store, tmp_path: Path, queue: str = "procrastinate") -> Settings:
    (tmp_path / "arsync.toml").touch()
    environ = {"ARSYNC_DATABASE__URL": store.url, "ARSYNC_WORKER__QUEUE": queue}
    return load(tmp_path / "arsync.toml", environ=environ)


def found(store: Store, clock: FixedClock, tmp_path: Path, queue: str = "procrastinate") -> list[Finding]:
    with store.reading() as work:
        return list(examine_queue(settings(store, tmp_path, queue), clock, store, work))


def said(findings: list[Finding]) -> list[tuple[str, str, str | None]]:
    return [(one.level.value, one.detail, one.mend) for one in findings]


def lay(store: Store) -> None:
    queue_schema.lay(store, SchemaManager.get_schema())


def heard(store: Store, *, ago: str) -> None:
    """A worker said so long ago, by the database's clock, that it lives."""
    with store.engine.connect() as connection:
        beat = (
            f"INSERT INTO {queue_schema.SCHEMA}.procrastinate_workers (last_heartbeat) VALUES (now() - :ago ::interval)"
        )
        connection.execute(text(beat), {"ago": ago})
        connection.commit()


def decides(store: Store, clock: FixedClock) -> None:
    Lease(store, clock, "worker", timedelta(hours=1)).take()


def test_where_the_settings_have_none_nothing_is_asked(store: Store, clock: FixedClock, tmp_path: Path) -> None:
    assert found(store, clock, tmp_path, "embedded") == []


def test_a_package_that_is_not_installed_fails(
    store: Store, clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "procrastinate.schema", None)
    assert said(found(store, clock, tmp_path)) == [
        ("fail", 'worker.queue = "procrastinate" needs its package', 'pip install "arsync[queue]"')
    ]


def test_tables_that_are_missing_or_of_another_version_fail(store: Store, clock: FixedClock, tmp_path: Path) -> None:
    mend = "stop the workers, and run `arsync db upgrade`"
    assert said(found(store, clock, tmp_path)) == [("fail", "it has no tables here yet", mend)]
    queue_schema.lay(store, f"{SchemaManager.get_schema()}\n-- another version\n")
    assert said(found(store, clock, tmp_path)) == [("fail", "its tables are of another version", mend)]


def test_where_no_worker_was_heard_of_lately_somebody_is_to_start_one(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    lay(store)
    assert said(found(store, clock, tmp_path)) == [("warn", "no worker answers", "start `arsync worker`")]
    heard(store, ago="2 hours")
    ((level, detail, mend),) = said(found(store, clock, tmp_path))
    assert (level, mend) == ("warn", "start `arsync worker`")
    assert detail.startswith("no worker answers; one was heard of last at 20")


def test_workers_that_answer_and_one_who_decides_are_as_it_should_be(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    lay(store)
    heard(store, ago="3 seconds")
    ((level, detail, _),) = said(found(store, clock, tmp_path))
    assert (level, detail) == ("warn", "1 worker answers, and none decides what is due")
    decides(store, clock)
    heard(store, ago="4 seconds")
    heard(store, ago="1 day")
    assert said(found(store, clock, tmp_path)) == [("ok", "2 workers answer", None)]


def test_jobs_that_nobody_begins_or_ends_are_told_with_the_first_of_them(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    """12:00 three are due, one is begun / 12:15 that is no news / 12:16 it is / 18:16 the one that was begun hangs"""
    lay(store)
    decides(store, clock)
    heard(store, ago="3 seconds")
    with store.working() as work:
        for name, minutes in (("sync oak", 2), ("nightly acme", 0), ("nightly birch", 1), ("sync elm", 0)):
            duties.call(work, name, due=NOON + timedelta(minutes=minutes))
        assert duties.take(work, "sync elm", now=NOON)
        work.commit()
    clock.advance(15 * 60)
    assert said(found(store, clock, tmp_path)) == [("ok", "1 worker answers", None)]
    clock.advance(60)
    assert said(found(store, clock, tmp_path)) == [
        (
            "warn", "1 worker answers, and 3 jobs wait, first nightly acme, due at 2026-03-02 12:00 UTC",
            "start more workers, or give them more `worker.threads`",
        )
    ]  # fmt: skip
    clock.advance(6 * 3600)
    assert said(found(store, clock, tmp_path))[-1] == (
        "warn", "sync elm was begun at 2026-03-02 12:00 UTC and has not ended",
        "look at its worker's log; started anew, another worker does it",
    )  # fmt: skip
