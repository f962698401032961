"""The second planning of a claimed message, right before it leaves."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from arsync.domain.chase import Intent, Letterhead, Plan
from arsync.domain.states import MessageState
from arsync.playbook.answers import NOBODYS
from arsync.playbook.answers import answer as answer_of
from arsync.playbook.drafts import (
    letterhead_for,
    news,
    not_as_approved,
    not_now,
    not_rejected,
    rendered,
    save,
    still_holds,
    told,
    unwritable,
    why_not,
)
from arsync.playbook.facts import Policy, gather
from arsync.playbook.parts import Parting
from arsync.store import approvals, chases, messages, verdicts
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work
from arsync.store.messages import Message


class Confirmation(StrEnum):
    """What the second planning of a claimed message says."""

    HOLDS = "holds"  # it may pass the last gate at this version of its chase
    WITHDRAWN = "withdrawn"  # superseded, by a new revision where there is still something to say
    NOT_NOW = "not_now"  # stopped, stale, not a business day: it goes back and waits
    LOST = "lost"  # another worker has it


def confirm(
    store: Store,
    connection: Connection,
    policy: Policy,
    message: Message,
    *,
    now: datetime,
    run_id: int,
    printed: bool | None = None,
) -> tuple[Confirmation, str]:
    """Plans a claimed message's chase once more on what the source has just said: the answer and its reason.

    Where that is not what the run had said, the chase's verdicts are amended. `printed` is of a letter, which a person
    posts at whatever hour; what is on paper already is not written anew.
    """
    today = policy.today(now)
    assert message.claim_token is not None, "only a claimed message is confirmed"
    with store.working() as work:
        chase = chases.lock(work, message.chase_id)
        gathered = gather(work, connection, policy, now=now, chase=chase, without_message=message.id)
        (facts,) = gathered.facts
        planned = answer_of(gathered, Parting(work, connection, policy, gathered, today), chase, facts, today)
        (planned,) = not_rejected(work, connection.id, [planned], chase.id)
        own = planned.policy
        (answer,) = told(work, connection.id, policy, [planned.plan])
        intent = answer.intent

        def amend(said: Plan) -> None:
            verdicts.amend(work, connection.id, chase.id, said.verdicts, run_id=run_id, today=today)

        unseen = None if intent is None else not_as_approved(work, connection, own, answer, intent, message)
        if intent is not None and unseen is None and still_holds(message, answer, intent, own):
            if printed is None and message.approved_until is not None and message.approved_until <= now:
                return _ask_again(work, message, approvals.expired(message), "approval_expired", now)
            if message.approved_as is not None and message.approved_as != approvals.seen(message):
                reason = f"its words are not those that {message.approved_by} approved: look at it again"
                return _ask_again(work, message, reason, "approval_discarded", now)
            opens = own.calendar(gathered.place(facts.payer_id)).next_moment(now) if printed is None else None
            if opens is not None:  # the day was right, and the hour is not: it was read again for too long
                local = opens.astimezone(ZoneInfo(policy.seller.timezone))
                return _postpone(work, message, f"the send window opens on {local:%Y-%m-%d at %H:%M %Z}", now)
            if not messages.confirm(work, message.id, token=message.claim_token, chase_version=chase.version):
                return _LOST
            if message.planned_on != today and not printed and message.edited_by is None:
                try:
                    worded = rendered(work, connection, own, answer, intent, today)
                except NOBODYS:
                    raise
                except Exception as error:  # noqa: BLE001 - one message never stops the others
                    amend(unwritable(answer, str(error)))
                    return _stop(work, message, f"it cannot be written any more: {error}", now)
                messages.rewrite(work, message.id, worded, token=message.claim_token)
            work.commit()
            return Confirmation.HOLDS, ""
        amend(answer)
        if intent is None and not_now(work, message, answer):
            return _postpone(work, message, why_not(answer), now)
        reason = news(work, "right before it went out", message, answer)
        moved = messages.move(
            work, message.id, MessageState.CLAIMED, MessageState.SUPERSEDED, reason=reason, now=now,
            token=message.claim_token,
        )  # fmt: skip
        if not moved:
            return _LOST
        if intent is not None:
            wrong = save(work, connection, own, answer, intent, now=now, today=today, before=message)
            if wrong is not None:
                reason += f"; it cannot be written: {wrong}"
                amend(unwritable(answer, wrong))
        work.commit()
    return Confirmation.WITHDRAWN, reason


_LOST: Final = (Confirmation.LOST, "the claim was lost to another worker")


def _postpone(work: Work, message: Message, reason: str, now: datetime) -> tuple[Confirmation, str]:
    messages.move(
        work, message.id, MessageState.CLAIMED, MessageState.APPROVED, reason=reason, now=now,
        token=message.claim_token, claim_token=None, claimed_until=None,
    )  # fmt: skip
    work.commit()
    return Confirmation.NOT_NOW, reason


def _ask_again(work: Work, message: Message, reason: str, told: str, now: datetime) -> tuple[Confirmation, str]:
    token = message.claim_token
    moved = approvals.take_back(work, message, reason=reason, author="arsync", told=told, now=now, token=token)
    work.commit()
    return (Confirmation.WITHDRAWN, reason) if moved else _LOST


def _stop(work: Work, message: Message, reason: str, now: datetime) -> tuple[Confirmation, str]:
    messages.move(
        work, message.id, MessageState.CLAIMED, MessageState.SUPERSEDED, reason=reason, now=now,
        token=message.claim_token,
    )  # fmt: skip
    work.commit()
    return Confirmation.WITHDRAWN, reason


def written_again(
    work: Work, connection: Connection, policy: Policy, message: Message, *, now: datetime
) -> tuple[Intent, Letterhead, Policy]:
    """What a message that has just been confirmed says, for whoever puts it on paper or reads it aloud; LookupError
    where nothing is to be said any more."""
    chase = chases.lock(work, message.chase_id)
    today = policy.today(now)
    gathered = gather(work, connection, policy, now=now, chase=chase, without_message=message.id)
    (facts,) = gathered.facts
    planned = answer_of(gathered, Parting(work, connection, policy, gathered, today), chase, facts, today)
    (answer,) = told(work, connection.id, policy, [planned.plan])
    if answer.intent is None:
        raise LookupError(why_not(answer))
    own = planned.policy
    return answer.intent, letterhead_for(work, connection.id, own, answer.facts, answer.intent, today), own
