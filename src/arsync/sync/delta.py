"""What changed since the last pull, deletions and voids included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from arsync.connector import Clock, Company, Connector, Page
from arsync.domain.states import Health
from arsync.errors import Abnormal, ConnectorError, NotCovered, Reauthorise, Stale, UsageError
from arsync.store import connections, events, grants, records, suspicion, turns
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work
from arsync.store.suspicion import Suspicion, Trouble
from arsync.sync import watch
from arsync.sync.balances import reread_balances
from arsync.sync.pull import keep_and_settle, retry_quarantined

DELTA = "delta"


@dataclass(frozen=True, slots=True)
class Changed:
    """What a delta found."""

    written: int
    customers: int
    quarantined: int


def sync(store: Store, connection: Connection, connector: Connector, clock: Clock) -> Changed:
    """Brings the cache up to the source; the connection's health says whether that came through.

    Raises what the connector raises, having marked the connection `partial` (`reauthorise` where its grant has
    ended or does not cover it any more).
    `Stale` says that the cursor is older than the source remembers: a backfill must follow.
    """
    with store.reading() as work:
        cursor = connections.cursor(work, connection.id, DELTA).position
        loading = not connections.cursor(work, connection.id, "backfill").done
    if cursor is None or loading:
        raise UsageError(f"{connection.name} is not loaded yet: run `arsync backfill {connection.name}`")
    started = clock.now()
    try:
        company = connector.company()
        asked = (started, clock.now())
        check_company(store, connection, connector, company, clock)
        stored = follow(store, connection.id, connector, clock, cursor=cursor)
        stored.add(reread_balances(store, connection.id, connector, clock))
    except ConnectorError as error:
        _fail(store, connection, clock, error)
        raise
    with store.working() as work:
        found = watch.judge(work, connection, company, stored.arrived, asked, started.date())
        connections.describe(work, connection.id, company, now=clock.now())
        suspicion.remember_company(work, connection.id, company, now=clock.now())
        connections.set_health(work, connection.id, Health.OK, "complete", synced_at=started)
        conclude(work, connection.id, found, now=clock.now())
        work.commit()
    return Changed(stored.written, len(stored.customers), stored.quarantined)


def check_company(store: Store, connection: Connection, connector: Connector, company: Company, clock: Clock) -> None:
    """Raises Abnormal, and marks the connection, where another company answers: nothing of it may be stored."""
    stranger = watch.another_company(store, connection, connector, company)
    if stranger is None:
        return
    with store.working() as work:
        suspicion.raise_(work, connection.id, stranger, now=clock.now())
        work.commit()
    raise Abnormal(stranger.reason)


def conclude(work: Work, connection_id: int, found: Iterable[Suspicion], *, now: datetime) -> None:
    """Marks the connection, ends what clears by itself and this pull has shown to be over; what turned is judged."""
    turns.judged(work, connection_id, now=now)
    raised = list(found)
    over = set(Trouble) - suspicion.STANDING - {one.trouble for one in raised}
    suspicion.clear(work, connection_id, over, author="arsync", reason="the next pull was normal again", now=now)
    for one in raised:
        suspicion.raise_(work, connection_id, one, now=now)
    suspicion.mark(work, connection_id)


def follow(store: Store, connection_id: int, connector: Connector, clock: Clock, *, cursor: str) -> records.Stored:
    """Stores everything since the cursor and moves it; the cursor moves only after the last page is stored."""
    position = cursor

    def pages() -> Iterator[Page]:
        nonlocal position
        for page in connector.delta(cursor):
            yield page
            position = page.cursor

    total = keep_and_settle(store, connection_id, connector, pages(), clock)
    total.add(retry_quarantined(store, connection_id, connector, clock))
    with store.working(durable=False) as work:
        connections.move_cursor(
            work, connection_id, DELTA, position=position, done=False, seen=total.written, now=clock.now()
        )
        work.commit()
    return total


def _fail(store: Store, connection: Connection, clock: Clock, error: ConnectorError) -> None:
    """A sync that did not come through leaves the connection unfit to send from."""
    if isinstance(error, Abnormal):
        return  # marked already
    with store.working() as work:
        # A vendor may refuse good tokens for an hour: only a grant that has ended is not asked again, and a company
        # that is not in it.
        ended = isinstance(error, NotCovered) or (
            isinstance(error, Reauthorise) and grants.has_ended(work, connection.grant_id)
        )
        health = Health.REAUTHORISE if ended else Health.PARTIAL
        connections.set_health(work, connection.id, health, str(error))
        if isinstance(error, Stale):
            # A complete pull must follow: the next backfill starts from the beginning.
            connections.move_cursor(work, connection.id, "backfill", position=None, done=False, seen=0, now=clock.now())
        events.log(work, "sync_failed", at=clock.now(), connection_id=connection.id, reason=str(error))
        work.commit()
