"""Business days from the public holidays of a country and region."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

import holidays

from arsync.domain.calendar import Calendar


def calendar_for(country: str | None, region: str | None, weekdays: Iterable[int], years: Iterable[int]) -> Calendar:
    """The business days of a place (ISO 3166 codes) in those years; an unknown place has weekdays and no holidays."""
    return _calendar(
        (country or "").strip().upper(),
        (region or "").strip().upper(),
        frozenset(weekdays),
        tuple(sorted(set(years))),
    )


@lru_cache(maxsize=512)
def _calendar(country: str, region: str, weekdays: frozenset[int], years: tuple[int, ...]) -> Calendar:
    return Calendar(weekdays=weekdays, holidays=_holidays(country, region, years))


def _holidays(country: str, region: str, years: tuple[int, ...]) -> frozenset[date]:
    regions = holidays.list_supported_countries(include_aliases=True).get(country)
    if regions is None:
        return frozenset()
    subdivision = region if region in regions else None
    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=years))
