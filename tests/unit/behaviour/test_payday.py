"""A habit is told from the days on which money came, and only where chance would hardly make it."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arsync.domain.payday import MONTH_END, PayDay, Rhythm, habit, read
from arsync.testing.builders import day


def on(*written: str) -> list[date]:
    return [day(one) for one in written]


def test_the_fifteenth_or_the_working_day_beside_it() -> None:
    # 15 March and 15 August 2026 are on a weekend
    came = on("01-15", "02-16", "03-13", "04-15", "05-15", "06-15", "07-15", "08-17")
    assert habit(came) == PayDay(Rhythm.MONTHLY, 15)


def test_the_last_of_the_month_is_one_day_however_long_the_month() -> None:
    assert habit(on("01-30", "02-27", "03-31", "04-30", "05-29", "06-30")) == PayDay(Rhythm.MONTHLY, MONTH_END)


def test_fridays() -> None:
    assert habit(on("01-09", "01-23", "02-06", "02-20", "03-06", "03-20", "04-03")) == PayDay(Rhythm.WEEKLY, 4)


def test_many_invoices_of_one_run_are_one_day() -> None:
    assert habit([*on("01-15", "02-15", "03-15")] * 20) is None


def test_a_stray_payment_breaks_no_habit() -> None:
    came = on("01-10", "02-10", "02-23", "03-10", "04-10", "05-11", "06-10")
    assert habit(came) == PayDay(Rhythm.MONTHLY, 10)


def test_days_drawn_blindly_are_seldom_taken_for_a_habit() -> None:
    chance = Random(7)
    taken = 0
    for _ in range(300):
        drawn = [date.fromordinal(date(2026, 1, 1).toordinal() + chance.randrange(365)) for _ in range(12)]
        taken += habit(drawn) is not None
    assert taken < 6


@pytest.mark.parametrize(
    ("payday", "after", "then"),
    [
        (PayDay(Rhythm.MONTHLY, 15), "06-15", "06-15"),
        (PayDay(Rhythm.MONTHLY, 15), "06-16", "07-15"),
        (PayDay(Rhythm.MONTHLY, MONTH_END), "02-01", "02-28"),
        (PayDay(Rhythm.MONTHLY, MONTH_END), "2026-12-31", "2026-12-31"),
        (PayDay(Rhythm.MONTHLY, 5), "2026-12-06", "2027-01-05"),
        (PayDay(Rhythm.WEEKLY, 4), "06-05", "06-05"),
        (PayDay(Rhythm.WEEKLY, 4), "06-06", "06-12"),
    ],
)
def test_the_next_run(payday: PayDay, after: str, then: str) -> None:
    assert payday.next_on(day(after)) == day(then)


@pytest.mark.parametrize(
    ("text", "payday"),
    [
        ("15", PayDay(Rhythm.MONTHLY, 15)),
        (" 30 ", PayDay(Rhythm.MONTHLY, MONTH_END)),
        ("End of month", PayDay(Rhythm.MONTHLY, MONTH_END)),
        ("Fridays", PayDay(Rhythm.WEEKLY, 4)),
        ("tue", PayDay(Rhythm.WEEKLY, 1)),
    ],
)
def test_a_person_may_say_the_day(text: str, payday: PayDay) -> None:
    assert read(text) == payday


@pytest.mark.parametrize("text", ["0", "32", "soon", "", "-5", "1.5", "²"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a payment day"):
        read(text)


@given(st.lists(st.dates(date(2025, 1, 1), date(2026, 12, 31)), max_size=30), st.dates())
def test_a_habit_has_a_next_day_within_a_month(came: list[date], after: date) -> None:
    found = habit(came)
    assert found == habit(came[::-1])
    if found is not None and after < date.max.replace(month=11, day=1):
        assert 0 <= (found.next_on(after) - after).days <= 31
