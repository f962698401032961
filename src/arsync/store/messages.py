"""Messages in the outbox: planned once per intent, moved by compare-and-set, sent past the last gate or not at all."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Integer, Select, and_, bindparam, func, insert, or_, select, update

from arsync.domain.chase import Intent, Rendered
from arsync.domain.policy import Attach, Lacking, Step, StepChannel
from arsync.domain.record import record
from arsync.domain.seen import item_seen, named, sealed, written
from arsync.domain.states import EFFECTIVE, LIVE, MESSAGE_ARROWS, ChaseState, MessageState
from arsync.store import events, words
from arsync.store import tables as t
from arsync.store.bulk import among_ids, among_those, those
from arsync.store.engine import Work
from arsync.store.leases import holder, is_dead
from arsync.store.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's yes to what that person saw; it ends with the next send window."""

    author: str
    at: datetime
    until: datetime | None
    may_shrink: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be planned."""

    connection_id: int
    chase_id: int
    intent: Intent
    rendered: Rendered
    recipients: tuple[str, ...]  # RFC 5322 mailboxes
    playbook: str
    playbook_version: str
    locale: str
    fingerprint: str
    state: MessageState  # planned (a person approves) or approved
    reason: str
    frame: str | None = None  # the fingerprint of the same about no invoice
    approval: Approval | None = None  # of an earlier revision, which allowed for this one
    resend_of: int | None = None
    asked_at: datetime | None = None  # since when a person is asked; None: from now on
    author: str = "arsync"
    copies: tuple[str, ...] = ()  # RFC 5322 mailboxes
    asked_by: str | None = None  # a person's own statement of account


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
        return Message(*values)


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
_NAMES: Final = tuple(Message.__slots__)
_ELSEWHERE: Final = {"payer_id": t.chases.c.payer_id, "text": t.message_words.c.text, "html": t.message_words.c.html}
_COLUMNS: Final = tuple(_ELSEWHERE[name] if name in _ELSEWHERE else _M[name] for name in _NAMES)
_VALUES: Final = attrgetter(*_NAMES)
_TEXT: Final = _NAMES.index("text")
_HTML: Final = _NAMES.index("html")
_STATE: Final = _NAMES.index("state")
_RECIPIENTS: Final = _NAMES.index("recipients")
_COPIES: Final = _NAMES.index("copies")


def _query() -> Select[*tuple[Any, ...]]:
    whole = t.messages.join(t.chases, t.chases.c.id == _M.chase_id)
    return select(*_COLUMNS).select_from(whole.join(t.message_words, t.message_words.c.message_id == _M.id))


def _message(row: Sequence[Any]) -> Message:
    values = list(row)
    values[_STATE] = MessageState(values[_STATE])
    values[_RECIPIENTS] = tuple(json.loads(values[_RECIPIENTS]))
    values[_COPIES] = tuple(json.loads(values[_COPIES])) if values[_COPIES] else ()
    return Message(*values)


# --- planning --------------------------------------------------------------------------------------------------


def plan(work: Work, draft: Draft, *, now: datetime, today: date) -> int:
    """Plans a message: a new intent, or the next revision of a known one."""
    intent = draft.intent
    same = (
        _M.chase_id == draft.chase_id,
        _M.step_id == intent.step.id,
        _M.occurrence == intent.occurrence,
    )
    before = work.execute(select(func.max(_M.revision)).where(*same)).scalar_one()
    as_written = written(intent, draft.recipients, draft.rendered)
    yes = draft.approval
    statement = (
        insert(t.messages)
        .values(
            key=secrets.token_hex(16),
            connection_id=draft.connection_id,
            chase_id=draft.chase_id,
            step_id=intent.step.id,
            occurrence=intent.occurrence,
            revision=(before or 0) + 1,
            state=draft.state.value,
            reason=draft.reason,
            channel=intent.step.way.value,
            tone=intent.step.tone.value,
            playbook=draft.playbook,
            playbook_version=draft.playbook_version,
            locale=draft.locale,
            fingerprint=draft.fingerprint,
            recipients=json.dumps(draft.recipients),
            copies=json.dumps(draft.copies) if draft.copies else None,
            subject=draft.rendered.subject,
            currency=intent.at_stake.currency,
            amount=intent.at_stake.amount,
            planned_at=now,
            planned_on=today,
            attempts=0,
            written=as_written,
            frame=draft.frame,
            resend_of=draft.resend_of,
            asked_by=draft.asked_by,
            attached=_attached(intent.step),
            asked_at=(draft.asked_at or now) if draft.state is MessageState.PLANNED else None,
            **({} if yes is None else approved_columns(yes, sealed(as_written, None))),
        )
        .returning(_M.id)
    )
    message_id = int(work.execute(statement).scalar_one())
    words.keep(work, message_id, draft.rendered)
    items = named(intent)
    work.execute(
        insert(t.message_items),
        [
            {
                "message_id": message_id,
                "position": place,
                "invoice_id": item.invoice_id,
                "number": item.number,
                "amount": item.balance.amount,
                "due_on": item.due_on,
                "demanded": demanded,
                "disputed": item.disputed.amount if item.disputed else None,
                "seen": item_seen(item),
            }
            for place, (item, demanded) in enumerate(items)
        ],
    )
    events.log(
        work, "message_planned", at=now, author=draft.author, connection_id=draft.connection_id,
        chase_id=draft.chase_id, message_id=message_id, step=intent.step.id, occurrence=intent.occurrence,
        state=draft.state.value, reason=draft.reason,
    )  # fmt: skip
    return message_id


def _attached(step: Step) -> str | None:
    return f"{','.join(step.attached)};{step.lacking}" if step.attached else None


def approved_columns(yes: Approval, seen: str) -> dict[str, Any]:
    """What a message keeps of a person's yes to what was seen."""
    return {
        "approved_by": yes.author, "approved_at": yes.at, "approved_until": yes.until, "approved_as": seen,
        "may_shrink": yes.may_shrink,
    }  # fmt: skip


#: A message that nobody has approved, or not any more.
UNAPPROVED: Final[Mapping[str, Any]] = dict.fromkeys(
    ("approved_by", "approved_at", "approved_until", "approved_as", "may_shrink")
)


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
_OURS: Final = and_(
    _M.id == bindparam("message"), _M.state == MessageState.CLAIMED.value, _M.claim_token == bindparam("token")
)
_CONFIRMED: Final = update(t.messages).where(_OURS).values(chase_version=bindparam("version"))

# --- claiming and confirming ---------------------------------------------------------------------------------------


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
_CLAIMED: Final = Prepared(_query().where(_M.claim_token == bindparam("token"), _M.state == MessageState.CLAIMED.value))


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
    return token, sorted(map(_message, _CLAIMED(work, token=token)), key=lambda message: place[message.id])


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


# --- what the dead left behind ---------------------------------------------------------------------------------------


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


# --- queries ------------------------------------------------------------------------------------------


_ONE: Final = _query().where(_M.id == bindparam("message"))


def get(work: Work, message_id: int) -> Message:
    """One message."""
    return _message(work.execute(_ONE, {"message": message_id}).one())


def find(work: Work, message_id: int) -> Message | None:
    """One message; None where there is none of that id."""
    row = work.execute(_query().where(_M.id == message_id)).one_or_none()
    return None if row is None else _message(row)


def in_states(
    work: Work, states: Collection[MessageState], connection_id: int | None = None, *,
    chase_ids: Collection[int] | None = None, but_chases: Collection[int] | None = None,
) -> list[Message]:  # fmt: skip
    """Every message in these states, oldest first; those of these chases, or of all but these."""
    query = _query().where(_M.state.in_([state.value for state in states]))
    if connection_id is not None:
        query = query.where(_M.connection_id == connection_id)
    if chase_ids is not None:
        query = query.where(among_ids(work, _M.chase_id, chase_ids))
    if but_chases is not None:
        query = query.where(~among_ids(work, _M.chase_id, but_chases))
    return [_message(row) for row in work.execute(query.order_by(_M.id))]


def search(
    work: Work, *, states: Collection[MessageState], connection_id: int | None = None, payer_id: str | None = None,
    step_id: str | None = None, since: date | None = None, limit: int,
) -> list[Message]:  # fmt: skip
    """The newest messages of which all that is given holds, newest first."""
    query = _query().where(_M.state.in_([state.value for state in states]))
    given: list[tuple[Any, Any]] = [(_M.connection_id, connection_id), (t.chases.c.payer_id, payer_id)]
    for column, value in (*given, (_M.step_id, step_id)):
        if value is not None:
            query = query.where(column == value)
    if since is not None:
        query = query.where(func.coalesce(_M.sent_on, _M.planned_on) >= since)
    return [_message(row) for row in work.execute(query.order_by(_M.id.desc()).limit(limit))]


def of_chase(work: Work, chase_id: int) -> list[Message]:
    """The chase's messages, oldest first."""
    return [_message(row) for row in work.execute(_query().where(_M.chase_id == chase_id).order_by(_M.id))]


def of_payer(work: Work, connection_id: int, payer_id: str) -> list[Message]:
    """The messages of the payer's chases, oldest first."""
    query = _query().where(_M.connection_id == connection_id, t.chases.c.payer_id == payer_id)
    return [_message(row) for row in work.execute(query.order_by(_M.id))]


def of_invoice(work: Work, connection_id: int, invoice_id: str) -> list[Message]:
    """The messages that name the invoice, oldest first."""
    named = select(t.message_items.c.message_id).where(t.message_items.c.invoice_id == invoice_id)
    query = _query().where(_M.connection_id == connection_id, _M.id.in_(named)).order_by(_M.id)
    return [_message(row) for row in work.execute(query)]


def calls(work: Work) -> list[Message]:
    """Calls to make and other tasks to do by hand: the newest message of each chase that is still worked."""
    newest = select(func.max(_M.id)).where(_M.state.in_([state.value for state in EFFECTIVE])).group_by(_M.chase_id)
    query = _query().where(
        _M.id.in_(newest),
        _M.channel.in_((StepChannel.CALL.value, StepChannel.TASK.value)),
        _M.state == MessageState.ACCEPTED.value,
        t.chases.c.state.in_((ChaseState.OPEN.value, ChaseState.REOPENED.value)),
    )
    return [_message(row) for row in work.execute(query.order_by(_M.amount.desc(), _M.id))]


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
    row = work.execute(_query().where(_M.chase_id == chase_id, _M.state.in_(states))).one_or_none()
    return None if row is None else _message(row)
