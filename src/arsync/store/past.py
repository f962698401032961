"""What was owed on each day of the past, as far as the cache remembers; a fixed number of queries, nothing is written.

The cache keeps what the source says today, and the days on which payments and credit notes were put on invoices. From
today's balance and those days one can go back. What it does not remember:

- Invoices that were voided or deleted since, or are drafts: on which day, nobody knows. They are left out and counted.
- Balances that went down otherwise (journal entries, write-offs): what no known payment or credit explains is taken for
  never owed, so that nobody seems to have been chased for it; such invoices are counted.
- Due dates, totals, customers, addresses, tags and merges that were edited: today's are taken for all days.
- When something was entered: each record is taken for known from the day that it bears. Payments that were voided or
  deleted since are taken for never come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select

from arsync.domain.behaviour import LOOKED_BACK
from arsync.domain.chase import Hold, Item
from arsync.domain.documents import CreditState, InvoiceState
from arsync.domain.money import Money
from arsync.domain.people import DisputeCode
from arsync.domain.states import HoldKind, HoldState
from arsync.store import ledger, tags
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.ledger import Payer

_ONE_DAY: Final = timedelta(days=1)
_NOTHING: Final = Decimal("0.00")
#: What reduces an invoice, and the day it came into the world.
_SOURCES: Final = ((t.payments, t.payments.c.received_on), (t.credit_notes, t.credit_notes.c.issued_on))

Local = Callable[[datetime], date]


@dataclass(frozen=True, slots=True)
class PastInvoice:
    """An invoice with what was open on it from day to day."""

    payer_id: str
    item: Item  # as the cache has it
    levels: tuple[tuple[date, Decimal], ...]  # from which day on how much was open, the oldest first
    money_on: tuple[date, ...]  # the days on which money was put on it, the oldest first
    credited_on: date | None  # the last day on which credit was

    @property
    def cleared_on(self) -> date | None:
        """From which day on nothing was open any more, None where something is."""
        day, left = self.levels[-1]
        return None if left else day

    @property
    def paid_on(self) -> date | None:
        """The day of the money that cleared it; None where something is open, or credit came last."""
        if self.cleared_on is None or not self.money_on:
            return None
        last = self.money_on[-1]
        return None if self.credited_on is not None and self.credited_on > last else last


@dataclass(frozen=True, slots=True)
class Loose:
    """Money or credit of a payer on no invoice: from that day on so much more of it, or less."""

    payer_id: str
    currency: str
    on: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Past:
    """What the cache remembers of a connection between two days, both included."""

    first: date
    last: date
    payers: Mapping[str, Payer]
    invoices: tuple[PastInvoice, ...]
    loose: tuple[Loose, ...]
    holds: tuple[Hold, ...]  # on the days on which they stood
    #: by payer and currency: the days on which money was received, each with the day from which it could be known
    received: Mapping[tuple[str, str], tuple[tuple[date, date], ...]]
    left_out: Mapping[str, int]  # what could not be told, and how many invoices of these days that concerns
    autopay: frozenset[str] = frozenset()  # invoices of customers with that tag today


def read(work: Work, connection_id: int, *, first: date, last: date, local: Local, habits: bool = False) -> Past:
    """The past of a connection; `local` says which day of the company's an instant was. Only with `habits` it tells
    when money was received."""
    parts = _Parts(work, connection_id, first)
    invoices: list[PastInvoice] = []
    unexplained = 0
    for row in work.execute(_invoices(connection_id, first, last)):
        made = _invoice(row, parts)
        explained = sum((amount for _, amount, _ in parts.by_invoice.get(row.remote_id, ())), start=row.balance)
        unexplained += (row.due_on or row.issued_on) >= first and explained < row.total
        if any(left > 0 for _, left in made.levels):
            invoices.append(made)
    invoices.sort(key=lambda one: one.item.invoice_id)
    tagged = {name for name, found in tags.of_connection(work, connection_id).items() if tags.AUTOPAY in found}
    return Past(
        first=first,
        last=last,
        payers=ledger.payers(work, connection_id),
        invoices=tuple(invoices),
        loose=tuple(parts.loose),
        holds=tuple(_holds(work, connection_id, local)),
        received=_received(work, connection_id, first) if habits else {},
        left_out={**_without_day(work, connection_id, first, last), "unexplained": unexplained},
        autopay=frozenset(one.item.invoice_id for one in invoices if {one.payer_id, one.item.customer_id} & tagged),
    )


# --- invoices -----------------------------------------------------------------------------------------------------


def _invoices(connection_id: int, first: date, last: date) -> Any:
    i, c, a = t.invoices.c, t.customers.c, t.allocations.c
    billed = and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id)
    reduced = select(1).where(a.connection_id == i.connection_id, a.invoice_id == i.remote_id, a.allocated_on >= first)
    return (
        select(
            func.coalesce(c.payer_id, i.customer_id).label("payer_id"), c.name, i.remote_id, i.number, i.customer_id,
            i.currency, i.state, i.total, i.balance, i.issued_on, i.due_on, i.reference, i.email, i.copies,
            i.purchase_order, func.coalesce(i.terms, c.terms).label("terms"),
        )
        .select_from(t.invoices.outerjoin(t.customers, billed))
        .where(
            i.connection_id == connection_id,
            i.state.in_((InvoiceState.OPEN.value, InvoiceState.PAID.value)),
            i.issued_on <= last,
            or_(i.balance > 0, exists(reduced), _of_these_days(first)),
        )
    )  # fmt: skip


def _invoice(row: Row[Any], parts: _Parts) -> PastInvoice:
    came = parts.by_invoice.get(row.remote_id, ())
    credited = [on for on, _, is_money in came if not is_money]
    return PastInvoice(
        payer_id=row.payer_id,
        item=Item(
            invoice_id=row.remote_id,
            number=row.number,
            customer_name=row.name or row.customer_id,
            state=InvoiceState(row.state),
            total=Money(row.total, row.currency),
            balance=Money(row.balance, row.currency),
            issued_on=row.issued_on,
            due_on=row.due_on,
            reference=row.reference,
            email=row.email,
            copies=tuple(row.copies.split(", ")) if row.copies else (),
            customer_id=row.customer_id,
            purchase_order=row.purchase_order,
            terms=row.terms,
        ),
        levels=levels(row.issued_on, row.total, row.balance, [(on, amount) for on, amount, _ in came]),
        money_on=tuple(sorted(on for on, _, is_money in came if is_money)),
        credited_on=max(credited, default=None),
    )


def levels(
    issued_on: date, total: Decimal, balance: Decimal, parts: Iterable[tuple[date, Decimal]]
) -> tuple[tuple[date, Decimal], ...]:
    """From which day on how much of an invoice was open, going back from today's balance over what was put on it; what
    was put on it before it was written was there from its first day."""
    left = balance
    found: dict[date, Decimal] = {}
    for on, amount in sorted(parts, reverse=True):
        found.setdefault(max(on, issued_on), min(left, total))
        left += amount
    found.setdefault(issued_on, min(left, total))
    return tuple(sorted(found.items()))


def _of_these_days(first: date) -> ColumnElement[bool]:
    """Whether an invoice falls due, or was written, on the first day or later."""
    i = t.invoices.c
    return func.coalesce(i.due_on, i.issued_on) >= first


def _without_day(work: Work, connection_id: int, first: date, last: date) -> dict[str, int]:
    """How many invoices of these days were voided or deleted, or are drafts."""
    i = t.invoices.c
    query = (
        select(i.state, func.count().label("count"))
        .where(
            i.connection_id == connection_id,
            i.state.in_([state.value for state in (InvoiceState.VOID, InvoiceState.DELETED, InvoiceState.DRAFT)]),
            i.issued_on <= last,
            _of_these_days(first),
        )
        .group_by(i.state)
        .order_by(i.state)
    )
    return {row[0]: int(row[1]) for row in work.execute(query)}


# --- what reduces them ----------------------------------------------------------------------------------------------


class _Parts:
    """What was put on which invoice since the first day (of one that falls due later: ever), and what of it lay loose
    in the meantime."""

    def __init__(self, work: Work, connection_id: int, first: date) -> None:
        self.by_invoice: defaultdict[str, list[tuple[date, Decimal, bool]]] = defaultdict(list)
        self.loose: list[Loose] = []
        a, i, c = t.allocations.c, t.invoices.c, t.customers.c
        for table, born in _SOURCES:
            x = table.c
            joined = t.allocations.join(
                t.invoices, and_(i.connection_id == a.connection_id, i.remote_id == a.invoice_id)
            ).join(table, and_(x.connection_id == a.connection_id, x.remote_id == a.source_id))
            query = (
                select(a.source_id, a.invoice_id, a.amount, a.allocated_on, i.currency)
                .select_from(joined)
                .where(
                    a.connection_id == connection_id,
                    a.source == table.name,
                    x.state == CreditState.ACTIVE.value,
                    or_(a.allocated_on >= first, _of_these_days(first)),
                )
                .order_by(a.source_id, a.position)
            )
            put: defaultdict[tuple[str, str], list[tuple[date, Decimal]]] = defaultdict(list)
            for row in work.execute(query):
                self.by_invoice[row.invoice_id].append((row.allocated_on, row.amount, table is t.payments))
                put[row.source_id, row.currency].append((row.allocated_on, row.amount))
            own = and_(c.connection_id == x.connection_id, c.remote_id == x.customer_id)
            sources = (
                select(x.remote_id, c.payer_id, x.currency, x.unapplied, born.label("born"))
                .select_from(table.join(t.customers, own))
                .where(x.connection_id == connection_id, x.state == CreditState.ACTIVE.value)
                .order_by(x.remote_id)
            )
            later = exists(
                select(1).where(
                    a.connection_id == x.connection_id, a.source == table.name, a.source_id == x.remote_id,
                    a.allocated_on > born, a.allocated_on >= first,
                )
            )  # fmt: skip
            for row in work.execute(sources.where(or_(x.unapplied != 0, later))):
                self.loose += _lying(row, put.get((row.remote_id, row.currency), ()), first)


def _lying(source: Row[Any], put: Iterable[tuple[date, Decimal]], first: date) -> Iterable[Loose]:
    """What of a payment or credit note lay on no invoice: going back from what is left of it today."""
    later = [(on, amount) for on, amount in put if on > source.born and on >= first]
    left: Decimal = source.unapplied + sum((amount for _, amount in later), start=_NOTHING)
    yield Loose(source.payer_id, source.currency, source.born, left)
    for on, amount in later:
        yield Loose(source.payer_id, source.currency, on, -amount)


def _received(work: Work, connection_id: int, first: date) -> Mapping[tuple[str, str], tuple[tuple[date, date], ...]]:
    i, c, a, p = t.invoices.c, t.customers.c, t.allocations.c, t.payments.c
    joined = (
        t.allocations.join(t.invoices, and_(i.connection_id == a.connection_id, i.remote_id == a.invoice_id))
        .join(t.payments, and_(p.connection_id == a.connection_id, p.remote_id == a.source_id))
        .outerjoin(t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
    )
    query = (
        select(
            func.coalesce(c.payer_id, i.customer_id).label("payer_id"), i.currency, i.issued_on, p.received_on,
        )
        .select_from(joined)
        .where(
            a.connection_id == connection_id,
            a.source == t.payments.name,
            p.state == CreditState.ACTIVE.value,
            p.received_on >= first - LOOKED_BACK,
            i.state.in_((InvoiceState.OPEN.value, InvoiceState.PAID.value)),
            i.due_on.is_not(None),
        )
    )  # fmt: skip
    found: defaultdict[tuple[str, str], set[tuple[date, date]]] = defaultdict(set)
    for row in work.execute(query):
        found[row.payer_id, row.currency].add((max(row.received_on, row.issued_on), row.received_on))
    return {name: tuple(sorted(days)) for name, days in found.items()}


# --- what people said -----------------------------------------------------------------------------------------------


def _holds(work: Work, connection_id: int, local: Local) -> Iterable[Hold]:
    """Every hold there ever was, on the days on which it stood: from when it was said, until it ended or was lifted."""
    h = t.holds.c
    for row in work.execute(select(t.holds).where(h.connection_id == connection_id).order_by(h.id)):
        hold = Hold(
            kind=HoldKind(row.kind),
            reason=row.reason,
            author=row.author,
            payer_id=row.payer_id,
            invoice_id=row.invoice_id,
            begins=max(row.begins, local(row.created_at)),
            until=row.until,
            part=None if row.amount is None else Money(row.amount, row.currency),
            code=DisputeCode(row.code) if row.code else None,
        )
        if row.state == HoldState.LIFTED.value and row.ended_at is not None:
            ended = local(row.ended_at) - _ONE_DAY
            hold = replace(hold, until=ended if hold.until is None else min(hold.until, ended))
        if hold.until is None or hold.begins <= hold.until:
            yield hold
