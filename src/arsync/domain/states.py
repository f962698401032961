"""The states of everything that moves, a reason per line, and the arrows between them.

The store moves a row by compare-and-set only along these arrows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class MessageState(StrEnum):
    """Where a message stands."""

    PLANNED = "planned"  # decided; a person has still to approve it
    APPROVED = "approved"  # may go out at the next dispatch
    CLAIMED = "claimed"  # one worker is reading the facts again before it sends
    SENDING = "sending"  # past the last gate: the first byte may have left
    ACCEPTED = "accepted"  # the channel took it
    DELIVERED = "delivered"  # the recipient's side took it
    BOUNCED = "bounced"  # the recipient's side gave it back
    FAILED = "failed"  # the channel refused it: nothing went out
    UNKNOWN = "unknown"  # sent or not: only evidence can tell; never sent again
    PRESUMED_SENT = "presumed_sent"  # no evidence came within 72 hours: counts as sent, never as notice
    SUPERSEDED = "superseded"  # the facts changed: a newer revision, or none, stands in its place
    CANCELLED = "cancelled"  # a person or a hold stopped it


M = MessageState
MESSAGE_ARROWS: Final[Mapping[MessageState, frozenset[MessageState]]] = {
    M.PLANNED: frozenset({M.APPROVED, M.SUPERSEDED, M.CANCELLED}),
    M.APPROVED: frozenset({M.CLAIMED, M.PLANNED, M.SUPERSEDED, M.CANCELLED}),
    M.CLAIMED: frozenset({M.SENDING, M.APPROVED, M.PLANNED, M.SUPERSEDED, M.CANCELLED}),
    M.SENDING: frozenset({M.ACCEPTED, M.FAILED, M.UNKNOWN}),
    M.FAILED: frozenset({M.APPROVED, M.SUPERSEDED, M.CANCELLED}),
    M.UNKNOWN: frozenset({M.ACCEPTED, M.FAILED, M.PRESUMED_SENT}),
    M.ACCEPTED: frozenset({M.DELIVERED, M.BOUNCED}),
    M.DELIVERED: frozenset({M.BOUNCED}),
    M.BOUNCED: frozenset(),
    M.PRESUMED_SENT: frozenset({M.ACCEPTED, M.FAILED}),
    M.SUPERSEDED: frozenset(),
    M.CANCELLED: frozenset(),
}
#: A chase has at most one message in these states.
LIVE: Final = frozenset({M.PLANNED, M.APPROVED, M.CLAIMED, M.SENDING, M.UNKNOWN})
#: The ladder stands on the last message in one of these.
EFFECTIVE: Final = frozenset({M.ACCEPTED, M.DELIVERED, M.PRESUMED_SENT})


class WriteKind(StrEnum):
    """What is written into the source."""

    NOTE = "note"  # what was sent or agreed, as a text at its target
    EXPECTED_ON = "expected_on"  # on an invoice: the day for which the money is promised
    SENT = "sent"  # on an invoice: that it was sent to the customer


class NoteState(StrEnum):
    """Where a note stands."""

    PENDING = "pending"  # to be written
    CLAIMED = "claimed"  # one worker is writing it
    WRITTEN = "written"  # the source has it
    FAILED = "failed"  # the source refused it; tried again a bounded number of times
    UNKNOWN = "unknown"  # the answer never came: the source is read back before anything is written again
    SUPERSEDED = "superseded"  # of an invoice's fact: something newer is to stand in its place, or does


N = NoteState
NOTE_ARROWS: Final[Mapping[NoteState, frozenset[NoteState]]] = {
    N.PENDING: frozenset({N.CLAIMED, N.SUPERSEDED}),
    N.CLAIMED: frozenset({N.WRITTEN, N.FAILED, N.UNKNOWN, N.PENDING, N.SUPERSEDED}),
    N.FAILED: frozenset({N.PENDING, N.SUPERSEDED}),
    N.UNKNOWN: frozenset({N.WRITTEN, N.PENDING}),
    N.WRITTEN: frozenset(),
    N.SUPERSEDED: frozenset(),
}


class ChaseState(StrEnum):
    """Where the pursuit of one payer in one currency stands."""

    OPEN = "open"  # something is owed
    CLEAR = "clear"  # nothing is owed any more
    REOPENED = "reopened"  # a payment was reversed: the ladder goes on, no step is repeated
    HANDED_OFF = "handed_off"  # an agency or lawyer has it
    WRITTEN_OFF = "written_off"  # given up


class HoldKind(StrEnum):
    """Why a person stopped the chase."""

    DISPUTE = "dispute"  # the customer contests it
    PROMISE = "promise"  # the customer named a day
    PLAN = "plan"  # instalments are agreed
    PAUSE = "pause"  # for now
    AUTOPAY = "autopay"  # it is collected by itself
    LEGAL = "legal"  # lawyers talk
    OPT_OUT = "opt_out"  # the customer wants no messages
    EXCLUDE = "exclude"  # never to be chased, as somebody decided
    REPLY = "reply"  # the customer answered: until a person has handled the answer


class HoldState(StrEnum):
    """Whether a hold still stops anything."""

    ACTIVE = "active"  # it stops its scope
    LIFTED = "lifted"  # a person ended it
    EXPIRED = "expired"  # its last day has passed


class PromiseState(StrEnum):
    """What became of a promise."""

    OPEN = "open"  # its day and grace have not passed
    KEPT = "kept"  # paid by its day and grace
    BROKEN = "broken"  # not paid by its day and grace
    WITHDRAWN = "withdrawn"  # a person took it back


class PlanState(StrEnum):
    """What became of instalments that were agreed."""

    ON_TRACK = "on_track"  # none that has fallen due is missing
    PAID = "paid"  # all have come
    BROKEN = "broken"  # one did not come by its day and grace
    WITHDRAWN = "withdrawn"  # a person took it back


class Health(StrEnum):
    """Whether a connection's data may lead to a message."""

    OK = "ok"  # synced, complete
    RECOVERING = "recovering"  # first load, restore or copy: nothing goes out until it is complete
    PARTIAL = "partial"  # the last sync did not come through
    SUSPECT = "suspect"  # the feed looks abnormal: a person must look
    REAUTHORISE = "reauthorise"  # the consent has ended: a person must connect again
    DISCONNECTED = "disconnected"  # a person ended it: nothing is read, written or sent until connected again


class Decision(StrEnum):
    """The planner's answer for one invoice."""

    ACT = "act"  # a message goes out, or waits for approval
    WAIT = "wait"  # nothing today; there is a next date
    HOLD = "hold"  # stopped until something changes or a person acts


del M, N
