"""Postal addresses, as the people of a country write them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

#: Where the code stands behind the town, with the region before it.
_REGION_THEN_CODE: Final = frozenset({"US", "CA", "AU"})
#: Where the code has a line of its own.
_CODE_BELOW: Final = frozenset({"GB", "IE"})


def postal_address(
    lines: Iterable[str | None],
    *,
    city: str | None,
    region: str | None,
    code: str | None,
    country: str | None,
    name: str = "",
) -> str | None:
    """The lines below the name, one a line; None where no letter would arrive: without street or without place.

    `country` is ISO 3166-1 alpha-2; its own line is added by whoever knows where the letter is posted. A line that only
    repeats the `name` is left out.
    """
    known = name.strip().casefold()
    street = [flat for line in lines if (flat := _flat(line)) and flat.casefold() != known]
    town, code, region = _flat(city), _flat(code), _flat(region)
    if not street or not (town or code):
        # Some write the whole address into its lines.
        return "\n".join(street) if len(street) > 1 else None
    if country in _CODE_BELOW:
        place = [town, code]
    elif country in _REGION_THEN_CODE:
        behind = " ".join(part for part in (region, code) if part)
        comma = ", " if country == "US" and town and behind else " "
        place = [comma.join(part for part in (town, behind) if part)]
    else:
        place = [" ".join(part for part in (code, town) if part)]
    return "\n".join([*street, *(line for line in place if line)])


def _flat(text: str | None) -> str:
    return " ".join((text or "").split())
