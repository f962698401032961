"""The window of a playbook file: what it takes, and what could never open."""

from __future__ import annotations

from datetime import date, time

import pytest

from arsync.domain.calendar import Blackout, blackout, closed_days
from arsync.domain.policy import Observed, SendWindow
from arsync.playbook.nodes import Section, compose
from arsync.playbook.problems import Problems
from arsync.playbook.windows import content, read_window
from arsync.testing.builders import day

GOOD = """window:
  weekdays: [mon, fri]
  opens: "09:00"
  closes: "17:00"
"""


def read(text: str) -> tuple[SendWindow | None, list[str]]:
    problems = Problems("plain.yaml")
    root = compose(text, problems)
    assert root is not None
    window = read_window(Section(root, "the playbook", problems, known=("window",), required=()), problems)
    return window, [str(problem) for problem in problems.by_line()]


def test_a_window_goes_by_the_customers_clock_and_by_both_holidays_unless_it_says_otherwise() -> None:
    assert read(GOOD) == (SendWindow(frozenset({0, 4}), time(9), time(17), True, Observed.BOTH, ()), [])
    window, problems = read(GOOD + "  timezone: company\n  holidays: none\n")
    assert window is not None
    assert (problems, window.by_customer, window.holidays) == ([], False, Observed.NONE)


def test_blackouts_come_once_or_every_year() -> None:
    window, problems = read(
        GOOD
        + """  blackout:
    - {from: 12-20, to: 01-05, why: year end}
    - {from: 2026-08-10, to: "2026-08-21"}
"""
    )
    assert problems == []
    assert window is not None
    year_end, works = window.blackouts
    assert (year_end.yearly, year_end.why, works.yearly) == (True, "year end", False)
    assert [year_end.covers(day(on)) for on in ("12-19", "12-20", "12-31", "01-01", "2031-01-05", "01-06")] == [
        False, True, True, True, True, False,
    ]  # fmt: skip
    assert works == Blackout(date(2026, 8, 10), date(2026, 8, 21))
    assert not works.covers(date(2027, 8, 12))


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{from: 12-32, to: 01-05}",
         "plain.yaml:6: blackout 1: no such day: '12-32' (write it like 12-20, or 2026-12-20)"),
        ("{from: 2027-02-29, to: 2027-03-01}",
         "plain.yaml:6: blackout 1: no such day: '2027-02-29' (write it like 12-20, or 2026-12-20)"),
        ("{from: 2026-12-20, to: 01-05}",
         "plain.yaml:6: blackout 1: 2026-12-20 and 01-05: give both a year, or neither"),
        ("{from: 2026-08-10, to: 2026-08-01}",
         "plain.yaml:6: blackout 1: it ends on 2026-08-01, before it begins on 2026-08-10"),
        ("{from: 12-20}", "plain.yaml:6: blackout 1 needs the key 'to'"),
        ("{from: 12-20, till: 12-30}", "plain.yaml:6: blackout 1 has no key 'till'"),
        ("12-24", "plain.yaml:6: blackout 1 must be a mapping of keys: from, to, why"),
        ("{from: [12-20], to: 12-24}", "plain.yaml:6: blackout 1: no such day"),
    ],
)  # fmt: skip
def test_what_is_no_blackout_says_what_to_write(entry: str, problem: str) -> None:
    _, problems = read(GOOD + f"  blackout:\n    - {entry}\n")
    assert any(said.startswith(problem) for said in problems), problems


@pytest.mark.parametrize(
    "blackouts",
    [
        "[{from: 01-01, to: 12-31, why: retired}]",
        "[{from: 03-01, to: 02-29, why: retired}]",
        "[{from: 01-01, to: 06-30}, {from: 07-01, to: 12-31, why: retired}]",
        "[{from: 2026-01-01, to: 2027-12-31, why: retired}]",
        "[{from: 01-10, to: 01-05, why: retired}]",  # four days are left, which are not always a Monday or a Friday
    ],
)
def test_blackouts_that_leave_a_year_without_a_day_are_an_error(blackouts: str) -> None:
    """Found at load: the message would wait for ever, and no night would say so."""
    _, problems = read(GOOD.replace("mon, fri", "mon") + f"  blackout: {blackouts}\n")
    wanted = "plain.yaml:5: window: blackouts (retired) leave no day of a whole year on which anything could go out"
    assert problems == [wanted]


def test_a_long_blackout_is_none_of_our_business() -> None:
    assert read(GOOD + "  blackout: [{from: 02-01, to: 12-31}]\n")[1] == []


def test_all_that_a_window_says_is_in_the_playbooks_version() -> None:
    texts = [
        GOOD, GOOD.replace("mon, ", ""), GOOD.replace("09:00", "08:00"), GOOD.replace("17:00", "18:00"),
        GOOD + "  timezone: company\n", GOOD + "  holidays: customer\n",
        GOOD + "  blackout: [{from: 12-20, to: 12-31}]\n", GOOD + "  blackout: [{from: 12-20, to: 12-31, why: x}]\n",
        GOOD + "  blackout: [{from: 2000-12-20, to: 2000-12-31}]\n",
    ]  # fmt: skip
    windows = [window for window, _ in map(read, texts) if window is not None]
    assert len({str(content(window)) for window in windows}) == len(texts)


def test_a_companys_closed_days_are_a_line() -> None:
    assert closed_days("12-24..01-02 year end") == blackout("12-24", "01-02", "year end")
    assert closed_days(" 2026-05-15 ") == blackout("2026-05-15", "2026-05-15")
    for wrong in ("", "soon", "12-24..", "12-24 .. soon"):
        with pytest.raises(ValueError, match=r"no (such )?days?"):
            closed_days(wrong)
