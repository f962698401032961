"""What fell due of what customers promised, counted by what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, literal, select

from arsync.domain.states import PromiseState
from arsync.store import tables as t
from arsync.store.aged import halves, whole
from arsync.store.engine import Work
from arsync.store.types import units


@dataclass(frozen=True, slots=True)
class Promised:
    """Promises in one currency and of one state; `payer_id` None: of all payers."""

    payer_id: str | None
    currency: str
    state: PromiseState
    count: int
    amount: Decimal


def due_between(work: Work, connection_id: int, first: date, last: date, *, by_payer: bool) -> Iterator[Promised]:
    """Promises and instalments whose grace ended on these days, both included; those that were taken back, or fell
    with their plan, are left out."""
    p = t.promises.c
    payer = p.payer_id if by_payer else literal(None)
    grouped = (p.payer_id, p.currency, p.state) if by_payer else (p.currency, p.state)
    query = (
        select(payer, p.currency, p.state, func.count(), *halves(units(p.amount)))
        .where(
            p.connection_id == connection_id, p.until.between(first, last),
            p.state != PromiseState.WITHDRAWN.value,
        )
        .group_by(*grouped)
    )  # fmt: skip
    for payer_id, currency, state, count, high, low in work.execute(query):
        yield Promised(payer_id, currency, PromiseState(state), count, whole(high, low))
