"""How a payer pays, worked out by hand from small ledgers: `due, paid = amount` a line, dates of 2026."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arsync.domain.behaviour import Behaviour, Debt, Rating, Receipt, Trend, behaviour, worst
from arsync.testing.builders import day

TODAY = day("09-30")


def debt(line: str, *, issued: str | None = None, disputed: bool = False) -> Debt:
    """`06-30: 07-04 100.00, 07-20 50.00, open 25.00` is an invoice due on 30 June, written 30 days before."""
    due_text, _, rest = line.partition(":")
    due, balance, receipts = day(due_text.strip()), Decimal("0.00"), []
    for entry in filter(None, (part.strip() for part in rest.split(","))):
        when, amount = entry.split()
        if when == "open":
            balance = Decimal(amount)
        else:
            receipts.append(Receipt(day(when), Decimal(amount)))
    return Debt(day(issued) if issued else due - timedelta(days=30), due, balance, tuple(receipts), disputed)


def paying(ledger: str, *more: Debt, as_of: date = TODAY) -> Behaviour:
    return behaviour([*map(debt, filter(None, map(str.strip, ledger.splitlines()))), *more], "EUR", as_of)


def test_each_day_late_weighs_as_much_as_the_money_that_came_on_it() -> None:
    told = paying("""
        06-10: 06-10 100.00
        06-20: 06-24 100.00
        06-30: 07-20 600.00
        07-10: 07-05 200.00
    """)
    # (0 x 100 + 4 x 100 + 20 x 600 - 5 x 200) / 1000
    assert told.days_late == Decimal("11.4")
    assert told.median_late == Decimal("2.0")  # of -5, 0, 4, 20
    assert told.days_to_pay == Decimal("41.4")  # each was written 30 days before
    assert told.share_late == Decimal("0.700")
    assert (told.paid, told.late) == (4, 2)
    assert told.rating is Rating.C  # 11.4 days are a B, but over half of the money came more than a week late
    assert told.reasons == (
        "pays 11.4 days late by amount (median 2 days late), 2 of 4 invoices late",
        "60% of the money came more than 7 days late",
    )


@pytest.mark.parametrize(
    ("late", "rating"),
    [(-10, "A"), (0, "A"), (3, "A"), (4, "B"), (7, "B"), (8, "C"), (45, "C"), (46, "D")],
)
def test_the_rating_goes_down_with_the_days(late: int, rating: str) -> None:
    ledger = [
        Debt(due - timedelta(days=30), due, Decimal(0), (Receipt(due + timedelta(days=late), Decimal(100)),))
        for due in (day("05-04"), day("06-01"), day("07-09"))
    ]
    assert behaviour(ledger, "EUR", TODAY).rating == rating


def test_two_paid_invoices_are_too_few_for_a_rating_whatever_they_say() -> None:
    told = paying("""
        01-10: 06-10 100.00
        01-20: 06-24 100.00
        02-01: open 900.00
    """)
    assert told.rating is Rating.NEW
    assert told.reasons == ("2 invoices paid in full, and at least 3 are needed: not rated",)
    assert told.days_late == Decimal("153.0")


def test_one_who_never_bought_anything_is_new() -> None:
    told = behaviour([], "EUR", TODAY)
    assert (told.rating, told.days_late, told.share_late, told.trend) == (Rating.NEW, None, None, Trend.UNKNOWN)


def test_an_invoice_paid_in_parts_is_paid_with_the_last_of_them() -> None:
    told = paying("""
        06-10: 06-05 300.00, 07-10 100.00
        06-10: 06-10 100.00
        06-10: 06-10 100.00
        06-10: 06-30 100.00, open 100.00
    """)
    assert (told.paid, told.late) == (3, 1)
    assert told.median_late == Decimal("0.0")
    # (-5 x 300 + 30 x 100 + 20 x 100) / 700; the part-paid one counts with what came
    assert told.days_late == Decimal("5.0")


def test_what_credit_alone_has_settled_says_nothing() -> None:
    told = paying("""
        06-10:
        06-10: 06-10 100.00
        06-10: 06-10 100.00
    """)
    assert (told.paid, told.rating) == (2, Rating.NEW)


def test_money_paid_in_advance_counts_on_the_day_of_the_invoice() -> None:
    told = behaviour([debt("06-30: 03-01 100.00", issued="06-01")] * 3, "EUR", TODAY)
    assert told.days_late == Decimal("-29.0")
    assert told.days_to_pay == Decimal("0.0")


def test_a_reversed_payment_leaves_an_invoice_open_at_its_full_age() -> None:
    good = "05-10: 05-10 100.00\n05-20: 05-20 100.00\n06-10: 06-10 100.00\n"
    assert paying(good + "06-15: 06-15 100.00").rating is Rating.A
    # As the cache has it then: no receipt, and the balance is back. 107 days past due.
    reversed_ = paying(good + "06-15: open 100.00")
    assert reversed_.rating is Rating.D
    assert reversed_.reasons[-1] == "100.00 EUR is open more than 90 days past due"


def test_a_small_rest_or_a_disputed_invoice_is_not_held_against_a_good_payer() -> None:
    good = "05-10: 05-10 100.00\n05-20: 05-20 100.00\n06-10: 06-10 100.00\n"
    assert paying(good + "01-15: open 14.99").rating is Rating.A
    assert paying(good + "01-15: open 15.00").rating is Rating.D
    assert paying(good, debt("01-15: open 500.00", disputed=True)).rating is Rating.A


@pytest.mark.parametrize(("due", "rating"), [("08-31", "A"), ("08-30", "B"), ("07-31", "C"), ("07-01", "D")])
def test_open_debts_cap_the_rating_by_their_age(due: str, rating: str) -> None:
    good = "05-10: 05-10 100.00\n05-20: 05-20 100.00\n06-10: 06-10 100.00\n"
    assert paying(good + f"{due}: open 100.00").rating == rating


def test_one_who_has_grown_slower_falls_by_one_grade() -> None:
    early = "01-10: 01-12 100.00\n02-10: 02-12 100.00\n03-10: 03-12 100.00\n"
    late = "06-10: 06-20 100.00\n07-10: 07-20 100.00\n08-10: 08-20 100.00\n"
    told = paying(early + late)
    assert (told.before_late, told.recent_late, told.trend) == (Decimal("2.0"), Decimal("10.0"), Trend.SLOWER)
    assert told.rating is Rating.C  # 6 days late on average is a B
    assert "slower of late: 10 days late in the last 90 days of payments, 2 days late before" in told.reasons
    better = paying("01-10: 01-20 1.00\n02-10: 02-20 1.00\n03-10: 03-20 1.00\n" + late.replace("-20", "-11"))
    assert (better.trend, better.rating) == (Trend.FASTER, Rating.B)


def test_what_is_years_old_is_forgotten() -> None:
    told = paying("""
        2023-01-10: 2023-09-10 900.00
        06-10: 06-10 100.00
        06-10: 06-10 100.00
        06-10: 06-10 100.00
    """)
    assert (told.paid, told.rating) == (3, Rating.A)


def test_on_an_earlier_day_nothing_is_known_of_what_came_later() -> None:
    ledger = "05-10: 05-12 100.00\n05-20: 05-22 100.00\n06-10: 06-12 100.00\n06-15: 09-12 100.00\n09-20: 09-21 50.00"
    then = paying(ledger, as_of=day("08-01"))
    assert (then.paid, then.days_late) == (3, Decimal("2.0"))
    assert then.reasons[-1] == "100.00 EUR is open more than 30 days past due"
    assert paying(ledger).paid == 5


def test_of_several_currencies_the_worst_speaks_for_the_payer() -> None:
    good, bad = (paying(f"05-10: {on} 1.00\n" * 3) for on in ("05-10", "09-10"))
    new = paying("05-10: 09-10 1.00")
    assert worst([good, bad, new]) is Rating.D
    assert worst([good, new]) is Rating.A
    assert worst([new]) is worst([]) is Rating.NEW


days = st.dates(date(2024, 1, 1), date(2026, 12, 31))
amounts = st.integers(1, 10**13).map(lambda units: Decimal(units).scaleb(-4))
receipts = st.builds(Receipt, days, amounts)
debts = st.lists(
    st.builds(
        lambda issued, term, balance, came, disputed: Debt(
            issued, issued + timedelta(days=term), balance, tuple(came), disputed
        ),
        days,
        st.integers(0, 90),
        st.one_of(st.just(Decimal("0.00")), amounts),
        st.lists(receipts, max_size=3),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(debts, days, st.randoms(use_true_random=False))
def test_the_order_of_the_ledger_does_not_matter_and_nothing_is_a_float(
    ledger: list[Debt], as_of: date, chance: Random
) -> None:
    shuffled: list[Debt] = [replace(one, receipts=one.receipts[::-1]) for one in ledger]
    chance.shuffle(shuffled)
    told = behaviour(ledger, "EUR", as_of)
    assert told == behaviour(shuffled, "EUR", as_of)
    figures = [getattr(told, name) for name in Behaviour.__dataclass_fields__]
    assert not any(isinstance(figure, float) for figure in figures)
    assert told.late <= told.paid <= len(ledger)
    if told.share_late is not None:
        assert 0 <= told.share_late <= 1
    assert (told.rating is Rating.NEW) == (told.paid < 3)


@settings(max_examples=60, deadline=None)
@given(debts, days)
def test_splitting_a_receipt_or_another_scale_changes_nothing(ledger: list[Debt], as_of: date) -> None:
    def figures(made: Iterable[Debt]) -> tuple[object, ...]:
        told = behaviour(made, "EUR", as_of)
        return told.days_late, told.median_late, told.share_late, told.rating, told.payment_day

    halves = [
        replace(one, receipts=tuple(Receipt(r.received_on, r.amount) for r in one.receipts for _ in "12"))
        for one in ledger
    ]
    whole = [replace(one, receipts=tuple(Receipt(r.received_on, 2 * r.amount) for r in one.receipts)) for one in ledger]
    trendless = behaviour(halves, "EUR", as_of).trend is behaviour(whole, "EUR", as_of).trend
    if trendless:  # a trend needs so many receipts
        assert figures(halves) == figures(whole)
