"""Letters on their way to the post: gathered in batches, printed, taken out of the pile, posted.

A letter is a message that stays `approved` until a person says that it was posted: nothing has left us before. What is
kept here is what happens to its paper meanwhile.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, and_, func, insert, or_, select, update

from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.store import messages
from arsync.store import tables as t
from arsync.store.bulk import among_ids
from arsync.store.engine import Work
from arsync.store.leases import holder
from arsync.store.messages import Message

_M = t.messages.c
_B = t.letter_batches.c
_S = t.letter_sheets.c
#: A letter in one of these states does not go out any more.
_DEAD: Final = (MessageState.SUPERSEDED.value, MessageState.CANCELLED.value)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message with its paper."""

    message: Message
    batch_id: int
    printed_at: datetime | None  # the last time
    printed_by: str | None
    prints: int
    taken_out_at: datetime | None

    @property
    def is_dead(self) -> bool:
        """Whether it must not go out any more."""
        return self.message.state.value in _DEAD

    @property
    def lies(self) -> bool:
        """Whether its paper lies in the pile."""
        return self.printed_at is not None and self.taken_out_at is None

    @property
    def wrong_paper(self) -> str | None:
        """Why its paper must not go out, whatever the source says; None where it may, or where there is none."""
        message = self.message
        if not self.lies or self.printed_at is None:
            return None
        if self.is_dead or message.state is MessageState.PLANNED:  # withdrawn, or its approval taken back
            return message.reason
        if message.edited_by and message.approved_at is not None and self.printed_at < message.approved_at:
            return f"its words were edited by {message.edited_by} after it was printed"
        return None

    @property
    def to_be_pulled(self) -> bool:
        """Whether its paper lies in the pile and must be taken out."""
        return self.wrong_paper is not None


def gather(work: Work, connection_id: int, *, now: datetime, run_id: int | None = None) -> int | None:
    """Puts the approved letters that are in no batch into a new one: its number, or None where there are none."""
    batched = select(_S.message_id)
    waiting = select(_M.id).where(
        _M.connection_id == connection_id,
        _M.channel == StepChannel.LETTER.value,
        _M.state == MessageState.APPROVED.value,
        _M.id.not_in(batched),
    )
    ids = list(work.execute(waiting.order_by(_M.id)).scalars())
    if not ids:
        return None
    made = insert(t.letter_batches).values(connection_id=connection_id, run_id=run_id, made_at=now)
    batch_id = int(work.execute(made.returning(_B.id)).scalar_one())
    work.execute(insert(t.letter_sheets), [{"message_id": one, "batch_id": batch_id, "prints": 0} for one in ids])
    return batch_id


def of_batch(work: Work, batch_id: int) -> list[Letter]:
    """The letters of a batch, whatever became of them, the most money first."""
    return _letters(work, _query().where(_S.batch_id == batch_id))


def of_messages(work: Work, message_ids: Collection[int]) -> list[Letter]:
    """These letters, the most money first."""
    return _letters(work, _query().where(_S.message_id.in_(list(message_ids))))


def on_the_pile(work: Work, connection_id: int | None = None) -> list[Letter]:
    """The letters that are to be printed or posted, and those whose paper must be taken out."""
    alive = [MessageState.APPROVED.value, MessageState.CLAIMED.value]
    lying = and_(_S.printed_at.is_not(None), _S.taken_out_at.is_(None))
    query = _query().where(or_(_M.state.in_(alive), and_(lying, _M.state.in_([MessageState.PLANNED.value, *_DEAD]))))
    if connection_id is not None:
        query = query.where(_M.connection_id == connection_id)
    return _letters(work, query)


def waiting(work: Work) -> tuple[list[Letter], list[Letter]]:
    """The letters that are to be printed, and those that are to be posted, as the cache stands."""
    pile = [one for one in on_the_pile(work) if not one.is_dead and not one.to_be_pulled]
    return [one for one in pile if not one.lies], [one for one in pile if one.lies]


def unbatched(work: Work, companies: Collection[int]) -> int:
    """How many approved letters of these companies are in no batch yet."""
    query = select(func.count()).where(
        _M.state == MessageState.APPROVED.value, among_ids(work, _M.connection_id, companies),
        _M.channel == StepChannel.LETTER.value, _M.id.not_in(select(_S.message_id)),
    )  # fmt: skip
    return int(work.execute(query).scalar_one())


def batch_connection(work: Work, batch_id: int) -> int | None:
    """The connection of a batch; None where there is no such batch."""
    return work.execute(select(_B.connection_id).where(_B.id == batch_id)).scalar_one_or_none()


def claim(work: Work, message_ids: Collection[int], *, term: timedelta, now: datetime) -> list[Message]:
    """Claims these letters for a re-reading, as far as they wait; those that another worker has are left out."""
    token = secrets.token_hex(16)
    work.execute(
        update(t.messages)
        .where(_M.id.in_(list(message_ids)), _M.state == MessageState.APPROVED.value)
        .values(
            state=MessageState.CLAIMED.value, claim_token=token, claimed_by=holder(), claimed_until=now + term,
            chase_version=None,
        )
    )  # fmt: skip
    ours = (_M.id.in_(list(message_ids)), _M.claim_token == token, _M.state == MessageState.CLAIMED.value)
    mine = select(_M.id).where(*ours)
    return [messages.get(work, message_id) for message_id in work.execute(mine.order_by(_M.id)).scalars()]


def note_print(work: Work, message_ids: Collection[int], *, author: str, now: datetime) -> None:
    """Keeps that these were printed, once more where they had been before."""
    work.execute(
        update(t.letter_sheets)
        .where(_S.message_id.in_(list(message_ids)))
        .values(prints=_S.prints + 1, printed_at=now, printed_by=author, taken_out_at=None, taken_out_by=None)
    )


def take_out(work: Work, message_ids: Collection[int], *, author: str, now: datetime) -> None:
    """Keeps that the paper of these was taken out of the pile."""
    work.execute(
        update(t.letter_sheets)
        .where(_S.message_id.in_(list(message_ids)))
        .values(taken_out_at=now, taken_out_by=author)
    )


def _query() -> Select[*tuple[Any, ...]]:
    columns = (_S.message_id, _S.batch_id, _S.printed_at, _S.printed_by, _S.prints, _S.taken_out_at)
    joined = t.letter_sheets.join(t.messages, _M.id == _S.message_id)
    return select(*columns).select_from(joined).order_by(_M.amount.desc(), _M.id)


def _letters(work: Work, query: Select[*tuple[Any, ...]]) -> list[Letter]:
    rows = work.execute(query).all()
    found = {one.id: one for one in messages.some(work, [row.message_id for row in rows])} if rows else {}
    return [
        Letter(
            found[row.message_id], row.batch_id, row.printed_at, row.printed_by, row.prints, row.taken_out_at
        )
        for row in rows
    ]  # fmt: skip
