"""Where the time comes from: nothing else in arsync asks the machine."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """The time as arsync sees it; a rehearsal runs on the sandbox's clock."""

    def now(self) -> datetime:
        """The instant, aware, in UTC."""
        ...

    def elapsed(self) -> float:
        """Real seconds since an arbitrary start, counted also while the process or the machine slept."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits that long on this clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place

    def elapsed(self) -> float:
        # CLOCK_MONOTONIC stands still while a laptop sleeps; the last gate must count that time too.
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


def local_date(instant: datetime, timezone: str) -> date:
    """The calendar day of an instant in a company's or customer's timezone (an IANA name)."""
    return instant.astimezone(ZoneInfo(timezone)).date()
