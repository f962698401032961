"""What the accounting system is told of a message, for the people who work there.

Notes are in English with ISO dates, as are the verdicts. A note ends with its marker, by which it is found again; no
value from the source can pass for one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

from arsync.domain.chase import Item, by_age
from arsync.domain.money import totals
from arsync.domain.policy import StepChannel
from arsync.render.wording import one_line

#: QuickBooks cuts at 2,000 characters; Xero at 2,500.
NOTE_LIMIT: Final = 2000
#: How a note begins; `note_reading` knows them again.
OPENINGS: Final = {
    StepChannel.EMAIL: "Email sent",
    StepChannel.CALL: "Call put on the call list",
    StepChannel.LETTER: "Letter posted",
    StepChannel.TASK: "Task put on the call list",
}


def invoice_note(
    *,
    channel: StepChannel,
    step_id: str,
    playbook: str,
    message_id: str,
    subject: str,
    recipients: Sequence[str],
    sent_on: date,
    item: Item,
    marker: str,
    limit: int = NOTE_LIMIT,
) -> str:
    """The note on one invoice of a message; at most `limit` characters, the marker whole at its end."""
    body = [
        f"{OPENINGS[channel]} on {sent_on}: {one_line(subject, 200)}",
        f"To: {_people(recipients)}",
        _invoice_line(item, sent_on),
    ]
    return _note(body, _closing(step_id, playbook, message_id), marker, limit)


def customer_note(
    *,
    channel: StepChannel,
    step_id: str,
    playbook: str,
    message_id: str,
    subject: str,
    recipients: Sequence[str],
    sent_on: date,
    items: Sequence[Item],
    marker: str,
    limit: int = NOTE_LIMIT,
) -> str:
    """The note on the customer for a message about many invoices, oldest first; bounded as `invoice_note`."""
    owed = ", ".join(str(money) for money in totals(item.balance for item in items).values())
    body = [
        f"{OPENINGS[channel]} on {sent_on}: {one_line(subject, 200)}",
        f"To: {_people(recipients)}",
        f"{len(items)} invoices, {owed} open:",
        *(f"- {_invoice_line(item, sent_on)}" for item in by_age(items)),
    ]
    return _note(body, _closing(step_id, playbook, message_id), marker, limit)


def oldest_note(
    *,
    channel: StepChannel,
    step_id: str,
    playbook: str,
    message_id: str,
    recipients: Sequence[str],
    sent_on: date,
    items: Sequence[Item],
    marker: str,
    limit: int = NOTE_LIMIT,
) -> str:
    """The one line on the oldest invoice of a message whose note is on the customer; bounded as `invoice_note`."""
    body = [
        f"{OPENINGS[channel]} on {sent_on} to {_people(recipients)}: this and {len(items) - 1} more invoices;"
        " see the note on the customer."
    ]
    return _note(body, _closing(step_id, playbook, message_id), marker, limit)


def said_note(*, on: date, what: str, more: Sequence[str], by: str, marker: str, limit: int = NOTE_LIMIT) -> str:
    """The note of what a person said or decided, or of what came of it; bounded as `invoice_note`. It is never taken
    for the note of a message."""
    body = [_unlike_sent(one_line(line, 500)) for line in (f"{what} on {on}", *more)]
    return _note(body, _unlike_sent(f"Said by {one_line(by, 120)}, kept by arsync"), marker, limit)


def _unlike_sent(line: str) -> str:
    for opening in OPENINGS.values():  # by these words a message is read back after a restore
        line = line.replace(opening, opening.lower())
    return line


def _people(recipients: Sequence[str]) -> str:
    named = [one_line(recipient, 120) for recipient in recipients]
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")


def _invoice_line(item: Item, on: date) -> str:
    part = f" of {item.total}" if item.balance != item.total and not item.disputed else ""
    contested = f" and asked for, {item.disputed} more in dispute" if item.disputed else ""
    return f"Invoice {one_line(item.number, 60)}: {item.balance} open{part}{contested}, {_due(item.due_on, on)}"


def _due(due_on: date | None, on: date) -> str:
    if due_on is None:
        return "without a due date"
    days = (on - due_on).days
    if days > 0:
        return f"due {due_on}, {days} {'day' if days == 1 else 'days'} late"
    return f"due {due_on}"


def _closing(step_id: str, playbook: str, message_id: str) -> str:
    return f"Step {one_line(step_id)} of playbook {one_line(playbook)}, message {one_line(message_id)}"


def _note(body: list[str], closing: str, marker: str, limit: int) -> str:
    """Lines go from the middle, the last of the body first, until it fits; the marker is never cut."""
    if _size(marker) > limit:
        raise ValueError(f"a marker longer than the note's {limit} characters")
    kept = [_unmarked(line) for line in body]
    end = f"{_unmarked(closing)}\n{marker}"
    dropped = 0
    while len(kept) > 1 and _size(_joined(kept, dropped, end)) > limit:
        kept.pop()
        dropped += 1
    text = _joined(kept, dropped, end)
    if _size(text) <= limit:
        return text
    head = "\n".join(kept)
    while head and _size(f"{head}…\n{end}") > limit:
        head = head[:-1]
    return f"{head}…\n{end}" if head else marker


def _joined(kept: list[str], dropped: int, end: str) -> str:
    gap = [f"… {dropped} {'line' if dropped == 1 else 'lines'} left out …"] if dropped else []
    return "\n".join([*kept, *gap, end])


def _unmarked(line: str) -> str:
    # A subject or number that looks like a marker would pass for the note of another message, or installation.
    return re.sub(r"\[(?=\s*arsync\s*:)", "(", line, flags=re.IGNORECASE)


def _size(text: str) -> int:
    """In UTF-16 units, as both vendors' databases count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
