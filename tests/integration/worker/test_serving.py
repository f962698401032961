"""A worker that decides what is due, whatever its database does meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from arsync.bootstrap import Present
from arsync.cli import timetable, working
from arsync.errors import DatabaseUnusable
from arsync.settings import Settings
from arsync.settings.model import Delivery, Worker
from arsync.store import duties
from arsync.store.engine import Store
from arsync.store.leases import Lease
from arsync.testing.ports import FixedClock
from arsync.worker.health import Pulse
from arsync.worker.stopping import Stopping


@dataclass
class Minutes(Stopping):
    """Each wait is a minute; after so many it is told to stop."""

    clock: FixedClock
    left: int

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, seconds: float) -> None:
        self.clock.advance(60)
        self.left -= 1
        if not self.left:
            self.tell()


def test_a_database_that_is_away_for_a_minute_does_not_end_the_worker(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its lease cannot be renewed once, and is the next time."""
    clock, alerts = FixedClock(), list[timedelta]()
    stopping, away, renew = Minutes(clock, 15), [True], Lease.renew
    begun = clock.now()

    def once(self: Lease) -> None:
        if away:
            away.pop()
            raise DatabaseUnusable("the server closed the connection")
        renew(self)

    def tell() -> list[str]:
        alerts.append(clock.now() - begun)
        return []

    monkeypatch.setattr(Lease, "renew", once)
    told: Any = SimpleNamespace(stopping=stopping, to_read_again=lambda: False)
    app: Any = SimpleNamespace(
        store=store, clock=clock, linked=list, alarm=SimpleNamespace(tell=tell),
        settings=SimpleNamespace(
            worker=Worker(poll="off", jitter_minutes=0), delivery=Delivery(), defaults=SimpleNamespace(timezone=None)
        ),
    )  # fmt: skip
    crew: Any = SimpleNamespace(start=lambda _name, work: work())
    working._serve(Present(app, settings_of_before), told, crew, Pulse(clock))
    assert not away
    assert alerts[-1] >= timedelta(minutes=10)
    assert "the server closed the connection" in " ".join(str(vars(record)) for record in caplog.records)


def settings_of_before() -> Settings:
    raise AssertionError("nobody said that they are others")


def test_an_outside_watch_is_told_by_the_last_of_several_nights(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Harbor's night comes through while Thames' is on: not yet. Then Thames', beside somebody's delta: now."""
    now, pings = FixedClock().now(), list[str]()
    monkeypatch.setattr(timetable, "work_for", lambda *_: None)
    app: Any = SimpleNamespace(store=store, alarm=SimpleNamespace(ping=lambda: pings.append("ping")))
    with store.working() as work:
        for name in ("nightly harbor", "nightly thames", "sync harbor"):
            duties.begin(work, name, due=now, now=now)
        work.commit()
    timetable.have_night(app, "harbor", Stopping())
    assert pings == []
    with store.working() as work:
        duties.end(work, "nightly harbor", begun=now, error=None, now=now)
        work.commit()
    timetable.have_night(app, "thames", Stopping())
    assert pings == ["ping"]
