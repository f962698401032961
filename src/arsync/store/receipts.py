"""Money that came, laid beside the invoices it was put on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import and_, func, select

from arsync.domain.documents import CreditState, InvoiceState
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.types import units


@dataclass(frozen=True, slots=True)
class Receipt:
    """The part of one payment that was put on one invoice, as far as it was money; in ten-thousandths."""

    payer_id: str
    invoice_id: str
    currency: str
    units: int
    received_on: date
    issued_on: date
    due_on: date | None

    @property
    def paid_on(self) -> date:
        """The day it was received, and the invoice's own where it came before that."""
        return max(self.received_on, self.issued_on)


def between(work: Work, connection_id: int, first: date, last: date) -> Iterator[Receipt]:
    """What was received on these days, both included, and lies on an invoice; one query."""
    a, i, c, p = t.allocations.c, t.invoices.c, t.customers.c, t.payments.c
    joined = (
        t.allocations.join(t.payments, and_(p.connection_id == a.connection_id, p.remote_id == a.source_id))
        .join(t.invoices, and_(i.connection_id == a.connection_id, i.remote_id == a.invoice_id))
        .outerjoin(t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
    )
    query = (
        select(
            func.coalesce(c.payer_id, i.customer_id), i.remote_id, i.currency, a.source_id, units(a.amount),
            units(p.amount), units(p.unapplied), p.received_on, i.issued_on, i.due_on,
        )
        .select_from(joined)
        .where(
            a.connection_id == connection_id, a.source == t.payments.name, p.state == CreditState.ACTIVE.value,
            p.received_on.between(first, last), i.state.in_((InvoiceState.OPEN.value, InvoiceState.PAID.value)),
        )
    )  # fmt: skip
    rows = list(work.execute(query))
    put: Counter[str] = Counter()
    for _, _, _, source_id, amount, *_ in rows:
        put[source_id] += amount
    for payer, invoice, currency, source_id, amount, came, unapplied, received_on, issued_on, due_on in rows:
        part = money_part(amount, everywhere=put[source_id], money=max(came - unapplied, 0))
        if part:
            yield Receipt(payer, invoice, currency, part, received_on, issued_on, due_on)


def money_part(part: int, *, everywhere: int, money: int) -> int:
    """How much of a payment's part is money: where credit was used along with it, a source may tell both as one."""
    return part if everywhere <= money else part * money // everywhere
