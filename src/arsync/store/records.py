"""The cache of what the source says: pages in, and which customers they concern.

Newest wins by (update time, version); a record that says what is known already is not written again, so that an
overlapping pull touches nobody. Deletions and voids are states, never deleted rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Table, and_, case, delete, exists, select, update
from sqlalchemy.exc import DataError, IntegrityError

from arsync.connector import Broken, Page, Resource
from arsync.domain.documents import (
    CreditNote,
    CreditState,
    Customer,
    CustomerState,
    Deleted,
    Invoice,
    InvoiceState,
    Payment,
    Record,
    resource_of,
)
from arsync.store import customers, invoices, payers, quarantine, reductions
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work
from arsync.store.newest import is_older
from arsync.store.stored import Stored

__all__ = ["Stored", "store_page"]

#: What a database says of a value that it will not keep. A lost connection or a full disk is another matter.
_POISON: Final = (DataError, IntegrityError, UnicodeError, OverflowError)


def store_page(work: Work, connection_id: int, page: Page, *, now: datetime, new: bool = False) -> Stored:
    """Writes a page's records into the cache and its broken ones into quarantine; the caller commits.

    `new` says that none of them is likely to be there: nothing is looked up, and where the database finds that one is,
    the page is stored as any other.
    """
    broken = list(page.broken)
    stored = _at_once(work, connection_id, page.records, new=True) if new else None
    if stored is None:
        stored = _at_once(work, connection_id, page.records)
    if stored is None:  # find the one, keep the others
        stored = Stored()
        broken += _one_by_one(work, connection_id, page.records, stored)
    stored.for_all = quarantine.keep(work, connection_id, broken, now)
    quarantine.release(work, connection_id, page.records, broken, now)
    stored.quarantined = len(broken)
    stored.customers |= {record.customer_id for record in broken if record.customer_id}
    if stored.relinked:
        stored.moves = payers.resolve(work, connection_id, stored.relinked, stored.newcomers)
        stored.customers |= {name for move in stored.moves for name in (move.customer_id, move.former, move.payer_id)}
    return stored


def _at_once(work: Work, connection_id: int, records: Sequence[Record], *, new: bool = False) -> Stored | None:
    """None, and nothing is done, where the database refuses something: a character, a length, a second of its key."""
    stored = Stored()
    try:
        with work.part():
            _store(work, connection_id, records, stored, new=new)
    except _POISON:
        return None
    return stored


def _one_by_one(work: Work, connection_id: int, records: Iterable[Record], stored: Stored) -> Iterable[Broken]:
    for record in records:
        part = Stored()
        try:
            with work.connection.begin_nested():
                _clear_the_place(work, connection_id, record)
                _store(work, connection_id, (record,), part)
        except _POISON as error:
            yield Broken(
                resource=resource_of(record),
                remote_id=record.remote_id,
                customer_id=getattr(record, "customer_id", None),
                reason=f"the database refuses it: {type(getattr(error, 'orig', error)).__name__}",
                raw=repr(record),
            )
        else:
            stored.add(part)


def _clear_the_place(work: Work, connection_id: int, record: Record) -> None:
    """A row that was lost may have left its lines or allocations behind, which would refuse its return."""
    match record:
        case Invoice():
            owner, parts = t.invoices, t.invoice_lines
            its = parts.c.invoice_id == record.remote_id
        case Payment() | CreditNote():
            owner, parts = _GONE[resource_of(record)][0], t.allocations
            its = and_(parts.c.source == resource_of(record).value, parts.c.source_id == record.remote_id)
        case _:
            return
    known = exists().where(owner.c.connection_id == connection_id, owner.c.remote_id == record.remote_id)
    work.execute(delete(parts).where(parts.c.connection_id == connection_id, its, ~known))


_ID: Final = attrgetter("remote_id")
_GRAVE: Final = attrgetter("resource", "remote_id")


def _store(work: Work, connection_id: int, records: Sequence[Record], stored: Stored, *, new: bool = False) -> None:
    by_kind: dict[type[Any], dict[Any, Any]] = {}
    for kind, alike in groupby(records, type):  # most pages have but one kind
        latest = by_kind.setdefault(kind, {})
        key_of = _GRAVE if kind is Deleted else _ID
        for record in alike:
            key = key_of(record)
            known = latest.setdefault(key, record)
            if known is not record and not is_older(record, known):
                latest[key] = record
    for kind, keeper in _KEEPERS.items():
        if kind in by_kind:
            # In the order of their keys, which spares the database half of its leaps.
            keeper(work, connection_id, _in_order(by_kind[kind]), stored, new=new)
    if Deleted in by_kind:  # last: they were checked by a read of their own
        _bury(work, connection_id, _in_order(by_kind[Deleted]), stored)


def _in_order(latest: dict[Any, Any]) -> dict[Any, Any]:
    return {key: latest[key] for key in sorted(latest)}


_GONE: Final[dict[Resource, tuple[Table, dict[str, Any]]]] = {
    Resource.CUSTOMERS: (t.customers, {"state": CustomerState.DELETED.value}),
    Resource.INVOICES: (t.invoices, {"state": InvoiceState.DELETED.value, "balance": Decimal(0)}),
    Resource.PAYMENTS: (t.payments, {"state": CreditState.DELETED.value, "unapplied": Decimal(0)}),
    Resource.CREDIT_NOTES: (t.credit_notes, {"state": CreditState.DELETED.value, "unapplied": Decimal(0)}),
}


def _bury(work: Work, connection_id: int, latest: dict[tuple[Resource, str], Deleted], stored: Stored) -> None:
    buried = [remote_id for resource, remote_id in latest if resource is Resource.INVOICES]
    i = t.invoices.c
    was_open = select(i.remote_id).where(i.connection_id == connection_id, i.state == InvoiceState.OPEN.value)
    stored.closed |= set(work.execute(was_open.where(among(work, i.remote_id, buried))).scalars())
    for (_resource, remote_id), record in latest.items():
        table, values = _GONE[record.resource]
        c = table.c
        owner = c.remote_id if record.resource is Resource.CUSTOMERS else c.customer_id
        statement = (
            update(table)
            .where(c.connection_id == connection_id, c.remote_id == remote_id, c.state != values["state"])
            .values(
                **values, updated_at=case((c.updated_at > record.updated_at, c.updated_at), else_=record.updated_at)
            )
            .returning(owner)
        )
        for customer_id in work.execute(statement).scalars().all():
            stored.written += 1
            if record.resource is Resource.CUSTOMERS:
                stored.left.add(remote_id)
            if customer_id is not None:
                stored.customers.add(customer_id)
        if record.resource is Resource.INVOICES:
            stored.invoices.add(remote_id)
            stored.reopened.add(remote_id)  # the money on it is free again
        if record.resource in (Resource.PAYMENTS, Resource.CREDIT_NOTES):
            stored.allocated |= reductions.allocated_by(work, connection_id, record.resource, [remote_id])
            reductions.forget_allocations(work, connection_id, record.resource, remote_id)


_KEEPERS: Final[dict[type[Any], Callable[..., None]]] = {
    Customer: customers.keep,
    Invoice: invoices.keep,
    Payment: reductions.keep_payments,
    CreditNote: reductions.keep_credit_notes,
}
