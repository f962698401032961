"""The first load: every open item of any age and two years of history, resumable at every page."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from arsync.connector import Clock, Connector, Resource
from arsync.domain.states import Health
from arsync.errors import Stale
from arsync.store import connections, events, ledger, pulse, quarantine, reductions, suspicion
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.store.suspicion import Trouble
from arsync.sync import delta, watch
from arsync.sync.ahead import ahead
from arsync.sync.balances import reread_balances
from arsync.sync.pull import keep, keep_all, reread

#: Customers first, so that invoices find their payer; invoices before what was put on them.
ORDER: Final = (Resource.CUSTOMERS, Resource.INVOICES, Resource.PAYMENTS, Resource.CREDIT_NOTES)
_MONTHS: Final = 24
_GHOSTS: Final = "ghosts"
_HISTORY: Final = "history"

#: Told after every page: the resource, the records seen so far, and how many there will be (None: not told).
Progress = Callable[[Resource, int, int | None], None]


@dataclass(slots=True)
class Loaded:
    """What a backfill found."""

    seen: dict[str, int] = field(default_factory=dict)  # records on the wire by resource, in this and earlier tries
    expected: dict[str, int | None] = field(default_factory=dict)  # as the source counts them
    quarantined: int = 0
    stored: int = 0
    resumed: bool = False
    invoices: set[str] = field(default_factory=set)  # ids read in this try
    others: dict[Resource, set[str]] = field(default_factory=dict)  # the same, where there was a load before
    reopened: set[str] = field(default_factory=set)  # invoices that owe more than the cache knew
    unlisted: int = 0  # open before this load and by id, yet in none of its lists

    @property
    def differences(self) -> list[str]:
        """Where the source's own count and ours differ; empty when all came."""
        return [
            f"{resource}: {self.seen[resource]} seen, the source counts {count}"
            for resource, count in self.expected.items()
            if count is not None and self.seen.get(resource, 0) < count
        ]


def backfill(
    store: Store, connection: Connection, connector: Connector, clock: Clock, *, progress: Progress | None = None
) -> Loaded:
    """Loads a connection whole, or goes on where an earlier try ended, and closes with a delta from its start.

    The connection is `recovering` until it is complete. Raises what the connector raises; what was stored stays.
    Where an earlier try was given up so long ago that the source has forgotten what changed since, all is read anew.
    """
    loaded = Loaded()
    started, since, loaded.resumed = _begin(store, connection, connector, clock)
    with _undisturbed():
        for resource in ORDER:
            _pull(store, connection, connector, clock, resource, since, loaded, progress)
    try:
        closing = delta.follow(store, connection.id, connector, clock, cursor=started)
    except Stale:
        if not loaded.resumed:
            raise
        _forget(store, connection, clock)
        return backfill(store, connection, connector, clock, progress=progress)
    loaded.invoices |= closing.invoices
    loaded.unlisted = _exorcise(store, connection, connector, clock, loaded)
    reread_balances(store, connection.id, connector, clock)
    for resource in ORDER:
        loaded.seen[resource.value] += closing.arrived[resource]  # made while the others were read
        loaded.expected[resource.value] = connector.count(resource, since=since)
    _finish(store, connection, clock, loaded)
    return loaded


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without the program itself being searched for garbage, time and again: a twentieth of a load's work."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def history_start(today: date) -> date:
    """The first day of the history that is pulled: 24 months back."""
    months = today.year * 12 + today.month - 1 - _MONTHS
    return date(months // 12, months % 12 + 1, 1)


def _begin(store: Store, connection: Connection, connector: Connector, clock: Clock) -> tuple[str, date, bool]:
    """The delta cursor from before the first page, the first day of the history, and whether the pull had begun before.

    A load that goes on in another month keeps its first day: its passes are cut there.
    """
    with store.reading() as work:
        began = connections.cursor(work, connection.id, "backfill")
        first_day = connections.cursor(work, connection.id, _HISTORY).position
    if began.position is not None and first_day is not None and not began.done:
        return began.position, date.fromisoformat(first_day), True
    company = connector.company()
    delta.check_company(store, connection, connector, company, clock)
    position = connector.watermark()
    since = history_start(clock.now().date())
    with store.working() as work:
        now = clock.now()
        connections.describe(work, connection.id, company)
        connections.set_health(work, connection.id, Health.RECOVERING, "the first load is not complete")
        connections.move_cursor(work, connection.id, "backfill", position=position, done=False, seen=0, now=now)
        for resource in ORDER:
            connections.move_cursor(work, connection.id, resource.value, position=None, done=False, seen=0, now=now)
        connections.move_cursor(work, connection.id, _HISTORY, position=since.isoformat(), done=True, seen=0, now=now)
        held_open = len(ledger.open_invoice_ids(work, connection.id))
        connections.move_cursor(
            work, connection.id, _GHOSTS, position=None, done=not held_open, seen=held_open, now=now
        )
        quarantine.forget_unnamed(work, connection.id)
        events.log(work, "backfill_started", at=now, connection_id=connection.id)
        work.commit()
    return position, since, False


def _forget(store: Store, connection: Connection, clock: Clock) -> None:
    """The next backfill starts from the beginning."""
    with store.working() as work:
        connections.move_cursor(work, connection.id, "backfill", position=None, done=False, seen=0, now=clock.now())
        work.commit()


def _pull(
    store: Store,
    connection: Connection,
    connector: Connector,
    clock: Clock,
    resource: Resource,
    since: date,
    loaded: Loaded,
    progress: Progress | None,
) -> None:
    with store.reading() as work:
        cursor = connections.cursor(work, connection.id, resource.value)
        first = connections.cursor(work, connection.id, _GHOSTS).done
    seen = cursor.seen
    if not cursor.done:
        for page in ahead(connector.backfill(resource, since=since, cursor=cursor.position)):
            seen += page.seen
            with store.working(durable=False) as work:
                stored = keep(work, connection.id, page, clock)
                connections.move_cursor(
                    work, connection.id, resource.value, position=page.cursor, done=False, seen=seen, now=clock.now()
                )
                work.commit()
            loaded.stored += stored.written
            loaded.invoices |= stored.invoices
            loaded.reopened |= stored.reopened
            if not first and resource is not Resource.INVOICES:
                met = loaded.others.setdefault(resource, set())
                met.update(record.remote_id for record in page.records)
            loaded.quarantined += stored.quarantined
            if progress is not None:
                progress(resource, seen, None)
        with store.working(durable=False) as work:
            connections.move_cursor(
                work, connection.id, resource.value, position=None, done=True, seen=seen, now=clock.now()
            )
            work.commit()
    loaded.seen[resource.value] = seen


def _exorcise(store: Store, connection: Connection, connector: Connector, clock: Clock, loaded: Loaded) -> int:
    """The sweep: what an earlier load left open or with money to spend and this one did not meet is read by id: paid,
    void or gone meanwhile; so is the money on invoices that owe more than was known. How many invoices are open all
    the same."""
    with store.reading() as work:
        if connections.cursor(work, connection.id, _GHOSTS).done:
            return 0  # nothing was held open before this load, so that a resumed one need not read all again
        ghosts = ledger.open_invoice_ids(work, connection.id) - loaded.invoices
        others = reductions.unapplied(work, connection.id)
        others[Resource.CUSTOMERS] = ledger.customer_ids(work, connection.id)
        for resource, met in loaded.others.items():
            others[resource] -= met
        for resource, ids in reductions.put_on(work, connection.id, loaded.reopened).items():
            others[resource] |= ids - loaded.others.get(resource, set())
    reread(store, connection.id, connector, ghosts, clock)
    for resource, ids in others.items():
        if ids:
            keep_all(store, connection.id, connector.records(resource, sorted(ids)), clock)
    with store.reading() as work:
        return len(ghosts & ledger.open_invoice_ids(work, connection.id))


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
        if not whole:
            connections.set_health(work, connection.id, Health.PARTIAL, "; ".join(loaded.differences))
        else:
            connections.set_health(work, connection.id, Health.OK, "complete", synced_at=now)
            pulse.measure(work, connection.id)
            kept = suspicion.standing(work, connection.id)
            found = watch.incomplete(loaded.unlisted, len(ledger.open_invoice_ids(work, connection.id)))
            if found is None and kept is not None and kept.trouble is Trouble.UPHEAVAL:
                found = kept  # a person must look, however often it is loaded
            delta.conclude(work, connection.id, found, now=now)
        events.log(work, "backfill_finished", at=now, connection_id=connection.id, seen=loaded.seen,
                   cached=ledger.totals(work, connection.id))  # fmt: skip
        work.commit()
