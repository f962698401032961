"""The customers of the sandbox's companies pay as a small-business ledger of 2,466 invoices says that they do."""

from __future__ import annotations

from datetime import date, timedelta
from statistics import mean, pstdev

import pytest

from arsync.sandbox.story import LATEST_DAYS, Sale, write_story

AS_OF = date(2026, 9, 15)


@pytest.fixture(scope="module")
def sales() -> list[Sale]:
    """Two years of a dozen companies: the habits of one company's few large customers weigh as they do in life."""
    return [
        sale
        for seed in range(12)
        for sale in write_story(
            seed=seed, customers=200, invoices=2000, currency="USD", as_of=AS_OF, history_months=24, country="US"
        ).sales
    ]


def settled(sales: list[Sale]) -> list[int]:
    """The days from the invoice to the last payment, of what was paid."""
    return [(max(one.date for one in sale.payments) - sale.issued).days for sale in sales if sale.payments]


def test_they_settle_in_twenty_six_days_give_or_take_twelve(sales: list[Sale]) -> None:
    days = settled(sales)
    assert mean(days) == pytest.approx(26, abs=2)
    assert pstdev(days) == pytest.approx(12, abs=1.5)


def test_a_third_is_late_by_three_days_on_average_and_by_forty_five_at_most(sales: list[Sale]) -> None:
    late = [max(0, days - 30) for days in settled(sales)]
    assert sum(days > 0 for days in late) / len(late) == pytest.approx(0.36, abs=0.05)
    assert mean(late) == pytest.approx(3.4, abs=0.8)
    assert max(late) == LATEST_DAYS


def test_nearly_a_quarter_is_disputed(sales: list[Sale]) -> None:
    assert sum(sale.disputed for sale in sales) / len(sales) == pytest.approx(0.23, abs=0.03)


def test_who_pays_late_does_so_again() -> None:
    """Most of the spread lies between the customers."""
    story = write_story(
        seed=1, customers=200, invoices=4000, currency="USD", as_of=AS_OF, history_months=24, country="US"
    )
    by_customer: dict[str, list[int]] = {}
    for sale in story.sales:
        if sale.payments:
            by_customer.setdefault(sale.person, []).append((sale.payments[0].date - sale.issued).days)
    within = [pstdev(days) for days in by_customer.values() if len(days) >= 10]
    assert mean(within) < 0.75 * pstdev(settled(list(story.sales)))


def test_the_days_are_never_before_the_invoice(sales: list[Sale]) -> None:
    assert all(one.date >= sale.issued + timedelta(days=1) for sale in sales for one in sale.payments)
