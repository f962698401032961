"""Invoices and their lines in the cache."""

from __future__ import annotations

from typing import Any, Final

from arsync.connector import Resource
from arsync.domain.documents import Invoice, InvoiceState
from arsync.domain.money import to_units
from arsync.store import tables as t
from arsync.store.bulk import Adapted, DeleteWhere, Insert, Row, Upsert, adapted
from arsync.store.engine import Work
from arsync.store.newest import Known, is_buried, is_older, unchanged
from arsync.store.stored import Stored

_INVOICE: Final = Upsert(t.invoices)
_LINE: Final = Insert(t.invoice_lines)
_LINES_OF: Final = DeleteWhere(t.invoice_lines, "connection_id", "invoice_id")
_I: Final = t.invoices.c
_KNOWN: Final = Known(
    t.invoices,
    _I.updated_at, _I.version, _I.balance, _I.total, _I.state, _I.due_on, _I.customer_id, _I.number, _I.currency,
    _I.expected_on, _I.sent,
)  # fmt: skip


def keep(work: Work, connection_id: int, latest: dict[str, Invoice], stored: Stored, *, new: bool = False) -> None:
    """Writes those invoices that are news, with their lines; IntegrityError where one of those that are told to be
    `new` is there."""
    there = {} if new else _KNOWN(work, connection_id, latest)
    as_ = adapted(work)
    rows: list[Row] = []
    lines: list[Row] = []
    rewritten: list[Row] = []
    concerned: dict[str, set[str]] = {}
    stored.invoices |= latest.keys()
    for remote_id, invoice in latest.items():
        row = there.get(remote_id)
        if row is not None:
            if is_older(invoice, row) or is_buried(invoice, row) or _says_the_same(row, invoice):
                continue
            rewritten.append((connection_id, remote_id))
            if invoice.balance > row.balance or (invoice.state != row.state and invoice.state in _ENDED):
                stored.reopened.add(remote_id)
            if row.state == InvoiceState.OPEN and invoice.state is not InvoiceState.OPEN:
                stored.closed.add(remote_id)
            elif row.state == InvoiceState.PAID and invoice.state is InvoiceState.OPEN:
                stored.revived.add(remote_id)
            concerned[remote_id] = {row.customer_id, invoice.customer_id}
            if row.customer_id != invoice.customer_id:
                stored.rebilled[remote_id] = row.customer_id
        else:
            stored.customers.add(invoice.customer_id)
        rows.append(_invoice_row(connection_id, invoice, as_))
        for place, line in enumerate(invoice.lines):
            quantity = None if line.quantity is None else str(line.quantity)
            lines.append((connection_id, remote_id, place, line.description, quantity, to_units(line.amount)))
    stored.arrived[Resource.INVOICES] += len(rows) - len(rewritten)
    known_ones = {remote_id for _, remote_id in rewritten}
    old_rows = [row for row in rows if row[1] in known_ones]
    same = unchanged(work, connection_id, t.invoices, old_rows, t.invoice_lines, lines)
    stored.customers.update(*(names for remote_id, names in concerned.items() if remote_id not in same))
    (_INVOICE.new if new else _INVOICE)(work, rows)
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
        str(invoice.state),
        invoice.currency,
        to_units(invoice.total),
        to_units(invoice.balance),
        as_.day(invoice.issued_on),
        as_.day(invoice.due_on),
        invoice.reference,
        invoice.email,
        as_.instant(invoice.updated_at),
        invoice.version,
        invoice.purchase_order,
        invoice.terms,
        ", ".join(invoice.copies) if invoice.copies else None,
        None if invoice.exchange_rate is None else str(invoice.exchange_rate),
        as_.day(invoice.expected_on),
        invoice.sent,
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
        and row.expected_on == invoice.expected_on
        and row.sent == invoice.sent
    )
