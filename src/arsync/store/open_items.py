"""What the cache holds for open: invoices with something due, payments and credits with something left."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Table, and_, select, update

from arsync.connector import Resource
from arsync.domain.documents import CreditNote, Invoice, InvoiceState, Payment, Record
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work

#: The resources that hold open items.
OPEN: Final = (Resource.INVOICES, Resource.PAYMENTS, Resource.CREDIT_NOTES)
_TABLE: Final[Mapping[Resource, Table]] = {
    Resource.INVOICES: t.invoices,
    Resource.PAYMENTS: t.payments,
    Resource.CREDIT_NOTES: t.credit_notes,
}
_INVOICE: Final = ("state", "balance", "total", "currency", "customer_id", "due_on", "number")
_MONEY: Final = ("state", "unapplied", "currency", "customer_id")
_BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts of one open item, field by field."""

    values: tuple[tuple[str, Any], ...]

    def against(self, other: Standing | None) -> str:
        """Where another says otherwise, in words; empty where it does not."""
        if other is None:
            return "not known here"
        theirs = dict(other.values)
        return "; ".join(
            f"{name} {_said(theirs[name])}, in the source {_said(value)}"
            for name, value in self.values
            if value != theirs[name]
        )


def standing(record: Record) -> Standing | None:
    """What the source says of an item; None of a record that is gone or holds nothing open by its kind."""
    match record:
        case Invoice():
            return Standing(tuple((name, _plain(getattr(record, name))) for name in _INVOICE))
        case Payment() | CreditNote():
            return Standing(tuple((name, _plain(getattr(record, name))) for name in _MONEY))
        case _:
            return None


def is_open(record: Record) -> bool:
    """Whether something is due on it, or left of it."""
    if isinstance(record, Invoice):
        return record.state is InvoiceState.OPEN and record.balance > 0
    return isinstance(record, Payment | CreditNote) and record.state == "active" and record.unapplied != 0


def ids(work: Work, connection_id: int, resource: Resource) -> set[str]:
    """The items that the cache holds for open."""
    c = _TABLE[resource].c
    if resource is Resource.INVOICES:
        where = (c.state == InvoiceState.OPEN.value, c.balance > 0)
    else:
        where = (c.state == "active", c.unapplied != 0)
    return set(work.execute(select(c.remote_id).where(c.connection_id == connection_id, *where)).scalars())


def known(work: Work, connection_id: int, resource: Resource, remote_ids: Collection[str]) -> dict[str, Standing]:
    """What the cache says of these, open or not."""
    c = _TABLE[resource].c
    names = _INVOICE if resource is Resource.INVOICES else _MONEY
    query = select(c.remote_id, *(c[name] for name in names))
    rows = work.execute(query.where(c.connection_id == connection_id, among(work, c.remote_id, remote_ids)))
    return {row.remote_id: Standing(tuple((name, getattr(row, name)) for name in names)) for row in rows}


def numbers(work: Work, connection_id: int, invoice_ids: Collection[str]) -> dict[str, str]:
    """The printed numbers of these invoices."""
    c = t.invoices.c
    query = select(c.remote_id, c.number).where(c.connection_id == connection_id, among(work, c.remote_id, invoice_ids))
    return {row.remote_id: row.number for row in work.execute(query)}


def doubt(work: Work, connection_id: int, resource: Resource, remote_ids: Collection[str]) -> None:
    """Makes what the cache says of these older than anything that the source may say."""
    c = _TABLE[resource].c
    work.execute(
        update(_TABLE[resource])
        .where(c.connection_id == connection_id, among(work, c.remote_id, remote_ids))
        .values(updated_at=_BEFORE_ALL, version="")
    )


def _plain(value: Any) -> Any:
    return getattr(value, "value", value)


def _said(value: Any) -> str:
    return "none" if value is None else str(value)


def customers_unknown(work: Work, connection_id: int) -> set[str]:
    """Who is named by an open invoice and is not in the cache."""
    i, c = t.invoices.c, t.customers.c
    joined = t.invoices.outerjoin(t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
    query = (
        select(i.customer_id)
        .distinct()
        .select_from(joined)
        .where(i.connection_id == connection_id, i.state == InvoiceState.OPEN.value, c.remote_id.is_(None))
    )
    return set(work.execute(query).scalars())
