"""Messages that had asked for what was paid already, as the books told later.

A payment may be entered days after it came, with the day on which it came. Then what was sent in between was wrong,
though nobody could know; it is said, counted, and somebody answers for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, exists, insert, or_, select, update

from arsync.connector import Resource
from arsync.domain.documents import CreditState, InvoiceState
from arsync.domain.policy import APOLOGY, ASKS_NOTHING, StepChannel
from arsync.domain.states import EFFECTIVE, LIVE
from arsync.store import events
from arsync.store import tables as t
from arsync.store.engine import Work

_C = t.corrections.c
#: A call is no message: whoever made it has spoken with the customer.
_WRITTEN: Final = (StepChannel.EMAIL.value, StepChannel.LETTER.value)
#: What answers for one whose money is no longer in the books.
TAKEN_BACK: Final = "payment taken back"


@dataclass(frozen=True, slots=True)
class Correction:
    """One invoice of one message, paid before that went out."""

    message_id: int
    connection_id: int
    chase_id: int
    payer_id: str
    subject: str
    sent_on: date
    invoice_id: str
    number: str
    paid_on: date
    settled_at: datetime | None = None
    settled_by: str | None = None
    found_at: datetime | None = None  # when the books told; None where that is news


def look(work: Work, connection_id: int, *, since: date, now: datetime) -> list[Correction]:
    """What the books tell of messages since that day, as far as it is news; kept and logged, the caller commits. What
    they told before and do not tell any more, for a payment was taken back, is settled."""
    _take_back(work, connection_id, now)
    found = _paid_before(work, connection_id, since)
    for one in found:
        work.execute(delete(t.corrections).where(_C.message_id == one.message_id, _C.invoice_id == one.invoice_id))
        work.execute(
            insert(t.corrections).values(
                message_id=one.message_id, invoice_id=one.invoice_id, paid_on=one.paid_on, found_at=now
            )
        )
        events.log(
            work, "paid_before_accepted", at=now, connection_id=connection_id, chase_id=one.chase_id,
            message_id=one.message_id, invoice=one.invoice_id, paid_on=one.paid_on, sent_on=one.sent_on,
        )  # fmt: skip
    return found


def _take_back(work: Work, connection_id: int, now: datetime) -> None:
    """Settles those whose invoice is not covered any more by money that came before the message."""
    m, i = t.messages.c, t.invoices.c
    joined = t.corrections.join(t.messages, m.id == _C.message_id).outerjoin(
        t.invoices, and_(i.connection_id == m.connection_id, i.remote_id == _C.invoice_id)
    )
    query = (
        select(_C.message_id, _C.invoice_id, _C.paid_on, m.chase_id, m.sent_on, i.total, i.state)
        .select_from(joined)
        .where(m.connection_id == connection_id, _C.settled_at.is_(None))
    )
    rows = work.execute(query).all()
    put = _put_on(work, connection_id, {row.invoice_id for row in rows})
    for row in rows:
        still = put.get(row.invoice_id, ())
        if row.state == InvoiceState.PAID.value and _paid_on(still, row.sent_on, row.total) is not None:
            continue
        work.execute(
            update(t.corrections)
            .where(_C.message_id == row.message_id, _C.invoice_id == row.invoice_id)
            .values(settled_at=now, settled_by=TAKEN_BACK)
        )
        events.log(
            work, "correction_withdrawn", at=now, connection_id=connection_id, chase_id=row.chase_id,
            message_id=row.message_id, invoice=row.invoice_id, paid_on=row.paid_on, reason=TAKEN_BACK,
        )  # fmt: skip


def unsettled(work: Work, connection_id: int | None = None) -> list[Correction]:
    """Those for which nobody has answered yet, oldest first."""
    where: list[ColumnElement[bool]] = [_C.settled_at.is_(None)]
    if connection_id is not None:
        where.append(t.messages.c.connection_id == connection_id)
    return _read(work, *where)


def every(work: Work) -> list[Correction]:
    """All there ever were, oldest first."""
    return _read(work)


def of_payer(work: Work, connection_id: int, payer_id: str) -> list[Correction]:
    """All of messages to that payer, oldest first."""
    return _read(work, t.messages.c.connection_id == connection_id, t.chases.c.payer_id == payer_id)


def settle(work: Work, message_ids: Collection[int], *, author: str, now: datetime) -> int:
    """Keeps that somebody has answered for these messages; how many invoices that were."""
    statement = (
        update(t.corrections)
        .where(_C.message_id.in_(list(message_ids)), _C.settled_at.is_(None))
        .values(settled_at=now, settled_by=author)
    )
    return work.execute(statement).rowcount


def answered_by(work: Work, connection_id: int, invoice_ids: Collection[str], *, author: str, now: datetime) -> int:
    """Keeps that an apology about these invoices has gone; how many were waiting for one."""
    mine = select(t.messages.c.id).where(t.messages.c.connection_id == connection_id)
    statement = (
        update(t.corrections)
        .where(_C.message_id.in_(mine), _C.invoice_id.in_(list(invoice_ids)), _C.settled_at.is_(None))
        .values(settled_at=now, settled_by=author)
    )
    return work.execute(statement).rowcount


def being_answered(work: Work) -> set[tuple[int, str]]:
    """The connection and invoice of each apology that is on its way."""
    m, k = t.messages.c, t.message_items.c
    query = (
        select(m.connection_id, k.invoice_id)
        .join(t.message_items, k.message_id == m.id)
        .where(m.step_id == APOLOGY, m.state.in_([state.value for state in LIVE]), k.demanded)
    )
    return {(row.connection_id, row.invoice_id) for row in work.execute(query)}


def _read(work: Work, *where: ColumnElement[bool]) -> list[Correction]:
    m, h, k = t.messages.c, t.chases.c, t.message_items.c
    named = and_(k.message_id == _C.message_id, k.invoice_id == _C.invoice_id)
    joined = t.corrections.join(t.messages, m.id == _C.message_id).join(t.chases, h.id == m.chase_id)
    query = (
        select(
            _C.message_id, m.connection_id, m.chase_id, h.payer_id, m.subject, m.sent_on, _C.invoice_id, k.number,
            _C.paid_on, _C.settled_at, _C.settled_by, _C.found_at,
        )
        .select_from(joined.join(t.message_items, named))
        .where(*where)
        .order_by(_C.message_id, k.position)
    )  # fmt: skip
    return [Correction(*tuple(row)) for row in work.execute(query)]


def _paid_before(work: Work, connection_id: int, since: date) -> list[Correction]:
    m, h, k, i = t.messages.c, t.chases.c, t.message_items.c, t.invoices.c
    joined = (
        t.message_items.join(t.messages, m.id == k.message_id)
        .join(t.chases, h.id == m.chase_id)
        .join(t.invoices, and_(i.connection_id == m.connection_id, i.remote_id == k.invoice_id))
    )
    query = (
        select(
            k.message_id, m.connection_id, m.chase_id, h.payer_id, m.subject, m.sent_on, k.invoice_id, k.number, i.total
        )
        .select_from(joined)
        .where(
            m.connection_id == connection_id,
            m.state.in_([state.value for state in EFFECTIVE]),
            m.channel.in_(_WRITTEN),
            m.diverted_to.is_(None),  # a trial: the customer got nothing
            m.sent_on >= since,
            m.step_id.not_in(ASKS_NOTHING),
            k.demanded,
            k.amount > 0,
            i.state == InvoiceState.PAID.value,
            ~exists().where(
                _C.message_id == k.message_id,
                _C.invoice_id == k.invoice_id,
                or_(_C.settled_by.is_(None), _C.settled_by != TAKEN_BACK),
            ),
        )
        .order_by(k.message_id, k.position)
    )  # fmt: skip
    rows = work.execute(query).all()
    put = _put_on(work, connection_id, {row.invoice_id for row in rows})
    found = []
    for row in rows:
        paid_on = _paid_on(put.get(row.invoice_id, ()), row.sent_on, row.total)
        if paid_on is not None:
            found.append(
                Correction(
                    row.message_id, row.connection_id, row.chase_id, row.payer_id, row.subject, row.sent_on,
                    row.invoice_id, row.number, paid_on,
                )
            )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True)
class _Put:
    on: date
    amount: Decimal
    is_money: bool  # and no credit note


def _paid_on(put: Sequence[_Put], sent_on: date, total: Decimal) -> date | None:
    """The day by which it was paid, where it was before that message; None where it was not, or not by money."""
    before = [one for one in put if one.on < sent_on]
    paid = sum((one.amount for one in before), start=Decimal("0.00"))
    days = [one.on for one in before if one.is_money]
    return max(days) if days and paid >= total else None


def _put_on(work: Work, connection_id: int, invoice_ids: Collection[str]) -> dict[str, list[_Put]]:
    """What stands against each invoice, by the day on which the money came."""
    a, p = t.allocations.c, t.payments.c
    money = and_(p.connection_id == a.connection_id, p.remote_id == a.source_id, a.source == Resource.PAYMENTS.value)
    wanted: list[str] = sorted(invoice_ids)
    found: dict[str, list[_Put]] = defaultdict(list)
    for start in range(0, len(wanted), 500):
        query: Any = (
            select(a.invoice_id, a.amount, a.allocated_on, p.received_on, p.remote_id)
            .select_from(t.allocations.outerjoin(t.payments, money))
            .where(
                a.connection_id == connection_id,
                a.invoice_id.in_(wanted[start : start + 500]),
                or_(p.state.is_(None), p.state == CreditState.ACTIVE.value),
            )
        )
        for row in work.execute(query):
            came = row.received_on or row.allocated_on
            found[row.invoice_id].append(_Put(came, row.amount, row.remote_id is not None))
    return found
