"""The formulas of receivables, by the figures that the field publishes for them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arsync.domain.aging import EDGES, AgingBucket, bucket
from arsync.domain.metrics import Month, countback, days_of_sales, effectiveness, percent, weighted_days

D = Decimal
AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=2)


def test_counting_back_takes_whole_months_and_a_part_of_the_last() -> None:
    told = countback(D("212000"), [Month(D("100000"), 30), Month(D("80000"), 30), Month(D("70000"), 30)])
    assert (told.days, told.whole) == (D("73.71"), True)
    told = countback(D("2100000"), [Month(D("900000"), 31), Month(D("800000"), 28), Month(D("700000"), 31)])
    assert (told.days, told.whole) == (D("76.71"), True)


def test_counting_back_says_where_the_months_end_before_the_receivables() -> None:
    told = countback(D("300"), [Month(D("100"), 30), Month(D("0"), 31)])
    assert (told.days, told.whole) == (D("61.00"), False)
    assert countback(D("0"), [Month(D("100"), 30)]).days == 0
    assert countback(D("100"), []).whole is False


def test_a_month_with_more_credit_than_sales_is_counted_whole_and_adds_to_what_is_left() -> None:
    told = countback(D("100"), [Month(D("-50"), 30), Month(D("300"), 30)])
    assert told.days == D("45.00")  # 30, and 150 of 300 of the next 30


def test_simple_dso_is_the_sales_days_that_are_open() -> None:
    assert days_of_sales(D("150000"), D("450000"), 90) == D("30.00")
    assert days_of_sales(D("150000"), D("0"), 90) is None
    assert days_of_sales(D("100"), D("-5"), 90) is None


def test_collection_effectiveness() -> None:
    assert effectiveness(D(6200), D(10890), D(6340), D(3590), months=3) == D("55.93")
    assert effectiveness(D(100000), D(1000000), D(120000), D(100000), months=1) == D("98.00")
    assert effectiveness(D(0), D(0), D(0), D(0), months=3) is None
    assert effectiveness(D(100), D(0), D(100), D(100), months=1) is None  # nothing was due


def test_days_are_weighed_with_their_amounts() -> None:
    assert weighted_days([(D("900.00"), 10), (D("100.00"), 60)]) == D("15.00")
    assert weighted_days([]) is None
    assert percent(1, 3) == D("33.3")
    assert percent(1, 0) is None


@given(AMOUNTS, st.lists(st.tuples(AMOUNTS, st.integers(1, 31)), max_size=12))
def test_counting_back_never_counts_more_days_than_there_were(receivables: Decimal, sold: list[tuple[D, int]]) -> None:
    told = countback(receivables, [Month(sales, days) for sales, days in sold])
    assert 0 <= told.days <= sum(days for _, days in sold)
    assert told.whole is (sum(sales for sales, _ in sold) >= receivables)


@given(st.integers(-400, 400))
def test_each_age_stands_in_one_column_and_the_columns_follow_each_other(late: int) -> None:
    on = date(2026, 9, 1)
    name = bucket(on - timedelta(days=late), on)
    order = list(AgingBucket)
    assert [edge for edge, _ in EDGES] == order[:-1]
    last = dict(EDGES).get(name)
    assert last is None or late <= last
    if name is not AgingBucket.CURRENT:
        assert late > dict(EDGES)[order[order.index(name) - 1]]


@pytest.mark.parametrize(("due", "column"), [("09-01", "current"), ("08-31", "1-30"), ("08-02", "1-30"),
                                             ("08-01", "31-60"), ("06-03", "61-90"), ("06-02", "90+")])  # fmt: skip
def test_due_today_is_not_overdue(due: str, column: str) -> None:
    assert bucket(date.fromisoformat(f"2026-{due}"), date(2026, 9, 1)) == column
