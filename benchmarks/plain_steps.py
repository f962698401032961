"""The plain way to plan: every row that the planner reads, as a tuple, and a step by days past due. It knows no hold,
no gap, no history and says no reason."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Select, and_, func, select

from arsync.store import tables as t
from arsync.store.engine import Store, Work

_STEPS: Final = ((30, "final"), (21, "call"), (14, "firm"), (3, "friendly"), (-3, "courtesy"))
_DUE_ON: Final = 9


def _queries(connection_id: int) -> list[Select[*tuple[Any, ...]]]:
    i, c, k, h, m, n = (
        table.c for table in (t.invoices, t.customers, t.contacts, t.chases, t.messages, t.message_items)
    )
    p = t.payments.c
    billed = and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id)
    return [
        select(
            c.payer_id, c.name, i.remote_id, i.number, i.customer_id, i.currency, i.total, i.balance, i.issued_on,
            i.due_on, i.reference, i.email, i.purchase_order, i.copies, func.coalesce(i.terms, c.terms),
        )
        .select_from(t.invoices.outerjoin(t.customers, billed))
        .where(i.connection_id == connection_id, i.state == "open", i.balance > 0),
        select(c.remote_id, c.name, c.country, c.language, c.region, c.address, c.balance).where(
            c.connection_id == connection_id
        ),
        select(k.customer_id, k.name, k.email, k.phone, k.role).where(k.connection_id == connection_id),
        select(p.customer_id, p.currency, p.unapplied).where(p.connection_id == connection_id, p.unapplied != 0),
        select(t.holds).where(t.holds.c.connection_id == connection_id),
        select(
            h.id, h.payer_id, h.currency, h.state, h.version, h.opened_at, h.rulebook, h.playbook, h.playbook_version
        ).where(h.connection_id == connection_id),
        select(m.id, m.chase_id, m.step_id, m.occurrence, m.state, m.sent_on, m.planned_on).where(
            m.connection_id == connection_id
        ),
        select(n.message_id, n.invoice_id).where(n.demanded),
    ]  # fmt: skip


def _verdicts(connection_id: int) -> Select[*tuple[Any, ...]]:
    v = t.verdicts.c
    return select(v.id, v.invoice_id, v.inputs, v.chase_id).where(
        v.connection_id == connection_id, v.last_run.is_(None)
    )


def choose(database: Path, connection_id: int, today: date, *, with_verdicts: bool) -> Counter[str]:
    """How many invoices would be in which step; with the verdicts that stand, where the night reads them, too."""
    store = Store(f"sqlite:///{database}")
    with store.reading() as work:
        invoices, *_others = _rows(work, connection_id, with_verdicts=with_verdicts)
        found = Counter(_step(row[_DUE_ON], today) for row in invoices)
    store.close()
    return found


def _rows(work: Work, connection_id: int, *, with_verdicts: bool) -> list[list[tuple[Any, ...]]]:
    queries = _queries(connection_id)
    if with_verdicts:
        queries.append(_verdicts(connection_id))
    return [[tuple(row) for row in work.execute(query)] for query in queries]


def _step(due_on: date | None, today: date) -> str:
    if due_on is None:
        return "none"
    late = (today - due_on).days
    for offset, name in _STEPS:
        if late >= offset:
            return name
    return "none"
