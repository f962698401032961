"""What became of invoices after they were asked for, beside those of the same age that nobody had asked for yet.

Ages are days past due; negative is before the due date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Final

#: With fewer invoices of an age nothing is told of it.
LEAST: Final = 10


@dataclass(frozen=True, slots=True)
class Life:
    """An invoice from the age at which it was written to the last at which it was open and nobody had asked for it;
    `paid`: what ended it was the money that cleared it, on the day of that age."""

    first: int
    last: int
    paid: bool


class Baseline:
    """How likely an invoice that is open at an age, and was not asked for, is paid within so many days.

    Each day's chance is that of the invoices which were open and not asked for until that day (the product-limit
    estimate of Kaplan and Meier, 1958): one that is asked for later counts up to then, for leaving it out would count
    those that pay soon, and leave out those that do not.
    """

    def __init__(self, lives: Iterable[Life]) -> None:
        steps: Counter[int] = Counter()
        self._paid: Counter[int] = Counter()
        for life in lives:
            if life.first <= life.last:
                steps[life.first] += 1
                steps[life.last + 1] -= 1
                self._paid[life.last] += life.paid
        self._first = min(steps, default=0)
        days = range(self._first, max(steps, default=0) + 1)
        self._open = list(accumulate(steps[day] for day in days))

    def paid_within(self, age: int, days: int) -> Decimal | None:
        """The chance that it is paid on the day of that age or the `days` after it, 0 to 1; None where too few
        invoices were that old."""
        unpaid = Decimal(1)
        for day in range(age, age + days + 1):
            there = self._open_at(day)
            if there < LEAST:
                return None
            unpaid *= 1 - Decimal(self._paid[day]) / there
        return 1 - unpaid

    def _open_at(self, age: int) -> int:
        place = age - self._first
        return self._open[place] if 0 <= place < len(self._open) else 0
