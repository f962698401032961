"""The connector's ports in memory: for tests of connectors, and for their authors."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from arsync.connector.contract import TokenPair
from arsync.errors import Reauthorise

#: The instant that a FixedClock shows unless told another.
NOON = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


class FixedClock:
    """A clock that stands still except when somebody sleeps on it; `slept` holds the seconds of each wait."""

    def __init__(self, now: datetime = NOON) -> None:
        self.instant = now
        self.slept: list[float] = []
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self.instant

    def elapsed(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Moves the clock on."""
        self.instant += timedelta(seconds=seconds)
        self._elapsed += seconds


class MemoryVault:
    """One grant's tokens in memory; `replaced` holds every pair that was stored after the first."""

    def __init__(self, pair: TokenPair) -> None:
        self._pair = pair
        self._lock = threading.RLock()
        self._held = False
        self.replaced: list[TokenPair] = []
        self.ended_by: str | None = None

    @classmethod
    def with_access(cls, access_token: str = "access-1", refresh_token: str = "refresh-1") -> MemoryVault:  # noqa: S107
        """A grant whose access token does not end before the year 9999."""
        return cls(
            TokenPair(
                access_token=access_token,
                refresh_token=refresh_token,
                expires_at=datetime(9999, 12, 31, tzinfo=UTC),
            )
        )

    @classmethod
    def with_refresh(cls, refresh_token: str) -> MemoryVault:
        """A grant just connected: a refresh token, no access token yet."""
        return cls(TokenPair(access_token="", refresh_token=refresh_token, expires_at=datetime(2000, 1, 1, tzinfo=UTC)))

    def current(self) -> TokenPair:
        if self.ended_by is not None:
            raise Reauthorise(self.ended_by)
        return self._pair

    @contextmanager
    def refreshing(self) -> Iterator[TokenPair]:
        with self._lock:
            self._held = True
            try:
                yield self.current()
            finally:
                self._held = False

    def replace(self, pair: TokenPair, *, instead_of: TokenPair) -> None:
        assert self._held, "a pair is replaced only under refreshing()"
        assert instead_of.refresh_token == self.current().refresh_token, "nobody overtakes who holds the lock"
        self._pair = pair
        self.ended_by = None
        self.replaced.append(pair)

    def ended(self, reason: str, *, refused: TokenPair) -> None:
        assert self._held, "a grant is ended only under refreshing()"
        assert refused.refresh_token == self.current().refresh_token, "nobody overtakes who holds the lock"
        self.ended_by = reason


class UnlimitedBudget:
    """A budget without limits that counts; `statuses` holds each answer's status in order."""

    def __init__(self) -> None:
        self.spent = 0
        self.statuses: list[int] = []

    def spend(self) -> None:
        self.spent += 1

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        self.statuses.append(status)

    def lose(self) -> None:
        pass
