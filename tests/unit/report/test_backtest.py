"""The forecast made again on past days; each test's docstring is its ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arsync.domain.backtest import SEGMENTS, Guess, Method, Trial, calibration, forecast_days, score, trials
from arsync.domain.forecast import Bill
from arsync.domain.survival import SURE
from arsync.report.backtest import Parted, evaluation

FIRST = date(2025, 1, 1)
LAST = FIRST + timedelta(days=720)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def bill(payer: str, due: int, late: int | None, *, paid: bool = True) -> Bill:
    """Due on that day of the ledger, written thirty days before, ended so many days after; None: open."""
    ended = None if late is None else day(due + late)
    return Bill(payer, day(due - 30), day(due), ended, paid and late is not None)


#: Two years of two payers, one on the day and one 20 days late, an invoice each a week.
STEADY = [bill(payer, 30 + 7 * week, late) for week in range(98) for payer, late in (("swift", 0), ("slow", 20))]


def test_forecasts_are_of_the_later_half_and_leave_their_horizon() -> None:
    """Half of the invoices was written by day 343; the last day is 720."""
    days = forecast_days(STEADY, LAST, 28, 90)
    assert days[-1] == day(630)
    assert days[0] == day(630 - 10 * 28)
    assert len(days) == 11
    assert forecast_days([], LAST, 28, 90) == []


def test_where_everybody_keeps_its_habits_the_forecast_is_right_and_the_due_date_is_not() -> None:
    those = list(trials(STEADY, forecast_days(STEADY, LAST, 28, 90), 90))
    told, due = (score(those, method, 90) for method in (Method.FORECAST, Method.DUE))
    assert told.error == 0
    assert told.late == told.covered == 1
    assert due.error is not None and due.error > 5
    assert due.covered is None


def test_what_was_not_paid_within_the_horizon_counts_as_the_day_after_it() -> None:
    """On one day: guessed in 10 days, came in 13; guessed in 10, not within 30; guessed not, and did not."""
    known = bill("they", 0, None)

    def one(guessed: int, came: int, soon: int) -> Trial:
        return Trial(known, day(-5), 3, True, came, {Method.FORECAST: Guess(guessed, soon, guessed > 5, 9, 20)})

    told = score([one(10, 13, SURE), one(10, 31, SURE), one(31, 31, 0)], Method.FORECAST, 30)
    assert (told.count, told.error, told.middle, told.bias) == (3, Fraction(8), 3, Fraction(-8))
    assert (told.paid, told.error_paid) == (1, Fraction(3))
    assert (told.late, told.covered, told.brier) == (Fraction(1), Fraction(1, 3), Fraction(1, 3))


def test_who_is_not_past_due_has_a_due_date_within_the_horizon_to_be_late_for() -> None:
    none = Trial(bill("they", 0, None), day(5), 0, True, 3, {Method.FORECAST: Guess(3, SURE, True, 1, 5)})
    told = score([none], Method.FORECAST, 90)
    assert told.error == 0
    assert told.late is None
    assert score([], Method.FORECAST, 90).error is None


def test_what_is_judged_and_what_is_not() -> None:
    """On day 500: open; written later; paid before; credited within the horizon, and after it; a year and a day past
    due."""
    ledger = [
        *STEADY[:40], bill("open", 480, None), bill("later", 540, None), bill("before", 480, 5),
        bill("credited", 480, 60, paid=False), bill("credited later", 480, 200, paid=False), bill("old", 134, None),
        bill("a year", 135, None),
    ]  # fmt: skip
    found = {one.bill.payer: one for one in trials(ledger, [day(500)], 90)}
    assert set(found) == {"open", "credited later", "a year"}
    assert all(one.days == 91 for one in found.values())
    again = {one.bill.payer: one.first for one in trials(ledger, [day(500), day(510)], 90) if one.on == day(510)}
    assert again == {"open": False, "credited later": False, "later": True}


def test_the_plain_guesses() -> None:
    """They paid on the day for a year, and 20 days late of late; others 6 days late. On day 500 theirs is due in 10
    days, and a stranger's was 3 days ago."""
    ledger = [bill("they", 30 + n, 0) for n in range(12)] + [bill("they", 430 + n, 20) for n in range(10)]
    ledger += [bill("others", 100 + n, 6) for n in range(11)]
    ledger += [bill("they", 510, None), bill("stranger", 497, None)]
    found = {one.bill.payer: one for one in trials(ledger, [day(500)], 90)}
    days = {who: {method: guess.days for method, guess in one.guesses.items()} for who, one in found.items()}
    plain = {Method.DUE: 10, Method.COMPANY: 16, Method.CUSTOMER: 10, Method.RECENT: 30}
    assert {method: days["they"][method] for method in plain} == plain
    assert [days["stranger"][method] for method in plain] == [1, 3, 3, 3]
    assert (found["they"].own, found["stranger"].own) == (22, 0)
    late = {method for method, guess in found["they"].guesses.items() if guess.late}
    assert late >= {Method.COMPANY, Method.RECENT}
    assert not late & {Method.DUE, Method.CUSTOMER}


def test_before_enough_was_paid_no_forecast_is_made() -> None:
    ledger = [bill("they", 30 + n, 0) for n in range(19)] + [bill("they", 510, None)]
    assert list(trials(ledger, [day(500)], 90)) == []
    assert len(list(trials([bill("they", 30, 0), *ledger], [day(500)], 90))) == 1


LEDGER = st.lists(
    st.builds(
        bill, st.sampled_from("abc"), st.integers(0, 700), st.one_of(st.none(), st.integers(-20, 120)),
        paid=st.booleans(),
    ),
    min_size=5, max_size=40,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(LEDGER, st.integers(300, 600))
def test_what_comes_after_a_day_never_changes_what_was_guessed_on_it(ledger: list[Bill], on: int) -> None:
    """All that ends after the day never ends, and nothing is written after it."""
    known = [bill("a", 30 + n, n) for n in range(25)] + ledger
    cut = [
        replace(one, ended_on=None, paid=False) if one.ended_on is not None and one.ended_on > day(on) else one
        for one in known
        if one.issued_on <= day(on)
    ]
    first, second = (
        [(one.bill.payer, one.bill.due_on, one.own, one.guesses) for one in trials(some, [day(on)], 90)]
        for some in (known, cut)
    )
    left_out = [one for one in known if one.ended_on and day(on) < one.ended_on <= day(on + 90) and not one.paid]
    assert [one for one in second if one in first] == first
    assert len(second) - len(first) <= len(left_out)


def test_every_trial_belongs_to_one_row_of_payers_and_one_of_age() -> None:
    those = list(trials(STEADY, forecast_days(STEADY, LAST, 28, 90), 90))
    for one in those:
        mine = [name for name, belongs in SEGMENTS.items() if belongs(one)]
        assert len([name for name in mine if name.startswith("payer")]) == 1
        assert ("past due" in mine) != ("not past due" in mine)


def test_chances_are_set_beside_what_came() -> None:
    one = next(iter(trials(STEADY, [day(500)], 90)))

    def told(soon: int, days: int) -> Trial:
        return replace(one, days=days, guesses={Method.FORECAST: Guess(5, soon, False)})

    found = calibration([told(150_000, 5), told(170_000, 90), told(SURE, 30), told(SURE, 31)])
    assert [(each.low, each.count, each.told, each.came) for each in found] == [
        (10, 2, Fraction(16, 100), Fraction(1, 2)), (90, 2, Fraction(1), Fraction(1, 2)),
    ]  # fmt: skip


def test_a_sheet_says_where_the_forecast_does_not_help() -> None:
    """Everybody pays 20 days late, and from day 350 on they pay on the day: the past misleads, and the due date is
    right."""
    turned = [replace(one, ended_on=one.due_on + timedelta(days=20 if one.due_on < day(350) else 0)) for one in STEADY]
    sheet = evaluation([("turned", turned, day(600))], 28, 90, Parted.SEGMENT)
    rows = sheet.records(sheet.rows)
    told = {row["method"]: row["error"] for row in rows if row["of"] == "not past due"}
    assert told["forecast"] > told["due date"]
    assert any(note.startswith("turned: it does not help here: not past due") for note in sheet.notes)
    chances = evaluation([("steady", STEADY, LAST)], 28, 90, Parted.CHANCE)
    assert {row["ledger"] for row in chances.records(chances.rows)} == {"steady"}
    assert "nearer than the recent median" in " ".join(chances.notes)


@pytest.mark.parametrize("ledger", [[], STEADY[:10], [bill("they", 100, None)] * 30])
def test_where_there_is_nothing_to_judge_that_is_told(ledger: list[Bill]) -> None:
    sheet = evaluation([("thin", ledger, LAST)], 28, 90, Parted.SEGMENT)
    assert sheet.rows == ()
    assert sheet.notes[0].startswith("thin: nothing to judge")
