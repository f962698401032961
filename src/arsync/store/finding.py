"""Invoices and customers by the names that people use, and the names of those."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, exists, func, or_, select, tuple_

from arsync.connector import NoteTarget, TargetKind
from arsync.domain.documents import InvoiceState
from arsync.domain.money import Money
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work
from arsync.store.ledger import billed


@dataclass(frozen=True, slots=True)
class FoundInvoice:
    """An invoice named by its printed number."""

    connection_id: int
    connection: str
    invoice_id: str
    number: str
    customer_id: str
    customer: str
    payer_id: str
    state: InvoiceState
    total: Money
    balance: Money
    due_on: date | None
    chase_id: int | None
    reference: str | None
    purchase_order: str | None
    terms: str | None
    exchange_rate: str | None  # exact: the company's own currency for one unit; None in the own currency
    expected_on: date | None
    sent: bool | None


def find_invoices(work: Work, number: str, connection: str | None = None) -> list[FoundInvoice]:
    """Every invoice with that printed number or id; numbers are not unique over connections."""
    i = t.invoices.c
    query = _invoices().where(or_(i.number == number, i.remote_id == number))
    if connection is not None:
        query = query.where(t.connections.c.name == connection)
    return [_found(row) for row in work.execute(query)]


def invoices_of(work: Work, connection_id: int, invoice_ids: Collection[str]) -> list[FoundInvoice]:
    """Those of the company with these ids, in the order of the ids as they are given."""
    i = t.invoices.c
    query = _invoices().where(i.connection_id == connection_id, i.remote_id.in_(list(invoice_ids)))
    found = {one.invoice_id: one for one in map(_found, work.execute(query))}
    return [found[one] for one in invoice_ids if one in found]


def _invoices() -> Select[*tuple[Any, ...]]:
    i, c, n, h = t.invoices.c, t.customers.c, t.connections.c, t.chases.c
    newest = (
        select(func.max(h.id))
        .where(h.connection_id == i.connection_id, h.payer_id == c.payer_id, h.currency == i.currency)
        .scalar_subquery()
    )
    joined = t.invoices.join(t.connections, n.id == i.connection_id).outerjoin(t.customers, billed(t.invoices))
    return (
        select(i.connection_id, n.name, i.remote_id, i.number, i.customer_id, c.name, c.payer_id, i.state,
               i.currency, i.total, i.balance, i.due_on, newest, i.reference, i.purchase_order,
               func.coalesce(i.terms, c.terms), i.exchange_rate, i.expected_on, i.sent)
        .select_from(joined)
        .order_by(n.name, i.remote_id)
    )  # fmt: skip


def _found(row: Sequence[Any]) -> FoundInvoice:
    return FoundInvoice(
        connection_id=row[0], connection=row[1], invoice_id=row[2], number=row[3], customer_id=row[4],
        customer=row[5] or row[4], payer_id=row[6] or row[4], state=InvoiceState(row[7]),
        total=Money(row[9], row[8]), balance=Money(row[10], row[8]), due_on=row[11], chase_id=row[12],
        reference=row[13], purchase_order=row[14], terms=row[15], exchange_rate=row[16], expected_on=row[17],
        sent=row[18],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class FoundCustomer:
    """A customer named by its name, id or e-mail."""

    connection_id: int
    connection: str
    customer_id: str
    name: str
    payer_id: str


def find_customers(work: Work, name: str, connection: str | None = None) -> list[FoundCustomer]:
    """Every customer of that name (in any case), id, or e-mail of one of its people."""
    c, n = t.customers.c, t.connections.c
    mails = [
        select(1).where(
            k.connection_id == c.connection_id, k.customer_id == c.remote_id, func.lower(k.email) == name.lower()
        )
        for k in (t.contacts.c, t.own_contacts.c)
    ] if "@" in name else []  # fmt: skip
    query = (
        select(c.connection_id, n.name, c.remote_id, c.name, c.payer_id)
        .select_from(t.customers.join(t.connections, n.id == c.connection_id))
        .where(or_(c.name == name, func.lower(c.name) == name.lower(), c.remote_id == name, *map(exists, mails)))
        .order_by(n.name, c.remote_id)
    )
    if connection is not None:
        query = query.where(n.name == connection)
    return [FoundCustomer(*tuple(row)) for row in work.execute(query)]


def customers_like(work: Work, name: str, connection: str | None = None, *, limit: int = 5) -> list[FoundCustomer]:
    """Customers in whose name every word of that one occurs, in any case, by name; `limit` at most."""
    c, n = t.customers.c, t.connections.c
    words = [func.lower(c.name).contains(word, autoescape=True) for word in name.lower().split()]
    if not words:
        return []
    query = (
        select(c.connection_id, n.name, c.remote_id, c.name, c.payer_id)
        .select_from(t.customers.join(t.connections, n.id == c.connection_id))
        .where(*words)
        .order_by(c.name, n.name, c.remote_id)
        .limit(limit)
    )
    if connection is not None:
        query = query.where(n.name == connection)
    return [FoundCustomer(*tuple(row)) for row in work.execute(query)]


def every_customer(work: Work) -> list[FoundCustomer]:
    """All customers of all connections."""
    c, n = t.customers.c, t.connections.c
    joined = t.customers.join(t.connections, n.id == c.connection_id)
    query = select(c.connection_id, n.name, c.remote_id, c.name, c.payer_id).select_from(joined)
    return [FoundCustomer(*tuple(row)) for row in work.execute(query)]


def payer_name(work: Work, connection_id: int, payer_id: str) -> str | None:
    """The name of who has that id at the company, traded with or not; None where nobody has."""
    c = t.customers.c
    found: str | None = work.execute(
        select(c.name).where(c.connection_id == connection_id, c.remote_id == payer_id)
    ).scalar_one_or_none()
    return found


def customer_name(work: Work, connection_id: int, customer_id: str) -> str:
    """The customer's name, or its id where it never arrived."""
    c = t.customers.c
    query = select(c.name).where(c.connection_id == connection_id, c.remote_id == customer_id)
    return work.execute(query).scalar_one_or_none() or customer_id


def customer_names(work: Work, those: Iterable[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """The names of these customers, by connection and id; the id where a name never arrived."""
    wanted = set(those)
    c = t.customers.c
    query = select(c.connection_id, c.remote_id, c.name).where(tuple_(c.connection_id, c.remote_id).in_(sorted(wanted)))
    found = {(row[0], row[1]): row[2] for row in work.execute(query)} if wanted else {}
    return {one: found.get(one) or one[1] for one in wanted}


def invoice_number(work: Work, connection_id: int, invoice_id: str) -> str:
    """The invoice's printed number, or its id where it never arrived."""
    i = t.invoices.c
    query = select(i.number).where(i.connection_id == connection_id, i.remote_id == invoice_id)
    return work.execute(query).scalar_one_or_none() or invoice_id


def invoice_numbers(work: Work, connection_id: int, invoice_ids: Collection[str]) -> dict[str, str]:
    """The printed numbers of these invoices, by id; the id where an invoice never arrived."""
    i = t.invoices.c
    query = select(i.remote_id, i.number).where(i.connection_id == connection_id, among(work, i.remote_id, invoice_ids))
    found = {row[0]: row[1] for row in work.execute(query)} if invoice_ids else {}
    return {one: found.get(one) or one for one in invoice_ids}


def named_each(work: Work, connection_id: int, targets: Sequence[NoteTarget]) -> list[str]:
    """As `named`, of several notes of one company."""
    ids = {kind: {one.remote_id for one in targets if one.kind is kind} for kind in TargetKind}
    names = customer_names(work, {(connection_id, one) for one in ids[TargetKind.CUSTOMER]})
    numbers = invoice_numbers(work, connection_id, ids[TargetKind.INVOICE])
    return [
        f"{one.kind} "
        f"{numbers[one.remote_id] if one.kind is TargetKind.INVOICE else names[connection_id, one.remote_id]}"
        for one in targets
    ]


def named(work: Work, connection_id: int, target: NoteTarget) -> str:
    """What a note is about as people know it: `invoice 1042`, `customer Acme Stores`."""
    about = invoice_number if target.kind is TargetKind.INVOICE else customer_name
    return f"{target.kind} {about(work, connection_id, target.remote_id)}"
