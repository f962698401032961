"""How payers pay, from the cache: two queries, however many they are, and one payer in memory at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import BigInteger, Select, and_, func, or_, select, type_coerce

from arsync.connector import Resource
from arsync.domain.behaviour import LOOKED_BACK, Behaviour, Debt, Rating, Receipt, behaviour, worst
from arsync.domain.documents import CreditState, InvoiceState
from arsync.domain.money import from_units
from arsync.domain.states import HoldKind, HoldState
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.payers import paid_for_by
from arsync.store.receipts import money_part

#: So many rows come from the database at a time.
_PAGE: Final = 5000
_NOTHING: Final = Decimal("0.00")


def every(work: Work, connection_id: int, as_of: date) -> Iterator[tuple[str, tuple[Behaviour, ...]]]:
    """Each payer of the connection with an invoice of the last years, and how it pays in each of its currencies; in
    the order of the payers' ids, read as it is asked for."""
    disputed = _disputed(work, connection_id, as_of)
    rows = work.execute(_history(connection_id, as_of).execution_options(yield_per=_PAGE))
    for payer_id, of_payer in groupby(rows, key=attrgetter("payer")):
        yield payer_id, _behaviours(payer_id, of_payer, disputed, as_of)


def ratings(work: Work, connection_id: int, as_of: date) -> Mapping[str, Rating]:
    """Payer id -> rating, the worst of its currencies; a payer who is not in it is `new`.

    It reads the whole history of the connection: for whoever needs many at once, and only where one is needed.
    """
    return {payer_id: worst(found) for payer_id, found in every(work, connection_id, as_of)}


def of_payer(work: Work, connection_id: int, payer_id: str, as_of: date) -> tuple[Behaviour, ...]:
    """How one payer pays, in each of its currencies; empty where it has no invoice of the last years."""
    theirs = t.invoices.c.customer_id.in_(paid_for_by(connection_id, payer_id))
    query = _history(connection_id, as_of).where(theirs)
    # A customer may be known to pay for another, and still be the one that an invoice names.
    rows = [row for row in work.execute(query) if row.payer == payer_id]
    return _behaviours(payer_id, rows, _disputed(work, connection_id, as_of), as_of)


def _history(connection_id: int, as_of: date) -> Select[*tuple[Any, ...]]:
    """A row for each part of a payment that counts, and one for an invoice without any; a payer's rows together."""
    i, c, a, p = t.invoices.c, t.customers.c, t.allocations.c, t.payments.c
    joined = (
        t.invoices.outerjoin(t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
        .outerjoin(
            t.allocations,
            and_(
                a.connection_id == i.connection_id,
                a.invoice_id == i.remote_id,
                a.source == Resource.PAYMENTS.value,
            ),
        )
        .outerjoin(
            t.payments,
            and_(
                p.connection_id == a.connection_id,
                p.remote_id == a.source_id,
                p.state == CreditState.ACTIVE.value,
            ),
        )
    )
    payer = func.coalesce(c.payer_id, i.customer_id).label("payer")
    return (
        select(
            payer, i.remote_id.label("invoice"), i.currency, i.issued_on, i.due_on,
            type_coerce(i.balance, BigInteger).label("balance"), p.remote_id.label("payment"), p.received_on,
            type_coerce(a.amount, BigInteger).label("put"), type_coerce(p.amount, BigInteger).label("money"),
            type_coerce(p.unapplied, BigInteger).label("unapplied"),
        )
        .select_from(joined)
        .where(
            i.connection_id == connection_id,
            i.state.in_((InvoiceState.OPEN.value, InvoiceState.PAID.value)),
            i.due_on.is_not(None),
            # A paid invoice of long ago is not worth reading; an open one still counts.
            or_(i.issued_on >= as_of - 2 * LOOKED_BACK, i.balance > 0),
        )
        .order_by(payer, i.remote_id)
    )  # fmt: skip


def _disputed(work: Work, connection_id: int, as_of: date) -> frozenset[tuple[str | None, str | None]]:
    """What is disputed, as (payer id, None) or (None, invoice id)."""
    h = t.holds.c
    query = select(h.payer_id, h.invoice_id).where(
        h.connection_id == connection_id,
        h.kind == HoldKind.DISPUTE.value,
        h.state == HoldState.ACTIVE.value,
        or_(h.until.is_(None), h.until >= as_of),
    )
    return frozenset(
        (None, row.invoice_id) if row.invoice_id is not None else (row.payer_id, None) for row in work.execute(query)
    )


def _behaviours(
    payer_id: str, rows: Iterable[Any], disputed: frozenset[tuple[str | None, str | None]], as_of: date
) -> tuple[Behaviour, ...]:
    known = list(rows)
    wholly = (payer_id, None) in disputed
    put: Counter[str] = Counter()
    for row in known:
        if row.payment is not None:
            put[row.payment] += row.put
    debts: dict[str, list[Debt]] = defaultdict(list)
    for invoice_id, group in groupby(known, key=attrgetter("invoice")):
        of_invoice = list(group)
        first = of_invoice[0]
        debts[first.currency].append(
            Debt(
                issued_on=first.issued_on,
                due_on=first.due_on,
                balance=from_units(first.balance) if first.balance else _NOTHING,
                receipts=tuple(_receipt(row, put) for row in of_invoice if row.payment is not None),
                disputed=wholly or (None, invoice_id) in disputed,
            )
        )
    return tuple(behaviour(those, currency, as_of) for currency, those in sorted(debts.items()))


def _receipt(row: Any, put: Mapping[str, int]) -> Receipt:
    money = max(row.money - row.unapplied, 0)
    return Receipt(row.received_on, from_units(money_part(row.put, everywhere=put[row.payment], money=money)))
