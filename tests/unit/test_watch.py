"""The rhythm of a feed: silence is noticed by the firm's own measure, and ordinary life never trips it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from arsync.store.pulse import Beat
from arsync.sync.watch import silence

TODAY = date(2026, 11, 20)


def days(back: int, until: date = TODAY) -> list[date]:
    return [until - timedelta(days=ago) for ago in range(back, -1, -1)]


def is_business_day(day: date) -> bool:
    christmas = (day.month, day.day) >= (12, 22) or (day.month, day.day) <= (1, 4)
    return day.weekday() < 5 and not christmas


def a_busy_firm(day: date, dice: random.Random) -> tuple[int, int]:
    """25 invoices and 20 payments on each business day, closed from 22 December to 4 January."""
    return (25, 20) if is_business_day(day) else (0, 0)


def a_small_firm(day: date, dice: random.Random) -> tuple[int, int]:
    """Three invoices a month, paid whenever."""
    return int(dice.random() < 0.1), int(dice.random() < 0.1)


def a_monthly_run(day: date, dice: random.Random) -> tuple[int, int]:
    """Invoices every business day, all payments on the last day of the month: debits, or a batch."""
    last = (day + timedelta(days=1)).month != day.month
    return (8 if is_business_day(day) else 0), (150 if last else 0)


def a_monthly_bill(day: date, dice: random.Random) -> tuple[int, int]:
    """Five hundred invoices on the first, payments on business days."""
    return (500 if day.day == 1 else 0), (22 if is_business_day(day) else 0)


def subscriptions_over_christmas(day: date, dice: random.Random) -> tuple[int, int]:
    """Invoices go out every day by themselves, also when nobody is there to pay or to book."""
    return 20, (28 if is_business_day(day) else 0)


FIRMS = [a_busy_firm, a_small_firm, a_monthly_run, a_monthly_bill, subscriptions_over_christmas]


def lived(firm: Callable[[date, random.Random], tuple[int, int]], seed: int = 1) -> list[Beat]:
    dice = random.Random(seed)
    found = [Beat(day, *firm(day, dice)) for day in days(1400)]
    return [beat for beat in found if beat.invoices or beat.payments]


def seen(beats: list[Beat], today: date) -> list[Beat]:
    return [beat for beat in beats if today - timedelta(days=730) <= beat.on <= today]


@pytest.mark.parametrize("firm", FIRMS)
def test_ordinary_life_is_never_suspect_on_any_day_of_two_years(
    firm: Callable[[date, random.Random], tuple[int, int]],
) -> None:
    for seed in range(3 if firm is a_small_firm else 1):
        beats = lived(firm, seed)
        for today in days(660):
            assert silence(seen(beats, today), today) is None, f"{firm.__name__} on {today}"


@pytest.mark.parametrize(
    ("firm", "noticed_within"), [(a_busy_firm, 10), (a_monthly_bill, 33), (subscriptions_over_christmas, 33)]
)
def test_payments_that_stop_while_invoices_flow_are_noticed(
    firm: Callable[[date, random.Random], tuple[int, int]], noticed_within: int
) -> None:
    stop = date(2026, 9, 14)
    beats = [Beat(beat.on, beat.invoices, 0 if beat.on >= stop else beat.payments) for beat in lived(firm)]
    first = next(today for today in days(67) if today >= stop and silence(seen(beats, today), today))
    assert (first - stop).days <= noticed_within
    reason = silence(seen(beats, first), first)
    assert reason is not None
    assert "no payment since 2026-09-11" in reason.reason


def test_a_person_who_has_looked_is_believed_until_it_lasts_as_long_again() -> None:
    stop = date(2026, 9, 14)
    beats = [Beat(beat.on, beat.invoices, 0 if beat.on >= stop else beat.payments) for beat in lived(a_busy_firm)]
    noticed = next(today for today in days(67) if silence(seen(beats, today), today))
    assert silence(seen(beats, noticed), noticed, noticed) is None
    later = noticed + timedelta(days=12)
    assert silence(seen(beats, later), later, noticed)


def test_a_company_that_is_new_to_us_has_no_rhythm_yet() -> None:
    beats = [beat for beat in lived(a_busy_firm) if beat.on > TODAY - timedelta(days=150)]
    beats = [Beat(beat.on, beat.invoices, 0 if beat.on > TODAY - timedelta(days=40) else 20) for beat in beats]
    assert silence(beats, TODAY) is None
