"""A worker's claim on messages that may go out, what it finds of them, and the claims that the dead left behind."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Integer, and_, bindparam, func, or_, select, update

from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.store import messages
from arsync.store import tables as t
from arsync.store.bulk import among_those, those
from arsync.store.engine import Work
from arsync.store.leases import holder, is_dead
from arsync.store.messages import Message
from arsync.store.prepared import Prepared

_M = t.messages.c
_OURS: Final = and_(
    _M.id == bindparam("message"), _M.state == MessageState.CLAIMED.value, _M.claim_token == bindparam("token")
)
_CONFIRMED: Final = update(t.messages).where(_OURS).values(chase_version=bindparam("version"))
_DUE: Final = Prepared(
    lambda dialect: (
        select(_M.id)
        .where(
            _M.connection_id == bindparam("connection"),
            _M.state == MessageState.APPROVED.value,
            _M.channel != StepChannel.LETTER.value,  # also one that has just taken a mail's place
            ~among_those(dialect, _M.id, "but"),
            or_(_M.not_before.is_(None), _M.not_before <= bindparam("now")),
            or_(_M.approved_until.is_(None), _M.approved_until > bindparam("now")),
        )
        .order_by(_M.amount.desc(), _M.id)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(skip_locked=True)
    )
)
_CLAIM: Final = Prepared(
    # By their ids: an index of states would show all that wait.
    lambda dialect: update(t.messages).where(
        among_those(dialect, _M.id, "messages"), func.coalesce(_M.state, "") == MessageState.APPROVED.value
    )
)
_CLAIMED: Final = Prepared(
    messages.selection().where(_M.claim_token == bindparam("token"), _M.state == MessageState.CLAIMED.value)
)


def claim(
    work: Work, connection_id: int, *, limit: int, term: timedelta, now: datetime, but: Collection[int] = ()
) -> tuple[str, list[Message]]:
    """Claims approved messages for one worker, the most money first, `but` those it has just put back: the claim's
    token and the messages. Letters are left out: a person posts them."""
    token = secrets.token_hex(16)
    due = _DUE(work, connection=connection_id, but=those(work, but), now=now, limit=limit)
    ids = [message_id for (message_id,) in due]
    _CLAIM(
        work, messages=those(work, ids), state=MessageState.CLAIMED.value, claim_token=token, claimed_by=holder(),
        claimed_until=now + term, chase_version=None,
    )  # fmt: skip
    place = {message_id: place for place, message_id in enumerate(ids)}
    return token, sorted(map(messages.of_row, _CLAIMED(work, token=token)), key=lambda message: place[message.id])


def confirm(work: Work, message_id: int, *, token: str, chase_version: int) -> bool:
    """Says that the message still holds at this version of its chase; False where the claim is lost."""
    statement = (
        update(t.messages)
        .where(_M.id == message_id, _M.state == MessageState.CLAIMED.value, _M.claim_token == token)
        .values(chase_version=chase_version)
    )
    return bool(work.execute(statement).rowcount)


def confirm_all(work: Work, held: Sequence[tuple[Message, int]]) -> None:
    """As `confirm`, of several messages at the versions of their chases; of those whose claim is lost nothing is
    said."""
    if held:
        rows = [{"message": one.id, "token": one.claim_token, "version": version} for one, version in held]
        work.execute(_CONFIRMED, rows)


def abandoned_claims(work: Work, connection_ids: Collection[int], *, now: datetime) -> list[int]:
    """Messages of these connections claimed by a worker whose lease is over or which is dead: nothing of them left
    us."""
    query = select(_M.id, _M.claimed_until, _M.claimed_by).where(
        _M.state == MessageState.CLAIMED.value, _M.connection_id.in_(connection_ids)
    )
    return [row.id for row in work.execute(query) if row.claimed_until <= now or is_dead(row.claimed_by)]


def abandoned_sendings(work: Work, connection_ids: Collection[int], *, before: datetime) -> list[int]:
    """Messages of these connections past the gate whose worker is dead, or has been silent since `before`: they may
    have left."""
    query = select(_M.id, _M.sending_at, _M.claimed_by).where(
        _M.state == MessageState.SENDING.value, _M.connection_id.in_(connection_ids)
    )
    return [row.id for row in work.execute(query) if row.sending_at <= before or is_dead(row.claimed_by)]
