"""Days on which a message may go out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Calendar:
    """The business days of one place: weekdays (Monday is 0) less the holidays."""

    weekdays: frozenset[int]
    holidays: frozenset[date]

    def is_open(self, day: date) -> bool:
        """Whether that is a business day."""
        return day.weekday() in self.weekdays and day not in self.holidays

    def next_open(self, day: date) -> date:
        """The first business day on or after `day`; ValueError where none comes within a year."""
        for ahead in range(366):
            candidate = day + timedelta(days=ahead)
            if self.is_open(candidate):
                return candidate
        raise ValueError("no business day within a year")
