"""What people did by hand (touches), how calls of the list went, and what they want remembered (comments)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, insert, or_, select, update

from arsync.domain.people import CallMade, CallOutcome, TouchKind
from arsync.store import chases
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work

_T = t.touches.c
_I = t.touched_invoices.c
_C = t.call_outcomes.c
_K = t.comments.c


@dataclass(frozen=True, slots=True)
class Touch:
    """A customer reached without arsync, on the company's day."""

    id: int
    connection_id: int
    payer_id: str
    kind: TouchKind
    made_on: date
    step_id: str | None  # the step of the ladder that it stood for; None: it counts for gap and caps alone
    comment: str
    author: str
    created_at: datetime
    invoice_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call of the list went, as a person says."""

    id: int
    connection_id: int
    payer_id: str
    chase_id: int
    message_id: int
    step_id: str
    outcome: CallOutcome
    made_on: date
    comment: str
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wants remembered, and looked at again from a day on."""

    id: int
    connection_id: int
    payer_id: str
    invoice_id: str | None
    text: str
    follow_up: date | None
    author: str
    created_at: datetime
    done_at: datetime | None


# --- touches -------------------------------------------------------------------------------------------------


def keep_touch(
    work: Work, connection_id: int, *, payer_id: str, kind: TouchKind, made_on: date, step_id: str | None,
    invoice_ids: Collection[str], comment: str, author: str, now: datetime,
) -> int:  # fmt: skip
    """Keeps what was done by hand, about these invoices; it counts from its commit on. Its number."""
    chases.bump(work, connection_id, [payer_id])
    statement = insert(t.touches).values(
        connection_id=connection_id, payer_id=payer_id, kind=kind.value, made_on=made_on, step_id=step_id,
        comment=comment, author=author, created_at=now,
    )  # fmt: skip
    touch_id = int(work.execute(statement.returning(_T.id)).scalar_one())
    rows = [{"touch_id": touch_id, "invoice_id": one} for one in sorted(set(invoice_ids))]
    if rows:
        work.execute(insert(t.touched_invoices), rows)
    return touch_id


def undo_touch(work: Work, touch_id: int, *, now: datetime) -> Touch | None:
    """Takes a touch back, and tells which it was; None where it does not stand."""
    found = next(iter(_touches(work, _T.id == touch_id, _T.undone_at.is_(None))), None)
    if found is not None:
        chases.bump(work, found.connection_id, [found.payer_id])
        work.execute(update(t.touches).where(_T.id == touch_id).values(undone_at=now))
    return found


def standing(work: Work, connection_id: int, payer_id: str | Collection[str] | None = None) -> list[Touch]:
    """The touches that count, oldest first; of a payer, or of some, also those about invoices that they pay by now."""
    where = [_T.connection_id == connection_id, _T.undone_at.is_(None)]
    if payer_id is not None:
        i, c = t.invoices.c, t.customers.c
        joined = t.touched_invoices.join(t.invoices, i.remote_id == _I.invoice_id).join(
            t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id)
        )
        who = [payer_id] if isinstance(payer_id, str) else payer_id
        paid = (i.connection_id == connection_id, among(work, c.payer_id, who))
        named = select(_I.touch_id).select_from(joined).where(*paid)
        where.append(or_(among(work, _T.payer_id, who), _T.id.in_(named)))
    return _touches(work, *where)


def _touches(work: Work, *where: ColumnElement[bool]) -> list[Touch]:
    rows = work.execute(select(t.touches).where(*where).order_by(_T.made_on, _T.id)).all()
    about: dict[int, list[str]] = defaultdict(list)
    for touch_id, invoice_id in work.execute(
        select(_I.touch_id, _I.invoice_id).where(_I.touch_id.in_(select(_T.id).where(*where)))
    ):
        about[touch_id].append(invoice_id)
    return [
        Touch(
            row.id, row.connection_id, row.payer_id, TouchKind(row.kind), row.made_on, row.step_id, row.comment,
            row.author, row.created_at, tuple(sorted(about[row.id])),
        )
        for row in rows
    ]  # fmt: skip


# --- calls of the list ------------------------------------------------------------------------------------------


def keep_outcome(
    work: Work, message_id: int, outcome: CallOutcome, *, made_on: date, comment: str, author: str, now: datetime
) -> int:
    """Keeps how a call went. Its number."""
    m, h = t.messages.c, t.chases.c
    joined = t.messages.join(t.chases, h.id == m.chase_id)
    chase = work.execute(select(h.connection_id, h.payer_id).select_from(joined).where(m.id == message_id)).one()
    chases.bump(work, chase.connection_id, [chase.payer_id])
    statement = insert(t.call_outcomes).values(
        message_id=message_id, outcome=outcome.value, made_on=made_on, comment=comment, author=author, created_at=now
    )
    return int(work.execute(statement.returning(_C.id)).scalar_one())


def undo_outcome(work: Work, outcome_id: int, *, now: datetime) -> Outcome | None:
    """Takes back how a call went, and tells which it was; None where it does not stand."""
    found = next(iter(_outcomes(work, _C.id == outcome_id)), None)
    if found is not None:
        chases.bump(work, found.connection_id, [found.payer_id])
        work.execute(update(t.call_outcomes).where(_C.id == outcome_id).values(undone_at=now))
    return found


def outcomes(work: Work, connection_id: int, payer_id: str | Collection[str] | None = None) -> list[Outcome]:
    """How calls went, oldest first."""
    where = [t.messages.c.connection_id == connection_id]
    if payer_id is not None:
        who = [payer_id] if isinstance(payer_id, str) else payer_id
        where.append(among(work, t.chases.c.payer_id, who))
    return _outcomes(work, *where)


def calls_of_chases(
    work: Work, connection_id: int, payer_id: str | Collection[str] | None = None
) -> dict[int, tuple[CallMade, ...]]:
    """As the planner wants them: by chase, oldest first."""
    found: dict[int, tuple[CallMade, ...]] = defaultdict(tuple)
    for one in outcomes(work, connection_id, payer_id):
        found[one.chase_id] += (CallMade(one.outcome, one.made_on, one.step_id),)
    return found


def _outcomes(work: Work, *where: ColumnElement[bool]) -> list[Outcome]:
    m, h = t.messages.c, t.chases.c
    joined = t.call_outcomes.join(t.messages, m.id == _C.message_id).join(t.chases, h.id == m.chase_id)
    query = select(
        _C.id, m.connection_id, h.payer_id, m.chase_id, _C.message_id, m.step_id, _C.outcome, _C.made_on, _C.comment,
        _C.author, _C.created_at,
    ).select_from(joined).where(_C.undone_at.is_(None), *where)  # fmt: skip
    return [
        Outcome(
            row.id, row.connection_id, row.payer_id, row.chase_id, row.message_id, row.step_id,
            CallOutcome(row.outcome), row.made_on, row.comment, row.author, row.created_at,
        )
        for row in work.execute(query.order_by(_C.made_on, _C.id))
    ]  # fmt: skip


# --- comments -----------------------------------------------------------------------------------------------------


def keep_comment(
    work: Work, connection_id: int, *, payer_id: str, invoice_id: str | None, text: str, follow_up: date | None,
    author: str, now: datetime,
) -> int:  # fmt: skip
    """Keeps a comment; it stops nothing. Its number."""
    statement = insert(t.comments).values(
        connection_id=connection_id, payer_id=payer_id, invoice_id=invoice_id, text=text, follow_up=follow_up,
        author=author, created_at=now,
    )  # fmt: skip
    return int(work.execute(statement.returning(_K.id)).scalar_one())


def end_comment(work: Work, comment_id: int, *, now: datetime) -> Comment | None:
    """Says that a comment is done with, and tells which it was; None where it is already."""
    found = next(iter(_comments(work, _K.id == comment_id, _K.done_at.is_(None))), None)
    if found is not None:
        work.execute(update(t.comments).where(_K.id == comment_id).values(done_at=now))
    return found


def comments(work: Work, connection_id: int, payer_id: str | None = None) -> list[Comment]:
    """What was said of a payer, or of all, oldest first; what is done with, too."""
    where = [_K.connection_id == connection_id]
    if payer_id is not None:
        where.append(_K.payer_id == payer_id)
    return _comments(work, *where)


def due_comments(work: Work, connection_id: int, *, today: date) -> list[Comment]:
    """What is to be looked at again by that day, the oldest first."""
    return _comments(work, _K.connection_id == connection_id, _K.done_at.is_(None), _K.follow_up <= today)


def _comments(work: Work, *where: ColumnElement[bool]) -> list[Comment]:
    query = select(t.comments).where(*where).order_by(_K.follow_up, _K.id)
    return [
        Comment(
            row.id, row.connection_id, row.payer_id, row.invoice_id, row.text, row.follow_up, row.author,
            row.created_at, row.done_at,
        )
        for row in work.execute(query)
    ]  # fmt: skip
