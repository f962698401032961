"""What is done because of a reply before a person has read it, where its playbook says so: a person's word without a
person, kept by `reply`, taken back by `arsync replies undo`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parseaddr, parsedate_to_datetime
from typing import Final

from arsync.acts.answering import release
from arsync.acts.holding import put
from arsync.acts.noting import note
from arsync.acts.promising import give
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.cli.naming import one_invoice
from arsync.cli.output import flat
from arsync.domain.chase import Hold
from arsync.domain.clock import local_date
from arsync.domain.money import total
from arsync.domain.replies import MailKind, ReplyState
from arsync.domain.states import HoldKind
from arsync.errors import ArsyncError
from arsync.inbox.days import promised_day
from arsync.inbox.intake import Taken
from arsync.inbox.plain import says_only
from arsync.playbook.shelves import Volume
from arsync.store import connections, messages, replies
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.messages import Message
from arsync.store.replies import Reply

#: Who says it: no person has.
AUTHOR: Final = "reply"
_GRACE: Final = 2
#: What is read later than that after it was written may be overtaken, and its "Friday" over.
_FRESH: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Meant:
    """A reply that the playbook of the message it answers has something to say of."""

    reply: Reply
    message: Message
    company: Connection
    named: list[Whom]  # the invoices of the message on which anything is open
    days: int | None  # nothing goes out for so long; None: a promise to record


def act_on(app: App, taken: Iterable[Taken]) -> list[str]:
    """Acts on replies that have just been taken, those of which the rules are sure enough; what was done, a sentence
    each. What it does nothing about waits for a person, and so does what it fails on."""
    told = []
    for one in taken:
        if one.reply_id is None or one.kind is not MailKind.PERSON:
            continue
        try:
            with app.store.working() as work:
                meant = _meant(app, work, one.reply_id, one.dated)
                done = _act(app, work, meant) if meant is not None else None
                if done is not None:
                    work.commit()
                    told.append(flat(f"reply {one.reply_id}: {done} (arsync replies undo {one.reply_id})"))
        except ArsyncError as error:
            told.append(
                flat(f"reply {one.reply_id} waits for a person, as its playbook could not be followed: {error}")
            )
    return told


def _meant(app: App, work: Work, reply_id: int, dated: str) -> _Meant | None:
    reply = replies.get(work, reply_id)
    if reply is None or reply.state is not ReplyState.WAITING or reply.meaning is None or reply.message_id is None:
        return None  # nobody knows what it answers: a person does
    message = messages.get(work, reply.message_id)
    company = connections.connection_by_id(work, message.connection_id)
    policy = app.policy(company)
    volume = policy.shelves.volume(work, message.playbook, message.playbook_version, policy.shelf)
    said = volume.playbook.on_reply if isinstance(volume, Volume) else None
    if said is None or reply.meaning not in said.acts or (reply.confidence or 0) < said.confidence:
        return None
    if reply.payer_id != message.payer_id or reply.connection_id != message.connection_id:
        return None
    if not _is_fresh(dated, reply.received_at) or not _is_theirs(work, reply, company):
        return None
    demanded = [item.invoice_id for item in messages.items(work, message.id) if item.demanded]
    found = [one_invoice(app, f"id:{one}", company.name) for one in demanded]
    named = [
        Whom(one.connection_id, one.payer_id, one, f"invoice {one.number} of {one.customer}")
        for one in found
        if one.balance and one.payer_id == message.payer_id
    ]
    days = said.acts[reply.meaning]
    if not named:
        return None
    if days is not None and (not says_only(reply.text, reply.meaning) or _was_held(work, reply, set(demanded))):
        return None
    return _Meant(reply, message, company, named, days)


def _is_fresh(dated: str, read_at: datetime) -> bool:
    try:
        written = parsedate_to_datetime(dated)
    except (TypeError, ValueError):
        return False
    aware = written if written.tzinfo else written.replace(tzinfo=UTC)
    return abs(read_at - aware) <= _FRESH


def _is_theirs(work: Work, reply: Reply, company: Connection) -> bool:
    """Whether an address of that payer, and of no other, wrote it: anybody may answer a mail that was passed on."""
    address = parseaddr(reply.sender)[1]
    return bool(address) and replies.payers_at(work, company.id, company.name, address) == {reply.payer_id}


def _was_held(work: Work, reply: Reply, invoices: set[str]) -> bool:
    """Whether a reply has held one of these invoices already, and no person has read one of that payer since."""
    done = [one for one in replies.handled(work, reply.connection_id, reply.payer_id) if one.id != reply.id]
    looked = max((one.done_at for one in done if one.done_by != AUTHOR and one.done_at), default=None)
    return any(
        one.done_by == AUTHOR and one.message_id is not None and (looked is None or (one.done_at or looked) > looked)
        and not invoices.isdisjoint(item.invoice_id for item in messages.items(work, one.message_id))
        for one in done
    )  # fmt: skip


def _act(app: App, work: Work, meant: _Meant) -> str | None:
    """Keeps what it means, and is done with the reply; None where it names no day that could be recorded."""
    reply, company = meant.reply, meant.company
    assert reply.meaning is not None
    why = f"{reply.sender} in reply {reply.id}, by the rules {reply.meaning.replace('_', ' ')} ({reply.confidence}%)"
    if meant.days is None:
        day = promised_day(reply.text, local_date(reply.received_at, app.timezone(company)))
        if day is None or day < app.today(company):
            return None
        placed, outcome = _promise(app, work, meant, day, why)
    else:
        placed, outcome = _pause(app, work, meant, meant.days, why)
    if not replies.finish(
        work, reply.id, outcome=f"{outcome}, as playbook {meant.message.playbook} says", placed=placed, author=AUTHOR,
        now=app.clock.now(),
    ):  # fmt: skip
        return None
    release(app, work, reply, outcome, AUTHOR, noted=False)
    return outcome


def _promise(app: App, work: Work, meant: _Meant, day: date, why: str) -> tuple[tuple[int, ...], str]:
    named, company = meant.named, meant.company
    owed = total((one.invoice.balance for one in named if one.invoice), meant.message.currency)
    given = give(app, work, company, named, owed, day, _GRACE, reason=why, who=AUTHOR)
    outcome = f"{owed} promised by {day} for {_numbers(named)}; it is in time until {given.until}"
    note(
        app, work, company, meant.message.payer_id, named[0].invoice_id if len(named) == 1 else None, by=AUTHOR,
        now=app.clock.now(), what=f"Promise: {owed} by {day} for {_numbers(named)}, said", more=(f"How: {why}",),
    )  # fmt: skip
    return given.holds, outcome


def _pause(app: App, work: Work, meant: _Meant, days: int, why: str) -> tuple[tuple[int, ...], str]:
    today, now = app.today(meant.company), app.clock.now()
    until = today + timedelta(days=days)
    placed = []
    for one in meant.named:
        hold = Hold(HoldKind.PAUSE, why, AUTHOR, one.payer_id, one.invoice_id, today, until)
        placed.append(put(app, work, meant.company, hold, what=one.what, now=now, noted=len(meant.named) == 1))
    if len(meant.named) > 1:
        note(
            app, work, meant.company, meant.message.payer_id, None, by=AUTHOR, now=now,
            what=f"Not chased until {until}: {_numbers(meant.named)}, said", more=(f"Why: {why}",),
        )  # fmt: skip
    return tuple(placed), f"{_numbers(meant.named)} not chased until {until}"


def _numbers(named: Iterable[Whom]) -> str:
    return ", ".join(one.invoice.number for one in named if one.invoice)
