"""Whatever colour a company calls its own, its messages can be read."""

from __future__ import annotations

from decimal import Decimal

import pytest

from arsync.render.colors import FALLBACK, NIGHT, PAPER, READABLE, color_of, contrast, readable, text_on

COLORS = [
    f"#{red:02x}{green:02x}{blue:02x}" for red in (0, 90, 200, 255) for green in (0, 120, 255) for blue in (0, 255)
]


def test_contrast_is_counted_as_the_guidelines_count_it() -> None:
    assert contrast("#000000", "#ffffff") == 21
    assert contrast("#ffffff", "#ffffff") == 1
    assert round(contrast("#767676", "#ffffff"), 2) == Decimal("4.54")  # the lightest grey that passes
    assert round(contrast("#777777", "#ffffff"), 2) == Decimal("4.48")


@pytest.mark.parametrize("color", COLORS)
def test_text_in_a_brand_and_on_it_can_always_be_read(color: str) -> None:
    assert contrast(text_on(color), color) >= READABLE
    assert contrast(readable(color, PAPER), PAPER) >= READABLE
    assert contrast(readable(color, NIGHT), NIGHT) >= READABLE


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert readable("#1f4e79", PAPER) == "#1f4e79"
    assert readable("#ffff00", NIGHT) == "#ffff00"
    assert readable("#ffff00", PAPER) != "#ffff00"


def test_what_is_no_colour_is_not_let_into_the_style() -> None:
    assert color_of("red;} body{}") == FALLBACK
    assert color_of("#FA0") == "#ffaa00"
