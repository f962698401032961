"""What the field measures receivables by, as formulas; each amount of a call is in one currency.

None says that there is no such figure: nothing was sold, or nothing was to be collected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from arsync.domain.money import to_units


@dataclass(frozen=True, slots=True)
class Month:
    """What was sold in a month, or in the part of it that has passed, and how many days that is."""

    sales: Decimal
    days: int


@dataclass(frozen=True, slots=True)
class Countback:
    """How many days' sales the receivables are; not `whole` where the months end before the receivables do: then it is
    more than that."""

    days: Decimal
    whole: bool


def days_of_sales(receivables: Decimal, sales: Decimal, days: int) -> Decimal | None:
    """Days sales outstanding, simple: receivables over the sales of so many days, times those days."""
    return _quotient(to_units(receivables) * days, to_units(sales)) if sales > 0 else None


def countback(receivables: Decimal, months: Iterable[Month]) -> Countback:
    """Days sales outstanding by counting back: the newest month's sales are taken from the receivables and its days are
    counted, and so on; of the last month only the part that is needed. A month in which more was credited than sold
    adds its days, and to the receivables."""
    left = Fraction(to_units(receivables))
    days = Fraction(0)
    for month in months:
        if left <= 0:
            break
        sold = to_units(month.sales)
        days += month.days * left / sold if left < sold else month.days
        left -= sold
    return Countback(_rounded(days), whole=left <= 0)


def effectiveness(begin: Decimal, sales: Decimal, end: Decimal, current: Decimal, *, months: int) -> Decimal | None:
    """The collection effectiveness index in percent: what was collected of what could be, from the receivables at the
    begin and the end, those of the end that are not due yet, and the sales, which are divided by `months`."""
    below = (to_units(begin) - to_units(current)) * months + to_units(sales)
    above = (to_units(begin) - to_units(end)) * months + to_units(sales)
    return _quotient(above * 100, below) if below > 0 else None


def weighted_days(parts: Iterable[tuple[Decimal, int]]) -> Decimal | None:
    """The mean of the days, each weighed with its amount."""
    known: Sequence[tuple[int, int]] = [(to_units(amount), days) for amount, days in parts]
    return _quotient(sum(units * days for units, days in known), sum(units for units, _ in known))


def percent(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    """The part of the whole in percent, to one decimal place."""
    return Decimal(round(Fraction(part) * 1000 / Fraction(whole))).scaleb(-1) if whole else None


def mean(total: int, count: int) -> Decimal | None:
    """The total over its number, to one decimal place."""
    return Decimal(round(Fraction(total * 10, count))).scaleb(-1) if count else None


def _quotient(above: int, below: int) -> Decimal | None:
    return _rounded(Fraction(above, below)) if below else None


def _rounded(value: Fraction) -> Decimal:
    """To two decimal places, exactly."""
    return Decimal(round(value * 100)).scaleb(-2)
