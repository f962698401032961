"""Where an invoice's open balance is not its total less the money known to be put on it.

The source's balance rules, whatever this says: a journal entry, a write-off, a tax kept back lower a balance without a
payment. An invoice of before the pulled history is left out, for the money on it may be older than what was pulled.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import and_, select

from arsync.domain.documents import InvoiceState
from arsync.store import tables as t
from arsync.store.engine import Work


@dataclass(frozen=True, slots=True)
class Drift:
    """One open invoice: `total` less `allocated` is not `balance`."""

    invoice_id: str
    number: str
    customer_id: str
    currency: str
    total: Decimal
    allocated: Decimal
    balance: Decimal

    @property
    def difference(self) -> Decimal:
        """What the source took off without a payment or credit that we know; negative where it took off less."""
        return self.total - self.allocated - self.balance

    def __str__(self) -> str:
        less = "less" if self.difference > 0 else "more"
        return (
            f"{self.number}: {self.balance} {self.currency} open in the source, {abs(self.difference)} {less} than "
            f"{self.total} less the {self.allocated} known to be put on it; the source's balance rules"
        )


def drifting(work: Work, connection_id: int, invoice_id: str | None = None) -> list[Drift]:
    """The open invoices of the pulled history that drift, or that one if it does; by number."""
    i, a, u = t.invoices.c, t.allocations.c, t.cursors.c
    first_day = work.execute(
        select(u.position).where(u.connection_id == connection_id, u.pull == "history")
    ).scalar_one_or_none()
    mine = [i.connection_id == connection_id, i.state == InvoiceState.OPEN.value]
    if invoice_id is not None:
        mine.append(i.remote_id == invoice_id)
    if first_day is not None:
        mine.append(i.issued_on >= date.fromisoformat(first_day))
    put: dict[str, Decimal] = defaultdict(Decimal)
    joined = t.allocations.join(t.invoices, and_(i.connection_id == a.connection_id, i.remote_id == a.invoice_id))
    for named, amount in work.execute(select(a.invoice_id, a.amount).select_from(joined).where(*mine)):
        put[named] += amount
    query = select(i.remote_id, i.number, i.customer_id, i.currency, i.total, i.balance).where(*mine)
    found = [
        Drift(row.remote_id, row.number, row.customer_id, row.currency, row.total, put[row.remote_id], row.balance)
        for row in work.execute(query.order_by(i.number, i.remote_id))
    ]
    return [one for one in found if one.difference]
