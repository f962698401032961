"""The sandbox's time for those who ask it often."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from arsync.sandbox.launch import SandboxControl


class ToldTime:
    """What the sandbox told, and what has gone by since: it is asked again where this client has moved its clock."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self._sandbox = sandbox
        self._moves = -1
        self._then = datetime.min.replace(tzinfo=UTC)
        self._at = self._speed = 0.0

    def now(self) -> datetime:
        if self._moves != self._sandbox.moves:
            told, self._at = self._sandbox.call("GET", "clock"), time.monotonic()
            self._then, self._speed = datetime.fromisoformat(told["now"]), float(told["speed"])
            self._moves = self._sandbox.moves
        return self._then + timedelta(seconds=(time.monotonic() - self._at) * self._speed)
