"""Disputes, those that are over included, and what of their invoices was open on a day."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import or_, select

from arsync.domain.money import from_units
from arsync.domain.people import DisputeCode
from arsync.domain.states import HoldKind, HoldState
from arsync.store import tables as t
from arsync.store.aged import open_invoices
from arsync.store.bulk import among
from arsync.store.engine import Work

_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute about an invoice, a part of it, or (no invoice) all that a payer owes."""

    payer_id: str | None
    invoice_id: str | None
    code: DisputeCode | None
    part: Decimal | None
    since: date  # the company's day on which it began, or was told
    ended: date | None  # the first day on which it stood no more, by what is known today

    def stands(self, on: date) -> bool:
        """Whether it stood at the end of that day."""
        return self.since <= on and (self.ended is None or on < self.ended)


def disputes(work: Work, connection_id: int, local: Callable[[datetime], date]) -> list[Dispute]:
    """Every dispute there ever was; `local` says which day of the company's an instant was."""
    h = t.holds.c
    query = select(
        h.payer_id, h.invoice_id, h.code, h.amount, h.begins, h.until, h.state, h.created_at, h.ended_at
    ).where(h.connection_id == connection_id, h.kind == HoldKind.DISPUTE.value)
    found = []
    for row in work.execute(query.order_by(h.id)):
        ended = None if row.until is None else row.until + _ONE_DAY
        if row.state == HoldState.LIFTED.value and row.ended_at is not None:
            lifted = local(row.ended_at)
            ended = lifted if ended is None else min(ended, lifted)
        code = DisputeCode(row.code) if row.code else None
        since = max(row.begins, local(row.created_at))
        found.append(Dispute(row.payer_id, row.invoice_id, code, row.amount, since, ended))
    return found


@dataclass(frozen=True, slots=True)
class OpenThen:
    """What was open on an invoice."""

    payer_id: str
    invoice_id: str
    currency: str
    open: Decimal


def open_of(
    work: Work, connection_id: int, on: date, *, invoice_ids: Collection[str], payer_ids: Collection[str]
) -> list[OpenThen]:
    """Of these invoices, and of all for which these payers pay, those that were open on that day."""
    if not invoice_ids and not payer_ids:
        return []
    one = open_invoices(connection_id, on)
    query = select(one.c.payer_id, one.c.invoice_id, one.c.currency, one.c.open).where(
        or_(among(work, one.c.invoice_id, invoice_ids), among(work, one.c.payer_id, payer_ids))
    )
    return [
        OpenThen(payer, invoice, currency, from_units(int(left)))
        for payer, invoice, currency, left in work.execute(query)
    ]


def currencies(work: Work, connection_id: int, invoice_ids: Collection[str]) -> dict[str, str]:
    """The currencies of these invoices."""
    i = t.invoices.c
    query = select(i.remote_id, i.currency).where(
        i.connection_id == connection_id, among(work, i.remote_id, invoice_ids)
    )
    return {row.remote_id: row.currency for row in work.execute(query)}
