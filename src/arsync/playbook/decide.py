"""What is to be done today: verdicts for every open invoice, and messages in the outbox.

Decisions are the planner's (`plan`, `admit`: pure); this reads their facts and writes their answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from arsync.channel.mail import mailbox
from arsync.domain.calendar import NeverOpens
from arsync.domain.chase import Budget, ChaseFacts, Intent, Item, Letterhead, Plan, Rendered, Rule, Verdict
from arsync.domain.policy import StepChannel, StepMode
from arsync.domain.seen import written
from arsync.domain.states import Decision, MessageState
from arsync.errors import ConfigurationError, Rejected
from arsync.playbook import approval
from arsync.playbook.admit import admit
from arsync.playbook.facts import Policy, gather
from arsync.playbook.parts import Parted, Parting, plan_parts
from arsync.playbook.places import Place
from arsync.render.message import render
from arsync.store import (
    approvals,
    behaviour,
    chases,
    events,
    holds,
    ledger,
    messages,
    pay_links,
    playbooks,
    verdicts,
    volume,
)
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work
from arsync.store.messages import Draft, Message, MessageItem

#: Guards that say "not now" of the circumstances, and nothing of the debt: a message that waits goes on waiting.
_NOT_NOW: Final = frozenset(
    {Rule.STOPPED, Rule.CONNECTION, Rule.STALE, Rule.NOT_BANKED, Rule.CALENDAR, Rule.NOT_LIVE, Rule.CAP, Rule.BREAKER}
)

#: A message that no worker has claimed yet: the planner may still change its mind about it.
_PENDING = (MessageState.PLANNED, MessageState.APPROVED)


@dataclass(frozen=True, slots=True)
class Decided:
    """What planning a connection gave."""

    plans: tuple[Plan, ...]
    planned: int = 0  # new messages and new revisions
    kept: int = 0  # messages of an earlier run that still hold
    superseded: int = 0
    changed: int = 0  # verdicts
    opened: int = 0
    closed: int = 0
    unwritten: tuple[str, ...] = ()  # messages that could not be written, and why: a person must act
    waiting: frozenset[int] = frozenset()  # messages kept, but not for now: the button, the cap, the breaker


@dataclass(frozen=True, slots=True)
class _Considered:
    """The answers for a connection, with the policy that each message would follow, and what each chase runs on."""

    plans: tuple[Plan, ...]
    policies: Mapping[int, Policy]  # by chase
    parted: tuple[Parted, ...]


def consider(
    work: Work, connection: Connection, policy: Policy, *, now: datetime, today: date | None = None
) -> tuple[Plan, ...]:
    """The two pure passes over a connection's chases as they stand; saves nothing."""
    return _consider(work, connection, policy, now=now, today=today).plans


def _consider(
    work: Work, connection: Connection, policy: Policy, *, now: datetime, today: date | None = None
) -> _Considered:
    on = today or policy.today(now)
    gathered = gather(work, connection, policy, now=now, today=on)
    parting = Parting(work, connection, policy, gathered, on)
    plans: list[Plan] = []
    policies: dict[int, Policy] = {}
    every: list[Parted] = []
    for chase, facts in zip(gathered.chases, gathered.facts, strict=True):
        # A message that waits in the outbox is not history yet: the plan is made anew and compared with it.
        history = tuple(past for past in facts.history if past.state not in _PENDING)
        parted = parting.part(chase, replace(facts, history=history))
        answer, policies[chase.id] = _planned(facts, parted, gathered.place(facts.payer_id), on)
        plans.append(answer)
        every.append(parted)
    plans = [*_not_rejected(work, connection.id, policy, plans, policies)]
    budget = Budget(policy.max_per_run, volume.usual(work, connection.id, before=on), policy.breaker_factor)
    admitted = admit(plans, budget, sent_before=volume.gone(work, connection.id, on=on))
    return _Considered(tuple(admitted), policies, tuple(every))


def _not_rejected(
    work: Work, connection_id: int, policy: Policy, plans: Iterable[Plan], policies: Mapping[int, Policy],
    chase_id: int | None = None,
) -> tuple[Plan, ...]:  # fmt: skip
    def fingerprint(answer: Plan) -> str:
        (told,) = _described(work, connection_id, policy, (answer,))
        assert told.intent is not None, "only what would be said is compared"
        return _fingerprint(policies[answer.facts.chase_id], told, told.intent)

    return approval.without_rejected(work, connection_id, plans, fingerprint, chase_id)


def _planned(facts: ChaseFacts, parted: Parted, place: Place, today: date) -> tuple[Plan, Policy]:
    """The planner's answer and the policy of its message; a chase that it cannot work out is held for a person and
    never stops the others."""
    try:
        answer, part = plan_parts(facts, parted.parts, place, today)
    except NeverOpens:
        there = ", ".join(filter(None, (place.region, place.country))) or "the customer's country"
        reason = (
            f"its send window never opens: holidays, blackouts and closed days leave no business day of two years in "
            f"{there}; a person must widen the window of its playbook"
        )
    except (ArithmeticError, ValueError, LookupError) as error:
        reason = f"it cannot be planned ({type(error).__name__}: {error}); a person must look at its invoices"
    else:
        return answer, part.policy
    held = [Verdict(item.invoice_id, Decision.HOLD, Rule.UNPLANNABLE, reason, None) for item in facts.items]
    return Plan(facts, tuple(held)), parted.parts[0].policy


def decide(store: Store, connection: Connection, policy: Policy, *, now: datetime, run_id: int) -> Decided:
    """Plans a connection and saves verdicts, new messages and withdrawals in one commit."""
    today = policy.today(now)
    with store.working() as work:
        opened, closed = chases.follow(work, connection.id, now=now)
        holds.expire(work, connection.id, today=today, now=now)
        approvals.expire(work, connection.id, now=now)
        considered = _consider(work, connection, policy, now=now)
        plans = _described(work, connection.id, policy, considered.plans)
        _pin(work, policy, considered.parted, now)
        pending = {message.chase_id: message for message in messages.in_states(work, _PENDING, connection.id)}
        planned = kept = superseded = 0
        told: list[Plan] = []
        unwritten: list[str] = []
        waiting: set[int] = set()
        for answer in plans:
            own = considered.policies[answer.facts.chase_id]
            told.append(answer)
            message = pending.pop(answer.facts.chase_id, None)
            intent = answer.intent
            if message is not None and intent is not None and _still_holds(message, answer, intent, own):
                kept += 1
                continue
            if message is not None and intent is None and _not_now(work, message, answer):
                kept += 1
                waiting.add(message.id)
                continue
            if message is not None:
                reason = _news(work, "since it was planned", message, answer)
                if not _withdraw(work, message, reason, now):
                    kept += 1  # a person has answered while it was planned: the next look is about that
                    continue
                superseded += 1
            if intent is not None:
                wrong = _save(work, connection, own, answer, intent, now=now, today=today, before=message)
                if wrong is None:
                    planned += 1
                else:
                    told[-1] = _unwritable(answer, wrong)
                    unwritten.append(f"{intent.step.id} to {answer.facts.payer_name} cannot be written: {wrong}")
        for message in pending.values():  # its chase is clear
            _withdraw(work, message, "nothing is owed any more", now)
            superseded += 1
        superseded += _forget_failed(work, connection.id, plans, now)
        given = [(answer.facts.chase_id, verdict) for answer in told for verdict in answer.verdicts]
        changed = verdicts.record(work, connection.id, given, run_id=run_id, today=today)
        work.commit()
    counts = (planned, kept, superseded, changed, opened, closed)
    return Decided(tuple(told), *counts, tuple(unwritten), frozenset(waiting))


def _pin(work: Work, policy: Policy, every: Iterable[Parted], now: datetime) -> None:
    """Notes what each chase runs on from now on, as far as that is news; the versions themselves are kept first."""
    shelves = {parted.shelf.id: parted.shelf for parted in every if parted.shelf.id != parted.pin.chase.rulebook}
    for shelf in shelves.values():
        policy.shelves.keep(work, shelf, now=now)
    playbooks.pin(work, [parted.pin for parted in every], now=now)


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
        parted = Parting(work, connection, policy, gathered, today).part(chase, facts)
        planned, own = _planned(facts, parted, gathered.place(facts.payer_id), today)
        (planned,) = _not_rejected(work, connection.id, policy, (planned,), {chase.id: own}, chase.id)
        (answer,) = _described(work, connection.id, policy, (planned,))
        intent = answer.intent

        def amend(told: Plan) -> None:
            verdicts.amend(work, connection.id, chase.id, told.verdicts, run_id=run_id, today=today)

        unseen = None if intent is None else _not_as_approved(work, connection, own, answer, intent, message)
        if intent is not None and unseen is None and _still_holds(message, answer, intent, own):
            if message.approved_until is not None and message.approved_until <= now:
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
                    rendered = _rendered(work, connection, own, answer, intent, today)
                except ConfigurationError as error:
                    amend(_unwritable(answer, str(error)))
                    return _stop(work, message, f"it cannot be written any more: {error}", now)
                messages.rewrite(work, message.id, rendered, token=message.claim_token)
            work.commit()
            return Confirmation.HOLDS, ""
        amend(answer)
        if intent is None and _not_now(work, message, answer):
            return _postpone(work, message, _why_not(answer), now)
        reason = _news(work, "right before it went out", message, answer)
        moved = messages.move(
            work, message.id, MessageState.CLAIMED, MessageState.SUPERSEDED, reason=reason, now=now,
            token=message.claim_token,
        )  # fmt: skip
        if not moved:
            return _LOST
        if intent is not None:
            wrong = _save(work, connection, own, answer, intent, now=now, today=today, before=message)
            if wrong is not None:
                reason += f"; it cannot be written: {wrong}"
                amend(_unwritable(answer, wrong))
        work.commit()
    return Confirmation.WITHDRAWN, reason


_LOST: Final = (Confirmation.LOST, "the claim was lost to another worker")


def _not_now(work: Work, message: Message, answer: Plan) -> bool:
    """Whether all that it demands is still open, and only the circumstances stop it."""
    said = {verdict.invoice_id: verdict.rule for verdict in answer.verdicts}
    demanded = [item.invoice_id for item in messages.items(work, message.id) if item.demanded]
    return all(said.get(invoice_id) in _NOT_NOW for invoice_id in demanded)


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


def _forget_failed(work: Work, connection_id: int, plans: Iterable[Plan], now: datetime) -> int:
    """A message that the channel refused is nobody's task any more once nothing it demanded is owed."""
    owed = {item.invoice_id for answer in plans for item in answer.facts.items if item.balance}
    forgotten = 0
    for message in messages.in_states(work, (MessageState.FAILED,), connection_id):
        if not any(item.demanded and item.invoice_id in owed for item in messages.items(work, message.id)):
            _withdraw(work, message, "nothing it demanded is owed any more", now)
            forgotten += 1
    return forgotten


def _unwritable(answer: Plan, reason: str) -> Plan:
    """The same plan, saying what stopped it."""
    why = f"the message cannot be written: {reason}; a person must mend the template"
    verdicts = tuple(
        replace(verdict, decision=Decision.HOLD, rule=Rule.NO_TEMPLATE, reason=why, next_on=None)
        if verdict.decision is Decision.ACT
        else verdict
        for verdict in answer.verdicts
    )
    return replace(answer, verdicts=verdicts, intent=None)


# --- one message ------------------------------------------------------------------------------------------------


def _still_holds(message: Message, answer: Plan, intent: Intent, policy: Policy) -> bool:
    """Whether the planner would say the very same thing now."""
    if message.state is MessageState.PLANNED and intent.mode is StepMode.AUTO and message.edited_by is None:
        return False  # it need not wait for approval any more
    by_hand = intent.mode is not StepMode.AUTO and not intent.step.is_task
    if by_hand and message.state is not MessageState.PLANNED and message.approved_by is None:
        return False  # it was to go by itself, and now a person must let it
    return message.fingerprint == _fingerprint(policy, answer, intent)


def _fingerprint(policy: Policy, answer: Plan, intent: Intent) -> str:
    """All that a reader would see: what the intent says, and who says it to whom."""
    seller = policy.seller
    currency = answer.facts.currency
    said = [
        intent.fingerprint(policy.playbook.version, answer.facts.locale), answer.facts.payer_name, seller.name,
        seller.reply_to, seller.sender, seller.legal_footer, seller.bank_details.get(currency, ""), seller.color,
        seller.logo, seller.font,
    ]  # fmt: skip
    return hashlib.sha256("\x1f".join(said).encode()).hexdigest()


def _frame(policy: Policy, answer: Plan, intent: Intent) -> str:
    """The fingerprint of the same message about no invoice."""
    return _fingerprint(policy, answer, replace(intent, demanded=(), listed=()))


def _not_as_approved(
    work: Work, connection: Connection, policy: Policy, answer: Plan, intent: Intent, message: Message
) -> str | None:
    """Why the message, generated anew as of the day on which it was planned, is not what a person approved."""
    if message.approved_as is None or message.written is None or not message.planned_on:
        return None
    try:
        as_of_then = _rendered(work, connection, policy, answer, intent, message.planned_on)
    except ConfigurationError as error:
        return str(error)
    same = written(intent, _addressed(answer.facts, intent), as_of_then) == message.written
    return None if same else "it says something else"


def _news(work: Work, when: str, message: Message, answer: Plan) -> str:
    """That the facts changed, and how; where nothing is to be said any more, why not."""
    if answer.intent is None:
        return _why_not(answer)
    to = _addressed(answer.facts, answer.intent)
    what = approval.changes(message, messages.items(work, message.id), answer.intent, to)
    return f"the facts changed {when}: {what}"


def _save(
    work: Work, connection: Connection, policy: Policy, answer: Plan, intent: Intent, *, now: datetime, today: date,
    before: Message | None = None,
) -> str | None:  # fmt: skip
    """Puts the message into the outbox in place of the one before, or says why it cannot be written."""
    try:
        rendered = _rendered(work, connection, policy, answer, intent, today)
    except ConfigurationError as error:
        # One message that cannot be written never stops the others.
        events.log(
            work, "message_not_rendered", at=now, connection_id=connection.id, chase_id=answer.facts.chase_id,
            step=intent.step.id, reason=str(error),
        )  # fmt: skip
        return str(error)
    draft = Draft(
        connection_id=connection.id,
        chase_id=answer.facts.chase_id,
        intent=intent,
        rendered=rendered,
        recipients=_addressed(answer.facts, intent),
        playbook=policy.playbook.name,
        playbook_version=policy.playbook.version,
        locale=answer.facts.locale,
        fingerprint=_fingerprint(policy, answer, intent),
        state=MessageState.PLANNED,
        reason="a person must approve it",
        frame=_frame(policy, answer, intent),
    )
    if intent.mode is StepMode.AUTO or intent.step.is_task:
        draft = replace(draft, state=MessageState.APPROVED, reason="by the playbook")
    if before is not None:
        draft = _after(draft, before, messages.items(work, before.id))
    messages.plan(work, draft, now=now, today=today)
    return None


def _after(draft: Draft, before: Message, items: Sequence[MessageItem]) -> Draft:
    """The draft with what becomes of a person's doings with the revision before it."""
    intent = draft.intent
    what = approval.changes(before, items, intent, draft.recipients)
    if before.state is MessageState.PLANNED:
        draft = replace(draft, asked_at=before.asked_at)
    if (before.step_id, before.occurrence) == (intent.step.id, intent.occurrence):
        draft = replace(draft, resend_of=before.resend_of)
    if draft.state is MessageState.PLANNED:
        assert draft.frame is not None, "each draft of ours has one"
        if yes := approval.carried(before, items, intent, draft.frame):
            reason = f"approved by {yes.author}, who let paid invoices drop out: {what}"
            return replace(draft, state=MessageState.APPROVED, approval=yes, reason=reason)
    if lost := approval.discarded(before, what):
        draft = replace(draft, reason=f"{draft.reason}; {lost}")
    return draft


def _addressed(facts: ChaseFacts, intent: Intent) -> tuple[str, ...]:
    """The mailboxes; of a letter what stands in its window, on one line."""
    if intent.step.way is StepChannel.LETTER:
        return (", ".join([facts.payer_name, *(intent.address or "").splitlines()]),)
    return tuple(_mailbox(contact.name, contact.email) for contact in intent.recipients if contact.email)


def _mailbox(name: str, email: str) -> str:
    try:
        return mailbox(name, email)
    except Rejected:
        return email.strip()  # a name that cannot stand in a header is left out


def _rendered(
    work: Work, connection: Connection, policy: Policy, answer: Plan, intent: Intent, today: date
) -> Rendered:
    return render(intent, letterhead_for(work, connection.id, policy, answer.facts, intent, today), policy.templates)


def written_again(
    work: Work, connection: Connection, policy: Policy, message: Message, *, now: datetime
) -> tuple[Intent, Letterhead, Policy]:
    """What a message that has just been confirmed says, for whoever puts it on paper or reads it aloud; LookupError
    where nothing is to be said any more."""
    chase = chases.lock(work, message.chase_id)
    today = policy.today(now)
    gathered = gather(work, connection, policy, now=now, chase=chase, without_message=message.id)
    (facts,) = gathered.facts
    parted = Parting(work, connection, policy, gathered, today).part(chase, facts)
    planned, own = _planned(facts, parted, gathered.place(facts.payer_id), today)
    (answer,) = _described(work, connection.id, policy, (planned,))
    if answer.intent is None:
        raise LookupError(_why_not(answer))
    return answer.intent, letterhead_for(work, connection.id, own, answer.facts, answer.intent, today), own


def letterhead_for(
    work: Work, connection_id: int, policy: Policy, facts: ChaseFacts, intent: Intent, today: date
) -> Letterhead:
    """All that the intent's message needs beside it, as known today."""
    # How a payer pays is told to our own people only.
    known = behaviour.of_payer(work, connection_id, facts.payer_id, today) if intent.step.is_task else ()
    return Letterhead(
        seller=policy.seller,
        payer_name=facts.payer_name,
        locale=facts.locale,
        today=today,
        remittance=", ".join(item.number for item in intent.demanded[:5]),
        behaviour=next((one for one in known if one.currency == facts.currency), None),
    )


def _withdraw(work: Work, message: Message, reason: str, now: datetime) -> bool:
    return messages.move(work, message.id, message.state, MessageState.SUPERSEDED, reason=reason, now=now)


def _why_not(answer: Plan) -> str:
    return answer.verdicts[0].reason if answer.verdicts else "nothing is owed any more"


def _described(work: Work, connection_id: int, policy: Policy, plans: tuple[Plan, ...]) -> tuple[Plan, ...]:
    """The same plans; every intent says who signs, its items what they were for and where they can be paid."""
    intents = [replace(plan.intent, owner=plan.facts.owner) for plan in plans if plan.intent is not None]
    told = iter(described(work, connection_id, policy, intents))
    return tuple(replace(plan, intent=next(told)) if plan.intent is not None else plan for plan in plans)


def described(work: Work, connection_id: int, policy: Policy, intents: Sequence[Intent]) -> list[Intent]:
    """The same intents; their items say what they were for and where they can be paid."""
    named = [item.invoice_id for intent in intents for item in (*intent.demanded, *intent.listed)]
    lines = ledger.lines(work, connection_id, named)
    links = pay_links.of(work, connection_id, named) if policy.pay_links else {}

    def with_lines(items: tuple[Item, ...]) -> tuple[Item, ...]:
        return tuple(
            replace(item, lines=lines.get(item.invoice_id, ()), pay_link=links.get(item.invoice_id)) for item in items
        )

    return [
        replace(intent, demanded=with_lines(intent.demanded), listed=with_lines(intent.listed)) for intent in intents
    ]
