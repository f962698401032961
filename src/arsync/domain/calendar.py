"""Days and hours in which a message may go out."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

#: A window that opens on some day of every year opens within so many days.
HORIZON: Final = 732
_DAY: Final = timedelta(days=1)
_LEAP_YEAR: Final = 2000  # the year of a date that comes every year: 29 February is one
_WRITTEN: Final = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})")
_SPAN: Final = re.compile(r"\s*(\S+?)(?:\s*\.\.\s*(\S+))?(?:\s+(\S.*?))?\s*")


@dataclass(frozen=True, slots=True)
class Blackout:
    """Days on which nothing goes out, both ends included: once, or in every year; then it may run over new year."""

    begins: date
    ends: date
    why: str = ""
    yearly: bool = False

    def covers(self, day: date) -> bool:
        """Whether nothing goes out on that day."""
        if not self.yearly:
            return self.begins <= day <= self.ends
        on = (day.month, day.day)
        begins, ends = (self.begins.month, self.begins.day), (self.ends.month, self.ends.day)
        return begins <= on <= ends if begins <= ends else on >= begins or on <= ends


def blackout(begins: str, ends: str, why: str = "") -> Blackout:
    """Days as a person writes them: `12-20` comes every year, `2026-12-20` once; ValueError where they are no days."""
    first, first_yearly = _day(begins)
    last, last_yearly = _day(ends)
    if first_yearly != last_yearly:
        raise ValueError(f"{begins} and {ends}: give both a year, or neither")
    if not first_yearly and last < first:
        raise ValueError(f"it ends on {ends}, before it begins on {begins}")
    return Blackout(first, last, why, yearly=first_yearly)


def closed_days(text: str) -> Blackout:
    """A line such as `12-24..01-02 year end` or `2026-05-15`; ValueError where it is none."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError("no days: write them like 12-24..01-02 or 2026-05-15")
    begins, ends, why = found.groups()
    return blackout(begins, ends or begins, why or "")


def _day(text: str) -> tuple[date, bool]:
    found = _WRITTEN.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month, day = found.groups()
        return date(int(year or _LEAP_YEAR), int(month), int(day)), year is None
    except ValueError:
        raise ValueError(f"no such day: {text!r} (write it like 12-20, or 2026-12-20)") from None


@dataclass(frozen=True, slots=True)
class Closed:
    """The days on which a company itself is closed: public holidays where it is, and days of its own."""

    holidays: Container[date] = frozenset()
    days: tuple[Blackout, ...] = ()

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and (day in self.holidays or any(span.covers(day) for span in self.days))


@dataclass(frozen=True, slots=True)
class Hours:
    """From when until when messages may leave, in the customer's timezone; the company counts its days in its own."""

    opens: time
    closes: time
    zone: ZoneInfo
    company: ZoneInfo

    def on(self, day: date) -> list[tuple[datetime, datetime]]:
        """The window of the customer's day as instants in UTC, the end left out; empty or two where the clock is set.

        An hour that is skipped is no time to send in; in one that comes twice the window is open twice.
        """
        before, after = (_offset(self.zone, one) for one in (day, day + _DAY))
        opens, closes = (datetime.combine(day, at, UTC) for at in (self.opens, self.closes))
        if before == after:
            return [(opens - before, closes - before)]
        moment = _transition(self.zone, day, before, after)
        parts = [(opens - before, min(closes - before, moment)), (max(opens - after, moment), closes - after)]
        return [part for part in parts if part[0] < part[1]]


def _offset(zone: ZoneInfo, day: date) -> timedelta:
    """What the zone is ahead of UTC as the day begins."""
    offset = datetime.combine(day, time(), zone).utcoffset()
    assert offset is not None, "every zone has one"
    return offset


def _transition(zone: ZoneInfo, day: date, before: timedelta, after: timedelta) -> datetime:
    """The second at which the zone's clock is set on that day, as it has one offset at its beginning and another at
    its end."""
    second = timedelta(seconds=1)
    low = datetime.combine(day, time(), UTC) - before - second
    high = datetime.combine(day + _DAY, time(), UTC) - after
    while high - low > second:
        middle = low + (high - low) // (2 * second) * second
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high


class NeverOpens(ValueError):
    """no business day within two years"""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When one customer may be written to.

    Weekdays (Monday is 0), holidays and blackouts are about the customer's day; `own` is about the company's. With
    `hours` a day of the *company* is open where any moment of it lies in the customer's window, for that is the day
    on which the planner decides; without, both live by the same day and any time of it.
    """

    weekdays: frozenset[int]
    holidays: Container[date]
    blackouts: tuple[Blackout, ...] = ()
    own: Container[date] = frozenset()
    hours: Hours | None = None
    _known: dict[date, bool] = field(default_factory=dict, compare=False, repr=False)
    _next: dict[date, date] = field(default_factory=dict, compare=False, repr=False)

    def is_business(self, day: date) -> bool:
        """Whether it is a business day where the customer is."""
        return (
            day.weekday() in self.weekdays
            and day not in self.holidays
            and not any(blackout.covers(day) for blackout in self.blackouts)
        )

    def is_open(self, day: date) -> bool:
        """Whether a message may go out on that day of the company's."""
        known = self._known.get(day)
        if known is None:
            known = self._known[day] = day not in self.own and self._reaches(day)
        return known

    def _reaches(self, day: date) -> bool:
        hours = self.hours
        if hours is None:
            return self.is_business(day)
        if hours.zone.key == hours.company.key:
            return self.is_business(day) and bool(hours.on(day))
        begins = datetime.combine(day, time(), hours.company).astimezone(UTC)
        ends = datetime.combine(day + _DAY, time(), hours.company).astimezone(UTC)
        return any(
            first < ends and last > begins
            for there in _days(begins.astimezone(hours.zone).date(), ends.astimezone(hours.zone).date())
            if self.is_business(there)
            for first, last in hours.on(there)
        )

    def next_open(self, day: date) -> date:
        """The first open day on or after `day`; NeverOpens where none comes within two years."""
        known = self._next.get(day)
        if known is None:
            ahead = (day + timedelta(days=ahead) for ahead in range(HORIZON))
            known = next((candidate for candidate in ahead if self.is_open(candidate)), None)
            if known is None:
                raise NeverOpens
            self._next[day] = known
        return known

    def before(self, day: date, count: int) -> date:
        """The open day so many open days before `day`; NeverOpens where they are not within two years."""
        found = day
        for _ in range(HORIZON):
            if count <= 0:
                return found
            found -= _DAY
            count -= self.is_open(found)
        raise NeverOpens

    def why_closed(self, day: date) -> str:
        """What closes the days up to the next open one, where it has a name; the same on each of them."""
        named: dict[str, None] = {}
        for step in (-_DAY, _DAY):
            there = day
            for _ in range(HORIZON):
                if self.is_open(there):
                    break
                spans = (*self.blackouts, *(self.own.days if isinstance(self.own, Closed) else ()))
                named |= dict.fromkeys(span.why for span in spans if span.why and span.covers(there))
                there += step
        return ", ".join(sorted(named))

    def next_moment(self, now: datetime) -> datetime | None:
        """When a message may go out next, in UTC; None where it may now. Needs `hours`; NeverOpens as `next_open`."""
        opens, _closes = next(self._windows(now))
        return None if opens == now else opens

    def closes(self, now: datetime) -> datetime | None:
        """Until when a message may go out that may now, in UTC and on this day of the company's; None where it may not.
        Needs `hours`; NeverOpens as `next_open`."""
        opens, closes = next(self._windows(now))
        return closes if opens == now else None

    def window_after(self, now: datetime) -> tuple[datetime, datetime]:
        """The first window that opens after now and its end, in UTC. Needs `hours`; NeverOpens as `next_open`."""
        return next(window for window in self._windows(now) if window[0] > now)

    def _windows(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The windows from now on, the first from now where it is open; NeverOpens where there are no more."""
        assert self.hours is not None, "a calendar of days has no moments"
        company = self.hours.company
        today = now.astimezone(self.hours.zone).date()
        for day in _days(today, today + timedelta(days=HORIZON)):
            if not self.is_business(day):
                continue
            for first, last in self.hours.on(day):
                moment = max(first, now)
                while moment < last and moment.astimezone(company).date() in self.own:
                    tomorrow = moment.astimezone(company).date() + _DAY
                    moment = datetime.combine(tomorrow, time(), company).astimezone(UTC)
                if moment < last:
                    yield moment, last
        raise NeverOpens


def _days(first: date, last: date) -> Iterator[date]:
    for ahead in range((last - first).days + 1):
        yield first + timedelta(days=ahead)
