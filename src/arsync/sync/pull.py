"""What every pull does with its pages: store, follow up on what payments changed, wake the chases concerned."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Final

from arsync.connector import Clock, Connector, Page, Resource
from arsync.store import chases, connections, records
from arsync.store.engine import Store, Work

_UNSETTLED: Final = "unsettled"


def keep(work: Work, connection_id: int, page: Page, clock: Clock) -> records.Stored:
    """Stores one page and wakes the chases it concerns; the caller commits."""
    stored = records.store_page(work, connection_id, page, now=clock.now())
    if stored.customers:
        chases.bump(work, connection_id, stored.customers)
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
    store: Store, connection_id: int, connector: Connector, pages: Iterable[Page], clock: Clock
) -> records.Stored:
    """Stores pages, and reads again the invoices that changed money was put on or taken off but which did not come
    along by themselves: a source is not trusted to touch an invoice when a payment is applied to it.

    Which invoices these are is saved with each page, so that a killed pull still reads them when it is run again.
    """
    with store.reading() as work:
        left = connections.cursor(work, connection_id, _UNSETTLED).position
    saved = set(json.loads(left)) if left else set()
    owing = set(saved)
    total = records.Stored()
    for page in pages:
        with store.working(durable=False) as work:
            stored = keep(work, connection_id, page, clock)
            total.add(stored)
            owing |= stored.allocated - total.invoices
            if not owing <= saved:
                _save_unsettled(work, connection_id, owing, clock)
                saved = set(owing)
            work.commit()
    total.add(reread(store, connection_id, connector, owing - total.invoices, clock))
    total.add(_reread_money(store, connection_id, connector, total.reopened, clock))
    if saved:
        with store.working(durable=False) as work:
            _save_unsettled(work, connection_id, (), clock)
            work.commit()
    return total


def _reread_money(
    store: Store, connection_id: int, connector: Connector, invoice_ids: Collection[str], clock: Clock
) -> records.Stored:
    """Reads again what was put on invoices that owe more than before: a source may not list a payment as changed when
    it is taken back."""
    with store.reading() as work:
        put = records.put_on(work, connection_id, invoice_ids)
    total = records.Stored()
    for resource, ids in put.items():
        total.add(keep_all(store, connection_id, connector.records(resource, sorted(ids)), clock))
    return total


def _save_unsettled(work: Work, connection_id: int, invoice_ids: Collection[str], clock: Clock) -> None:
    position = json.dumps(sorted(invoice_ids)) if invoice_ids else None
    connections.move_cursor(
        work, connection_id, _UNSETTLED, position=position, done=False, seen=len(invoice_ids), now=clock.now()
    )


def reread(
    store: Store, connection_id: int, connector: Connector, invoice_ids: Collection[str], clock: Clock
) -> records.Stored:
    """Reads these invoices by id and stores what the source says, their deletion included."""
    if not invoice_ids:
        return records.Stored()
    pages = connector.records(Resource.INVOICES, sorted(invoice_ids))
    return keep_all(store, connection_id, pages, clock)


def retry_quarantined(store: Store, connection_id: int, connector: Connector, clock: Clock) -> records.Stored:
    """Reads the quarantined records again by id; those that can be read by now are released."""
    with store.reading() as work:
        jailed = connections.quarantined(work, connection_id)
    total = records.Stored()
    for resource in Resource:
        ids = [one.remote_id for one in jailed if one.resource == resource and one.has_id]
        if ids:
            total.add(keep_all(store, connection_id, connector.records(resource, ids), clock))
    return total
