"""Customers and their contacts in the cache."""

from __future__ import annotations

from typing import Any, Final

from arsync.connector import Resource
from arsync.domain.documents import Customer, CustomerState
from arsync.domain.money import to_units
from arsync.store import customer_groups, payers
from arsync.store import tables as t
from arsync.store.bulk import DeleteWhere, Insert, Upsert, adapted
from arsync.store.engine import Work
from arsync.store.newest import Known, is_buried, is_older, unchanged
from arsync.store.stored import Stored

_CUSTOMER: Final = Upsert(t.customers)
_CONTACT: Final = Insert(t.contacts)
_CONTACTS_OF: Final = DeleteWhere(t.contacts, "connection_id", "customer_id")
_C: Final = t.customers.c
_KNOWN: Final = Known(
    t.customers,
    _C.updated_at, _C.version, _C.parent_id, _C.merged_into, _C.state, _C.balance, _C.payer_id, _C.group_ids,
)  # fmt: skip


def keep(work: Work, connection_id: int, latest: dict[str, Customer], stored: Stored, *, new: bool = False) -> None:
    """Writes those customers that are news, with their contacts; IntegrityError where one of those that are told to be
    `new` is there."""
    there = {} if new else _KNOWN(work, connection_id, latest)
    fresh = []
    arrived = []
    for remote_id, customer in latest.items():
        row = there.get(remote_id)
        if row is None:
            arrived.append(remote_id)
        elif not _is_news_of_customer(row, customer):
            continue
        elif customer.state is not CustomerState.ACTIVE and _relinked(row, customer):
            stored.left.add(remote_id)  # once more where it was gone already: archived, and merged a month later
        fresh.append(customer)
        if customer.parent_id or customer.merged_into or (row is not None and _relinked(row, customer)):
            stored.relinked.add(remote_id)
    stored.arrived[Resource.CUSTOMERS] += len(arrived)
    stored.newcomers.update(arrived)
    if arrived:  # customers read earlier may name them as their parent or survivor
        stored.relinked |= payers.are_above(work, connection_id, arrived)
    as_ = adapted(work)
    rows = [
        (
            connection_id,
            customer.remote_id,
            customer.name,
            customer.state.value,
            customer.parent_id,
            customer.merged_into,
            _payer(customer, there.get(customer.remote_id)),
            customer.currency,
            customer.country,
            customer.language,
            None if customer.balance is None else to_units(customer.balance),
            as_.instant(customer.updated_at),
            customer.version,
            customer.region,
            customer.terms,
            customer.address,
            customer_groups.written(customer.groups),
        )
        for customer in fresh
    ]
    contacts = [
        (connection_id, customer.remote_id, place, contact.name, contact.email, contact.phone, contact.role.value)
        for customer in fresh
        for place, contact in enumerate(customer.contacts)
    ]
    old_rows = [row for row in rows if row[1] in there]
    same = unchanged(work, connection_id, t.customers, old_rows, t.contacts, contacts)
    (_CUSTOMER.new if new else _CUSTOMER)(work, rows)
    _CONTACTS_OF(work, [(connection_id, customer.remote_id) for customer in fresh if customer.remote_id in there])
    _CONTACT(work, contacts)
    # Of all of them: a group may be renamed without its customers' having changed.
    customer_groups.remember(work, connection_id, {group for one in latest.values() for group in one.groups})
    stored.written += len(fresh)
    stored.customers |= {customer.remote_id for customer in fresh} - same


def _payer(customer: Customer, row: Any) -> str:
    """Who paid so far; of a newcomer the next above it. Whatever is linked anew is followed to its end afterwards."""
    if row is not None:
        return str(row.payer_id)
    return customer.merged_into or customer.parent_id or customer.remote_id


def _is_news_of_customer(row: Any, customer: Customer) -> bool:
    if is_older(customer, row) or is_buried(customer, row):
        return False
    # The update time alone is not enough: a source may change a balance, or a group, without touching it.
    if is_older(row, customer) or _relinked(row, customer) or row.balance != customer.balance:
        return True
    return bool(row.group_ids or customer.groups) and row.group_ids != customer_groups.written(customer.groups)


def _relinked(row: Any, customer: Customer) -> bool:
    return (row.parent_id, row.merged_into, row.state) != (customer.parent_id, customer.merged_into, customer.state)
