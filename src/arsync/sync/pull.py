"""What every pull does with its pages: store, follow up on what payments changed, wake the chases concerned."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from arsync.connector import Clock, Connector, Page, Resource
from arsync.store import balances, cached, connections, quarantine, records, reductions, succession, turns
from arsync.store.engine import Store, Work

_UNSETTLED: Final = "unsettled"
_NAMES: Final = ("invoices", "money_on", "gone_from")
#: So many records of the quarantine are tried again in one sync: each costs a few requests at most.
RETRIED: Final = 40


def keep(work: Work, connection_id: int, page: Page, clock: Clock, *, new: bool = False) -> records.Stored:
    """Stores one page, what it turned for a judgement, and wakes the chases it concerns; the caller commits. `new`
    says that none of its records is likely to be known."""
    stored = records.store_page(work, connection_id, page, now=clock.now(), new=new)
    turns.add(work, connection_id, stored, now=clock.now())
    if stored.customers:
        balances.touch(work, connection_id, stored.customers, now=clock.now())
    if stored.customers or stored.for_all:
        succession.follow(work, connection_id, stored, now=clock.now())
    return stored


def keep_all(store: Store, connection_id: int, pages: Iterable[Page], clock: Clock) -> records.Stored:
    """Stores pages, each in a commit of its own."""
    total = records.Stored()
    for page in pages:
        with store.working(durable=False) as work:
            total.add(keep(work, connection_id, page, clock))
            work.commit()
    return total


def keep_and_settle(
    store: Store,
    connection_id: int,
    connector: Connector,
    pages: Iterable[Page],
    clock: Clock,
    *,
    held_open: Collection[str] = (),
) -> records.Stored:
    """Stores pages, then reads again what they leave in doubt and what did not come along by itself: the invoices that
    changed money was put on or taken off, those of `held_open`, the money on invoices that owe more than before, and
    what customers who are gone (archived, merged, deleted) still owe or have paid too much. A source is trusted neither
    to touch an invoice when money is put on it, nor to list money that was taken back, nor to touch what moves in a
    merge.

    What is in doubt is saved with each page, so that a killed pull still reads it when it is run again.
    """
    doubts = _Doubts.saved(store, connection_id)
    total = records.Stored()

    def take(some: Iterable[Page]) -> None:
        for page in some:
            with store.working(durable=False) as work:
                stored = keep(work, connection_id, page, clock)
                doubts.invoices |= stored.allocated - total.invoices
                doubts.money_on |= stored.reopened
                doubts.gone_from |= stored.left
                total.add(stored)
                doubts.save(work, connection_id, clock)
                work.commit()

    take(pages)
    with store.reading() as work:
        left_open = cached.open_invoice_ids(work, connection_id, doubts.gone_from)
        left_over = reductions.unapplied(work, connection_id, doubts.gone_from) if doubts.gone_from else {}
    missing = (doubts.invoices | set(held_open) | left_open) - total.invoices
    if missing:
        take(connector.records(Resource.INVOICES, sorted(missing)))
    with store.reading() as work:
        # Taken back and paid anew between two deltas, an invoice owes what it owed; its money does not add up.
        doubts.money_on |= reductions.overpaid(work, connection_id, total.invoices)
        put = reductions.put_on(work, connection_id, doubts.money_on)
    for resource in (Resource.PAYMENTS, Resource.CREDIT_NOTES):
        ids = put.get(resource, set()) | left_over.get(resource, set())
        if not ids:
            continue
        total.add(keep_all(store, connection_id, connector.records(resource, sorted(ids)), clock))
    if doubts.kept:
        with store.working(durable=False) as work:
            _Doubts().save(work, connection_id, clock, kept=doubts.kept)
            work.commit()
    return total


@dataclass(slots=True)
class _Doubts:
    """What a pull has still to read again."""

    invoices: set[str] = field(default_factory=set)
    money_on: set[str] = field(default_factory=set)  # invoices whose payments and credits are to be read again
    gone_from: set[str] = field(default_factory=set)  # customers whose open items may be another's by now
    kept: str | None = None  # as it stands in the database

    @classmethod
    def saved(cls, store: Store, connection_id: int) -> _Doubts:
        with store.reading() as work:
            kept = connections.cursor(work, connection_id, _UNSETTLED).position
        left = json.loads(kept) if kept else {}
        invoices, money_on, gone_from = (set(left.get(name, ())) for name in _NAMES)
        return cls(invoices, money_on, gone_from, kept)

    def save(self, work: Work, connection_id: int, clock: Clock, *, kept: str | None = None) -> None:
        left = {name: sorted(getattr(self, name)) for name in _NAMES}
        position = json.dumps(left) if any(left.values()) else None
        if position != (self.kept or kept):
            seen = sum(map(len, left.values()))
            now = clock.now()
            connections.move_cursor(work, connection_id, _UNSETTLED, position=position, done=False, seen=seen, now=now)
            self.kept = position


def reread(
    store: Store, connection_id: int, connector: Connector, invoice_ids: Collection[str], clock: Clock
) -> records.Stored:
    """Reads these invoices by id and stores what the source says, their deletion included."""
    if not invoice_ids:
        return records.Stored()
    pages = connector.records(Resource.INVOICES, sorted(invoice_ids))
    return keep_all(store, connection_id, pages, clock)


def retry_quarantined(store: Store, connection_id: int, connector: Connector, clock: Clock) -> records.Stored:
    """Reads quarantined records again by id, those first that were tried longest ago and `RETRIED` at most; those that
    can be read by now are released."""
    with store.reading() as work:
        jailed = quarantine.tried_longest_ago(work, connection_id, RETRIED)
    total = records.Stored()
    for resource in Resource:
        if ids := jailed.get(resource.value):
            total.add(keep_all(store, connection_id, connector.records(resource, ids), clock))
    return total
