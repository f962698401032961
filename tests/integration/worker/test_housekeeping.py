"""A worker's own housekeeping: backups and forgetting by the clock, where the settings want it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arsync.bootstrap import App
from arsync.cli.timetable import jobs_of
from arsync.ops.archives import read_through
from arsync.settings import load
from arsync.store import events, upgrade, verdicts
from arsync.testing.ports import FixedClock
from arsync.worker.duty import Job, Kind
from arsync.worker.stopping import Stopping


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FixedClock:
    fixed = FixedClock()
    monkeypatch.setattr("arsync.bootstrap.app.SystemClock", lambda: fixed)
    return fixed


def app(folder: Path, text: str) -> App:
    (folder / "arsync.toml").write_text(text, encoding="utf-8")
    made = App(load(folder / "arsync.toml", environ={}))
    upgrade.upgrade(made.unchecked_store)
    return made


def housekeeping(app: App) -> dict[Kind, Job]:
    return {job.kind: job for job in jobs_of(app, Stopping()) if job.kind in (Kind.BACKUP, Kind.PRUNE)}


def test_nothing_is_done_unless_the_settings_say_so(tmp_path: Path, clock: FixedClock) -> None:
    made = app(tmp_path, "")
    assert housekeeping(made) == {}
    made.close()


def test_backups_are_made_and_the_newest_are_kept(tmp_path: Path, clock: FixedClock) -> None:
    """Three days of which two are kept, beside the one that a person has named."""
    made = app(tmp_path, '[worker]\nbackup = "0 3 * * *"\nkeep_backups = 2\n[defaults]\ntimezone = "Europe/London"\n')
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "before-the-move.jsonl.gz").touch()
    job = housekeeping(made)[Kind.BACKUP]
    assert (job.company, job.times.said) == (None, ("0 3 * * *", "Europe/London"))
    days = []
    for _ in range(3):
        days.append(f"arsync-{clock.now():%Y%m%dT%H%M%SZ}.jsonl.gz")
        job.work()
        clock.advance(86400)
    left = sorted((tmp_path / "backups").iterdir())
    assert [one.name for one in left] == [*days[1:], "before-the-move.jsonl.gz"]
    assert read_through(left[0]).tables["installation"].rows == 1
    made.close()


def test_what_the_settings_do_not_want_kept_is_forgotten(tmp_path: Path, clock: FixedClock) -> None:
    made = app(tmp_path, '[worker]\nprune = "0 5 * * sun"\n[retention]\nruns_days = 90\n')
    with made.store.working() as work:
        for _ in range(2):  # 160 days ago, and 80
            verdicts.begin_run(work, "night", now=clock.now())
            clock.advance(80 * 86400)
        work.commit()
    housekeeping(made)[Kind.PRUNE].work()
    with made.store.reading() as work:
        forgotten = events.newest(work, ["data_forgotten"])
    assert forgotten is not None
    assert forgotten.data == {"kind_of_data": "runs_days", "count": 1}
    made.close()
