"""What a vendor allows, and how much of it is spent: arithmetic over sliding windows, for whoever keeps the account.

An account is one company's, or one app's over all its companies. Instants are seconds since 1970.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

#: A window is counted in so many parts.
_PARTS: Final = 60
#: What the vendor said of a day is believed for so long: when its day begins anew is not told.
_BELIEVED: Final = 3600.0
#: A booking further ahead was made before the clock was set back.
_FARTHEST: Final = 600.0
#: Whoever refuses everything for longer than this, and so many times, does not count minutes.
_SPENT_FOR_GOOD: Final = 120.0
_ENOUGH: Final = 4
#: A refusal so long after the one before is the first of a new row: between two runs of an hourly job nothing is asked.
_FORGOTTEN: Final = 7200.0
#: What is then waited: as long as nothing but refusals has come already, within these.
_SHORTEST_CLOSURE: Final = 300.0
_LONGEST_CLOSURE: Final = 3600.0
#: No vendor closes for longer than its day: whatever asks for more is not meant so.
_LONGEST: Final = 86_400.0
_SECONDS: Final = {"second": 1.0, "minute": 60.0, "day": 86_400.0, "app_minute": 60.0}


@dataclass(frozen=True, slots=True)
class Window:
    """So many requests in any stretch of that length; pulls in bulk leave `reserve` of them to others."""

    name: str
    seconds: float
    limit: int
    reserve: int = 0

    @property
    def _width(self) -> float:
        return self.seconds / _PARTS

    @property
    def _late(self) -> float:
        """Seconds between our counting and the vendor's: a request is on its way, clocks differ."""
        return 0.2 + self.seconds / 40

    def part(self, at: float) -> int:
        """The part of the window's scale in which that instant lies."""
        return int(at / self._width)

    def left(self, part: int) -> float:
        """When what was spent in that part counts no more."""
        return (part + 1) * self._width + self.seconds + self._late

    def allowed(self, *, bulk: bool) -> int:
        """How many requests there may be in it."""
        return max(1, self.limit - self.reserve) if bulk else self.limit

    @property
    def believed(self) -> float:
        """For how long the vendor's own word on what remains is taken."""
        return min(self.seconds + self._late, _BELIEVED)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a vendor allows, by its documents and the settings; None: not limited, or not known.

    A reserve is what pulls in bulk leave of a window for reading again before a message goes out, and for notes.
    """

    per_second: int | None = None
    per_minute: int | None = None
    per_day: int | None = None
    app_per_minute: int | None = None
    concurrent: int | None = None
    reserve_per_minute: int = 0
    reserve_per_day: int = 0
    #: seconds to wait after a 429 that does not say how long
    pause: float = 60.0
    #: header -> the window ("minute", "day", "app_minute") of which it says how many requests remain
    remaining: Mapping[str, str] = field(default_factory=dict)
    #: the header of a 429 that names the limit, and what its words mean ("minute", "day", "app_minute", "concurrent")
    problem: str | None = None
    problems: Mapping[str, str] = field(default_factory=dict)

    def of_connection(self) -> tuple[Window, ...]:
        """The windows that each company has for itself."""
        return tuple(
            Window(name, _SECONDS[name], limit, reserve)
            for name, limit, reserve in (
                ("second", self.per_second, 0),
                ("minute", self.per_minute, self.reserve_per_minute),
                ("day", self.per_day, self.reserve_per_day),
            )
            if limit is not None
        )

    def of_app(self) -> tuple[Window, ...]:
        """The windows that all companies of an app share."""
        return () if self.app_per_minute is None else (Window("app_minute", 60.0, self.app_per_minute),)


class Account(msgspec.Struct):
    """What was spent of some windows, and what the vendor said about them."""

    #: window -> part -> requests
    spent: dict[str, dict[int, int]] = {}
    #: window -> how many remain by the vendor's word, and when it said so
    told: dict[str, tuple[int, float]] = {}
    #: requests on their way: who sent them, and when they are over at the latest
    flights: list[tuple[str, float]] = []
    not_before: float = 0.0
    reason: str = ""
    closed_at: float = 0.0  # when it was told that nothing goes out before `not_before`
    refused_since: float | None = None  # nothing but refusals since then
    refusals: int = 0  # of that row
    refused_until: float = 0.0  # when the pauses that they asked for are over

    def ready(self, windows: tuple[Window, ...], now: float, *, bulk: bool) -> tuple[float, str]:
        """When one more request may go out (at `now` or later), and what it waits for."""
        ready, reason = now, ""
        if self.not_before > ready:
            ready, reason = self.not_before, self.reason
        for at, why in self._opens(windows, now, bulk=bulk):
            if at > ready:
                ready, reason = at, why
        return ready, reason

    def _opens(self, windows: tuple[Window, ...], now: float, *, bulk: bool) -> Iterator[tuple[float, str]]:
        for window in windows:
            told = self.told.get(window.name)
            if told is not None and told[0] <= (window.reserve if bulk else 0):
                kept = f", but for {window.reserve} kept for messages and notes" if bulk and window.reserve else ""
                why = f"the vendor's allowance of the {_said(window)} is used up{kept}"
                yield told[1] + window.believed, why
            count, allowed = 0, window.allowed(bulk=bulk)
            parts = self.spent.get(window.name, {})
            for part in sorted(parts, reverse=True):
                count += parts[part]
                if count >= allowed:
                    yield window.left(part), f"the allowance of the {_said(window)} is used up"
                    break

    def duration(self, windows: tuple[Window, ...], requests: int, now: float) -> float:
        """Seconds until so many requests in bulk have gone out, on top of what is spent; nobody else sends any."""
        ends = (self._last_of(window, requests, now) for window in windows)
        return max(ends, default=now) - now

    def _last_of(self, window: Window, requests: int, now: float) -> float:
        """When the last of so many requests in bulk may go out, by that window alone."""
        leaving = [
            (window.left(part), count)
            for part, count in self.spent.get(window.name, {}).items()
            if count and window.left(part) > now
        ]
        told = self.told.get(window.name)
        if told is not None and now < told[1] + window.believed:
            others = window.limit - told[0] - sum(count for _, count in leaving)
            if others > 0:
                leaving.append((told[1] + window.believed, others))
        heapq.heapify(leaving)
        at, free = max(now, self.not_before), window.allowed(bulk=True) - sum(count for _, count in leaving)
        while requests:
            if free > 0:
                taken = min(free, requests)
                requests -= taken
                free -= taken
                heapq.heappush(leaving, (window.left(window.part(at)), taken))
            else:
                left, count = heapq.heappop(leaving)
                at, free = max(at, left), free + count
        return at

    def spend(self, windows: tuple[Window, ...], at: float) -> None:
        """Books one request at that instant."""
        for window in windows:
            parts = self.spent.setdefault(window.name, {})
            part = window.part(at)
            parts[part] = parts.get(part, 0) + 1
            told = self.told.get(window.name)
            if told is not None:
                self.told[window.name] = (told[0] - 1, told[1])

    def forget(self, windows: tuple[Window, ...], now: float) -> None:
        """Drops what counts no more."""
        for window in windows:
            parts = self.spent.get(window.name)
            if parts:
                last = window.part(now + _FARTHEST)
                self.spent[window.name] = {
                    part: count for part, count in parts.items() if window.left(part) > now and part <= last
                }
            told = self.told.get(window.name)
            if told is not None and not told[1] <= now < told[1] + window.believed:
                del self.told[window.name]
        self.flights = [flight for flight in self.flights if flight[1] > now]
        self._forget_ahead(now)

    def _forget_ahead(self, now: float) -> None:
        """Drops refusals from before the clock was set back: they would hold for as long as it stood ahead."""
        if self.closed_at > now + _FARTHEST:
            self.not_before, self.reason, self.closed_at = 0.0, "", 0.0
        if self.refused_since is not None and self.refused_since > now + _FARTHEST:
            self.refused_since, self.refused_until = None, 0.0

    def hear(self, windows: tuple[Window, ...], remaining: Mapping[str, int], now: float) -> None:
        """Takes the vendor's word on what remains: it counts what others send, too, and knows the tier."""
        for window in windows:
            if window.name in remaining:
                self.told[window.name] = (remaining[window.name], now)

    def refuse(self, now: float, pause: float, reason: str) -> None:
        """Nothing goes out before the pause is over."""
        self._forget_ahead(now)
        if now + pause > self.not_before:
            self.not_before, self.reason, self.closed_at = now + pause, reason, now

    def count_refusal(self, now: float, pause: float) -> None:
        """One more in a row, after which that pause is made; nothing is held back for it here."""
        self._forget_ahead(now)
        if self.refused_since is None or now - self.refused_until > _FORGOTTEN:
            self.refused_since, self.refusals = now, 0
        self.refusals += 1
        self.refused_until = max(self.refused_until, now + pause)

    def close(self, now: float, reason: str) -> None:
        """Nothing goes out for as long as nothing but refusals has come: five minutes at least, an hour at most."""
        refused_for = now - self.refused_since if self.refused_since is not None else 0.0
        pause = min(max(refused_for, _SHORTEST_CLOSURE), _LONGEST_CLOSURE)
        self.refused_until = now + pause
        self.refuse(now, pause, reason)

    def is_spent_for_good(self, now: float) -> bool:
        """Whether the vendor has refused everything for so long that it cannot be the minute's allowance."""
        since = self.refused_since
        return since is not None and self.refusals >= _ENOUGH and now - since > _SPENT_FOR_GOOD


def _said(window: Window) -> str:
    return "app's minute" if window.name == "app_minute" else window.name


def remaining(limits: Limits, headers: Mapping[str, str]) -> dict[str, int]:
    """What the vendor's headers say remains, by window."""
    told = {window: headers.get(header, "") for header, window in limits.remaining.items()}
    return {window: int(text) for window, text in told.items() if text.strip().isdigit()}


def problem(limits: Limits, headers: Mapping[str, str]) -> str | None:
    """The limit that a 429 names; None where it names none."""
    word = headers.get(limits.problem, "") if limits.problem else ""
    return limits.problems.get(word.strip().lower())


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Retry-After in seconds, a day at most, given as seconds or as a date (RFC 9110 section 10.2.3); None where it is
    not said."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(1.0, seconds), _LONGEST)
