"""Who pays for whom: a customer itself, the head of its branches, or the survivor of a merge."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import CompoundSelect, Row, literal, select, update

from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work

_C: Final = t.customers.c


def paid_for_by(connection_id: int, payer_id: str) -> CompoundSelect[Any]:
    """The ids of the customers for whom it pays and its own: one list, for where either is asked for a database goes
    through all of a company's documents."""
    others = select(_C.remote_id).where(_C.connection_id == connection_id, _C.payer_id == payer_id)
    return others.union(select(literal(payer_id)))


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody else pays for a customer from now on; a newcomer would have paid for itself before."""

    customer_id: str
    former: str
    payer_id: str
    newcomer: bool


def resolve(work: Work, connection_id: int, relinked: Collection[str], newcomers: Collection[str] = ()) -> list[Move]:
    """Follows merges and parents to their end, for customers that are linked anew and all below them; returns whose
    payer changed."""
    links = _links(work, connection_id, relinked)
    concerned = [links[one] for one in sorted(links)]
    _climb(work, connection_id, links)
    above = {one: row.merged_into or row.parent_id for one, row in links.items()}
    moves: list[Move] = []
    for row in concerned:
        payer = _root(row.remote_id, above)
        newcomer = row.remote_id in newcomers
        former = row.remote_id if newcomer else row.payer_id
        if payer != former:
            moves.append(Move(row.remote_id, former, payer, newcomer))
        if payer != row.payer_id:
            work.execute(
                update(t.customers)
                .where(_C.connection_id == connection_id, _C.remote_id == row.remote_id)
                .values(payer_id=payer)
            )
    return moves


def are_above(work: Work, connection_id: int, customer_ids: Collection[str]) -> set[str]:
    """Those of these whom some customer names as its parent or survivor."""
    found: set[str] = set()
    for column in (_C.parent_id, _C.merged_into):
        query = select(column).distinct().where(_C.connection_id == connection_id)
        found |= set(work.execute(query.where(among(work, column, customer_ids))).scalars())
    return found


def _links(work: Work, connection_id: int, customer_ids: Collection[str]) -> dict[str, Row[*tuple[Any, ...]]]:
    """These customers and all below them, who must be followed as well."""
    found: dict[str, Row[*tuple[Any, ...]]] = {}
    query = select(_C.remote_id, _C.parent_id, _C.merged_into, _C.payer_id).where(_C.connection_id == connection_id)
    rows = list(work.execute(query.where(among(work, _C.remote_id, customer_ids))))
    while rows:
        found |= {row.remote_id: row for row in rows}
        names = [row.remote_id for row in rows]
        below = [
            *work.execute(query.where(among(work, _C.parent_id, names))),
            *work.execute(query.where(among(work, _C.merged_into, names))),
        ]
        rows = [row for row in below if row.remote_id not in found]
    return found


def _climb(work: Work, connection_id: int, links: dict[str, Row[*tuple[Any, ...]]]) -> None:
    """Adds whoever is above them, to the end."""
    query = select(_C.remote_id, _C.parent_id, _C.merged_into, _C.payer_id).where(_C.connection_id == connection_id)
    rows = list(links.values())
    while names := {up for row in rows if (up := row.merged_into or row.parent_id) and up not in links}:
        rows = list(work.execute(query.where(among(work, _C.remote_id, names))))
        links |= {row.remote_id: row for row in rows}


def _root(customer_id: str, above: dict[str, str | None]) -> str:
    path = [customer_id]
    while (up := above.get(path[-1])) and up in above:
        if up in path:
            return min(path[path.index(up) :])  # a circle: its members agree on one of them
        path.append(up)
    return path[-1]
