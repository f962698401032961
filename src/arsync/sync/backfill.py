"""The first load: every open item of any age and two years of history, resumable at every page."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Final, TypeVar

from arsync.connector import Clock, Connector, Page, Resource, in_bulk
from arsync.domain.garbage import undisturbed
from arsync.domain.states import Health
from arsync.errors import ConnectorError, Malformed, NotCovered, Reauthorise, Stale
from arsync.store import (
    balances,
    cached,
    connections,
    events,
    met,
    pulse,
    quarantine,
    records,
    reductions,
    statistics,
    suspicion,
)
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.store.met import Met
from arsync.store.suspicion import Trouble
from arsync.sync import delta, watch
from arsync.sync.balances import reread_balances
from arsync.sync.lanes import SideBySide, abreast
from arsync.sync.pull import keep, keep_all, reread

T = TypeVar("T")

#: Customers first, so that invoices find their payer; invoices before what was put on them.
ORDER: Final = (Resource.CUSTOMERS, Resource.INVOICES, Resource.PAYMENTS, Resource.CREDIT_NOTES)
_MONTHS: Final = 24
#: records to a page, as vendors have it, and requests for all that is around the pages: company, counts, closing delta
PAGE: Final = 1000
_AROUND: Final = 25
#: requests on their way that one lane reads ahead by itself
_BY_ONE: Final = 2
_GHOSTS: Final = "ghosts"
_HISTORY: Final = "history"
_TOTALS: Final = "totals"


class Progress:
    """Whoever watches a load, in the thread that loads; this one looks away."""

    def begun(self, seen: Mapping[Resource, int], of: Mapping[Resource, int | None]) -> None:
        """Before the first page: the records seen in earlier tries, and how many there will be (None: not told)."""

    def stored(self, resource: Resource, seen: int, of: int | None) -> None:
        """After every page."""

    def closing(self) -> None:
        """All pages are stored; what changed meanwhile is read."""

    def reading_back(self) -> None:
        """The load is complete; what the source knows of messages is read back."""


@dataclass(slots=True)
class Loaded:
    """What a backfill found."""

    seen: dict[str, int] = field(default_factory=dict)  # records on the wire by resource, in this and earlier tries
    expected: dict[str, int | None] = field(default_factory=dict)  # as the source counts them
    quarantined: int = 0
    stored: int = 0
    resumed: bool = False
    met: Met = field(default_factory=Met)  # in this and earlier tries, where there was a load before
    first: bool = True  # there was no load before
    unlisted: int = 0  # open before this load and by id, yet in none of its lists

    @property
    def differences(self) -> list[str]:
        """Where the source's own count and ours differ; empty when all came."""
        return [
            f"{resource}: {self.seen[resource]} seen, the source counts {count}"
            for resource, count in self.expected.items()
            if self.lacks(resource)
        ]

    def lacks(self, resource: str) -> bool:
        """Whether the source has counted more than were seen."""
        count = self.expected.get(resource)
        return count is not None and self.seen.get(resource, 0) < count


def backfill(
    store: Store,
    connection: Connection,
    connector: Connector,
    clock: Clock,
    *,
    since: date | None = None,
    progress: Progress | None = None,
) -> Loaded:
    """Loads a connection whole, or goes on where an earlier try ended, and closes with a delta from its start.

    `since` is the first day of the history, 24 months back unless it is given; open items come of any age.
    The connection is `recovering` until it is complete. Raises what the connector raises; what was stored stays.
    Where an earlier try was given up so long ago that the source has forgotten what changed since, all is read anew.
    """
    with in_bulk(), undisturbed():
        try:
            return _backfill(store, connection, connector, clock, since, progress or Progress())
        except NotCovered as refused:
            _mark(store, connection, clock, refused)
            raise
        except Reauthorise:
            _look_for(store, connection, connector, clock)
            raise


def _look_for(store: Store, connection: Connection, connector: Connector, clock: Clock) -> None:
    """Refused within the pages: NotCovered where the company itself is not in the consent any more."""
    try:
        connector.company()
    except NotCovered as refused:
        _mark(store, connection, clock, refused)
        raise
    except ConnectorError:
        return  # it only explains


def _mark(store: Store, connection: Connection, clock: Clock, refused: NotCovered) -> None:
    with store.working() as work:
        connections.set_health(work, connection.id, Health.REAUTHORISE, str(refused))
        events.log(work, "load_failed", at=clock.now(), connection_id=connection.id, reason=str(refused))
        work.commit()


def _backfill(
    store: Store, connection: Connection, connector: Connector, clock: Clock, first_day: date | None, told: Progress
) -> Loaded:
    loaded = Loaded()
    started, since, loaded.resumed = _begin(store, connection, connector, clock, first_day)
    totals = _totals(store, connection)
    with SideBySide(_most(connector)) as asking:
        walks = _walks(store, connection, connector, since, loaded, totals, asking)
        told.begun({resource: loaded.seen[resource.value] for resource in ORDER}, totals)
        for item in abreast(walks):
            _keep(store, connection, clock, item, loaded)
            if isinstance(item.found, Page):
                told.stored(item.resource, loaded.seen[item.resource.value], totals[item.resource])
        # Counted with the last pages on their way: one that has gone since was counted and is no more.
        again = [resource for resource in ORDER if loaded.lacks(resource.value)]
        for resource, one in _counting(asking, connector, since, again).items():
            loaded.expected[resource.value] = one.result()
    told.closing()
    try:
        closing = delta.follow(store, connection.id, connector, clock, cursor=started)
    except Stale:
        if not loaded.resumed:
            raise
        _forget(store, connection, clock)
        return _backfill(store, connection, connector, clock, since, told)
    loaded.met.add(Resource.INVOICES, closing.invoices, ())
    loaded.unlisted = _exorcise(store, connection, connector, clock, loaded)
    reread_balances(store, connection.id, connector, clock)
    for resource in ORDER:
        loaded.seen[resource.value] += closing.arrived[resource]  # made while the others were read
    _finish(store, connection, clock, loaded)
    return loaded


def count(connector: Connector, since: date) -> dict[Resource, int | None]:
    """How many records of each resource a load from that day would see; None where the source does not count."""

    with SideBySide(_most(connector)) as asking:
        counts = _counting(asking, connector, since)
        return {resource: one.result() for resource, one in counts.items()}


def _counting(
    asking: SideBySide, connector: Connector, since: date, resources: Iterable[Resource] = ORDER
) -> dict[Resource, Future[int | None]]:
    return {resource: asking.ask(partial(connector.count, resource, since=since)) for resource in resources}


@dataclass(frozen=True, slots=True)
class Size:
    """What a load would read, and the requests it takes (about; pages of a thousand records)."""

    since: date
    counts: dict[str, int | None]
    requests: int


def measure(connector: Connector, clock: Clock, since: date | None) -> Size:
    """Counts at the source what a load from that day (default: 24 months back) would see; stores nothing."""
    first_day = since or history_start(clock.now().date())
    with in_bulk():
        counts = count(connector, first_day)
    pages = sum(-(-number // PAGE) for number in counts.values() if number)
    return Size(first_day, {resource.value: number for resource, number in counts.items()}, pages + _AROUND)


def _together(connector: Connector, walks: list[Iterator[T]]) -> list[Iterator[T]]:
    """The walks in as many lanes as the connector can have requests on their way: a lane that has come to the end of
    one goes on with the next. Two requests one lane keeps on their way by itself, as its walk reads ahead."""
    waiting = deque(walks)

    def lane() -> Iterator[T]:
        failed: Malformed | None = None
        while waiting:
            try:
                walk = waiting.popleft()
            except IndexError:
                break  # another lane was faster
            try:
                yield from walk
            except Malformed as error:  # of that list alone: the others are read
                failed = failed or error
        if failed is not None:
            raise failed

    most = _most(connector)
    return [lane() for _ in range(min(len(walks), most) if most > _BY_ONE else 1)]


def _most(connector: Connector) -> int:
    """How many requests the connector can have on their way; with no lane nothing would be read, and all seem well."""
    return max(1, getattr(connector, "pages_in_flight", 1))


def history_start(today: date) -> date:
    """The first day of the history that is pulled: 24 months back."""
    months = today.year * 12 + today.month - 1 - _MONTHS
    return date(months // 12, months % 12 + 1, 1)


def _begin(
    store: Store, connection: Connection, connector: Connector, clock: Clock, asked: date | None
) -> tuple[str, date, bool]:
    """The delta cursor from before the first page, the first day of the history, and whether the pull had begun before.

    A load that goes on in another month keeps its first day: its passes are cut there. One that is asked for another
    first day begins anew.
    """
    with store.reading() as work:
        began = connections.cursor(work, connection.id, "backfill")
        first_day = connections.cursor(work, connection.id, _HISTORY).position
    begun = None if first_day is None else date.fromisoformat(first_day)
    if began.position is not None and begun is not None and not began.done and asked in (None, begun):
        return began.position, begun, True
    since = asked or history_start(clock.now().date())
    with SideBySide(_most(connector)) as asking:  # none of these needs another's answer
        told, marked = asking.ask(connector.company), asking.ask(connector.watermark)
        counting = _counting(asking, connector, since)
        company, position = told.result(), marked.result()
        totals = json.dumps({resource.value: one.result() for resource, one in counting.items()})
    delta.check_company(store, connection, connector, company, clock)
    with store.working() as work:
        now = clock.now()
        connections.describe(work, connection.id, company, now=now)
        connections.set_health(work, connection.id, Health.RECOVERING, "the first load is not complete")
        connections.move_cursor(work, connection.id, "backfill", position=position, done=False, seen=0, now=now)
        for resource in ORDER:
            connections.move_cursor(work, connection.id, resource.value, position=None, done=False, seen=0, now=now)
        connections.move_cursor(work, connection.id, _HISTORY, position=since.isoformat(), done=True, seen=0, now=now)
        connections.move_cursor(work, connection.id, _TOTALS, position=totals, done=True, seen=0, now=now)
        held_open = len(cached.open_invoice_ids(work, connection.id))
        connections.move_cursor(
            work, connection.id, _GHOSTS, position=None, done=not held_open, seen=held_open, now=now
        )
        balances.touch_all(work, connection.id, now=now)
        quarantine.forget_unnamed(work, connection.id)
        met.forget(work, connection.id)
        events.log(work, "backfill_started", at=now, connection_id=connection.id)
        work.commit()
    return position, since, False


def _forget(store: Store, connection: Connection, clock: Clock) -> None:
    """The next backfill starts from the beginning."""
    with store.working() as work:
        connections.move_cursor(work, connection.id, "backfill", position=None, done=False, seen=0, now=clock.now())
        work.commit()


@dataclass(frozen=True, slots=True)
class _Item:
    """What a walk through a resource brings: a page, or in the end how many records the source counts."""

    resource: Resource
    found: Page | int | None


def _walks(
    store: Store,
    connection: Connection,
    connector: Connector,
    since: date,
    loaded: Loaded,
    totals: Mapping[Resource, int | None],
    asking: SideBySide,
) -> list[Iterator[_Item]]:
    """A walk for each resource where the connector can have several pages on their way, else one for all of them."""
    with store.reading() as work:
        cursors = {resource: connections.cursor(work, connection.id, resource.value) for resource in ORDER}
        loaded.first = connections.cursor(work, connection.id, _GHOSTS).done
        loaded.met = met.so_far(work, connection.id)
    loaded.seen = {resource.value: cursor.seen for resource, cursor in cursors.items()}
    if _most(connector) == 1:
        totals = {}  # it is asked one question at a time: for the counts when the pages are stored
    return _together(
        connector,
        [_walk(connector, one, since, cursors[one], asking, totals.get(one)) for one in ORDER],
    )


def _walk(
    connector: Connector,
    resource: Resource,
    since: date,
    cursor: connections.Cursor,
    asking: SideBySide,
    total: int | None,
) -> Iterator[_Item]:
    """The pages, then the count; where the total is told, the count is on its way with the last page."""
    count = partial(connector.count, resource, since=since)
    counted: Future[int | None] | None = None
    if not cursor.done:
        seen = cursor.seen
        for page in connector.backfill(resource, since=since, cursor=cursor.position):
            seen += page.seen
            if counted is None and total is not None and seen + PAGE >= total:
                counted = asking.ask(count)
            yield _Item(resource, page)
    # Before the closing delta: what is made after this is seen there, and counts too much rather than too little.
    yield _Item(resource, counted.result() if counted is not None else count())


def _keep(store: Store, connection: Connection, clock: Clock, item: _Item, loaded: Loaded) -> None:
    """Stores a page with the cursor behind it; the end of a resource is stored as well."""
    page = item.found if isinstance(item.found, Page) else None
    if page is None:
        loaded.expected[item.resource.value] = item.found if isinstance(item.found, int) else None
    else:
        loaded.seen[item.resource.value] += page.seen
    with store.working(durable=False) as work:
        stored = keep(work, connection.id, page, clock, new=loaded.first) if page else records.Stored()
        connections.move_cursor(
            work, connection.id, item.resource.value, position=page.cursor if page else None, done=page is None,
            seen=loaded.seen[item.resource.value], now=clock.now(),
        )  # fmt: skip
        if page is not None and not loaded.first:  # else nobody asks, and the ids of a large company take memory
            read = stored.invoices if page.resource is Resource.INVOICES else {one.remote_id for one in page.records}
            place = loaded.seen[page.resource.value]
            met.keep(work, connection.id, page.resource, place, read, stored.reopened, now=clock.now())
            loaded.met.add(page.resource, read, stored.reopened)
        work.commit()
    loaded.stored += stored.written
    loaded.quarantined += stored.quarantined


def _totals(store: Store, connection: Connection) -> dict[Resource, int | None]:
    """How many records there were at the beginning; a load that goes on does not count again."""
    with store.reading() as work:
        known = connections.cursor(work, connection.id, _TOTALS).position
    return {resource: (json.loads(known) if known else {}).get(resource.value) for resource in ORDER}


def _exorcise(store: Store, connection: Connection, connector: Connector, clock: Clock, loaded: Loaded) -> int:
    """The sweep: what an earlier load left open or with money to spend and this one did not meet is read by id: paid,
    void or gone meanwhile; so is the money on invoices that owe more than was known. How many invoices are open all
    the same."""
    with store.reading() as work:
        if connections.cursor(work, connection.id, _GHOSTS).done:
            return 0  # nothing was held open before this load, so that a resumed one need not read all again
        ghosts = cached.open_invoice_ids(work, connection.id) - loaded.met.of(Resource.INVOICES)
        others = reductions.unapplied(work, connection.id)
        others[Resource.CUSTOMERS] = cached.customer_ids(work, connection.id)
        for resource, ids in reductions.put_on(work, connection.id, loaded.met.reopened).items():
            others[resource] |= ids
        others = {resource: ids - loaded.met.of(resource) for resource, ids in others.items()}
    reread(store, connection.id, connector, ghosts, clock)
    for resource, ids in others.items():
        if ids:
            keep_all(store, connection.id, connector.records(resource, sorted(ids)), clock)
    with store.reading() as work:
        return len(ghosts & cached.open_invoice_ids(work, connection.id))


def _finish(store: Store, connection: Connection, clock: Clock, loaded: Loaded) -> None:
    with store.working() as work:
        now = clock.now()
        began = connections.cursor(work, connection.id, "backfill")
        # What does not add up is loaded again from the beginning by whatever pulls next; until then nothing is sent.
        whole = not loaded.differences
        connections.move_cursor(
            work, connection.id, "backfill", position=began.position if whole else None, done=whole,
            seen=sum(loaded.seen.values()), now=now,
        )  # fmt: skip
        met.forget(work, connection.id)
        if not whole:
            connections.set_health(work, connection.id, Health.PARTIAL, "; ".join(loaded.differences))
        else:
            connections.set_health(work, connection.id, Health.OK, "complete", synced_at=now)
            pulse.measure(work, connection.id)
            listed = suspicion.open_count(work, connection.id, most=10 * loaded.unlisted + 1)  # beyond, it is complete
            unlisted = watch.incomplete(loaded.unlisted, listed)
            if unlisted is None:
                said = "loaded: the lists were complete"
                suspicion.clear(work, connection.id, {Trouble.INCOMPLETE}, author="arsync", reason=said, now=now)
            found = (watch.upheaval(work, connection.id), unlisted)
            delta.conclude(work, connection.id, filter(None, found), now=now)
        events.log(work, "backfill_finished", at=now, connection_id=connection.id, seen=loaded.seen,
                   cached=cached.totals(work, connection.id))  # fmt: skip
        statistics.gather(work)
        work.commit()
