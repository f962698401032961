"""Which chases a playbook is for, as a value: its `match` section, and what of a chase it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

#: How a payer without much of a history is rated: it fits `rating` only where that names it.
UNRATED = "new"


@dataclass(frozen=True, slots=True)
class Between:
    """Amounts from (inclusive) and below (exclusive); None: no bound."""

    least: Decimal | None = None
    below: Decimal | None = None

    def holds(self, amount: Decimal) -> bool:
        """Whether the amount lies in it."""
        return (self.least is None or amount >= self.least) and (self.below is None or amount < self.below)

    def __str__(self) -> str:
        bounds = (("from", self.least), ("below", self.below))
        return " ".join(f"{word} {bound:,}" for word, bound in bounds if bound is not None)


@dataclass(frozen=True, slots=True)
class Days:
    """Days past due from (inclusive) and below (exclusive); None: no bound."""

    least: int | None = None
    below: int | None = None

    def holds(self, days: int) -> bool:
        """Whether so many days lie in it."""
        return (self.least is None or days >= self.least) and (self.below is None or days < self.below)

    def turns(self, due_on: date, today: date) -> date | None:
        """The next day on which the answer changes for what fell due then; None where it never does again."""
        days = [due_on + timedelta(days=bound) for bound in (self.least, self.below) if bound is not None]
        return min((day for day in days if day > today), default=None)

    def __str__(self) -> str:
        bounds = (("from", self.least), ("below", self.below))
        return " ".join(f"{word} {bound}" for word, bound in bounds if bound is not None) + " days past due"


@dataclass(frozen=True, slots=True)
class OfInvoice:
    """What a playbook for single invoices asks of them: patterns such as `PRJ-*`, any of which may fit."""

    number: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()
    purchase_order: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    total: Mapping[str, Between] = field(default_factory=dict)  # by currency


@dataclass(frozen=True, slots=True)
class Match:
    """All that is given must hold; of a list, one entry. `priority` 1 is asked before 2."""

    priority: int
    balance: Mapping[str, Between] = field(default_factory=dict)  # by currency: all that is open in it
    age: Days | None = None  # of the oldest invoice that is open
    currency: frozenset[str] = frozenset()
    group: frozenset[str] = frozenset()  # in lower case
    tag: frozenset[str] = frozenset()
    country: frozenset[str] = frozenset()
    language: frozenset[str] = frozenset()
    rating: frozenset[str] = frozenset()
    connection: frozenset[str] = frozenset()
    invoice: OfInvoice | None = None


@dataclass(frozen=True, slots=True)
class Billed:
    """One open invoice as a `match` section sees it."""

    invoice_id: str
    number: str
    reference: str | None
    purchase_order: str | None
    terms: str | None
    total: Decimal
    customer_id: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """One chase, or one invoice of it, as a `match` section sees it."""

    connection: str
    currency: str
    balance: Decimal
    oldest_due: date | None
    groups: frozenset[str]  # in lower case
    tags: frozenset[str]
    country: str | None
    language: str
    rating: str = UNRATED
    billed: Billed | None = None  # None: the chase as a whole


@dataclass(frozen=True, slots=True)
class Assigned:
    """A playbook that a person chose for a payer, or for one invoice of it."""

    playbook: str
    reason: str
    author: str
    on: date
    invoice_id: str | None = None

    def __str__(self) -> str:
        what = "this invoice" if self.invoice_id is not None else "this customer"
        return f"{self.author} chose it for {what} on {self.on}: {self.reason}"
