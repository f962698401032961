"""The one day that an answer names; what is doubtful names none."""

from __future__ import annotations

from datetime import date

import pytest

from arsync.inbox.days import named_day

TUESDAY = date(2026, 6, 9)


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("We will pay on Friday.", "2026-06-12"),
        ("Payment goes out June 15th, 2026", "2026-06-15"),
        ("you will have it by 2026-06-30", "2026-06-30"),
        ("Friday, 12 June: it is scheduled", "2026-06-12"),
        ("Wir zahlen am 15.06.", "2026-06-15"),
        ("Die Überweisung erfolgt am 3. Juli", "2026-07-03"),
        ("Nous réglerons le 1er août", "2026-08-01"),
        ("virement jeudi", "2026-06-11"),
    ],
)
def test_a_day_is_read_in_three_languages(text: str, on: str) -> None:
    assert named_day(text, TUESDAY) == date.fromisoformat(on)


@pytest.mark.parametrize(
    "text",
    [
        "We will pay soon.", "Monday or Thursday", "on Tuesday", "next Friday", "6/7/2026", "am 31.02.", "in May 2027",
        "half on Friday", "500.00 on Friday", "on Friday if the goods come", "we can't pay on Friday",
        "we do not pay on Friday", "by 1 June 2026", "wir zahlen Freitag die erste Rate", "tomorrow or Friday",
    ],
)  # fmt: skip
def test_several_days_parts_conditions_and_what_reads_in_two_ways_name_none(text: str) -> None:
    assert named_day(text, TUESDAY) is None
