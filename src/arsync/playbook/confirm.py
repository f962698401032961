"""The second planning of claimed messages, right before they leave: a look at all that were read afresh together, and
one at any of which that cannot say that it holds, or of which something has changed since."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from arsync.domain.calendar import Calendar, NeverOpens
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
from arsync.playbook.facts import Policy, gather, gather_these
from arsync.playbook.parts import Parting
from arsync.store import approvals, chases, claims, messages, verdicts
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work
from arsync.store.messages import Message

_log: Final = logging.getLogger(__name__)


class Confirmation(StrEnum):
    """What the second planning of a claimed message says."""

    HOLDS = "holds"  # it may pass the last gate at this version of its chase
    WITHDRAWN = "withdrawn"  # superseded, by a new revision where there is still something to say
    NOT_NOW = "not_now"  # stopped, stale, not a business day: it goes back and waits
    LOST = "lost"  # another worker has it


@dataclass(frozen=True, slots=True)
class Standing:
    """A message that held when its batch was looked at, as it is to be said."""

    message: Message
    chase_version: int
    today: date
    since: datetime
    until: datetime  # the end of its send window or of its approval, whichever comes first

    def is_of(self, now: datetime, today: date) -> bool:
        """Whether it may go at that moment as far as the clock has to do with it."""
        return self.today == today and self.since <= now < self.until


def confirm_all(
    store: Store, connection: Connection, policy: Policy, batch: Sequence[Message], *, now: datetime
) -> dict[int, Standing]:
    """Plans the chases of claimed messages once more on what the source has just said, with one look and one commit:
    those of which the planner says the very same thing. All others are to be confirmed each alone, and so is any of
    these whose chase has another version by then.
    """
    try:
        with store.working() as work:
            standing = _standing(work, connection, policy, batch, now)
            if standing:
                claims.confirm_all(work, [(one.message, one.chase_version) for one in standing])
                work.commit()
    except NOBODYS:
        raise
    except Exception:  # noqa: BLE001 - which one it is, looking at each alone tells
        _log.exception("batch_not_confirmed", extra={"connection_id": connection.id})
        return {}
    return {one.message.id: one for one in standing}


def _standing(
    work: Work, connection: Connection, policy: Policy, batch: Sequence[Message], now: datetime
) -> list[Standing]:
    today = policy.today(now)
    locked = chases.lock_each(work, [message.chase_id for message in batch])
    # What goes out to a payer in one currency counts in the others: each of those is looked at right before it goes.
    several = chases.of_several(work, connection.id, {chase.payer_id for chase in locked.values()})
    those = [one for one in batch if one.chase_id in locked and locked[one.chase_id].payer_id not in several]
    if not those:
        return []
    live = [locked[message.chase_id] for message in those]
    gathered = gather_these(work, connection, policy, live, now=now, without=[message.id for message in those])
    parting = Parting(work, connection, policy, gathered, today)
    looked = zip(live, gathered.facts, strict=True)
    page = [answer_of(gathered, parting, chase, facts, today) for chase, facts in looked]
    page = not_rejected(work, connection.id, page, [chase.id for chase in live])
    answers = told(work, connection.id, policy, [planned.plan for planned in page])
    found: list[Standing] = []
    for message, chase, planned, answer in zip(those, live, page, answers, strict=True):
        own, intent = planned.policy, answer.intent
        if intent is None or not still_holds(message, answer, intent, own):
            continue
        if message.approved_as is not None and message.approved_as != approvals.seen(message):
            continue
        if not_as_approved(work, connection, own, answer, intent, message) is not None:
            continue
        until = _until(message, own.calendar(gathered.place(chase.payer_id)), now)
        if until is None:
            continue
        held = Standing(message, chase.version, today, now, until)
        if message.planned_on != today and message.edited_by is None:
            try:
                words = rendered(work, connection, own, answer, intent, today)
            except NOBODYS:
                raise
            except Exception:  # noqa: BLE001, S112 - looking at it alone says so
                continue
            assert message.claim_token is not None, "only a claimed message is confirmed"
            messages.rewrite(work, message.id, words, token=message.claim_token)
            held = replace(held, message=replace(message, subject=words.subject, text=words.text, html=words.html))
        found.append(held)
    return found


def _until(message: Message, calendar: Calendar, now: datetime) -> datetime | None:
    """Until when the message may go as far as the clock has to do with it, today; None where it may not now."""
    try:
        closes = calendar.closes(now)
    except NeverOpens:
        return None
    ends = message.approved_until
    if closes is None or ends is None:
        return closes
    return min(closes, ends) if ends > now else None


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
        (planned,) = not_rejected(work, connection.id, [planned], [chase.id])
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
            if not claims.confirm(work, message.id, token=message.claim_token, chase_version=chase.version):
                return _LOST
            if message.planned_on != today and not printed and message.edited_by is None:
                try:
                    worded = rendered(work, connection, own, answer, intent, today)
                except NOBODYS:
                    raise
                except Exception as error:  # noqa: BLE001 - one message never stops the others
                    amend(unwritable(answer, intent, str(error)))
                    return _stop(work, message, f"it cannot be written any more: {error}", now)
                messages.rewrite(work, message.id, worded, token=message.claim_token)
            work.commit()
            return Confirmation.HOLDS, ""
        amend(answer)
        if intent is None and not_now(work, message, answer):
            return _postpone(work, message, why_not(work, message, answer), now)
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
                amend(unwritable(answer, intent, wrong))
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
        raise LookupError(why_not(work, message, answer))
    own = planned.policy
    return answer.intent, letterhead_for(work, connection.id, own, answer.facts, answer.intent, today), own
