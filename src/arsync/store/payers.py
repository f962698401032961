"""Who pays for whom: a customer itself, the head of its branches, or the survivor of a merge."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, update

from arsync.store import tables as t
from arsync.store.engine import Work


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody else pays for a customer from now on; a newcomer would have paid for itself before."""

    customer_id: str
    former: str
    payer_id: str
    newcomer: bool


def resolve(work: Work, connection_id: int, newcomers: Collection[str] = ()) -> list[Move]:
    """Follows merges and parents to their end; returns whose payer changed."""
    c = t.customers.c
    query = select(c.remote_id, c.parent_id, c.merged_into, c.payer_id).where(c.connection_id == connection_id)
    rows = work.execute(query.order_by(c.remote_id)).all()
    above = {row.remote_id: row.merged_into or row.parent_id for row in rows}
    moves: list[Move] = []
    for row in rows:
        payer = _root(row.remote_id, above)
        newcomer = row.remote_id in newcomers
        former = row.remote_id if newcomer else row.payer_id
        if payer != former:
            moves.append(Move(row.remote_id, former, payer, newcomer))
        if payer != row.payer_id:
            work.execute(
                update(t.customers)
                .where(c.connection_id == connection_id, c.remote_id == row.remote_id)
                .values(payer_id=payer)
            )
    return moves


def _root(customer_id: str, above: dict[str, str | None]) -> str:
    path = [customer_id]
    while (up := above.get(path[-1])) and up in above:
        if up in path:
            return min(path[path.index(up) :])  # a circle: its members agree on one of them
        path.append(up)
    return path[-1]
