"""Who pays for whom: a customer itself, the head of its branches, or the survivor of a merge."""

from __future__ import annotations

from sqlalchemy import select, update

from arsync.store import tables as t
from arsync.store.engine import Work


def resolve(work: Work, connection_id: int) -> set[str]:
    """Follows merges and parents to their end; returns the customers whose payer changed."""
    c = t.customers.c
    query = select(c.remote_id, c.parent_id, c.merged_into, c.payer_id).where(c.connection_id == connection_id)
    rows = work.execute(query).all()
    above = {row.remote_id: row.merged_into or row.parent_id for row in rows}
    changed: set[str] = set()
    for row in rows:
        payer = _root(row.remote_id, above)
        if payer != row.payer_id:
            changed |= {row.remote_id, row.payer_id, payer}
            work.execute(
                update(t.customers)
                .where(c.connection_id == connection_id, c.remote_id == row.remote_id)
                .values(payer_id=payer)
            )
    return changed


def _root(customer_id: str, above: dict[str, str | None]) -> str:
    path = [customer_id]
    while (up := above.get(path[-1])) and up in above:
        if up in path:
            return min(path[path.index(up) :])  # a circle: its members agree on one of them
        path.append(up)
    return path[-1]
