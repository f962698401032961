"""What has happened to the invoices of a chase, as far as anybody knows: what steps may depend on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from arsync.domain.chase import ChaseFacts, Happened, Item
from arsync.domain.people import CallMade, CallOutcome
from arsync.domain.policy import Happening
from arsync.domain.states import HoldKind, MessageState

_SAID: Final = {
    CallOutcome.PROMISED: Happening.PROMISED,
    CallOutcome.DISPUTED: Happening.DISPUTED,
    CallOutcome.NO_ANSWER: Happening.NO_ANSWER,
    CallOutcome.WRONG_NUMBER: Happening.WRONG_NUMBER,
}
_STOPPED: Final = {HoldKind.PROMISE: Happening.PROMISED, HoldKind.DISPUTE: Happening.DISPUTED}


class Log:
    """All of it up to a day."""

    def __init__(self, facts: ChaseFacts, today: date) -> None:
        self._all = [one for one in _everything(facts) if one.on <= today]

    def last(self, item: Item, kinds: frozenset[Happening], since: int) -> int | None:
        """The last day (its ordinal), `since` or later, on which one of these happened to the invoice."""
        days = (
            one.on.toordinal()
            for one in self._all
            if one.what in kinds and one.on.toordinal() >= since and one.concerns(item.invoice_id)
        )
        return max(days, default=None)


def _everything(facts: ChaseFacts) -> Iterator[Happened]:
    yield from facts.happened
    for past in facts.history:
        if past.state is MessageState.BOUNCED:
            yield Happened(Happening.BOUNCED, past.on, past.invoice_ids)
    for call in facts.calls:
        if call.outcome in _SAID:
            yield Happened(_SAID[call.outcome], call.on, _asked_about(facts, call))
    for hold in facts.holds:
        if hold.kind in _STOPPED:
            about = None if hold.invoice_id is None else frozenset({hold.invoice_id})
            yield Happened(_STOPPED[hold.kind], hold.begins, about)
    for item in facts.items:
        if item.paid_on is not None and 0 < item.balance.amount < item.total.amount:
            yield Happened(Happening.PART_PAID, item.paid_on, frozenset({item.invoice_id}))


def _asked_about(facts: ChaseFacts, call: CallMade) -> frozenset[str] | None:
    """The invoices that the call was about; all where its step is not in the history."""
    made = (past for past in reversed(facts.history) if past.step_id == call.step_id and past.on <= call.on)
    past = next(made, None)
    return past.invoice_ids if past else None
