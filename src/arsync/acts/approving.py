"""What a person says to messages that wait."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from arsync.bootstrap import App
from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.errors import NotFound, UsageError
from arsync.playbook.approval import lasts_until
from arsync.render.edited import edited
from arsync.store import approvals as answers
from arsync.store import connections, messages
from arsync.store.engine import Work
from arsync.store.messages import Message
from arsync.store.planned import Approval

#: In these a mail has words that a person may change.
EDITABLE: Final = (MessageState.PLANNED, MessageState.APPROVED)


@dataclass(frozen=True, slots=True)
class Approved:
    """What became of a yes: the messages that go out, and those that are not any more what was seen."""

    messages: Sequence[Message]
    changed: Sequence[int]


def shown(message: Message) -> str:
    """A hash of all that a person is shown of a message: a yes said on a page is for that, and nothing else."""
    told = [
        message.id, message.state, message.recipients, message.copies, message.subject, message.text, message.html,
        message.currency, str(message.amount), message.attached, answers.seen(message),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def approve(app: App, wanted: Mapping[int, str] | Iterable[int], *, who: str, may_shrink: bool = False) -> Approved:
    """Approves these messages. A mapping says of each what was `shown` of it: one that is not that any more is not
    approved. Without it a message that does not wait is NotFound."""
    policies = {one.id: app.policy(one) for one in app.linked()}
    now = app.clock.now()
    wait = timedelta(minutes=app.settings.delivery.undo_minutes)
    marks: Mapping[int, str | None] = wanted if isinstance(wanted, Mapping) else dict.fromkeys(wanted)
    approved: list[Message] = []
    changed: list[int] = []
    with app.store.working() as work:
        for message_id, mark in marks.items():
            found = messages.find(work, message_id)
            if mark is not None and (found is None or shown(found) != mark):
                changed.append(message_id)
                continue
            one = _waiting(work, found, message_id)
            policy = policies.get(one.connection_id)
            # A letter is posted by hand, at whatever hour.
            mailed = policy is not None and one.channel == StepChannel.EMAIL
            until = lasts_until(work, policy, one, now=now) if policy is not None and mailed else None
            yes = Approval(who, now, until, may_shrink=may_shrink)
            gone = answers.approve(work, one, yes, not_before=now + wait if wait else None, now=now)
            approved.append(messages.get(work, one.id)) if gone else changed.append(one.id)
        work.commit()
    return Approved(approved, changed)


def that_wait(
    work: Work, connection: str | None = None, states: Sequence[MessageState] = answers.WAITING
) -> list[Message]:
    """The messages that wait for a person, of all companies or of that one."""
    company = None if connection is None else connections.connection(work, connection).id
    return messages.in_states(work, states, company)


def _waiting(work: Work, found: Message | None, message_id: int) -> Message:
    if found is None or found.state not in answers.WAITING:
        raise NotFound(f"message {message_id} that waits for a person")
    live = messages.live_of(work, found.chase_id)
    if live is not None and live.id != found.id:
        raise UsageError(f"message {live.id} of the same chase is {live.state}: settle it first")
    return found


def unapprove(app: App, message_ids: Collection[int], *, who: str) -> None:
    """Takes approvals back, all or none; NotFound or UsageError where one of the messages has gone on."""
    now = app.clock.now()
    with app.store.working() as work:
        for one in [stoppable(work, message_id) for message_id in message_ids]:
            if one.approved_by is None:
                raise UsageError(
                    f"message {one.id} goes by its playbook and was approved by nobody: arsync reject stops it"
                )
            whose = "" if one.approved_by == who else f" of {one.approved_by}"
            reason = f"{who} took back the approval{whose}"
            if not answers.take_back(work, one, reason=reason, author=who, told="approval_taken_back", now=now):
                raise _gone_on(one)
        work.commit()


def reject(app: App, message_ids: Collection[int], *, reason: str, who: str) -> None:
    """Stops messages that have not left, all or none; NotFound or UsageError where one has gone on, or no reason is
    given."""
    if not reason.strip():
        raise UsageError("the reason is missing: say why")
    now = app.clock.now()
    with app.store.working() as work:
        for one in [stoppable(work, message_id) for message_id in message_ids]:
            if not answers.reject(work, one, reason=reason, author=who, now=now):
                raise _gone_on(one)
        work.commit()


def stoppable(work: Work, message_id: int) -> Message:
    """A message of which nothing has left us; NotFound where it has, or there is none."""
    found = messages.find(work, message_id)
    if found is None or found.state not in answers.STOPPABLE:
        raise NotFound(f"message {message_id} that has not left and can be stopped (arsync outbox {message_id})")
    return found


def _gone_on(one: Message) -> UsageError:
    return UsageError(f"message {one.id} has just gone on: arsync outbox {one.id} tells how")


def editable(message: Message) -> Message:
    """The same; UsageError where its words cannot be changed."""
    if message.state not in EDITABLE or message.channel != StepChannel.EMAIL:
        is_so = f"message {message.id} is {message.state}, by {message.channel}"
        raise UsageError(f"{is_so}: only mail that waits can be edited")
    return message


def edit(app: App, message: Message, subject: str, text: str, *, who: str) -> bool:
    """Puts a person's words in place of the ones that stood in the message as it is given: somebody has to approve them
    anew. False where they change nothing; UsageError where the message has changed meanwhile, or such words cannot be
    sent."""
    words = edited(subject, text, language=message.locale)
    if (words.subject, words.text.strip()) == (message.subject, message.text.strip()):
        return False
    with app.store.working() as work:
        if not answers.edit(work, message, words, author=who, now=app.clock.now()):
            raise UsageError(f"message {message.id} was changed meanwhile: look at it again")
        work.commit()
    return True
