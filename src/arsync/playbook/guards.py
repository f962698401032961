"""What stops a whole chase, or one invoice of it, before the ladder is asked. Reasons name days, never ages:
an explanation that changes every night would fill the store with rows that say nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Final

from arsync.domain.chase import ChaseFacts, Hold, Item, Rule, Verdict
from arsync.domain.documents import InvoiceState
from arsync.domain.record import record
from arsync.domain.states import Decision, Health, HoldKind


@record(frozen=True, slots=True)
class Answer:
    """A guard's answer before it is put on an invoice; `next_on` None: the reason says who must act."""

    decision: Decision
    rule: Rule
    reason: str
    next_on: date | None

    def about(self, item: Item, step_id: str | None = None) -> Verdict:
        """The same answer for one invoice."""
        return Verdict(item.invoice_id, self.decision, self.rule, self.reason, self.next_on, step_id)


def hold(rule: Rule, reason: str, next_on: date | None = None) -> Answer:
    """Stopped until something changes or a person acts."""
    return Answer(Decision.HOLD, rule, reason, next_on)


def wait(rule: Rule, reason: str, next_on: date) -> Answer:
    """Nothing today; there is a next date."""
    return Answer(Decision.WAIT, rule, reason, next_on)


# --- the whole chase -------------------------------------------------------------------------------------


def stopped(facts: ChaseFacts, today: date) -> Answer | None:
    """The red button."""
    why = facts.connection.stopped
    return None if why is None else hold(Rule.STOPPED, f"all sending is stopped: {why}; a person must start it again")


def connection(facts: ChaseFacts, today: date) -> Answer | None:
    """Data that did not come through whole sends nothing."""
    name, why, tomorrow = facts.connection.name, facts.connection.health_reason, today + timedelta(days=1)
    match facts.connection.health:
        case Health.OK:
            return None
        case Health.RECOVERING:
            return wait(
                Rule.CONNECTION, f"{name} is being loaded: {why}; nothing goes out until it is complete", tomorrow
            )
        case Health.PARTIAL:
            reason = f"the last sync of {name} did not come through: {why}; nothing goes out until one does"
            return wait(Rule.CONNECTION, reason, tomorrow)
        case Health.SUSPECT:
            return hold(Rule.CONNECTION, f"the data of {name} looks abnormal: {why}; a person must look at it")
        case Health.REAUTHORISE:
            return hold(Rule.CONNECTION, f"the consent for {name} has ended: {why}; a person must connect it again")
        case Health.DISCONNECTED:
            return hold(Rule.CONNECTION, f"{name} is disconnected: {why}; a person must connect it again")


def stale(facts: ChaseFacts, today: date) -> Answer | None:
    """What was true long ago may have been paid since."""
    if not facts.connection.stale:
        return None
    reason = f"the last complete sync of {facts.connection.name} is too old to act on; sync first"
    return wait(Rule.STALE, reason, today + timedelta(days=1))


def source_reminds(facts: ChaseFacts, today: date) -> Answer | None:
    """Nobody is chased by two machines; while nobody has said that there is but one, there may be two."""
    name, by = facts.connection.name, facts.connection.reminds_by
    if facts.connection.source_reminds is False:
        return None
    if facts.connection.source_reminds is None:
        reason = f"whether the accounting system of {name} sends reminders itself is not known"
        mend = f"a person must look there and say so: arsync reminders {name} off (or on)"
    elif by:
        reason = f"{by} said that the accounting system of {name} sends reminders itself"
        mend = f"a person must turn them off there and say so: arsync reminders {name} off"
    else:
        reason = f"the accounting system of {name} sends reminders itself"
        mend = "a person must turn them off there"
    return hold(Rule.SOURCE_REMINDS, f"{reason}; {mend}")


def quarantine(facts: ChaseFacts, today: date) -> Answer | None:
    """A record that cannot be read may be the payment."""
    if not facts.quarantined:
        return None
    records = "; ".join(facts.quarantined)
    return hold(Rule.QUARANTINE, f"{facts.payer_name} has records that cannot be read: {records}; a person must look")


def balance_mismatch(facts: ChaseFacts, today: date) -> Answer | None:
    """The source's own figure for the customer is lower than ours."""
    if facts.balance_mismatch is None:
        return None
    return hold(
        Rule.BALANCE_MISMATCH,
        f"{facts.balance_mismatch}; a person must look at the customer's account there and put it on the invoices",
    )


def no_playbook(facts: ChaseFacts, today: date) -> Answer | None:
    """Nobody guesses which steps a chase would have had."""
    return None if facts.no_playbook is None else hold(Rule.NO_PLAYBOOK, facts.no_playbook)


WholeGuard = Callable[[ChaseFacts, date], Answer | None]
WHOLE: Final[tuple[WholeGuard, ...]] = (
    stopped,
    connection,
    stale,
    source_reminds,
    quarantine,
    balance_mismatch,
    no_playbook,
)


def of_the_chase(facts: ChaseFacts, today: date) -> Answer | None:
    """The first guard that stops every invoice of the chase."""
    for guard in WHOLE:
        if answer := guard(facts, today):
            return answer
    return None


# --- one invoice -----------------------------------------------------------------------------------------

#: Among holds that end on the same day the graver names the reason.
_GRAVITY: Final = (
    HoldKind.LEGAL,
    HoldKind.EXCLUDE,
    HoldKind.DISPUTE,
    HoldKind.OPT_OUT,
    HoldKind.REPLY,
    HoldKind.PLAN,
    HoldKind.PROMISE,
    HoldKind.AUTOPAY,
    HoldKind.PAUSE,
)


def held(facts: ChaseFacts, item: Item, today: date) -> Answer | None:
    """A person stopped it; of several holds the one that lasts longest answers."""
    covering = [found for found in facts.holds if found.covers(item.invoice_id, today)]
    if not covering:
        return _disputed_whole(facts, item, today)
    longest = max(covering, key=lambda found: (found.until or date.max, -_GRAVITY.index(found.kind)))
    return hold(Rule.HOLD, _hold_reason(longest, item), longest.until + timedelta(days=1) if longest.until else None)


def _disputed_whole(facts: ChaseFacts, item: Item, today: date) -> Answer | None:
    """What is contested in parts that add up to all that is open is not chased; until one of them ends."""
    if not item.disputed or item.balance:
        return None
    parts = [
        found for found in facts.holds if found.part and found.invoice_id == item.invoice_id and found.is_on(today)
    ]
    first = min(parts, key=lambda found: found.until or date.max)
    reason = f"all that is open, {item.disputed}, is contested: {_hold_reason(first, item)}"
    return hold(Rule.HOLD, reason, first.until + timedelta(days=1) if first.until else None)


def _hold_reason(found: Hold, item: Item) -> str:
    if found.invoice_id is not None:
        scope = f"{f'{found.part} of ' if found.part else ''}invoice {item.number}"
    else:
        scope = "the payer" if found.payer_id is not None else "the whole connection"
    until = f"until {found.until}" if found.until else "until a person lifts it"
    kind = found.kind.value.replace("_", "-") + (f" ({found.code.replace('_', ' ')})" if found.code else "")
    return f"{kind} on {scope} since {found.begins}, by {found.author}: {found.reason}; {until}"


def not_owed(facts: ChaseFacts, item: Item, today: date) -> Answer | None:
    """Only what the source says is open and above zero is owed."""
    match item.state:
        case InvoiceState.OPEN if item.balance.amount > 0:
            return None
        case InvoiceState.OPEN | InvoiceState.PAID:
            why = "is paid: nothing is due any more"
        case InvoiceState.DRAFT:
            why = "is a draft: nothing is owed until a person approves it in the accounting system"
        case InvoiceState.VOID:
            why = "is void: nothing is owed"
        case InvoiceState.DELETED:
            why = "was deleted in the accounting system: nothing is owed"
    return hold(Rule.NOT_OWED, f"{item.number} {why}")


def do_nothing(facts: ChaseFacts, item: Item, today: date) -> Answer | None:
    """Whoever follows a playbook that does nothing is never chased, and nobody need act."""
    return None if facts.nothing is None else hold(Rule.DO_NOTHING, f"{facts.nothing}; nobody need act")


def autopay(facts: ChaseFacts, item: Item, today: date) -> Answer | None:
    """What is collected by itself is not asked for."""
    if item.invoice_id not in facts.autopay:
        return None
    reason = f"{item.customer_name} has the tag autopay: {item.number} is collected by itself; nobody need act"
    return hold(Rule.AUTOPAY, reason)


def no_due_date(facts: ChaseFacts, item: Item, today: date) -> Answer | None:
    """Without a due date nobody can say that it is late."""
    if item.due_on is not None:
        return None
    reason = f"{item.number} over {item.balance} has no due date; a person must enter one in the accounting system"
    return hold(Rule.NO_DUE_DATE, reason)


ItemGuard = Callable[[ChaseFacts, Item, date], Answer | None]
SINGLE: Final[tuple[ItemGuard, ...]] = (held, not_owed, do_nothing, no_due_date, autopay)


def of_the_invoice(facts: ChaseFacts, item: Item, today: date) -> Answer | None:
    """The first guard that stops this invoice; the rest of the payer is still chased."""
    if nothing_is_said_of(facts) and is_plainly_owed(item):
        return None
    return next((answer for guard in SINGLE if (answer := guard(facts, item, today))), None)


def nothing_is_said_of(facts: ChaseFacts) -> bool:
    """No hold, tag or playbook says of any invoice of the chase that it is not asked for."""
    return not facts.holds and facts.nothing is None and not facts.autopay


def plainly_owed(items: Iterable[Item], today: date) -> tuple[list[Item], list[Item], list[Item]]:
    """Of some invoices what is overdue, what is to come, and those that are not `is_plainly_owed`."""
    overdue: list[Item] = []
    upcoming: list[Item] = []
    others: list[Item] = []
    for item in items:
        due_on = item.due_on
        if due_on is None or not is_plainly_owed(item):
            others.append(item)
        elif due_on < today:
            overdue.append(item)
        else:
            upcoming.append(item)
    return overdue, upcoming, others


def is_plainly_owed(item: Item) -> bool:
    """Open, with something due on a day."""
    return item.due_on is not None and item.state is InvoiceState.OPEN and item.balance.amount > 0
