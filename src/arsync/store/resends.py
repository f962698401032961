"""Messages that a person wants once more: an intent of their own, with the next occurrence."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import and_, func, or_, select

from arsync.domain.chase import Resend
from arsync.domain.states import MessageState
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work

_M = t.messages.c
#: While it is in one of these it may still be planned anew.
_ON_ITS_WAY = (MessageState.PLANNED.value, MessageState.APPROVED.value, MessageState.CLAIMED.value)


def standing(work: Work, connection_id: int, payers: Collection[str] | None = None) -> dict[int, Resend]:
    """What people want once more and has not gone yet, by chase; of all payers or of these."""
    k = t.message_items.c
    # A statement of account that a person sends is of no message before it, and of whatever is open.
    query = (
        select(_M.chase_id, _M.step_id, _M.occurrence, k.invoice_id)
        .outerjoin(t.message_items, and_(k.message_id == _M.resend_of, k.demanded))
        .where(
            _M.connection_id == connection_id,
            or_(_M.resend_of.is_not(None), _M.asked_by.is_not(None)),
        )
    )
    if payers is None:
        query = query.where(_M.state.in_(_ON_ITS_WAY))
    else:
        # By way of the payers' chases: SQLite would go through all messages in these states instead.
        mine = (t.chases.c.connection_id == connection_id, among(work, t.chases.c.payer_id, payers))
        on_its_way = func.coalesce(_M.state, "").in_(_ON_ITS_WAY)
        query = query.join(t.chases, t.chases.c.id == _M.chase_id).where(*mine, on_its_way)
    named: dict[tuple[int, str, int], set[str]] = {}
    for chase_id, step_id, occurrence, invoice_id in work.execute(query):
        named.setdefault((chase_id, step_id, occurrence), set()).update([invoice_id] if invoice_id else ())
    return {chase: Resend(step, occurrence, frozenset(ids)) for (chase, step, occurrence), ids in named.items()}


def next_occurrence(work: Work, chase_id: int, step_id: str) -> int:
    """One more than any that was ever planned of this step for the chase."""
    query = select(func.max(_M.occurrence)).where(_M.chase_id == chase_id, _M.step_id == step_id)
    return 1 + int(work.execute(query).scalar_one() or 0)
