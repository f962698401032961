"""A worker that is told to stop ends after the effect in flight: no wait outlasts it, and no step begins."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Final

from arsync.domain.clock import Clock
from arsync.errors import Stopped

#: seconds of a wait, at most, before it is asked whether to go on
_SLICE: Final = 0.5


class Stopping:
    """Whether this process was told to stop."""

    def __init__(self) -> None:
        self._told = threading.Event()

    def tell(self) -> None:
        """It is to stop."""
        self._told.set()

    @property
    def told(self) -> bool:
        """It was told."""
        return self._told.is_set()

    def wait(self, seconds: float) -> None:
        """Waits so many real seconds, or until it is told."""
        self._told.wait(seconds)

    def check(self) -> None:
        """Stopped where it was told; for between two effects."""
        if self.told:
            raise Stopped


class StoppableClock:
    """Another clock, whose waits end with Stopped where the process was told to stop."""

    def __init__(self, clock: Clock, stopping: Stopping) -> None:
        self._clock, self._stopping = clock, stopping

    def now(self) -> datetime:
        """As the other."""
        return self._clock.now()

    def elapsed(self) -> float:
        """As the other."""
        return self._clock.elapsed()

    def sleep(self, seconds: float) -> None:
        """As the other, or Stopped."""
        while seconds > 0:
            self._stopping.check()
            self._clock.sleep(min(seconds, _SLICE))
            seconds -= _SLICE
        self._stopping.check()
