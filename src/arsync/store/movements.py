"""What happened between two days, by currency: added up by the database, a query for each kind."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from arsync.domain.documents import CreditState, InvoiceState
from arsync.domain.money import from_units
from arsync.domain.policy import StepChannel
from arsync.domain.states import EFFECTIVE, PromiseState
from arsync.store import tables as t
from arsync.store.aged import halves, open_invoices, whole
from arsync.store.engine import Work
from arsync.store.receipts import money_part
from arsync.store.types import units

_OWED: Final = (InvoiceState.OPEN.value, InvoiceState.PAID.value)
_SAID: Final = (StepChannel.EMAIL.value, StepChannel.LETTER.value)


@dataclass(frozen=True, slots=True)
class Movement:
    """So many of a thing in one currency, and their amount."""

    currency: str
    count: int
    amount: Decimal


def invoiced(work: Work, connection_id: int, first: date, last: date) -> list[Movement]:
    """The invoices that bear these days, both included, at their totals."""
    i = t.invoices.c
    where = (i.connection_id == connection_id, i.state.in_(_OWED), i.issued_on.between(first, last))
    return _movements(work, _added(i.currency, units(i.total), where))


def settled(work: Work, connection_id: int, first: date, last: date) -> tuple[list[Movement], list[Movement]]:
    """What was put on invoices on these days, or on those written on them before that: money, and credit.

    Where a source tells a payment and the credit used with it as one, each has its part.
    """
    a, i = t.allocations.c, t.invoices.c
    on_invoices = t.allocations.join(
        t.invoices, and_(i.connection_id == a.connection_id, i.remote_id == a.invoice_id)
    )  # fmt: skip
    then = or_(a.allocated_on.between(first, last), and_(a.allocated_on < first, i.issued_on.between(first, last)))
    of_these = (a.connection_id == connection_id, i.state.in_(_OWED), i.issued_on <= last, then)
    every = t.allocations.alias("every")
    p, e, n = t.payments.c, every.c, t.credit_notes.c
    of_payment = (e.connection_id == a.connection_id, e.source == a.source, e.source_id == a.source_id)
    everywhere = select(func.sum(units(e.amount))).where(*of_payment).scalar_subquery()
    paid = (
        select(i.currency, units(a.amount), units(p.amount), units(p.unapplied), everywhere)
        .select_from(on_invoices.join(t.payments, and_(p.connection_id == a.connection_id, p.remote_id == a.source_id)))
        .where(*of_these, a.source == t.payments.name, p.state == CreditState.ACTIVE.value)
    )
    money: defaultdict[str, list[int]] = defaultdict(list)
    credit: defaultdict[str, list[int]] = defaultdict(list)
    for currency, put, came, unapplied, of_all in work.execute(paid):
        part = money_part(put, everywhere=int(of_all), money=max(came - unapplied, 0))
        money[currency] += [part] if part else []
        credit[currency] += [put - part] if put - part else []
    credited = _added(i.currency, units(a.amount), (
        *of_these, a.source == t.credit_notes.name, n.state == CreditState.ACTIVE.value,
    )).select_from(
        on_invoices.join(t.credit_notes, and_(n.connection_id == a.connection_id, n.remote_id == a.source_id))
    )  # fmt: skip
    told = [Movement(currency, len(parts), from_units(sum(parts))) for currency, parts in credit.items()]
    came_in = [Movement(currency, len(parts), from_units(sum(parts))) for currency, parts in money.items()]
    return came_in, [*told, *_movements(work, credited)]


def newly_past_due(work: Work, connection_id: int, first: date, last: date) -> list[Movement]:
    """What was open at the end of the last day, past due, and was not at the end of the day before the first."""
    one = open_invoices(connection_id, last)
    eve = first - timedelta(days=1)
    return _movements(work, _added(one.c.currency, one.c.open, (one.c.due_on >= eve, one.c.due_on < last)))


def messages_sent(work: Work, connection_id: int, first: date, last: date) -> list[Movement]:
    """The messages that went to customers on these days and did not come back, with what they demanded."""
    m = t.messages.c
    where = (
        m.connection_id == connection_id, m.sent_on.between(first, last), m.channel.in_(_SAID),
        m.state.in_([state.value for state in EFFECTIVE]), m.diverted_to.is_(None),
    )  # fmt: skip
    return _movements(work, _added(m.currency, units(m.amount), where))


def promises_given(work: Work, connection_id: int, since: datetime, before: datetime) -> list[Movement]:
    """Promises and instalments that were kept in mind from that moment until the other."""
    p = t.promises.c
    where = (p.connection_id == connection_id, p.created_at >= since, p.created_at < before)
    return _movements(work, _added(p.currency, units(p.amount), where))


def promises_settled(
    work: Work, connection_id: int, state: PromiseState, since: datetime, before: datetime
) -> list[Movement]:
    """Those that were found to be in that state then."""
    p = t.promises.c
    where = (
        p.connection_id == connection_id, p.state == state.value, p.settled_at >= since, p.settled_at < before,
    )  # fmt: skip
    return _movements(work, _added(p.currency, units(p.amount), where))


def _added(
    currency: ColumnElement[str], amount: ColumnElement[int], where: tuple[ColumnElement[bool], ...]
) -> Select[Any]:
    return select(currency, func.count(), *halves(amount)).where(*where).group_by(currency)


def _movements(work: Work, query: Select[Any]) -> list[Movement]:
    return [Movement(currency, count, whole(high, low)) for currency, count, high, low in work.execute(query)]
