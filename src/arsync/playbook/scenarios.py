"""Scenarios: what a playbook's author expects of it, read from the YAML file beside the playbook.

`standard.yaml` has its scenarios in `tests/standard.yaml`. All that is wrong with them is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final

from arsync.domain.calendar import Blackout
from arsync.domain.chase import Rule
from arsync.domain.instalments import Every
from arsync.domain.money import Money
from arsync.domain.payday import PayDay
from arsync.domain.people import CallOutcome, DisputeCode, TouchKind
from arsync.domain.policy import StepMode
from arsync.domain.states import HoldKind
from arsync.playbook.match_section import RATINGS
from arsync.playbook.places import Place

FILE_KEYS: Final = ("company", "scenarios")
COMPANY_KEYS: Final = (
    "name", "country", "region", "timezone", "language", "currency", "mode", "replies_read", "closed",
)  # fmt: skip
SCENARIO_KEYS: Final = (
    "name", "from", "to", "customer", "customers", "invoices", "happens", "asleep", "approve_after", "expect",
    "why_not",
)  # fmt: skip
SCENARIO_REQUIRED: Final = ("name", "from", "to", "invoices", "expect")
CUSTOMER_KEYS: Final = (
    "name", "country", "region", "language", "email", "tags", "groups", "rating", "payment_day",
)  # fmt: skip
INVOICE_KEYS: Final = ("number", "customer", "amount", "currency", "issued", "due")
INVOICE_REQUIRED: Final = ("number", "amount", "issued")
ASLEEP_KEYS: Final = ("from", "to")
EXPECT_KEYS: Final = ("day", "step", "invoices", "amount", "mode")
EXPECT_REQUIRED: Final = ("day", "step")
WHY_KEYS: Final = ("day", "invoice", "rule", "says")
WHY_REQUIRED: Final = ("day", "rule")
#: What stands for an empty list of touches.
NOTHING: Final = "nothing"
#: The answer of a playbook that is not for the customer; beside the planner's rules.
NOT_MATCHED: Final = "not_matched"
APPROVE_BOUNDS: Final = (0, 60)
GRACE_BOUNDS: Final = (0, 30)
INSTALMENT_BOUNDS: Final = (1, 120)
MOST_CUSTOMERS: Final = 50
MOST_DAYS: Final = 1100
LONGEST_NAME: Final = 120
_ANYWHERE: Final = Place()


class What(StrEnum):
    """What may happen on a day, seen by the planner from that day on."""

    PAID = "paid"  # money on the invoice: all that is open, or an amount
    CREDITED = "credited"  # the same by a credit note
    RECEIVED = "received"  # money that is put on no invoice
    ALLOCATED = "allocated"  # some of that put on the invoice
    REVERSED = "reversed"  # all that was paid on the invoice is taken back
    VOIDED = "voided"  # the invoice is no longer owed
    DISPUTED = "disputed"  # contested, all of it or an amount
    RESOLVED = "resolved"  # no longer contested
    PROMISED = "promised"  # the customer names the day
    INSTALMENTS = "instalments"  # so many are agreed on
    PAUSED = "paused"  # not chased until that day
    HELD = "held"  # stopped by that kind of hold
    LIFTED = "lifted"  # every hold of that kind, or `all`
    TOUCHED = "touched"  # reached by a person, without arsync
    CALLED = "called"  # how the last call of the list went
    BOUNCED = "bounced"  # the last message of that step came back
    REPLIED = "replied"  # the customer wrote back about the invoice, or `all`


#: What else may be said of it.
BESIDE: Final[Mapping[What, tuple[str, ...]]] = {
    What.PAID: ("amount",),
    What.CREDITED: ("amount",),
    What.RECEIVED: ("currency", "customer"),
    What.ALLOCATED: ("amount",),
    What.REVERSED: (),
    What.VOIDED: (),
    What.DISPUTED: ("amount", "code", "until", "why"),
    What.RESOLVED: (),
    What.PROMISED: ("invoice", "customer", "amount", "grace", "why"),
    What.INSTALMENTS: ("first", "every", "invoice", "customer", "amount", "grace", "why"),
    What.PAUSED: ("invoice", "customer", "why"),
    What.HELD: ("invoice", "customer", "until", "why"),
    What.LIFTED: ("invoice", "customer"),
    What.TOUCHED: ("step", "invoice", "customer"),
    What.CALLED: ("customer",),
    What.BOUNCED: ("customer",),
    What.REPLIED: ("customer",),
}
EVENT_KEYS: Final = (
    "day", *What, "amount", "currency", "code", "until", "why", "invoice", "customer", "grace", "step",
    "first", "every",
)  # fmt: skip
#: What must stand beside it.
NEEDED: Final[Mapping[What, tuple[str, ...]]] = {What.INSTALMENTS: ("first",)}
OF_INVOICE: Final = (
    What.PAID, What.CREDITED, What.ALLOCATED, What.REVERSED, What.VOIDED, What.DISPUTED, What.RESOLVED,
)  # fmt: skip
HOLDS: Final = {kind.value: kind for kind in HoldKind}
LIFTED: Final = {word: word for word in (*HOLDS, "all")}
TOUCHES: Final = {kind.value: kind for kind in TouchKind}
OUTCOMES: Final = {outcome.value: outcome for outcome in CallOutcome}
EVERY: Final = {every.value: every for every in Every}
CODES: Final = {code.value: code for code in DisputeCode}
RULES: Final = {rule: rule for rule in (*(rule.value for rule in Rule), NOT_MATCHED)}
RATED: Final = {rating: rating for rating in RATINGS}


@dataclass(frozen=True, slots=True)
class Company:
    """Who chases."""

    name: str = "company"
    place: Place = _ANYWHERE
    timezone: str = "UTC"
    language: str = "en"
    currency: str = "EUR"
    mode: StepMode = StepMode.AUTO
    replies_read: bool = False
    closed: tuple[Blackout, ...] = ()


@dataclass(frozen=True, slots=True)
class Debtor:
    """Who is chased."""

    name: str = "the customer"
    place: Place = _ANYWHERE
    language: str | None = None
    email: str | None = "accounts@customer.example"
    tags: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    rating: str = "unknown"
    payment_day: PayDay | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice, known by its number."""

    number: str
    amount: Money
    issued_on: date
    due_on: date | None
    line: int
    customer: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens on a day; what is not said of its kind is None."""

    on: date
    what: What
    line: int
    invoice: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    customer: str | None = None  # by name, where it is about no single invoice
    until: date | None = None  # of a promise: its day; of instalments the first's
    number: int = 0  # of instalments
    every: Every = Every.MONTH
    hold: HoldKind | None = None
    code: DisputeCode | None = None
    touch: TouchKind | None = None
    outcome: CallOutcome | None = None
    step: str | None = None
    grace: int = 2  # business days
    why: str = "as the scenario says"

    def __str__(self) -> str:
        of = {
            What.RECEIVED: f"{self.amount} {self.currency or ''}, on no invoice",
            What.PROMISED: f"{f'{self.amount} ' if self.amount else ''}for {self.until}",
            What.INSTALMENTS: f"{self.number}, one a {self.every}, from {self.until}",
            What.PAUSED: f"until {self.until}",
            What.HELD: f"{self.hold}{f' until {self.until}' if self.until else ''}",
            What.LIFTED: f"{self.hold or 'all'}",
            What.TOUCHED: f"by {self.touch}{f' as {self.step}' if self.step else ''}",
            What.CALLED: f"{self.outcome}",
            What.BOUNCED: f"{self.step}",
        }.get(self.what, "")
        amount = str(self.amount) if self.amount and self.what in OF_INVOICE else ""
        said = (self.what.value, of, self.invoice or self.customer or "", amount)
        return " ".join(part for part in said if part).replace("_", " ")


@dataclass(frozen=True, slots=True)
class Expected:
    """A touch that must come on that day; what is None is not asked about."""

    on: date
    step: str
    line: int
    invoices: frozenset[str] | None = None
    amount: Decimal | None = None
    mode: StepMode | None = None


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The planner's answer for an invoice on a day: its rule, and words of its reason."""

    on: date
    invoice: str
    rule: str
    line: int
    says: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story and what it expects. The company was connected on its first day."""

    name: str
    line: int
    first: date
    last: date
    company: Company
    customers: tuple[Debtor, ...]
    bills: tuple[Bill, ...]
    events: tuple[Event, ...]
    expected: tuple[Expected, ...]
    why_not: tuple[WhyNot, ...]
    asleep: tuple[tuple[date, date], ...] = ()
    approve_after: int = 0  # days until a person lets a message out that waits for one


def file_of(playbook_file: Path) -> Path:
    """Where the scenarios of a playbook are."""
    return playbook_file.parent / "tests" / f"{playbook_file.stem}.yaml"
