"""What people did by hand (touches), how calls of the list went, and what they want remembered (comments)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, insert, or_, select, update

from arsync.domain.people import CallMade, CallOutcome, TouchKind
from arsync.store import chases
from arsync.store import tables as t
from arsync.store.bulk import among_ids, among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared, Row

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
    if payer_id is None:
        return _with_invoices(work, _COUNTING(work, of=connection_id))
    who = [payer_id] if isinstance(payer_id, str) else payer_id
    return _with_invoices(work, _COUNTING_OF(work, of=connection_id, those=those(work, who)))


def _counting(dialect: str) -> Select[*tuple[Any, ...]]:
    """Of some payers where a `dialect` is named."""
    query = _TOUCHES.where(_T.connection_id == bindparam("of"), _T.undone_at.is_(None))
    if not dialect:
        return query
    i, c = t.invoices.c, t.customers.c
    joined = t.touched_invoices.join(t.invoices, i.remote_id == _I.invoice_id).join(
        t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id)
    )
    paid = (i.connection_id == bindparam("of"), among_those(dialect, c.payer_id))
    named = select(_I.touch_id).select_from(joined).where(*paid)
    return query.where(or_(among_those(dialect, _T.payer_id), _T.id.in_(named)))


_KIND: Final = Touch.__slots__.index("kind")
#: In the order of `Touch`, but for the invoices that it is about.
_TOUCHES: Final = select(
    _T.id, _T.connection_id, _T.payer_id, _T.kind, _T.made_on, _T.step_id, _T.comment, _T.author, _T.created_at
).order_by(_T.made_on, _T.id)
_COUNTING: Final = Prepared(_counting(""))
_COUNTING_OF: Final = Prepared(_counting)
_ABOUT: Final = Prepared(
    lambda dialect: select(_I.touch_id, _I.invoice_id).where(among_those(dialect, _I.touch_id, "touches"))
)


def _touches(work: Work, *where: ColumnElement[bool]) -> list[Touch]:
    return _with_invoices(work, [tuple(row) for row in work.execute(_TOUCHES.where(*where))])


def _with_invoices(work: Work, rows: Sequence[Row]) -> list[Touch]:
    if not rows:
        return []
    about: dict[int, list[str]] = defaultdict(list)
    for touch_id, invoice_id in _ABOUT(work, touches=those(work, [row[0] for row in rows])):
        about[touch_id].append(invoice_id)
    return [_touch(row, about[row[0]]) for row in rows]


def _touch(row: Row, about: Collection[str]) -> Touch:
    values = [*row, tuple(sorted(about))]
    values[_KIND] = TouchKind(values[_KIND])
    return Touch(*values)


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
    found = outcome(work, outcome_id)
    if found is not None:
        chases.bump(work, found.connection_id, [found.payer_id])
        work.execute(update(t.call_outcomes).where(_C.id == outcome_id).values(undone_at=now))
    return found


def outcomes(work: Work, connection_id: int, payer_id: str | Collection[str] | None = None) -> list[Outcome]:
    """How calls went, oldest first."""
    if payer_id is None:
        return [_outcome(row) for row in _STANDING(work, of=connection_id)]
    who = [payer_id] if isinstance(payer_id, str) else payer_id
    return [_outcome(row) for row in _STANDING_OF(work, of=connection_id, those=those(work, who))]


def outcome(work: Work, outcome_id: int) -> Outcome | None:
    """How a call went; None where that does not stand."""
    return next(iter(_outcomes(work, _C.id == outcome_id)), None)


def last_outcomes(work: Work, message_ids: Collection[int]) -> dict[int, Outcome]:
    """The last that is known of each of these calls, by message."""
    found = _outcomes(work, among_ids(work, _C.message_id, message_ids)) if message_ids else []
    return {one.message_id: one for one in found}


def calls_of_chases(
    work: Work, connection_id: int, payer_id: str | Collection[str] | None = None
) -> dict[int, tuple[CallMade, ...]]:
    """As the planner wants them: by chase, oldest first."""
    found: dict[int, tuple[CallMade, ...]] = defaultdict(tuple)
    for one in outcomes(work, connection_id, payer_id):
        found[one.chase_id] += (CallMade(one.outcome, one.made_on, one.step_id),)
    return found


def _outcomes(work: Work, *where: ColumnElement[bool]) -> list[Outcome]:
    return [_outcome(tuple(row)) for row in work.execute(_OUTCOMES.where(*where))]


def _outcome(row: Row) -> Outcome:
    values = list(row)
    values[_HOW] = CallOutcome(values[_HOW])
    return Outcome(*values)


_M, _HC = t.messages.c, t.chases.c
_HOW: Final = Outcome.__slots__.index("outcome")
#: In the order of `Outcome`.
_OUTCOMES: Final = (
    select(
        _C.id, _M.connection_id, _HC.payer_id, _M.chase_id, _C.message_id, _M.step_id, _C.outcome, _C.made_on,
        _C.comment, _C.author, _C.created_at,
    )
    .select_from(t.call_outcomes.join(t.messages, _M.id == _C.message_id).join(t.chases, _HC.id == _M.chase_id))
    .where(_C.undone_at.is_(None))
    .order_by(_C.made_on, _C.id)
)  # fmt: skip
_STANDING: Final = Prepared(_OUTCOMES.where(_M.connection_id == bindparam("of")))
_STANDING_OF: Final = Prepared(
    lambda dialect: _OUTCOMES.where(_M.connection_id == bindparam("of"), among_those(dialect, _HC.payer_id))
)


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


def company_of_comment(work: Work, comment_id: int) -> int | None:
    """The connection of whose customer it was said; None where there is none of that id."""
    found: int | None = work.execute(select(_K.connection_id).where(_K.id == comment_id)).scalar_one_or_none()
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
