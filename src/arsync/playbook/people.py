"""What people said of a connection's debts, as the planner wants it: read once, then laid over each chase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from arsync.domain.chase import ChaseFacts, Happened, Hold, Item
from arsync.domain.money import total
from arsync.domain.people import CallMade, Owner
from arsync.domain.policy import Happening
from arsync.store import holds, owners, promises, replies, touches
from arsync.store.engine import Work


@dataclass(frozen=True, slots=True)
class Said:
    """The human facts of a connection, or of one payer of it."""

    on_invoice: Mapping[str, list[Hold]]  # a hold on an invoice goes with it, whoever pays for it by now
    on_payer: Mapping[str | None, list[Hold]]  # None: everybody
    owners: Mapping[str, Owner]
    broken: Mapping[str, datetime]  # by open invoice
    calls: Mapping[int, tuple[CallMade, ...]]  # by chase
    replied: Mapping[str, tuple[datetime, ...]]  # by payer

    def onto(self, facts: ChaseFacts, today: date, local: Callable[[datetime], date]) -> ChaseFacts:
        """The same facts, with what people said; contested parts are off the balances that are asked for."""
        if self._is_silent_about(facts):
            return facts
        own = [hold for item in facts.items for hold in self.on_invoice.get(item.invoice_id, ())]
        placed = [*self.on_payer.get(None, ()), *self.on_payer.get(facts.payer_id, ()), *own]
        # Of the invoices that the promise was about: nobody is told to have promised for the others.
        missed = [
            Happened(Happening.PROMISE_BROKEN, local(self.broken[item.invoice_id]), frozenset({item.invoice_id}))
            for item in facts.items
            if item.invoice_id in self.broken
        ]
        answered = [Happened(Happening.REPLIED, local(at)) for at in self.replied.get(facts.payer_id, ())]
        return replace(
            facts,
            items=tuple(
                without_disputed(item, self.on_invoice.get(item.invoice_id, ()), today) for item in facts.items
            ),
            holds=tuple(placed),
            owner=self.owners.get(facts.payer_id),
            happened=(*facts.happened, *missed, *answered),
            calls=self.calls.get(facts.chase_id, ()),
        )

    def _is_silent_about(self, facts: ChaseFacts) -> bool:
        """Nearly always, on nearly every night."""
        if None in self.on_payer or facts.payer_id in self.on_payer or facts.payer_id in self.owners:
            return False
        if facts.chase_id in self.calls or facts.payer_id in self.replied:
            return False
        if not self.on_invoice and not self.broken:
            return True
        return not any(item.invoice_id in self.on_invoice or item.invoice_id in self.broken for item in facts.items)


def read(work: Work, connection_id: int, payers: Collection[str] | None = None) -> Said:
    """What people said of every payer, or of these."""
    on_invoice: dict[str, list[Hold]] = defaultdict(list)
    on_payer: dict[str | None, list[Hold]] = defaultdict(list)
    for placed in holds.active(work, connection_id):
        hold = placed.hold
        if hold.invoice_id is not None:
            on_invoice[hold.invoice_id].append(hold)
        else:
            on_payer[hold.payer_id].append(hold)
    return Said(
        on_invoice=on_invoice,
        on_payer=on_payer,
        owners=owners.of_customers(work, connection_id, payers),
        broken=promises.broken(work, connection_id),
        calls=touches.calls_of_chases(work, connection_id, payers),
        replied=_replied(work, connection_id, payers),
    )


def _replied(work: Work, connection_id: int, payers: Collection[str] | None) -> dict[str, tuple[datetime, ...]]:
    found: dict[str, tuple[datetime, ...]] = {}
    for payer, at in replies.from_people(work, connection_id, payers):
        found[payer] = (*found.get(payer, ()), at)
    return found


def without_disputed(item: Item, holds_on_it: Iterable[Hold], today: date) -> Item:
    """The invoice without the parts of it that are contested that day: they are open, and not asked for."""
    parts = [
        hold.part
        for hold in holds_on_it
        if hold.part is not None and hold.is_on(today) and hold.part.currency == item.balance.currency
    ]
    if not parts:
        return item
    contested = min(total(parts, item.balance.currency), item.balance)
    return replace(item, balance=item.balance - contested, disputed=contested)
