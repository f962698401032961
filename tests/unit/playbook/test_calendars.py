"""Business days by country and region."""

from __future__ import annotations

import pytest

from arsync.domain.calendar import Calendar
from arsync.playbook.calendars import calendar_for
from arsync.testing.builders import day

WORKWEEK = range(5)


@pytest.mark.parametrize(
    ("country", "region", "closed", "opens"),
    [
        ("AU", "NSW", "04-03", "04-07"),  # Good Friday to Easter Monday
        ("FR", None, "07-14", "07-15"),
        ("US", None, "07-03", "07-06"),  # Independence Day falls on a Saturday: observed on Friday
        ("DE", "BY", "01-06", "01-07"),  # Epiphany, in Bavaria
        ("gb", "sct", "01-02", "01-05"),
    ],
)
def test_public_holidays_are_no_business_days(country: str, region: str | None, closed: str, opens: str) -> None:
    calendar = calendar_for(country, region, WORKWEEK, [2026])
    assert not calendar.is_open(day(closed))
    assert calendar.next_open(day(closed)) == day(opens)


def test_a_regional_holiday_is_a_business_day_elsewhere() -> None:
    assert calendar_for("DE", "BE", WORKWEEK, [2026]).is_open(day("01-06"))
    assert calendar_for("GB", None, WORKWEEK, [2026]).is_open(day("01-02"))


@pytest.mark.parametrize(("country", "region"), [(None, None), ("", None), ("ZZ", None), ("Narnia", "North")])
def test_an_unknown_place_has_weekdays_and_no_holidays(country: str | None, region: str | None) -> None:
    assert calendar_for(country, region, WORKWEEK, [2026]) == Calendar(frozenset(WORKWEEK), frozenset())


def test_an_unknown_region_has_its_countrys_holidays() -> None:
    assert calendar_for("DE", "XX", WORKWEEK, [2026]) == calendar_for("DE", None, WORKWEEK, [2026])


def test_holidays_of_every_year_asked_for_are_there() -> None:
    calendar = calendar_for("FR", None, WORKWEEK, range(2026, 2028))
    assert not calendar.is_open(day("2026-07-14"))
    assert not calendar.is_open(day("2027-07-14"))
