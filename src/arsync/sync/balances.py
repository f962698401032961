"""The source's own customer balances, read again where they say less than the items do."""

from __future__ import annotations

from typing import Final

from arsync.connector import Clock, Connector, Resource
from arsync.store import balances, cached, connections, records
from arsync.store.engine import Store
from arsync.sync.pull import keep_all

_CURSOR: Final = "balances"
#: So many customers are read again in one sync, the others in the next ones.
MOST: Final = 400


def reread_balances(store: Store, connection_id: int, connector: Connector, clock: Clock) -> records.Stored:
    """Reads again the customers of payers whose balance falls short: a source may move a balance without listing the
    customer as changed, so that ours is older than the invoices. At most `MOST` customers, in turn."""
    with store.working(durable=False) as work:
        short = [one.payer_id for one in balances.falling_short(work, connection_id, now=clock.now())]
        concerned = sorted(cached.customers_of(work, connection_id, short)) if short else []
        last = connections.cursor(work, connection_id, _CURSOR).position
        work.commit()
    if not concerned:
        return records.Stored()
    if len(concerned) > MOST:
        rest = [customer for customer in concerned if last is None or customer > last]
        concerned = [*rest, *(customer for customer in concerned if customer not in set(rest))][:MOST]
        with store.working(durable=False) as work:
            connections.move_cursor(
                work, connection_id, _CURSOR, position=concerned[-1], done=False, seen=0, now=clock.now()
            )
            work.commit()
    return keep_all(store, connection_id, connector.records(Resource.CUSTOMERS, concerned), clock)
