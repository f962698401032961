"""A mail is taken: kept once, and in the same commit the chase is paused, the note planned, the task made.

Killed before that commit, nothing was taken, and the mail is read again; after it, the mail is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from arsync.connector import NoteTarget, TargetKind
from arsync.domain.chase import Hold
from arsync.domain.clock import Clock, local_date
from arsync.domain.replies import FOR_A_PERSON, MailKind
from arsync.domain.states import HoldKind
from arsync.errors import DatabaseUnusable, Locked
from arsync.inbox.classify import Classified, classify
from arsync.inbox.feedback import hear_one
from arsync.inbox.machines import who_wrote
from arsync.inbox.mail import Mail, refuse
from arsync.inbox.matching import Front, Match, match, match_given_back
from arsync.inbox.quoting import left_out, new_text
from arsync.inbox.returned import losses
from arsync.render.note import said_note
from arsync.store import connections, events, holds, messages, notes, provider_events, replies
from arsync.store.engine import Store, Work
from arsync.store.replies import Incoming, Reply

#: What is kept of an answer; the rest stays in the mailbox.
_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a mail; `reply_id` is None where it was known before."""

    reply_id: int | None
    kind: MailKind
    match: Match
    paused: bool = False
    dated: str = ""  # when it was written, as it says itself


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a mailbox has been read with that mail: saved in the same commit."""

    mailbox: str
    uid_validity: int
    uid: int


def take(
    store: Store, mail: Mail, *, origin: str, fronts: Sequence[Front], clock: Clock, bookmark: Bookmark | None = None
) -> Taken:
    """Takes a mail exactly once, however often it comes."""
    kind, why = who_wrote(mail)
    text, said = _read(mail, kind)
    with store.working() as work:
        replies.one_at_a_time(work)
        if bookmark is not None:
            replies.move_place(work, bookmark.mailbox, uid_validity=bookmark.uid_validity, last_uid=bookmark.uid)
        if replies.is_known(work, mail.identity):
            work.commit()
            return Taken(None, kind, Match("it was taken before"))
        found = match(work, mail, fronts) if kind in _ANSWERS else match_given_back(work, mail)
        now = clock.now()
        lost = _bounced(work, found, mail, now) if kind is MailKind.BOUNCE else None
        incoming = Incoming(
            identity=mail.identity, connection_id=found.connection_id, payer_id=found.payer_id,
            message_id=found.message_id, kind=kind, why="; ".join(filter(None, (why, found.why, lost))),
            origin=origin, sender=mail.sender or "nobody", subject=mail.subject, text=text,
            meaning=said.meaning if said else None, confidence=said.confidence if said else None,
            phrases=said.phrases if said else (),
            waits=kind in FOR_A_PERSON or lost is not None,
        )  # fmt: skip
        reply_id = replies.keep(work, incoming, now=now)
        events.log(
            work, "reply_received", at=now, connection_id=found.connection_id, message_id=found.message_id,
            reply=reply_id, mail_kind=kind.value, payer=found.payer_id, meaning=incoming.meaning,
            confidence=incoming.confidence, why=incoming.why,
        )  # fmt: skip
        paused = kind in FOR_A_PERSON and found.payer_id is not None
        if paused:
            stop(work, reply_id, fronts, now=now)
        work.commit()
    return Taken(reply_id, kind, found, paused, mail.dated)


def take_or_refuse(
    store: Store, mail: Mail, raw: bytes, *, origin: str, fronts: Sequence[Front], clock: Clock,
    bookmark: Bookmark | None = None,
) -> Taken:  # fmt: skip
    """As `take`; a mail that we fail on is kept as refused, and never stops those behind it."""
    try:
        return take(store, mail, origin=origin, fronts=fronts, clock=clock, bookmark=bookmark)
    except (DatabaseUnusable, Locked):
        raise  # the database, or another process, or we are told to stop: the mail is not at fault
    except Exception as error:  # noqa: BLE001 - a mail is anybody's, and a fault of ours
        refused = refuse(mail, raw, f"arsync failed on it ({type(error).__name__})")
        return take(store, refused, origin=origin, fronts=fronts, clock=clock, bookmark=bookmark)


def stop(work: Work, reply_id: int, fronts: Sequence[Front], *, now: datetime) -> None:
    """Pauses the chase of a reply whose payer is known, with its note in the source."""
    reply = replies.get(work, reply_id)
    assert reply is not None, "it was kept in this work"
    front = next((one for one in fronts if one.connection_id == reply.connection_id), None)
    pause(work, reply, timezone=front.timezone if front else "UTC", now=now)
    if front is not None and front.writes:
        _note(work, reply, front, now)


#: These answer something; the others give it back.
_ANSWERS: Final = frozenset({MailKind.PERSON, MailKind.AUTO_REPLY, MailKind.UNREADABLE})


def _read(mail: Mail, kind: MailKind) -> tuple[str, Classified | None]:
    if kind in (MailKind.PERSON, MailKind.AUTO_REPLY):
        text = new_text(mail.text)
        return "\n\n".join(filter(None, (text, left_out(mail.text))))[:_KEPT], classify(text)
    return (mail.refused or mail.text)[:_KEPT], None


def pause(work: Work, reply: Reply, *, timezone: str, now: datetime) -> int:
    """Holds all that the payer pays for until somebody has handled the reply; what is about to leave is stopped at the
    last gate. The hold's number."""
    assert reply.connection_id is not None and reply.payer_id is not None, "a reply of nobody pauses nobody"
    what = {MailKind.COMPLAINT: "complained of our mail as spam", MailKind.UNREADABLE: "sent a mail that was not read"}
    reason = f"{reply.sender} {what.get(reply.kind, 'answered')}; a person must read it: arsync replies show {reply.id}"
    today = local_date(now, timezone)
    hold = Hold(HoldKind.REPLY, reason, "arsync", reply.payer_id, None, today, None)
    hold_id = holds.place(work, reply.connection_id, hold, now=now, reply_id=reply.id)
    events.log(
        work, "hold_placed", at=now, connection_id=reply.connection_id, hold=hold_id, hold_kind=hold.kind.value,
        payer=reply.payer_id, invoice=None, reason=reason, reply=reply.id,
    )  # fmt: skip
    return hold_id


def _note(work: Work, reply: Reply, front: Front, now: datetime) -> None:
    """One note in the source: on the invoice that the message was about, else on the customer."""
    assert reply.payer_id is not None
    target = NoteTarget(TargetKind.CUSTOMER, reply.payer_id)
    about = messages.items(work, reply.message_id) if reply.message_id is not None else []
    demanded = [item.invoice_id for item in about if item.demanded]
    if len(demanded) == 1:
        target = NoteTarget(TargetKind.INVOICE, demanded[0])
    marker = notes.new_marker(connections.installation(work).key)
    text = said_note(
        on=local_date(now, front.timezone), what=f"Reply {reply.id} received: {reply.subject}",
        more=tuple(line for line in reply.text.split("\n") if line.strip()), by=reply.sender, marker=marker,
    )  # fmt: skip
    notes.plan(
        work, connection_id=front.connection_id, message_id=None, target=target, text=text, marker=marker, now=now
    )


def _bounced(work: Work, found: Match, mail: Mail, now: datetime) -> str | None:
    """Keeps who did not get the message; what a person must know of it, or None where it is merely late.

    Of a message of which nobody knew whether it went out, this is the evidence; it is settled by the next run.
    """
    if found.message_id is None:
        return None
    message = messages.get(work, found.message_id)
    addresses = provider_events.addresses([message.diverted_to] if message.diverted_to else message.recipients)
    every = addresses if message.diverted_to else addresses | provider_events.addresses(message.copies)
    missed = losses(mail, every, message.key, now=now)
    if missed is None:
        return None
    for event in missed:
        hear_one(work, event, message.id, now=now)
    lost = provider_events.lost(work, message.id) & every
    if not addresses <= lost:  # who gets a copy only is not whom it was written to
        return f"{len(lost) or 'one'} of {len(every)} recipients did not get message {message.id}"
    return f"message {message.id} did not reach anybody: mend the address (arsync contact)"
