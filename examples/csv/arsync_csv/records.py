"""From rows to arsync's records, one at a time: what cannot be read is `Broken` and stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from arsync.connector import Broken, Resource
from arsync.domain.documents import (
    Allocation,
    Contact,
    ContactRole,
    CreditState,
    Customer,
    CustomerState,
    Invoice,
    InvoiceState,
    Payment,
    PaymentKind,
    Record,
)
from arsync.domain.money import amount
from arsync_csv.files import Row, is_nameless

#: The files, each with the columns that it must have, the id first. There are no credit notes: write them as payments.
FILES: Final[Mapping[Resource, tuple[str, tuple[str, ...]]]] = {
    Resource.CUSTOMERS: ("customers.csv", ("customer", "name", "email")),
    Resource.INVOICES: (
        "invoices.csv",
        ("invoice", "customer", "number", "issued", "due", "currency", "total", "balance", "status"),
    ),
    Resource.PAYMENTS: ("payments.csv", ("payment", "customer", "invoice", "received", "currency", "amount")),
}


def record(resource: Resource, row: Row, at: datetime) -> Record | Broken:
    """The row's record, as of the file's last change."""
    try:
        if row.problem:
            raise ValueError(row.problem)
        return _READING[resource](row, at)
    except (KeyError, ValueError) as error:
        customer = row.id if resource is Resource.CUSTOMERS else row.fields.get("customer") or None
        reason = f"line {row.line}: {error}"
        return Broken(resource, None if is_nameless(row.id) else row.id, customer, reason, row.raw)


def _customer(row: Row, at: datetime) -> Customer:
    field = row.fields
    email = field["email"] or None
    contacts = (Contact(field["name"], email, field.get("phone") or None, ContactRole.PRIMARY),) if email else ()
    return Customer(
        remote_id=row.id,
        name=_needed(row, "name"),
        state=CustomerState.ACTIVE,
        parent_id=field.get("parent") or None,
        merged_into=None,
        currency=None,
        country=field.get("country") or None,
        language=field.get("language") or None,
        contacts=contacts,
        balance=None,  # this source keeps no account of its own for a customer
        updated_at=at,
        version=row.digest,
    )


def _invoice(row: Row, at: datetime) -> Invoice:
    field = row.fields
    balance = _money(row, "balance")
    told = field["status"] or ("open" if balance > 0 else "paid")
    return Invoice(
        remote_id=row.id,
        number=field["number"] or row.id,
        customer_id=_needed(row, "customer"),
        state=InvoiceState(told),
        currency=_needed(row, "currency"),
        total=_money(row, "total"),
        balance=balance,
        issued_on=_day(row, "issued"),
        due_on=_day(row, "due") if field["due"] else None,
        reference=field.get("reference") or None,
        email=field.get("email") or None,
        lines=(),
        updated_at=at,
        version=row.digest,
    )


def _payment(row: Row, at: datetime) -> Payment:
    field = row.fields
    total, received, on = _money(row, "amount"), _day(row, "received"), field["invoice"]
    return Payment(
        remote_id=row.id,
        kind=PaymentKind.PAYMENT,
        customer_id=field["customer"] or None,
        state=CreditState.ACTIVE,
        currency=_needed(row, "currency"),
        amount=total,
        unapplied=Decimal(0) if on else total,
        received_on=received,
        reference=field.get("reference") or None,
        allocations=(Allocation(on, total, received),) if on else (),
        updated_at=at,
        version=row.digest,
    )


_READING: Final[Mapping[Resource, Callable[[Row, datetime], Record]]] = {
    Resource.CUSTOMERS: _customer,
    Resource.INVOICES: _invoice,
    Resource.PAYMENTS: _payment,
}


def _needed(row: Row, name: str) -> str:
    if not row.fields[name]:
        raise ValueError(f"{name} is empty")
    return row.fields[name]


def _money(row: Row, name: str) -> Decimal:
    try:
        return amount(row.fields[name])  # from the text as it stands: a float has lost the cents
    except ValueError:
        raise ValueError(f"{name} is no amount like 1234.50") from None


def _day(row: Row, name: str) -> date:
    try:
        return date.fromisoformat(row.fields[name])
    except ValueError:
        raise ValueError(f"{name} is no day like 2026-03-31") from None
