"""A person's yes or no to a message that waits: each a compare-and-set, in the event log with its author."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, select, update

from arsync.domain.chase import Rendered
from arsync.domain.policy import StepChannel
from arsync.domain.seen import sealed
from arsync.domain.states import MessageState
from arsync.store import events, messages, words
from arsync.store import tables as t
from arsync.store.bulk import among_those, those
from arsync.store.engine import Work
from arsync.store.messages import Message
from arsync.store.planned import UNAPPROVED, Approval, approved_columns
from arsync.store.prepared import Prepared

_M = t.messages.c
#: So many weekdays a person has to answer before it is said aloud.
PATIENCE: Final = 3
_WEEKEND: Final = 5
#: What a person may still let go, by a yes.
WAITING: Final = (MessageState.PLANNED, MessageState.FAILED)
#: What a person may still stop, by a no: nothing of it has left us.
STOPPABLE: Final = (MessageState.PLANNED, MessageState.APPROVED, MessageState.CLAIMED, MessageState.FAILED)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An intent to which a person said no, as it stood then."""

    message_id: int
    fingerprint: str
    reason: str


def seen(message: Message) -> str:
    """A hash of what one sees of it now."""
    return sealed(message.written, message.rendered if message.edited_by is not None else None)


def approve(work: Work, message: Message, yes: Approval, *, not_before: datetime | None, now: datetime) -> bool:
    """Lets go what was seen; False where it is not that any more, or does not wait any more."""
    if not _is_still(work, message):
        return False
    until = f" until {yes.until:%Y-%m-%d %H:%M} UTC" if yes.until is not None else ""
    shrink = "; paid invoices may drop out" if yes.may_shrink else ""
    return messages.move(
        work, message.id, message.state, MessageState.APPROVED, reason=f"approved by {yes.author}{until}{shrink}",
        now=now, author=yes.author, attempts=0, not_before=not_before, **approved_columns(yes, seen(message)),
    )  # fmt: skip


def _is_still(work: Work, message: Message) -> bool:
    """Whether nobody has put other words into it since it was read; locks its row and its words, for where only one of
    them were locked, the other would be read as it was before the wait."""
    w = t.message_words.c
    query = select(_M.subject, w.text, w.html).join(t.message_words, w.message_id == _M.id)
    query = query.where(_M.id == message.id, _M.state == message.state.value).with_for_update()
    row = work.execute(query).one_or_none()
    return row is not None and Rendered(*row) == message.rendered


def take_back(
    work: Work, message: Message, *, reason: str, author: str, told: str, now: datetime, token: str | None = None
) -> bool:
    """Puts an approved message, or one that is read again before it goes, back to wait for a person."""
    return messages.move(
        work, message.id, message.state, MessageState.PLANNED, reason=reason, now=now, author=author, told=told,
        token=token, claim_token=None, claimed_until=None, not_before=None, asked_at=now, **UNAPPROVED,
    )  # fmt: skip


def expire(work: Work, connection_id: int, *, now: datetime) -> list[Message]:
    """Puts back what was approved for a send window that is over; what was claimed by then is its worker's."""
    query = select(_M.id).where(
        _M.connection_id == connection_id,
        _M.state == MessageState.APPROVED.value,
        _M.approved_until <= now,
        _M.channel != StepChannel.LETTER.value,  # no send window: it waits on the pile until it is posted
    )
    over = [messages.get(work, message_id) for message_id in work.execute(query.order_by(_M.id)).scalars()]
    return [
        one
        for one in over
        if take_back(work, one, reason=expired(one), author="arsync", told="approval_expired", now=now)
    ]


def expired(message: Message) -> str:
    """Why an approval holds no more."""
    until = f" of {message.approved_until:%Y-%m-%d %H:%M} UTC" if message.approved_until is not None else ""
    return f"look at it again: the send window{until} closed before it went, approved by {message.approved_by}"


def reject(work: Work, message: Message, *, reason: str, author: str, now: datetime) -> bool:
    """Stops a message before its last gate; the same is not planned again."""
    return messages.move(
        work, message.id, message.state, MessageState.CANCELLED, reason=f"rejected by {author}: {reason}", now=now,
        author=author, told="message_rejected", claim_token=None, claimed_until=None,
    )  # fmt: skip


def edit(work: Work, message: Message, said: Rendered, *, author: str, now: datetime) -> bool:
    """Puts a person's words in place of the generated ones; False where others stand there by now. What was approved
    has to be approved anew."""
    if not _is_still(work, message):
        return False
    if message.state is not MessageState.PLANNED:
        reason = f"edited by {author} after it was approved: approve what it says now"
        if not take_back(work, message, reason=reason, author=author, told="approval_taken_back", now=now):
            return False
    changed = (
        update(t.messages)
        .where(_M.id == message.id, _M.state == MessageState.PLANNED.value)
        .values(subject=said.subject, edited_by=author)
    )
    if not work.execute(changed).rowcount:
        return False
    words.change(work, message.id, said)
    events.log(
        work, "message_edited", at=now, author=author, connection_id=message.connection_id, chase_id=message.chase_id,
        message_id=message.id,
    )  # fmt: skip
    return True


def _cancelled() -> Select[*tuple[Any, ...]]:
    other = t.messages.alias("other")
    newer = (
        select(other.c.id)
        .where(
            other.c.chase_id == _M.chase_id, other.c.step_id == _M.step_id, other.c.occurrence == _M.occurrence,
            other.c.revision > _M.revision,
        )
        .exists()
    )  # fmt: skip
    columns = (_M.id, _M.chase_id, _M.step_id, _M.occurrence, _M.fingerprint, _M.reason)
    return select(*columns).where(_M.connection_id == bindparam("connection"), ~newer)


_REJECTED: Final = Prepared(_cancelled().where(_M.state == MessageState.CANCELLED.value))
#: By way of the chases: SQLite would go through all that was ever cancelled instead.
_REJECTED_OF: Final = Prepared(
    lambda dialect: _cancelled().where(
        among_those(dialect, _M.chase_id, "chases"), func.coalesce(_M.state, "") == MessageState.CANCELLED.value
    )
)


def rejected(
    work: Work, connection_id: int, chase_ids: Collection[int] | None = None
) -> dict[tuple[int, str, int], Rejected]:
    """The intents whose newest revision a person rejected, by chase, step and occurrence; of these chases or of all."""
    found = (
        _REJECTED(work, connection=connection_id)
        if chase_ids is None
        else _REJECTED_OF(work, connection=connection_id, chases=those(work, chase_ids))
    )
    return {
        (chase_id, step_id, occurrence): Rejected(message_id, fingerprint, reason)
        for message_id, chase_id, step_id, occurrence, fingerprint, reason in found
    }


def patience_ends(today: date) -> date:
    """What has waited for a person since before that day has waited for more than three weekdays."""
    day = today - timedelta(days=max(0, today.weekday() - _WEEKEND + 1))  # on a Sunday nobody is later than on Friday
    for _ in range(PATIENCE):
        day -= timedelta(days=1)
        while day.weekday() >= _WEEKEND:
            day -= timedelta(days=1)
    return day


def unanswered(work: Work, connection_id: int, *, today: date) -> list[Message]:
    """What has waited for a person for more than three weekdays, the longest first."""
    day = patience_ends(today)
    query = select(_M.id).where(
        _M.connection_id == connection_id, _M.state == MessageState.PLANNED.value,
        func.coalesce(_M.asked_at, _M.planned_at) < datetime.combine(day, time(), UTC),
    )  # fmt: skip
    return [messages.get(work, one) for one in work.execute(query.order_by(_M.planned_at, _M.id)).scalars()]
