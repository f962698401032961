"""What every pull does with its pages: store, follow up on what payments changed, wake the chases concerned."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from arsync.connector import Clock, Connector, Page, Resource
from arsync.store import chases, connections, records
from arsync.store.engine import Store, Work


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


def settle_allocated(
    store: Store, connection_id: int, connector: Connector, stored: records.Stored, clock: Clock
) -> records.Stored:
    """Reads again the invoices on which changed money was put but which did not come along by themselves.

    A source is not trusted to touch an invoice when a payment is applied to it.
    """
    missing = stored.allocated - stored.invoices
    return reread(store, connection_id, connector, missing, clock)


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
        ids = [one.remote_id for one in jailed if one.resource == resource and not one.remote_id.startswith("sha256:")]
        if ids:
            total.add(keep_all(store, connection_id, connector.records(resource, ids), clock))
    return total
