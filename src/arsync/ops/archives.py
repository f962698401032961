"""Backups, restores and copies of a whole installation's data: nothing is half, and nothing is believed unproved."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from arsync import __version__
from arsync.domain.clock import Clock
from arsync.domain.states import MessageState
from arsync.errors import Damaged, UsageError
from arsync.ops.finding import Finding, ok, warn
from arsync.store import connections, events, leases, messages, upgrade
from arsync.store.archive import arrival, filling, snapshot
from arsync.store.archive.arrival import Arrived
from arsync.store.archive.consents import consents, keep_newer
from arsync.store.archive.file import UNNAMED, Archive, Head, Whole, write
from arsync.store.archive.rows import Sum
from arsync.store.engine import Store, Work

_WENT: Final = frozenset({MessageState.ACCEPTED.value, MessageState.DELIVERED.value})
_TERM: Final = timedelta(minutes=3)
#: What a backup is called in the log.
_BACKED_UP: Final = "database_backed_up"
#: A backup that is older protects little.
_RECENT: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Moved:
    """What came into a database."""

    head: Head
    tables: dict[str, Sum]
    arrived: Arrived

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(one.rows for one in self.tables.values())


def name_for(now: datetime) -> str:
    """What an archive is called that nobody has named."""
    return f"arsync-{now:%Y%m%dT%H%M%SZ}.jsonl.gz"


def examine_backups(work: Work, clock: Clock) -> Iterator[Finding]:
    """Where something went out: that it is backed up. Of PostgreSQL only who has begun so is told: its servers have
    backups of their own."""
    last = events.newest(work, [_BACKED_UP])
    if last is None and (work.dialect != "sqlite" or not messages.counts(work).keys() & _WENT):
        return
    if last is not None and clock.now() - last.at <= _RECENT:
        yield ok("backup", f"made on {last.at:%Y-%m-%d %H:%M} UTC: {last.data['file']}")
        return
    said = f"the last was made on {last.at:%Y-%m-%d %H:%M} UTC" if last is not None else "none was ever made"
    yield warn(
        "backup",
        said,
        "`arsync db backup`, best by `worker.backup` or cron; keep it and the key apart, on another machine",
    )


def back_up(store: Store, path: Path, clock: Clock) -> Whole:
    """Writes all that the database holds at this moment into an archive, whoever works meanwhile, and reads it again.

    The database may be at an older schema.
    """
    with store.reading() as work:
        head = snapshot.head(work, now=clock.now(), version=__version__)
        whole = write(path, head, snapshot.contents(work))
    if read_through(path).tables != whole.tables:
        raise Damaged(f"{path} does not hold what was written into it")
    if head.schema == upgrade.head():
        with store.working() as work:
            events.log(work, _BACKED_UP, at=clock.now(), file=path.name, rows=whole.rows)
            work.commit()
    return whole


def drop_older(folder: Path, keep: int) -> list[Path]:
    """Removes all but the newest so many of the archives in the folder that nobody has named; those removed."""
    known = sorted((one for one in folder.iterdir() if UNNAMED.fullmatch(one.name)), key=lambda one: one.name)
    gone = known[:-keep]
    for one in gone:
        one.unlink()
    return gone


def read_through(path: Path) -> Whole:
    """What an archive holds, by its own sums; Damaged where they are others."""
    archive = Archive(path)
    with archive.read() as (head, contents):
        for _ in contents:
            pass
    return Whole(head, archive.sums)


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[Head, dict[str, Sum], Store]]:
    """The archive restored into a database that is thrown away: what it holds has been compared row by row."""
    with (
        tempfile.TemporaryDirectory(prefix="arsync-verify-") as folder,
        closing(Store(f"sqlite:///{Path(folder) / 'verify.db'}")) as store,
    ):
        with (
            closing(store.unwatched()) as bare,
            bare.working(durable=False) as work,
            Archive(path).read() as (head, contents),
        ):
            kept = filling.fill(work, head.schema, contents)
            work.commit()
        with store.reading() as work:
            _refuse_unsound(work)
        yield head, kept, store


def look_over(store: Store, clock: Clock) -> Whole:
    """What a database holds: every row is read, and the database itself is asked whether it is sound. Damaged with
    what is wrong."""
    with store.reading() as work:
        head = snapshot.head(work, now=clock.now(), version=__version__)
        _refuse_unsound(work)
        return Whole(head, snapshot.sums(work))


def _refuse_unsound(work: Work) -> None:
    if wrong := snapshot.unsound(work):
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise Damaged("; ".join(wrong[:3]) + more)


def put_back(store: Store, path: Path, clock: Clock, *, author: str, replace: bool) -> Moved:
    """Puts what an archive holds in place of all that is in the database, in one transaction.

    Every company is `recovering` then and the red button is pressed: what people said since is not known. Newer tokens
    that the database holds for the same companies stay. UsageError
    where the database holds data and is not to be replaced; Locked where anybody works on it.
    """
    read_through(path)  # before anything is touched
    now = clock.now()
    with closing(store.unwatched()) as bare, bare.working() as work:
        filling.alone(work, now=now)
        if not replace:
            _refuse_data(work, "--replace puts the archive in its place")
        filling.bring_up(work)
        had = {} if filling.is_blank(work) else consents(work)
        with Archive(path).read() as (head, contents):
            kept = filling.fill(work, head.schema, contents)
        keep_newer(work, had)
        reason = f"restored from a backup of {head.taken_at:%Y-%m-%d %H:%M} UTC"
        arrived = arrival.arrive(work, now=now, kind="database_restored", reason=reason, author=author)
        events.log(work, _BACKED_UP, at=head.taken_at, file=path.name, rows=sum(one.rows for one in kept.values()))
        _stop(work, f"{reason}: what people said since is to be said again", author=author, now=now)
        work.commit()
    return Moved(head, kept, arrived)


def copy(source: Store, target: Store, clock: Clock, *, author: str) -> Moved:
    """Copies all that `source` holds into `target`, which holds nothing yet.

    Every company of the copy is `recovering`, and the red button of `source` is pressed before the copy is there: at no
    moment may both send. Locked where anybody works for a company of `source`.
    """
    now = clock.now()
    lock = _lock(source, clock)
    try:
        with source.reading() as old, closing(target.unwatched()) as bare, bare.working() as new:
            filling.alone(new, now=now)
            _refuse_data(new, "a copy goes into one without")
            filling.bring_up(new)
            head = snapshot.head(old, now=now, version=__version__)
            kept = filling.fill(new, head.schema, snapshot.contents(old))
            reason = f"copied from {old.dialect} to {new.dialect}"
            arrived = arrival.arrive(new, now=now, kind="database_copied", reason=reason, author=author)
            lock.renew()
            with source.working() as left:
                _stop(left, f"{reason}: the copy is to be used", author=author, now=now)
                left.commit()
            new.commit()
    finally:
        lock.drop()
    return Moved(head, kept, arrived)


def _lock(source: Store, clock: Clock) -> leases.Lease:
    """Of everybody who works by themselves: runs, the worker and who reads the mailbox."""
    with source.reading() as work:
        runs = {f"run {one.id}": one.name for one in connections.connections(work)}
    lease = leases.Lease(source, clock, {**runs, "worker": "the worker", "inbox": "the mailbox"}, _TERM)
    lease.take()
    lease.keep()
    return lease


def _refuse_data(work: Work, way_out: str) -> None:
    if not filling.is_blank(work):
        raise UsageError(f"the database holds data already: {way_out}")


def _stop(work: Work, reason: str, *, author: str, now: datetime) -> None:
    """The red button; who pressed it before stays the one who did."""
    if connections.is_founded(work) and connections.installation(work).stopped_at is None:
        connections.press_stop(work, author=author, reason=reason, now=now)
        events.log(work, "stop_pressed", at=now, author=author, reason=reason)
