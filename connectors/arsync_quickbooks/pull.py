"""Reading records by query: page after page, or by their ids."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final

import msgspec

from arsync.connector import Answer, Broken, Numbered, Page, Resource
from arsync.domain.documents import Deleted, Record
from arsync_quickbooks import mapping, wire
from arsync_quickbooks.client import Books, Found, FoundPage
from arsync_quickbooks.paging import PAGE_SIZE, Item, Position, Seen, mark

ENTITY: Final[Mapping[Resource, str]] = {
    Resource.CUSTOMERS: "Customer",
    Resource.INVOICES: "Invoice",
    Resource.PAYMENTS: "Payment",
    Resource.CREDIT_NOTES: "CreditMemo",
}
#: A query for customers leaves out the inactive ones unless they are asked for.
_ALWAYS: Final[Mapping[Resource, tuple[str, ...]]] = {Resource.CUSTOMERS: ("Active IN (true, false)",)}
_IDS_PER_QUERY: Final = 100
_WHOLE: Final = f"MAXRESULTS {PAGE_SIZE}"


class Pull:
    """Queries of one company, as pages of records; a page's cursor is the caller's affair."""

    def __init__(self, books: Books, home: Callable[[], str]) -> None:
        self._books = books
        self.home = home
        self._counted: dict[tuple[Resource, tuple[str, ...]], int] = {}

    def count(self, resource: Resource, where: Sequence[str]) -> int:
        """How many records stand under those conditions."""
        count, _ = self._books.count(ENTITY[resource], [*_ALWAYS.get(resource, ()), *where])
        self._counted[resource, tuple(where)] = count
        return count

    def walk(
        self, resource: Resource, where: Sequence[str], position: Position
    ) -> Iterator[tuple[Page, Position | None]]:
        """Every record under those conditions in the order of its last change: pages, each with the position after
        it, None after the last."""
        following: Position | None = position
        while following is not None:
            here = following
            conditions = [*_ALWAYS.get(resource, ()), *where]
            if here.anchor is not None:
                conditions.append(f"MetaData.LastUpdatedTime >= '{here.anchor.isoformat()}'")
            ending = f"ORDERBY MetaData.LastUpdatedTime STARTPOSITION {here.start} MAXRESULTS {PAGE_SIZE}"
            found = self._books.page(ENTITY[resource], conditions, ending)()
            items = mapping.read_page(resource, found.records, found.raws, self.home)
            following = here.after(items)
            fresh = [item for item in items if mark(item) not in here.met] if here.met else items
            yield page(resource, fresh), following

    def numbered(self, resource: Resource, where: Sequence[str]) -> Numbered[Item]:
        """The same in the order of the ids, for a walk with several pages on their way."""
        conditions = [*_ALWAYS.get(resource, ()), *where]
        counted = self._counted.get((resource, tuple(where)))

        def fetch(begin: int, size: int) -> Callable[[], Answer[Item]]:
            ending = f"ORDERBY Id STARTPOSITION {begin + 1} MAXRESULTS {size}"
            return partial(read, self._books.page(ENTITY[resource], conditions, ending), begin, size)

        def read(decoded: Callable[[], FoundPage], begin: int, size: int) -> Answer[Item]:
            found = decoded()
            items = mapping.read_page(resource, found.records, found.raws, self.home)
            more = len(items) >= size
            # The pages behind the first are asked for together, and how many they are must be known for that.
            total = self.count(resource, where) if more and not begin and counted is None else counted
            return Answer(items, begin, size, more, total, found.records)

        return Numbered(fetch, lambda item: item.remote_id, page_size=PAGE_SIZE, total=counted)

    def all(self, resource: Resource, where: Sequence[str], position: Position, cursor: str) -> Iterator[Page]:
        """The same, every page with that cursor."""
        for each, _ in self.walk(resource, where, position):
            yield Page(resource, each.records, each.broken, cursor, each.seen)

    def by_id(self, resource: Resource, remote_ids: Collection[str], cursor: str) -> Iterator[Page]:
        """These records, a hundred to a request; one that is not found comes as `Deleted`, as of the answer."""
        for ids in batches(remote_ids):
            conditions = [*_ALWAYS.get(resource, ()), f"Id IN ({listed(ids)})"]
            found = self._books.find(ENTITY[resource], conditions, _WHOLE)
            yield self._those(resource, ids, found, cursor)

    def owed_by(self, customer_ids: Collection[str], cursor: str) -> Iterator[Page]:
        """These customers and their open invoices, in one request for up to a hundred of them."""
        for ids in batches(customer_ids):
            known = [*_ALWAYS[Resource.CUSTOMERS], f"Id IN ({listed(ids)})"]
            owed = (f"CustomerRef IN ({listed(ids)})", "Balance > '0'")
            people, invoices = self._books.together(
                (ENTITY[Resource.CUSTOMERS], known, _WHOLE),
                (ENTITY[Resource.INVOICES], owed, f"ORDERBY MetaData.LastUpdatedTime STARTPOSITION 1 {_WHOLE}"),
            )
            yield self._those(Resource.CUSTOMERS, ids, people, cursor)
            items = mapping.read(Resource.INVOICES, invoices.raws, self.home)
            yield page(Resource.INVOICES, items, cursor)
            if following := Position().after(items):
                yield from self.all(Resource.INVOICES, owed, following, cursor)

    def _those(self, resource: Resource, ids: Collection[str], found: Found, cursor: str) -> Page:
        items = mapping.read(resource, found.raws, self.home)
        there = {item.remote_id for item in items}
        if None not in there:  # else it may be one of those asked for
            items += [Deleted(resource, remote_id, found.at) for remote_id in ids if remote_id not in there]
        return page(resource, items, cursor)


def changed(
    books: Books, entity: str, where: Sequence[str] = (), *, since: datetime | None = None
) -> Iterator[msgspec.Raw]:
    """Every record under those conditions that was changed since then, not decoded, in the order of its last change:
    one that is edited, deleted or added meanwhile pushes no other off a page. What is edited meanwhile comes twice."""
    here: Position | None = Position(since)
    while here is not None:
        conditions = list(where)
        if here.anchor is not None:
            conditions.append(f"MetaData.LastUpdatedTime >= '{here.anchor.isoformat(timespec='seconds')}'")
        ending = f"ORDERBY MetaData.LastUpdatedTime STARTPOSITION {here.start} MAXRESULTS {PAGE_SIZE}"
        raws = books.find(entity, conditions, ending).raws
        items = [_seen(raw) for raw in raws]
        for raw, item in zip(raws, items, strict=True):
            if mark(item) not in here.met:
                yield raw
        here = here.after(items)


def _seen(raw: msgspec.Raw) -> Seen:
    try:
        found = wire.STAMPED.decode(raw)
    except msgspec.MsgspecError:
        return Seen(None, "", None)
    meta = found.meta_data
    last = meta.last_updated_time if isinstance(meta, wire.MetaData) else None
    # Whole seconds, as they are asked for.
    at = last.replace(microsecond=0) if last is not None and last.tzinfo is not None else None
    return Seen(str(found.id) if found.id is not None else None, str(found.sync_token or ""), at)


def page(resource: Resource, items: Sequence[Item], cursor: str = "") -> Page:
    """A page of records, the broken ones apart."""
    broken = tuple([item for item in items if isinstance(item, Broken)])
    records: tuple[Record, ...]
    if broken:
        records = tuple([item for item in items if not isinstance(item, Broken)])
    else:
        records = tuple(items)  # type: ignore[arg-type] # none of them is broken
    return Page(resource=resource, records=records, broken=broken, cursor=cursor, seen=len(items))


def batches(remote_ids: Collection[str]) -> Iterator[tuple[str, ...]]:
    """The ids, each once, as many at a time as one query names."""
    rest = iter(dict.fromkeys(remote_ids))
    while batch := tuple(islice(rest, _IDS_PER_QUERY)):
        yield batch


def listed(remote_ids: Collection[str]) -> str:
    """Ids as a query's IN takes them."""
    return ", ".join(f"'{escaped(remote_id)}'" for remote_id in remote_ids)


def escaped(text: str) -> str:
    """A text inside a query's quotes."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
