"""How many messages leave by themselves: what the cap and the breaker of a connection compare with.

Counted by the company's day, however often it runs; what a person approved and calls are not counted.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select

from arsync.domain.policy import ACCOUNT, StepChannel
from arsync.domain.states import MessageState
from arsync.store import tables as t
from arsync.store.engine import Work

_M = t.messages.c
#: Left, or perhaps left.
_GONE: Final = (
    MessageState.SENDING,
    MessageState.ACCEPTED,
    MessageState.DELIVERED,
    MessageState.BOUNCED,
    MessageState.UNKNOWN,
    MessageState.PRESUMED_SENT,
)
_DAY: Final[Any] = func.coalesce(_M.sent_on, _M.planned_on)


def gone(work: Work, connection_id: int, *, on: date) -> int:
    """The messages that left that day, or may have."""
    query = select(func.count()).where(*_by_themselves(connection_id), on == _DAY)
    return int(work.execute(query).scalar_one())


def asked(work: Work, connection_id: int, *, on: date) -> int:
    """Those of `gone` that were no statement of account."""
    query = select(func.count()).where(*_by_themselves(connection_id), _M.step_id != ACCOUNT, on == _DAY)
    return int(work.execute(query).scalar_one())


def usual(work: Work, connection_id: int, *, before: date, of_last: int = 10, at_least: int = 5) -> Decimal | None:
    """The mean of the last days on which any left but statements of account, which are not counted; None with too few
    such days to tell."""
    count = func.count().label("count")
    asked = select(count).where(*_by_themselves(connection_id), _M.step_id != ACCOUNT, before > _DAY)
    query = asked.group_by(_DAY).order_by(_DAY.desc())
    recent = list(work.execute(query.limit(of_last)).scalars())
    return Decimal(sum(recent)) / len(recent) if len(recent) >= at_least else None


def _by_themselves(connection_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        _M.connection_id == connection_id,
        _M.channel == StepChannel.EMAIL.value,
        _M.approved_by.is_(None),
        _M.asked_by.is_(None),
        _M.state.in_([state.value for state in _GONE]),
    )


#: By these something reaches a customer.
_OUTWARD: Final = (StepChannel.EMAIL.value, StepChannel.LETTER.value)
_ON_ITS_WAY: Final = (MessageState.PLANNED.value, MessageState.APPROVED.value, MessageState.CLAIMED.value)


def reached(work: Work, connection_id: int) -> set[tuple[int, str]]:
    """The payers of all connections that were ever written to, or may have been, and those of the other connections
    that have a message waiting in the outbox."""
    waiting = and_(_M.state.in_(_ON_ITS_WAY), _M.connection_id != connection_id)
    return _payers(work, or_(_M.state.in_([state.value for state in _GONE]), waiting))


def pending(work: Work, connection_id: int) -> set[tuple[int, str]]:
    """The connection's payers that have a message waiting in the outbox."""
    return _payers(work, and_(_M.state.in_(_ON_ITS_WAY), _M.connection_id == connection_id))


def _payers(work: Work, which: ColumnElement[bool]) -> set[tuple[int, str]]:
    query = select(_M.connection_id, t.chases.c.payer_id).distinct().join(t.chases, t.chases.c.id == _M.chase_id)
    rows = work.execute(query.where(_M.channel.in_(_OUTWARD), which))
    return {(row.connection_id, row.payer_id) for row in rows}
