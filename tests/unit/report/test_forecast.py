"""When open invoices are expected; each test's docstring is its ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arsync.domain.cash import Owed, by_span, week_ends
from arsync.domain.forecast import Bill, Expectation, Habits, Held, Promised, Unknown, Usual, day_of
from arsync.domain.medians import Medians
from arsync.domain.parting import Promise, kept_chances, laid, outstanding, parts
from arsync.domain.survival import SURE, Curve

ON = date(2026, 9, 1)
HALF = SURE // 2


def ago(days: int) -> date:
    return ON - timedelta(days=days)


def bill(payer: str, due: int, late: int | None, *, paid: bool = True, terms: int = 30) -> Bill:
    """Due so many days before the forecast, ended so many days after that; None: open."""
    ended = None if late is None else ago(due) + timedelta(days=late)
    return Bill(payer, ago(due + terms), ago(due), ended, paid and late is not None)


def in_days(expected: Expectation) -> int | None:
    return day_of(expected, HALF)


# --- habits ---------------------------------------------------------------------------------------------------------


def test_each_payer_is_expected_by_its_own_habits() -> None:
    """Swift pays on the day, slow 20 days late, ten invoices each; both have one that is due in 5 days."""
    ledger = [bill("swift", 40 + n, 0) for n in range(10)] + [bill("slow", 40 + n, 20) for n in range(10)]
    ledger += [bill("swift", -5, None), bill("slow", -5, None)]
    habits = Habits(ledger, ON)
    assert in_days(habits.expected("swift", ago(-5))) == 5
    assert in_days(habits.expected("slow", ago(-5))) == 25
    assert habits.paid("slow") == 10


def test_who_has_paid_little_is_drawn_to_the_company() -> None:
    """Twenty invoices of the company are paid 10 days late; new has paid one on its day, old ten."""
    ledger = [bill("others", 60, 10) for _ in range(20)]
    ledger += [bill("new", 60, 0), *(bill("old", 60, 0) for _ in range(10))]
    habits = Habits(ledger, ON)
    chance = {who: habits.expected(who, ago(-5)).paid_within(5) for who in ("others", "new", "old", "stranger")}
    assert chance["others"] < chance["stranger"] < chance["new"] < HALF < chance["old"]
    assert in_days(habits.expected("new", ago(-5))) == 15


def test_what_is_past_its_usual_day_is_expected_by_those_that_were_so_late() -> None:
    """Eight of ten were paid on their day, two 30 days late: one that is 10 days late is expected in 20 days."""
    ledger = [bill("they", 60, 0) for _ in range(8)] + [bill("they", 60, 30) for _ in range(2)]
    ledger.append(bill("they", 10, None))
    expected = Habits(ledger, ON).expected("they", ago(10))
    assert (expected.paid_within(19), in_days(expected)) == (0, 20)


def test_those_who_stopped_paying_are_not_left_out() -> None:
    """Five were paid on their day two years ago; since then twenty lie open, 100 days and more past due."""
    ledger = [bill("they", 700 + n, 0) for n in range(5)] + [bill("they", 100 + n, None) for n in range(20)]
    assert in_days(Habits(ledger, ON).expected("they", ago(-5))) is None


def test_what_credit_ended_was_never_paid() -> None:
    ledger = [bill("they", 60, 0, paid=False) for _ in range(30)]
    habits = Habits(ledger, ON)
    assert habits.paid_by_all == 0
    assert habits.expected("they", ago(-5)) == Unknown()


def test_without_a_due_date_nothing_is_expected() -> None:
    assert Habits([bill("they", 60, 0)], ON).expected("they", None) == Unknown()


BILLS = st.lists(
    st.builds(
        bill,
        st.sampled_from(["a", "b", "c"]),
        st.integers(-60, 700),
        st.one_of(st.none(), st.integers(-30, 200)),
        paid=st.booleans(),
        terms=st.sampled_from([0, 14, 30, 60]),
    ),
    max_size=25,
)
DUE = st.integers(-60, 200)


@given(BILLS, BILLS, DUE, st.integers(-40, 40))
def test_what_comes_after_the_day_never_changes_its_forecast(
    ledger: list[Bill], later: list[Bill], due: int, shift: int
) -> None:
    """What ends later ends on another day, in another way or not at all, and more is written later."""
    changed = [
        one if one.ended_on is not None and one.ended_on <= ON
        else replace(one, ended_on=None if shift < 0 else ON + timedelta(days=1 + shift), paid=shift % 2 == 0)
        for one in ledger
        if one.issued_on <= ON
    ]  # fmt: skip
    written = [
        replace(one, issued_on=max(one.issued_on, ago(-1)), ended_on=None, paid=False) for one in later
    ]  # fmt: skip
    before, after = Habits(ledger, ON), Habits([*changed, *written], ON)
    for payer in ("a", "b", "stranger"):
        told = [habits.expected(payer, ago(due)) for habits in (before, after)]
        assert [told[0].paid_within(days) for days in range(400)] == [told[1].paid_within(days) for days in range(400)]


# --- holds and promises ---------------------------------------------------------------------------------------------

STEPS = st.lists(st.integers(0, SURE), min_size=1, max_size=80).map(sorted)


def curved(chances: list[int]) -> Expectation:
    return Usual(Curve(1, [1 - chance / SURE for chance in chances]), 0)


@given(STEPS, st.one_of(st.none(), st.integers(1, 90)), st.integers(1, 60), st.integers(0, 20), st.integers(0, SURE))
def test_held_or_promised_a_chance_never_falls_as_days_grow(
    chances: list[int], ends: int | None, promised: int, grace: int, kept: int
) -> None:
    usual = curved(chances)
    for one in (Held(usual, ends), Promised(promised, promised + grace, kept, usual)):
        told = [one.paid_within(days) for days in range(200)]
        assert told == sorted(told)
        assert told[0] == 0
        assert 0 <= told[-1] <= SURE


@given(STEPS, st.one_of(st.none(), st.integers(1, 90)))
def test_what_is_held_is_never_earlier(chances: list[int], ends: int | None) -> None:
    usual = curved(chances)
    assert all(Held(usual, ends).paid_within(days) <= usual.paid_within(days) for days in range(120))


def test_a_hold_widens() -> None:
    """Paid on one of the next hundred days, each as likely: held for ever, or for 40 days."""
    usual = curved([SURE * day // 100 for day in range(1, 101)])
    ranges = [
        [day_of(one, chance) for chance in (SURE // 10, HALF, SURE * 9 // 10)]
        for one in (usual, Held(usual), Held(usual, 40))
    ]
    assert ranges == [[10, 50, 90], [20, 100, 180], [20, 70, 110]]


def test_a_promise_is_expected_on_its_day_and_after_its_grace_as_usual() -> None:
    """Promised in 7 days, grace until 10, kept by three of four; paid on day 5 or 20 otherwise, each by half."""
    usual = curved([0] * 4 + [HALF] * 15 + [SURE])
    one = Promised(7, 10, SURE * 3 // 4, usual)
    told = {days: one.paid_within(days) for days in (5, 6, 7, 10, 19, 20)}
    assert told == {5: 0, 6: 0, 7: 750_000, 10: 750_000, 19: 750_000, 20: SURE}


def promise(units: int, day: int, *, kept: bool = False, paid: int = 0, plan: int | None = None) -> Promise:
    on = ago(-day)
    return Promise("P", "EUR", units, on, on + timedelta(days=3), kept, plan, ("I1", "I2"), 0, paid)


def test_the_earlier_promise_has_the_first_money_and_a_broken_one_is_none() -> None:
    """60 promised for day -10 (its grace has passed), 40 for day 2, 50 for day 9; 30 came."""
    standing = outstanding([promise(50, 9, paid=30), promise(60, -10, paid=30), promise(40, 2, paid=30)], ON)
    assert [(one.promised_on, missing) for one, missing in standing] == [(ago(-2), 10), (ago(-9), 50)]


def test_of_a_plan_what_was_kept_is_counted_before() -> None:
    """Three instalments of 40, the first kept with its 40; 10 more came."""
    first, *others = (promise(40, day, kept=day < 0, paid=50, plan=1) for day in (-20, 10, 40))
    assert [(one.promised_on, missing) for one, missing in outstanding([first, *others], ON)] == [
        (ago(-10), 30), (ago(-40), 40),
    ]  # fmt: skip


def test_what_is_promised_lies_on_its_invoices_in_their_order_and_never_more_than_is_open() -> None:
    one = promise(100, 5)
    found = laid([(one, 100)], {"I0": ("EUR", 500), "I1": ("EUR", 70), "I2": ("USD", 90)})
    assert found == {"I1": [(one, 70)]}


def test_how_far_promises_are_trusted() -> None:
    """Three of four were kept in all: two of two by one, one of two by the other; nobody's say a half."""
    assert kept_chances({}) == {None: HALF}
    told = kept_chances({"P": (2, 0), "Q": (1, 1)})
    assert told == {None: 666_666, "P": 833_333, "Q": 583_333}


def test_parts_add_up_to_what_is_open() -> None:
    usual = curved([SURE])
    found = parts(100, usual, "own", [(promise(30, 5), 30, HALF)], ON, (50, None), None)
    assert [(one.units, one.why) for one in found] == [(30, "promise"), (50, "disputed"), (20, "own")]
    found = parts(100, usual, "own", [(promise(30, 5, plan=1), 30, HALF)], ON, None, ("held: pause", 9))
    assert [(one.units, one.why) for one in found] == [(30, "instalment"), (70, "held: pause")]
    assert [one.units for one in parts(100, usual, "own", [], ON, (500, 3), None)] == [100]


# --- cash -----------------------------------------------------------------------------------------------------------


def test_weeks_end_on_sundays_and_the_first_is_what_is_left_of_this_one() -> None:
    tuesday, sunday = date(2026, 9, 1), date(2026, 9, 6)
    assert week_ends(tuesday, 2) == [date(2026, 9, 6), date(2026, 9, 13)]
    assert week_ends(sunday, 2) == [date(2026, 9, 13), date(2026, 9, 20)]


OWED = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["EUR", "USD"]), st.integers(1, 10**9), STEPS), max_size=8
)


@settings(max_examples=40)
@given(OWED, st.integers(0, 9))
def test_what_is_expected_adds_up_to_what_is_open_and_each_run_too(
    owed: list[tuple[str, str, int, list[int]]], seed: int
) -> None:
    those = [Owed(payer, currency, units, curved(chances)) for payer, currency, units, chances in owed]
    spans = by_span(those, [5, 12, 19], 20, Random(seed))
    open_ = {currency: sum(one.units for one in those if one.currency == currency) for currency in ("EUR", "USD")}
    assert {currency: sum(one.expected for one in found) for currency, found in spans.items()} == {
        currency: units for currency, units in open_.items() if units
    }
    for currency, found in spans.items():
        assert all(0 <= one.low <= one.middle <= one.high <= open_[currency] for one in found)
        assert all(one.expected >= 0 for one in found)
        assert all(one.expected % 100 == 0 for one in found[:-1])
        assert sum(one.low for one in found) <= open_[currency] <= sum(one.high for one in found) * 20
    assert by_span(those, [5, 12, 19], 20, Random(seed)) == spans


def test_a_payer_pays_all_or_nothing_in_one_run() -> None:
    """Ten of one payer, each paid in the week by half: in nine tenths of the runs nothing to all of it comes, while of
    ten payers three to seven pay."""
    even = curved([HALF])
    one = by_span([Owed("a", "EUR", 100, even) for _ in range(10)], [7], 400, Random(1))["EUR"][0]
    ten = by_span([Owed(str(n), "EUR", 100, even) for n in range(10)], [7], 400, Random(1))["EUR"][0]
    assert (one.expected, one.low, one.high) == (500, 0, 1000)
    assert (ten.expected, ten.low, ten.high) == (500, 300, 700)


# --- medians --------------------------------------------------------------------------------------------------------


def test_medians_of_all_of_one_and_of_late() -> None:
    """They paid 0 days late thrice two years ago, and 20 days late twice last month; others 5 days late, once."""
    ledger = [bill("they", 700, 0) for _ in range(3)] + [bill("they", 60, 20) for _ in range(2)]
    medians = Medians([*ledger, bill("others", 60, 5)])
    assert (medians.company(), medians.own("they"), medians.recent("they", ON)) == (0, 0, 20)
    assert (medians.own("stranger"), medians.recent("stranger", ON), medians.paid("they")) == (0, 0, 5)
    grown = Medians(ledger)
    grown.add(bill("others", 60, 5))
    assert (len(grown), grown.company()) == (len(medians), medians.company())
    with pytest.raises(ValueError, match="open"):
        grown.add(bill("they", 5, None))
