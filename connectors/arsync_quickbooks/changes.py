"""What changed since a cursor, by change data capture (CDC) as far as it reaches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from arsync.connector import Broken, Clock, Page, Resource
from arsync.domain.documents import Deleted, Payment
from arsync.errors import Stale
from arsync_quickbooks import fields, mapping
from arsync_quickbooks.client import Books
from arsync_quickbooks.paging import Item, Position
from arsync_quickbooks.pull import ENTITY, Pull, batches, listed, page

#: Two clocks, and changes not yet visible when their time had passed.
_OVERLAP: Final = timedelta(minutes=5)
#: QuickBooks tells the changes of 30 days; one of them is for the time a pull takes.
_MEMORY: Final = timedelta(days=29)
#: As many changes as one answer may hold: whether in all or of each entity, the documents leave open.
_LIMIT: Final = 1000
_UNTOLD: Final = fields.BEFORE_ALL


def cursor_at(at: datetime) -> str:
    """The delta cursor of that time at the source."""
    return msgspec.json.encode({"since": (at - _OVERLAP).astimezone(UTC).isoformat()}).decode()


def since_of(cursor: str) -> datetime:
    """The instant in a delta cursor; Stale where it holds none, for only a full pull helps then."""
    try:
        instant = datetime.fromisoformat(msgspec.json.decode(cursor)["since"])
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        raise Stale("not a delta cursor of QuickBooks") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


class ChangeLog:
    """The changes of one company."""

    def __init__(self, books: Books, pull: Pull, clock: Clock) -> None:
        self._books = books
        self._pull = pull
        self._clock = clock

    def delta(self, cursor: str) -> Iterator[Page]:
        """Everything that changed, each page with the next delta's cursor.

        Where one answer would be cut off, the living come by update time and the tombstones by walking on. Invoices
        that a changed payment names are read as well: whether QuickBooks touches them is not documented.
        """
        since = since_of(cursor)
        if not self._remembered(since):
            raise Stale("QuickBooks tells the changes of the last 30 days only")
        changed, at = self._books.changes(ENTITY.values(), since)
        ahead = cursor_at(at)
        cut_off = _size(changed) >= _LIMIT
        settled = Settled()
        for resource, entity in ENTITY.items():
            raws = self._books.changes([entity], since)[0][entity] if cut_off else changed[entity]
            if len(raws) < _LIMIT:
                yield settled.noted(self._changed(resource, raws, ahead))
            else:
                yield from map(settled.noted, self._flood(resource, since, ahead))
        yield from self._pull.by_id(Resource.INVOICES, settled.unread(), ahead)

    def refresh(self, customer_ids: Collection[str], cursor: str) -> Iterator[Page]:
        """Those customers and their open invoices, then what changed of anybody's: two requests for up to a hundred
        customers. Money that arrives in between is seen, for the changes are read last."""
        settled = Settled()
        yield from map(settled.noted, self._pull.owed_by(customer_ids, cursor))
        for each in self._moved(customer_ids, since_of(cursor), cursor):
            yield settled.noted(each)
        yield from self._pull.by_id(Resource.INVOICES, settled.unread(), cursor)

    def _moved(self, customer_ids: Collection[str], since: datetime, cursor: str) -> Iterator[Page]:
        moving = (Resource.INVOICES, Resource.PAYMENTS, Resource.CREDIT_NOTES)
        if self._remembered(since):
            changed, _ = self._books.changes([ENTITY[resource] for resource in moving], since)
            if _size(changed) < _LIMIT:
                for resource in moving:
                    yield self._changed(resource, changed[ENTITY[resource]], cursor)
                return
        for ids in batches(customer_ids):
            theirs = (f"CustomerRef IN ({listed(ids)})",)
            for resource in moving:
                yield from self._pull.all(resource, theirs, Position(anchor=since), cursor)

    def _remembered(self, since: datetime) -> bool:
        return self._clock.now() - since <= _MEMORY

    def _changed(self, resource: Resource, raws: Sequence[msgspec.Raw], cursor: str) -> Page:
        """A page of changes, its tombstones checked."""
        items = mapping.read(resource, raws, self._pull.home)
        gone = {item.remote_id: item for item in items if isinstance(item, Deleted)}
        if gone:
            living: list[Item] = [item for item in items if not isinstance(item, Deleted)]
            items = living + self._checked(resource, gone, cursor)
        return page(resource, items, cursor)

    def _checked(self, resource: Resource, gone: Mapping[str, Deleted], cursor: str) -> list[Item]:
        """Tombstones have been seen for records that had merely changed: a read decides."""
        items: list[Item] = []
        for each in self._pull.by_id(resource, gone, cursor):
            items += each.broken
            for record in each.records:
                tombstone = gone.get(record.remote_id) if isinstance(record, Deleted) else None
                items.append(tombstone if tombstone and tombstone.updated_at != _UNTOLD else record)
        return items

    def _flood(self, resource: Resource, since: datetime, cursor: str) -> Iterator[Page]:
        """More changes than one answer holds: the living by query, then what CDC tells from time stamp to time stamp.

        That walk has met every tombstone only if it met all the living, too; otherwise Stale.
        """
        entity = ENTITY[resource]
        living: set[str] = set()
        for each in self._pull.all(resource, (), Position(anchor=since), cursor):
            living.update(record.remote_id for record in each.records)
            yield each
        met: set[str | None] = set()
        gone: dict[str, Deleted] = {}
        position = since
        while True:
            raws = self._books.changes([entity], position)[0][entity]
            items = mapping.read(resource, raws, self._pull.home)
            met.update(item.remote_id for item in items)
            gone |= {item.remote_id: item for item in items if isinstance(item, Deleted)}
            if len(raws) < _LIMIT:
                break
            last = max((item.updated_at for item in items if not isinstance(item, Broken)), default=position)
            if last <= position:
                raise Stale("more changes in one second than QuickBooks tells")
            position = last
        if living - met:
            raise Stale("more changes than QuickBooks tells")
        if gone:
            yield page(resource, self._checked(resource, gone, cursor), cursor)


class Settled:
    """Which invoices the payments of a pull name, and which of them it has read."""

    def __init__(self) -> None:
        self._named: set[str] = set()
        self._read: set[str] = set()

    def noted(self, each: Page) -> Page:
        """The page itself, noted."""
        for record in each.records:
            if isinstance(record, Payment):
                self._named.update(part.invoice_id for part in record.allocations)
        if each.resource is Resource.INVOICES:
            self._read.update(record.remote_id for record in each.records)
        return each

    def unread(self) -> list[str]:
        """The invoices that are named and were not read."""
        return sorted(self._named - self._read)


def _size(changed: Mapping[str, Sequence[msgspec.Raw]]) -> int:
    return sum(map(len, changed.values()))
