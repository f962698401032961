"""What customers owed on a day, by age, from the cache: added up by the database, in a fixed number of queries.

From today's balances one goes back: whatever was put on an invoice after that day was still open on it. What the cache
cannot tell of the past, docs/reports.md says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Subquery,
    Table,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)

from arsync.domain.aging import EDGES, AgingBucket
from arsync.domain.documents import CreditState, InvoiceState
from arsync.domain.money import from_units
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work
from arsync.store.types import units

#: Sums are taken of the parts above and below, for a database's own sum of the largest amounts may overflow.
_SPLIT: Final = 1_000_000
_OWED: Final = (InvoiceState.OPEN.value, InvoiceState.PAID.value)
_NOTHING: Final = Decimal("0.00")
#: payer, customer, currency, amount
_Part = tuple[str | None, str | None, str, Decimal]


@dataclass(frozen=True, slots=True)
class Owed:
    """Open invoices of one customer in one currency and one column of the aging."""

    payer_id: str
    customer_id: str
    currency: str
    bucket: AgingBucket
    open: Decimal
    invoices: int
    oldest: date | None  # the earliest due date among them


@dataclass(frozen=True, slots=True)
class Lying:
    """Money and credit of one customer on no invoice; both ids None where the source names no customer."""

    payer_id: str | None
    customer_id: str | None
    currency: str
    amount: Decimal


def owed(work: Work, connection_id: int, on: date) -> list[Owed]:
    """The invoices that were open at the end of that day. Drafts, voids and what is dated later are left out."""
    one = open_invoices(connection_id, on)
    above, below = halves(one.c.open)
    query = select(
        one.c.payer_id, one.c.customer_id, one.c.currency, one.c.bucket, above, below, func.count(),
        func.min(one.c.due_on),
    ).group_by(one.c.payer_id, one.c.customer_id, one.c.currency, one.c.bucket)  # fmt: skip
    return [
        Owed(payer, customer, currency, AgingBucket(column), whole(high, low), count, oldest)
        for payer, customer, currency, column, high, low, count, oldest in work.execute(query)
    ]


def open_invoices(connection_id: int, on: date) -> Subquery:
    """A row for each invoice open on that day: payer_id, customer_id, invoice_id, currency, due_on, open, bucket."""
    i, c = t.invoices.c, t.customers.c
    later = _put_later(connection_id, on)
    billed = and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id)
    balance, total, back = units(i.balance), units(i.total), func.coalesce(later.c.amount, 0)
    # What no known payment or credit explains is taken for never owed.
    most = case((total > balance, total), else_=balance)
    still = case((balance + back > most, most), else_=balance + back)
    return (
        select(
            func.coalesce(c.payer_id, i.customer_id).label("payer_id"), i.customer_id, i.remote_id.label("invoice_id"),
            i.currency, i.due_on, still.label("open"), _column(on).label("bucket"),
        )
        .select_from(
            t.invoices.outerjoin(t.customers, billed).outerjoin(later, later.c.invoice_id == i.remote_id)
        )
        .where(i.connection_id == connection_id, i.state.in_(_OWED), i.issued_on <= on, still != 0)
        .subquery("open_then")
    )  # fmt: skip


def _column(on: date) -> ColumnElement[str]:
    """The column of the aging that an invoice stood in, as `domain.aging.bucket` has it."""
    due_on = t.invoices.c.due_on
    first, *late = EDGES
    return case(
        (or_(due_on.is_(None), due_on >= on), literal(first[0].value)),
        *((due_on >= on - timedelta(days=last), literal(name.value)) for name, last in late),
        else_=literal(AgingBucket.DAYS_90_PLUS.value),
    )


def _put_later(connection_id: int, on: date) -> Subquery:
    """What was put on each invoice after that day, by payments and credit notes that still count."""
    a = t.allocations.c
    parts = union_all(*(
        select(a.invoice_id, units(a.amount).label("amount"))
        .select_from(t.allocations.join(x, and_(x.c.connection_id == a.connection_id, x.c.remote_id == a.source_id)))
        .where(
            a.connection_id == connection_id, a.source == x.name, a.allocated_on > on,
            x.c.state == CreditState.ACTIVE.value,
        )
        for x in (t.payments, t.credit_notes)
    )).subquery("parts")  # fmt: skip
    return (
        select(parts.c.invoice_id, func.sum(parts.c.amount).label("amount"))
        .group_by(parts.c.invoice_id)
        .subquery("later")
    )


# --- money and credit on no invoice ---------------------------------------------------------------------------------


def lying(work: Work, connection_id: int, on: date) -> list[Lying]:
    """Money and credit that had come by that day and lay on no invoice at its end: also what was put on one later, or
    on one that was written later."""
    found: defaultdict[tuple[str | None, str | None, str], Decimal] = defaultdict(Decimal)
    for table, born in ((t.payments, t.payments.c.received_on), (t.credit_notes, t.credit_notes.c.issued_on)):
        for payer, customer, currency, amount in _loose(work, connection_id, table, born, on):
            found[payer, customer, currency] += amount
    for payer, customer, currency, amount in _used_later(work, connection_id, on):
        found[payer, customer, currency] += amount
    return [Lying(*key, amount) for key, amount in sorted(found.items(), key=str) if amount]


def _loose(work: Work, connection_id: int, table: Table, born: ColumnElement[date], on: date) -> Iterator[_Part]:
    """By what the records themselves say."""
    a, i, c, x = t.allocations.c, t.invoices.c, t.customers.c, table.c
    put = (
        select(a.source_id, func.sum(units(a.amount)).label("amount"))
        .select_from(
            t.allocations.join(table, and_(x.connection_id == a.connection_id, x.remote_id == a.source_id)).outerjoin(
                t.invoices, and_(i.connection_id == a.connection_id, i.remote_id == a.invoice_id)
            )
        )
        .where(
            a.connection_id == connection_id, a.source == table.name, x.state == CreditState.ACTIVE.value, born <= on,
            func.coalesce(i.currency, x.currency) == x.currency, or_(a.allocated_on > on, i.issued_on > on),
        )
        .group_by(a.source_id)
        .subquery("put")
    )  # fmt: skip
    left = units(x.unapplied) + func.coalesce(put.c.amount, 0)
    one = (
        select(
            func.coalesce(c.payer_id, x.customer_id).label("payer_id"), x.customer_id, x.currency, left.label("left")
        )
        .select_from(
            table.outerjoin(t.customers, and_(c.connection_id == x.connection_id, c.remote_id == x.customer_id))
            .outerjoin(put, put.c.source_id == x.remote_id)
        )
        .where(x.connection_id == connection_id, x.state == CreditState.ACTIVE.value, born <= on, left != 0)
        .subquery("loose")
    )  # fmt: skip
    return _summed(work, one, one.c.left)


def _used_later(work: Work, connection_id: int, on: date) -> Iterator[_Part]:
    """Where the source tells the use of a credit note in a payment alone, as a part of it that no money covers
    (QuickBooks): the credit that lay on no invoice that day and was used later, at the customers whose it was."""
    p = t.payments.c
    after = _by_payer(_beyond_money(work, connection_id, p.received_on > on))
    if not after:
        return
    before = _by_payer(_beyond_money(work, connection_id, p.received_on <= on))
    spent = _by_payer(_spent(work, connection_id, on))
    for (payer, currency), used in after.items():
        of_each = spent.get((payer, currency), {})
        _draw(of_each, before.get((payer, currency), {}))
        for customer, amount in _draw(of_each, used).items():
            yield payer, customer, currency, amount


def _draw(of_each: dict[str | None, Decimal], used: Mapping[str | None, Decimal]) -> dict[str | None, Decimal]:
    """Takes what was used from the customers' credit, as far as it goes: from a customer's own before that of the
    others for whom the payer pays. Whose it was."""
    drawn: defaultdict[str | None, Decimal] = defaultdict(Decimal)
    left = dict(used)
    for own in (True, False):
        for wanted in sorted(left, key=str):
            for customer in [wanted] if own else sorted(of_each, key=str):
                part = min(of_each.get(customer, _NOTHING), left[wanted])
                if part > 0:
                    of_each[customer] -= part
                    left[wanted] -= part
                    drawn[customer] += part
    return drawn


def _by_payer(parts: Iterable[_Part]) -> dict[tuple[str | None, str], dict[str | None, Decimal]]:
    """The amounts by customer, of each payer and currency."""
    found: defaultdict[tuple[str | None, str], dict[str | None, Decimal]] = defaultdict(dict)
    for payer, customer, currency, amount in parts:
        found[payer, currency][customer] = amount
    return found


def _beyond_money(work: Work, connection_id: int, when: ColumnElement[bool]) -> Iterator[_Part]:
    """By customer: what payments of those days put on invoices beyond the money that came with them."""
    a, i, c, p = t.allocations.c, t.invoices.c, t.customers.c, t.payments.c
    put = (
        select(a.source_id, func.sum(units(a.amount)).label("amount"))
        .select_from(
            t.allocations.join(t.payments, and_(p.connection_id == a.connection_id, p.remote_id == a.source_id)).join(
                t.invoices, and_(i.connection_id == a.connection_id, i.remote_id == a.invoice_id)
            )
        )
        .where(a.connection_id == connection_id, a.source == t.payments.name, when, i.currency == p.currency)
        .group_by(a.source_id)
        .subquery("put")
    )
    beyond = put.c.amount + units(p.unapplied) - units(p.amount)
    one = (
        select(
            func.coalesce(c.payer_id, p.customer_id).label("payer_id"), p.customer_id, p.currency,
            beyond.label("beyond"),
        )
        .select_from(
            t.payments.join(put, put.c.source_id == p.remote_id).outerjoin(
                t.customers, and_(c.connection_id == p.connection_id, c.remote_id == p.customer_id)
            )
        )
        .where(p.connection_id == connection_id, p.state == CreditState.ACTIVE.value, when, beyond > 0)
        .subquery("beyond_money")
    )  # fmt: skip
    return _summed(work, one, one.c.beyond)


def _spent(work: Work, connection_id: int, on: date) -> Iterator[_Part]:
    """By customer: what is gone of credit notes written by that day, and the notes do not tell on what."""
    a, c, n = t.allocations.c, t.customers.c, t.credit_notes.c
    put = (
        select(a.source_id, func.sum(units(a.amount)).label("amount"))
        .where(a.connection_id == connection_id, a.source == t.credit_notes.name)
        .group_by(a.source_id)
        .subquery("put")
    )
    gone = units(n.total) - units(n.unapplied) - func.coalesce(put.c.amount, 0)
    one = (
        select(
            func.coalesce(c.payer_id, n.customer_id).label("payer_id"), n.customer_id, n.currency, gone.label("gone")
        )
        .select_from(
            t.credit_notes.outerjoin(put, put.c.source_id == n.remote_id).outerjoin(
                t.customers, and_(c.connection_id == n.connection_id, c.remote_id == n.customer_id)
            )
        )
        .where(n.connection_id == connection_id, n.state == CreditState.ACTIVE.value, n.issued_on <= on, gone > 0)
        .subquery("spent")
    )  # fmt: skip
    return _summed(work, one, one.c.gone)


def _summed(work: Work, one: Subquery, amount: ColumnElement[Any]) -> Iterator[_Part]:
    grouped = (one.c.payer_id, one.c.customer_id, one.c.currency)
    for payer, customer, currency, high, low in work.execute(select(*grouped, *halves(amount)).group_by(*grouped)):
        yield payer, customer, currency, whole(high, low)


# --- what the figures lack ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DatedLater:
    """What is in the books by now and bears a later day, in one currency."""

    currency: str
    open: Decimal  # of invoices
    put: Decimal  # of payments and credit notes, on invoices that were there


def dated_later(work: Work, connection_id: int, on: date) -> list[DatedLater]:
    """What lies between the open invoices of that day and those of the cache, by currency."""
    i = t.invoices.c
    ahead = select(i.currency, *halves(units(i.balance))).where(
        i.connection_id == connection_id, i.state == InvoiceState.OPEN.value, i.issued_on > on
    )
    later = _put_later(connection_id, on)
    joined = t.invoices.join(later, later.c.invoice_id == i.remote_id)
    put = (
        select(i.currency, *halves(later.c.amount))
        .select_from(joined)
        .where(i.connection_id == connection_id, i.state.in_(_OWED), i.issued_on <= on)
    )
    found: defaultdict[str, list[Decimal]] = defaultdict(lambda: [_NOTHING, _NOTHING])
    for place, query in enumerate((ahead, put)):
        for currency, high, low in work.execute(query.group_by(i.currency)):
            found[currency][place] = whole(high, low)
    return [DatedLater(currency, *parts) for currency, parts in sorted(found.items()) if any(parts)]


@dataclass(frozen=True, slots=True)
class Unexplained:
    """Invoices of one currency that were reduced by something else than known payments and credit notes."""

    currency: str
    invoices: int
    amount: Decimal


def unexplained(work: Work, connection_id: int, on: date) -> list[Unexplained]:
    """Of the invoices written by that day: by journal entries and write-offs, mostly. For no day is it counted among
    what was owed."""
    a, i = t.allocations.c, t.invoices.c
    put = (
        select(a.invoice_id, func.sum(units(a.amount)).label("amount"))
        .where(a.connection_id == connection_id)
        .group_by(a.invoice_id)
        .subquery("put")
    )
    gone = units(i.total) - units(i.balance) - func.coalesce(put.c.amount, 0)
    one = (
        select(i.currency, gone.label("gone"))
        .select_from(t.invoices.outerjoin(put, put.c.invoice_id == i.remote_id))
        .where(i.connection_id == connection_id, i.state.in_(_OWED), i.issued_on <= on, gone > 0)
        .subquery("gone")
    )
    query = select(one.c.currency, func.count(), *halves(one.c.gone)).group_by(one.c.currency)
    return [
        Unexplained(currency, count, whole(high, low))
        for currency, count, high, low in work.execute(query.order_by(one.c.currency))
    ]


def names(work: Work, connection_id: int, customer_ids: Iterable[str]) -> dict[str, str]:
    """What these customers are called."""
    c = t.customers.c
    query = select(c.remote_id, c.name).where(
        c.connection_id == connection_id, among(work, c.remote_id, sorted(set(customer_ids)))
    )
    return {row.remote_id: row.name for row in work.execute(query)}


# --- sums -----------------------------------------------------------------------------------------------------------


def halves(amount: ColumnElement[Any]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """An amount's sum in two parts, for `whole`."""
    exact = cast(amount, BigInteger)  # PostgreSQL's own sums are numeric, whose quotients are not whole
    return func.sum(exact // _SPLIT), func.sum(exact % _SPLIT)


def whole(above: Any, below: Any) -> Decimal:
    """The sum of such parts; nothing of no rows."""
    return from_units(int(above or 0) * _SPLIT + int(below or 0))
