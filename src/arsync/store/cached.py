"""Which records the cache holds, for whoever compares it with the source."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import bindparam, func, select

from arsync.connector import Resource
from arsync.domain.documents import CustomerState, InvoiceState
from arsync.store import tables as t
from arsync.store.bulk import among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_PAID_FOR: Final = Prepared(
    lambda dialect: select(t.customers.c.remote_id).where(
        t.customers.c.connection_id == bindparam("of"), among_those(dialect, t.customers.c.payer_id)
    )
)
_STANDS_OPEN: Final = select(t.invoices.c.remote_id).where(
    t.invoices.c.connection_id == bindparam("of"), t.invoices.c.state == InvoiceState.OPEN.value
)
_OPEN: Final = Prepared(_STANDS_OPEN)
_OPEN_OF: Final = Prepared(lambda dialect: _STANDS_OPEN.where(among_those(dialect, t.invoices.c.customer_id)))


def customers_of(work: Work, connection_id: int, payer_ids: Collection[str]) -> set[str]:
    """The customers for whom these payers pay, themselves included."""
    found = _PAID_FOR(work, of=connection_id, those=those(work, payer_ids))
    return {*payer_ids, *(customer_id for (customer_id,) in found)}


def customer_ids(work: Work, connection_id: int) -> set[str]:
    """The customers that the cache does not hold for deleted."""
    c = t.customers.c
    query = select(c.remote_id).where(c.connection_id == connection_id, c.state != CustomerState.DELETED.value)
    return set(work.execute(query).scalars())


def open_invoice_ids(work: Work, connection_id: int, customer_ids: Collection[str] | None = None) -> set[str]:
    """The invoices (of these customers) that the cache holds for open."""
    if customer_ids is None:
        found = _OPEN(work, of=connection_id)
    else:
        found = _OPEN_OF(work, of=connection_id, those=those(work, customer_ids))
    return {invoice_id for (invoice_id,) in found}


def totals(work: Work, connection_id: int) -> dict[str, int]:
    """How many records of each kind the cache holds."""
    tables = {
        Resource.CUSTOMERS: t.customers,
        Resource.INVOICES: t.invoices,
        Resource.PAYMENTS: t.payments,
        Resource.CREDIT_NOTES: t.credit_notes,
    }
    return {
        resource.value: int(
            work.execute(
                select(func.count()).select_from(table).where(table.c.connection_id == connection_id)
            ).scalar_one()
        )
        for resource, table in tables.items()
    }
