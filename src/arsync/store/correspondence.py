"""Messages as lists show them: without their words, with their payer's name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, literal, literal_column, select, union_all

from arsync.domain.money import Money
from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.store import mailboxes
from arsync.store import tables as t
from arsync.store.bulk import among_ids
from arsync.store.engine import Work

_M: Final = t.messages.c
_H: Final = t.chases.c
_C: Final = t.customers.c
#: So many companies, or states of each, are asked for one by one, each by its index (SQLite takes 500); of more the
#: database sorts what it finds.
_APART: Final = 400
#: Customers that are looked at where a name fits more.
_NAMED: Final = 200


@dataclass(frozen=True, slots=True)
class Listed:
    """One message in a list."""

    id: int
    connection_id: int
    payer_id: str
    payer: str
    step_id: str
    occurrence: int
    revision: int
    channel: str
    state: MessageState
    reason: str
    recipients: tuple[str, ...]
    subject: str
    demands: Money
    day: date  # on which it left, or was planned
    approved_by: str | None
    edited_by: str | None
    resend_of: int | None


def newest(
    work: Work, companies: Sequence[int], *, state: MessageState | None = None, step_id: str | None = None,
    customer: str = "", on: date | None = None, channel: str | None = None, before: int | None = None, most: int,
) -> list[Listed]:  # fmt: skip
    """The newest messages of these companies of which all that is given holds, newest first: in that state, of that
    step and channel, to customers in whose names these words occur, that left on that day, older than the one of that
    number."""
    where: list[Any] = []
    if state is not None:
        where.append(_M.state == state.value)
    if step_id is not None:
        where.append(_M.step_id == step_id)
    if on is not None:
        where.append(_M.sent_on == on)
    if channel is not None:
        where.append(_M.channel == channel)
    rare = channel not in (None, StepChannel.EMAIL.value)
    if rare:  # as their index has it
        where.append(_M.channel != literal_column(f"'{StepChannel.EMAIL.value}'"))
    if before is not None:
        where.append(_M.id < before)
    if words := customer.casefold().split():
        where.append(_M.chase_id.in_(_chases_of(work, companies, words)))
    else:
        by_index = rare or any(one is not None for one in (state, step_id, on))
        kinds = [] if by_index else list(MessageState)
        if len(companies) * max(len(kinds), 1) <= _APART:
            where.append(_M.id.in_(_of_each(companies, kinds, where, most)))
    where.append(among_ids(work, _M.connection_id, companies))
    return _listed(work, _selection().where(*where).order_by(_M.id.desc()).limit(most))


def _of_each(
    companies: Sequence[int], states: Sequence[MessageState], where: Sequence[Any], most: int
) -> Select[Any]:  # fmt: skip
    """The newest ids of each company by the index on state, step, day or rare channel; of each state told, apart."""
    apart: list[tuple[ColumnElement[bool], ...]] = [(_M.state == one.value,) for one in states] or [()]
    parts = [
        select(_M.id).where(_M.connection_id == one, *kind, *where).order_by(_M.id.desc()).limit(most).subquery()
        for one in companies
        for kind in apart
    ]
    if not parts:
        return select(literal(0))
    return select(union_all(*(select(part.c.id) for part in parts)).subquery().c.id)


def _chases_of(work: Work, companies: Sequence[int], words: Iterable[str]) -> Select[Any]:
    fitting = [func.lower(_C.name).contains(word, autoescape=True) for word in words]
    payers = (
        select(_C.connection_id, _C.payer_id)
        .where(among_ids(work, _C.connection_id, companies), *fitting)
        .order_by(_C.name, _C.connection_id, _C.remote_id)
        .limit(_NAMED)
        .subquery()
    )
    same = and_(_H.connection_id == payers.c.connection_id, _H.payer_id == payers.c.payer_id)
    return select(_H.id).select_from(payers.join(t.chases, same))


def waiting(
    work: Work, companies: Collection[int], states: Collection[MessageState], *, step_id: str | None = None, most: int
) -> list[Listed]:
    """The messages of these companies that stand in one of these states, the most money first."""
    query = _selection().where(_M.state.in_([one.value for one in states]))
    query = query.where(among_ids(work, _M.connection_id, companies))
    if step_id is not None:  # not by its index: of a step there are many, of those that wait few
        query = query.where(func.coalesce(_M.step_id, "") == step_id)
    return _listed(work, query.order_by(_M.amount.desc(), _M.id).limit(most))


def steps(work: Work, companies: Collection[int], states: Collection[MessageState]) -> dict[str, int]:
    """How many messages of each step stand in one of these states."""
    query = (
        select(_M.step_id, func.count())
        .where(_M.state.in_([one.value for one in states]), among_ids(work, _M.connection_id, companies))
        .group_by(_M.step_id)
        .order_by(_M.step_id)
    )
    return {str(step): int(count) for step, count in work.execute(query)}


def of_chase(work: Work, chase_id: int, *, most: int) -> list[Listed]:
    """The chase's newest messages, newest first."""
    return _listed(work, _selection().where(_M.chase_id == chase_id).order_by(_M.id.desc()).limit(most))


def company_of(work: Work, message_id: int) -> int | None:
    """The connection whose message it is; None where there is none of that id."""
    found: int | None = work.execute(select(_M.connection_id).where(_M.id == message_id)).scalar_one_or_none()
    return found


def _selection() -> Select[*tuple[Any, ...]]:
    payer = and_(_C.connection_id == _M.connection_id, _C.remote_id == _H.payer_id)
    return select(
        _M.id, _M.connection_id, _H.payer_id, func.coalesce(_C.name, _H.payer_id).label("payer"), _M.step_id,
        _M.occurrence, _M.revision, _M.channel, _M.state, _M.reason, _M.recipients, _M.subject, _M.amount, _M.currency,
        func.coalesce(_M.sent_on, _M.planned_on).label("day"), _M.approved_by, _M.edited_by, _M.resend_of,
    ).select_from(t.messages.join(t.chases, _H.id == _M.chase_id).outerjoin(t.customers, payer))  # fmt: skip


def _listed(work: Work, query: Select[*tuple[Any, ...]]) -> list[Listed]:
    return [
        Listed(
            id=row.id, connection_id=row.connection_id, payer_id=row.payer_id, payer=row.payer, step_id=row.step_id,
            occurrence=row.occurrence, revision=row.revision, channel=row.channel, state=MessageState(row.state),
            reason=row.reason, recipients=mailboxes.read(row.recipients) or (), subject=row.subject,
            demands=Money(row.amount, row.currency), day=row.day, approved_by=row.approved_by,
            edited_by=row.edited_by, resend_of=row.resend_of,
        )
        for row in work.execute(query)
    ]  # fmt: skip
