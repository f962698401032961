"""Bars: counts over time as a picture that any browser reads."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest

from arsync.render.bars import Series, bars

SVG = "{http://www.w3.org/2000/svg}"


def test_a_bar_stands_for_each_count_and_is_as_high_as_it_says() -> None:
    drawn = bars("Touches", ["03-02", "03-09"], [Series("standard", (2, 0)), Series("<firm> & co", (8, 4))])
    root = ET.fromstring(drawn)
    told = {bar.findtext(f"{SVG}title"): int(bar.attrib["height"]) for bar in root.iter(f"{SVG}rect") if len(bar)}
    assert list(told) == [
        "03-02, standard: 2", "03-02, <firm> & co: 8", "03-09, standard: 0", "03-09, <firm> & co: 4",
    ]  # fmt: skip
    assert list(told.values()) == [60, 240, 0, 120]
    assert "standard: 03-02 2, 03-09 0. <firm> & co: 03-02 8, 03-09 4" in (root.findtext(f"{SVG}desc") or "")
    assert drawn == bars("Touches", ["03-02", "03-09"], [Series("standard", (2, 0)), Series("<firm> & co", (8, 4))])


def test_labels_of_many_bars_do_not_stand_on_one_another() -> None:
    days = [f"2026-01-{day:02}" for day in range(1, 28)]
    root = ET.fromstring(bars("Touches", days, [Series("standard", tuple(range(27)))]))
    places = [int(text.attrib["x"]) for text in root.iter(f"{SVG}text") if text.text in days]
    assert len(places) > 5
    assert all(later - place >= 70 for place, later in itertools.pairwise(places))
    assert places[-1] + 70 <= 960


def test_nothing_is_drawn_of_counts_that_do_not_fit_their_labels() -> None:
    with pytest.raises(ValueError, match="for each label"):
        bars("Touches", ["03-02"], [Series("standard", (1, 2))])
    assert ET.fromstring(bars("Touches", ["03-02"], [Series("standard", (0,))])) is not None
