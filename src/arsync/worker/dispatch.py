"""From approved to accepted: claim, read the payers afresh, confirm, pass the gate, send. Then write back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from arsync.connector import Clock, Connector
from arsync.domain.policy import SendWindow
from arsync.domain.states import MessageState
from arsync.errors import ConnectorError
from arsync.outbox.accept import Acceptance
from arsync.outbox.send import Post, Sent, send
from arsync.playbook.decide import confirm
from arsync.playbook.facts import Policy
from arsync.store import connections, messages
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.store.messages import Message
from arsync.sync.refresh import refresh

_TERM: Final = timedelta(minutes=10)
#: So many payers are read afresh in one go: few calls, and little time between the reading and the sending.
_BATCH: Final = 25


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that one connection's night needs."""

    connection: Connection
    connector: Connector
    policy: Policy
    post: Post
    writes: bool

    def acceptance(self, now: datetime) -> Acceptance:
        """How a message is accepted today."""
        return Acceptance(self.policy.today(now), self.writes)


@dataclass(slots=True)
class Dispatched:
    """What a dispatch did; each list holds messages with the reason."""

    accepted: list[Message] = field(default_factory=list)
    withdrawn: list[tuple[Message, str]] = field(default_factory=list)  # the facts changed
    postponed: list[tuple[Message, str]] = field(default_factory=list)  # tried again later
    failed: list[tuple[Message, str]] = field(default_factory=list)
    unknown: list[tuple[Message, str]] = field(default_factory=list)
    opens_at: datetime | None = None  # set where the send window is closed now
    error: str | None = None  # the source could not be read: nothing more was sent

    def note(self, message: Message, sent: Sent, reason: str) -> None:
        """Files one outcome."""
        match sent:
            case Sent.ACCEPTED:
                self.accepted.append(message)
            case Sent.FAILED:
                self.failed.append((message, reason))
            case Sent.UNKNOWN:
                self.unknown.append((message, reason))
            case Sent.REFUSED | Sent.RETRY | Sent.LOST:
                self.postponed.append((message, reason))


def dispatch(store: Store, desk: Desk, clock: Clock, *, beat: Callable[[], None]) -> Dispatched:
    """Sends what is approved, if the send window is open; `beat` is called between batches and may raise Locked."""
    done = Dispatched(opens_at=next_opening(desk.policy, clock.now()))
    if done.opens_at is not None:
        return done
    with store.reading() as work:
        waiting = len(messages.in_states(work, (MessageState.APPROVED,), desk.connection.id))
    # A message may be superseded by a new revision right before it goes out, which is claimed in its turn.
    for _ in range(2 * (waiting // _BATCH + 2)):
        beat()
        with store.working() as work:
            _token, batch = messages.claim(work, desk.connection.id, limit=_BATCH, term=_TERM, now=clock.now())
            work.commit()
        if not batch:
            break
        try:
            refresh(store, desk.connection, desk.connector, {message.payer_id for message in batch}, clock)
        except ConnectorError as error:
            _put_back(store, batch, f"the source could not be read again: {error}", clock)
            done.error = str(error)
            break
        for message in batch:
            _dispatch_one(store, desk, message, clock, done)
    return done


def _dispatch_one(store: Store, desk: Desk, message: Message, clock: Clock, done: Dispatched) -> None:
    now = clock.now()
    with store.reading() as work:
        connection = connections.connection_by_id(work, desk.connection.id)
    changed = confirm(store, connection, desk.policy, message, now=now)
    if changed is not None:
        done.withdrawn.append((message, changed))
        return
    done.note(message, *send(store, message, desk.post, clock, desk.acceptance(now)))


def _put_back(store: Store, batch: list[Message], reason: str, clock: Clock) -> None:
    with store.working() as work:
        for message in batch:
            messages.move(
                work, message.id, MessageState.CLAIMED, MessageState.APPROVED, reason=reason, now=clock.now(),
                token=message.claim_token, claim_token=None, claimed_until=None,
            )  # fmt: skip
        work.commit()


def next_opening(policy: Policy, now: datetime) -> datetime | None:
    """When the send window opens next, in the company's timezone; None where it is open now."""
    zone = ZoneInfo(policy.seller.timezone)
    local = now.astimezone(zone)
    window: SendWindow = policy.playbook.window
    calendar = policy.calendar(local.date(), None)
    if calendar.is_open(local.date()):
        if window.opens <= local.time() < window.closes:
            return None
        if local.time() < window.opens:
            return datetime.combine(local.date(), window.opens, zone)
    day = calendar.next_open(local.date() + timedelta(days=1))
    return datetime.combine(day, window.opens, zone)
