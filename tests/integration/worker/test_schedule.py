"""What is done when: days of a worker, driven by hand."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from arsync.errors import DatabaseUnusable, Locked, RetryLater, Stopped
from arsync.ops.times import Times, WhenCalled
from arsync.store import duties
from arsync.store import tables as t
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock
from arsync.worker.duty import Job, Kind
from arsync.worker.schedule import Pace, Schedule

#: noon in London, seven in the morning in New York
BEGIN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LONDON, NEW_YORK = "Europe/London", "America/New_York"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def nothing() -> None:
    """A job that is done at once."""


@dataclass
class Days:
    """A worker whose days go by as this test wants. Each job is done at once, unless it is one of those kept `open`."""

    store: Store
    clock: FixedClock = field(default_factory=lambda: FixedClock(BEGIN))
    jobs: list[Job] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)
    diary: list[tuple[datetime, str]] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    threads: dict[str, Callable[[], None]] = field(default_factory=dict)
    schedule: Schedule = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new process: nothing is known but what is in the database."""
        self.threads.clear()
        self.schedule = Schedule(
            self.store, self.clock, lambda: self.jobs, self._start, random.Random(7), self.pace
        )  # fmt: skip

    def job(
        self, kind: Kind, crontab: str, company: str | None = "harbor", zone: str = LONDON,
        work: Callable[[], None] = nothing,
    ) -> None:  # fmt: skip
        self.jobs.append(Job(kind, company, Times(crontab, zone), work))

    def _start(self, name: str, work: Callable[[], None]) -> None:
        self.diary.append((self.clock.now(), name))
        if name in self.open:
            self.threads[name] = work
        else:
            work()

    def pass_time(self, span: timedelta, step: timedelta = MINUTE) -> list[str]:
        """What began meanwhile, as `day hour:minute name` in UTC."""
        before = len(self.diary)
        until = self.clock.now() + span
        while self.clock.now() < until:
            self.schedule.look()
            self.clock.advance(step.total_seconds())
        return [f"{at:%d %H:%M} {name}" for at, name in self.diary[before:]]

    def missed(self, kind: str = "run_missed") -> list[tuple[str, int]]:
        with self.store.reading() as work:
            found = work.execute(select(t.events.c.data).where(t.events.c.kind == kind).order_by(t.events.c.id))
            return [(told["due"], told["runs"]) for told in map(json.loads, found.scalars())]


def test_every_company_has_its_night_on_its_own_clock_also_when_clocks_are_set(store: Store) -> None:
    """New York skips 02:00 on 8 March, London 01:00 on 29 March: nobody's night is left out or doubled."""
    days = Days(store)
    days.job(Kind.NIGHT, "0 2 * * *", "harbor", NEW_YORK)
    days.job(Kind.NIGHT, "30 1 * * *", "thames", LONDON)
    began = days.pass_time(timedelta(days=35), 10 * MINUTE)
    assert Counter(line.split(" ", 2)[2] for line in began) == {"nightly harbor": 35, "nightly thames": 35}
    assert began[:2] == ["03 01:30 nightly thames", "03 07:00 nightly harbor"]
    assert [line for line in began if line.startswith("08")] == ["08 01:30 nightly thames", "08 07:00 nightly harbor"]
    assert [line for line in began if line.startswith("09")] == ["09 01:30 nightly thames", "09 06:00 nightly harbor"]
    assert began[-2:] == ["06 00:30 nightly thames", "06 06:00 nightly harbor"]
    assert days.missed() == []


def test_a_worker_begins_with_the_delta_and_the_mail_and_waits_for_the_rest(store: Store) -> None:
    days = Days(store)
    for kind, crontab in ((Kind.SYNC, "0 * * * *"), (Kind.NIGHT, "0 2 * * *"), (Kind.RECONCILE, "0 4 * * sun")):
        days.job(kind, crontab)
    days.job(Kind.POLL, "*/15 * * * *", None)
    assert days.pass_time(timedelta(minutes=61)) == [
        "02 12:00 poll", "02 12:00 sync harbor", "02 12:15 poll", "02 12:30 poll", "02 12:45 poll", "02 13:00 poll",
        "02 13:00 sync harbor",
    ]  # fmt: skip


def test_a_night_does_what_a_delta_and_a_dispatch_would(store: Store) -> None:
    days = Days(store)
    for kind in (Kind.SYNC, Kind.DISPATCH, Kind.NIGHT):
        days.job(kind, "0 * * * *" if kind is not Kind.NIGHT else "0 2 * * *")
    days.pass_time(timedelta(hours=13, minutes=30))
    assert days.pass_time(HOUR) == ["03 02:00 nightly harbor"]
    assert days.pass_time(HOUR) == ["03 03:00 dispatch harbor", "03 03:00 sync harbor"]


def test_jitter_moves_each_beginning_within_its_bound_and_never_the_moments(store: Store) -> None:
    days = Days(store, pace=Pace(jitter=10 * MINUTE))
    for number in range(40):
        days.job(Kind.NIGHT, "0 2 * * *", f"company {number}")
    began = days.pass_time(timedelta(days=3))
    minutes = Counter(int(line[6:8]) for line in began)
    assert len(began) == 3 * 40
    assert {line[3:5] for line in began} == {"02"}
    assert 0 <= min(minutes) < max(minutes) <= 10
    assert len(minutes) > 5
    with store.reading() as work:
        assert {duty.due_at for duty in duties.every(work).values()} == {datetime(2026, 3, 5, 2, tzinfo=UTC)}


def test_nights_missed_while_nobody_worked_are_made_up_once_and_told(store: Store) -> None:
    """3 night / off from the 3rd, noon, to the 7th, ten o'clock: four nights, of which one is made up."""
    days = Days(store, pace=Pace(jitter=5 * MINUTE))
    days.job(Kind.NIGHT, "0 2 * * *")
    days.pass_time(timedelta(days=1))
    days.clock.advance(timedelta(days=3, hours=22).total_seconds())
    days.restart()
    assert days.pass_time(HOUR) == ["07 10:00 nightly harbor"]
    assert days.missed() == [("2026-03-04T02:00+00:00", 4)]
    days.pass_time(timedelta(days=2))
    assert [f"{at:%d}" for at, _ in days.diary] == ["03", "07", "08", "09"]
    assert len(days.missed()) == 1


def test_a_night_that_is_a_little_late_is_not_missed(store: Store) -> None:
    days = Days(store)
    days.job(Kind.NIGHT, "0 2 * * *")
    days.pass_time(timedelta(hours=13))
    days.clock.advance(timedelta(hours=2).total_seconds())  # 03:00: an hour late
    days.restart()
    assert days.pass_time(MINUTE) == ["03 03:00 nightly harbor"]
    assert days.missed() == []


def test_a_night_that_was_killed_is_begun_again_by_the_next_worker(store: Store) -> None:
    days = Days(store)
    days.open.add("nightly harbor")
    days.job(Kind.NIGHT, "0 2 * * *")
    days.pass_time(timedelta(hours=15))
    assert days.schedule.atwork() == ["nightly harbor"]
    days.restart()
    days.open.clear()
    assert days.pass_time(HOUR) == ["03 03:00 nightly harbor"]
    assert days.pass_time(HOUR) == []
    assert days.missed() == []


def test_a_stuck_company_delays_no_other_and_its_own_nights_are_told_as_missed(store: Store) -> None:
    days = Days(store)
    days.open.add("nightly harbor")
    for company in ("harbor", "thames"):
        days.job(Kind.NIGHT, "0 2 * * *", company)
        days.job(Kind.SYNC, "30 * * * *", company)
    began = days.pass_time(timedelta(days=2, hours=18))
    assert Counter(line[9:] for line in began if "nightly" in line) == {"nightly harbor": 1, "nightly thames": 3}
    assert [line for line in began if line.endswith("sync harbor")][-1] == "03 01:30 sync harbor"
    assert [line for line in began if line.endswith("sync thames")][-1] == "05 05:30 sync thames"
    days.open.clear()
    days.threads["nightly harbor"]()  # it comes to its end after two days: the night that it stood in is due at once
    assert days.pass_time(MINUTE)[0] == "05 06:00 nightly harbor"
    assert days.missed() == [("2026-03-04T02:00+00:00", 2)]


def test_no_more_threads_than_allowed_and_nights_before_deltas(store: Store) -> None:
    days = Days(store, pace=Pace(threads=2))
    for number in range(4):
        days.job(Kind.SYNC, "0 2 * * *", f"s{number}")
        days.job(Kind.NIGHT, "0 2 * * *", f"n{number}")
    days.pass_time(timedelta(hours=13))
    days.open.update(job.name for job in days.jobs)
    days.pass_time(90 * MINUTE)
    assert days.schedule.atwork() == ["nightly n0", "nightly n1"]
    days.threads.pop("nightly n0")()
    days.pass_time(MINUTE)
    assert days.schedule.atwork() == ["nightly n1", "nightly n2"]


def test_what_fails_is_kept_and_stops_nothing_and_nobody_else(store: Store) -> None:
    def fails() -> None:
        raise RetryLater("harbor is down")

    def breaks() -> None:
        raise ZeroDivisionError

    days = Days(store)
    days.job(Kind.NIGHT, "0 2 * * *", "harbor", work=fails)
    days.job(Kind.NIGHT, "0 2 * * *", "thames", work=breaks)
    days.job(Kind.NIGHT, "0 2 * * *", "tyne")
    days.pass_time(timedelta(days=2))
    with store.reading() as work:
        kept = duties.every(work)
    assert len(days.diary) == 6
    assert "harbor is down" in str(kept["nightly harbor"].error)
    assert kept["nightly thames"].error == "unexpected: ZeroDivisionError"
    assert kept["nightly tyne"].error is None


def test_a_company_that_another_works_for_is_asked_for_again_each_minute(store: Store) -> None:
    """02:00 to 02:03 `arsync run` has it."""
    refused = iter([True, True, True])

    def taken() -> None:
        if next(refused, False):
            raise Locked("harbor")

    days = Days(store)
    days.job(Kind.NIGHT, "0 2 * * *", work=taken)
    assert days.pass_time(timedelta(days=1)) == [f"03 02:0{minute} nightly harbor" for minute in range(4)]


def test_a_night_that_was_told_to_stop_is_due_again(store: Store) -> None:
    def stops() -> None:
        raise Stopped

    days = Days(store)
    days.job(Kind.NIGHT, "0 2 * * *", work=stops)
    days.pass_time(timedelta(hours=15))
    days.jobs.clear()
    days.job(Kind.NIGHT, "0 2 * * *")
    days.restart()
    assert days.pass_time(MINUTE) == ["03 03:00 nightly harbor"]


def test_a_night_that_could_not_be_begun_is_begun_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """02:00 the disk is full / 02:01 there is room."""
    days = Days(store)
    days.job(Kind.NIGHT, "0 2 * * *")
    days.pass_time(timedelta(hours=14))

    def full(*_: object, **__: object) -> None:
        raise DatabaseUnusable("the disk is full")

    with monkeypatch.context() as patch, pytest.raises(DatabaseUnusable):
        patch.setattr(duties, "begin", full)
        days.schedule.look()
    assert days.schedule.atwork() == []
    days.clock.advance(60)
    assert days.pass_time(MINUTE) == ["03 02:01 nightly harbor"]


def test_a_company_is_taken_up_when_it_is_linked_and_left_when_it_is_not_any_more(store: Store) -> None:
    days = Days(store)
    days.job(Kind.SYNC, "0 * * * *", "harbor")
    days.pass_time(5 * MINUTE)
    days.job(Kind.SYNC, "0 * * * *", "thames")
    assert days.pass_time(2 * MINUTE) == ["02 12:05 sync thames"]
    days.jobs.pop(0)
    assert days.pass_time(HOUR) == ["02 13:00 sync thames"]


def test_a_clock_that_stood_ahead_leaves_no_night_out_once_it_is_set_right(store: Store) -> None:
    """On the 3rd, noon, the clock says it is a month later / an hour after it is set back / restarted on the 6th."""
    days = Days(store)
    days.job(Kind.NIGHT, "0 2 * * *")
    days.job(Kind.SYNC, "0 * * * *")
    days.pass_time(timedelta(days=1))
    days.clock.advance(timedelta(days=30).total_seconds())
    days.pass_time(HOUR)
    days.clock.advance(-timedelta(days=30).total_seconds())
    began = days.pass_time(timedelta(days=2))
    assert [line for line in began if "nightly" in line] == ["04 02:00 nightly harbor", "05 02:00 nightly harbor"]
    assert began[0] == "03 14:00 sync harbor"
    days.clock.advance(timedelta(days=30).total_seconds())
    days.restart()
    days.pass_time(timedelta(days=2))
    days.clock.advance(-timedelta(days=31).total_seconds())
    days.restart()
    assert [line[3:] for line in days.pass_time(timedelta(days=2)) if "nightly" in line] == ["02:00 nightly harbor"] * 2


def test_companies_that_hang_keep_nobody_from_being_told(store: Store) -> None:
    days = Days(store, pace=Pace(threads=2))
    for number in range(3):
        days.job(Kind.SYNC, "0 * * * *", f"s{number}")
    days.job(Kind.ALERTS, "*/5 * * * *", None)
    days.open.update(f"sync s{number}" for number in range(3))
    days.pass_time(HOUR)
    assert days.schedule.atwork() == ["sync s0", "sync s1"]
    assert days.pass_time(10 * MINUTE) == ["02 13:00 alerts", "02 13:05 alerts"]


def test_a_timezone_that_a_company_tells_later_counts_from_then_on(store: Store) -> None:
    days = Days(store)
    days.job(Kind.NIGHT, "0 2 * * *", "harbor", "UTC")
    days.pass_time(HOUR)
    days.jobs.clear()
    days.job(Kind.NIGHT, "0 2 * * *", "harbor", NEW_YORK)
    assert days.pass_time(timedelta(days=1)) == ["03 07:00 nightly harbor"]


def test_a_backup_that_was_missed_is_made_up_once_and_told(store: Store) -> None:
    """03:00 made / two nights without a worker / noon: made up, and told as missed twice / 03:00 made in its time"""
    days = Days(store, pace=Pace(missed_after=2 * HOUR))
    days.job(Kind.BACKUP, "0 3 * * *", None, "UTC")
    assert days.pass_time(timedelta(days=1)) == ["03 03:00 backup"]
    days.clock.advance(2 * 86400)
    days.restart()
    assert days.pass_time(timedelta(days=1)) == ["05 12:00 backup", "06 03:00 backup"]
    assert days.missed("backup_missed") == [("2026-03-04T03:00+00:00", 2)]
    assert days.missed() == []


def test_what_was_made_up_is_not_missed_again_by_the_next_worker(store: Store) -> None:
    """Three nights without a worker / noon: made up, once / 13:00 another worker begins: nothing is due before 02:00"""
    days = Days(store)
    days.job(Kind.NIGHT, "0 2 * * *", zone="UTC")
    days.pass_time(HOUR)
    days.clock.advance(3 * 86400)
    days.restart()
    assert days.pass_time(HOUR) == ["05 13:00 nightly harbor"]
    days.restart()
    assert days.pass_time(timedelta(days=1)) == ["06 02:00 nightly harbor"]
    assert days.missed() == [("2026-03-03T02:00+00:00", 3)]


def test_what_is_called_for_begins_at_once_and_again_only_when_it_is_called_again(store: Store) -> None:
    """12:00 looks, as nobody does when a worker begins / 12:10 called for, looked at / 12:20 called for once more."""
    days = Days(store)
    calls: set[str] = set()
    days.schedule.called = lambda: calls
    days.jobs.append(Job(Kind.LOOK, "harbor", WhenCalled(), calls.clear))
    days.jobs.append(Job(Kind.POSTS, None, WhenCalled(), calls.clear))
    assert days.pass_time(10 * MINUTE) == []
    calls.add("look harbor")
    assert days.pass_time(10 * MINUTE) == ["02 12:10 look harbor"]
    calls.add("posts")
    assert days.pass_time(10 * MINUTE) == ["02 12:20 posts"]
    calls.add("look of nobody that is there")
    assert days.pass_time(10 * MINUTE) == []


def test_a_company_that_is_called_for_without_end_is_looked_at_a_hundred_times_a_day_at_most(store: Store) -> None:
    """At once for ten times, then each quarter of an hour: Xero's smallest tier allows 1,000 requests, eight a look."""
    days = Days(store)
    days.schedule.called = lambda: {"look harbor"}
    days.jobs.append(Job(Kind.LOOK, "harbor", WhenCalled(), nothing))
    began = days.pass_time(timedelta(days=1))
    assert began[:10] == [f"02 12:0{minute} look harbor" for minute in range(10)]
    assert 95 <= len(began) <= 106
    days.schedule.called = lambda: ()
    days.pass_time(timedelta(hours=3))
    days.schedule.called = lambda: {"look harbor"}
    assert len(days.pass_time(10 * MINUTE)) == 10


def test_a_look_that_fails_is_tried_again_a_minute_later(store: Store) -> None:
    left = [RetryLater("harbor is down"), RetryLater("harbor is down")]
    calls = {"look harbor"}

    def looks() -> None:
        if left:
            raise left.pop()
        calls.clear()

    days = Days(store)
    days.schedule.called = lambda: calls
    days.jobs.append(Job(Kind.LOOK, "harbor", WhenCalled(), looks))
    assert days.pass_time(HOUR, timedelta(seconds=10)) == [f"02 12:0{minute} look harbor" for minute in range(3)]


def test_a_company_at_whose_night_it_is_called_for_is_looked_at_after_it(store: Store) -> None:
    """The company's night is at work when it is called for: it is looked at when the night has ended."""
    days = Days(store)
    days.open.add("nightly harbor")
    days.job(Kind.NIGHT, "0 13 * * *")
    days.jobs.append(Job(Kind.LOOK, "harbor", WhenCalled(), nothing))
    calls: set[str] = set()
    days.schedule.called = lambda: calls
    assert days.pass_time(HOUR + MINUTE) == ["02 13:00 nightly harbor"]
    calls.add("look harbor")
    assert days.pass_time(10 * MINUTE) == []
    days.threads["nightly harbor"]()
    assert days.pass_time(MINUTE) == ["02 13:11 look harbor"]
