"""People at customers whom we know and the source does not: they stand beside the source's, and no sync takes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, select, update

from arsync.domain.documents import Contact, ContactRole
from arsync.store import chases
from arsync.store import tables as t
from arsync.store.bulk import Upsert, adapted, among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_O: Final = t.own_contacts.c
_CONTACT: Final = Upsert(t.own_contacts)
_OF: Final = (
    select(_O.customer_id, _O.name, _O.email, _O.phone, _O.role)
    .where(_O.connection_id == bindparam("of"))
    .order_by(_O.customer_id, _O.added_at, _O.email)
)
_EVERY: Final = Prepared(_OF)
_SOME: Final = Prepared(lambda dialect: _OF.where(among_those(dialect, _O.customer_id)))


def put(work: Work, connection_id: int, customer_id: str, contact: Contact, *, author: str, now: datetime) -> bool:
    """Adds a person, or changes the one of that address; False where all of it is known."""
    assert contact.email, "a contact by hand is known by its address"
    contact = replace(contact, email=contact.email.strip().lower())
    if contact in of_customers(work, connection_id, customer_id).get(customer_id, ()):
        return False
    chases.bump(work, connection_id, [customer_id])  # first: a message to somebody else is planned anew
    row = (contact.email, contact.name, contact.phone, contact.role.value, author, adapted(work).instant(now))
    _CONTACT(work, [(connection_id, customer_id, *row)])
    return True


def take_away(work: Work, connection_id: int, customer_id: str, email: str) -> bool:
    """Forgets the person of that address; False where there is none."""
    chases.bump(work, connection_id, [customer_id])
    mine = and_(_is(connection_id, customer_id), _O.email == email.strip().lower())
    return bool(work.execute(delete(t.own_contacts).where(mine)).rowcount)


def of_customers(
    work: Work, connection_id: int, who: str | Collection[str] | None = None
) -> dict[str, tuple[Contact, ...]]:
    """The people of each customer, or of one or some."""
    if who is None:
        rows = _EVERY(work, of=connection_id)
    else:
        rows = _SOME(work, of=connection_id, those=those(work, [who] if isinstance(who, str) else who))
    found: dict[str, list[Contact]] = defaultdict(list)
    for customer_id, name, email, phone, role in rows:
        found[customer_id].append(Contact(name, email, phone, ContactRole(role)))
    return {one: tuple(people) for one, people in found.items()}


def follow(work: Work, connection_id: int, former: str, survivor: str) -> int:
    """After a merge: the former's people are the survivor's, but those it knows already; how many went along."""
    theirs = t.own_contacts.alias()
    known = exists().where(
        theirs.c.connection_id == connection_id, theirs.c.customer_id == survivor, theirs.c.email == _O.email
    )
    work.execute(delete(t.own_contacts).where(_is(connection_id, former), known))
    moved = update(t.own_contacts).where(_is(connection_id, former)).values(customer_id=survivor)
    return work.execute(moved).rowcount


def _is(connection_id: int, customer_id: str) -> ColumnElement[bool]:
    return and_(_O.connection_id == connection_id, _O.customer_id == customer_id)
