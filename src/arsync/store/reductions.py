"""What reduces what is owed: payments, credit notes, and what was put on which invoice, in the cache."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, func, select

from arsync.connector import Resource
from arsync.domain.documents import Allocation, CreditNote, Payment
from arsync.domain.money import to_units
from arsync.store import tables as t
from arsync.store.bulk import DeleteWhere, Insert, Row, Upsert, adapted, among, among_those, those
from arsync.store.engine import Work
from arsync.store.newest import Known, is_buried, is_older
from arsync.store.prepared import Prepared
from arsync.store.stored import Stored

_PAYMENT: Final = Upsert(t.payments)
_CREDIT_NOTE: Final = Upsert(t.credit_notes)
_ALLOCATION: Final = Insert(t.allocations)
_ALLOCATIONS_OF: Final = DeleteWhere(t.allocations, "connection_id", "source", "source_id")


def _known(table: Table, amount: ColumnElement[Any]) -> Known:
    c = table.c
    return Known(table, amount.label("amount"), c.updated_at, c.version, c.unapplied, c.state, c.customer_id)


_PAYMENTS_KNOWN: Final = _known(t.payments, t.payments.c.amount)
_NOTES_KNOWN: Final = _known(t.credit_notes, t.credit_notes.c.total)


def keep_payments(
    work: Work, connection_id: int, latest: dict[str, Payment], stored: Stored, *, new: bool = False
) -> None:
    """Writes those payments that are news, with their allocations; IntegrityError where one of those that are told to
    be `new` is there."""
    there = {} if new else _PAYMENTS_KNOWN(work, connection_id, latest)
    fresh = [record for record in latest.values() if _is_news(there.get(record.remote_id), record)]
    as_ = adapted(work)
    (_PAYMENT.new if new else _PAYMENT)(
        work,
        [
            (
                connection_id,
                payment.remote_id,
                str(payment.kind),
                payment.customer_id,
                str(payment.state),
                payment.currency,
                to_units(payment.amount),
                to_units(payment.unapplied),
                as_.day(payment.received_on),
                payment.reference,
                as_.instant(payment.updated_at),
                payment.version,
                None if payment.exchange_rate is None else str(payment.exchange_rate),
            )
            for payment in fresh
        ],
    )
    _keep_allocations(work, connection_id, Resource.PAYMENTS, fresh, there, stored)


def keep_credit_notes(
    work: Work, connection_id: int, latest: dict[str, CreditNote], stored: Stored, *, new: bool = False
) -> None:
    """As `keep_payments`, of credit notes."""
    there = {} if new else _NOTES_KNOWN(work, connection_id, latest)
    fresh = [record for record in latest.values() if _is_news(there.get(record.remote_id), record)]
    as_ = adapted(work)
    (_CREDIT_NOTE.new if new else _CREDIT_NOTE)(
        work,
        [
            (
                connection_id,
                note.remote_id,
                note.number,
                note.customer_id,
                str(note.state),
                note.currency,
                to_units(note.total),
                to_units(note.unapplied),
                as_.day(note.issued_on),
                as_.instant(note.updated_at),
                note.version,
                None if note.exchange_rate is None else str(note.exchange_rate),
            )
            for note in fresh
        ],
    )
    _keep_allocations(work, connection_id, Resource.CREDIT_NOTES, fresh, there, stored)


def _is_news(row: Any, record: Payment | CreditNote) -> bool:
    if row is None:
        return True
    if is_older(record, row) or is_buried(record, row):
        return False
    return bool(
        is_older(row, record)
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
    there: dict[str, Any],
    stored: Stored,
) -> None:
    rewritten = [record.remote_id for record in fresh if record.remote_id in there]
    stored.arrived[source] += len(fresh) - len(rewritten)
    stored.allocated |= allocated_by(work, connection_id, source, rewritten)
    _ALLOCATIONS_OF(work, [(connection_id, source.value, remote_id) for remote_id in rewritten])
    as_ = adapted(work)
    name = source.value
    rows: list[Row] = []
    for record in fresh:
        parts: tuple[Allocation, ...] = record.allocations
        for place, part in enumerate(parts):
            day = as_.day(part.allocated_on)
            rows.append((connection_id, name, record.remote_id, place, part.invoice_id, to_units(part.amount), day))
            stored.allocated.add(part.invoice_id)
        if record.customer_id is not None:
            stored.customers.add(record.customer_id)
        known_as = there.get(record.remote_id)
        if known_as is not None and known_as.customer_id is not None:
            stored.customers.add(known_as.customer_id)
    _ALLOCATION(work, rows)
    stored.written += len(fresh)


def allocated_by(work: Work, connection_id: int, source: Resource, source_ids: Collection[str]) -> set[str]:
    """The invoices that these payments or credit notes are known to be put on."""
    a = t.allocations.c
    if not source_ids:
        return set()
    query = select(a.invoice_id).where(
        a.connection_id == connection_id, a.source == source.value, among(work, a.source_id, source_ids)
    )
    return set(work.execute(query).scalars())


def forget_allocations(work: Work, connection_id: int, source: Resource, source_id: str) -> None:
    """That payment or credit note is on no invoice any more."""
    _ALLOCATIONS_OF(work, [(connection_id, source.value, source_id)])


def unapplied(work: Work, connection_id: int, customer_ids: Collection[str] | None = None) -> dict[Resource, set[str]]:
    """The payments and credit notes (of these customers) that are not wholly put on invoices."""
    found: dict[Resource, set[str]] = {}
    for resource, table in ((Resource.PAYMENTS, t.payments), (Resource.CREDIT_NOTES, t.credit_notes)):
        c = table.c
        query = select(c.remote_id).where(c.connection_id == connection_id, c.unapplied != 0)
        if customer_ids is not None:
            query = query.where(among(work, c.customer_id, customer_ids))
        found[resource] = set(work.execute(query).scalars())
    return found


def _more_than_owed(dialect: str) -> Select[*tuple[Any, ...]]:
    a, i = t.allocations.c, t.invoices.c
    joined = t.allocations.join(t.invoices, and_(i.connection_id == a.connection_id, i.remote_id == a.invoice_id))
    return (
        select(a.invoice_id)
        .select_from(joined)
        .where(a.connection_id == bindparam("of"), among_those(dialect, a.invoice_id))
        .group_by(a.invoice_id, i.total, i.balance)
        .having(func.sum(a.amount) > i.total - i.balance)
    )


_OVERPAID: Final = Prepared(_more_than_owed)


def overpaid(work: Work, connection_id: int, invoice_ids: Collection[str]) -> set[str]:
    """Those of the invoices on which more is put, as the cache knows, than their balance tells: some was taken back."""
    found = _OVERPAID(work, of=connection_id, those=those(work, invoice_ids)) if invoice_ids else []
    return {invoice_id for (invoice_id,) in found}


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
