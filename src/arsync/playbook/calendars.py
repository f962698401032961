"""Business days and hours from the public holidays and the timezone of a country and region."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from arsync.domain.calendar import Blackout, Calendar, Closed, Hours, NeverOpens
from arsync.domain.policy import Observed, SendWindow
from arsync.playbook.places import Place, region_code, regions_of, timezone_of

_NONE: Final[frozenset[date]] = frozenset()


@dataclass(frozen=True, slots=True)
class House:
    """The company that writes: where it is, by which clock it lives, and the days on which it is closed."""

    place: Place
    timezone: str
    closed: tuple[Blackout, ...] = ()


class PublicHolidays:
    """The public holidays of a country and region, worked out year by year as they are asked for."""

    def __init__(self, country: str, region: str | None) -> None:
        self._country = country
        self._region = region
        self._years: dict[int, frozenset[date]] = {}

    def __contains__(self, day: object) -> bool:
        if not isinstance(day, date):
            return False
        known = self._years.get(day.year)
        if known is None:
            found = holidays.country_holidays(self._country, subdiv=self._region, years=day.year)
            known = self._years[day.year] = frozenset(found)
        return day in known


def public_holidays(place: Place) -> Container[date]:
    """The public holidays of a place; none where it is not known, the whole country's where the region is not."""
    country = (place.country or "").strip().upper()
    return _holidays(country, region_code(country, place.region)) if regions_of(country) is not None else _NONE


@cache
def _holidays(country: str, region: str | None) -> PublicHolidays:
    return PublicHolidays(country, region)


def never_at_home(window: SendWindow, house: House, today: date) -> str | None:
    """Why nothing can ever go out to customers where the company is; None where something can."""
    try:
        calendar_for(Place(), window, house).next_open(today)
    except NeverOpens:
        return "public holidays, blackouts and closed days leave no day of two years to send on"
    return None


@lru_cache(maxsize=4096)
def calendar_for(place: Place, window: SendWindow, house: House) -> Calendar:
    """When a customer at that place may be written to by that company.

    Where nobody knows the customer's country, it is taken for the company's, region included.
    """
    there = place if place.country else house.place
    mine = public_holidays(house.place) if window.holidays in (Observed.BOTH, Observed.COMPANY) else _NONE
    company = ZoneInfo(house.timezone)
    zone = timezone_of(place) if window.by_customer else None
    return Calendar(
        weekdays=window.weekdays,
        holidays=public_holidays(there) if window.holidays in (Observed.BOTH, Observed.CUSTOMER) else _NONE,
        blackouts=window.blackouts,
        own=Closed(mine, house.closed),
        hours=Hours(window.opens, window.closes, zone or company, company),
    )
