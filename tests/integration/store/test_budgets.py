"""One allowance for all threads and processes, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from arsync.connector import Limits, in_bulk, others_waiting
from arsync.errors import RetryLater
from arsync.store import events
from arsync.store.budgets import SharedBudget
from arsync.store.engine import BESIDE, Store
from arsync.testing.ports import FixedClock

XERO = Limits(
    per_minute=10,
    per_day=5000,
    app_per_minute=15,
    concurrent=3,
    reserve_per_minute=2,
    reserve_per_day=200,
    remaining={"X-MinLimit-Remaining": "minute", "X-DayLimit-Remaining": "day"},
    problem="X-Rate-Limit-Problem",
    problems={"minute": "minute", "day": "day", "appminute": "app_minute"},
)
INTUIT = Limits(per_second=10, per_minute=500, app_per_minute=800)


def budget(store: Store, clock: FixedClock, limits: Limits = INTUIT, company: str = "acme") -> SharedBudget:
    return SharedBudget(store, clock, limits, app="vendor", company=company)


def test_two_processes_share_a_minute(store: Store, another_store: Callable[[], Store]) -> None:
    clock = FixedClock()
    here, there = budget(store, clock, Limits(per_minute=10)), budget(another_store(), clock, Limits(per_minute=10))
    for _ in range(5):
        here.spend()
        there.spend()
    assert clock.slept == []
    here.spend()
    assert 60 < clock.slept[0] < 63


def test_companies_have_their_own_minutes_and_one_app(store: Store) -> None:
    clock = FixedClock()
    limits = Limits(per_minute=10, app_per_minute=15)
    acme, birch = budget(store, clock, limits), budget(store, clock, limits, "birch")
    for _ in range(10):
        acme.spend()
    for _ in range(5):
        birch.spend()
    assert clock.slept == []
    birch.spend()
    assert 60 < clock.slept[0] < 63, "the app's minute is used up"


def test_many_threads_never_take_more_than_there_is(store: Store, another_store: Callable[[], Store]) -> None:
    """Eight threads on two stores: 40 in the minute at once, and not one more."""
    clock = FixedClock()
    limits = Limits(per_minute=40, reserve_per_minute=0)
    went: list[float] = []

    class Frozen(FixedClock):
        def sleep(self, seconds: float) -> None:
            went.append(seconds)

    stores = [store, another_store()]
    workers = [budget(stores[number % 2], Frozen(clock.instant), limits) for number in range(8)]
    threads = [
        threading.Thread(target=lambda one=worker: [one.spend() for _ in range(6)], daemon=True) for worker in workers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(went) == 8 * 6 - 40


def test_how_long_a_load_takes_counts_what_any_process_has_spent(
    store: Store, another_store: Callable[[], Store]
) -> None:
    clock = FixedClock()
    here, there = budget(store, clock, Limits(per_minute=10)), budget(another_store(), clock, Limits(per_minute=10))
    assert here.duration(10) == 0
    for _ in range(9):
        there.spend()
    assert here.duration(1) == 0
    assert 60 < here.duration(10) < 63


def test_the_reserve_is_for_notes(store: Store) -> None:
    clock = FixedClock()
    one = budget(store, clock, Limits(per_minute=10, reserve_per_minute=4))
    with in_bulk():
        for _ in range(6):
            one.spend()
    for _ in range(4):
        one.spend()
    assert clock.slept == []


def test_the_day_of_the_smaller_tier_is_known_from_the_answer(store: Store) -> None:
    clock = FixedClock()
    one = budget(store, clock, XERO)
    one.spend()
    one.observe(200, {"X-MinLimit-Remaining": "9", "X-DayLimit-Remaining": "200"})
    with in_bulk(), pytest.raises(RetryLater, match="of the day is used up, but for 200 kept") as refused:
        one.spend()
    assert 3000 < refused.value.after <= 3600
    one.spend()  # a note
    assert clock.slept == []


def test_a_retry_after_holds_every_process_of_that_company_only(
    store: Store, another_store: Callable[[], Store]
) -> None:
    clock = FixedClock()
    here, there = budget(store, clock, XERO), budget(another_store(), clock, XERO)
    here.spend()
    here.observe(429, {"Retry-After": "66975", "X-Rate-Limit-Problem": "day"})
    with pytest.raises(RetryLater, match=r"limit: day\); again at 2026-09-02 06:36 UTC") as refused:
        there.spend()
    assert refused.value.after == pytest.approx(66975)
    budget(store, clock, XERO, "birch").spend()
    assert clock.slept == []


def test_a_short_retry_after_counts_more_than_a_minute_with_nothing_left(store: Store) -> None:
    clock = FixedClock()
    acme = budget(store, clock, XERO)
    acme.spend()
    acme.observe(429, {"Retry-After": "5", "X-Rate-Limit-Problem": "minute", "X-MinLimit-Remaining": "0"})
    acme.spend()
    assert clock.slept == [pytest.approx(5)]


def test_a_company_that_must_wait_lets_others_go_first(store: Store) -> None:
    clock = FixedClock()
    acme = budget(store, clock, XERO)
    acme.observe(429, {"Retry-After": "60", "X-Rate-Limit-Problem": "minute"})
    with others_waiting(), pytest.raises(RetryLater):
        acme.spend()
    assert clock.slept == []
    acme.spend()  # nobody waits any more
    assert clock.slept == [pytest.approx(60)]


def test_a_full_app_holds_every_company(store: Store) -> None:
    clock = FixedClock()
    acme, birch = budget(store, clock, XERO), budget(store, clock, XERO, "birch")
    acme.spend()
    acme.observe(429, {"Retry-After": "20", "X-Rate-Limit-Problem": "appminute"})
    birch.spend()
    assert clock.slept == [pytest.approx(20)]


def test_a_429_without_a_word_is_a_minute_and_if_it_does_not_end_the_apps_month(store: Store) -> None:
    """QuickBooks means both by it: a minute's throttle of one company, and the app's reads of a month."""
    clock = FixedClock()
    acme, birch = budget(store, clock), budget(store, clock, company="birch")
    for _ in range(3):
        acme.spend()
        acme.observe(429, {})
    assert clock.slept == [pytest.approx(60)] * 2
    birch.spend()
    assert clock.slept == [pytest.approx(60)] * 2, "a throttled company is no other's affair"
    acme.spend()
    acme.observe(429, {})
    with pytest.raises(RetryLater, match="allowance of the month may be used up; again at") as refused:
        birch.spend()
    assert refused.value.after == pytest.approx(300), "a short time first: it may be no month's end"
    clock.advance(300)
    acme.spend()
    acme.observe(429, {})
    with pytest.raises(RetryLater, match="allowance of the month may be used up") as refused:
        birch.spend()
    assert refused.value.after == pytest.approx(480), "nothing but refusals for so long"
    clock.advance(480)
    birch.spend()
    birch.observe(200, {})
    acme.spend()
    acme.observe(429, {})
    birch.spend()  # and so it begins anew
    assert clock.slept == [pytest.approx(60)] * 3


def test_where_another_company_is_answered_the_app_is_never_closed(store: Store) -> None:
    """Acme is refused for ten minutes, each minute once; Birch works on, and waits for nothing."""
    clock = FixedClock()
    acme, birch = budget(store, clock), budget(store, clock, company="birch")
    for minute in range(10):
        acme.spend()
        acme.observe(429, {})
        waited = len(clock.slept)
        for _ in range(3):
            birch.spend()
            birch.observe(200, {})
        assert len(clock.slept) == waited == minute
    assert clock.slept == [pytest.approx(60)] * 9


def test_a_good_answer_ends_a_row_of_refusals(store: Store) -> None:
    clock = FixedClock()
    one = budget(store, clock)
    for status in (429, 429, 200, 429, 429, 200):
        one.spend()
        one.observe(status, {})
    one.spend()
    assert max(clock.slept) == pytest.approx(60)


def test_no_more_are_on_their_way_than_may_be(store: Store) -> None:
    clock = FixedClock()
    one = budget(store, clock, Limits(concurrent=3))
    with in_bulk():
        one.spend()
        one.spend()
    one.spend()  # the last place is not for bulk
    one.observe(200, {})
    one.spend()
    one.lose()
    one.spend()
    assert clock.slept == []
    with pytest.raises(RetryLater, match="too many requests are on their way"):
        one.spend()


def test_the_requests_of_a_process_that_died_are_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FixedClock()
    dead = budget(store, clock, Limits(concurrent=2))
    monkeypatch.setattr(dead, "_holder", dead._holder.partition(" start ")[0] + " start 1")
    dead.spend()
    dead.spend()
    one = budget(store, clock, Limits(concurrent=2))
    one.spend()
    assert clock.slept == []


def test_the_requests_of_a_process_on_another_machine_end_with_their_time(store: Store) -> None:
    clock = FixedClock()
    far = budget(store, clock, Limits(concurrent=1))
    far._holder = "elsewhere pid 7 start 1"
    far.spend()
    one = budget(store, clock, Limits(concurrent=1))
    with pytest.raises(RetryLater):
        one.spend()
    clock.advance(61)
    one.spend()


def test_an_answer_that_has_come_is_not_lost_over_its_accounting(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from arsync.errors import Locked

    one = budget(store, FixedClock(), XERO)
    one.spend()

    def locked() -> None:
        raise Locked("busy")

    monkeypatch.setattr(store, "aside", locked)
    one.observe(200, {"X-DayLimit-Remaining": "7"})
    one.lose()
    assert [record.message for record in caplog.records] == ["budget_not_kept"] * 2
    with pytest.raises(RetryLater):
        one.spend()


def test_a_request_does_not_wait_for_a_page_that_is_being_stored(store: Store) -> None:
    clock = FixedClock()
    with store.working() as work:
        events.log(work, "a_page_is_stored", at=clock.now())
        budget(store, clock).spend()  # on SQLite it would wait for half a minute, and fail
        work.commit()
    assert clock.slept == []


def test_an_account_that_is_deleted_beside_the_database_begins_anew(tmp_path: Path) -> None:
    clock = FixedClock()
    first = Store(f"sqlite:///{tmp_path}/a.db")
    budget(first, clock, Limits(per_minute=1)).spend()
    first.close()
    for left in tmp_path.glob(f"a.db{BESIDE}*"):
        left.unlink()
    again = Store(f"sqlite:///{tmp_path}/a.db")
    budget(again, clock, Limits(per_minute=1)).spend()
    assert clock.slept == []
    again.close()
