"""What stands on every sheet of paper: who writes to whom, when, and where to pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from babel import Locale

from arsync.domain.chase import Seller
from arsync.render.colors import PAPER, color_of, readable
from arsync.render.paper import Window
from arsync.render.wording import fill, lines_of, locale_of, one_line

#: What a window shows; DIN 5008 knows six lines.
_WINDOW_LINES: Final = 6
_COLUMNS: Final = ("on", "document", "due", "amount", "open", "running")


def sheet_values(
    seller: Seller,
    locale: Locale,
    words: Mapping[str, Any],
    *,
    title: str,
    today: str,
    window: Sequence[str],
    currencies: Sequence[str],
    quote: str,
) -> dict[str, Any]:
    """The values that the house's sheet takes, whatever else is printed on it."""
    accounts = [lines_of(seller.bank_details[one]) for one in currencies if one in seller.bank_details]
    return {
        "window": Window.of(seller.country).value,
        "lang": locale.language,
        "region": locale.territory,
        "title": title,
        "date": today,
        "color": readable(color_of(seller.color), PAPER),
        "seller": {
            "name": one_line(seller.name),
            "address": [
                line for line in lines_of(seller.address) if line.casefold() != one_line(seller.name).casefold()
            ],
            "legal": list(lines_of(seller.legal_footer, 300)),
        },
        "address": list(window),
        "words": {"page": words["page"], "quote": words["quote"], **{key: words[key] for key in _COLUMNS}},
        "bank": [line for account in accounts for line in account],
        "pay_to": fill(words["pay_to"], ", ".join(currencies)),
        "quote": quote,
        "links": [],
        "end": "end",
    }


def _same(one: str, other: str) -> bool:
    return one_line(one).casefold() == one_line(other).casefold()


def window_lines(payer: str, address: str | None, country: str | None, seller: Seller, person: str = "") -> list[str]:
    """What shows in the window: the name, whom it is for, the address, and abroad the country, in capitals as the post
    asks. Where there are too many lines those between name and street go first."""
    name = one_line(payer)
    below = list(lines_of(address or ""))
    if below and country and seller.country and country != seller.country:
        abroad = locale_of(seller.locale).territories.get(country)
        below += [abroad.upper()] if abroad else []
    aside = [one_line(person)] if person and one_line(person).casefold() != name.casefold() else []
    room = _WINDOW_LINES - 1 - len(below)
    return [name, *aside[: max(0, room)], *below[-(_WINDOW_LINES - 1) :]]
