"""What waits for a person: tasks, answers that nobody gave, and what is to be looked at again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from typing import Final, Protocol, TypeVar

from arsync.domain.chase import Rule
from arsync.domain.states import Health, MessageState, NoteState, WriteKind
from arsync.store import (
    approvals,
    connections,
    corrections,
    finding,
    letters,
    messages,
    notes,
    touches,
    verdicts,
)
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.worker import enclosures
from arsync.worker.letters import FAILS
from arsync.worker.unread import unread_replies

_UNFIT: Final = (Health.PARTIAL, Health.SUSPECT, Health.REAUTHORISE)
#: Nobody can be written to, nothing be planned or nothing be said: without a person nothing more would ever go out.
_SILENT: Final = (
    Rule.NO_RECIPIENT, Rule.UNDELIVERED, Rule.UNPLANNABLE, Rule.NO_PLAYBOOK, Rule.NO_PAY_DETAILS, Rule.BREAKER,
)  # fmt: skip
#: So many customers are named where one thing is to do for several.
_NAMED: Final = 5
#: How the reason of an approved message begins that a person must look at.
WAITS: Final = (enclosures.WAITS, FAILS)


class _OfCompany(Protocol):
    @property
    def connection_id(self) -> int: ...


_Theirs = TypeVar("_Theirs", bound=_OfCompany)


def tasks(store: Store, only: Collection[int] | None = None) -> list[str]:
    """What a person must look at today, a sentence each; `only` at these companies, and what is of nobody that is
    known."""

    def theirs(those: Iterable[_Theirs]) -> list[_Theirs]:
        return [one for one in those if only is None or one.connection_id in only]

    with store.reading() as work:
        every = [one for one in connections.connections(work) if only is None or one.id in only]
        unknown = theirs(messages.in_states(work, (MessageState.UNKNOWN,)))
        failed = theirs(messages.in_states(work, (MessageState.FAILED,)))
        unwritten = theirs(notes.in_states(work, (NoteState.FAILED, NoteState.UNKNOWN)))
        unwritten += theirs(one for one in notes.in_states(work, (NoteState.PENDING,)) if one.tried_at)
        open_notes = [(one, finding.named(work, one.connection_id, one.target)) for one in unwritten]
        jailed = theirs(connections.quarantined(work))
        silent = [one for rule in _SILENT for one in verdicts.standing(work, rule) if only is None or one[0] in only]
        unsaid = [one for one in verdicts.concerned(work, Rule.NO_TEMPLATE) if only is None or one[0] in only]
        approved = theirs(messages.in_states(work, (MessageState.APPROVED,)))
        lacking = [one for one in approved if one.reason.startswith(WAITS)]
        sorry = corrections.being_answered(work)
        unsettled = theirs(corrections.unsettled(work))
        wrongly = [one for one in unsettled if (one.connection_id, one.invoice_id) not in sorry]
        pile = [one for one in letters.on_the_pile(work) if only is None or one.message.connection_id in only]
        paper = [one for one in pile if one.to_be_pulled]
        unread = unread_replies(work, only)
    names = {one.id: one.name for one in every}
    where: defaultdict[str, list[str]] = defaultdict(list)  # what is one task for several companies is told once
    for connection_id, reason in silent:
        where[reason].append(names[connection_id])
    whom: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for connection_id, reason, customer in unsaid:
        whom[reason][customer] = None
        if names[connection_id] not in where[reason]:
            where[reason].append(names[connection_id])
    return [
        *unread,
        *(f"{one.name} is {one.health}: {one.health_reason}{_mend(one)}" for one in every if one.health in _UNFIT),
        *(
            f"message {one.id} ({one.subject}): nobody knows whether it went out: {one.reason} "
            f"(whoever knows: arsync resolve {one.id} sent, or not-sent)"
            for one in unknown
        ),
        *(
            f"message {one.id} ({one.subject}) could not be sent: {one.reason} "
            f"(once more: arsync approve {one.id}; not at all: arsync reject {one.id})"
            for one in failed
        ),
        *(
            f"{one.kind} {one.id} on {about} is {one.state}: {one.reason}"
            for one, about in open_notes
            if one.kind is WriteKind.NOTE or one.state is not NoteState.FAILED
        ),
        *(f"message {one.id} ({one.subject}): {one.reason}" for one in lacking),
        *(
            f"message {one.message_id} ({one.subject}) of {one.sent_on} asked for {one.number}, which had been paid on "
            f"{one.paid_on}: say sorry (then: arsync corrections {one.message_id} --done)"
            for one in wrongly
        ),
        *(
            f"letter {one.message.id} of L{one.batch_id} must be taken out of the pile: {one.wrong_paper} "
            "(arsync letters pull --done)"
            for one in paper
        ),
        *(f"{one.resource} {one.remote_id} cannot be read: {one.reason}" for one in jailed),
        *(f"{', '.join(companies)}: {reason}{_for(list(whom[reason]))}" for reason, companies in where.items()),
    ]


def unanswered(store: Store, days: Iterable[tuple[Connection, date]]) -> list[str]:
    """Messages that have waited for a person's answer for too long, a sentence each."""
    with store.reading() as work:
        return [
            f"{company.name}: {one.step_id} to {finding.customer_name(work, company.id, one.payer_id)} has waited for "
            f"an answer since {(one.asked_at or one.planned_at):%Y-%m-%d}: arsync approve {one.id}, or reject it"
            for company, today in days
            for one in approvals.unanswered(work, company.id, today=today)
        ]


def follow_ups(store: Store, days: Iterable[tuple[Connection, date]]) -> list[str]:
    """Comments that are to be looked at again by these companies' days, a sentence each."""
    with store.reading() as work:
        return [
            f"{company.name}: {finding.customer_name(work, company.id, one.payer_id)}: {one.text} "
            f"({one.author}, for {one.follow_up}; done with it: arsync undo comment {one.id})"
            for company, today in days
            for one in touches.due_comments(work, company.id, today=today)
        ]


def _for(customers: list[str]) -> str:
    if not customers:
        return ""
    named = ", ".join(customers[:_NAMED])
    return f" (for {named} and {len(customers) - _NAMED} more)" if len(customers) > _NAMED else f" (for {named})"


def _mend(connection: Connection) -> str:
    return f" (arsync connect {connection.provider})" if connection.health is Health.REAUTHORISE else ""
