"""A rehearsal runs on the sandbox's clock, read over HTTP as everything else."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

import requests

from arsync.domain.clock import SystemClock
from arsync.errors import ConfigurationError

#: real seconds after which the sandbox is asked again: it may have been advanced
_FRESH: Final = 0.05


class RehearsalClock:
    """The sandbox's time; `elapsed` stays real, as it guards real bytes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._real = SystemClock()
        self._session = requests.Session()
        self._session.trust_env = False
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._instant: datetime | None = None
        self._speed = 1.0

    def now(self) -> datetime:
        """The sandbox's instant."""
        with self._lock:
            if self._instant is None or self._real.elapsed() - self._read_at > _FRESH:
                self._read()
            assert self._instant is not None
            return self._instant + timedelta(seconds=(self._real.elapsed() - self._read_at) * self._speed)

    def look_again(self) -> None:
        """The next `now` asks the sandbox, whenever it was asked last: for who has just moved its clock."""
        with self._lock:
            self._instant = None

    def elapsed(self) -> float:
        """Real seconds."""
        return self._real.elapsed()

    def sleep(self, seconds: float) -> None:
        """Waits that long on the sandbox's clock, in as much less real time as it runs faster."""
        self.now()
        self._real.sleep(seconds / self._speed if self._speed > 0 else 0.0)

    def _read(self) -> None:
        try:
            answer = self._session.get(self._url, timeout=5).json()
            self._instant = datetime.fromisoformat(answer["now"])
            self._speed = float(answer["speed"])
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"[sandbox] clock_url: no clock at {self._url} ({type(error).__name__})") from None
        self._read_at = self._real.elapsed()
