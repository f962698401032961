"""A call of the list is opened: its payer is read again, and the script says what is owed by now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from arsync.connector import Clock
from arsync.domain.calendar import NeverOpens
from arsync.domain.chase import Intent, Rendered
from arsync.domain.policy import Step, StepChannel, StepMode
from arsync.errors import ConfigurationError
from arsync.playbook.drafts import described, letterhead_for
from arsync.playbook.facts import Policy, gather
from arsync.playbook.parts import Parting
from arsync.render.message import render
from arsync.store import calls, chases, connections, events
from arsync.store.calls import Stake
from arsync.store.chases import Chase
from arsync.store.engine import Store, Work
from arsync.store.messages import Message
from arsync.sync.refresh import refresh
from arsync.worker.dispatch import Intake


@dataclass(frozen=True, slots=True)
class OpenedCall:
    """What whoever rings should know."""

    message: Message
    stake: Stake
    script: Rendered
    local: datetime  # what time it is there
    opens_at: datetime | None  # where their hours are over: when the next begin, on their clock


def open_call(store: Store, desk: Intake, clock: Clock, message: Message) -> OpenedCall | None:
    """The call as it stands in the source now, or None where nothing of it is owed, or all is stopped: that is kept.

    ConnectorError where the source cannot be read.
    """
    refresh(store, desk.connection, desk.connector, {message.payer_id}, clock)
    now = clock.now()
    today = desk.policy.today(now)
    with store.working() as work:
        stake = calls.stakes(work, [message], {desk.connection.id: today})[message.id]
        if not stake.invoice_ids:
            events.log(
                work, "call_withdrawn", at=now, connection_id=desk.connection.id, chase_id=message.chase_id,
                message_id=message.id, reason=stake.stopped or "nothing that it was about is owed any more",
            )  # fmt: skip
            work.commit()
            return None
        chase = chases.lock(work, message.chase_id)
        return _told(work, desk.connection.id, desk.policy, chase, message, stake, now)


def as_it_stands(
    store: Store, connection_id: int, policy: Policy, message: Message, *, now: datetime
) -> OpenedCall | None:
    """The call as the cache stands, or None where nothing of it is owed, or all is stopped; nothing is kept."""
    with store.reading() as work:
        stake = calls.stakes(work, [message], {connection_id: policy.today(now)})[message.id]
        if not stake.invoice_ids:
            return None
        return _told(work, connection_id, policy, chases.get(work, message.chase_id), message, stake, now)


def _told(
    work: Work, connection_id: int, policy: Policy, chase: Chase, message: Message, stake: Stake, now: datetime
) -> OpenedCall:
    today = policy.today(now)
    connection = connections.connection_by_id(work, connection_id)
    gathered = gather(work, connection, policy, now=now, chase=chase, without_message=message.id)
    (facts,) = gathered.facts
    parts = Parting(work, connection, policy, gathered, today).part(chase, facts).parts
    own = next((one.policy for one in parts if one.policy.playbook.version == message.playbook_version), policy)
    step = next((one for one in own.playbook.steps if one.id == message.step_id), None)
    script = Rendered(message.subject, message.text, message.html)
    demanded = tuple(item for item in facts.items if item.invoice_id in stake.invoice_ids)
    if step is not None and demanded:
        intent = Intent(
            step=_taken(step, StepChannel(message.channel)), occurrence=message.occurrence, mode=StepMode.TASK,
            demanded=demanded,
            listed=tuple(item for item in facts.items if item not in demanded and item.balance.amount > 0),
            unapplied=facts.unapplied, recipients=facts.recipients, owner=facts.owner,
        )  # fmt: skip
        (intent,) = described(work, connection.id, own, [intent])
        try:
            letterhead = letterhead_for(work, connection.id, own, facts, intent, today)
            script = render(intent, letterhead, own.templates)
        except ConfigurationError:
            pass  # the script of then; what is at stake is told beside it
    calendar = own.calendar(gathered.place(facts.payer_id))
    zone = calendar.hours.zone if calendar.hours else ZoneInfo(policy.seller.timezone)
    try:
        opens = calendar.next_moment(now)
    except NeverOpens:
        opens = None  # there are no hours of theirs to wait for
    return OpenedCall(message, stake, script, now.astimezone(zone), opens and opens.astimezone(zone))


def _taken(step: Step, way: StepChannel) -> Step:
    """The step as it was taken: a call that took a mail's place has its own words."""
    took_its_place = step.way is StepChannel.EMAIL and way is not StepChannel.EMAIL
    return step.in_place_of_mail(way) if took_its_place else replace(step, channel=way)
