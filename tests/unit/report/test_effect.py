"""The chance that an invoice is paid which nobody asked for, by hand and by its properties."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from arsync.domain.effect import LEAST, Baseline, Life

D = Decimal


def test_the_chance_is_that_of_each_day_one_after_the_other() -> None:
    """
    age 0: 20 open, 5 paid that day; age 1: 15 open, of which 5 are asked for on age 2; age 2: 10 open, 5 paid
    """
    baseline = Baseline(
        [*[Life(-30, 0, paid=True)] * 5, *[Life(-30, 1, paid=False)] * 5, *[Life(-30, 2, paid=True)] * 5,
         *[Life(-30, 40, paid=False)] * 5]
    )  # fmt: skip
    assert baseline.paid_within(0, 1) == D("0.25")
    assert baseline.paid_within(0, 2) == 1 - D("0.75") * D("0.5")
    assert baseline.paid_within(1, 1) == D("0.5")


def test_of_ages_that_too_few_invoices_reached_nothing_is_told() -> None:
    few = [Life(0, 30, paid=False)] * (LEAST - 1)
    assert Baseline(few).paid_within(5, 3) is None
    enough = Baseline([*few, Life(0, 30, paid=True)])
    assert enough.paid_within(5, 3) == 0
    assert enough.paid_within(28, 3) is None
    assert enough.paid_within(-3, 1) is None
    assert Baseline([]).paid_within(0, 1) is None


def test_asking_the_slow_does_not_make_the_rest_look_fast() -> None:
    """
    Half would be paid on age 10. Those that are not are all asked for on age 11; leaving them out would tell 100 %.
    """
    lives = [*[Life(0, 10, paid=True)] * 20, *[Life(0, 10, paid=False)] * 20]
    assert Baseline(lives).paid_within(10, 0) == D("0.5")


LIVES = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=LEAST, max_size=60)


@given(LIVES, st.integers(1, 20))
def test_where_nobody_was_asked_it_is_the_part_that_was_paid(lived: list[tuple[int, bool]], days: int) -> None:
    """Those that are not paid stay open past the last day looked at."""
    lives = [Life(-5, age if paid else 100, paid=paid) for age, paid in lived] + [Life(-5, 100, paid=False)] * LEAST
    told = Baseline(lives).paid_within(0, days)
    assert told is not None
    part = D(sum(paid and age <= days for age, paid in lived)) / len(lives)
    assert abs(told - part) < D("1e-20")


@given(LIVES, st.integers(0, 10), st.integers(0, 10))
def test_it_is_a_chance_and_grows_with_the_days(lived: list[tuple[int, bool]], age: int, days: int) -> None:
    baseline = Baseline([Life(0, last, paid=paid) for last, paid in lived] + [Life(0, 90, paid=False)] * LEAST)
    shorter, longer = baseline.paid_within(age, days), baseline.paid_within(age, days + 1)
    assert shorter is not None
    assert longer is not None
    assert 0 <= shorter <= longer <= 1
