"""A message before it leaves: what it says, whether it still says it, and how it comes into the outbox."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from arsync.channel.mail import mailbox
from arsync.domain.chase import ChaseFacts, Intent, Item, Letterhead, Plan, Rendered, Rule
from arsync.domain.policy import ACCOUNT, ON_REQUEST, StepChannel, StepMode
from arsync.domain.seen import written
from arsync.domain.states import Decision, MessageState
from arsync.errors import ConfigurationError, Rejected
from arsync.playbook import approval
from arsync.playbook.answers import NOBODYS, Answered, unplannable
from arsync.playbook.facts import Policy
from arsync.render.message import render
from arsync.render.wording import quoted
from arsync.resources import bundled
from arsync.store import behaviour, events, ledger, messages, pay_links, planned
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.messages import Message, MessageItem
from arsync.store.planned import Draft

#: Guards that say "not now" of the circumstances, and nothing of the debt: a message that waits goes on waiting.
_NOT_NOW: Final = frozenset(
    {Rule.STOPPED, Rule.CONNECTION, Rule.STALE, Rule.NOT_BANKED, Rule.CALENDAR, Rule.NOT_LIVE, Rule.CAP, Rule.BREAKER}
)


def still_holds(message: Message, answer: Plan, intent: Intent, policy: Policy) -> bool:
    """Whether the planner would say the very same thing now."""
    if message.unreadable:
        return False
    if message.state is MessageState.PLANNED and intent.mode is StepMode.AUTO and message.edited_by is None:
        return False  # it need not wait for approval any more
    by_hand = intent.mode is not StepMode.AUTO and not intent.step.is_task
    if by_hand and message.state is not MessageState.PLANNED and message.approved_by is None:
        return False  # it was to go by itself, and now a person must let it
    return message.fingerprint == fingerprint(policy, answer, intent)


def fingerprint(policy: Policy, answer: Plan, intent: Intent) -> str:
    """All that a reader would see: what the intent says, and who says it to whom."""
    seller = policy.seller
    currency = answer.facts.currency
    said = [
        intent.fingerprint(policy.playbook.version, answer.facts.locale), answer.facts.payer_name, seller.name,
        seller.reply_to, seller.sender, seller.legal_footer, seller.bank_details.get(currency, ""), seller.color,
        seller.logo, seller.font, seller.locale,
    ]  # fmt: skip
    return hashlib.sha256("\x1f".join(said).encode()).hexdigest()


def _frame(policy: Policy, answer: Plan, intent: Intent) -> str:
    """The fingerprint of the same message about no invoice."""
    return fingerprint(policy, answer, replace(intent, demanded=(), listed=()))


def not_as_approved(
    work: Work, connection: Connection, policy: Policy, answer: Plan, intent: Intent, message: Message
) -> str | None:
    """Why the message, generated anew as of the day on which it was planned, is not what a person approved."""
    if message.approved_as is None or message.written is None or not message.planned_on:
        return None
    try:
        as_of_then = rendered(work, connection, policy, answer, intent, message.planned_on)
    except NOBODYS:
        raise
    except Exception as error:  # noqa: BLE001 - one message never stops the others
        return str(error)
    same = written(intent, _addressed(answer.facts, intent), as_of_then) == message.written
    return None if same else "it says something else"


def news(work: Work, when: str, message: Message, answer: Plan) -> str:
    """That the facts changed, and how; where nothing is to be said any more, why not."""
    if message.unreadable:
        return message.unreadable
    if answer.intent is None:
        return why_not(work, message, answer)
    to = _addressed(answer.facts, answer.intent)
    copies = copied(answer.intent)
    what = approval.changes(message, messages.items(work, message.id), answer.intent, to, copies)
    return f"the facts changed {when}: {what}"


def save(
    work: Work, connection: Connection, policy: Policy, answer: Plan, intent: Intent, *, now: datetime, today: date,
    before: Message | None = None, resent: tuple[Message, str, str] | None = None, asked_by: str | None = None,
) -> str | None:  # fmt: skip
    """Puts the message into the outbox in place of the one before, or says why it cannot be written. `resent` is
    the message that it is once more, who wants that, and why; `asked_by` whoever wants a statement of account."""
    try:
        draft = _draft(work, connection, policy, answer, intent, today)
    except NOBODYS:
        raise
    except ConfigurationError as error:
        wrong = str(error)
    except Exception as error:  # noqa: BLE001 - one message that cannot be written never stops the others
        wrong = f"{type(error).__name__}: {error}"
    else:
        if before is not None:
            draft = _after(draft, before, messages.items(work, before.id))
        if resent is not None:
            original, author, why = resent
            reason = f"message {original.id} once more, as {author} wants: {why}; {draft.reason}"
            draft = replace(draft, resend_of=original.id, reason=reason, author=author)
        if asked_by is not None:
            reason = f"as {asked_by} wants; {draft.reason}"
            draft = replace(draft, reason=reason, author=asked_by, asked_by=asked_by)
        planned.plan(work, draft, now=now, today=today)
        return None
    events.log(
        work, "message_not_rendered", at=now, connection_id=connection.id, chase_id=answer.facts.chase_id,
        step=intent.step.id, reason=wrong,
    )  # fmt: skip
    return wrong


def _draft(work: Work, connection: Connection, policy: Policy, answer: Plan, intent: Intent, today: date) -> Draft:
    draft = Draft(
        connection_id=connection.id,
        chase_id=answer.facts.chase_id,
        intent=intent,
        rendered=rendered(work, connection, policy, answer, intent, today),
        recipients=_addressed(answer.facts, intent),
        copies=copied(intent),
        playbook=policy.playbook.name,
        playbook_version=policy.playbook.version,
        locale=answer.facts.locale,
        fingerprint=fingerprint(policy, answer, intent),
        state=MessageState.PLANNED,
        reason="a person must approve it",
        frame=_frame(policy, answer, intent),
    )
    if intent.mode is StepMode.AUTO or intent.step.is_task:
        draft = replace(draft, state=MessageState.APPROVED, reason="by the playbook")
    return draft


def _after(draft: Draft, before: Message, items: Sequence[MessageItem]) -> Draft:
    """The draft with what becomes of a person's doings with the revision before it."""
    intent = draft.intent
    what = approval.changes(before, items, intent, draft.recipients, draft.copies)
    if before.state is MessageState.PLANNED:
        draft = replace(draft, asked_at=before.asked_at)
    if (before.step_id, before.occurrence) == (intent.step.id, intent.occurrence):
        draft = replace(draft, resend_of=before.resend_of, asked_by=before.asked_by)
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


def copied(intent: Intent) -> tuple[str, ...]:
    """The mailboxes that get a copy of it."""
    return tuple(_mailbox(contact.name, contact.email) for contact in intent.copies if contact.email)


def _mailbox(name: str, email: str) -> str:
    try:
        return mailbox(name, email)
    except Rejected:
        return email.strip()  # a name that cannot stand in a header is left out


def rendered(work: Work, connection: Connection, policy: Policy, answer: Plan, intent: Intent, today: date) -> Rendered:
    letterhead = letterhead_for(work, connection.id, policy, answer.facts, intent, today)
    shipped = intent.step.template == ON_REQUEST.template and policy.playbook.account_step is ON_REQUEST
    templates = bundled("playbooks") / "templates" if shipped and intent.step.id == ACCOUNT else policy.templates
    return render(intent, letterhead, templates)


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
        remittance=quoted(item.number for item in intent.demanded),
        behaviour=next((one for one in known if one.currency == facts.currency), None),
    )


def withdraw(work: Work, message: Message, reason: str, now: datetime) -> bool:
    return messages.move(work, message.id, message.state, MessageState.SUPERSEDED, reason=reason, now=now)


def why_not(work: Work, message: Message, answer: Plan) -> str:
    """Why nothing is said any more, or not now, of what the message demanded: what the planner says of another invoice
    explains nothing."""
    if not answer.verdicts:
        return "nothing is owed any more"
    demanded = _demanded(work, message)
    about = [verdict for verdict in answer.verdicts if verdict.invoice_id in demanded]
    if not about and message.amount:
        return f"{answer.facts.payer_name} owes nothing of what it demanded any more"
    about = about or list(answer.verdicts)  # of a thank-you
    return next((verdict.reason for verdict in about if verdict.rule not in _NOT_NOW), about[0].reason)


def _demanded(work: Work, message: Message) -> set[str]:
    return {item.invoice_id for item in messages.items(work, message.id) if item.demanded}


def told(work: Work, connection_id: int, policy: Policy, plans: Sequence[Plan]) -> list[Plan]:
    """The same plans; every intent says who signs, its items what they were for and where they can be paid. One whose
    items cannot be described is held."""
    try:
        return _told(work, connection_id, policy, plans)
    except NOBODYS:
        raise
    except Exception as error:  # noqa: BLE001 - which one it is, asking one by one tells
        if len(plans) == 1:
            return [unplannable(plan.facts, error) for plan in plans]
        return [one for plan in plans for one in told(work, connection_id, policy, [plan])]


def _told(work: Work, connection_id: int, policy: Policy, plans: Sequence[Plan]) -> list[Plan]:
    intents = [replace(plan.intent, owner=plan.facts.owner) for plan in plans if plan.intent is not None]
    known = iter(described(work, connection_id, policy, intents) if intents else ())
    return [replace(plan, intent=next(known)) if plan.intent is not None else plan for plan in plans]


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


def not_now(work: Work, message: Message, answer: Plan) -> bool:
    """Whether all that it demands is still open, and only the circumstances stop it."""
    said = {verdict.invoice_id: verdict.rule for verdict in answer.verdicts}
    return all(said.get(invoice_id) in _NOT_NOW for invoice_id in _demanded(work, message))


def unwritable(answer: Plan, intent: Intent, wrong: str) -> Plan:
    """The same plan, saying what stopped it; the same of all customers whom it stops, so that it is one task."""
    why = f"{intent.step.id} cannot be written: {wrong}; a person must mend the template"
    verdicts = tuple(
        replace(verdict, decision=Decision.HOLD, rule=Rule.NO_TEMPLATE, reason=why, next_on=None)
        if verdict.decision is Decision.ACT
        else verdict
        for verdict in answer.verdicts
    )
    return replace(answer, verdicts=verdicts, intent=None)


def not_rejected(
    work: Work, connection_id: int, page: Sequence[Answered], chase_ids: Collection[int] | None = None
) -> list[Answered]:
    """The same answers; what a person rejected is not planned again as long as it would say the same."""
    own = {one.plan.facts.chase_id: one.policy for one in page}

    def said(answer: Plan) -> str:
        policy = own[answer.facts.chase_id]
        (known,) = told(work, connection_id, policy, [answer])
        if known.intent is None:
            return ""  # it cannot be described, and is held for that
        try:
            return fingerprint(policy, known, known.intent)
        except NOBODYS:
            raise
        except Exception:  # noqa: BLE001 - nor can it be written, which is told where that is tried
            return ""

    plans = approval.without_rejected(work, connection_id, [one.plan for one in page], said, chase_ids)
    return [replace(one, plan=plan) for one, plan in zip(page, plans, strict=True)]
