"""Messages that belong to one conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, func, select

from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.store import tables as t
from arsync.store.bulk import among_those, those
from arsync.store.engine import Work
from arsync.store.messages import Message
from arsync.store.prepared import Prepared

_M: Final = t.messages.c
_TAKEN: Final = (MessageState.ACCEPTED.value, MessageState.DELIVERED.value)

_BEFORE: Final = Prepared(
    select(_M.key)
    .where(
        _M.chase_id == bindparam("chase"),
        _M.id != bindparam("message"),
        _M.channel == StepChannel.EMAIL.value,
        _M.state.in_(_TAKEN),
    )
    .order_by(_M.accepted_at, _M.id)
)


_BEFORE_EACH: Final = Prepared(
    lambda dialect: (
        select(_M.chase_id, _M.id, _M.key)
        .where(
            among_those(dialect, _M.chase_id, "chases"),
            _M.channel == StepChannel.EMAIL.value,
            func.coalesce(_M.state, "").in_(_TAKEN),  # by the chases: an index of states would show all that ever went
        )
        .order_by(_M.accepted_at, _M.id)
    )
)


def before_each(work: Work, each: Sequence[Message]) -> dict[int, tuple[str, ...]]:
    """As `before`, of several messages, by their ids."""
    had: dict[int, list[tuple[int, str]]] = {}
    for chase_id, message_id, key in _BEFORE_EACH(work, chases=those(work, [one.chase_id for one in each])):
        had.setdefault(chase_id, []).append((message_id, key))
    return {one.id: tuple(key for other, key in had.get(one.chase_id, ()) if other != one.id) for one in each}


def before(work: Work, message: Message) -> tuple[str, ...]:
    """The ids of the mails that the same chase has had before it, oldest first: those that a mailbox took."""
    return tuple(key for (key,) in _BEFORE(work, chase=message.chase_id, message=message.id))
