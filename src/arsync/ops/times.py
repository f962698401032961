"""The moments of a crontab, and whether a worker keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from arsync.domain.clock import Clock
from arsync.domain.states import Health
from arsync.ops.finding import Finding, ok, warn
from arsync.settings import Settings
from arsync.store import connections, duties
from arsync.store.engine import Work

_START: Final = "start `arsync worker`, or look why it does not come to it"
_NEXT: Final = timedelta(microseconds=1)
_NEVER: Final = datetime(9000, 1, 1, tzinfo=UTC)


class Moments(Protocol):
    """When something is due."""

    @property
    def said(self) -> tuple[str, str]:
        """Equal where all moments are."""
        ...

    def after(self, instant: datetime) -> datetime:
        """The first one that comes after that instant, in UTC."""
        ...


class Times:
    """The moments of a crontab on the clock of a timezone. An hour that is skipped there is not skipped here; what is
    to be done in an hour that comes twice is done in the first, unless it is to be done in every hour."""

    def __init__(self, crontab: str, zone: str) -> None:
        self.said = crontab, zone  # equal where all moments are
        self._zone = ZoneInfo(zone)
        self._hourly = crontab.split()[1].startswith("*")
        self._trigger = CronTrigger.from_crontab(crontab, timezone=self._zone)

    def after(self, instant: datetime) -> datetime:
        """The first one that comes after that instant, in UTC."""
        found = self._next(instant)
        while not self._hourly and found.astimezone(self._zone).fold:
            found = self._next(found)
        return found

    def _next(self, instant: datetime) -> datetime:
        # The trigger reckons by the wall's clock, on which an hour may come twice: it is asked in UTC, one at a time.
        found: datetime | None = self._trigger.get_next_fire_time(None, (instant + _NEXT).astimezone(self._zone))
        assert found is not None, "the settings refuse a crontab that never comes"
        return found.astimezone(UTC)


class WhenCalled:
    """No moment of a clock: it is done when somebody calls for it."""

    said = ("when called", "")

    def after(self, instant: datetime) -> datetime:
        """In none of our lives."""
        return _NEVER


@lru_cache(maxsize=4096)
def times_of(crontab: str, zone: str) -> Times:
    """The same, read once: a hundred thousand companies have few crontabs and few timezones."""
    return Times(crontab, zone)


def examine_worker(settings: Settings, clock: Clock, work: Work) -> Iterator[Finding]:
    """Where a worker has worked: the nightly run of each company has begun since it was due last, and so has the
    backup."""
    kept, now = duties.every(work), clock.now()
    patience = settings.worker.missed_after + timedelta(minutes=settings.worker.jitter_minutes)
    for one in connections.connections(work):
        duty = kept.get(f"nightly {one.name}")
        if duty is None or one.health is Health.DISCONNECTED:
            continue
        zone = settings.company(one.name).timezone or one.timezone or "UTC"
        due = Times(settings.worker.nightly, zone).after(duty.until)
        if now - due > patience:
            said = f"{one.name}: the nightly run due at {due:%Y-%m-%d %H:%M} UTC has not begun"
            yield warn("worker", said, _START)
        else:
            yield ok("worker", f"{one.name}: the next nightly run is due at {due:%Y-%m-%d %H:%M} UTC")
    if "backup" in kept and settings.worker.backup != "off":
        home = settings.defaults.timezone or "UTC"
        due = Times(settings.worker.backup, home).after(kept["backup"].until)
        if now - due > patience:
            yield warn("worker", f"the backup due at {due:%Y-%m-%d %H:%M} UTC was not made", _START)
