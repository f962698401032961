"""What customers promised: single promises, and plans of instalments, which are promises agreed together.

Whether one was kept the ledger tells: what was put on its invoices since it was given. Of several about the same the
earlier day has the first money.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, insert, select, update

from arsync.domain.documents import CreditState, InvoiceState
from arsync.domain.money import Money
from arsync.domain.states import PlanState, PromiseState
from arsync.store import chases, events, holds
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work
from arsync.store.holds import PlacedHold
from arsync.store.payers import paid_for_by
from arsync.store.prepared import Prepared

_P: Final = t.promises.c
_L: Final = t.plans.c
_ZERO: Final = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Promise:
    """What the customer will pay and when; `until` is the last day of grace."""

    id: int
    connection_id: int
    payer_id: str
    invoice_id: str | None  # None: all that the payer owed when it was given, or its plan's
    amount: Money
    promised_on: date
    grace: int  # business days
    until: date
    state: PromiseState
    reason: str
    author: str
    created_at: datetime
    settled_at: datetime | None
    paid_before: Decimal
    plan_id: int | None


@dataclass(frozen=True, slots=True)
class InstalmentPlan:
    """Instalments as agreed."""

    id: int
    connection_id: int
    payer_id: str
    total: Money
    state: PlanState
    reason: str
    author: str
    created_at: datetime
    invoice_ids: tuple[str, ...]
    instalments: tuple[Promise, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """A promise whose day is over, or whose money has come; `why` in words."""

    promise: Promise  # as it is now
    why: str
    invoice_ids: tuple[str, ...]
    plan: InstalmentPlan | None = None
    plan_ended: bool = False  # the plan ends with it


# --- given ---------------------------------------------------------------------------------------------------


def give(
    work: Work,
    connection_id: int,
    *,
    payer_id: str,
    invoice_id: str | None,
    amount: Money,
    promised_on: date,
    grace: int,
    until: date,
    reason: str,
    author: str,
    now: datetime,
    about: Collection[str] = (),
) -> int:
    """Keeps a promise for an invoice, or (None) for several: those it is `about`, else all that the payer owes in the
    currency; the holds that stand for it are the caller's, in the same work. Its number."""
    chases.bump(work, connection_id, [payer_id])
    if invoice_id is not None:
        every: Collection[str] = (invoice_id,)
    else:
        every = sorted(about) or open_invoices(work, connection_id, payer_id, amount.currency)
    paid = _paid(work, connection_id, every)
    values = _values(connection_id, payer_id, amount, promised_on, grace, until, reason, author, now, paid)
    statement = insert(t.promises).values(**values, invoice_id=invoice_id).returning(_P.id)
    promise_id = int(work.execute(statement).scalar_one())
    if invoice_id is None and every:
        work.execute(insert(t.promise_invoices), [{"promise_id": promise_id, "invoice_id": one} for one in every])
    return promise_id


def agree(
    work: Work,
    connection_id: int,
    *,
    payer_id: str,
    invoice_ids: Collection[str],
    instalments: Sequence[tuple[date, date, Money]],
    grace: int,
    reason: str,
    author: str,
    now: datetime,
) -> int:
    """Keeps a plan of instalments (day, last day of grace, amount) for these invoices, or for all that the payer owes
    in the currency; its holds are the caller's. Its number."""
    currency = instalments[0][2].currency
    agreed = sum((amount for _, _, amount in instalments), start=Money(_ZERO, currency))
    chases.bump(work, connection_id, [payer_id])
    statement = insert(t.plans).values(
        connection_id=connection_id, payer_id=payer_id, currency=currency, total=agreed.amount,
        state=PlanState.ON_TRACK.value, reason=reason, author=author, created_at=now,
    )  # fmt: skip
    plan_id = int(work.execute(statement.returning(_L.id)).scalar_one())
    every = tuple(sorted(invoice_ids)) or open_invoices(work, connection_id, payer_id, currency)
    if every:
        work.execute(insert(t.plan_invoices), [{"plan_id": plan_id, "invoice_id": one} for one in every])
    paid = _paid(work, connection_id, every)
    for day, until, amount in instalments:
        values = _values(connection_id, payer_id, amount, day, grace, until, reason, author, now, paid)
        work.execute(insert(t.promises).values(**values, plan_id=plan_id))
    return plan_id


def _values(
    connection_id: int, payer_id: str, amount: Money, promised_on: date, grace: int, until: date, reason: str,
    author: str, now: datetime, paid: Decimal,
) -> dict[str, Any]:  # fmt: skip
    return {
        "connection_id": connection_id, "payer_id": payer_id, "currency": amount.currency, "amount": amount.amount,
        "promised_on": promised_on, "grace": grace, "until": until, "state": PromiseState.OPEN.value,
        "reason": reason, "author": author, "created_at": now, "paid_before": paid,
    }  # fmt: skip


# --- taken back ------------------------------------------------------------------------------------------------


def withdraw(work: Work, lifted: PlacedHold, *, now: datetime) -> list[PlacedHold]:
    """Takes back what a lifted hold stood for, with the other holds that stood for it; those others."""
    if lifted.plan_id is not None:
        _end_plan(work, lifted.plan_id, PlanState.WITHDRAWN, now=now)
    elif lifted.promise_id is not None:
        _move(work, lifted.promise_id, PromiseState.WITHDRAWN, now=now)
    else:
        return []
    return holds.lift_with(
        work, lifted.connection_id, promise_id=lifted.promise_id, plan_id=lifted.plan_id, now=now
    )  # fmt: skip


def _move(work: Work, promise_id: int, state: PromiseState, *, now: datetime) -> bool:
    still = and_(_P.id == promise_id, _P.state == PromiseState.OPEN.value)
    return bool(
        work.execute(update(t.promises).where(still).values(state=state.value, settled_at=now)).rowcount
    )  # fmt: skip


def _end_plan(work: Work, plan_id: int, state: PlanState, *, now: datetime) -> None:
    """Ends a plan; instalments that were still to come end with it."""
    still = and_(_P.plan_id == plan_id, _P.state == PromiseState.OPEN.value)
    work.execute(update(t.promises).where(still).values(state=PromiseState.WITHDRAWN.value, settled_at=now))
    standing = and_(_L.id == plan_id, _L.state == PlanState.ON_TRACK.value)
    work.execute(update(t.plans).where(standing).values(state=state.value, ended_at=now))


# --- kept or broken -----------------------------------------------------------------------------------------------


def settle(work: Work, connection_id: int, *, today: date, now: datetime) -> list[Settled]:
    """Says of each open promise whether the ledger has its money, or its grace has passed without; ends its holds and
    its plan with it. Asked again it answers nothing."""
    waiting = _found(work, _P.connection_id == connection_id, _P.state == PromiseState.OPEN.value)
    chases.lock_payers(work, connection_id, {one.payer_id for one in waiting})
    used: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    answers: list[Settled] = []
    for (plan_id, scope), same in sorted(_alike(work, waiting).items(), key=lambda name: str(name[0])):
        payer_id, currency = same[0].payer_id, same[0].amount.currency
        plan = None if plan_id is None else plan_of(work, plan_id)
        paid, owed = _paid(work, connection_id, scope), _owed(work, connection_id, scope)
        loose = _loose(work, connection_id, payer_id, currency) - used[payer_id, currency]
        for one, state, why, taken in _judged(same, paid, owed, loose, today):
            used[payer_id, currency] += taken
            if not _move(work, one.id, state, now=now):
                continue
            now_is = replace(one, state=state, settled_at=now)
            answers.append(Settled(now_is, why, scope, plan, _end_with(work, now_is, plan, now=now)))
            if state is PromiseState.BROKEN and plan is not None:
                break  # the others fall with it
    for answer in answers:
        _tell(work, answer, now)
    return answers


def _alike(work: Work, waiting: Iterable[Promise]) -> dict[tuple[int | None, tuple[str, ...]], list[Promise]]:
    """The promises about the very same invoices, those that were kept among them, by their days."""
    scopes = {one.id: (one.plan_id, invoices_of(work, one)) for one in waiting}
    payers = {(one.connection_id, one.payer_id) for one in waiting}
    found: dict[tuple[int | None, tuple[str, ...]], list[Promise]] = defaultdict(list)
    counted = (PromiseState.OPEN.value, PromiseState.KEPT.value)
    for connection_id, payer_id in sorted(payers):
        theirs = (_P.connection_id == connection_id, _P.payer_id == payer_id, _P.state.in_(counted))
        for one in _found(work, *theirs):
            found[scopes.get(one.id) or (one.plan_id, invoices_of(work, one))].append(one)
    return {scope: those for scope, those in found.items() if scope in set(scopes.values())}


def _judged(
    same: Iterable[Promise], paid: Decimal, owed: Decimal, loose: Decimal, today: date
) -> list[tuple[Promise, PromiseState, str, Decimal]]:
    """Those of the promises about the same that are decided, in the order of their days; `loose` is money that came
    and is on no invoice, and the last of each answer is how much of it went into this one."""
    answers = []
    reached: Decimal | None = None
    for one in same:
        needed = max(one.paid_before, reached if reached is not None else one.paid_before) + one.amount.amount
        if one.state is PromiseState.KEPT:
            reached = needed
            continue
        missing = needed - paid
        if owed <= 0:
            answers.append((one, PromiseState.KEPT, "nothing of it is owed any more", _ZERO))
        elif missing <= 0:
            answers.append((one, PromiseState.KEPT, f"{one.amount} has come", _ZERO))
        elif today <= one.until:
            pass
        elif missing <= loose:
            loose -= missing
            why = f"{Money(missing, one.amount.currency)} of it is money that is on no invoice yet"
            answers.append((one, PromiseState.KEPT, why, missing))
        else:
            came = Money(one.amount.amount - min(missing, one.amount.amount), one.amount.currency)
            answers.append((one, PromiseState.BROKEN, f"of {one.amount} {came} came by {one.until}", _ZERO))
            continue
        reached = needed
    return answers


def _end_with(work: Work, promise: Promise, plan: InstalmentPlan | None, *, now: datetime) -> bool:
    """Lifts what stood for the promise, or for its plan where that is over: whether the plan is."""
    if plan is None:
        holds.lift_with(work, promise.connection_id, promise_id=promise.id, now=now)
        chases.bump(work, promise.connection_id, [promise.payer_id])
        return False
    left = _found(work, _P.plan_id == plan.id, _P.state == PromiseState.OPEN.value)
    if promise.state is PromiseState.KEPT and left:
        return False
    _end_plan(work, plan.id, PlanState.PAID if promise.state is PromiseState.KEPT else PlanState.BROKEN, now=now)
    holds.lift_with(work, promise.connection_id, plan_id=plan.id, now=now)
    chases.bump(work, promise.connection_id, [promise.payer_id])
    return True


def _tell(work: Work, answer: Settled, now: datetime) -> None:
    one = answer.promise
    what = "instalment" if answer.plan else "promise"
    events.log(
        work, f"{what}_{one.state.value}", at=now, connection_id=one.connection_id, promise=one.id, plan=one.plan_id,
        payer=one.payer_id, invoice=one.invoice_id, amount=str(one.amount), day=one.promised_on, reason=answer.why,
    )  # fmt: skip


# --- queries -----------------------------------------------------------------------------------------------------


def get(work: Work, promise_id: int) -> Promise:
    """One promise."""
    (found,) = _found(work, _P.id == promise_id)
    return found


def of_connection(work: Work, connection_id: int) -> list[Promise]:
    """Every single promise, by its day."""
    return _found(work, _P.connection_id == connection_id, _P.plan_id.is_(None))


def in_state(work: Work, connection_id: int, state: PromiseState) -> list[Promise]:
    """Every promise and instalment in that state, by its day."""
    return _found(work, _P.connection_id == connection_id, _P.state == state.value)


def of_payer(work: Work, connection_id: int, payer_id: str) -> list[Promise]:
    """Every promise and instalment of a payer, by its day."""
    return _found(work, _P.connection_id == connection_id, _P.payer_id == payer_id)


def plans_of(work: Work, connection_id: int) -> list[InstalmentPlan]:
    """Every plan, oldest first."""
    ids = work.execute(select(_L.id).where(_L.connection_id == connection_id).order_by(_L.id)).scalars().all()
    return [plan_of(work, plan_id) for plan_id in ids]


def plan_of(work: Work, plan_id: int) -> InstalmentPlan:
    """One plan with its instalments."""
    row = work.execute(select(t.plans).where(_L.id == plan_id)).one()
    n = t.plan_invoices.c
    named = select(n.invoice_id).where(n.plan_id == plan_id).order_by(n.invoice_id)
    return InstalmentPlan(
        row.id, row.connection_id, row.payer_id, Money(row.total, row.currency), PlanState(row.state), row.reason,
        row.author, row.created_at, tuple(work.execute(named).scalars()), tuple(_found(work, _P.plan_id == plan_id)),
    )  # fmt: skip


def broken(work: Work, connection_id: int, payer_id: str | None = None) -> dict[str, datetime]:
    """Each open invoice (of a payer, when it was given) for which something promised did not come, and when that was
    last found."""
    found: dict[str, datetime] = {}
    for query in _broken(payer_id is not None):
        for invoice_id, at in query(work, of=connection_id, payer=payer_id):
            found[invoice_id] = max(at, found.get(invoice_id, at))
    return found


@cache
def _broken(one: bool) -> tuple[Prepared, ...]:
    i, n, r = t.invoices.c, t.plan_invoices.c, t.promise_invoices.c
    where = [
        _P.connection_id == bindparam("of"),
        _P.state == PromiseState.BROKEN.value,
        i.connection_id == bindparam("of"),
        i.state == InvoiceState.OPEN.value,
    ]
    if one:
        where.append(_P.payer_id == bindparam("payer"))
    plans = t.promises.join(t.plan_invoices, n.plan_id == _P.plan_id)
    wholes = t.promises.join(t.promise_invoices, r.promise_id == _P.id)
    ways = ((t.promises, _P.invoice_id), (plans, n.invoice_id), (wholes, r.invoice_id))
    return tuple(
        Prepared(select(named, _P.settled_at).select_from(joined.join(t.invoices, i.remote_id == named)).where(*where))
        for joined, named in ways
    )


def invoices_of(work: Work, promise: Promise) -> tuple[str, ...]:
    """What a promise is about."""
    if promise.invoice_id is not None:
        return (promise.invoice_id,)
    n, r = t.plan_invoices.c, t.promise_invoices.c
    named = select(r.invoice_id).where(r.promise_id == promise.id)
    if promise.plan_id is not None:
        named = select(n.invoice_id).where(n.plan_id == promise.plan_id)
    return tuple(sorted(work.execute(named).scalars()))


def _found(work: Work, *where: ColumnElement[bool]) -> list[Promise]:
    query = select(t.promises).where(*where).order_by(_P.promised_on, _P.id)
    return [
        Promise(
            row.id, row.connection_id, row.payer_id, row.invoice_id, Money(row.amount, row.currency), row.promised_on,
            row.grace, row.until, PromiseState(row.state), row.reason, row.author, row.created_at, row.settled_at,
            row.paid_before, row.plan_id,
        )
        for row in work.execute(query)
    ]  # fmt: skip


# --- the ledger ---------------------------------------------------------------------------------------------------


def open_invoices(work: Work, connection_id: int, payer_id: str, currency: str) -> tuple[str, ...]:
    """What the payer owes in that currency, by id."""
    i = t.invoices.c
    query = select(i.remote_id).where(
        i.connection_id == connection_id, i.currency == currency, i.state == InvoiceState.OPEN.value, i.balance > 0,
        i.customer_id.in_(paid_for_by(connection_id, payer_id)),
    )  # fmt: skip
    return tuple(work.execute(query.order_by(i.remote_id)).scalars())


def _paid(work: Work, connection_id: int, invoice_ids: Collection[str]) -> Decimal:
    a = t.allocations.c
    query = select(a.amount).where(a.connection_id == connection_id, among(work, a.invoice_id, invoice_ids))
    return sum(work.execute(query).scalars(), start=_ZERO)  # summed here: a database's own sum may overflow


def _owed(work: Work, connection_id: int, invoice_ids: Collection[str]) -> Decimal:
    i = t.invoices.c
    query = select(i.balance).where(
        i.connection_id == connection_id, among(work, i.remote_id, invoice_ids), i.state == InvoiceState.OPEN.value
    )
    return sum(work.execute(query).scalars(), start=_ZERO)


def _loose(work: Work, connection_id: int, payer_id: str, currency: str) -> Decimal:
    """Money and credit of the payer that is on no invoice."""
    c = t.customers.c
    found = _ZERO
    for table in (t.payments, t.credit_notes):
        x = table.c
        joined = table.join(t.customers, and_(c.connection_id == x.connection_id, c.remote_id == x.customer_id))
        query = select(x.unapplied).select_from(joined).where(
            x.connection_id == connection_id, c.payer_id == payer_id, x.currency == currency,
            x.state == CreditState.ACTIVE.value, x.unapplied != 0,
        )  # fmt: skip
        found = sum(work.execute(query).scalars(), start=found)
    return found
