"""Colours of a brand, made readable: contrast as WCAG 2 counts it."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

FALLBACK: Final = "#1f4e79"
PAPER: Final = "#ffffff"  # the card of a message
NIGHT: Final = "#1a1e24"  # the same card where the reader's program is dark
INK: Final = "#000000"  # one of white and black can be read on any colour
#: What WCAG 2 asks of text of ordinary size.
READABLE: Final = Decimal("4.5")
_HEX: Final = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}")
_STEPS: Final = 20


def color_of(text: str) -> str:
    """The colour as `#rrggbb`; the house's own where it is not one, for it stands in a style sheet."""
    if not _HEX.fullmatch(text):
        return FALLBACK
    digits = text[1:] if len(text) == 7 else "".join(digit * 2 for digit in text[1:])
    return f"#{digits.lower()}"


def contrast(one: str, other: str) -> Decimal:
    """The contrast of two `#rrggbb` colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + Decimal("0.05")) / (darker + Decimal("0.05"))


@lru_cache(maxsize=64)
def text_on(background: str) -> str:
    """White or ink, whichever is read better on that colour."""
    return max(PAPER, INK, key=lambda text: contrast(text, background))


@lru_cache(maxsize=64)
def readable(color: str, background: str) -> str:
    """The colour as near as can be read as text on that background: darkened or lightened as far as it takes."""
    toward = text_on(background)
    for step in range(_STEPS + 1):
        mixed = _mixed(color, toward, step)
        if contrast(mixed, background) >= READABLE:
            return mixed
    return toward


def _mixed(color: str, toward: str, step: int) -> str:
    pairs = zip(_channels(color), _channels(toward), strict=True)
    return "#" + "".join(f"{here + (there - here) * step // _STEPS:02x}" for here, there in pairs)


def _channels(color: str) -> tuple[int, int, int]:
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue


def _luminance(color: str) -> Decimal:
    red, green, blue = (_linear(Decimal(channel) / 255) for channel in _channels(color))
    return Decimal("0.2126") * red + Decimal("0.7152") * green + Decimal("0.0722") * blue


def _linear(channel: Decimal) -> Decimal:
    if channel <= Decimal("0.04045"):
        return channel / Decimal("12.92")
    return ((channel + Decimal("0.055")) / Decimal("1.055")) ** Decimal("2.4")
