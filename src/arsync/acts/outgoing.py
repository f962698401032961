"""A person's evidence of a message that nobody knows about, and a message once more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Final

from arsync.acts.locking import locked
from arsync.acts.noting import kept
from arsync.bootstrap import App
from arsync.domain.clock import local_date
from arsync.domain.states import MessageState, WriteKind
from arsync.errors import NotFound, UsageError
from arsync.outbox import settle
from arsync.outbox.accept import Acceptance
from arsync.playbook.resending import resend as plan_once_more
from arsync.store import connections, messages
from arsync.store.connections import Connection
from arsync.store.messages import Message

#: In these nobody knows, and a person may.
OPEN: Final = (MessageState.UNKNOWN, MessageState.PRESUMED_SENT)
#: What left us, may have, or was stopped by a person: it can be wanted once more.
ONCE_MORE: Final = (
    MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.BOUNCED, MessageState.PRESUMED_SENT,
    MessageState.CANCELLED,
)  # fmt: skip


def resolve(app: App, message_id: int, *, sent: bool, reason: str, who: str) -> date:
    """Says of a message that nobody knows about whether it went out: the company's day on which it then did. NotFound
    where there is no such message; UsageError where there is nothing to settle, or no reason is given."""
    company, one = _about(app, message_id, OPEN, "there is nothing to settle")
    _with_reason(reason)
    how = _acceptance(app, company, one.sending_at or app.clock.now())
    if not settle.say(app.store, one, sent=sent, author=who, reason=reason, how=how, clock=app.clock):
        raise UsageError(f"message {one.id} has just been settled otherwise: arsync outbox {one.id} tells how")
    return how.today


def _acceptance(app: App, company: Connection, at: datetime) -> Acceptance:
    """As `Desk.acceptance`: what a person knows is kept whatever is wrong with the connector."""
    settings = app.settings.company(company.name)
    return Acceptance(
        local_date(at, app.timezone(company)), settings.writes == "on", app.settings.delivery.redirect_to,
        settings.mark_sent == "on" and WriteKind.SENT in kept(app, company),
    )  # fmt: skip


def resend(app: App, message_id: int, *, reason: str, who: str) -> Message:
    """Plans a message's step once more, about what of it is still owed: another message, which says so. NotFound where
    there is no such message; UsageError with what forbids it; Locked while a run has the company."""
    company, one = _about(app, message_id, ONCE_MORE, "it has not gone, so it cannot go once more")
    _with_reason(reason)
    with locked(app, [company]):
        policy, now = app.policy(company), app.clock.now()
        made, why = plan_once_more(app.store, company, policy, one, author=who, reason=reason, now=now)
    if made is None:
        raise UsageError(f"message {one.id} is not sent once more: {why}")
    return made


def _about(app: App, message_id: int, states: Collection[MessageState], but: str) -> tuple[Connection, Message]:
    with app.store.reading() as work:
        one = messages.find(work, message_id)
        if one is None:
            raise NotFound(f"message {message_id}")
        company = connections.connection_by_id(work, one.connection_id)
    if one.state not in states:
        raise UsageError(f"message {one.id} is {one.state}: {one.reason}; {but}")
    return company, one


def _with_reason(reason: str) -> None:
    if not reason.strip():
        raise UsageError("the reason is missing: say how you know, or why")


def nth(number: int) -> str:
    """`2nd`, `11th`"""
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if 10 <= number % 100 <= 20 else endings.get(number % 10, 'th')}"
