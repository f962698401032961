"""The source's own figure for what a customer owes, held against the items that the cache knows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import ColumnElement, Table, and_, select

from arsync.domain.documents import CreditState, CustomerState, InvoiceState
from arsync.store import tables as t
from arsync.store.engine import Work

_TRADED = (CustomerState.ACTIVE.value, CustomerState.ARCHIVED.value)


@dataclass(frozen=True, slots=True)
class Account:
    """One payer with all for whom it pays. `told` is the source's figure, None where it is not known of each of them;
    `net` the open invoices less what is not put on any, currencies added unconverted as sources do."""

    payer_id: str
    told: Decimal | None
    net: Decimal
    currencies: tuple[str, ...]

    @property
    def falls_short(self) -> bool:
        """The source says that less is owed than the items add up to."""
        return self.told is not None and self.told < self.net


def accounts(work: Work, connection_id: int, payer_id: str | None = None) -> dict[str, Account]:
    """Every payer with something open, or only this one."""
    c, i = t.customers.c, t.invoices.c
    net: dict[str, Decimal] = defaultdict(Decimal)
    currencies: dict[str, set[str]] = defaultdict(set)
    owed = (
        select(c.payer_id, i.currency, i.balance)
        .select_from(t.invoices.join(t.customers, _of(t.invoices)))
        .where(i.connection_id == connection_id, i.state == InvoiceState.OPEN.value, i.balance > 0)
    )
    for payer, currency, amount in work.execute(owed if payer_id is None else owed.where(c.payer_id == payer_id)):
        net[payer] += amount
        currencies[payer].add(currency)
    if not net:
        return {}
    for table in (t.payments, t.credit_notes):
        x = table.c
        free = (
            select(c.payer_id, x.currency, x.unapplied)
            .select_from(table.join(t.customers, _of(table)))
            .where(x.connection_id == connection_id, x.state == CreditState.ACTIVE.value, x.unapplied != 0)
        )
        for payer, currency, amount in work.execute(free if payer_id is None else free.where(c.payer_id == payer_id)):
            if payer in net:
                net[payer] -= amount
                currencies[payer].add(currency)
    told = _told(work, connection_id, payer_id)
    return {
        payer: Account(payer, told.get(payer), amount, tuple(sorted(currencies[payer])))
        for payer, amount in net.items()
    }


def _told(work: Work, connection_id: int, payer_id: str | None) -> dict[str, Decimal | None]:
    """The figures of a payer and of those it pays for, added up; None where one of them is not known."""
    c = t.customers.c
    query = select(c.payer_id, c.balance).where(c.connection_id == connection_id, c.state.in_(_TRADED))
    found: dict[str, Decimal | None] = {}
    for payer, balance in work.execute(query if payer_id is None else query.where(c.payer_id == payer_id)):
        sum_so_far = found.get(payer, Decimal(0))
        found[payer] = None if balance is None or sum_so_far is None else sum_so_far + balance
    return found


def _of(table: Table) -> ColumnElement[bool]:
    x, c = table.c, t.customers.c
    return and_(c.connection_id == x.connection_id, c.remote_id == x.customer_id)
