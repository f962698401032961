"""Faults on demand, and the vendors' throttles."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from arsync.sandbox.company import ControlError


class FaultKind(StrEnum):
    """What goes wrong; `*_after` means that the effect happened and the answer never arrived."""

    THROTTLE = "throttle"
    ERROR = "error"
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - a kind of fault, no password
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    DISCONNECT_BEFORE = "disconnect_before"
    DISCONNECT_AFTER = "disconnect_after"
    TRUNCATE = "truncate"
    OVERSIZE = "oversize"


@dataclass(slots=True)
class Fault:
    """One order: which requests it meets, after how many (`skip`), how often (`times`, `every`)."""

    match: Mapping[str, str]
    fault: FaultKind
    status: int = 503
    times: int | None = 1
    skip: int = 0
    every: int = 1
    seconds: float | None = None  # a time-out holds the line so long at most (machine time); of a throttle: Retry-After
    seen: int = 0
    hits: int = 0

    def meets(self, facts: Mapping[str, str]) -> bool:
        """Whether a request with these facts is one that this order is about."""
        return all(
            wanted in facts["path"] if name == "path_contains" else facts.get(name, "").lower() == wanted.lower()
            for name, wanted in self.match.items()
        )

    def strikes(self) -> bool:
        """Count one more request that is met and say whether this one fails."""
        self.seen += 1
        number = self.seen - self.skip
        if number <= 0 or number % self.every or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


_MATCH_KEYS = {"provider", "method", "path_contains", "company", "resource", "accept"}


class Faults:
    """The orders in force; the first that strikes wins."""

    def __init__(self) -> None:
        self.orders: list[Fault] = []

    def add(self, order: Mapping[str, object]) -> None:
        """Take an order as JSON; `times` is 1 unless said, unlimited where `every` is given or it is null."""
        known = {"match", "fault", "status", "times", "skip", "every", "seconds"}
        if unknown := set(order) - known:
            raise ControlError(f"unknown fault keys: {', '.join(sorted(unknown))}")
        match = order.get("match") or {}
        if not isinstance(match, dict) or set(match) - _MATCH_KEYS:
            raise ControlError(f"match takes {', '.join(sorted(_MATCH_KEYS))}")
        try:
            kind = FaultKind(str(order.get("fault")))
        except ValueError:
            raise ControlError(f"fault is one of {', '.join(FaultKind)}") from None
        every = _count(order.get("every", 1), "every", least=1)
        times = order.get("times", None if "every" in order else 1)
        self.orders.append(
            Fault(
                match={str(name): str(value) for name, value in match.items()},
                fault=kind,
                status=_count(order.get("status", 503), "status", least=400),
                times=None if times is None else _count(times, "times", least=1),
                skip=_count(order.get("skip", 0), "skip", least=0),
                every=every,
                seconds=float(str(order["seconds"])) if "seconds" in order else None,
            )
        )

    def strike(self, facts: Mapping[str, str]) -> Fault | None:
        """The fault that this request suffers, if any."""
        return next((order for order in self.orders if order.meets(facts) and order.strikes()), None)


def _count(value: object, name: str, *, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ControlError(f"{name} is a whole number from {least}")
    return value


_WINDOWS = {"second": 1, "minute": 60, "day": 86_400, "app_minute": 60, "batch_minute": 60}


@dataclass(slots=True)
class Limits:
    """Sliding windows per provider and company; `concurrent` counts requests in flight."""

    rules: dict[str, dict[str, int | None]] = field(default_factory=dict)
    _seen: dict[tuple[str, str, str], deque[datetime]] = field(default_factory=dict)
    _flying: dict[tuple[str, str], int] = field(default_factory=dict)

    def change(self, provider: str, rules: Mapping[str, int | None]) -> None:
        """Set some windows of a provider; None lifts one."""
        if unknown := set(rules) - set(_WINDOWS) - {"concurrent"}:
            raise ControlError(f"unknown limits: {', '.join(sorted(unknown))}")
        self.rules.setdefault(provider, {}).update(rules)

    def admit(
        self, provider: str, company: str, now: datetime, *, batch: bool = False
    ) -> tuple[dict[str, int], str, int]:
        """(requests left per window, the full window or "", seconds to wait). A refused request is not counted;
        the request itself has entered already."""
        left: dict[str, int] = {}
        windows: list[deque[datetime]] = []
        for window, length in _WINDOWS.items():
            if window == "batch_minute" and not batch:
                continue
            allowed = self.rules.get(provider, {}).get(window)
            if allowed is None:
                continue
            owner = "" if window == "app_minute" else company
            seen = self._seen.setdefault((provider, owner, window), deque())
            start = now - timedelta(seconds=length)
            while seen and (seen[0] <= start or seen[0] > now):  # a clock set back forgets what lies ahead
                seen.popleft()
            if len(seen) >= allowed:
                wait = math.ceil((seen[0] - start).total_seconds()) if seen else length
                return left | {window: 0}, window, max(1, wait)
            left[window] = allowed - len(seen) - 1
            windows.append(seen)
        most = self.rules.get(provider, {}).get("concurrent")
        if most is not None and self._flying.get((provider, company), 0) > most:
            return left, "concurrent", 1
        for seen in windows:
            seen.append(now)
        return left, "", 0

    def enter(self, provider: str, company: str) -> None:
        """One more request of this company is in flight."""
        self._flying[provider, company] = self._flying.get((provider, company), 0) + 1

    def leave(self, provider: str, company: str) -> None:
        """One less request of this company is in flight."""
        self._flying[provider, company] = max(0, self._flying.get((provider, company), 0) - 1)
