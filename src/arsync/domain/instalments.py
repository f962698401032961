"""A debt spread over days: what adds up to the cent, on days that are there."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

from arsync.domain.money import Money


class Every(StrEnum):
    """How far apart instalments are."""

    WEEK = "week"
    FORTNIGHT = "fortnight"
    MONTH = "month"


def spread(total: Money, number: int, first: date, every: Every, *, places: int = 2) -> list[tuple[date, Money]]:
    """So many instalments from that day on, exactly the total; what does not divide is on the first of them, a unit
    (ten to the minus `places`) each. ValueError where there is not a unit for each."""
    if number < 1:
        raise ValueError("at least one instalment")
    unit = Decimal(1).scaleb(-places)
    even = (total.amount / number).quantize(unit, rounding=ROUND_DOWN)
    if even <= 0:
        raise ValueError(f"{total} cannot be spread over {number} instalments")
    left = total.amount - even * number
    parts = []
    for place in range(number):
        more = min(unit, left)
        left -= more
        parts.append((_day(first, every, place), Money(even + more, total.currency)))
    return parts


def _day(first: date, every: Every, place: int) -> date:
    match every:
        case Every.WEEK:
            return first + timedelta(weeks=place)
        case Every.FORTNIGHT:
            return first + timedelta(weeks=2 * place)
        case Every.MONTH:
            year, month = divmod(first.year * 12 + first.month - 1 + place, 12)
            return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))
