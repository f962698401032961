"""Mails that came in: each kept once, with what was made of it and who handled it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, insert, or_, select, update

from arsync.domain.policy import StepChannel
from arsync.domain.replies import MailKind, Meaning, ReplyState
from arsync.store import finding, mailboxes
from arsync.store import tables as t
from arsync.store.bulk import among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail to be kept."""

    identity: str
    connection_id: int | None
    payer_id: str | None
    message_id: int | None
    kind: MailKind
    why: str
    origin: str
    sender: str
    subject: str
    text: str
    meaning: Meaning | None
    confidence: int | None
    phrases: tuple[str, ...]
    waits: bool  # a person must read it


@dataclass(frozen=True, slots=True)
class Reply(Incoming):
    """A mail as it is kept."""

    id: int
    state: ReplyState
    received_at: datetime
    done_at: datetime | None
    done_by: str | None
    outcome: str | None
    placed: tuple[int, ...]  # the holds that stand for the outcome


@dataclass(frozen=True, slots=True)
class Place:
    """How far a mailbox has been read."""

    uid_validity: int
    last_uid: int
    polled_at: datetime | None


_R = t.replies.c


def _reply(row: Row[*tuple[Any, ...]]) -> Reply:
    known = {name: getattr(row, name) for name in Incoming.__slots__ if name != "waits"}
    known |= {name: getattr(row, name) for name in Reply.__slots__}
    known["kind"], known["state"] = MailKind(row.kind), ReplyState(row.state)
    known["waits"] = known["state"] is ReplyState.WAITING
    known["meaning"] = Meaning(row.meaning) if row.meaning else None
    known["phrases"] = tuple(json.loads(row.phrases))
    known["placed"] = tuple(json.loads(row.placed)) if row.placed else ()
    return Reply(**known)


def _found(work: Work, *where: ColumnElement[bool]) -> list[Reply]:
    return [_reply(row) for row in work.execute(select(t.replies).where(*where).order_by(_R.id))]


def one_at_a_time(work: Work) -> None:
    """Nobody else takes a mail before this work ends: two that read one mailbox keep each mail once."""
    work.execute(select(t.installation.c.id).with_for_update())


def is_known(work: Work, identity: str) -> bool:
    """Whether that mail was kept before."""
    return work.execute(select(_R.id).where(_R.identity == identity)).first() is not None


def keep(work: Work, mail: Incoming, *, now: datetime) -> int:
    """Keeps a mail: a task for a person, or filed; its number."""
    state = ReplyState.WAITING if mail.waits else ReplyState.FILED
    statement = insert(t.replies).values(
        identity=mail.identity, connection_id=mail.connection_id, payer_id=mail.payer_id, message_id=mail.message_id,
        kind=mail.kind.value, state=state.value, why=mail.why, origin=mail.origin, sender=mail.sender,
        subject=mail.subject, text=mail.text, meaning=mail.meaning and mail.meaning.value,
        confidence=mail.confidence, phrases=json.dumps(mail.phrases), received_at=now,
    )  # fmt: skip
    return int(work.execute(statement.returning(_R.id)).scalar_one())


def get(work: Work, reply_id: int) -> Reply | None:
    """The reply of that number."""
    found = _found(work, _R.id == reply_id)
    return found[0] if found else None


def waiting(work: Work) -> list[Reply]:
    """What a person must read, oldest first."""
    return _found(work, _R.state == ReplyState.WAITING.value)


def every(work: Work) -> list[Reply]:
    """All that came in, oldest first."""
    return _found(work)


def of_payer(work: Work, connection_id: int, payer_id: str) -> list[Reply]:
    """What came from the payer, oldest first."""
    return _found(work, _R.connection_id == connection_id, _R.payer_id == payer_id)


_FROM_PEOPLE: Final = (
    select(_R.payer_id, _R.received_at)
    .where(_R.connection_id == bindparam("of"), _R.kind == MailKind.PERSON.value, _R.payer_id.is_not(None))
    .order_by(_R.id)
)
_PEOPLE: Final = Prepared(_FROM_PEOPLE)
_PEOPLE_OF: Final = Prepared(lambda dialect: _FROM_PEOPLE.where(among_those(dialect, _R.payer_id)))


def from_people(work: Work, connection_id: int, payers: Collection[str] | None = None) -> list[tuple[str, datetime]]:
    """Whose people wrote to one company and when, handled or not, oldest first; of all payers or of these."""
    if payers is None:
        found = _PEOPLE(work, of=connection_id)
    else:
        found = _PEOPLE_OF(work, of=connection_id, those=those(work, payers))
    return [(payer_id, received_at) for payer_id, received_at in found]


def assign(work: Work, reply_id: int, *, connection_id: int, payer_id: str, why: str) -> bool:
    """Says whose a reply is of which nobody knew; False where that is known."""
    statement = (
        update(t.replies)
        .where(_R.id == reply_id, _R.payer_id.is_(None))
        .values(connection_id=connection_id, payer_id=payer_id, why=why)
    )
    return bool(work.execute(statement).rowcount)


def finish(work: Work, reply_id: int, *, outcome: str, placed: Sequence[int] = (), author: str, now: datetime) -> bool:
    """A person has handled it; False where it was not waiting."""
    statement = (
        update(t.replies)
        .where(_R.id == reply_id, _R.state == ReplyState.WAITING.value)
        .values(
            state=ReplyState.DONE.value, done_at=now, done_by=author, outcome=outcome, placed=json.dumps(list(placed))
        )
    )
    return bool(work.execute(statement).rowcount)


def handled(work: Work, connection_id: int | None, payer_id: str | None) -> list[Reply]:
    """The replies of that payer that are done, oldest first."""
    return _found(work, _R.connection_id == connection_id, _R.payer_id == payer_id, _R.state == ReplyState.DONE.value)


def reopen(work: Work, reply_id: int) -> bool:
    """It waits for a person again; False where it was not done."""
    statement = (
        update(t.replies)
        .where(_R.id == reply_id, _R.state == ReplyState.DONE.value)
        .values(state=ReplyState.WAITING.value, done_at=None, done_by=None, outcome=None, placed=None)
    )
    return bool(work.execute(statement).rowcount)


# --- whose it is ------------------------------------------------------------------------------------------------------


def payers_at(work: Work, connection_id: int, connection: str, address: str) -> set[str]:
    """The payers of one company with whom that address has to do: by their people, or by what was sent to it."""
    found = {one.payer_id for one in finding.find_customers(work, address, connection)}
    m, h = t.messages.c, t.chases.c
    query = (
        select(h.payer_id, m.recipients, m.copies)
        .join(t.chases, h.id == m.chase_id)
        .where(
            m.connection_id == connection_id,
            m.accepted_at.is_not(None),
            or_(
                func.lower(m.recipients).contains(address.lower(), autoescape=True),
                func.lower(m.copies).contains(address.lower(), autoescape=True),
            ),
        )
    )
    for row in work.execute(query):
        written_to = [*(mailboxes.read(row.recipients) or ()), *(mailboxes.read(row.copies) or ())]
        if any(parseaddr(one)[1].casefold() == address.casefold() for one in written_to):
            found.add(row.payer_id)
    return found


def messages_named(work: Work, names: Sequence[str]) -> dict[str, int]:
    """The messages of these keys of ours, or references of the channel: name to id."""
    if not names:
        return {}
    m = t.messages.c
    mailed = and_(m.reference.in_(names), m.channel == StepChannel.EMAIL.value)  # a batch of letters has one together
    query = select(m.id, m.key, m.reference).where(or_(m.key.in_(names), mailed))
    found: dict[str, set[int]] = defaultdict(set)
    for row in work.execute(query):
        for name in (row.key, row.reference):
            if name in names:
                found[name].add(row.id)
    return {name: ids.pop() for name, ids in found.items() if len(ids) == 1}


# --- mailboxes --------------------------------------------------------------------------------------------------------


def place(work: Work, mailbox: str) -> Place | None:
    """How far that mailbox has been read; None where it never was."""
    c = t.mailboxes.c
    row = work.execute(select(c.uid_validity, c.last_uid, c.polled_at).where(c.name == mailbox)).one_or_none()
    return None if row is None else Place(*tuple(row))


def move_place(work: Work, mailbox: str, *, uid_validity: int, last_uid: int) -> None:
    """Says that the mailbox has been read up to that number; commit with what was read there."""
    c = t.mailboxes.c
    values = {"uid_validity": uid_validity, "last_uid": last_uid}
    if not work.execute(update(t.mailboxes).where(c.name == mailbox).values(values)).rowcount:
        work.execute(insert(t.mailboxes).values(name=mailbox, **values))


def last_polled(work: Work) -> datetime | None:
    """When any mailbox was last read to its end."""
    found: datetime | None = work.execute(select(func.max(t.mailboxes.c.polled_at))).scalar_one_or_none()
    return found


def polled(work: Work, mailbox: str, *, now: datetime) -> None:
    """Says that the mailbox has been read to its end."""
    work.execute(update(t.mailboxes).where(t.mailboxes.c.name == mailbox).values(polled_at=now))
