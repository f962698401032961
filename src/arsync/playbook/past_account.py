"""One payer's account in one currency as it stood on a day of the past: what was open, held and asked for by then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from arsync.domain.calendar import Calendar
from arsync.domain.chase import Hold, Item, PastMessage
from arsync.domain.documents import Contact, InvoiceState
from arsync.domain.money import Money
from arsync.domain.policy import Playbook
from arsync.playbook.people import without_disputed
from arsync.playbook.places import Place
from arsync.store.ledger import Payer
from arsync.store.past import PastInvoice

_ONE_DAY: Final = timedelta(days=1)
_NOTHING: Final = Decimal("0.00")
#: How long a part payment counts as news, and a message as the one it answers; as the nightly run has it.
_PART_IS_NEWS: Final = timedelta(days=30)
_ASKED_LATELY: Final = timedelta(days=180)


@dataclass(slots=True, eq=False)
class PastAccount:
    """One payer in one currency, as it stood on the day that it was last turned to."""

    payer_id: str
    currency: str
    payer: Payer | None
    contacts: tuple[Contact, ...]  # usable ones of its own; else the invoices' addresses are
    place: Place
    ways: tuple[tuple[Playbook, Calendar], ...]  # what it follows, each with when that lets it be written to
    thanked_within: timedelta
    invoices: dict[str, PastInvoice] = field(default_factory=dict)
    #: what is still to come, the latest first: a day with an invoice and what is then open on it, or with loose money
    ahead: list[tuple[date, PastInvoice | None, Decimal]] = field(default_factory=list)
    on_invoice: dict[str, list[Hold]] = field(default_factory=dict)
    on_payer: list[Hold] = field(default_factory=list)
    autopay: frozenset[str] = frozenset()
    open: dict[str, Item] = field(default_factory=dict)
    paid: dict[str, Item] = field(default_factory=dict)  # of what was demanded: lately, and not yet forgotten
    unapplied: Decimal = _NOTHING
    history: tuple[PastMessage, ...] = ()
    asked_on: dict[str, date] = field(default_factory=dict)  # by invoice: when it was last demanded
    is_live: bool = False
    opened_on: date = date.min
    chase_id: int = 0
    free_on: date = date.min  # when the gap after its last message has ended
    followed: str | None = None  # the playbook of the chase as a whole, where they are chosen
    until: date | None = None  # on that day another one may be chosen

    @property
    def payer_name(self) -> str:
        return self.payer.name if self.payer else self.payer_id

    def turn_to(self, day: date) -> None:
        """Lets happen what happened up to that day."""
        while self.ahead and self.ahead[-1][0] <= day:
            _, invoice, amount = self.ahead.pop()
            if invoice is None:
                self.unapplied += amount
                continue
            name = invoice.item.invoice_id
            left = Money(amount, self.currency)
            if amount > 0:
                self.open[name] = replace(invoice.item, state=InvoiceState.OPEN, balance=left)
                continue
            self.open.pop(name, None)
            if name in self.asked_on and invoice.paid_on is not None:
                paid = replace(invoice.item, state=InvoiceState.PAID, balance=left, paid_on=invoice.paid_on)
                self.paid[name] = paid
        if self.paid:
            self.paid = {
                name: item
                for name, item in self.paid.items()
                if item.paid_on is not None
                and day <= item.paid_on + self.thanked_within
                and self.asked_on[name] >= day - _ASKED_LATELY
            }

    def opens(self, day: date) -> bool:
        """Whether a chase begins that day. One that goes on as a payment was taken back is the old one."""
        was_live, self.is_live = self.is_live, bool(self.open)
        if was_live or not self.is_live:
            return False
        if self.opened_on != date.min and any(name in self.asked_on for name in self.open):
            return False
        self.opened_on = day
        return True

    def items(self, day: date, *, parts_matter: bool) -> tuple[Item, ...]:
        """Every open invoice as it stood, then what was paid lately."""
        items: Iterable[Item] = self.open.values()
        if parts_matter:
            items = [self._with_part(item, day) for item in items]
        if self.on_invoice:
            items = [without_disputed(item, self.on_invoice.get(item.invoice_id, ()), day) for item in items]
        return (*items, *self.paid.values())

    def _with_part(self, item: Item, day: date) -> Item:
        asked_on = self.asked_on.get(item.invoice_id)
        if asked_on is None or asked_on < day - _ASKED_LATELY or item.balance.amount >= item.total.amount:
            return item
        came = [on for on in self.invoices[item.invoice_id].money_on if on <= day]
        return replace(item, paid_on=came[-1]) if came and came[-1] >= day - _PART_IS_NEWS else item

    def holds(self, day: date) -> tuple[Hold, ...]:
        """Those that have not ended before that day."""
        if not self.on_payer and not self.on_invoice:
            return ()
        own = [hold for name in self.open for hold in self.on_invoice.get(name, ())]
        return tuple([hold for hold in (*self.on_payer, *own) if hold.until is None or hold.until >= day])

    def forgets_on(self, day: date) -> date | None:
        """The day on which a part payment is no news any more."""
        days = [
            on + _PART_IS_NEWS + _ONE_DAY
            for name in self.open
            if name in self.asked_on
            for on in self.invoices[name].money_on
            if on <= day
        ]
        return min((on for on in days if on > day), default=None)


class HoldsByPlace:
    """Holds, by what they stop."""

    def __init__(self, holds: Iterable[Hold]) -> None:
        self._on_payer: defaultdict[str | None, list[Hold]] = defaultdict(list)
        self._on_invoice: defaultdict[str, list[Hold]] = defaultdict(list)
        for hold in holds:
            if hold.invoice_id is not None:
                self._on_invoice[hold.invoice_id].append(hold)
            else:
                self._on_payer[hold.payer_id].append(hold)

    def of_payer(self, payer_id: str) -> list[Hold]:
        """Those of the whole company, then the payer's own."""
        return [*self._on_payer.get(None, ()), *self._on_payer.get(payer_id, ())]

    def of_invoices(self, names: Iterable[str]) -> dict[str, list[Hold]]:
        """Those on each of these invoices, where there is one."""
        return {name: self._on_invoice[name] for name in names if name in self._on_invoice}


def what_came(invoice: PastInvoice, first: date) -> list[tuple[date, Decimal]]:
    """What was open on an invoice on the first day, and what came after."""
    before = [level for level in invoice.levels if level[0] <= first]
    return [*((first, left) for _, left in before[-1:]), *(level for level in invoice.levels if level[0] > first)]
