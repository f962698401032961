"""How late payers usually are, told by medians: a plain guess, and a good one where a payer has paid often."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import accumulate
from typing import Final, Protocol

_HALF_LIFE: Final = 180


class Settled(Protocol):
    """An invoice that money ended."""

    @property
    def payer(self) -> str: ...
    @property
    def due_on(self) -> date: ...
    @property
    def ended_on(self) -> date | None: ...


class Medians:
    """The median days after the due date of what was paid so far; of two in the middle the earlier one."""

    def __init__(self, paid: Iterable[Settled] = ()) -> None:
        self._every: Final[list[int]] = []
        self._own: Final[defaultdict[str, list[tuple[int, date]]]] = defaultdict(list)
        for one in paid:
            self._own[one.payer].append(_lateness(one))
        for those in self._own.values():
            those.sort()
        self._every.extend(sorted(late for those in self._own.values() for late, _ in those))

    def __len__(self) -> int:
        return len(self._every)

    def add(self, one: Settled) -> None:
        """One more that was paid."""
        late, ended_on = _lateness(one)
        insort(self._every, late)
        insort(self._own[one.payer], (late, ended_on))

    def paid(self, payer: str) -> int:
        """How many that payer has paid."""
        return len(self._own.get(payer, ()))

    def company(self) -> int:
        """Of all; there is at least one."""
        return self._every[(len(self._every) - 1) // 2]

    def own(self, payer: str) -> int:
        """Of the payer; of one who has paid none the company's."""
        own: Sequence[tuple[int, date]] = self._own.get(payer, ())
        return own[(len(own) - 1) // 2][0] if own else self.company()

    def recent(self, payer: str, on: date) -> int:
        """The same, each invoice weighed by half for each 180 days since it was paid."""
        own = self._own.get(payer)
        if not own:
            return self.company()
        sums = list(accumulate(0.5 ** ((on - ended_on).days / _HALF_LIFE) for _, ended_on in own))
        return next(late for (late, _), so_far in zip(own, sums, strict=True) if 2 * so_far >= sums[-1])


def _lateness(one: Settled) -> tuple[int, date]:
    if one.ended_on is None:
        raise ValueError("it is open")
    return (one.ended_on - one.due_on).days, one.ended_on
