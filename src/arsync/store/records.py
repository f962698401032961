"""The cache of what the source says: pages in, and which customers they concern.

Newest wins by (update time, version); a record that says what is known already is not written again, so that an
overlapping pull touches nobody. Deletions and voids are states, never deleted rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Table, case, delete, exists, insert, or_, select, update
from sqlalchemy.exc import DataError, IntegrityError

from arsync.connector import Broken, Page, Resource
from arsync.domain.documents import (
    Allocation,
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
from arsync.domain.money import to_units
from arsync.store import tables as t
from arsync.store.bulk import Adapted, DeleteWhere, Insert, Row, Upsert, adapted, among
from arsync.store.engine import Work

_CUSTOMER: Final = Upsert(t.customers)
_CONTACT: Final = Insert(t.contacts)
_INVOICE: Final = Upsert(t.invoices)
_LINE: Final = Insert(t.invoice_lines)
_PAYMENT: Final = Upsert(t.payments)
_CREDIT_NOTE: Final = Upsert(t.credit_notes)
_ALLOCATION: Final = Insert(t.allocations)
_CONTACTS_OF: Final = DeleteWhere(t.contacts, "connection_id", "customer_id")
_LINES_OF: Final = DeleteWhere(t.invoice_lines, "connection_id", "invoice_id")
_ALLOCATIONS_OF: Final = DeleteWhere(t.allocations, "connection_id", "source", "source_id")

#: What a database says of a value that it will not keep. A lost connection or a full disk is another matter.
_POISON: Final = (DataError, IntegrityError, UnicodeError, OverflowError)
_ID_LENGTH: Final = 64
_UNNAMED: Final = "sha256:"


@dataclass(slots=True)
class Stored:
    """What storing pages changed: ids of customers concerned, and of invoices that payments or credits were put on."""

    written: int = 0
    quarantined: int = 0
    customers: set[str] = field(default_factory=set)
    invoices: set[str] = field(default_factory=set)  # stored, changed or not
    allocated: set[str] = field(default_factory=set)  # named by a changed allocation, old or new
    reopened: set[str] = field(default_factory=set)  # invoices that owe more than before, or are no invoices any more
    relinked: bool = False  # who pays for whom may have changed
    arrived: Counter[Resource] = field(default_factory=Counter)  # records not met before

    def add(self, other: Stored) -> None:
        """Takes in another page's."""
        self.written += other.written
        self.quarantined += other.quarantined
        self.customers |= other.customers
        self.invoices |= other.invoices
        self.allocated |= other.allocated
        self.reopened |= other.reopened
        self.relinked |= other.relinked
        self.arrived += other.arrived


def store_page(work: Work, connection_id: int, page: Page, *, now: datetime) -> Stored:
    """Writes a page's records into the cache and its broken ones into quarantine; the caller commits."""
    stored = Stored()
    try:
        with work.connection.begin_nested():
            _store(work, connection_id, page.records, stored)
        broken = list(page.broken)
    except _POISON:
        # The database refuses something (a character, a length): find the one, keep the others.
        stored = Stored()
        broken = [*page.broken, *_one_by_one(work, connection_id, page.records, stored)]
    _quarantine(work, connection_id, broken, now)
    _release(work, connection_id, page.records, broken)
    stored.quarantined = len(broken)
    stored.customers |= {record.customer_id for record in broken if record.customer_id}
    if stored.relinked:
        stored.customers |= resolve_payers(work, connection_id)
    return stored


def _one_by_one(work: Work, connection_id: int, records: Iterable[Record], stored: Stored) -> Iterable[Broken]:
    for record in records:
        part = Stored()
        try:
            with work.connection.begin_nested():
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


def _store(work: Work, connection_id: int, records: Sequence[Record], stored: Stored) -> None:
    by_kind: dict[type[Any], dict[str, Any]] = {}
    for record in records:
        latest = by_kind.setdefault(type(record), {})
        known = latest.get(record.remote_id)
        if known is None or not _is_older(record, known):
            latest[record.remote_id] = record
    for kind, keeper in _KEEPERS.items():  # tombstones last: they were checked by a read of their own
        if kind in by_kind:
            # In the order of their keys, which spares the database half of its leaps.
            keeper(work, connection_id, dict(sorted(by_kind[kind].items())), stored)


def _is_older(one: Any, other: Any) -> bool:
    """By update time, then by version, which is a number at some sources: 9 comes before 10."""
    if one.updated_at != other.updated_at:
        return bool(one.updated_at < other.updated_at)
    return _rank(one) < _rank(other)


def _rank(one: Any) -> tuple[int, str]:
    version = str(getattr(one, "version", ""))
    return (len(version), version) if version.isdecimal() else (0, version)


# --- one keeper for each kind of record ---------------------------------------------------------------------


def _keep_customers(work: Work, connection_id: int, latest: dict[str, Customer], stored: Stored) -> None:
    c = t.customers.c
    known = _known(
        work, connection_id, t.customers, latest,
        c.updated_at, c.version, c.parent_id, c.merged_into, c.state, c.balance,
    )  # fmt: skip
    fresh = []
    arrived = []
    for remote_id, customer in latest.items():
        row = known.get(remote_id)
        if row is None:
            arrived.append(remote_id)
        elif not _is_news_of_customer(row, customer):
            continue
        fresh.append(customer)
        if customer.parent_id or customer.merged_into or (row is not None and _relinked(row, customer)):
            stored.relinked = True
    stored.arrived[Resource.CUSTOMERS] += len(arrived)
    stored.relinked = stored.relinked or _is_awaited(work, connection_id, arrived)
    as_ = adapted(work)
    _CUSTOMER(
        work,
        [
            (
                connection_id,
                customer.remote_id,
                customer.name,
                customer.state.value,
                customer.parent_id,
                customer.merged_into,
                customer.merged_into or customer.parent_id or customer.remote_id,
                customer.currency,
                customer.country,
                customer.language,
                None if customer.balance is None else to_units(customer.balance),
                as_.instant(customer.updated_at),
                customer.version,
            )
            for customer in fresh
        ],
    )
    _CONTACTS_OF(work, [(connection_id, customer.remote_id) for customer in fresh if customer.remote_id in known])
    _CONTACT(
        work,
        [
            (connection_id, customer.remote_id, place, contact.name, contact.email, contact.phone, contact.role.value)
            for customer in fresh
            for place, contact in enumerate(customer.contacts)
        ],
    )
    stored.written += len(fresh)
    stored.customers |= {customer.remote_id for customer in fresh}


def _is_news_of_customer(row: Any, customer: Customer) -> bool:
    if _is_older(customer, row) or _is_buried(customer, row):
        return False
    # The update time alone is not enough: a source may change a balance without touching it.
    return _is_older(row, customer) or _relinked(row, customer) or row.balance != customer.balance


def _is_buried(record: Any, row: Any) -> bool:
    """Whether the record is known to be gone, and this is not a later one."""
    return row.state == "deleted" and not _is_older(row, record)


def _is_awaited(work: Work, connection_id: int, arrived: Sequence[str]) -> bool:
    """Whether a customer read earlier names one of these as its parent or survivor."""
    c = t.customers.c
    if not arrived:
        return False
    named = or_(among(work, c.parent_id, arrived), among(work, c.merged_into, arrived))
    return bool(work.execute(select(exists(select(1).where(c.connection_id == connection_id, named)))).scalar_one())


def _relinked(row: Any, customer: Customer) -> bool:
    return (row.parent_id, row.merged_into, row.state) != (customer.parent_id, customer.merged_into, customer.state)


def _keep_invoices(work: Work, connection_id: int, latest: dict[str, Invoice], stored: Stored) -> None:
    c = t.invoices.c
    known = _known(
        work, connection_id, t.invoices, latest,
        c.updated_at, c.version, c.balance, c.total, c.state, c.due_on, c.customer_id, c.number, c.currency,
    )  # fmt: skip
    as_ = adapted(work)
    rows: list[Row] = []
    lines: list[Row] = []
    rewritten: list[Row] = []
    stored.invoices |= latest.keys()
    for remote_id, invoice in latest.items():
        row = known.get(remote_id)
        if row is not None:
            if _is_older(invoice, row) or _is_buried(invoice, row) or _says_the_same(row, invoice):
                continue
            rewritten.append((connection_id, remote_id))
            if invoice.balance > row.balance or (invoice.state != row.state and invoice.state in _ENDED):
                stored.reopened.add(remote_id)
            stored.customers.add(row.customer_id)
        stored.customers.add(invoice.customer_id)
        rows.append(_invoice_row(connection_id, invoice, as_))
        for place, line in enumerate(invoice.lines):
            quantity = None if line.quantity is None else str(line.quantity)
            lines.append((connection_id, remote_id, place, line.description, quantity, to_units(line.amount)))
    stored.arrived[Resource.INVOICES] += len(rows) - len(rewritten)
    _INVOICE(work, rows)
    _LINES_OF(work, rewritten)
    _LINE(work, lines)
    stored.written += len(rows)


_ENDED: Final = (InvoiceState.VOID, InvoiceState.DELETED)


def _invoice_row(connection_id: int, invoice: Invoice, as_: Adapted) -> Row:
    return (
        connection_id,
        invoice.remote_id,
        invoice.number,
        invoice.customer_id,
        invoice.state.value,
        invoice.currency,
        to_units(invoice.total),
        to_units(invoice.balance),
        as_.day(invoice.issued_on),
        as_.day(invoice.due_on),
        invoice.reference,
        invoice.email,
        as_.instant(invoice.updated_at),
        invoice.version,
    )


def _says_the_same(row: Any, invoice: Invoice) -> bool:
    # The update time alone is not enough: a source may lower a balance without touching it.
    return bool(
        row.updated_at == invoice.updated_at
        and row.version == invoice.version
        and row.balance == invoice.balance
        and row.total == invoice.total
        and row.state == invoice.state
        and row.due_on == invoice.due_on
        and row.customer_id == invoice.customer_id
        and row.number == invoice.number
        and row.currency == invoice.currency
    )


def _keep_payments(work: Work, connection_id: int, latest: dict[str, Payment], stored: Stored) -> None:
    c = t.payments.c
    known = _known(work, connection_id, t.payments, latest, c.amount, *_credit_columns(c))
    fresh = [record for record in latest.values() if _is_news(known.get(record.remote_id), record)]
    as_ = adapted(work)
    _PAYMENT(
        work,
        [
            (
                connection_id,
                payment.remote_id,
                payment.kind.value,
                payment.customer_id,
                payment.state.value,
                payment.currency,
                to_units(payment.amount),
                to_units(payment.unapplied),
                as_.day(payment.received_on),
                payment.reference,
                as_.instant(payment.updated_at),
                payment.version,
            )
            for payment in fresh
        ],
    )
    _keep_allocations(work, connection_id, Resource.PAYMENTS, fresh, known, stored)


def _keep_credit_notes(work: Work, connection_id: int, latest: dict[str, CreditNote], stored: Stored) -> None:
    c = t.credit_notes.c
    known = _known(work, connection_id, t.credit_notes, latest, c.total.label("amount"), *_credit_columns(c))
    fresh = [record for record in latest.values() if _is_news(known.get(record.remote_id), record)]
    as_ = adapted(work)
    _CREDIT_NOTE(
        work,
        [
            (
                connection_id,
                note.remote_id,
                note.number,
                note.customer_id,
                note.state.value,
                note.currency,
                to_units(note.total),
                to_units(note.unapplied),
                as_.day(note.issued_on),
                as_.instant(note.updated_at),
                note.version,
            )
            for note in fresh
        ],
    )
    _keep_allocations(work, connection_id, Resource.CREDIT_NOTES, fresh, known, stored)


def _credit_columns(c: Any) -> tuple[Any, ...]:
    return (c.updated_at, c.version, c.unapplied, c.state, c.customer_id)


def _is_news(row: Any, record: Payment | CreditNote) -> bool:
    if row is None:
        return True
    if _is_older(record, row) or _is_buried(record, row):
        return False
    return bool(
        _is_older(row, record)
        or (record.amount if isinstance(record, Payment) else record.total) != row.amount
        or record.unapplied != row.unapplied
        or record.state != row.state
        or record.customer_id != row.customer_id
    )


def _keep_allocations(
    work: Work,
    connection_id: int,
    source: Resource,
    fresh: Sequence[Payment | CreditNote],
    known: dict[str, Any],
    stored: Stored,
) -> None:
    rewritten = [record.remote_id for record in fresh if record.remote_id in known]
    stored.arrived[source] += len(fresh) - len(rewritten)
    stored.allocated |= _allocated_by(work, connection_id, source, rewritten)
    _ALLOCATIONS_OF(work, [(connection_id, source.value, remote_id) for remote_id in rewritten])
    as_ = adapted(work)
    rows: list[Row] = []
    for record in fresh:
        parts: tuple[Allocation, ...] = record.allocations
        for place, part in enumerate(parts):
            day = as_.day(part.allocated_on)
            rows.append(
                (connection_id, source.value, record.remote_id, place, part.invoice_id, to_units(part.amount), day)
            )
            stored.allocated.add(part.invoice_id)
        for customer_id in (record.customer_id, getattr(known.get(record.remote_id), "customer_id", None)):
            if customer_id is not None:
                stored.customers.add(customer_id)
    _ALLOCATION(work, rows)
    stored.written += len(fresh)


def _allocated_by(work: Work, connection_id: int, source: Resource, source_ids: Collection[str]) -> set[str]:
    a = t.allocations.c
    if not source_ids:
        return set()
    query = select(a.invoice_id).where(
        a.connection_id == connection_id, a.source == source.value, among(work, a.source_id, source_ids)
    )
    return set(work.execute(query).scalars())


def put_on(work: Work, connection_id: int, invoice_ids: Collection[str]) -> dict[Resource, set[str]]:
    """The payments and credit notes that the cache knows to be put on these invoices."""
    if not invoice_ids:
        return {}
    a = t.allocations.c
    query = select(a.source, a.source_id).where(
        a.connection_id == connection_id, among(work, a.invoice_id, invoice_ids)
    )
    found: dict[Resource, set[str]] = {}
    for row in work.execute(query):
        found.setdefault(Resource(row.source), set()).add(row.source_id)
    return found


_GONE: Final[dict[Resource, tuple[Table, dict[str, Any]]]] = {
    Resource.CUSTOMERS: (t.customers, {"state": CustomerState.DELETED.value}),
    Resource.INVOICES: (t.invoices, {"state": InvoiceState.DELETED.value, "balance": Decimal(0)}),
    Resource.PAYMENTS: (t.payments, {"state": CreditState.DELETED.value, "unapplied": Decimal(0)}),
    Resource.CREDIT_NOTES: (t.credit_notes, {"state": CreditState.DELETED.value, "unapplied": Decimal(0)}),
}


def _bury(work: Work, connection_id: int, latest: dict[str, Deleted], stored: Stored) -> None:
    for remote_id, record in latest.items():
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
            if customer_id is not None:
                stored.customers.add(customer_id)
        if record.resource is Resource.INVOICES:
            stored.invoices.add(remote_id)
            stored.reopened.add(remote_id)  # the money on it is free again
        if record.resource in (Resource.PAYMENTS, Resource.CREDIT_NOTES):
            stored.allocated |= _allocated_by(work, connection_id, record.resource, [remote_id])
            _ALLOCATIONS_OF(work, [(connection_id, record.resource.value, remote_id)])


_KEEPERS: Final[dict[type[Any], Callable[[Work, int, dict[str, Any], Stored], None]]] = {
    Customer: _keep_customers,
    Invoice: _keep_invoices,
    Payment: _keep_payments,
    CreditNote: _keep_credit_notes,
    Deleted: _bury,
}


# --- quarantine ---------------------------------------------------------------------------------------------------


def _quarantine(work: Work, connection_id: int, broken: Sequence[Broken], now: datetime) -> None:
    q = t.quarantine.c
    for record in broken:
        remote_id, customer_id = _name_of(record), record.customer_id
        if customer_id is not None and not _is_storable(customer_id):
            customer_id = None  # whose it is cannot be told: it concerns everybody
        reason, raw = _clean(record.reason), _clean(record.raw)
        known = (q.connection_id == connection_id, q.resource == record.resource.value, q.remote_id == remote_id)
        found = work.execute(
            update(t.quarantine).where(*known).values(reason=reason, raw=raw, customer_id=customer_id, last_at=now)
        )
        if not found.rowcount:
            work.execute(
                insert(t.quarantine).values(
                    connection_id=connection_id,
                    resource=record.resource.value,
                    remote_id=remote_id,
                    customer_id=customer_id,
                    reason=reason,
                    raw=raw,
                    first_at=now,
                    last_at=now,
                )
            )


def _clean(raw: str) -> str:
    return raw.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\u0000")[:20_000]


def _is_storable(remote_id: str) -> bool:
    return len(remote_id) <= _ID_LENGTH and _clean(remote_id) == remote_id


def _name_of(record: Broken) -> str:
    """The record's id, or a hash where it has none that could be kept."""
    if record.remote_id and _is_storable(record.remote_id):
        return record.remote_id
    text = record.remote_id or record.raw
    return _UNNAMED + hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:40]


def forget_unnamed(work: Work, connection_id: int) -> None:
    """Releases what has no id, right before everything is read again: if it is still broken it comes back."""
    q = t.quarantine.c
    work.execute(
        delete(t.quarantine).where(q.connection_id == connection_id, q.remote_id.startswith(_UNNAMED, autoescape=True))
    )


def _release(work: Work, connection_id: int, records: Iterable[Record], broken: Iterable[Broken]) -> None:
    """What could be read after all leaves quarantine."""
    q = t.quarantine.c
    query = select(q.resource, q.remote_id).where(q.connection_id == connection_id)
    jailed = {(row.resource, row.remote_id) for row in work.execute(query)}
    if not jailed:
        return
    still = {(record.resource.value, record.remote_id) for record in broken}
    for record in records:
        name = (resource_of(record).value, record.remote_id)
        if name in jailed and name not in still:
            work.execute(
                delete(t.quarantine).where(
                    q.connection_id == connection_id, q.resource == name[0], q.remote_id == name[1]
                )
            )


# --- who pays for whom ----------------------------------------------------------------------------------------------


def resolve_payers(work: Work, connection_id: int) -> set[str]:
    """Follows merges and parents to their end; returns the customers whose payer changed."""
    c = t.customers.c
    query = select(c.remote_id, c.parent_id, c.merged_into, c.payer_id).where(c.connection_id == connection_id)
    rows = work.execute(query).all()
    above = {row.remote_id: row.merged_into or row.parent_id for row in rows}
    changed: set[str] = set()
    for row in rows:
        payer = _root(row.remote_id, above)
        if payer != row.payer_id:
            changed |= {row.remote_id, row.payer_id, payer}
            work.execute(
                update(t.customers)
                .where(c.connection_id == connection_id, c.remote_id == row.remote_id)
                .values(payer_id=payer)
            )
    return changed


def _root(customer_id: str, above: dict[str, str | None]) -> str:
    path = [customer_id]
    while (up := above.get(path[-1])) and up in above:
        if up in path:
            return min(path[path.index(up) :])  # a circle: its members agree on one of them
        path.append(up)
    return path[-1]


def _known(work: Work, connection_id: int, table: Table, ids: Collection[str], *columns: Any) -> dict[str, Any]:
    c = table.c
    query = select(c.remote_id, *columns).where(c.connection_id == connection_id, among(work, c.remote_id, ids))
    return {row.remote_id: row for row in work.execute(query)}
