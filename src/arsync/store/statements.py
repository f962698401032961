"""The open items of one payer, as a statement lists them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from sqlalchemy import and_, select

from arsync.domain.documents import CreditState, InvoiceState
from arsync.domain.money import Money
from arsync.domain.statement import Entry, EntryKind, Statement, statements
from arsync.store import finding
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.payers import paid_for_by

_CREDITS: Final = ((t.payments, EntryKind.PAYMENT), (t.credit_notes, EntryKind.CREDIT_NOTE))


def of_payer(work: Work, connection_id: int, payer_id: str, *, on: date) -> tuple[Statement, ...]:
    """What is open with the payer and with all for whom it pays, by currency, aged on that day."""
    name = finding.customer_name(work, connection_id, payer_id)
    entries = [*_invoices(work, connection_id, payer_id), *_credits(work, connection_id, payer_id)]
    return statements(payer_id, name, entries, on)


def _invoices(work: Work, connection_id: int, payer_id: str) -> Iterator[Entry]:
    i, c = t.invoices.c, t.customers.c
    billed = and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id)
    query = select(
        i.remote_id, i.number, i.issued_on, i.due_on, i.customer_id, c.name, i.reference, i.purchase_order, i.currency,
        i.total, i.balance,
    ).select_from(t.invoices.outerjoin(t.customers, billed))  # fmt: skip
    owed = query.where(
        i.connection_id == connection_id, i.state == InvoiceState.OPEN.value, i.balance > 0,
        i.customer_id.in_(paid_for_by(connection_id, payer_id)),
    )  # fmt: skip
    for row in work.execute(owed):
        yield Entry(
            kind=EntryKind.INVOICE,
            remote_id=row.remote_id,
            number=row.number,
            on=row.issued_on,
            due_on=row.due_on,
            customer_name=row.name or row.customer_id,
            reference=row.reference or row.purchase_order,
            total=Money(row.total, row.currency),
            open=Money(row.balance, row.currency),
        )


def _credits(work: Work, connection_id: int, payer_id: str) -> Iterator[Entry]:
    c = t.customers.c
    for table, kind in _CREDITS:
        x = table.c
        paid = kind is EntryKind.PAYMENT
        number, on, amount = (x.reference, x.received_on, x.amount) if paid else (x.number, x.issued_on, x.total)
        billed = and_(c.connection_id == x.connection_id, c.remote_id == x.customer_id)
        query = (
            select(
                x.remote_id, number.label("number"), on.label("on"), c.name, x.currency, amount.label("amount"),
                x.unapplied,
            )
            .select_from(table.join(t.customers, billed))
            .where(x.connection_id == connection_id, x.state == CreditState.ACTIVE.value, x.unapplied != 0)
        )  # fmt: skip
        for row in work.execute(query.where(c.payer_id == payer_id)):
            yield Entry(
                kind=kind,
                remote_id=row.remote_id,
                number=row.number,
                on=row.on,
                due_on=None,
                customer_name=row.name,
                reference=None,
                total=Money(-row.amount, row.currency),
                open=Money(-row.unapplied, row.currency),
            )
