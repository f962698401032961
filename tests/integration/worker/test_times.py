"""The doctor tells of a worker that is not there any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.store.books import open_books

from arsync.ops.times import Times, examine_worker
from arsync.settings import load
from arsync.store import duties
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock

NIGHT = datetime(2026, 3, 3, 7, 0, tzinfo=UTC)  # two o'clock in New York


@pytest.mark.parametrize(
    ("later", "level", "said"),
    [
        (timedelta(hours=20), "ok", "the next nightly run is due at 2026-03-04 07:00 UTC"),
        (timedelta(hours=26), "ok", "the next nightly run is due at 2026-03-04 07:00 UTC"),
        (timedelta(hours=26, minutes=6), "warn", "the nightly run due at 2026-03-04 07:00 UTC has not begun"),
    ],
)
def test_a_nightly_run_that_does_not_begin_is_found_from_outside(
    store: Store, tmp_path: Path, later: timedelta, level: str, said: str
) -> None:
    config = tmp_path / "arsync.toml"
    config.write_text('[defaults]\ntimezone = "America/New_York"\n', encoding="utf-8")
    settings, clock = load(config, environ={}), FixedClock(NIGHT + later)
    open_books(store)
    with store.working() as work:
        assert list(examine_worker(settings, clock, work)) == [], "nobody has used a worker"
        duties.begin(work, "nightly harbour", due=NIGHT, now=NIGHT)
        work.commit()
    with store.reading() as work:
        (found,) = examine_worker(settings, clock, work)
    assert (found.level.value, found.subject) == (level, "worker")
    assert said in found.detail


def test_a_night_that_was_made_up_is_no_finding(store: Store, tmp_path: Path) -> None:
    """Two nights without a worker, and at noon one made them up."""
    (tmp_path / "arsync.toml").write_text('[defaults]\ntimezone = "America/New_York"\n', encoding="utf-8")
    settings, noon = load(tmp_path / "arsync.toml", environ={}), NIGHT + timedelta(days=1, hours=10)
    open_books(store)
    with store.working() as work:
        duties.begin(work, "nightly harbour", due=NIGHT, now=noon)
        duties.end(work, "nightly harbour", begun=noon, error=None, now=noon)
        (found,) = examine_worker(settings, FixedClock(noon + timedelta(hours=1)), work)
    assert (found.level.value, found.detail) == ("ok", "harbour: the next nightly run is due at 2026-03-05 07:00 UTC")


@pytest.mark.parametrize(
    ("backup", "later", "said"),
    [
        ("0 3 * * *", 26, []),
        ("0 3 * * *", 27, ["warn: the backup due at 2026-03-04 03:00 UTC was not made"]),
        ("off", 27, []),
    ],
)
def test_a_backup_that_no_worker_makes_is_found_from_outside(
    store: Store, tmp_path: Path, backup: str, later: int, said: list[str]
) -> None:
    config, three = tmp_path / "arsync.toml", datetime(2026, 3, 3, 3, tzinfo=UTC)
    config.write_text(f'[worker]\nbackup = "{backup}"\n', encoding="utf-8")
    with store.working() as work:
        duties.begin(work, "backup", due=three, now=three)
        found = list(examine_worker(load(config, environ={}), FixedClock(three + timedelta(hours=later)), work))
    assert [f"{one.level}: {one.detail}" for one in found if one.level != "ok"] == said


def test_in_an_hour_that_comes_twice_a_night_is_once_and_what_is_hourly_goes_on() -> None:
    """London, 25 October: 01:30 is at 00:30 UTC, and once more at 01:30 UTC."""
    noon = datetime(2026, 10, 24, 12, tzinfo=UTC)

    def three(crontab: str) -> list[str]:
        moments, at = list[str](), noon
        for _ in range(3):
            at = Times(crontab, "Europe/London").after(at)
            moments.append(f"{at:%d %H:%M}")
        return moments

    assert three("30 1 * * *") == ["25 00:30", "26 01:30", "27 01:30"]
    assert three("0 1,2 * * *") == ["25 00:00", "25 02:00", "26 01:00"]
    noon = datetime(2026, 10, 25, tzinfo=UTC)
    assert three("*/30 * * * *") == ["25 00:30", "25 01:00", "25 01:30"]
