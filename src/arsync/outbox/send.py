"""One confirmed message through the last gate and out.

claimed --gate--> sending --answer--> accepted (+ its notes)
                          --refusal--> failed -> approved, a bounded number of times
                          --silence--> unknown: evidence only from here on
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Final

from arsync.channel.attached import USUAL_BYTES, file_name, fitting
from arsync.channel.contract import Attachment, Channel, Envelope
from arsync.channel.routing import routed
from arsync.domain.clock import Clock
from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.errors import Barred, ConnectorError, Deferred, Locked, OutcomeUnknown, Refused, Rejected, RetryLater
from arsync.outbox.accept import Acceptance, Owed, accept, notes_owed
from arsync.session import before_first_byte, meanwhile
from arsync.store import gate, messages, threads
from arsync.store.engine import Store, Work
from arsync.store.messages import Message, MessageItem

#: No first byte later than this after the gate's commit, in real seconds.
FIRST_BYTE: Final = 10.0
#: After so many tries a message is a task for a person.
TRIES: Final = 5
#: A message that the gate refused is looked at again after this time.
_LATER: Final = timedelta(minutes=1)


class Sent(StrEnum):
    """What became of a message at dispatch."""

    ACCEPTED = "accepted"
    CHANGED = "changed"  # since its batch was looked at; still claimed, nothing left: it is to be looked at alone
    REFUSED = "refused"  # by the last gate; nothing left
    RETRY = "retry"  # nothing left; tried again at once
    LATER = "later"  # the channel takes nothing for now; nothing left
    FAILED = "failed"  # by the channel, for good; nothing left: a task for a person
    UNKNOWN = "unknown"
    LOST = "lost"  # another worker has taken it over


@dataclass(frozen=True, slots=True)
class Post:
    """The way out for one connection's messages."""

    channels: Mapping[StepChannel, Channel]
    sender: str
    reply_to: str
    connection: str
    most_attached: int = USUAL_BYTES  # together, of one message
    inbox: str | None = None  # where answers are read: each message has an address of its own there


@dataclass(frozen=True, slots=True)
class Beforehand:
    """What was asked of a message together with its batch."""

    thread: tuple[str, ...]  # what the conversation had before it
    items: tuple[MessageItem, ...]


def send(
    store: Store,
    message: Message,
    post: Post,
    clock: Clock,
    how: Acceptance,
    attachments: Sequence[Attachment] = (),
    without: Sequence[str] = (),
    beforehand: Beforehand | None = None,
    upcoming: Callable[[], None] | None = None,
) -> tuple[Sent, str]:
    """Sends a claimed and confirmed message, at most once; what became of it and why. What is too large to go with it
    stays behind, and the reason says so; as it says what it goes `without` because it could not be had. Where it was
    confirmed with its batch (`beforehand`) and the gate says no, it is CHANGED and stays claimed. `upcoming`, which
    has no effects, may be done while the channel's answer is awaited."""
    token = message.claim_token
    assert token is not None, "only a claimed message is sent"
    channel = post.channels[StepChannel(message.channel)]
    attached, left_out = fitting(attachments, post.most_attached)
    if beforehand is None:
        with store.reading() as work:
            thread = threads.before(work, message)
    else:
        thread = beforehand.thread
    deadline = clock.elapsed() + FIRST_BYTE  # counted from before the gate's commit: never too late
    with store.working() as work:
        refusal = gate.pass_gate(
            work, message.id, token=token, now=clock.now(), today=how.today, way_out=channel.place,
            diverted_to=how.diverted_to,
        )  # fmt: skip
        if refusal is None:
            work.commit()
    if refusal is not None:
        if beforehand is not None:
            return Sent.CHANGED, refusal
        return _step_back(store, message, token, refusal, clock)

    begun = False

    def in_time() -> None:
        nonlocal begun
        if clock.elapsed() > deadline:
            raise Refused("the worker was suspended after the gate; nothing left")
        begun = True

    owed: list[Owed] | None = None

    def while_awaited() -> None:
        nonlocal owed
        owed = _owed(message, how, beforehand)
        if upcoming is not None:
            upcoming()

    try:
        with before_first_byte(in_time), meanwhile(while_awaited):
            receipt = channel.send(_envelope(message, post, clock, attached, thread))
    except (RetryLater, Rejected, Refused) as error:
        return _failed(store, message, token, error, clock)
    except Locked as error:  # told to stop: no message's fault
        if begun:
            _unknown(store, message, token, error, clock)
        else:
            _not_begun(store, message, token, error, clock)
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one message never stops the others
        if begun or isinstance(error, ConnectorError | OSError):
            return _unknown(store, message, token, error, clock)
        unfit = Rejected(f"it could not be put into an envelope ({type(error).__name__})")
        return _failed(store, message, token, unfit, clock)
    with store.working() as work:
        reason = "; without ".join([_taken(message, channel, how, attached), *without, *left_out])
        reason += receipt.remark and f"; {receipt.remark}"
        if owed is None:
            owed = _owed(message, how, beforehand)
        accepted = _accept_anyhow(work, message, token, receipt.reference, reason, how, clock, owed)
        work.commit()
    return (Sent.ACCEPTED, reason) if accepted else (Sent.LOST, "another worker settled it")


def draw_up(message: Message, post: Post, clock: Clock, thread: tuple[str, ...]) -> None:
    """Lets the channel put together a message that has no attachments and will probably be sent next."""
    post.channels[StepChannel(message.channel)].draw_up(_envelope(message, post, clock, (), thread))


def _taken(message: Message, channel: Channel, how: Acceptance, attached: Sequence[Attachment]) -> str:
    """Who took it, in whose place, and with what."""
    diverted = how.diverted_to is not None and message.channel == StepChannel.EMAIL
    instead = f" for {how.diverted_to} instead of the customer" if diverted else ""
    with_them = f" with {', '.join(file_name(file) for file in attached)}" if attached else ""
    return f"taken by {channel.name}{instead}{with_them}"


def _owed(message: Message, how: Acceptance, beforehand: Beforehand | None) -> list[Owed] | None:
    """Its notes; None where they are to be asked for with its acceptance."""
    if beforehand is None or how.installation is None:
        return None
    return notes_owed(message, how, how.installation, beforehand.items) if how.writes else []


def _accept_anyhow(
    work: Work, message: Message, token: str, reference: str, reason: str, how: Acceptance, clock: Clock,
    owed: Sequence[Owed] | None,
) -> bool:  # fmt: skip
    """The answer is evidence: it also settles what another worker had meanwhile to call unknown or presumed."""
    taken = partial(accept, work, message, reference=reference, reason=reason, how=how, now=clock.now(), owed=owed)
    return taken(MessageState.SENDING, token=token) or taken(MessageState.UNKNOWN) or taken(MessageState.PRESUMED_SENT)


def _step_back(store: Store, message: Message, token: str, refusal: str, clock: Clock) -> tuple[Sent, str]:
    with store.working() as work:
        messages.move(
            work, message.id, MessageState.CLAIMED, MessageState.APPROVED, reason=f"held at the gate: {refusal}",
            now=clock.now(), token=token, claim_token=None, claimed_until=None, not_before=clock.now() + _LATER,
        )  # fmt: skip
        work.commit()
    return Sent.REFUSED, refusal


def _failed(
    store: Store, message: Message, token: str, error: RetryLater | Rejected | Refused, clock: Clock
) -> tuple[Sent, str]:
    with store.working() as work:
        # Another worker may have had to call it unknown; that nothing left is evidence.
        origins = (MessageState.SENDING, MessageState.UNKNOWN)
        found = (give_back(work, message, origin, error, clock, token=token) for origin in origins)
        outcome = next((outcome for outcome in found if outcome is not None), None)
        work.commit()
    return (outcome or Sent.LOST), str(error)


def _not_begun(store: Store, message: Message, token: str, error: Locked, clock: Clock) -> None:
    """As if it had never passed the gate: no try is counted."""
    now = clock.now()
    with store.working() as work:
        if messages.move(
            work, message.id, MessageState.SENDING, MessageState.FAILED, reason=str(error), now=now, token=token
        ):
            messages.move(
                work, message.id, MessageState.FAILED, MessageState.APPROVED, reason=f"nothing left: {error}", now=now,
                claim_token=None, claimed_until=None, attempts=messages.get(work, message.id).attempts - 1,
            )  # fmt: skip
        work.commit()


def give_back(
    work: Work,
    message: Message,
    origin: MessageState,
    error: RetryLater | Rejected | Refused,
    clock: Clock,
    *,
    token: str | None = None,
) -> Sent | None:
    """Nothing left: back to `approved` for another try, or `failed` for good; None where another was faster."""
    now = clock.now()
    if not messages.move(work, message.id, origin, MessageState.FAILED, reason=str(error), now=now, token=token):
        return None
    attempts = messages.get(work, message.id).attempts
    # The channel takes nothing, or nothing more for now.
    not_its_fault = isinstance(error, Barred | RetryLater) and not isinstance(error, Deferred)
    if not not_its_fault and (isinstance(error, Rejected) or attempts >= TRIES):
        return Sent.FAILED
    pause = error.after if isinstance(error, RetryLater) else 0.0
    messages.move(
        work, message.id, MessageState.FAILED, MessageState.APPROVED, reason=f"to be tried again: {error}", now=now,
        claim_token=None, claimed_until=None, not_before=now + timedelta(seconds=pause),
        attempts=attempts - 1 if not_its_fault else attempts,
    )  # fmt: skip
    return Sent.LATER if not_its_fault else Sent.RETRY


def _unknown(store: Store, message: Message, token: str, error: Exception, clock: Clock) -> tuple[Sent, str]:
    said = (error.detail or str(error)) if isinstance(error, OutcomeUnknown) else type(error).__name__
    with store.working() as work:
        moved = messages.move(
            work, message.id, MessageState.SENDING, MessageState.UNKNOWN, reason=said, now=clock.now(), token=token
        )
        work.commit()
    return (Sent.UNKNOWN if moved else Sent.LOST), said


def _envelope(
    message: Message, post: Post, clock: Clock, attachments: tuple[Attachment, ...], thread: tuple[str, ...]
) -> Envelope:
    return Envelope(
        message_id=message.key,
        sender=post.sender,
        reply_to=routed(post.inbox, message.key) if post.inbox else post.reply_to,
        to=message.recipients,
        cc=message.copies,
        bcc=(),
        subject=message.subject,
        text=message.text,
        html=message.html,
        at=clock.now(),
        language=message.locale,
        tags={"connection": post.connection, "playbook": message.playbook, "step": message.step_id},
        attachments=attachments,
        thread=thread,
    )
