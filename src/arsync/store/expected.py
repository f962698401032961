"""What bears on when open invoices are paid, as it was known at the end of a day: what was open, held and promised."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import and_, func, or_, select

from arsync.domain.parting import Promise
from arsync.domain.states import HoldKind, PromiseState
from arsync.store import tables as t
from arsync.store.aged import open_invoices
from arsync.store.bulk import among
from arsync.store.engine import Work
from arsync.store.types import units

#: These say nothing against an early payment: what was agreed stands by itself, or money is taken without anybody's
#: asking.
_NO_BRAKE: Final = (HoldKind.PROMISE.value, HoldKind.PLAN.value, HoldKind.AUTOPAY.value)


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """What was open on an invoice, in ten-thousandths."""

    payer_id: str
    payer: str
    invoice_id: str
    number: str
    currency: str
    due_on: date | None
    units: int


def open_then(work: Work, connection_id: int, on: date) -> list[OpenInvoice]:
    """The invoices on which something was open at the end of that day, by what is known today; one query."""
    one, i, c = open_invoices(connection_id, on), t.invoices.c, t.customers.c
    query = (
        select(
            one.c.payer_id, func.coalesce(c.name, one.c.payer_id), one.c.invoice_id, i.number, one.c.currency,
            one.c.due_on, one.c.open,
        )
        .select_from(
            one.join(t.invoices, and_(i.connection_id == connection_id, i.remote_id == one.c.invoice_id)).outerjoin(
                t.customers, and_(c.connection_id == connection_id, c.remote_id == one.c.payer_id)
            )
        )
        .where(one.c.open > 0)
    )  # fmt: skip
    return [
        OpenInvoice(payer_id, payer, invoice_id, number, currency, due_on, int(left))
        for payer_id, payer, invoice_id, number, currency, due_on, left in work.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class Brake:
    """A hold on an invoice, or (no invoice) on all that a payer owes; `part`: only that much of it is disputed."""

    payer_id: str | None
    invoice_id: str | None
    kind: HoldKind
    until: date | None
    part: int | None


def brakes(work: Work, connection_id: int, on: date, end: datetime) -> list[Brake]:
    """The holds that stood at the `end` of that day, but for those of promises and of what is collected by itself."""
    h = t.holds.c
    query = (
        select(h.payer_id, h.invoice_id, h.kind, h.until, units(h.amount))
        .where(
            h.connection_id == connection_id, h.kind.not_in(_NO_BRAKE), h.begins <= on, h.created_at < end,
            or_(h.until.is_(None), h.until >= on), or_(h.ended_at.is_(None), h.ended_at >= end),
        )
        .order_by(h.id)
    )  # fmt: skip
    return [
        Brake(payer, invoice, HoldKind(kind), until, part) for payer, invoice, kind, until, part in work.execute(query)
    ]


def agreed(work: Work, connection_id: int, on: date, end: datetime) -> list[Promise]:
    """What was promised and stood at the `end` of that day, by its days, along with what had been kept of it; four
    queries, one where nothing was."""
    p = t.promises.c
    stood = or_(p.settled_at.is_(None), p.settled_at >= end, p.state == PromiseState.KEPT.value)
    query = (
        select(p.id, p.payer_id, p.invoice_id, p.currency, units(p.amount), p.promised_on, p.until, p.settled_at,
               p.plan_id, units(p.paid_before))
        .where(p.connection_id == connection_id, p.created_at < end, stood)
        .order_by(p.promised_on, p.id)
    )  # fmt: skip
    rows = list(work.execute(query))
    if not rows:
        return []
    of_promise, of_plan = _scopes(work, connection_id)
    scopes = [
        (row.invoice_id,) if row.invoice_id is not None
        else tuple(sorted(of_promise[row.id] if row.plan_id is None else of_plan[row.plan_id]))
        for row in rows
    ]  # fmt: skip
    paid = _put(work, connection_id, {invoice for scope in scopes for invoice in scope}, on)
    found = []
    for row, scope in zip(rows, scopes, strict=True):
        _, payer, _, currency, amount, promised_on, until, settled_at, plan_id, before = row
        kept = settled_at is not None and settled_at < end
        now = sum(paid[invoice] for invoice in scope)
        found.append(Promise(payer, currency, amount, promised_on, until, kept, plan_id, scope, before, now))
    return found


def _scopes(work: Work, connection_id: int) -> tuple[Mapping[int, list[str]], Mapping[int, list[str]]]:
    """The invoices of each promise that is about several, and of each plan."""
    p, r, n = t.promises.c, t.promise_invoices.c, t.plan_invoices.c
    of_promise: defaultdict[int, list[str]] = defaultdict(list)
    of_plan: defaultdict[int, list[str]] = defaultdict(list)
    several = select(r.promise_id, r.invoice_id).join(t.promises, p.id == r.promise_id)
    planned = select(n.plan_id, n.invoice_id).join(t.plans, t.plans.c.id == n.plan_id)
    for number, invoice_id in work.execute(several.where(p.connection_id == connection_id)):
        of_promise[number].append(invoice_id)
    for number, invoice_id in work.execute(planned.where(t.plans.c.connection_id == connection_id)):
        of_plan[number].append(invoice_id)
    return of_promise, of_plan


def _put(work: Work, connection_id: int, invoice_ids: Collection[str], on: date) -> Counter[str]:
    """What was put on these invoices by the end of that day."""
    a = t.allocations.c
    query = select(a.invoice_id, units(a.amount)).where(
        a.connection_id == connection_id, a.allocated_on <= on, among(work, a.invoice_id, sorted(invoice_ids))
    )
    found: Counter[str] = Counter()
    for invoice_id, amount in work.execute(query):
        found[invoice_id] += amount
    return found


def reliability(work: Work, connection_id: int, end: datetime) -> dict[str, tuple[int, int]]:
    """Of each payer how many promises and instalments had been kept, and broken, before that instant."""
    p = t.promises.c
    query = (
        select(p.payer_id, p.state, func.count())
        .where(
            p.connection_id == connection_id, p.settled_at < end,
            p.state.in_((PromiseState.KEPT.value, PromiseState.BROKEN.value)),
        )
        .group_by(p.payer_id, p.state)
    )  # fmt: skip
    found: dict[str, tuple[int, int]] = {}
    for payer_id, state, count in work.execute(query):
        kept, broken = found.get(payer_id, (0, 0))
        found[payer_id] = (kept + count, broken) if state == PromiseState.KEPT.value else (kept, broken + count)
    return found
