"""Where a customer is: its region by any of its names, and what time of day it is there."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import holidays
from babel.core import get_global
from holidays.registry import EntityLoader

#: Countries whose people and businesses live by one time but for far islands or small corners.
_MAIN: Final = {
    "AR": "America/Argentina/Buenos_Aires",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PT": "Europe/Lisbon",
    "UA": "Europe/Kyiv",
    "UZ": "Asia/Tashkent",
    "VN": "Asia/Ho_Chi_Minh",
}
#: Country -> timezone -> the regions that live by it, or most of whose people do.
_REGIONS: Final = {
    "US": {
        "America/New_York": "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
        "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
        "America/Denver": "CO ID MT NM UT WY",
        "America/Phoenix": "AZ",
        "America/Los_Angeles": "CA NV OR WA",
        "America/Anchorage": "AK",
        "Pacific/Honolulu": "HI",
        "America/Puerto_Rico": "PR VI",
        "Pacific/Guam": "GU MP",
        "Pacific/Pago_Pago": "AS",
    },
    "CA": {
        "America/St_Johns": "NL",
        "America/Halifax": "NB NS PE",
        "America/Toronto": "ON QC",
        "America/Winnipeg": "MB",
        "America/Regina": "SK",
        "America/Edmonton": "AB NT",
        "America/Iqaluit": "NU",
        "America/Vancouver": "BC",
        "America/Whitehorse": "YT",
    },
    "AU": {
        "Australia/Sydney": "ACT NSW",
        "Australia/Melbourne": "VIC",
        "Australia/Hobart": "TAS",
        "Australia/Brisbane": "QLD",
        "Australia/Adelaide": "SA",
        "Australia/Darwin": "NT",
        "Australia/Perth": "WA",
    },
    "BR": {
        "America/Sao_Paulo": "DF ES GO MG PR RJ RS SC SP",
        "America/Bahia": "BA",
        "America/Fortaleza": "CE MA PB PI RN",
        "America/Recife": "PE",
        "America/Maceio": "AL SE",
        "America/Belem": "AP PA",
        "America/Araguaina": "TO",
        "America/Cuiaba": "MT",
        "America/Campo_Grande": "MS",
        "America/Manaus": "AM",
        "America/Boa_Vista": "RR",
        "America/Porto_Velho": "RO",
        "America/Rio_Branco": "AC",
    },
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is: an ISO 3166-1 code, and the region as the source writes it; None where nobody knows."""

    country: str | None = None
    region: str | None = None


@cache
def region_code(country: str, region: str | None) -> str | None:
    """The code of a region as the source writes it (`NSW`, `New South Wales`, `nouvelle-écosse`), None of any other."""
    regions = regions_of(country) or {}
    return regions.get(_folded(region)) if region else None


@cache
def regions_of(country: str) -> dict[str, str] | None:
    """Every way to write the regions of a country, and their codes; None where its holidays are not known."""
    if country not in _with_holidays():
        return None
    found = holidays.country_holidays(country)
    written: dict[str, str] = getattr(found, "subdivisions_aliases", {})
    return {_folded(name): code for name, code in {**written, **{code: code for code in found.subdivisions}}.items()}


@cache
def _with_holidays() -> frozenset[str]:
    """The countries whose holidays are known, by any of their codes; asking for their regions, too, would load all."""
    return frozenset(EntityLoader.get_country_codes(include_aliases=True))


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if letter.isalnum() and not unicodedata.combining(letter)).casefold()


@cache
def timezone_of(place: Place) -> ZoneInfo | None:
    """The timezone of a place; None where it is not certain."""
    code = (place.country or "").strip().upper()
    if code in _REGIONS:
        here = region_code(code, place.region)
        names = (name for name, regions in _REGIONS[code].items() if here in regions.split())
        name = next(names, None)
    else:
        name = _MAIN.get(code) or _single().get(code)
    return ZoneInfo(name) if name is not None and name in _available() else None


@cache
def _available() -> frozenset[str]:
    """The timezones that this machine knows."""
    return frozenset(available_timezones())


@cache
def _single() -> dict[str, str]:
    """The countries that have one timezone."""
    zones: dict[str, list[str]] = defaultdict(list)
    for name, country in get_global("zone_territories").items():
        zones[country].append(name)
    return {country: names[0] for country, names in zones.items() if len(names) == 1}
