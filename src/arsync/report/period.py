"""Spans of time up to a report's day."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier; the end of a month stays the end of one, as 31 August is 3 before 30
    November."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    last = monthrange(year, month + 1)[1]
    is_end = day.day == monthrange(day.year, day.month)[1]
    return date(year, month + 1, last if is_end else min(day.day, last))


def calendar_months(last: date, first: date) -> Iterator[tuple[date, date]]:
    """Each calendar month as its first and last day, the newest first and up to `last`; none begins before `first`."""
    end = last
    while (begin := end.replace(day=1)) >= first:
        yield begin, end
        end = begin - timedelta(days=1)


def midnight(day: date, timezone: str) -> datetime:
    """The instant at which that day begins in a company's timezone."""
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)
