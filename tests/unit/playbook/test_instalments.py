"""Instalments add up to the cent and fall on days that are there."""

from __future__ import annotations

from datetime import date

import pytest

from arsync.domain.instalments import Every, spread
from arsync.domain.money import total
from arsync.testing.builders import money


@pytest.mark.parametrize(
    ("amount", "number", "parts"),
    [
        ("100.00", 3, ["33.34", "33.33", "33.33"]),
        ("100.02", 3, ["33.34", "33.34", "33.34"]),
        ("0.05", 3, ["0.02", "0.02", "0.01"]),
        ("99.99", 1, ["99.99"]),
    ],
)
def test_what_does_not_divide_is_on_the_first_ones(amount: str, number: int, parts: list[str]) -> None:
    found = [each for _, each in spread(money(amount), number, date(2026, 1, 31), Every.MONTH)]
    assert found == [money(part) for part in parts]
    assert total(found, "EUR") == money(amount)


def test_a_currency_without_cents_has_whole_parts() -> None:
    found = [each for _, each in spread(money("1000", "JPY"), 3, date(2026, 1, 31), Every.WEEK, places=0)]
    assert found == [money(part, "JPY") for part in ("334", "333", "333")]


def test_the_last_of_a_month_stays_the_last_of_shorter_ones() -> None:
    days = [on for on, _ in spread(money("400.00"), 4, date(2027, 12, 31), Every.MONTH)]
    assert days == [date(2027, 12, 31), date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31)]


def test_weeks_over_the_change_of_clocks_are_seven_days() -> None:
    days = [on for on, _ in spread(money("300.00"), 3, date(2026, 10, 19), Every.WEEK)]
    assert days == [date(2026, 10, 19), date(2026, 10, 26), date(2026, 11, 2)]


@pytest.mark.parametrize(("amount", "number"), [("0.02", 3), ("10.00", 0)])
def test_what_cannot_be_spread_is_refused(amount: str, number: int) -> None:
    with pytest.raises(ValueError, match="instalment"):
        spread(money(amount), number, date(2026, 1, 31), Every.MONTH)
