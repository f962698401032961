"""A week of a worker in one process: nothing is left behind, nothing grows."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.acceptance.installation import Installation

from arsync.bootstrap import App
from arsync.cli.timetable import jobs_of
from arsync.sandbox.rehearsal import RehearsalClock
from arsync.settings import load
from arsync.worker.schedule import Pace, Schedule
from arsync.worker.stopping import Stopping


def resident() -> float:
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def belongings() -> tuple[int, int]:
    """How many threads there are, and how many files and connections are open."""
    gc.collect()
    for thread in threading.enumerate():
        if thread.name.startswith("flight"):
            thread.join(1)  # it is on its way out
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.long
def test_a_week_leaves_no_thread_connection_or_file_behind_and_memory_stays(installation: Installation) -> None:
    """Two companies of a hundred invoices; every hour of seven days, each with its nights, deltas and dispatches."""
    installation.sandbox.speed(0)
    app = App(load(installation.config))
    clock = app.clock
    assert isinstance(clock, RehearsalClock)
    begun: list[str] = []

    def at_once(name: str, work: Callable[[], None]) -> None:
        begun.append(name)
        thread = threading.Thread(target=work, name=name)
        thread.start()
        thread.join()

    stopping = Stopping()
    schedule = Schedule(app.store, app.clock, lambda: jobs_of(app, stopping), at_once, random.Random(1), Pace())
    days: list[tuple[tuple[int, int], float]] = []
    try:
        for _day in range(7):
            for _half_hour in range(48):
                schedule.look()
                installation.sandbox.advance(timedelta(minutes=30).total_seconds())
                clock.look_again()
            days.append((belongings(), resident()))
    finally:
        app.close()
        installation.sandbox.speed(60)
    assert begun.count("nightly harbor") == begun.count("nightly thames") == 7
    assert begun.count("sync harbor") > 90
    assert len({held for held, _ in days[1:]}) == 1, days
    assert days[-1][1] - days[1][1] < 5, [f"{held}: {megabytes:.1f}" for held, megabytes in days]
