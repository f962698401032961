"""Which invoices were asked for, by which step and when; and how long each invoice lived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import and_, case, func, select

from arsync.domain.documents import CreditState, InvoiceState
from arsync.domain.people import REACHED
from arsync.domain.policy import ASKS_NOTHING, StepChannel
from arsync.domain.states import EFFECTIVE
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.types import units

_SAID: Final = (StepChannel.EMAIL.value, StepChannel.LETTER.value)
_MONEY: Final = t.payments.name


@dataclass(frozen=True, slots=True)
class Asked:
    """An invoice that a step of a playbook asked for: by a message, or a call in which the customer was spoken to."""

    playbook: str
    step_id: str
    invoice_id: str
    on: date
    amount: Decimal


def by_steps(work: Work, connection_id: int) -> Iterator[Asked]:
    """Every one, whenever; two queries. What came back, was a trial to ourselves, or asks for nothing is left out."""
    m, k, o = t.messages.c, t.message_items.c, t.call_outcomes.c
    items = t.messages.join(t.message_items, k.message_id == m.id)
    asks = (
        m.connection_id == connection_id, m.diverted_to.is_(None), k.demanded, k.amount > 0,
        m.step_id.not_in(ASKS_NOTHING),
    )  # fmt: skip
    sent = (
        select(m.playbook, m.step_id, k.invoice_id, m.sent_on, k.amount)
        .select_from(items)
        .where(
            *asks, m.state.in_([state.value for state in EFFECTIVE]), m.channel.in_(_SAID), m.sent_on.is_not(None)
        )
    )  # fmt: skip
    called = (
        select(m.playbook, m.step_id, k.invoice_id, o.made_on, k.amount)
        .select_from(items.join(t.call_outcomes, o.message_id == m.id))
        .where(*asks, o.outcome.in_([one.value for one in REACHED]), o.undone_at.is_(None))
    )
    for query in (sent, called):
        for row in work.execute(query):
            yield Asked(*row)


def by_hand(work: Work, connection_id: int) -> list[tuple[str, date]]:
    """Each invoice that a person asked for without arsync, and when."""
    k, i = t.touches.c, t.touched_invoices.c
    query = (
        select(i.invoice_id, k.made_on)
        .select_from(t.touches.join(t.touched_invoices, i.touch_id == k.id))
        .where(k.connection_id == connection_id, k.undone_at.is_(None))
    )
    return [(row.invoice_id, row.made_on) for row in work.execute(query)]


@dataclass(frozen=True, slots=True)
class Lived:
    """An invoice with a due date: the last day on which money, and on which credit, was put on it."""

    payer_id: str
    invoice_id: str
    currency: str
    issued_on: date
    due_on: date
    total: Decimal
    is_open: bool
    money_on: date | None
    credit_on: date | None

    @property
    def cleared_on(self) -> date | None:
        """The day of what came last, where nothing is open; its own day where nothing known ever came."""
        if self.is_open:
            return None
        return max(self.money_on or self.issued_on, self.credit_on or self.issued_on, self.issued_on)

    @property
    def is_paid(self) -> bool:
        """Whether money cleared it, and not credit after it."""
        return not self.is_open and self.money_on is not None and (self.credit_on or self.money_on) <= self.money_on


def lives(work: Work, connection_id: int, on: date) -> Iterator[Lived]:
    """Every invoice written by that day, as it is known today; one query."""
    a, i, c, p, n = t.allocations.c, t.invoices.c, t.customers.c, t.payments.c, t.credit_notes.c
    paid = and_(a.source == _MONEY, p.state == CreditState.ACTIVE.value)
    # Where a source tells the use of credit as a payment without money, that is credit.
    is_money = and_(paid, units(p.amount) > units(p.unapplied))
    is_credit = a.source != _MONEY
    ends = (
        select(
            a.invoice_id,
            func.max(case((is_money, p.received_on))).label("money_on"),
            func.max(
                case(
                    (and_(is_credit, n.state == CreditState.ACTIVE.value), a.allocated_on),
                    (and_(paid, ~is_money), a.allocated_on),
                )
            ).label("credit_on"),
        )
        .select_from(
            t.allocations.outerjoin(
                t.payments, and_(p.connection_id == a.connection_id, p.remote_id == a.source_id, a.source == _MONEY)
            ).outerjoin(
                t.credit_notes, and_(n.connection_id == a.connection_id, n.remote_id == a.source_id, is_credit)
            )
        )
        .where(a.connection_id == connection_id)
        .group_by(a.invoice_id)
        .subquery("ends")
    )  # fmt: skip
    query = (
        select(
            func.coalesce(c.payer_id, i.customer_id), i.remote_id, i.currency, i.issued_on, i.due_on, i.total,
            units(i.balance) != 0, ends.c.money_on, ends.c.credit_on,
        )
        .select_from(
            t.invoices.outerjoin(ends, ends.c.invoice_id == i.remote_id).outerjoin(
                t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id)
            )
        )
        .where(
            i.connection_id == connection_id, i.state.in_((InvoiceState.OPEN.value, InvoiceState.PAID.value)),
            i.due_on.is_not(None), i.issued_on <= on,
        )
    )  # fmt: skip
    for row in work.execute(query):
        yield Lived(*row)
