"""When open invoices are expected to be paid: from what was known at the end of a day, and from nothing later.

A chance is told in whole millionths of `SURE`, for so many days after that day, and never falls as the days grow.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

from arsync.domain.survival import SURE, Curve, Spell, product_limit, shrunk, weight

#: What the company's invoices are worth beside a payer's own: as if it had had so many more of today, paid as theirs.
WORTH: Final = 3
#: Nothing is told of what is longer ahead.
HORIZON: Final = 365


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice with a due date, and the day since which nothing of it is open; `paid`: money ended it, and not credit
    or a write-off."""

    payer: str
    issued_on: date
    due_on: date
    ended_on: date | None
    paid: bool


class Expectation(Protocol):
    """What is expected of one debt."""

    def paid_within(self, days: int) -> int:
        """The chance that it is paid within so many days after the day of the forecast."""


def day_of(expected: Expectation, chance: int, horizon: int = HORIZON) -> int | None:
    """In how many days it is paid with that chance; None where that takes longer than the horizon."""
    days = bisect_left(range(horizon + 1), chance, key=expected.paid_within)
    return days if days <= horizon else None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is known by which to expect it."""

    def paid_within(self, days: int) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Usual:
    """Paid as the curve says, of what is so old on the day of the forecast."""

    curve: Curve
    age: int

    def paid_within(self, days: int) -> int:
        return self.curve.paid_within(self.age, days) if days > 0 else 0


@dataclass(frozen=True, slots=True)
class Held:
    """Until the hold ends (None: ever) two days bring what one brings otherwise."""

    otherwise: Expectation
    ends: int | None = None

    def paid_within(self, days: int) -> int:
        held = days if self.ends is None else min(days, self.ends)
        return self.otherwise.paid_within(days - held + held // 2)


@dataclass(frozen=True, slots=True)
class Promised:
    """Paid on the promised day with the chance that it is kept; after the last day of grace as otherwise."""

    days: int
    grace: int
    kept: int
    otherwise: Expectation

    def paid_within(self, days: int) -> int:
        if days < self.days:
            return 0
        broken = SURE - self.kept
        then = SURE - self.otherwise.paid_within(self.grace)
        unpaid = SURE - self.otherwise.paid_within(max(days, self.grace))
        return SURE - (broken * unpaid // then if then else broken)


class Habits:
    """How payers pay, by what was known at the end of a day: what came later, or was written later, is left out, and
    what was still open counts as open."""

    def __init__(self, bills: Iterable[Bill], on: date) -> None:
        self.on: Final = on
        self._own: Final[defaultdict[str, list[Spell]]] = defaultdict(list)
        self._paid: Final[Counter[str]] = Counter()
        for bill in bills:
            if bill.issued_on <= on:
                spell = _seen(bill, on)
                self._own[bill.payer].append(spell)
                self._paid[bill.payer] += spell.paid
        self._company: Final = product_limit(spell for those in self._own.values() for spell in those)
        self._curves: Final[dict[str, Curve]] = {}

    @property
    def paid_by_all(self) -> int:
        """How many invoices were paid."""
        return self._paid.total()

    def paid(self, payer: str) -> int:
        """How many invoices of that payer were paid."""
        return self._paid[payer]

    def expected(self, payer: str, due_on: date | None) -> Expectation:
        """What is expected of an open invoice of that payer by its habits; nothing without a due date, or where nobody
        has ever paid."""
        if due_on is None or not self.paid_by_all:
            return Unknown()
        return Usual(self._curve(payer), (self.on - due_on).days)

    def _curve(self, payer: str) -> Curve:
        own = self._own.get(payer, ())
        if not own or (len(own) == 1 and not own[0].paid):
            return self._company  # of one open invoice nothing can be learned about itself
        if payer not in self._curves:
            self._curves[payer] = shrunk(own, self._company, WORTH)
        return self._curves[payer]


def _seen(bill: Bill, on: date) -> Spell:
    """The invoice as it was known at the end of that day."""
    ended = bill.ended_on is not None and bill.ended_on <= on
    last = bill.ended_on if ended and bill.ended_on is not None else on
    return Spell((last - bill.due_on).days, ended and bill.paid, weight((on - bill.issued_on).days))
