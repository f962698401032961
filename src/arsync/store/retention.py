"""What may be forgotten once it is old: nothing that a decision or the promise to send nothing twice rests on, and
nothing of an invoice that is still open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Delete, Select, Update, delete, func, or_, select, update

from arsync.domain.documents import InvoiceState
from arsync.domain.replies import ReplyState
from arsync.domain.states import MessageState
from arsync.store import tables as t
from arsync.store.engine import Work

#: Stands where words stood.
FORGOTTEN: Final = "(forgotten: older than the settings keep it)"
#: In these states nobody sends or compares a message's words any more.
_SAID: Final = (
    MessageState.ACCEPTED,
    MessageState.DELIVERED,
    MessageState.BOUNCED,
    MessageState.SUPERSEDED,
    MessageState.CANCELLED,
)
_M, _V, _R, _W, _Y = t.messages.c, t.verdicts.c, t.runs.c, t.message_words.c, t.replies.c


@dataclass(frozen=True, slots=True)
class Forgettable:
    """One kind of thing: which are from before a moment, and what forgetting them is."""

    from_before: Callable[[datetime], Select[Any]]
    forget: Callable[[Sequence[int]], Update | Delete]


def _words(before: datetime) -> Select[Any]:
    k, i = t.message_items.c, t.invoices.c
    is_open = (
        select(k.message_id)
        .select_from(t.message_items)
        .join(t.invoices, (i.connection_id == _M.connection_id) & (i.remote_id == k.invoice_id))
        .where(k.message_id == _M.id, i.state == InvoiceState.OPEN.value)
        .correlate(t.messages)
        .exists()
    )
    return (
        select(_M.id)
        .select_from(t.messages)
        .join(t.message_words, _W.message_id == _M.id)
        .where(
            _M.state.in_([state.value for state in _SAID]),
            func.coalesce(_M.accepted_at, _M.planned_at) < before,
            or_(_W.text != FORGOTTEN, _W.html != ""),
            ~is_open,
        )
    )


def _replies(before: datetime) -> Select[Any]:
    """By when they were done with: one that waits is never too old."""
    done = func.coalesce(_Y.done_at, _Y.received_at) < before
    return select(_Y.id).where(_Y.state != ReplyState.WAITING.value, done, _Y.text != FORGOTTEN)


def _verdicts(before: datetime) -> Select[Any]:
    i = t.invoices.c
    is_open = (
        select(i.remote_id)
        .where(
            i.connection_id == _V.connection_id, i.remote_id == _V.invoice_id, i.state == InvoiceState.OPEN.value
        )
        .correlate(t.verdicts)
        .exists()
    )  # fmt: skip
    return select(_V.id).where(_V.last_on < before.date(), ~is_open)


def _runs(before: datetime) -> Select[Any]:
    """Those that nothing names any more."""
    named = [
        select(one).where(one == _R.id).correlate(t.runs).exists()
        for one in (_V.first_run, _V.last_run, t.letter_batches.c.run_id)
    ]
    return select(_R.id).where(_R.started_at < before, *(~one for one in named))


#: By the keys of `[retention]`, in the order in which they go.
FORGETTABLE: Final[Mapping[str, Forgettable]] = {
    "words_days": Forgettable(
        _words,
        lambda ids: update(t.message_words).where(_W.message_id.in_(ids)).values(text=FORGOTTEN, html=""),
    ),
    "replies_days": Forgettable(
        _replies, lambda ids: update(t.replies).where(_Y.id.in_(ids)).values(text=FORGOTTEN, phrases="[]")
    ),
    "verdicts_days": Forgettable(_verdicts, lambda ids: delete(t.verdicts).where(_V.id.in_(ids))),
    "runs_days": Forgettable(_runs, lambda ids: delete(t.runs).where(_R.id.in_(ids))),
}


def count(work: Work, kind: str, before: datetime) -> int:
    """How many of a kind are from before that moment and may be forgotten."""
    query = FORGETTABLE[kind].from_before(before).subquery()
    return int(work.execute(select(func.count()).select_from(query)).scalar_one())


def forget(work: Work, kind: str, before: datetime, *, most: int) -> int:
    """Forgets so many of them at most, the oldest first; how many it were."""
    one = FORGETTABLE[kind]
    query = one.from_before(before)
    ids = list(work.execute(query.order_by(query.selected_columns[0]).limit(most)).scalars())
    if ids:
        work.execute(one.forget(ids))
    return len(ids)
