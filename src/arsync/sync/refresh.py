"""Single payers afresh, right before something is sent to them."""

from __future__ import annotations

from collections.abc import Collection

from arsync.connector import Clock, Connector
from arsync.errors import UsageError
from arsync.store import cached, connections, records, suspicion, turns
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.sync import watch
from arsync.sync.delta import DELTA
from arsync.sync.pull import keep_and_settle


def refresh(
    store: Store, connection: Connection, connector: Connector, payer_ids: Collection[str], clock: Clock
) -> records.Stored:
    """Reads these payers' open invoices and what changed of their money; then the cache says what the source says.

    An invoice that the cache holds for open and the source no longer lists as open is read by id: paid, void or gone.
    Where what turned since the last sync cannot be what happened, the connection is suspect and nothing may be sent.
    """
    with store.reading() as work:
        cursor = connections.cursor(work, connection.id, DELTA).position
        customers = cached.customers_of(work, connection.id, payer_ids)
        held_open = cached.open_invoice_ids(work, connection.id, customers)
    if cursor is None:
        raise UsageError(f"{connection.name} is not loaded yet")
    pages = connector.refresh(sorted(customers), cursor=cursor)
    stored = keep_and_settle(store, connection.id, connector, pages, clock, held_open=held_open)
    with store.reading() as work:
        found = watch.upheaval(work, connection.id)
    if found is not None:
        with store.working() as work:
            suspicion.raise_(work, connection.id, found, now=clock.now())
            turns.judged(work, connection.id, now=clock.now())
            work.commit()
    return stored
