"""Which records the cache holds, for whoever compares it with the source."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select

from arsync.connector import Resource
from arsync.domain.documents import CustomerState, InvoiceState
from arsync.store import tables as t
from arsync.store.engine import Work

_CHUNK = 500


def customers_of(work: Work, connection_id: int, payer_ids: Collection[str]) -> set[str]:
    """The customers for whom these payers pay, themselves included."""
    c = t.customers.c
    found = set(payer_ids)
    every = list(payer_ids)
    for start in range(0, len(every), _CHUNK):
        chunk = every[start : start + _CHUNK]
        query = select(c.remote_id).where(c.connection_id == connection_id, c.payer_id.in_(chunk))
        found |= set(work.execute(query).scalars())
    return found


def customer_ids(work: Work, connection_id: int) -> set[str]:
    """The customers that the cache does not hold for deleted."""
    c = t.customers.c
    query = select(c.remote_id).where(c.connection_id == connection_id, c.state != CustomerState.DELETED.value)
    return set(work.execute(query).scalars())


def open_invoice_ids(work: Work, connection_id: int, customer_ids: Collection[str] | None = None) -> set[str]:
    """The invoices (of these customers) that the cache holds for open."""
    i = t.invoices.c
    query = select(i.remote_id).where(i.connection_id == connection_id, i.state == InvoiceState.OPEN.value)
    if customer_ids is None:
        return set(work.execute(query).scalars())
    found: set[str] = set()
    every = list(customer_ids)
    for start in range(0, len(every), _CHUNK):
        found |= set(work.execute(query.where(i.customer_id.in_(every[start : start + _CHUNK]))).scalars())
    return found


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
