"""What goes beside the ladder: statements of account, each month on its day, once, to whoever owes anything; and an
apology for what was asked for though it had been paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from arsync.domain.calendar import Calendar
from arsync.domain.chase import ChaseFacts, Item
from arsync.domain.policy import ACCOUNT, APOLOGY, Playbook
from arsync.domain.states import EFFECTIVE, MessageState
from arsync.playbook.guards import Answer
from arsync.playbook.ladder import Ladder
from arsync.playbook.step_guards import (
    Ground,
    StepGuard,
    closed_today,
    gap,
    has_failed_message,
    has_live_message,
    has_unknown_message,
    no_pay_details,
    no_recipient,
    no_template,
    payer_cap,
    undelivered,
)

#: It goes so many days late at most, after an outage or a message that had to come first; then the next one does.
WITHIN: Final = 10
_ONE_DAY: Final = timedelta(days=1)
#: One that was sent, or perhaps was, is not sent again; one that came back is, to another address.
_TAKEN: Final = EFFECTIVE | {MessageState.UNKNOWN, MessageState.SENDING, MessageState.FAILED}

#: What may stop one that a person sends: it asks for nothing, so that small sums and credit do not.
ASKED: Final[tuple[StepGuard, ...]] = (
    has_live_message,
    has_failed_message,
    has_unknown_message,
    payer_cap,
    no_recipient,
    undelivered,
    no_template,
    no_pay_details,
    closed_today,
)
#: What may stop an apology: it asks for nothing, and comes soon.
SORRY: Final = tuple(guard for guard in ASKED if guard is not no_pay_details)
#: And one that comes by itself: the gap as well.
SCHEDULED: Final = (gap, *ASKED)


def stops(ground: Ground, *, asked: bool) -> Answer | None:
    """The first guard that stops a statement of account."""
    return next((answer for guard in (ASKED if asked else SCHEDULED) if (answer := guard(ground))), None)


def stops_apology(ground: Ground) -> Answer | None:
    """The first guard that stops an apology."""
    return next((answer for guard in SORRY if (answer := guard(ground))), None)


def apologised_for(facts: ChaseFacts) -> frozenset[str]:
    """The invoices of which an apology has gone, or may have."""
    said = [past.invoice_ids for past in facts.history if past.step_id == APOLOGY and past.state in _TAKEN]
    return frozenset[str]().union(*said)


def to_apologise_for(facts: ChaseFacts, playbook: Playbook, paid: Sequence[Item], today: date) -> tuple[Item, ...]:
    """The paid invoices that were asked for wrongly and wait for an apology; what is on hold is a person's."""
    if not facts.wrongly or playbook.apology is None:
        return ()
    open_still = facts.wrongly - apologised_for(facts)
    return tuple(
        item
        for item in paid
        if item.invoice_id in open_still and not any(hold.covers(item.invoice_id, today) for hold in facts.holds)
    )


def due_day(facts: ChaseFacts, playbook: Playbook, calendar: Calendar, today: date) -> date | None:
    """The day of the month's statement that is to go today, late or not: it has come lately, be it that of last month,
    and since then the payer has had none. Who began to owe after that day gets the next month's."""
    if playbook.statements is None or playbook.statements.business_day is None:
        return None
    count = playbook.statements.business_day
    day = month_day(calendar, today, count)
    if day > today:
        day = month_day(calendar, today.replace(day=1) - _ONE_DAY, count)
    if not day <= today <= day + timedelta(days=WITHIN) or facts.opened_on > day:
        return None
    taken = (past for past in facts.history if past.step_id == ACCOUNT and past.state in _TAKEN)
    return None if any(past.on >= day for past in taken) else day


def next_day(facts: ChaseFacts, playbook: Playbook, calendar: Calendar, today: date) -> date | None:
    """The first day after today on which there may be one to send; None where none comes by itself."""
    if playbook.statements is None or playbook.statements.business_day is None:
        return None
    if due_day(facts, playbook, calendar, today) is not None:
        return today + _ONE_DAY
    day = month_day(calendar, today, playbook.statements.business_day)
    if day > today:
        return day
    next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return month_day(calendar, next_month, playbook.statements.business_day)


def month_day(calendar: Calendar, month: date, count: int) -> date:
    """The business day of that number in the month of that day; its last one where it has fewer, and the first one
    after it where it has none."""
    day = found = calendar.next_open(month.replace(day=1))
    for _ in range(count - 1):
        day = calendar.next_open(day + _ONE_DAY)
        if day.month != found.month:
            break
        found = day
    return found


def occurrence(ladder: Ladder, playbook: Playbook, day: date) -> int:
    """Of a statement that comes by itself: the month of its day, however late, so that no other is taken for it."""
    return max(day.year * 100 + day.month, ladder.history.occurrence(playbook.account_step))
