"""The last gate: what may forbid a message is asked in the transaction that lets it pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from email.utils import parseaddr
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select

from arsync.domain.policy import StepChannel
from arsync.domain.states import ChaseState, Health, HoldState, MessageState
from arsync.store import chases, mailboxes, messages
from arsync.store import tables as t
from arsync.store.bulk import among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

#: Said of a message of whose payer something changed after it was confirmed: it can be looked at once more.
CHANGED: Final = "something about the payer changed since the message was confirmed"
#: In these states a chase still writes.
_WRITING: Final = frozenset({ChaseState.OPEN.value, ChaseState.REOPENED.value})

_M, _H, _S, _I, _K = t.messages.c, t.holds.c, t.suppressions.c, t.installation.c, t.message_items.c


@dataclass(frozen=True, slots=True)
class _Standing:
    """All that is asked of one message, of one moment."""

    confirmed_at: int | None  # the chase's version
    amount: Decimal
    channel: str
    recipients: str
    copies: str | None
    stopped_at: datetime | None
    health: str
    version: int
    chase: str  # its state
    held: str | None  # the kind of a hold
    some_let_go: str | None  # an address that nobody writes to, of whomever


def _holding(message: Any, connection: Any, payer: Any) -> Select[*tuple[Any, ...]]:
    demanded = select(_K.invoice_id).where(_K.message_id == message, _K.demanded).correlate(t.messages)
    whose: ColumnElement[bool] = or_(_H.payer_id.is_(None), _H.payer_id == payer)
    return (
        select(_H.kind)
        .where(
            _H.connection_id == connection,
            _H.state == HoldState.ACTIVE.value,
            _H.amount.is_(None),  # what is contested in part is still chased for the rest
            _H.begins <= bindparam("today"),
            or_(_H.until.is_(None), _H.until >= bindparam("today")),
            # A hold on an invoice goes with it, whoever pays for it by now.
            or_(and_(_H.invoice_id.is_(None), whose), _H.invoice_id.in_(demanded)),
        )
        .limit(1)
        .correlate(t.messages, t.chases)
    )


_LET_GO: Final = select(func.min(_S.address)).where(_S.lifted_at.is_(None))
_OF_MESSAGE: Final = (_M.chase_version, _M.amount, _M.channel, _M.recipients, _M.copies)

#: Where one lock is for all, one statement asks everything.
_AT_ONCE: Final = Prepared(
    select(
        *_OF_MESSAGE,
        select(_I.stopped_at).scalar_subquery(),
        t.connections.c.health,
        t.chases.c.version,
        t.chases.c.state,
        _holding(_M.id, _M.connection_id, t.chases.c.payer_id).scalar_subquery(),
        _LET_GO.scalar_subquery(),
    )
    .select_from(t.messages)
    .join(t.chases, t.chases.c.id == _M.chase_id)
    .join(t.connections, t.connections.c.id == _M.connection_id)
    .where(_M.id == bindparam("message"))
)

_MESSAGE: Final = Prepared(select(*_OF_MESSAGE, _M.connection_id, _M.chase_id).where(_M.id == bindparam("message")))
_BUTTON: Final = Prepared(select(_I.stopped_at).with_for_update(read=True))
_FITNESS: Final = Prepared(
    select(t.connections.c.health, _LET_GO.scalar_subquery())
    .where(t.connections.c.id == bindparam("connection"))
    .with_for_update(read=True, of=t.connections)
)
_HELD: Final = Prepared(_holding(bindparam("message"), bindparam("connection"), bindparam("payer")))
_AMONG: Final = Prepared(lambda dialect: _LET_GO.where(among_those(dialect, _S.address, "addresses")))


def pass_gate(
    work: Work,
    message_id: int,
    *,
    token: str,
    now: datetime,
    today: date,
    way_out: str,
    diverted_to: str | None = None,
) -> str | None:
    """The last gate: moves a claimed message to `sending` by this way out, or says why not. Commit, and send within
    seconds.

    It compares the claim's token, the chase's version as confirmed, the holds, the stop switch, the addresses that
    nobody writes to and the connection's health, all under locks on the installation, the connection and the chase (in
    this order, everywhere): whatever forbids the message changes or locks one of these rows, so it comes wholly before
    the gate or wholly after it.
    """
    refusal = _forbids(work, _asked(work, message_id, today))
    if refusal is not None:
        return refusal
    moved = messages.move(
        work, message_id, MessageState.CLAIMED, MessageState.SENDING, reason="past the last gate", now=now, token=token,
        sending_at=now, tried=True, way_out=way_out, diverted_to=diverted_to,
    )  # fmt: skip
    return None if moved else "the claim was lost to another worker"


def _asked(work: Work, message_id: int, today: date) -> _Standing:
    if work.dialect == "sqlite":
        (asked,) = _AT_ONCE(work, message=message_id, today=today)
        return _Standing(*asked)
    # Each after the lock before it, for a statement sees what was committed before it began.
    (found,) = _MESSAGE(work, message=message_id)
    own, (connection_id, chase_id) = found[:-2], found[-2:]
    ((stopped_at,),) = _BUTTON(work)
    ((health, let_go),) = _FITNESS(work, connection=connection_id)
    chase = chases.lock(work, chase_id)
    held = _HELD(work, message=message_id, connection=connection_id, payer=chase.payer_id, today=today)
    asked = (*own, stopped_at, health, chase.version, chase.state.value, held[0][0] if held else None, let_go)
    return _Standing(*asked)


def _forbids(work: Work, asked: _Standing) -> str | None:
    """What stops it, most severe first."""
    if asked.stopped_at is not None:
        return "stopped"
    if asked.health != Health.OK.value:
        return f"the connection is {asked.health}"
    if asked.some_let_go is not None and asked.channel == StepChannel.EMAIL:
        to, copies = mailboxes.read(asked.recipients), mailboxes.read(asked.copies)
        if to is None or copies is None:
            return "nobody can read to whom it goes"
        ((let_go,),) = _AMONG(work, addresses=those(work, [parseaddr(one)[1].lower() for one in (*to, *copies)]))
        if let_go is not None:
            return f"nobody writes to {let_go} any more"
    if asked.held is not None:
        return f"a hold: {asked.held}"
    thanks = asked.chase == ChaseState.CLEAR.value and asked.amount == 0  # it asks for nothing
    if not thanks and asked.chase not in _WRITING:
        return f"the chase is {asked.chase}"
    if asked.confirmed_at is None or asked.version != asked.confirmed_at:
        return CHANGED
    return None
