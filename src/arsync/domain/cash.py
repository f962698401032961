"""Cash to come by week: what is expected, and between what it will likely be."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import Final

from arsync.domain.forecast import Expectation
from arsync.domain.survival import SURE

#: The lower and the upper end of what is told, in percent of the runs.
LOW: Final = 10
MIDDLE: Final = 50
HIGH: Final = 90
_CENT: Final = 100


@dataclass(frozen=True, slots=True)
class Owed:
    """A part of an invoice, in ten-thousandths of one currency, and when it is expected."""

    payer: str
    currency: str
    units: int
    expected: Expectation


@dataclass(frozen=True, slots=True)
class Cash:
    """What comes of one currency in one span of days; in ten-thousandths."""

    expected: int
    low: int
    middle: int
    high: int


def week_ends(on: date, weeks: int) -> list[date]:
    """The Sundays that end the weeks after that day; the first week is what is left of that day's own, if anything
    is."""
    first = on + timedelta(days=7 - on.isoweekday() % 7)
    return [first + timedelta(weeks=number) for number in range(weeks)]


def by_span(owed: Iterable[Owed], days: Sequence[int], runs: int, random: Random) -> dict[str, list[Cash]]:
    """By currency: what comes up to each of the days, which rise, and (the last one) later or never. What is expected
    is told in whole cents and adds up to all that is owed; the range is that of so many runs, in each of which every
    payer is as early or late with all its invoices."""
    likely: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(days))  # up to each day, times SURE
    open_: Counter[str] = Counter()
    payers: defaultdict[tuple[str, str], list[tuple[int, list[int]]]] = defaultdict(list)
    for one in owed:
        chances = [one.expected.paid_within(day) for day in days]
        payers[one.currency, one.payer].append((one.units, chances))
        likely[one.currency] = [
            before + one.units * chance for before, chance in zip(likely[one.currency], chances, strict=True)
        ]
        open_[one.currency] += one.units
    came = _simulated(payers, len(days) + 1, runs, random)
    found = {}
    for currency in sorted(open_):
        edges = [0, *(sure // (SURE * _CENT) * _CENT for sure in likely[currency]), open_[currency]]
        found[currency] = [
            Cash(after - before, *(_percentile(sums, percent) for percent in (LOW, MIDDLE, HIGH)))
            for (before, after), sums in zip(pairwise(edges), came[currency], strict=True)
        ]
    return found


def _simulated(
    payers: dict[tuple[str, str], list[tuple[int, list[int]]]], spans: int, runs: int, random: Random
) -> dict[str, list[list[int]]]:
    """By currency and span: what came in each run."""
    came: defaultdict[str, list[list[int]]] = defaultdict(lambda: [[0] * runs for _ in range(spans)])
    for currency, payer in sorted(payers):
        theirs, sums = payers[currency, payer], came[currency]
        for run in range(runs):
            drawn = random.randrange(SURE)
            for units, chances in theirs:
                sums[bisect_right(chances, drawn)][run] += units
    return came


def _percentile(values: Sequence[int], percent: int) -> int:
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]
