"""The day of the month, or of the week, on which a payer's payment run goes out."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: The day that stands for the last of whatever month it is.
MONTH_END: Final = 31
#: So many different days of payment, in so many months or weeks, before one speaks of a habit: three invoices that one
#: run paid are one day. At these shares, days drawn blindly look like a habit less than once in fifty payers.
_LEAST_DAYS_OF_MONTH: Final = 5
_LEAST_MONTHS: Final = 4
_MONTH_SHARE: Final = 70  # percent of the days
_LEAST_DAYS_OF_WEEK: Final = 6
_WEEK_SHARE: Final = 80
_FRIDAY: Final = 4


class Rhythm(StrEnum):
    """How often a payment run comes."""

    MONTHLY = "monthly"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class PayDay:
    """When a payer's payment run goes out: a day of the month (1 to 28, or `MONTH_END`), or a weekday (Monday is 0)."""

    rhythm: Rhythm
    day: int

    def next_on(self, day: date) -> date:
        """The first run on or after that day."""
        if self.rhythm is Rhythm.WEEKLY:
            return day + timedelta(days=(self.day - day.weekday()) % 7)
        here = _in_month(day.year, day.month, self.day)
        return here if here >= day else _in_month(*_month_after(day), self.day)

    def __str__(self) -> str:
        if self.rhythm is Rhythm.WEEKLY:
            return f"on {WEEKDAYS[self.day]}s"
        return "at the end of the month" if self.day == MONTH_END else f"about day {self.day} of the month"


def read(text: str) -> PayDay:
    """The day a person wrote: `15`, `end of month` or `friday`; ValueError where it is none of these."""
    said = text.strip().lower().replace("-", " ")
    for number, name in enumerate(WEEKDAYS):
        if said in (name.lower(), name.lower() + "s", name[:3].lower()):
            return PayDay(Rhythm.WEEKLY, number)
    if said in ("end of month", "month end", "last"):
        return PayDay(Rhythm.MONTHLY, MONTH_END)
    if said.isascii() and said.isdigit() and 1 <= int(said) <= MONTH_END:
        # The 29th and 30th are not in every month: who pays then, pays at its end.
        return PayDay(Rhythm.MONTHLY, int(said) if int(said) <= 28 else MONTH_END)
    raise ValueError(f"not a payment day: {text!r} (a day of the month such as 15, `end of month`, or a weekday)")


def habit(days: Iterable[date]) -> PayDay | None:
    """The payment run that most of these days of payment fit; None where they are few or fit none.

    A day fits a day of the month when it is at most one day off, or when that day was on a weekend and the payment
    came on the Friday before or the Monday after it.
    """
    distinct = sorted(set(days))
    weekly = _weekly(distinct)
    # A weekly run meets every day of the month in time; whoever pays on one weekday is not asked for a date as well.
    return weekly or _monthly(distinct)


def _weekly(days: list[date]) -> PayDay | None:
    if len(days) < _LEAST_DAYS_OF_WEEK:
        return None
    weekday, hits = max(Counter(day.weekday() for day in days).items(), key=lambda pair: (pair[1], -pair[0]))
    return PayDay(Rhythm.WEEKLY, weekday) if hits * 100 >= _WEEK_SHARE * len(days) else None


def _monthly(days: list[date]) -> PayDay | None:
    if len(days) < _LEAST_DAYS_OF_MONTH or len({(day.year, day.month) for day in days}) < _LEAST_MONTHS:
        return None
    hits: Counter[int] = Counter()
    missed: Counter[int] = Counter()
    for day in days:
        for target, off in _fits(day):
            hits[target] += 1
            missed[target] += off
    if not hits:
        return None
    target = min(hits, key=lambda one: (-hits[one], missed[one], one))
    return PayDay(Rhythm.MONTHLY, target) if hits[target] * 100 >= _MONTH_SHARE * len(days) else None


@lru_cache(maxsize=4096)  # all payers pay on the days of some years
def _fits(day: date) -> tuple[tuple[int, int], ...]:
    """The days of the month that a day of payment fits, each with how many days it is off."""
    targets = (*range(1, 29), MONTH_END)
    return tuple((target, off) for target in targets if (off := _miss(day, target)) is not None)


def _miss(day: date, target: int) -> int | None:
    """How many days it is off that day of its month or of a neighbouring one; None where it does not fit."""
    around = (_in_month(day.year, day.month, target), _in_month(*_month_after(day), target))
    first = day.replace(day=1) - timedelta(days=1)
    meant = min((_in_month(first.year, first.month, target), *around), key=lambda one: abs((day - one).days))
    off = (day - meant).days
    weekend = meant.weekday() > _FRIDAY and day in (_friday_before(meant), _friday_before(meant) + timedelta(days=3))
    return abs(off) if abs(off) <= 1 or weekend else None


def _friday_before(day: date) -> date:
    return day - timedelta(days=day.weekday() - _FRIDAY)


def _in_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


def _month_after(day: date) -> tuple[int, int]:
    return (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
