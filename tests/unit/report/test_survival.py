"""How long invoices stay unpaid; golden figures are those of published examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arsync.domain.survival import FULL, SURE, Spell, product_limit, shrunk, weight

#: Weeks of remission under 6-MP (Freireich and others, 1963): the ones that ended, and those still seen in remission.
ENDED = (6, 6, 6, 7, 10, 13, 16, 22, 23)
SEEN = (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
FREIREICH = [Spell(week, True) for week in ENDED] + [Spell(week, False) for week in SEEN]


def test_kaplan_and_meier_of_the_textbooks() -> None:
    curve = product_limit(FREIREICH)
    told = {week: round(curve.unpaid(week), 3) for week in (5, 6, 7, 10, 13, 16, 22, 23, 35, 99)}
    assert told == {
        5: 1.0, 6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448, 35: 0.448, 99: 0.448,
    }  # fmt: skip


def test_what_is_open_is_no_missing_one() -> None:
    """Three paid at age 5, three open at age 40: half of them is unpaid, not none."""
    curve = product_limit([Spell(5, True)] * 3 + [Spell(40, False)] * 3)
    assert curve.unpaid(40) == pytest.approx(0.5)
    assert product_limit([Spell(5, True)] * 3).unpaid(40) == 0


def test_the_few_that_are_open_early_do_not_speak_for_all() -> None:
    """One had ninety days to pay and was paid at once; ten had thirty, and were paid on their day."""
    curve = product_limit([Spell(-89, True)] + [Spell(0, True)] * 10)
    assert curve.unpaid(-1) == pytest.approx(10 / 11)


def test_without_censoring_the_shrunk_share_is_the_mean_of_both_weighed_with_their_numbers() -> None:
    """The company pays half by age 0 and the rest by 10; the payer has paid four at age 20; worth 2: (4 + 2 x half) of
    six is unpaid at 0."""
    company = product_limit([Spell(0, True), Spell(10, True)])
    payer = shrunk([Spell(20, True)] * 4, company, 2)
    assert payer.unpaid(-1) == 1
    assert payer.unpaid(0) == pytest.approx(5 / 6)
    assert payer.unpaid(10) == pytest.approx(4 / 6)
    assert payer.unpaid(20) == pytest.approx(0)


def test_a_payer_without_invoices_is_as_the_company_and_one_with_many_as_itself() -> None:
    company = product_limit(FREIREICH)
    nobody = shrunk([], company, 3)
    assert [nobody.unpaid(age) for age in range(40)] == pytest.approx([company.unpaid(age) for age in range(40)])
    own = [Spell(30, True)] * 3000
    assert shrunk(own, company, 3).unpaid(29) > 0.999
    assert shrunk(own, company, 3).unpaid(30) < 0.001


def test_weights_halve_in_180_days_and_are_never_nothing() -> None:
    assert [weight(days) for days in (-3, 0, 29, 30, 180, 360, 540)] == [1024, 1024, 1024, 912, 512, 256, 128]
    assert weight(99_999) == 1
    assert weight(0) == FULL


AGES = st.integers(-60, 400)
SPELLS = st.lists(
    st.builds(lambda last, paid, days: Spell(last, paid, weight(days)), AGES, st.booleans(), st.integers(0, 900)),
    max_size=30,
)


@given(SPELLS, SPELLS, st.integers(-90, 800))
def test_a_chance_lies_between_never_and_surely_and_never_falls(
    own: list[Spell], others: list[Spell], age: int
) -> None:
    company = product_limit([*own, *others])
    for curve in (company, shrunk(own, company, 3)):
        chances = [curve.paid_within(age, days) for days in range(0, 900, 7)]
        assert chances == sorted(chances)
        assert chances[0] == 0
        assert 0 <= chances[-1] <= SURE


@given(SPELLS, AGES)
def test_what_is_open_still_may_stay_so_and_is_never_surely_paid_by_now(others: list[Spell], age: int) -> None:
    company = product_limit([*others, Spell(age, False)])
    assert company.unpaid(age) > 0
