"""A message once more, because a person wants it: an intent of its own, under all guards but those of pace."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from arsync.domain.chase import Resend
from arsync.domain.states import ChaseState
from arsync.playbook.answers import answer
from arsync.playbook.drafts import save, told
from arsync.playbook.facts import Policy, gather
from arsync.playbook.parts import Parting
from arsync.store import chases, messages, resends
from arsync.store.connections import Connection
from arsync.store.engine import Store
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
