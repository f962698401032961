"""Chased invoices on which money came in lately: what there may be to say thank you for, or to answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Final

from sqlalchemy import ColumnElement, SelectBase, and_, bindparam, func, or_, select, union

from arsync.connector import Resource
from arsync.domain.chase import Item
from arsync.domain.documents import InvoiceState
from arsync.domain.money import Money
from arsync.domain.policy import ASKS_NOTHING
from arsync.domain.states import EFFECTIVE
from arsync.store import tables as t
from arsync.store.bulk import among, among_those, select_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

#: Whoever was last written to longer ago is not thanked.
_LATELY: Final = timedelta(days=180)
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Settled:
    """What money did to invoices that a message had asked for."""

    #: paid invoices by payer and currency, each with the day on which its last money came
    paid: Mapping[tuple[str, str], list[Item]] = field(default_factory=dict)
    #: invoices still open of which a part came in: the day of it
    in_part: Mapping[str, date] = field(default_factory=dict)
    #: paid invoices: the playbook whose message had asked for each last
    asked_by: Mapping[str, str] = field(default_factory=dict)
    wrongly: frozenset[str] = frozenset()  # paid invoices: those that were asked for later, and nobody has said sorry


def read(
    work: Work, connection_id: int, who: Collection[str] | None, *,
    today: date, since: date, partly: Collection[str] | None = None,
) -> Settled:  # fmt: skip
    """Of a connection or of some payers. What a credit note cleared last was not paid, and is left out.

    Of the open ones only those `partly` paid are looked at, where it is known of some payers which those are.
    """
    i, c = t.invoices.c, t.customers.c
    joined = t.invoices.outerjoin(t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
    chased = _chased(work, connection_id, who, today, partly)
    came = _last(work, connection_id, chased, Resource.PAYMENTS)
    fresh = [invoice_id for invoice_id, on in came.items() if on >= since]
    credited = _last(work, connection_id, fresh, Resource.CREDIT_NOTES)
    paid: defaultdict[tuple[str, str], list[Item]] = defaultdict(list)
    in_part: dict[str, date] = {}
    if fresh:
        query = (
            select(i.remote_id, i.number, i.currency, i.state, i.total, i.balance, i.issued_on, i.due_on, i.reference,
                   i.email, i.customer_id, i.purchase_order, i.copies, func.coalesce(i.terms, c.terms).label("terms"),
                   c.name, func.coalesce(c.payer_id, i.customer_id).label("payer_id"))
            .select_from(joined)
            .where(i.connection_id == connection_id, among(work, i.remote_id, fresh))
            .order_by(i.remote_id)
        )  # fmt: skip
        for row in work.execute(query):
            on = came[row.remote_id]
            if row.state == InvoiceState.OPEN.value and 0 < row.balance < row.total:
                in_part[row.remote_id] = on
            by_credit = credited.get(row.remote_id, date.min) > on
            if row.state != InvoiceState.PAID.value or row.balance or by_credit:
                continue
            paid[row.payer_id, row.currency].append(
                Item(
                    invoice_id=row.remote_id, number=row.number, customer_name=row.name or row.payer_id,
                    state=InvoiceState.PAID, total=Money(row.total, row.currency),
                    balance=Money(row.balance, row.currency), issued_on=row.issued_on, due_on=row.due_on,
                    reference=row.reference, email=row.email, paid_on=on, customer_id=row.customer_id,
                    purchase_order=row.purchase_order, terms=row.terms,
                    copies=tuple(row.copies.split(", ")) if row.copies else (),
                )
            )  # fmt: skip
    settled = {item.invoice_id: chased[item.invoice_id] for items in paid.values() for item in items}
    return Settled(dict(paid), in_part, _playbooks(work, settled), _wrongly(work, connection_id, settled))


def _wrongly(work: Work, connection_id: int, paid: Collection[str]) -> frozenset[str]:
    m, x = t.messages.c, t.corrections.c
    query = (
        select(x.invoice_id)
        .join(t.messages, m.id == x.message_id)
        .where(m.connection_id == connection_id, x.settled_at.is_(None))
    )
    return frozenset(work.execute(query).scalars()) & set(paid) if paid else frozenset()


def _chased(
    work: Work, connection_id: int, who: Collection[str] | None, today: date, partly: Collection[str] | None
) -> dict[str, int]:
    """Every invoice that was asked for lately, with the last message that did."""
    asked = {
        "of": connection_id, "since": today - _LATELY, "those": those(work, who or ()),
        "partly": those(work, partly or ()),
    }  # fmt: skip
    query = _asked_for(work.dialect, who is not None, who is not None and partly is not None)
    last: dict[str, int] = {}
    for invoice_id, message_id in query(work, **asked):
        if last.get(invoice_id, 0) < message_id:  # here, for a database would sort them all
            last[invoice_id] = message_id
    return last


@cache
def _asked_for(dialect: str, some: bool, known: bool) -> Prepared:
    m, k = t.messages.c, t.message_items.c
    joined = t.message_items.join(t.messages, m.id == k.message_id)
    where: list[ColumnElement[bool]] = [
        m.connection_id == bindparam("of"), m.state.in_([state.value for state in EFFECTIVE]), k.demanded,
        m.step_id.not_in(ASKS_NOTHING), or_(m.sent_on.is_(None), m.sent_on >= bindparam("since")),
    ]  # fmt: skip
    if some:
        # Whoever pays for it by now, whichever payer's chase had asked.
        where.append(k.invoice_id.in_(_of_payers(dialect, known)))
        # By way of the payers' invoices: SQLite would go through all messages in these states instead.
        where[1] = func.coalesce(m.state, "").in_([state.value for state in EFFECTIVE])
    return Prepared(select(k.invoice_id, k.message_id).select_from(joined).where(*where))


def _of_payers(dialect: str, known: bool) -> SelectBase:
    """The invoices for which those pay, and more of their own: where it is `known` which are `partly` paid those and
    the paid ones, for nothing was put on most that are open."""
    i, c = t.invoices.c, t.customers.c
    paid_for = select(c.remote_id).where(c.connection_id == bindparam("of"), among_those(dialect, c.payer_id))
    whose = union(paid_for, select_those(dialect))  # also customers of whom nothing is known but their invoices
    every = select(i.remote_id).where(i.connection_id == bindparam("of"), i.customer_id.in_(whose))
    if not known:
        return every
    return union(every.where(i.state == InvoiceState.PAID.value), select_those(dialect, "partly"))


def _playbooks(work: Work, asked: Mapping[str, int]) -> dict[str, str]:
    """Of each invoice the playbook of its message."""
    m = t.messages.c
    names: dict[int, str] = {}
    every = sorted(set(asked.values()))
    for start in range(0, len(every), _CHUNK):
        query = select(m.id, m.playbook).where(m.id.in_(every[start : start + _CHUNK]))
        names |= {row.id: row.playbook for row in work.execute(query)}
    return {invoice_id: names[message_id] for invoice_id, message_id in asked.items()}


def _last(work: Work, connection_id: int, invoice_ids: Collection[str], source: Resource) -> dict[str, date]:
    """The last day on which anything of that kind was put on each invoice."""
    if not invoice_ids:
        return {}
    a = t.allocations.c
    query = (
        select(a.invoice_id, func.max(a.allocated_on))
        .where(a.connection_id == connection_id, among(work, a.invoice_id, invoice_ids), a.source == source.value)
        .group_by(a.invoice_id)
    )
    return {row[0]: row[1] for row in work.execute(query)}
