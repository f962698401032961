"""How long invoices stay unpaid, told from those that were paid and from those that are open still.

An open invoice is no missing one: it counts as unpaid up to the last day on which that is known (right censoring).
Ages are days after the due date; negative is before it. Each counts as unpaid at all ages before its last, those before
it was written included: where terms differ, the few that are open so early would else speak for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

#: The weight of an invoice of today.
FULL: Final = 1024
#: Chances are whole millionths: 0 never, SURE certainly.
SURE: Final = 1_000_000
#: What is older counts as so old: nobody waits two years and learns more of the third.
OLDEST: Final = 730
#: Weights halve in so many steps of thirty days: 180 days.
_STEPS: Final = (1024, 912, 813, 724, 645, 575)
_STEP_DAYS: Final = 30


def weight(days: int) -> int:
    """What an invoice of so many days ago counts: half of it for each 180 days, and never nothing."""
    halvings, step = divmod(max(days, 0) // _STEP_DAYS, len(_STEPS))
    return max(_STEPS[step] >> halvings, 1)


@dataclass(frozen=True, slots=True)
class Spell:
    """An invoice up to the last age at which it is known to be open, or at which it was `paid`."""

    last: int
    paid: bool
    weight: int = FULL


class Curve:
    """Which part of invoices is unpaid at the end of each age."""

    def __init__(self, first: int, unpaid: list[float]) -> None:
        self.first: Final = first
        self._unpaid: Final = unpaid

    @property
    def last(self) -> int:
        """The last age of which something is known."""
        return self.first + len(self._unpaid) - 1

    def unpaid(self, age: int) -> float:
        """1 before the first age; after the last one nothing more is known to be paid."""
        place = min(age, self.last) - self.first
        return self._unpaid[place] if place >= 0 else 1.0

    def paid_within(self, age: int, days: int) -> int:
        """The chance that what is unpaid at the end of that age is paid on one of the `days` after it, in
        millionths."""
        before = self.unpaid(age)
        return round((1 - self.unpaid(age + days) / before) * SURE) if before > 0 else 0


def product_limit(spells: Iterable[Spell]) -> Curve:
    """The estimate of Kaplan and Meier (1958), each invoice with its weight."""
    return _curve(*_counted(spells), prior=None, worth=0)


def shrunk(own: Iterable[Spell], prior: Curve, worth: float) -> Curve:
    """A payer's curve drawn to the company's, as if the payer had had so many more invoices of today (`worth`) which
    were paid as the company's are (Susarla and Van Ryzin, 1976): where nothing is censored it is the mean
    of both shares of unpaid, weighed with their numbers."""
    return _curve(*_counted(own), prior=prior, worth=worth * FULL)


def _counted(spells: Iterable[Spell]) -> tuple[int, list[int], list[int]]:
    """The first age, and for each age from it on the weight that was open at its begin, and that was paid on it."""
    known = [(min(max(one.last, -OLDEST), OLDEST), one) for one in spells]
    if not known:
        return 0, [], []
    begin, end = min(last for last, _ in known), max(last for last, _ in known)
    ended = [0] * (end - begin + 1)
    paid = [0] * (end - begin + 1)
    for last, one in known:
        ended[last - begin] += one.weight
        if one.paid and one.last <= OLDEST:
            paid[last - begin] += one.weight
    return begin, list(accumulate(ended[::-1]))[::-1], paid


def _curve(first: int, there: list[int], paid: list[int], *, prior: Curve | None, worth: float) -> Curve:
    begin, end = first, first + len(there) - 1
    if prior is not None:
        begin, end = (min(begin, prior.first), max(end, prior.last)) if there else (prior.first, prior.last)
    everyone = there[0] if there else 0
    unpaid: list[float] = []
    still = before = 1.0
    for age in range(begin, end + 1):
        place = age - first
        inside = 0 <= place < len(there)
        at_risk: float = there[place] if inside else everyone if place < 0 else 0
        gone: float = paid[place] if inside else 0
        if prior is not None:
            after = prior.unpaid(age)
            at_risk += worth * before
            gone += worth * (before - after)
            before = after
        if gone and at_risk > 0:
            still *= max(1 - gone / at_risk, 0.0)
        unpaid.append(still)
    return Curve(begin, unpaid)
