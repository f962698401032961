"""Who of our people looks after which customer; what a payer owns goes with it over a merge."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, select, update

from arsync.domain.people import Owner
from arsync.store import chases
from arsync.store import tables as t
from arsync.store.bulk import Upsert, adapted, among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_O: Final = t.owners.c
_OWNER: Final = Upsert(t.owners)


def put(work: Work, connection_id: int, customer_id: str, owner: Owner, *, author: str, now: datetime) -> bool:
    """Says who looks after the customer from now on; False where that is known already."""
    if of_customer(work, connection_id, customer_id) == owner:
        return False
    chases.bump(work, connection_id, [customer_id])  # first: a message with the other's signature is planned anew
    row = (owner.name, owner.email, owner.phone, owner.signature)
    _OWNER(work, [(connection_id, customer_id, *row, author, adapted(work).instant(now))])
    return True


def take_away(work: Work, connection_id: int, customer_id: str) -> Owner | None:
    """Nobody looks after the customer any more; who did, None where nobody."""
    found = of_customer(work, connection_id, customer_id)
    if found is not None:
        chases.bump(work, connection_id, [customer_id])
        work.execute(delete(t.owners).where(_is(connection_id, customer_id)))
    return found


def of_customer(work: Work, connection_id: int, customer_id: str) -> Owner | None:
    """Who looks after that customer."""
    row = work.execute(select(*_COLUMNS).where(_is(connection_id, customer_id))).one_or_none()
    return None if row is None else Owner(*tuple(row)[1:])


def of_customers(work: Work, connection_id: int, customer_ids: Collection[str] | None = None) -> dict[str, Owner]:
    """Who looks after each of these customers, or of all."""
    if customer_ids is None:
        found = _EVERY(work, of=connection_id)
    else:
        found = _SOME(work, of=connection_id, those=those(work, customer_ids))
    return {customer_id: Owner(*owner) for customer_id, *owner in found}


def follow(work: Work, connection_id: int, former: str, payer: str) -> int:
    """After a merge: the survivor keeps its own owner, else gets the former's; how many went along."""
    theirs = exists(select(1).where(_is(connection_id, payer)))
    if work.execute(select(theirs)).scalar_one():
        return 0
    moved = update(t.owners).where(_is(connection_id, former)).values(customer_id=payer)
    return work.execute(moved).rowcount


_COLUMNS: Final = (_O.customer_id, _O.name, _O.email, _O.phone, _O.signature)
_OF: Final = select(*_COLUMNS).where(_O.connection_id == bindparam("of"))
_EVERY: Final = Prepared(_OF)
_SOME: Final = Prepared(lambda dialect: _OF.where(among_those(dialect, _O.customer_id)))


def _is(connection_id: int, customer_id: str) -> ColumnElement[bool]:
    return and_(_O.connection_id == connection_id, _O.customer_id == customer_id)
