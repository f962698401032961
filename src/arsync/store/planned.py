"""What is planned: each message once for its intent, with its words and what it names."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import func, insert, select

from arsync.domain.chase import Intent, Rendered
from arsync.domain.policy import Step
from arsync.domain.seen import item_seen, named, sealed, written
from arsync.domain.states import MessageState
from arsync.store import events, words
from arsync.store import tables as t
from arsync.store.engine import Work

_M = t.messages.c


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's yes to what that person saw; it ends with the next send window."""

    author: str
    at: datetime
    until: datetime | None
    may_shrink: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be planned."""

    connection_id: int
    chase_id: int
    intent: Intent
    rendered: Rendered
    recipients: tuple[str, ...]  # RFC 5322 mailboxes
    playbook: str
    playbook_version: str
    locale: str
    fingerprint: str
    state: MessageState  # planned (a person approves) or approved
    reason: str
    frame: str | None = None  # the fingerprint of the same about no invoice
    approval: Approval | None = None  # of an earlier revision, which allowed for this one
    resend_of: int | None = None
    asked_at: datetime | None = None  # since when a person is asked; None: from now on
    author: str = "arsync"
    copies: tuple[str, ...] = ()  # RFC 5322 mailboxes
    asked_by: str | None = None  # a person's own statement of account


def plan(work: Work, draft: Draft, *, now: datetime, today: date) -> int:
    """Plans a message: a new intent, or the next revision of a known one."""
    intent = draft.intent
    same = (
        _M.chase_id == draft.chase_id,
        _M.step_id == intent.step.id,
        _M.occurrence == intent.occurrence,
    )
    before = work.execute(select(func.max(_M.revision)).where(*same)).scalar_one()
    as_written = written(intent, draft.recipients, draft.rendered)
    yes = draft.approval
    statement = (
        insert(t.messages)
        .values(
            key=secrets.token_hex(16),
            connection_id=draft.connection_id,
            chase_id=draft.chase_id,
            step_id=intent.step.id,
            occurrence=intent.occurrence,
            revision=(before or 0) + 1,
            state=draft.state.value,
            reason=draft.reason,
            channel=intent.step.way.value,
            tone=intent.step.tone.value,
            playbook=draft.playbook,
            playbook_version=draft.playbook_version,
            locale=draft.locale,
            fingerprint=draft.fingerprint,
            recipients=json.dumps(draft.recipients),
            copies=json.dumps(draft.copies) if draft.copies else None,
            subject=draft.rendered.subject,
            currency=intent.at_stake.currency,
            amount=intent.at_stake.amount,
            planned_at=now,
            planned_on=today,
            attempts=0,
            written=as_written,
            frame=draft.frame,
            resend_of=draft.resend_of,
            asked_by=draft.asked_by,
            attached=_attached(intent.step),
            asked_at=(draft.asked_at or now) if draft.state is MessageState.PLANNED else None,
            **({} if yes is None else approved_columns(yes, sealed(as_written, None))),
        )
        .returning(_M.id)
    )
    message_id = int(work.execute(statement).scalar_one())
    words.keep(work, message_id, draft.rendered)
    items = named(intent)
    work.execute(
        insert(t.message_items),
        [
            {
                "message_id": message_id,
                "position": place,
                "invoice_id": item.invoice_id,
                "number": item.number,
                "amount": item.balance.amount,
                "due_on": item.due_on,
                "demanded": demanded,
                "disputed": item.disputed.amount if item.disputed else None,
                "seen": item_seen(item),
            }
            for place, (item, demanded) in enumerate(items)
        ],
    )
    events.log(
        work, "message_planned", at=now, author=draft.author, connection_id=draft.connection_id,
        chase_id=draft.chase_id, message_id=message_id, step=intent.step.id, occurrence=intent.occurrence,
        state=draft.state.value, reason=draft.reason,
    )  # fmt: skip
    return message_id


def _attached(step: Step) -> str | None:
    return f"{','.join(step.attached)};{step.lacking}" if step.attached else None


def approved_columns(yes: Approval, seen: str) -> dict[str, Any]:
    """What a message keeps of a person's yes to what was seen."""
    return {
        "approved_by": yes.author, "approved_at": yes.at, "approved_until": yes.until, "approved_as": seen,
        "may_shrink": yes.may_shrink,
    }  # fmt: skip


#: A message that nobody has approved, or not any more.
UNAPPROVED: Final[Mapping[str, Any]] = dict.fromkeys(
    ("approved_by", "approved_at", "approved_until", "approved_as", "may_shrink")
)
