"""Business days by country and region, whose clock a window goes by, and what the two give together."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from arsync.domain.calendar import Calendar, closed_days
from arsync.domain.policy import Observed, SendWindow
from arsync.playbook.calendars import House, calendar_for
from arsync.playbook.places import Place, region_code, timezone_of
from arsync.testing.builders import day

WINDOW = SendWindow(frozenset(range(5)), time(9), time(17), holidays=Observed.CUSTOMER)
#: By the company's clock, so that a day there is a day here.
BY_DAYS = SendWindow(WINDOW.weekdays, time(9), time(17), by_customer=False, holidays=Observed.CUSTOMER)
NOWHERE = House(Place(), "UTC")


def of(country: str | None, region: str | None = None, window: SendWindow = WINDOW, house: House = NOWHERE) -> Calendar:
    return calendar_for(Place(country, region), window, house)


def at(written: str) -> datetime:
    return datetime.fromisoformat(f"2026-{written}").replace(tzinfo=UTC)


# --- holidays -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "region", "closed", "opens"),
    [
        ("AU", "NSW", "04-03", "04-07"),  # Good Friday to Easter Monday
        ("FR", None, "07-14", "07-15"),
        ("US", None, "07-03", "07-06"),  # Independence Day falls on a Saturday: observed on Friday
        ("DE", "BY", "01-06", "01-07"),  # Epiphany, in Bavaria
        ("de", "Bayern", "01-06", "01-07"),
        ("gb", "Scotland", "01-02", "01-05"),
        ("CA", "quebec", "06-24", "06-25"),
    ],
)
def test_public_holidays_are_no_business_days(country: str, region: str | None, closed: str, opens: str) -> None:
    calendar = of(country, region, BY_DAYS)
    assert not calendar.is_open(day(closed))
    assert calendar.next_open(day(closed)) == day(opens)


def test_a_regional_holiday_is_a_business_day_elsewhere() -> None:
    assert of("DE", "BE").is_open(day("01-06"))
    assert of("GB").is_open(day("01-02"))
    assert of("GB", "Kent").is_open(day("01-02")), "a county has no holidays of its own"


@pytest.mark.parametrize(("country", "region"), [("", None), ("ZZ", None), ("Narnia", "North")])
def test_an_unknown_place_has_weekdays_and_no_holidays(country: str, region: str | None) -> None:
    assert of(country, region).next_open(day("12-25")) == day("12-25")
    assert of(country, region).next_open(day("12-26")) == day("12-28")


def test_a_customer_of_whom_no_country_is_known_is_taken_to_be_where_the_company_is() -> None:
    house = House(Place("DE", "BY"), "Europe/Berlin")
    assert not of(None, house=house).is_open(day("01-06"))
    assert of("FR", house=house).is_open(day("01-06"))


def test_the_holidays_of_far_years_are_there() -> None:
    assert not of("FR").is_open(day("2031-07-14"))


@pytest.mark.parametrize(
    ("observed", "bastille", "boxing"),
    [("both", False, False), ("customer", False, True), ("company", True, False), ("none", True, True)],
)
def test_whose_holidays_count_is_the_windows_to_say(observed: str, bastille: bool, boxing: bool) -> None:
    window = SendWindow(WINDOW.weekdays, time(9), time(17), holidays=Observed(observed))
    calendar = of("FR", window=window, house=House(Place("GB"), "Europe/London"))
    assert calendar.is_open(day("2025-07-14")) is bastille
    assert calendar.is_open(day("2025-12-26")) is boxing


def test_the_company_closes_on_days_of_its_own() -> None:
    house = House(Place("GB"), "Europe/London", (closed_days("2026-05-15 stocktaking"), closed_days("12-24..01-02")))
    calendar = of("GB", house=house)
    assert calendar.next_open(day("05-15")) == day("05-18")
    assert calendar.why_closed(day("05-15")) == "stocktaking"
    assert calendar.next_open(day("12-24")) == day("2027-01-04")


# --- regions and timezones ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "region", "zone"),
    [
        ("GB", None, "Europe/London"),
        ("gb", "Kent", "Europe/London"),
        ("DE", None, "Europe/Berlin"),
        ("NZ", None, "Pacific/Auckland"),
        ("US", "CA", "America/Los_Angeles"),
        ("US", "new york", "America/New_York"),
        ("CA", "Nouvelle-Ecosse", "America/Halifax"),
        ("AU", "Western Australia", "Australia/Perth"),
        ("AU", "nsw", "Australia/Sydney"),
        ("BR", "Sao Paulo", "America/Sao_Paulo"),
        ("US", None, None),
        ("US", "Ontario", None),
        ("MX", None, None),
        ("ZZ", None, None),
        (None, "CA", None),
    ],
)
def test_a_country_or_its_region_tells_the_timezone_where_it_is_certain(
    country: str | None, region: str | None, zone: str | None
) -> None:
    found = timezone_of(Place(country, region))
    assert (found.key if found else None) == zone


@pytest.mark.parametrize("country", ["US", "CA", "AU", "BR"])
def test_every_region_of_the_wide_countries_has_a_timezone(country: str) -> None:
    codes = {region_code(country, name) for name in _REGION_NAMES[country].split(", ")}
    assert None not in codes
    assert all(timezone_of(Place(country, code)) for code in codes)


_REGION_NAMES = {
    "US": "Alabama, Alaska, Arizona, Florida, Hawaii, Indiana, Maine, Nebraska, Oregon, Puerto Rico, Texas, Vermont",
    "CA": "Alberta, British Columbia, Manitoba, Nunavut, Ontario, Prince Edward Island, Quebec, Saskatchewan, Yukon",
    "AU": "ACT, New South Wales, Northern Territory, Queensland, South Australia, Tasmania, Victoria, WA",
    "BR": "Acre, Amazonas, Bahia, Ceará, Distrito Federal, Mato Grosso do Sul, Pará, Roraima, Rondônia, Tocantins",
}


# --- the customer's hours -----------------------------------------------------------------------------------------


def test_the_window_goes_by_the_customers_clock() -> None:
    """A company in London, a customer in Los Angeles: 09:00 to 17:00 there is 17:00 to 01:00 here, in summer."""
    calendar = of("US", "CA", house=House(Place("GB"), "Europe/London"))
    assert calendar.next_moment(at("06-02T10:00")) == at("06-02T16:00")
    assert calendar.next_moment(at("06-02T16:00")) is None
    assert calendar.next_moment(at("06-02T23:59")) is None
    assert calendar.next_moment(at("06-03T00:00")) == at("06-03T16:00")
    # Friday there is a quarter of Saturday here, and Saturday there is none
    assert calendar.is_open(day("06-06"))
    assert not calendar.is_open(day("06-07"))
    by_company = SendWindow(WINDOW.weekdays, time(9), time(17), by_customer=False)
    assert of("US", "CA", by_company, House(Place("GB"), "Europe/London")).next_moment(at("06-02T10:00")) is None


def test_a_customer_ahead_of_the_company_is_written_to_on_the_companys_sunday() -> None:
    """A company in Los Angeles, a customer in Sydney: Monday 09:00 there is Sunday 16:00 here, in our summer."""
    calendar = of("AU", "NSW", house=House(Place("US", "CA"), "America/Los_Angeles"))
    assert calendar.is_open(day("05-31"))
    assert not calendar.is_open(day("05-30"))
    assert calendar.next_moment(at("05-30T12:00")) == at("05-31T23:00")
    # 8 June is the King's birthday there
    assert not calendar.is_open(day("06-07"))
    assert calendar.next_moment(at("06-06T12:00")) == at("06-08T23:00")


def test_the_hours_move_with_daylight_saving() -> None:
    calendar = of("GB", house=House(Place("GB"), "Europe/London"))
    assert calendar.next_moment(at("03-27T17:00")) == at("03-30T08:00")  # the clock was set on the 29th
    assert calendar.next_moment(at("10-23T16:00")) == at("10-26T09:00")


EVERY_NIGHT = SendWindow(frozenset(range(7)), time(1, 15), time(1, 45), holidays=Observed.NONE)


def test_a_window_within_the_hour_that_is_skipped_is_left_out_that_day() -> None:
    calendar = of("GB", window=EVERY_NIGHT, house=House(Place("GB"), "Europe/London"))
    assert not calendar.is_open(day("03-29"))
    assert calendar.next_open(day("03-29")) == day("03-30")
    assert calendar.next_moment(at("03-28T02:00")) == at("03-30T00:15")


def test_a_window_that_begins_in_the_skipped_hour_opens_when_it_is_over() -> None:
    window = SendWindow(frozenset(range(7)), time(1, 30), time(2, 30), holidays=Observed.NONE)
    calendar = of("GB", window=window, house=House(Place("GB"), "Europe/London"))
    assert calendar.next_moment(at("03-28T12:00")) == at("03-29T01:00")  # 02:00 there
    assert calendar.next_moment(at("03-29T01:29")) is None
    assert calendar.next_moment(at("03-29T01:30")) == at("03-30T00:30")


def test_a_window_within_the_hour_that_comes_twice_opens_twice() -> None:
    calendar = of("GB", window=EVERY_NIGHT, house=House(Place("GB"), "Europe/London"))
    assert calendar.next_moment(at("10-24T12:00")) == at("10-25T00:15")
    assert calendar.next_moment(at("10-25T00:45")) == at("10-25T01:15")
    assert calendar.next_moment(at("10-25T01:44")) is None
    assert calendar.next_moment(at("10-25T01:45")) == at("10-26T01:15")


def test_a_day_that_a_country_skipped_is_no_day() -> None:
    """Samoa went from 29 to 31 December 2011."""
    window = SendWindow(frozenset(range(7)), time(9), time(17), holidays=Observed.NONE)
    calendar = of("WS", window=window, house=House(Place("WS"), "Pacific/Apia"))
    assert [calendar.is_open(date(2011, 12, d)) for d in (29, 30, 31)] == [True, False, True]
