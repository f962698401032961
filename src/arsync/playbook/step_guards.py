"""What stops the step that the chase stands before, asked in the order of `Rule`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from arsync.domain.calendar import Calendar
from arsync.domain.chase import ChaseFacts, Item, PastMessage, Rule
from arsync.domain.documents import Contact, ContactRole
from arsync.domain.money import Money, total
from arsync.domain.policy import Anchor, Group, Playbook, Step, StepChannel, Tone
from arsync.domain.record import record
from arsync.domain.states import LIVE, MessageState
from arsync.playbook.guards import Answer, hold, wait
from arsync.playbook.history import TOUCHED
from arsync.playbook.ladder import Ladder, Rung

_NOTHING: Final = Decimal("0.00")
#: After this many days an unsettled message is presumed sent.
PRESUMED_AFTER: Final = timedelta(days=3)


@record(frozen=True, slots=True)
class Ground:
    """All that a guard of a step may look at. `chased` is what the ladder is about, `upcoming` not yet overdue."""

    facts: ChaseFacts
    playbook: Playbook
    calendar: Calendar
    today: date
    ladder: Ladder
    rung: Rung
    chased: Sequence[Item]
    upcoming: Sequence[Item]

    @property
    def tomorrow(self) -> date:
        return self.calendar.next_open(self.today + timedelta(days=1))


def owed(items: Sequence[Item], currency: str) -> Money:
    """The sum of the balances; CurrencyMismatch where one is in another currency."""
    return total([item.balance for item in items], currency)


def not_due(ground: Ground) -> Answer | None:
    """The step's day has not come."""
    rung = ground.rung
    if rung.day <= ground.today:
        return None
    last = ground.ladder.last_step(rung.anchor)
    after = f"after {last.id}, " if last else ""
    again = last is rung.step and last is not None and last.repeat
    if again:
        reason = f"{rung.step.id} comes again {again.every} days after the last time"
    else:
        reason = f"{after}{rung.step.id} comes {_counted(rung)}"
    if ground.ladder.is_moved(rung):
        reason += f": on {rung.day}, the next business day{_closed_by(ground.calendar, rung.day)}"
    return wait(Rule.NOT_DUE, reason + ground.ladder.passed_over(rung.anchor), rung.day)


def _counted(rung: Rung) -> str:
    step, anchor = rung.step, rung.anchor
    match step.anchor:
        case Anchor.DUE_DATE:
            return f"{step.offset} days after {anchor.number} fell due on {anchor.due_on}"
        case Anchor.INVOICE_DATE:
            return f"{step.offset} days after {anchor.number} was issued on {anchor.issued_on}"
        case Anchor.END_OF_MONTH:
            return f"{step.offset} days after the month in which {anchor.number} fell due, on {anchor.due_on}"


def below_minimum(ground: Ground) -> Answer | None:
    """What is overdue, less what lies unapplied, is not worth a message."""
    facts = ground.facts
    least = ground.playbook.minimum.get(facts.currency, _NOTHING)
    gross = owed(ground.chased, facts.currency)
    net = gross - facts.unapplied
    if gross.amount >= least and (net.amount >= least or net.amount <= 0):
        return None
    less = f" less {facts.unapplied} not yet allocated" if facts.unapplied else ""
    reason = f"{gross}{less} is under the minimum of {Money(least, facts.currency)}"
    more = min((item.due_on for item in ground.upcoming if item.due_on), default=None)
    if more is None:
        return hold(Rule.BELOW_MINIMUM, f"{reason}; nobody need act: it is looked at again when more falls due")
    return wait(Rule.BELOW_MINIMUM, f"{reason}; more falls due on {more}", more + timedelta(days=1))


def covered(facts: ChaseFacts, items: Sequence[Item]) -> Answer | None:
    """Money that came in and was put on no invoice pays for all that would be demanded."""
    if facts.unapplied.amount <= 0:
        return None
    asked = owed(items, facts.currency)
    if facts.unapplied < asked:
        return None
    reason = (
        f"{facts.unapplied} from {facts.payer_name} is on no invoice and covers the {asked} that would be demanded; "
        "a person must allocate it in the accounting system"
    )
    return hold(Rule.COVERED, reason)


def is_covered(ground: Ground) -> Answer | None:
    """As `covered`, of what this step demands."""
    return covered(ground.facts, ground.rung.demanded)


def not_banked(ground: Ground) -> Answer | None:
    """Past the friendly steps the bank feed must have come up to the last business day."""
    through = ground.facts.connection.banked_through
    if through is None or ground.rung.step.tone <= Tone.FRIENDLY:
        return None
    if ground.calendar.next_open(through + timedelta(days=1)) >= ground.today:
        return None
    reason = (
        f"the bank feed is in the books only through {through}; "
        f"a person must bring it up to date before {ground.rung.step.id}"
    )
    return hold(Rule.NOT_BANKED, reason, ground.tomorrow)


def live_message(facts: ChaseFacts, today: date) -> Answer | None:
    """One message at a time: the last is on its way, or waits for a person."""
    tomorrow = today + timedelta(days=1)
    for message in reversed(facts.history):
        if message.state is MessageState.PLANNED:
            reason = f"{message.step_id} of {message.on} waits for a person to approve or do it"
            return hold(Rule.LIVE_MESSAGE, reason)
        if message.state in LIVE and message.state is not MessageState.UNKNOWN:
            return wait(Rule.LIVE_MESSAGE, f"{message.step_id} of {message.on} is on its way", tomorrow)
    return None


def failed_message(facts: ChaseFacts, today: date, about: Item | None = None) -> Answer | None:
    """What the channel refused for good is a person's, as long as anything it demanded is owed; `about` looks only at
    the messages about one invoice."""
    if not facts.history:
        return None
    never_out = (MessageState.SUPERSEDED, MessageState.CANCELLED)
    said = (past for past in reversed(facts.history) if about is None or about.invoice_id in past.invoice_ids)
    message = next((past for past in said if past.state not in never_out), None)
    if message is None or message.state is not MessageState.FAILED:
        return None
    if not any(item.invoice_id in message.invoice_ids and item.balance for item in facts.items):
        return None
    reason = (
        f"{message.step_id} of {message.on} was refused by the channel and nothing went out; "
        "a person must mend what it refused, such as the address, and send it again"
    )
    return hold(Rule.FAILED_MESSAGE, reason)


def unknown_message(facts: ChaseFacts, today: date) -> Answer | None:
    """What may have gone out is never sent again."""
    message = _latest(facts.history, MessageState.UNKNOWN)
    if message is None:
        return None
    reason = (
        f"nobody knows whether {message.step_id} of {message.on} went out: it is not sent again; "
        f"evidence or a person settles it, else it is presumed sent"
    )
    return hold(Rule.UNKNOWN_MESSAGE, reason, max(message.on + PRESUMED_AFTER, today + timedelta(days=1)))


def _latest(history: Sequence[PastMessage], state: MessageState) -> PastMessage | None:
    for message in reversed(history):
        if message.state is state:
            return message
    return None


def has_live_message(ground: Ground) -> Answer | None:
    """As `live_message`."""
    return live_message(ground.facts, ground.today)


def has_failed_message(ground: Ground) -> Answer | None:
    """As `failed_message`."""
    about = ground.rung.anchor if ground.playbook.group is Group.INVOICE else None
    return failed_message(ground.facts, ground.today, about)


def has_unknown_message(ground: Ground) -> Answer | None:
    """As `unknown_message`."""
    return unknown_message(ground.facts, ground.today)


def gap(ground: Ground) -> Answer | None:
    """The last message is too recent."""
    ends, touch = ground.ladder.gap_ends(), ground.ladder.history.last_touch()
    if ends is None or touch is None or ground.today >= ends:
        return None
    reason = f"{touch_name(touch)} went out on {touch.on}; at least {ground.playbook.gap} days lie between two messages"
    return wait(Rule.GAP, reason, ends)


def touch_name(touch: PastMessage) -> str:
    """The step, or what a person did."""
    if not touch.by_hand:
        return touch.step_id
    return f"a {touch.step_id}" if touch.step_id.endswith(" by hand") else f"a person's {touch.step_id}"


#: The most messages to one payer are counted over so many days.
WEEK: Final = 7
MONTH: Final = 30


def payer_cap(ground: Ground) -> Answer | None:
    """The payer has had as many messages as the playbook allows."""
    found = [
        (ends, most, span)
        for most, span, days in _caps(ground.facts, ground.playbook)
        if len(days) >= most and (ends := ground.calendar.next_open(days[-most] + timedelta(days=span))) > ground.today
    ]
    if not found:
        return None
    ends, most, span = max(found)
    messages = "message" if most == 1 else "messages"
    reason = f"{ground.facts.payer_name} has had {most} {messages} in {span} days: enough"
    return wait(Rule.PAYER_CAP, reason, ends)


def room(facts: ChaseFacts, playbook: Playbook, today: date) -> int | None:
    """How many more messages the payer may get today; None where no cap says."""
    return min(
        (most - sum((today - on).days < span for on in days) for most, span, days in _caps(facts, playbook)),
        default=None,
    )


def _caps(facts: ChaseFacts, playbook: Playbook) -> list[tuple[int, int, list[date]]]:
    """Of each cap: how many, in how many days, and every day on which the payer heard from us, the oldest first."""
    caps = playbook.caps
    if caps.week is None and caps.month is None:
        return []
    touched = sorted([*(past.on for past in facts.history if past.state in TOUCHED), *facts.elsewhere])
    return [(most, span, touched) for most, span in ((caps.week, WEEK), (caps.month, MONTH)) if most is not None]


def reached(step: Step, facts: ChaseFacts) -> Step:
    """The step by the way that is open to this payer: a letter that has no postal address goes by e-mail, an e-mail
    that would reach nobody is what the step says `instead`; what can go neither way is a person's task."""
    by_mail = bool(written_to(step, facts))
    if step.way is StepChannel.EMAIL and not by_mail and step.instead is not None:
        channel = step.instead if step.instead is not StepChannel.LETTER or facts.address else StepChannel.TASK
        return step.in_place_of_mail(channel)
    if step.way is not StepChannel.LETTER or facts.address:
        return step
    return replace(step, channel=StepChannel.EMAIL if by_mail else StepChannel.TASK)


def written_to(step: Step, facts: ChaseFacts) -> tuple[Contact, ...]:
    """Whom the step's e-mail goes to: the first kind of people it names that has an address, else the usual ones."""
    for role in step.to:
        if found := tuple([one for one in facts.people if one.role is role]):
            return found
    return tuple([one for one in facts.recipients if one.email])


def copied_to(step: Step, facts: ChaseFacts, recipients: Iterable[Contact]) -> tuple[Contact, ...]:
    """Who gets a copy of the step's e-mail: those whose role is `cc`, and those of the roles that it names (`billing`:
    whoever is sent the invoices); nobody twice, and nobody whom it is written to anyway."""
    roles = {ContactRole.CC, *step.cc}
    named = [one for one in facts.people if one.role in roles]
    if ContactRole.BILLING in step.cc:
        named += [one for one in facts.recipients if one.email]
    taken, found = set(addresses(recipients)), []
    for one in named:
        if not addresses([one]) <= taken:
            taken |= addresses([one])
            found.append(one)
    return tuple(found)


def no_recipient(ground: Ground) -> Answer | None:
    """An e-mail needs an address; a call is a person's, who finds the number."""
    step = ground.rung.step
    if written_to(step, ground.facts) or reached(step, ground.facts).way is not StepChannel.EMAIL:
        return None
    shunned = "; ".join(ground.facts.unreachable)
    why = f" (nobody writes to {shunned}: arsync suppressions)" if shunned else ""
    if ground.facts.declined:
        so = "a person writes a letter or calls (arsync touch), or leaves it be (arsync hold)"
        return hold(Rule.NO_RECIPIENT, f"{ground.facts.payer_name} wants no e-mail{why}; {so}")
    reason = (
        f"{ground.facts.payer_name} has no usable e-mail address{why}; a person must enter one in the accounting system"
    )
    return hold(Rule.NO_RECIPIENT, reason)


#: So often a step is tried at the same addresses; then another one is waited for.
TRIES: Final = 2


def undelivered(ground: Ground) -> Answer | None:
    """The step came back as often as it is tried, from the very addresses that it would go to again."""
    step = ground.rung.step
    if MessageState.BOUNCED not in [past.state for past in ground.facts.history] or step.is_task:
        return None
    to = addresses(written_to(step, ground.facts))
    back = [
        past
        for past in ground.facts.history
        if past.step_id == step.id and past.state is MessageState.BOUNCED and past.to == to
    ]
    if len(back) < TRIES:
        return None
    reason = (
        f"{step.id} came back {TRIES} times from {', '.join(sorted(to))}, last that of {back[-1].on}: no address "
        f"of {ground.facts.payer_name} works; a person must enter another one, in the accounting system or by "
        "arsync contact"
    )
    return hold(Rule.UNDELIVERED, reason)


def addresses(recipients: Iterable[Contact]) -> frozenset[str]:
    """Where a message to them goes, in lower case."""
    return frozenset(contact.email.strip().lower() for contact in recipients if contact.email)


def no_template(ground: Ground) -> Answer | None:
    """Nobody gets a message in a language that was not written."""
    facts = ground.facts
    if facts.locale in facts.locales:
        return None
    there = ", ".join(sorted(facts.locales)) or "none"
    name = ground.playbook.name
    reason = f"playbook {name} has no templates in {facts.locale!r} (there is: {there}); a person must write them"
    return hold(Rule.NO_TEMPLATE, reason)


def no_pay_details(ground: Ground) -> Answer | None:
    """Nobody is asked for money without being told where to pay that currency."""
    currency = ground.facts.currency
    if currency in ground.facts.connection.pay_currencies:
        return None
    return hold(Rule.NO_PAY_DETAILS, f"no bank details for {currency} are set; a person must add them")


#: A step is moved by so many days at most; where the next run is farther, it goes on its own day.
MOST_MOVED: Final = timedelta(days=14)


def payment_run(ground: Ground) -> Answer | None:
    """The step goes out some business days before the payer's payment run, which is near."""
    count, runs, rung = ground.rung.step.before_payment_run, ground.facts.payment_day, ground.rung
    if count is None or runs is None or ground.today >= rung.day + MOST_MOVED:
        return None
    run = runs.next_on(rung.day)
    day = ground.calendar.before(run, count)
    if day < rung.day:
        run = runs.next_on(run + timedelta(days=1))
        day = ground.calendar.before(run, count)
    if day <= ground.today or not rung.day <= day <= rung.day + MOST_MOVED:
        return None
    days = "business day" if count == 1 else "business days"
    reason = f"{rung.step.id} waits for {day}, {count} {days} before the payment run of {run}: payments come {runs}"
    return wait(Rule.CALENDAR, reason, day)


def closed_today(ground: Ground) -> Answer | None:
    """No moment of today is in the payer's send window."""
    if ground.calendar.is_open(ground.today):
        return None
    day = ground.calendar.next_open(ground.today)
    closed = _closed_by(ground.calendar, day)
    return wait(Rule.CALENDAR, f"{ground.rung.step.id} waits for the next business day, {day}{closed}", day)


def _closed_by(calendar: Calendar, day: date) -> str:
    """What closes the days before an open one, in brackets; empty where that has no name."""
    why = calendar.why_closed(day - timedelta(days=1))
    return f" ({why})" if why else ""


StepGuard = Callable[[Ground], Answer | None]
STEP: Final[tuple[StepGuard, ...]] = (
    not_due,
    below_minimum,
    is_covered,
    not_banked,
    has_live_message,
    has_failed_message,
    has_unknown_message,
    gap,
    payer_cap,
    no_recipient,
    undelivered,
    no_template,
    no_pay_details,
    payment_run,
    closed_today,
)


def of_the_step(ground: Ground) -> Answer | None:
    """The first guard that stops the step."""
    for guard in STEP:
        if answer := guard(ground):
            return answer
    return None


#: A person wants it now: its day, the gap and payment runs are no matter. What is owed, holds and caps are.
ONCE_MORE: Final = tuple(guard for guard in STEP if guard not in (not_due, gap, payment_run))


def of_once_more(ground: Ground) -> Answer | None:
    """The first guard that stops a step which a person wants once more."""
    return next((answer for guard in ONCE_MORE if (answer := guard(ground))), None)


#: What may stop a thank-you: nothing is asked for any more.
THANKS: Final[tuple[StepGuard, ...]] = (
    has_live_message,
    has_failed_message,
    has_unknown_message,
    gap,
    payer_cap,
    no_recipient,
    undelivered,
    no_template,
    closed_today,
)


def of_the_thanks(ground: Ground) -> Answer | None:
    """The first guard that stops a thank-you."""
    return next((answer for guard in THANKS if (answer := guard(ground))), None)
