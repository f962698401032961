"""What a person wants sent beside the ladder, a message once more or a statement of account: an intent of its own,
under all guards but those of pace."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from arsync.domain.chase import Resend
from arsync.domain.policy import ACCOUNT
from arsync.domain.states import ChaseState, MessageState
from arsync.playbook.answers import answer
from arsync.playbook.drafts import save, told
from arsync.playbook.facts import Policy, gather
from arsync.playbook.parts import Parting
from arsync.store import chases, messages, resends
from arsync.store.chases import Chase
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work
from arsync.store.messages import Message


def resend(
    store: Store, connection: Connection, policy: Policy, original: Message, *, author: str, reason: str, now: datetime
) -> tuple[Message | None, str]:
    """Plans a message's step once more, about what of it is still owed: the new message; or None, and what forbids
    it."""
    today = policy.today(now)
    with store.working() as work:
        chase = chases.lock(work, original.chase_id)
        if chase.state not in (ChaseState.OPEN, ChaseState.REOPENED):
            return None, f"nothing of it is owed any more: its chase is {chase.state}"
        demanded = frozenset(item.invoice_id for item in messages.items(work, original.id) if item.demanded)
        asked = Resend(original.step_id, resends.next_occurrence(work, chase.id, original.step_id), demanded)
        gathered = gather(work, connection, policy, now=now, chase=chase)
        parting = Parting(work, connection, policy, gathered, today)
        one = answer(gathered, parting, chase, replace(gathered.facts[0], resend=asked), today)
        (plan,) = told(work, connection.id, policy, [one.plan])
        intent = plan.intent
        if intent is None or (intent.step.id, intent.occurrence) != (asked.step_id, asked.occurrence):
            said = [verdict.reason for verdict in plan.verdicts if verdict.invoice_id in demanded]
            return None, said[0] if said else "it is not owed any more"
        resent = original, author, reason
        wrong = save(work, connection, one.policy, plan, intent, now=now, today=today, resent=resent)
        if wrong is not None:
            return None, wrong
        made = messages.live_of(work, chase.id)
        work.commit()
    return made, ""


def statement(
    store: Store, connection: Connection, policy: Policy, payer_id: str, *, author: str, now: datetime
) -> list[tuple[str, Message | None, str]]:
    """Plans a statement of account for each currency in which the payer owes anything: the currency and the message;
    or None, and what forbids it."""
    with store.working() as work:
        chases.follow(work, connection.id, now=now)
        mine = [one for one in chases.live_chases(work, connection.id) if one.payer_id == payer_id]
        found = [
            (chase.currency, *_statement(work, connection, policy, chase, author=author, now=now)) for chase in mine
        ]
        work.commit()
    return found


def _statement(
    work: Work, connection: Connection, policy: Policy, chase: Chase, *, author: str, now: datetime
) -> tuple[Message | None, str]:
    today = policy.today(now)
    chase = chases.lock(work, chase.id)
    if (live := messages.live_of(work, chase.id)) is not None and live.state is not MessageState.UNKNOWN:
        doing = "waits for a person" if live.state is MessageState.PLANNED else "is on its way"
        return None, f"message {live.id}, {live.step_id}, {doing}: let it go, or reject it first"
    asked = Resend(ACCOUNT, resends.next_occurrence(work, chase.id, ACCOUNT), frozenset())
    gathered = gather(work, connection, policy, now=now, chase=chase)
    parting = Parting(work, connection, policy, gathered, today)
    one = answer(gathered, parting, chase, replace(gathered.facts[0], resend=asked), today)
    (plan,) = told(work, connection.id, policy, [one.plan])
    if plan.intent is None or plan.intent.step.id != ACCOUNT:
        said = [verdict.reason for verdict in plan.verdicts]
        return None, said[0] if said else "nothing is open"
    wrong = save(work, connection, one.policy, plan, plan.intent, now=now, today=today, asked_by=author)
    return (None, wrong) if wrong is not None else (messages.live_of(work, chase.id), "")
