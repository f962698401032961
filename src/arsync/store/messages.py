"""Messages in the outbox: whole or in part, and moved along their arrows by compare-and-set."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, select, update

from arsync.domain.chase import Rendered
from arsync.domain.policy import Attach, Lacking, StepChannel
from arsync.domain.record import record
from arsync.domain.states import EFFECTIVE, LIVE, MESSAGE_ARROWS, ChaseState, MessageState
from arsync.store import events, mailboxes, words
from arsync.store import tables as t
from arsync.store.bulk import among_ids, among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared


@dataclass(frozen=True, slots=True)
class MessageItem:
    """One invoice in a message, as it stood there."""

    invoice_id: str
    number: str
    amount: Decimal
    due_on: date | None
    demanded: bool
    disputed: Decimal | None = None  # open as well, contested and not asked for
    seen: str | None = None  # hash of all that a reader sees of it


@record(frozen=True, slots=True)
class Message:
    """One message, one revision of an intent."""

    id: int
    key: str
    connection_id: int
    chase_id: int
    payer_id: str
    step_id: str
    occurrence: int
    revision: int
    state: MessageState
    reason: str
    channel: str
    playbook: str
    playbook_version: str
    locale: str
    fingerprint: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    currency: str
    amount: Decimal
    planned_at: datetime
    planned_on: date
    written: str | None
    frame: str | None
    resend_of: int | None
    asked_at: datetime | None
    edited_by: str | None
    approved_by: str | None
    approved_at: datetime | None
    approved_as: str | None
    approved_until: datetime | None
    may_shrink: bool | None
    claim_token: str | None
    chase_version: int | None
    sending_at: datetime | None
    accepted_at: datetime | None
    sent_on: date | None
    way_out: str | None
    diverted_to: str | None
    reference: str | None
    attempts: int
    not_before: datetime | None
    attached: str | None = None  # what goes with it; see `enclosed`
    copies: tuple[str, ...] = ()
    asked_by: str | None = None  # a person's own statement of account
    unreadable: str = ""  # what of its row cannot be read, and stands empty here: it must not leave

    @property
    def enclosed(self) -> tuple[tuple[Attach, ...], Lacking]:
        """What goes with it, and what happens where that cannot be had."""
        words, _, rule = (self.attached or "").partition(";")
        return tuple(map(Attach, filter(None, words.split(",")))), Lacking(rule or Lacking.WAIT)

    @property
    def rendered(self) -> Rendered:
        """Its words as they stand."""
        return Rendered(self.subject, self.text, self.html)

    @property
    def unworded(self) -> Message:
        """The same without its words, for lists of thousands."""
        values = list(_VALUES(self))
        values[_TEXT] = values[_HTML] = ""
        return replace(Message(*values), unreadable=self.unreadable)


@dataclass(frozen=True, slots=True)
class Waiting:
    """As much of an approved message as is asked of thousands at once."""

    id: int
    payer_id: str
    channel: str
    playbook: str
    playbook_version: str


#: In these states something has left us, or may have.
LEFT_US: Final = EFFECTIVE | {MessageState.SENDING, MessageState.UNKNOWN, MessageState.BOUNCED}

_M = t.messages.c


#: In the order of `Message`.
_NAMES: Final = tuple(name for name in Message.__slots__ if name != "unreadable")
_ELSEWHERE: Final = {"payer_id": t.chases.c.payer_id, "text": t.message_words.c.text, "html": t.message_words.c.html}
_COLUMNS: Final = tuple(_ELSEWHERE[name] if name in _ELSEWHERE else _M[name] for name in _NAMES)
_VALUES: Final = attrgetter(*_NAMES)
_TEXT: Final = _NAMES.index("text")
_HTML: Final = _NAMES.index("html")
_STATE: Final = _NAMES.index("state")
_RECIPIENTS: Final = _NAMES.index("recipients")
_COPIES: Final = _NAMES.index("copies")


def selection() -> Select[*tuple[Any, ...]]:
    """Whole messages, for whoever says which; each row is for `of_row`."""
    whole = t.messages.join(t.chases, t.chases.c.id == _M.chase_id)
    return select(*_COLUMNS).select_from(whole.join(t.message_words, t.message_words.c.message_id == _M.id))


def of_row(row: Sequence[Any]) -> Message:
    """The message of a row of `selection`."""
    values = list(row)
    values[_STATE] = MessageState(values[_STATE])
    to, copies = mailboxes.read(values[_RECIPIENTS]), mailboxes.read(values[_COPIES])
    values[_RECIPIENTS], values[_COPIES] = to or (), copies or ()
    if to is None or copies is None:
        what = "recipients" if to is None else "copies"
        return replace(Message(*values), unreadable=f"its {what} cannot be read")
    return Message(*values)


@cache
def _moving(origin: MessageState, ours: bool, tried: bool, _said: tuple[str, ...]) -> Prepared:
    """What is said with a move goes along as values of the columns' names; `tried` counts a try."""
    where = [_M.id == bindparam("message"), _M.state == origin.value]
    if ours:
        where.append(_M.claim_token == bindparam("token"))
    statement = update(t.messages).where(*where)
    if tried:
        statement = statement.values(attempts=_M.attempts + 1)
    return Prepared(statement.returning(_M.connection_id, _M.chase_id))


def move(
    work: Work,
    message_id: int,
    origin: MessageState,
    target: MessageState,
    *,
    reason: str,
    now: datetime,
    token: str | None = None,
    author: str = "arsync",
    told: str | None = None,
    tried: bool = False,
    **values: Any,
) -> bool:
    """Moves a message along an arrow; False where another was faster, or the claim is no longer ours. `told` is what
    the log calls it, where its new state says too little; `tried` counts a try; `values` go into the columns of these
    names."""
    assert target in MESSAGE_ARROWS[origin], f"no arrow {origin} -> {target}"
    said = {"message": message_id, "state": target.value, "reason": reason, **values}
    if token is not None:
        said["token"] = token
    moved = _moving(origin, token is not None, tried, tuple(said))(work, **said)
    if not moved:
        return False
    ((connection_id, chase_id),) = moved
    events.log(
        work, told or f"message_{target.value}", at=now, author=author, connection_id=connection_id,
        chase_id=chase_id, message_id=message_id, reason=reason,
    )  # fmt: skip
    return True


def rewrite(work: Work, message_id: int, rendered: Rendered, *, token: str) -> None:
    """Puts today's wording (relative day counts) in place of an older day's; nothing else of the message changes."""
    ours = update(t.messages).where(_M.id == message_id, _M.claim_token == token).values(subject=rendered.subject)
    if work.execute(ours).rowcount:
        words.change(work, message_id, rendered)


# --- what is asked for every message, put together once ---------------------------

_K = t.message_items.c
_ITEM: Final = tuple(_K[name] for name in MessageItem.__slots__)
_ITEMS: Final = Prepared(select(*_ITEM).where(_K.message_id == bindparam("message")).order_by(_K.position))
_ITEMS_OF_EACH: Final = Prepared(
    lambda dialect: (
        select(_K.message_id, *_ITEM).where(among_those(dialect, _K.message_id, "messages")).order_by(_K.position)
    )
)
_HEARD: Final = Prepared(
    lambda dialect: select(_M.chase_id).where(among_those(dialect, _M.chase_id, "chases"), _M.accepted_at.is_not(None))
)
# --- queries ------------------------------------------------------------------------------------------


_ONE: Final = selection().where(_M.id == bindparam("message"))


def get(work: Work, message_id: int) -> Message:
    """One message."""
    return of_row(work.execute(_ONE, {"message": message_id}).one())


def find(work: Work, message_id: int) -> Message | None:
    """One message; None where there is none of that id."""
    row = work.execute(selection().where(_M.id == message_id)).one_or_none()
    return None if row is None else of_row(row)


def some(work: Work, message_ids: Collection[int]) -> list[Message]:
    """These messages, by id; those that there are."""
    query = selection().where(among_ids(work, _M.id, message_ids)).order_by(_M.id)
    return [of_row(row) for row in work.execute(query)]


def in_states(
    work: Work, states: Collection[MessageState], connection_id: int | None = None, *,
    chase_ids: Collection[int] | None = None, but_chases: Collection[int] | None = None,
) -> list[Message]:  # fmt: skip
    """Every message in these states, oldest first; those of these chases, or of all but these."""
    query = selection().where(_M.state.in_([state.value for state in states]))
    if connection_id is not None:
        query = query.where(_M.connection_id == connection_id)
    if chase_ids is not None:
        query = query.where(among_ids(work, _M.chase_id, chase_ids))
    if but_chases is not None:
        query = query.where(~among_ids(work, _M.chase_id, but_chases))
    return [of_row(row) for row in work.execute(query.order_by(_M.id))]


def search(
    work: Work, *, states: Collection[MessageState], connection_id: int | None = None, payer_id: str | None = None,
    step_id: str | None = None, since: date | None = None, limit: int,
) -> list[Message]:  # fmt: skip
    """The newest messages of which all that is given holds, newest first."""
    query = selection().where(_M.state.in_([state.value for state in states]))
    given: list[tuple[Any, Any]] = [(_M.connection_id, connection_id), (t.chases.c.payer_id, payer_id)]
    for column, value in (*given, (_M.step_id, step_id)):
        if value is not None:
            query = query.where(column == value)
    if since is not None:
        query = query.where(func.coalesce(_M.sent_on, _M.planned_on) >= since)
    return [of_row(row) for row in work.execute(query.order_by(_M.id.desc()).limit(limit))]


def of_chase(work: Work, chase_id: int) -> list[Message]:
    """The chase's messages, oldest first."""
    return [of_row(row) for row in work.execute(selection().where(_M.chase_id == chase_id).order_by(_M.id))]


def of_payer(work: Work, connection_id: int, payer_id: str) -> list[Message]:
    """The messages of the payer's chases, oldest first."""
    query = selection().where(_M.connection_id == connection_id, t.chases.c.payer_id == payer_id)
    return [of_row(row) for row in work.execute(query.order_by(_M.id))]


def of_invoice(work: Work, connection_id: int, invoice_id: str) -> list[Message]:
    """The messages that name the invoice, oldest first."""
    named = select(t.message_items.c.message_id).where(t.message_items.c.invoice_id == invoice_id)
    query = selection().where(_M.connection_id == connection_id, _M.id.in_(named)).order_by(_M.id)
    return [of_row(row) for row in work.execute(query)]


def calls(work: Work) -> list[Message]:
    """Calls to make and other tasks to do by hand: the newest message of each chase that is still worked, unless
    somebody has done its step by hand since."""
    newest = select(func.max(_M.id)).where(_M.state.in_([state.value for state in EFFECTIVE])).group_by(_M.chase_id)
    query = _to_call().where(_M.id.in_(newest)).order_by(_M.amount.desc(), _M.id)
    return [of_row(row) for row in work.execute(query)]


def is_call(work: Work, message_id: int) -> bool:
    """Whether `calls` names it."""
    chase = select(_M.chase_id).where(_M.id == message_id).scalar_subquery()
    newest = select(func.max(_M.id)).where(_M.chase_id == chase, _M.state.in_([state.value for state in EFFECTIVE]))
    return work.execute(_to_call().where(_M.id == message_id, _M.id == newest.scalar_subquery())).first() is not None


def _to_call() -> Select[*tuple[Any, ...]]:
    return selection().where(
        _M.channel.in_((StepChannel.CALL.value, StepChannel.TASK.value)),
        _M.state == MessageState.ACCEPTED.value,
        t.chases.c.state.in_((ChaseState.OPEN.value, ChaseState.REOPENED.value)),
        ~done_by_hand(),
    )


def done_by_hand() -> ColumnElement[bool]:
    """Whether somebody has done the message's step by hand since it was put on the list; in a query over messages and
    their chases."""
    touch = t.touches.c
    return (
        exists()
        .where(
            touch.connection_id == _M.connection_id, touch.payer_id == t.chases.c.payer_id, touch.step_id == _M.step_id,
            touch.undone_at.is_(None), touch.made_on >= func.coalesce(_M.sent_on, _M.planned_on),
        )
        .correlate(t.messages, t.chases)
    )  # fmt: skip


def items(work: Work, message_id: int) -> list[MessageItem]:
    """The message's invoices, in its own order."""
    return [MessageItem(*row) for row in _ITEMS(work, message=message_id)]


def items_of_each(work: Work, message_ids: Collection[int]) -> dict[int, tuple[MessageItem, ...]]:
    """As `items`, of several messages, by their ids."""
    found: dict[int, list[MessageItem]] = {one: [] for one in message_ids}
    for message_id, *values in _ITEMS_OF_EACH(work, messages=those(work, message_ids)):
        found[message_id].append(MessageItem(*values))
    return {one: tuple(some) for one, some in found.items()}


def oldest_items(work: Work, message_ids: Collection[int]) -> dict[int, MessageItem]:
    """Of each of these messages the invoice that is due first."""
    found = items_of_each(work, message_ids)
    return {
        one: min(some, key=lambda item: (item.due_on or date.max, item.number)) for one, some in found.items() if some
    }


def heard(work: Work, chase_ids: Collection[int]) -> set[int]:
    """Those of the chases of which a message was ever accepted."""
    return {chase_id for (chase_id,) in _HEARD(work, chases=those(work, chase_ids))}


def approved(work: Work, connection_id: int) -> list[Waiting]:
    """Every message of the connection that may go out, oldest first."""
    columns = (_M.id, t.chases.c.payer_id, _M.channel, _M.playbook, _M.playbook_version)
    query = select(*columns).join(t.chases, t.chases.c.id == _M.chase_id)
    query = query.where(_M.connection_id == connection_id, _M.state == MessageState.APPROVED.value)
    return [Waiting(*row) for row in work.execute(query.order_by(_M.id)).all()]


def counts(work: Work) -> dict[str, int]:
    """How many messages stand in each state."""
    query = select(_M.state, func.count()).group_by(_M.state)
    return {str(state): int(count) for state, count in work.execute(query)}


def live_of(work: Work, chase_id: int) -> Message | None:
    """The chase's one live message."""
    states: Sequence[str] = [state.value for state in LIVE]
    row = work.execute(selection().where(_M.chase_id == chase_id, _M.state.in_(states))).one_or_none()
    return None if row is None else of_row(row)
