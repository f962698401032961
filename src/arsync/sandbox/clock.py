"""The clock that every limit, token lifetime and time stamp of the sandbox runs on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _machine_time() -> datetime:
    return _EPOCH + timedelta(microseconds=time.time_ns() // 1000)


class SandboxClock:
    """Aware UTC time that can be set, advanced and speeded; it never runs backwards unless it is set back."""

    def __init__(self, start: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._base = start or _machine_time()
        self._mark = time.monotonic()
        self._speed = 1.0

    @property
    def speed(self) -> float:
        """Sandbox seconds per machine second."""
        return self._speed

    def now(self) -> datetime:
        """The sandbox's time, UTC, with microseconds."""
        with self._lock:
            return self._at(time.monotonic())

    def advance(self, seconds: float) -> datetime:
        """Jump ahead by so many seconds and return the new time."""
        return self._move(lambda now: now + timedelta(seconds=seconds))

    def set(self, instant: datetime) -> datetime:
        """Jump to an aware instant."""
        if instant.tzinfo is None:
            raise ValueError("the clock is set with a zone, e.g. 2026-07-01T09:00:00+00:00")
        return self._move(lambda _: instant.astimezone(UTC))

    def run_at(self, speed: float) -> datetime:
        """From here on so many sandbox seconds pass in one machine second; 0 stands still."""
        if speed < 0:
            raise ValueError("speed is zero or more")
        with self._lock:
            self._base, self._mark, self._speed = self._at(time.monotonic()), time.monotonic(), speed
            return self._base

    def _at(self, mark: float) -> datetime:
        return self._base + timedelta(seconds=(mark - self._mark) * self._speed)

    def _move(self, step: Callable[[datetime], datetime]) -> datetime:
        with self._lock:
            mark = time.monotonic()
            self._base, self._mark = step(self._at(mark)), mark
            return self._base
