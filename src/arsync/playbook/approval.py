"""What an approval is for, and what becomes of it when the facts are other ones by then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from arsync.domain.calendar import NeverOpens
from arsync.domain.chase import Intent, Plan, Rule
from arsync.domain.money import Money
from arsync.domain.seen import item_seen, named
from arsync.domain.states import Decision
from arsync.playbook.facts import Policy
from arsync.playbook.places import Place
from arsync.playbook.shelves import Volume
from arsync.store import approvals, ledger
from arsync.store.approvals import Rejected
from arsync.store.engine import Work
from arsync.store.messages import Message, MessageItem
from arsync.store.planned import Approval


def lasts_until(work: Work, policy: Policy, message: Message, *, now: datetime) -> datetime:
    """The end of the first send window of the message's payer that opens after now; now where none ever does, for
    the next plan takes the message back."""
    places = ledger.places(work, message.connection_id, {message.payer_id})
    volume = policy.shelves.volume(work, message.playbook, message.playbook_version, policy.shelf)
    own = replace(policy, playbook=volume.playbook) if isinstance(volume, Volume) else policy
    try:
        return own.calendar(Place(*places.get(message.payer_id, ()))).window_after(now)[1]
    except NeverOpens:
        return now


def carried(message: Message, items: Sequence[MessageItem], intent: Intent, frame: str) -> Approval | None:
    """The approval as it holds for what the message is about now: where it may shrink, and invoices have only dropped
    out. The others must be as they were seen, and so all else."""
    if not message.may_shrink or message.approved_by is None or message.approved_at is None:
        return None
    if message.edited_by is not None or message.frame is None or message.frame != frame:
        return None
    before = {(item.invoice_id, item.demanded): item.seen for item in items}
    now = {(item.invoice_id, demanded): item_seen(item) for item, demanded in named(intent)}
    if not now.items() < before.items() or not any(demanded for _invoice, demanded in now):
        return None
    return Approval(message.approved_by, message.approved_at, message.approved_until, may_shrink=True)


def changes(
    message: Message,
    items: Sequence[MessageItem],
    intent: Intent,
    recipients: Sequence[str],
    copies: Sequence[str] = (),
) -> str:
    """What a reader would see differ, in words: who looked at the old one wants to know what to look at."""
    currency = intent.unapplied.currency
    before = {item.invoice_id: item for item in items}
    now = {item.invoice_id: (item, demanded) for item, demanded in named(intent)}
    told = [f"{item.number} is not in it any more" for item in items if item.invoice_id not in now]
    for invoice_id, (item, demanded) in now.items():
        was = before.get(invoice_id)
        if was is None:
            told.append(f"{item.number} over {item.balance} is new in it")
        elif was.amount != item.balance.amount:
            told.append(f"{item.number} is {item.balance} now, not {Money(was.amount, currency)}")
        elif was.demanded != demanded:
            told.append(f"{item.number} is {'demanded' if demanded else 'listed only'} now")
        elif was.seen is not None and was.seen != item_seen(item):
            told.append(f"{item.number} is described in other words")
    if tuple(recipients) != message.recipients:
        told.append(f"it would go to {', '.join(recipients)}, not to {', '.join(message.recipients)}")
    if tuple(copies) != message.copies:
        now_to, was_to = (", ".join(those) or "nobody" for those in (copies, message.copies))
        told.append(f"a copy would go to {now_to}, not to {was_to}")
    return "; ".join(told) or "its words would be others"


def discarded(message: Message, what: str) -> str:
    """What a person had done with the older revision, and why that is gone; empty where nobody had."""
    had = []
    if message.approved_by is not None:
        had.append(f"approved by {message.approved_by}")
    if message.edited_by is not None:
        had.append(f"edited by {message.edited_by}")
    if not had:
        return ""
    lost = "; the edited words are discarded" if message.edited_by is not None else ""
    return f"{' and '.join(had)} before the facts changed: {what}{lost}"


def without_rejected(
    work: Work, connection_id: int, plans: Iterable[Plan], fingerprint: Callable[[Plan], str],
    chase_ids: Collection[int] | None = None,
) -> tuple[Plan, ...]:  # fmt: skip
    """The same plans; what a person rejected is not planned again as long as it would say the same."""
    answers = tuple(plans)
    no = approvals.rejected(work, connection_id, chase_ids)
    if not no:
        return answers

    def obeyed(answer: Plan) -> Plan:
        intent = answer.intent
        said = intent and no.get((answer.facts.chase_id, intent.step.id, intent.occurrence))
        if intent is None or not said or said.fingerprint != fingerprint(answer):
            return answer
        return _held(answer, intent, said)

    return tuple(map(obeyed, answers))


def _held(answer: Plan, intent: Intent, no: Rejected) -> Plan:
    reason = (
        f"{intent.step.id}, message {no.message_id}, was {no.reason}; it is planned again when it would say something "
        "else, or a person lets it go after all (arsync resend) or has done it by hand (arsync touch)"
    )
    concerned = {item.invoice_id for item, _demanded in named(intent)}
    verdicts = tuple(
        replace(one, decision=Decision.HOLD, rule=Rule.REJECTED, reason=reason, next_on=None)
        if one.invoice_id in concerned
        else one
        for one in answer.verdicts
    )
    return replace(answer, verdicts=verdicts, intent=None)
