"""Where customers stand: what each payer owes, how much of it is late, and what lies on account; of several companies
in as many queries as of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import and_, case, func, or_, select

from arsync.domain.documents import CreditState, InvoiceState
from arsync.domain.money import from_units
from arsync.store import tables as t
from arsync.store.aged import halves, whole
from arsync.store.bulk import among_ids
from arsync.store.engine import Work
from arsync.store.types import units

_NOTHING: Final = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Standing:
    """What one payer owes one company in one currency, as the cache has it."""

    connection_id: int
    payer_id: str
    name: str
    currency: str
    open: Decimal
    overdue: Decimal
    invoices: int  # open ones
    oldest: date | None  # the earliest day that is past due
    on_account: Decimal  # money and credit on no invoice


def standings(work: Work, companies: Collection[int], today: date) -> list[Standing]:
    """Every payer of these companies who owes anything or has anything on account; due before `today` is overdue."""
    loose = _loose(work, companies)
    i, c, p = t.invoices.c, t.customers.c, t.customers.alias("payers")
    payer_id = func.coalesce(c.payer_id, i.customer_id)
    late = i.due_on < today
    above, below = halves(units(i.balance))
    late_above, late_below = halves(case((late, units(i.balance)), else_=0))
    query = (
        select(
            i.connection_id, payer_id, func.min(p.c.name), i.currency, above, below, late_above, late_below,
            func.count(), func.min(i.due_on).filter(late),
        )
        .select_from(
            t.invoices.outerjoin(t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
            .outerjoin(p, and_(p.c.connection_id == i.connection_id, p.c.remote_id == c.payer_id))
        )
        .where(among_ids(work, i.connection_id, companies), i.state == InvoiceState.OPEN.value, i.balance > 0)
        .group_by(i.connection_id, payer_id, i.currency)
    )  # fmt: skip
    found = []
    for company, payer, name, currency, high, low, late_high, late_low, count, oldest in work.execute(query):
        lying = loose.pop((company, payer, currency), None)
        found.append(
            Standing(
                company, payer, name or payer, currency, whole(high, low),
                whole(late_high, late_low) if oldest is not None else _NOTHING, count, oldest,
                lying[1] if lying else _NOTHING,
            )
        )  # fmt: skip
    found += [
        Standing(company, payer, name, currency, _NOTHING, _NOTHING, 0, None, amount)
        for (company, payer, currency), (name, amount) in loose.items()
    ]
    return found


@dataclass(frozen=True, slots=True)
class Named:
    """A customer found by words of its name."""

    connection_id: int
    customer_id: str
    name: str
    payer_id: str


def named_like(work: Work, companies: Collection[int], wanted: str, *, most: int) -> list[Named]:
    """Customers of these companies in whose name every word occurs, in any case, or whose id it is; by name."""
    c = t.customers.c
    words = [func.lower(c.name).contains(word, autoescape=True) for word in wanted.lower().split()]
    if not words:
        return []
    query = (
        select(c.connection_id, c.remote_id, c.name, c.payer_id)
        .where(among_ids(work, c.connection_id, companies), or_(and_(*words), c.remote_id == wanted))
        .order_by(c.name, c.connection_id, c.remote_id)
        .limit(most)
    )
    return [Named(*row) for row in work.execute(query)]


def _loose(work: Work, companies: Collection[int]) -> dict[tuple[int, str, str], tuple[str, Decimal]]:
    """Money and credit on no invoice, of payers that are known."""
    c, p = t.customers.c, t.customers.alias("payers")
    sums: defaultdict[tuple[int, str, str], int] = defaultdict(int)
    names: dict[tuple[int, str, str], str] = {}
    for table in (t.payments, t.credit_notes):
        x: Any = table.c
        query = (
            select(x.connection_id, c.payer_id, func.min(p.c.name), x.currency, func.sum(units(x.unapplied)))
            .select_from(
                table.join(t.customers, and_(c.connection_id == x.connection_id, c.remote_id == x.customer_id))
                .outerjoin(p, and_(p.c.connection_id == x.connection_id, p.c.remote_id == c.payer_id))
            )
            .where(
                among_ids(work, x.connection_id, companies), x.state == CreditState.ACTIVE.value, x.unapplied != 0
            )
            .group_by(x.connection_id, c.payer_id, x.currency)
        )  # fmt: skip
        for company, payer, name, currency, amount in work.execute(query):
            sums[company, payer, currency] += int(amount)
            names[company, payer, currency] = name or payer
    return {key: (names[key], from_units(amount)) for key, amount in sums.items() if amount}
