"""The open items of source and cache held against each other, completely; what differs is read again and repaired."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from arsync.connector import Clock, Connector, Page, Resource, in_bulk
from arsync.domain.documents import Record
from arsync.domain.states import Health
from arsync.store import balances, connections, events, open_items, suspicion, turns
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work
from arsync.store.open_items import Standing
from arsync.store.suspicion import Suspicion, Trouble
from arsync.sync import watch
from arsync.sync.delta import DELTA, follow
from arsync.sync.pull import keep, keep_all

#: No history, only what is open: the history of a backfill that begins on this day is empty.
_NEVER: Final = date(9999, 12, 31)
_RESOURCES: Final = open_items.OPEN
_LOOSE: Final = (Resource.PAYMENTS, Resource.CREDIT_NOTES)
_GONE: Final = "gone from the source"


@dataclass(frozen=True, slots=True)
class Missed:
    """One record of which the delta had not told the whole truth."""

    resource: Resource
    remote_id: str
    number: str | None
    what: str  # field by field: here, and in the source
    repaired: bool  # False: the database would not take it, and it is in quarantine


@dataclass(slots=True)
class Reconciled:
    """What a reconciliation found; the cache is repaired."""

    compared: dict[str, int] = field(default_factory=dict)  # open items of the source by resource
    missed: list[Missed] = field(default_factory=list)
    #: open here and in the source when asked by id, yet not in the source's list
    unlisted: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    suspicion: Suspicion | None = None

    @property
    def vanished(self) -> int:
        """How many payments and credits with something left on them are gone, and no delta had said so."""
        return sum(one.resource in _LOOSE and one.what == _GONE for one in self.missed)

    @property
    def is_whole(self) -> bool:
        """Source and cache agreed, and the source with itself; what cannot be read was listed all the same."""
        return not (self.missed or any(self.unlisted.values()) or self.suspicion)


def reconcile(store: Store, connection: Connection, connector: Connector, clock: Clock) -> Reconciled:
    """Lists every open item of the source and stores what the cache, just synced, had otherwise.

    Afterwards the open items of the cache are those of the source. What people change meanwhile is not counted as
    missed: a second delta tells of it. What people wait for goes first: this is a pull in bulk.
    """
    with in_bulk():
        return _reconcile(store, connection, connector, clock)


def _reconcile(store: Store, connection: Connection, connector: Connector, clock: Clock) -> Reconciled:
    found = Reconciled()
    doubtful = {resource: _compare(store, connection.id, connector, clock, resource, found) for resource in _RESOURCES}
    _strangers(store, connection.id, connector, clock)
    if any(doubtful.values()):
        with store.reading() as work:
            cursor = connections.cursor(work, connection.id, DELTA).position
        assert cursor is not None, "it has just been synced"
        follow(store, connection.id, connector, clock, cursor=cursor)  # what changed while the lists were read
        for resource, remote_ids in doubtful.items():
            _settle(store, connection.id, connector, clock, resource, remote_ids, found)
    with store.working() as work:
        found.suspicion = (
            watch.upheaval(work, connection.id)
            or watch.vanished(found.vanished, sum(found.compared.get(one, 0) for one in _LOOSE))
            or watch.incomplete(sum(found.unlisted.values()), sum(found.compared.values()))
        )
        _conclude(work, connection.id, found, clock)
        events.log(
            work, "reconciled", at=clock.now(), connection_id=connection.id, compared=found.compared,
            missed=[f"{one.resource} {one.remote_id}: {one.what}" for one in found.missed[:200]],
        )  # fmt: skip
        work.commit()
    return found


def _conclude(work: Work, connection_id: int, found: Reconciled, clock: Clock) -> None:
    """Marks the connection, or ends the suspicion that its lists are incomplete: this time they were not."""
    now = clock.now()
    turns.judged(work, connection_id, now=now)
    balances.touch_all(work, connection_id, now=now)  # the next sync looks at every one of them
    if found.suspicion is not None:
        suspicion.raise_(work, connection_id, found.suspicion, now=now)
    if not found.is_whole:
        return
    said = "reconciled: the lists were complete"
    ended = suspicion.clear(work, connection_id, {Trouble.INCOMPLETE}, author="arsync", reason=said, now=now)
    if ended and not suspicion.mark(work, connection_id):
        connections.set_health(work, connection_id, Health.OK, "complete")


def _compare(
    store: Store, connection_id: int, connector: Connector, clock: Clock, resource: Resource, found: Reconciled
) -> set[str]:
    """The ids of which source and cache do not say the same; nothing but the unreadable is stored yet."""
    with store.reading() as work:
        here = open_items.ids(work, connection_id, resource)
    differing: set[str] = set()
    listed: set[str] = set()
    for page in connector.backfill(resource, since=_NEVER, cursor=None):
        told = {record.remote_id: record for record in page.records if open_items.is_open(record)}
        listed |= told.keys()
        with store.reading() as work:
            known = open_items.known(work, connection_id, resource, told)
        differing |= {one for one, record in told.items() if _difference(record, known.get(one))}
        if page.broken:
            with store.working(durable=False) as work:
                stored = keep(work, connection_id, Page(resource, (), page.broken, page.cursor, page.seen), clock)
                work.commit()
            found.quarantined += stored.quarantined
            listed |= {one.remote_id for one in page.broken if one.remote_id}
    found.compared[resource.value] = len(listed)
    return differing | (here - listed)


def _difference(record: Record, known: Standing | None) -> str:
    told = open_items.standing(record)
    if told is None:
        return _GONE if known is not None and dict(known.values)["state"] != "deleted" else ""
    return told.against(known)


def _settle(
    store: Store,
    connection_id: int,
    connector: Connector,
    clock: Clock,
    resource: Resource,
    remote_ids: Iterable[str],
    found: Reconciled,
) -> None:
    """Reads these by id: what differs still was missed, and is stored whatever the cache thinks of its age."""
    for page in connector.records(resource, sorted(remote_ids)):
        told = {record.remote_id: record for record in page.records}
        with store.working(durable=False) as work:
            known = open_items.known(work, connection_id, resource, told)
            here = open_items.ids(work, connection_id, resource) & told.keys()
            numbers = open_items.numbers(work, connection_id, told) if resource is Resource.INVOICES else {}
            wrong = {one: what for one, record in told.items() if (what := _difference(record, known.get(one)))}
            same = [one for one in here - wrong.keys() if open_items.is_open(told[one])]
            if same:
                found.unlisted[resource.value] = found.unlisted.get(resource.value, 0) + len(same)
            open_items.doubt(work, connection_id, resource, wrong)
            stored = keep(work, connection_id, page, clock)
            found.quarantined += stored.quarantined
            mended = open_items.known(work, connection_id, resource, wrong)
            left = {one for one in wrong if _difference(told[one], mended.get(one))}
            work.commit()
        found.missed += [
            Missed(resource, one, getattr(told[one], "number", None) or numbers.get(one), what, one not in left)
            for one, what in sorted(wrong.items())
        ]


def _strangers(store: Store, connection_id: int, connector: Connector, clock: Clock) -> None:
    """Customers who owe something and were never read."""
    with store.reading() as work:
        unknown = open_items.customers_unknown(work, connection_id)
    if unknown:
        keep_all(store, connection_id, connector.records(Resource.CUSTOMERS, sorted(unknown)), clock)
