"""What a dead or suspended worker left behind, and messages nobody knows about: settled by evidence only."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from arsync.channel.contract import Evidence
from arsync.domain.clock import Clock
from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.errors import ConnectorError, Refused
from arsync.outbox.accept import Acceptance, accept
from arsync.outbox.send import Post, give_back
from arsync.store import claims, messages, provider_events
from arsync.store.engine import Store
from arsync.store.messages import Message

#: A worker silent for longer than the gate, the connection and the answer may take is not coming back with it.
_SILENCE: Final = timedelta(minutes=5)
#: Without any evidence for this long a message is presumed sent: it counts for gap and ladder, never as notice.
PRESUMED_AFTER: Final = timedelta(hours=72)


@dataclass(slots=True)
class Settled:
    """What was settled."""

    released: int = 0  # claims that had not passed the gate
    accepted: int = 0
    given_back: int = 0  # certainly never left
    unknown: int = 0  # still
    presumed: int = 0


def settle(
    store: Store,
    clock: Clock,
    way_out: Callable[[Message], tuple[Post, Acceptance]],
    connection_ids: Collection[int],
) -> Settled:
    """Releases abandoned claims of these connections, and asks for evidence of every message of theirs that may have
    left: what a process that works for another connection holds is its own."""
    settled = Settled()
    now = clock.now()
    with store.working() as work:
        for message_id in claims.abandoned_claims(work, connection_ids, now=now):
            settled.released += messages.move(
                work, message_id, MessageState.CLAIMED, MessageState.APPROVED, now=now,
                reason="its worker was gone before the gate", claim_token=None, claimed_until=None,
            )  # fmt: skip
        for message_id in claims.abandoned_sendings(work, connection_ids, before=now - _SILENCE):
            messages.move(
                work, message_id, MessageState.SENDING, MessageState.UNKNOWN, now=now,
                reason="its worker was gone after the gate",
            )  # fmt: skip
        unknown = messages.in_states(work, (MessageState.UNKNOWN,))
        # Evidence that comes after the 72 hours is evidence too.
        told = provider_events.evident(work, MessageState.PRESUMED_SENT)
        unknown += [messages.get(work, message_id) for message_id in told]
        open_questions = [message for message in unknown if message.connection_id in connection_ids]
        work.commit()
    for message in open_questions:
        _ask(store, clock, message, *way_out(message), settled)
    return settled


def say(store: Store, message: Message, *, sent: bool, author: str, reason: str, how: Acceptance, clock: Clock) -> bool:
    """A person is evidence: what nobody knew went out then, or failed and may be let go again; False where something
    else settled it meanwhile."""
    now = clock.now()
    how = replace(how, diverted_to=message.diverted_to)
    with store.working() as work:
        if sent:
            told = f"{author} says that it went out: {reason}"
            done = accept(
                work, message, message.state, reference=message.reference, reason=told, how=how, now=now, author=author
            )
        else:
            told = f"{author} says that it did not go out: {reason}"
            done = messages.move(
                work, message.id, message.state, MessageState.FAILED, reason=told, now=now, author=author
            )
        work.commit()
    return done


def _ask(store: Store, clock: Clock, message: Message, post: Post, how: Acceptance, settled: Settled) -> None:
    channel = post.channels[StepChannel(message.channel)]
    with store.reading() as work:
        told = provider_events.evidence(work, message.id)
    source, reference = told or (channel.name, None)
    try:
        evidence, reference = (Evidence.SENT, reference) if told else channel.look_up(message.key)
    except ConnectorError:
        evidence, reference = Evidence.NOTHING, None
    now = clock.now()
    how = replace(how, diverted_to=message.diverted_to)  # as it was when it left
    with store.working() as work:
        if evidence is Evidence.SENT:
            settled.accepted += accept(
                work,
                message,
                message.state,
                reference=reference,
                reason=f"told by {source}" if told else f"found at {source}",
                how=how,
                now=now,
            )
        elif evidence is Evidence.NOT_SENT and message.way_out == channel.place:
            error = Refused(f"{channel.name} never had it")
            settled.given_back += give_back(work, message, MessageState.UNKNOWN, error, clock) is not None
        elif message.sending_at is not None and now - message.sending_at >= PRESUMED_AFTER:
            settled.presumed += messages.move(
                work, message.id, MessageState.UNKNOWN, MessageState.PRESUMED_SENT, now=now,
                reason="no evidence within 72 hours", sent_on=how.today,
            )  # fmt: skip
        else:
            settled.unknown += 1
        work.commit()
