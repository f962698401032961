"""Holds: what a person stopped, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, case, func, insert, select, union_all, update

from arsync.domain.chase import Hold
from arsync.domain.money import Money
from arsync.domain.people import DisputeCode
from arsync.domain.states import HoldKind, HoldState
from arsync.store import chases
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.prepared import Prepared


@dataclass(frozen=True, slots=True)
class PlacedHold:
    """A hold as placed: what it stops, and its id to lift it by."""

    id: int
    connection_id: int
    hold: Hold
    state: HoldState
    created_at: datetime
    promise_id: int | None = None  # what it stands for, and ends with
    plan_id: int | None = None
    call_id: int | None = None  # the outcome of a call with which it was said
    reply_id: int | None = None


_H = t.holds.c
_COLUMNS = (
    _H.id, _H.connection_id, _H.kind, _H.reason, _H.author, _H.payer_id, _H.invoice_id,
    _H.begins, _H.until, _H.state, _H.created_at, _H.code, _H.amount, _H.currency, _H.promise_id, _H.plan_id,
    _H.call_id, _H.reply_id,
)  # fmt: skip
_ACTIVE: Final = Prepared(
    select(*_COLUMNS).where(_H.connection_id == bindparam("of"), _H.state == HoldState.ACTIVE.value).order_by(_H.id)
)


def place(
    work: Work,
    connection_id: int,
    hold: Hold,
    *,
    now: datetime,
    promise_id: int | None = None,
    plan_id: int | None = None,
    call_id: int | None = None,
    reply_id: int | None = None,
) -> int:
    """Places a hold; whatever is about to leave for its payer is stopped at the last gate."""
    _bump(work, connection_id, hold.payer_id)  # first: under the chases' locks it comes before a gate or after it
    statement = (
        insert(t.holds)
        .values(
            connection_id=connection_id,
            payer_id=hold.payer_id,
            invoice_id=hold.invoice_id,
            kind=hold.kind.value,
            state=HoldState.ACTIVE.value,
            reason=hold.reason,
            author=hold.author,
            begins=hold.begins,
            until=hold.until,
            created_at=now,
            code=hold.code.value if hold.code else None,
            amount=hold.part.amount if hold.part else None,
            currency=hold.part.currency if hold.part else None,
            promise_id=promise_id,
            plan_id=plan_id,
            call_id=call_id,
            reply_id=reply_id,
        )
        .returning(_H.id)
    )
    return int(work.execute(statement).scalar_one())


def lift(work: Work, hold_id: int, *, now: datetime) -> PlacedHold | None:
    """Ends a hold, and tells which it was; None where it was not active."""
    before = _placed(work, _H.id == hold_id, _H.state == HoldState.ACTIVE.value)
    if not before:
        return None
    _bump(work, before[0].connection_id, before[0].hold.payer_id)  # first, as in `place` and after a merge
    statement = (
        update(t.holds)
        .where(_H.id == hold_id, _H.state == HoldState.ACTIVE.value)
        .values(state=HoldState.LIFTED.value, ended_at=now)
    )
    if not work.execute(statement).rowcount:
        return None
    (lifted,) = _placed(work, _H.id == hold_id)
    if lifted.hold.payer_id != before[0].hold.payer_id:  # it has gone along with a merge meanwhile
        _bump(work, lifted.connection_id, lifted.hold.payer_id)
    return lifted


def lift_with(
    work: Work,
    connection_id: int,
    *,
    promise_id: int | None = None,
    plan_id: int | None = None,
    call_id: int | None = None,
    reply_id: int | None = None,
    now: datetime,
) -> list[PlacedHold]:
    """Ends the holds that stand for a promise, a plan or a reply, or were said with a call, wherever they have gone
    since; tells which they were."""
    named = ((_H.reply_id, reply_id), (_H.call_id, call_id), (_H.plan_id, plan_id), (_H.promise_id, promise_id))
    for column, number in named:
        if number is not None:
            mine = column == number
            break
    else:
        raise ValueError("lift_with: what do they stand for?")
    standing = _placed(work, _H.connection_id == connection_id, mine, _H.state == HoldState.ACTIVE.value)
    return [lifted for one in standing if (lifted := lift(work, one.id, now=now)) is not None]


def expire(work: Work, connection_id: int, *, today: date, now: datetime) -> int:
    """Marks the holds whose last day has passed in the company's timezone."""
    over = (_H.connection_id == connection_id, _H.state == HoldState.ACTIVE.value, _H.until < today)
    payers = set(work.execute(select(_H.payer_id).where(*over)).scalars())
    chases.lock_payers(work, connection_id, payers)
    statement = update(t.holds).where(*over).values(state=HoldState.EXPIRED.value, ended_at=now)
    return work.execute(statement).rowcount


def active(work: Work, connection_id: int) -> list[PlacedHold]:
    """The holds that stop something, oldest first."""
    return [_hold(*row) for row in _ACTIVE(work, of=connection_id)]


def get(work: Work, hold_id: int) -> PlacedHold | None:
    """The hold of that number, ended or not."""
    found = _placed(work, _H.id == hold_id)
    return found[0] if found else None


def promised(work: Work, connection_id: int, invoice_id: str, *, today: date) -> date | None:
    """The day that the newest promise for an invoice names, of those that have neither ended nor passed."""
    p = t.promises.c
    named = select(p.promised_on).where(p.id == _H.promise_id).scalar_subquery()
    query = select(func.coalesce(named, _H.until)).where(
        _H.connection_id == connection_id,
        _H.invoice_id == invoice_id,
        _H.kind == HoldKind.PROMISE.value,
        _H.state == HoldState.ACTIVE.value,
        _H.until >= today,
    )
    found: date | None = work.execute(query.order_by(_H.id.desc()).limit(1)).scalar_one_or_none()
    return found


def of_payer(
    work: Work, connection_id: int, payer_id: str, invoice_id: str | None = None, *, most: int | None = None
) -> list[PlacedHold]:
    """Every hold there ever was on the payer, on that invoice, or on all of the connection, oldest first; with `most`
    so many at most: those that stand, and the newest of the others."""
    whose = [_H.payer_id == payer_id, and_(_H.payer_id.is_(None), _H.invoice_id.is_(None))]
    if invoice_id is not None:
        whose.append(_H.invoice_id == invoice_id)
    # Each by its index: a database that is asked for any of them goes through all of the company's.
    each = union_all(*(select(_H.id).where(_H.connection_id == connection_id, one) for one in whose))
    stands = case((_H.state == HoldState.ACTIVE.value, 0), else_=1)
    query = select(*_COLUMNS).where(_H.id.in_(select(each.subquery().c.id))).order_by(stands, _H.id.desc())
    return sorted((_hold(*row) for row in work.execute(query.limit(most))), key=lambda one: one.id)


def _placed(work: Work, *where: ColumnElement[bool]) -> list[PlacedHold]:
    return [_hold(*row) for row in work.execute(select(*_COLUMNS).where(*where).order_by(_H.id))]


def _hold(
    number: int, connection_id: int, kind: str, reason: str, author: str, payer_id: str | None, invoice_id: str | None,
    begins: date, until: date | None, state: str, created_at: datetime, code: str | None, amount: Decimal | None,
    currency: str, *stands_for: int | None,
) -> PlacedHold:  # fmt: skip
    """In the order of the columns above."""
    hold = Hold(
        kind=HoldKind(kind), reason=reason, author=author, payer_id=payer_id, invoice_id=invoice_id, begins=begins,
        until=until, part=None if amount is None else Money(amount, currency), code=DisputeCode(code) if code else None,
    )  # fmt: skip
    return PlacedHold(number, connection_id, hold, HoldState(state), created_at, *stands_for)


def _bump(work: Work, connection_id: int, payer_id: str | None) -> None:
    if payer_id is not None:
        chases.bump(work, connection_id, [payer_id])
        return
    chases.bump_all(work, connection_id)
