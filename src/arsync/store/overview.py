"""What is at stake and what waits, of all companies at once: as many queries for one company as for a thousand."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select

from arsync.domain.documents import InvoiceState
from arsync.domain.states import MessageState
from arsync.store import tables as t
from arsync.store.engine import Work


@dataclass(frozen=True, slots=True)
class Stake:
    """Open invoices of one company in one currency; money and credit put on none of them are not taken off."""

    currency: str
    open: Decimal
    overdue: Decimal
    invoices: int  # overdue


def stakes(work: Work, today: date) -> dict[int, list[Stake]]:
    """What each company's customers owe by its open invoices, largest overdue first; due before `today` is overdue."""
    i = t.invoices.c
    late = i.due_on < today
    query = (
        select(
            i.connection_id, i.currency, func.sum(i.balance), func.sum(i.balance).filter(late),
            func.count().filter(late),
        )
        .where(i.state == InvoiceState.OPEN.value, i.balance > 0)
        .group_by(i.connection_id, i.currency)
    )  # fmt: skip
    found: dict[int, list[Stake]] = {}
    for company, currency, owed, overdue, invoices in work.execute(query):
        found.setdefault(company, []).append(Stake(currency, owed, overdue or Decimal("0.00"), invoices))
    for those in found.values():
        those.sort(key=lambda one: (-one.overdue, -one.open, one.currency))
    return found


def messages_in(work: Work, states: Collection[MessageState]) -> dict[tuple[int, MessageState], int]:
    """How many messages each company has in each of these states."""
    m = t.messages.c
    query = (
        select(m.connection_id, m.state, func.count())
        .where(m.state.in_([state.value for state in states]))
        .group_by(m.connection_id, m.state)
    )
    return {(company, MessageState(state)): count for company, state, count in work.execute(query)}
