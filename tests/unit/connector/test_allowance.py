"""How much of a vendor's allowance is left, in seconds since the first request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arsync.connector.allowance import Account, Limits, Window, problem, remaining, retry_after

MINUTE = Window("minute", 60.0, 6, reserve=2)
DAY = Window("day", 86_400.0, 5000, reserve=200)
START = 1_800_000_000.0


def asked(account: Account, at: float, *windows: Window, bulk: bool = False) -> float:
    """Asks at that second and goes when it may: the second at which it goes."""
    account.forget(windows, START + at)
    ready, _ = account.ready(windows, START + at, bulk=bulk)
    account.spend(windows, ready)
    return ready - START


@given(
    st.lists(st.tuples(st.floats(0, 20), st.booleans()), min_size=1, max_size=80),
    st.integers(1, 12),
    st.integers(0, 12),
    st.sampled_from([1.0, 60.0]),
)
def test_no_stretch_of_that_length_ever_holds_more(
    pauses: list[tuple[float, bool]], limit: int, reserve: int, seconds: float
) -> None:
    window = Window("any", seconds, limit, reserve)
    account, now = Account(), 0.0
    went: list[float] = []
    for pause, bulk in pauses:
        now = max(now + pause * seconds / 60, max(went, default=0.0) - 90)  # nobody books further ahead
        went.append(asked(account, now, window, bulk=bulk))
    went.sort()
    assert all(later - sooner > seconds for sooner, later in zip(went, went[limit:], strict=False))


def test_a_stretch_is_used_to_its_end() -> None:
    """Six at once, and six more when those have left the minute."""
    account = Account()
    went = [asked(account, 0, MINUTE) for _ in range(12)]
    assert went[:6] == [0] * 6
    assert 60 < went[6] == went[11] < 63


def test_bulk_leaves_the_reserve_and_a_note_takes_it() -> None:
    account = Account()
    assert [asked(account, 0, MINUTE, bulk=True) for _ in range(4)] == [0] * 4
    assert [asked(account, 1, MINUTE) for _ in range(2)] == [1, 1]
    assert asked(account, 2, MINUTE) > 60
    ready, reason = account.ready((MINUTE,), START + 2, bulk=True)
    assert ready > START + 60
    assert reason == "the allowance of the minute is used up"


def test_how_long_it_takes_counts_what_is_spent() -> None:
    """Four in bulk to a minute: ten take two minutes more; with three spent already the last two wait once more."""
    fresh = Account()
    assert fresh.duration((MINUTE,), 4, START) == 0
    assert 120 < fresh.duration((MINUTE,), 10, START) < 125
    for second in range(3):
        asked(fresh, second, MINUTE, bulk=True)
    assert fresh.duration((MINUTE,), 1, START + 3) == 0
    assert 57 < fresh.duration((MINUTE,), 2, START + 3) < 62
    assert fresh.duration((MINUTE,), 10, START + 3) == pytest.approx(180, abs=6)
    assert fresh.duration((MINUTE,), 4, START + 300) == 0, "what was spent counts no more"


def test_how_long_it_takes_believes_the_vendor() -> None:
    """4,800 are ours in a day, and the vendor says that 300 are left of 5,000; 100 of these are not the reserve."""
    account = Account()
    account.hear((DAY,), {"day": 300}, START)
    assert account.duration((DAY,), 100, START + 1) == 0
    assert 3500 < account.duration((DAY,), 101, START + 1) <= 3600
    account.refuse(START, 50, "throttled")
    assert account.duration((DAY,), 1, START + 1) == 49


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=40), st.integers(1, 40), st.integers(1, 12))
def test_as_long_as_is_said_it_takes(spent: list[tuple[float, bool]], requests: int, limit: int) -> None:
    window = Window("any", 60.0, limit, reserve=1)
    account, now = Account(), 0.0
    for pause, bulk in spent:
        now += pause
        now = max(now, asked(account, now, window, bulk=bulk))
    account.forget((window,), START + now)
    said = now + account.duration((window,), requests, START + now)
    for _ in range(requests):
        now = max(now, asked(account, now, window, bulk=True))
    assert now == pytest.approx(said, abs=0.001)


def test_the_vendors_own_count_is_believed() -> None:
    """The smaller tier: 1,000 a day, and somebody else's program has used most of them."""
    account = Account()
    account.hear((DAY,), {"day": 201}, START)
    assert asked(account, 1, DAY, bulk=True) == 1
    ready, reason = account.ready((DAY,), START + 2, bulk=True)
    assert ready > START + 3000
    assert reason == "the vendor's allowance of the day is used up, but for 200 kept for messages and notes"
    assert asked(account, 2, DAY) == 2, "a note is written all the same"
    assert asked(account, 3601, DAY, bulk=True) == 3601, "after an hour it is asked again: its day may have ended"


def test_a_pause_holds_everybody_and_is_never_shortened() -> None:
    account = Account()
    account.refuse(START, 60, "the vendor throttles")
    account.refuse(START + 1, 5, "the vendor throttles")
    assert account.ready((MINUTE,), START + 2, bulk=False) == (START + 60, "the vendor throttles")


def test_refusals_that_do_not_end_are_no_minutes_allowance() -> None:
    account = Account()
    for second in (0, 60, 120):
        account.count_refusal(START + second, 60)
        assert not account.is_spent_for_good(START + second)
    account.count_refusal(START + 180, 60)
    assert account.is_spent_for_good(START + 180)
    account.count_refusal(START + 90_000, 60)
    assert not account.is_spent_for_good(START + 90_000), "one a day later is the first of its kind"


def test_a_closure_lasts_as_long_as_the_refusals_before_it() -> None:
    """Refused for two minutes: five are waited, then eight, and so on to an hour."""
    account, at, waited = Account(), START, []
    account.count_refusal(START, 60)
    at += 180
    for _ in range(7):
        account.close(at, "the month may be used up")
        waited.append(round(account.not_before - at))
        at = account.not_before
    assert waited == [300, 480, 960, 1920, 3600, 3600, 3600]


def test_an_hourly_job_that_is_refused_each_time_waits_longer_each_time() -> None:
    """Four refusals at three, four more at four: what lasts an hour already is waited for an hour."""
    account, waited = Account(), []
    for hour in (0, 1):
        for minute in range(4):
            at = START + hour * 3600 + minute * 60
            account.count_refusal(at, 60)
            if account.is_spent_for_good(at):
                account.close(at, "the month may be used up")
                waited.append(round(account.not_before - at))
                break
    assert waited == [300, 3600]
    rare = Account()
    for hour in (0, 1, 2):
        rare.count_refusal(START + hour * 3600, 60)
        assert not rare.is_spent_for_good(START + hour * 3600), "one an hour is a minute's affair"


def test_a_clock_that_is_set_back_frees_what_lies_ahead() -> None:
    account = Account()
    for _ in range(6):
        asked(account, 86_400, MINUTE)
    assert asked(account, 0, MINUTE) == 0


def test_a_refusal_from_a_clock_that_stood_a_year_ahead_closes_nothing() -> None:
    """2027: refused, and closed for long. 2026 again: open; what is refused then holds for its own pause."""
    account, year = Account(), 365 * 86_400.0
    account.refuse(START + year, 60, "the vendor throttles")
    account.close(START + year, "the month may be used up")
    assert asked(account, 0, MINUTE) == 0
    account.close(START + year, "the month may be used up")
    account.count_refusal(START + 1, 60)
    account.refuse(START + 1, 60, "the vendor throttles")
    assert asked(account, 2, MINUTE) == 61
    assert not account.is_spent_for_good(START + 62)


def test_headers_are_read_by_the_vendors_own_names() -> None:
    limits = Limits(
        remaining={"X-Left": "minute", "X-Day-Left": "day"}, problem="X-Problem", problems={"appminute": "app_minute"}
    )
    assert remaining(limits, {"X-Left": "7", "X-Day-Left": "soon"}) == {"minute": 7}
    assert problem(limits, {"X-Problem": "AppMinute"}) == "app_minute"
    assert problem(limits, {}) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("17", 17),
        ("0", 1),
        ("Tue, 01 Sep 2026 12:01:00 GMT", 60),
        ("soon", None),
        ("", None),
        ("inf", 86_400),
        ("9e9", 86_400),
        ("Wed, 01 Sep 2027 12:00:00 GMT", 86_400),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": text}, datetime(2026, 9, 1, 12, tzinfo=UTC)) == seconds
