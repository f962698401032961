"""A customer's account as a page shows it: newest documents, messages without their words, the standing verdicts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, select

from arsync.domain.documents import CreditState, InvoiceState
from arsync.domain.money import Money
from arsync.domain.states import Decision, MessageState
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work
from arsync.store.payers import paid_for_by
from arsync.store.verdicts import Interval

_V: Final = t.verdicts.c
_M: Final = t.messages.c


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice, a payment or a credit note of the account."""

    kind: str  # invoice, payment, credit note
    number: str
    day: date
    amount: Money
    left: Money  # open of an invoice, on no invoice of a payment or credit
    state: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One message about the account."""

    id: int
    step_id: str
    channel: str
    state: MessageState
    reason: str
    subject: str
    amount: Money
    at: datetime


def documents(work: Work, connection_id: int, payer_id: str, *, most: int) -> list[Document]:
    """The newest invoices, payments and credit notes that concern the payer, so many of each, newest first."""
    i, p, n = t.invoices.c, t.payments.c, t.credit_notes.c
    written, live, counts = (
        i.state != InvoiceState.DRAFT.value, p.state == CreditState.ACTIVE.value, n.state == CreditState.ACTIVE.value
    )  # fmt: skip
    found = [
        *(
            Document("invoice", row.number, row.issued_on, Money(row.total, row.currency),
                     Money(row.balance, row.currency), row.state)
            for row in _newest(work, t.invoices, connection_id, payer_id, i.issued_on, most, written)
        ),
        *(
            Document("payment", row.reference or "", row.received_on, Money(row.amount, row.currency),
                     Money(row.unapplied, row.currency), row.state)
            for row in _newest(work, t.payments, connection_id, payer_id, p.received_on, most, live)
        ),
        *(
            Document("credit note", row.number, row.issued_on, Money(row.total, row.currency),
                     Money(row.unapplied, row.currency), row.state)
            for row in _newest(work, t.credit_notes, connection_id, payer_id, n.issued_on, most, counts)
        ),
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.day, one.number), reverse=True)


def _newest(
    work: Work, table: Table, connection_id: int, payer_id: str, day: Any, most: int, which: ColumnElement[bool]
) -> Any:
    query = select(table).where(
        table.c.connection_id == connection_id, table.c.customer_id.in_(paid_for_by(connection_id, payer_id)), which
    )
    return work.execute(query.order_by(day.desc(), table.c.remote_id.desc()).limit(most))


def sent(work: Work, connection_id: int, payer_id: str, *, most: int) -> list[Sent]:
    """The newest messages of the payer's chases, newest first; those that were superseded are left out."""
    h = t.chases.c
    query = (
        select(_M.id, _M.step_id, _M.channel, _M.state, _M.reason, _M.subject, _M.amount, _M.currency,
               _M.accepted_at, _M.sending_at, _M.planned_at)
        .select_from(t.messages.join(t.chases, h.id == _M.chase_id))
        .where(
            h.connection_id == connection_id, h.payer_id == payer_id, _M.connection_id == connection_id,
            _M.state != MessageState.SUPERSEDED.value,
        )
        .order_by(_M.id.desc())
        .limit(most)
    )  # fmt: skip
    return [
        Sent(
            row.id, row.step_id, row.channel, MessageState(row.state), row.reason, row.subject,
            Money(row.amount, row.currency), row.accepted_at or row.sending_at or row.planned_at,
        )
        for row in work.execute(query)
    ]  # fmt: skip


def verdicts(work: Work, connection_id: int, invoice_ids: Collection[str]) -> dict[str, Interval]:
    """The answers that stand for these invoices, as of the last run, by invoice."""
    query = (
        select(_V.invoice_id, _V.decision, _V.rule, _V.reason, _V.next_on, _V.step_id, _V.first_on, _V.last_on,
               t.runs.c.started_at)
        .join(t.runs, t.runs.c.id == _V.first_run)
        .where(_V.connection_id == connection_id, among(work, _V.invoice_id, invoice_ids), _V.last_run.is_(None))
    )  # fmt: skip
    return {row[0]: Interval(Decision(row[1]), *tuple(row)[2:]) for row in work.execute(query)}
