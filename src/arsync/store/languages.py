"""The language that a customer is written to in, as a person said: it stands before what the source says."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, select, update

from arsync.store import chases
from arsync.store import tables as t
from arsync.store.bulk import Upsert, adapted, among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_L: Final = t.own_languages.c
_LANGUAGE: Final = Upsert(t.own_languages)
_OF: Final = select(_L.customer_id, _L.language).where(_L.connection_id == bindparam("of"))
_EVERY: Final = Prepared(_OF)
_SOME: Final = Prepared(lambda dialect: _OF.where(among_those(dialect, _L.customer_id)))


def put(work: Work, connection_id: int, customer_id: str, language: str, *, author: str, now: datetime) -> bool:
    """Says in which language the customer is written to from now on; False where that is known already."""
    if of_customer(work, connection_id, customer_id) == language:
        return False
    chases.bump(work, connection_id, [customer_id])  # first: a message in the other language is planned anew
    _LANGUAGE(work, [(connection_id, customer_id, language, author, adapted(work).instant(now))])
    return True


def take_away(work: Work, connection_id: int, customer_id: str) -> str | None:
    """The source's word counts again; what was said until now, None where nothing was."""
    found = of_customer(work, connection_id, customer_id)
    if found is not None:
        chases.bump(work, connection_id, [customer_id])
        work.execute(delete(t.own_languages).where(_is(connection_id, customer_id)))
    return found


def of_customer(work: Work, connection_id: int, customer_id: str) -> str | None:
    """What a person said of that customer."""
    return of_customers(work, connection_id, [customer_id]).get(customer_id)


def of_customers(work: Work, connection_id: int, customer_ids: Collection[str] | None = None) -> dict[str, str]:
    """What a person said of each of these customers, or of all."""
    if customer_ids is None:
        return dict(_EVERY(work, of=connection_id))
    return dict(_SOME(work, of=connection_id, those=those(work, customer_ids)))


def follow(work: Work, connection_id: int, former: str, payer: str) -> int:
    """After a merge: the survivor keeps its own, else gets the former's; how many went along."""
    if work.execute(select(exists(select(1).where(_is(connection_id, payer))))).scalar_one():
        return 0
    moved = update(t.own_languages).where(_is(connection_id, former)).values(customer_id=payer)
    return work.execute(moved).rowcount


def _is(connection_id: int, customer_id: str) -> ColumnElement[bool]:
    return and_(_L.connection_id == connection_id, _L.customer_id == customer_id)
