"""An allowance kept within one process: paced, and obedient to what the vendor says in its headers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Final

from arsync.domain.clock import Clock
from arsync.errors import RetryLater

#: A wait longer than this is the worker's business, not a request's.
_PATIENCE: Final = 90.0


class PacedBudget:
    """At most `per_second` requests in any second of the clock; after a 429 nothing before its Retry-After."""

    def __init__(self, clock: Clock, *, per_second: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._lock = threading.Lock()
        self._recent: deque[float] = deque(maxlen=per_second)
        self._not_before = 0.0

    def spend(self) -> None:
        """Waits for the next free place; RetryLater where that is too far away."""
        with self._lock:
            now = self._clock.now().timestamp()
            ready = max(now, self._not_before)
            if len(self._recent) == self._per_second:
                ready = max(ready, self._recent[0] + 1.0)
            if ready - now > _PATIENCE:
                raise RetryLater("the vendor's allowance is used up", after=ready - now)
            if ready > now:
                self._clock.sleep(ready - now)
            self._recent.append(max(ready, self._clock.now().timestamp()))

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Learns from an answer: a 429's Retry-After in seconds, and a minute's allowance that is used up."""
        pause = 0.0
        if status == 429:
            pause = _seconds(headers.get("Retry-After")) or 0.0
        elif headers.get("X-MinLimit-Remaining") == "0":
            pause = 60.0  # Xero counts over a sliding minute and does not say when it ends
        if pause:
            with self._lock:
                self._not_before = max(self._not_before, self._clock.now().timestamp() + pause)


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
