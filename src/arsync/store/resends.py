"""Messages that a person wants once more: an intent of their own, with the next occurrence."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import and_, bindparam, func, or_, select

from arsync.domain.chase import Resend
from arsync.domain.states import MessageState
from arsync.store import tables as t
from arsync.store.bulk import among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_M = t.messages.c
#: While it is in one of these it may still be planned anew.
_ON_ITS_WAY = (MessageState.PLANNED.value, MessageState.APPROVED.value, MessageState.CLAIMED.value)


_K = t.message_items.c
#: A statement of account that a person sends is of no message before it, and of whatever is open.
_ASKED_FOR: Final = (
    select(_M.chase_id, _M.step_id, _M.occurrence, _K.invoice_id)
    .outerjoin(t.message_items, and_(_K.message_id == _M.resend_of, _K.demanded))
    .where(_M.connection_id == bindparam("of"), or_(_M.resend_of.is_not(None), _M.asked_by.is_not(None)))
)
_STANDING: Final = Prepared(_ASKED_FOR.where(_M.state.in_(_ON_ITS_WAY)))
#: By way of the payers' chases: SQLite would go through all messages in these states instead.
_STANDING_OF: Final = Prepared(
    lambda dialect: _ASKED_FOR.join(t.chases, t.chases.c.id == _M.chase_id).where(
        t.chases.c.connection_id == bindparam("of"),
        among_those(dialect, t.chases.c.payer_id),
        func.coalesce(_M.state, "").in_(_ON_ITS_WAY),
    )
)


def standing(work: Work, connection_id: int, payers: Collection[str] | None = None) -> dict[int, Resend]:
    """What people want once more and has not gone yet, by chase; of all payers or of these."""
    if payers is None:
        found = _STANDING(work, of=connection_id)
    else:
        found = _STANDING_OF(work, of=connection_id, those=those(work, payers))
    named: dict[tuple[int, str, int], set[str]] = {}
    for chase_id, step_id, occurrence, invoice_id in found:
        named.setdefault((chase_id, step_id, occurrence), set()).update([invoice_id] if invoice_id else ())
    return {chase: Resend(step, occurrence, frozenset(ids)) for (chase, step, occurrence), ids in named.items()}


def next_occurrence(work: Work, chase_id: int, step_id: str) -> int:
    """One more than any that was ever planned of this step for the chase."""
    query = select(func.max(_M.occurrence)).where(_M.chase_id == chase_id, _M.step_id == step_id)
    return 1 + int(work.execute(query).scalar_one() or 0)
