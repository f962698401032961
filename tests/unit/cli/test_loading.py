"""What a load shows while it runs: the kinds of record, all of them, and the time that is left."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from arsync.cli.loading import Shown, _Left, page_size, seconds_left, told_left, whole
from arsync.connector import Resource

CUSTOMERS, INVOICES, PAYMENTS, CREDIT_NOTES = Resource


def test_the_whole_is_known_only_where_every_kind_is_counted() -> None:
    seen = {CUSTOMERS: 200, INVOICES: 1000}
    assert whole(seen, {CUSTOMERS: 200, INVOICES: 6000}) == 6200
    assert whole({CUSTOMERS: 203, INVOICES: 0}, {CUSTOMERS: 200, INVOICES: 6000}) == 6203, "three are new since"
    assert whole(seen, {CUSTOMERS: 200, INVOICES: None}) is None


@pytest.mark.parametrize(
    ("done", "spent", "limits", "left"),
    [
        (5_000, 10.0, 0.0, 30.0),  # a quarter took 10 s
        (5_000, 10.0, 60.0, 60.0),  # the vendor lets no more out for a minute
        (0, 4.0, 0.0, None),  # no pace yet
        (0, 4.0, 60.0, 60.0),  # but the limits are known
        (300, 4.0, 0.0, None),  # the few customers come first and tell nothing
        (20_000, 40.0, 0.0, 0.0),
    ],
)
def test_what_is_left_goes_by_the_pace_and_by_the_limits(
    done: int, spent: float, limits: float, left: float | None
) -> None:
    assert seconds_left(done, 20_000, spent, lambda _requests: limits) == left


def test_requests_still_to_come_are_the_pages_left_and_what_follows_them() -> None:
    asked: list[int] = []

    def allowed(requests: int) -> float:
        asked.append(requests)
        return 0.0

    seconds_left(5_000, 20_000, 1.0, allowed)
    assert asked == [23]


def test_a_load_that_goes_on_shows_what_stands_and_every_stage_has_a_line() -> None:
    told = io.StringIO()
    console = Console(file=told, force_terminal=True, width=100, color_system=None)
    beats: list[int] = []
    with Shown("acme", console, allowed=lambda _: 0.0, beat=lambda: beats.append(1), quiet=False) as shown:
        seen = {CUSTOMERS: 200, INVOICES: 4000, PAYMENTS: 0, CREDIT_NOTES: 0}
        shown.begun(seen, {CUSTOMERS: 200, INVOICES: 6000, PAYMENTS: 5000, CREDIT_NOTES: None})
        shown.stored(INVOICES, 5000, 6000)
        shown.closing()
        shown.reading_back()
    last = told.getvalue().rsplit("acme asking", 1)[1]
    for line in (
        "200/200",
        "5,000/6,000",
        "0/5,000",
        "acme all",
        "what changed meanwhile",
        "notes of earlier messages",
    ):
        assert line in last, line
    assert beats == [1], "the lock is renewed with every page"


def test_the_time_left_runs_down_between_two_pages() -> None:
    """A minute is told at the first page; the next comes after the vendor's minute: 60 s, 35 s, past its time."""
    told = io.StringIO()
    console = Console(file=told, force_terminal=True, width=120, color_system=None)
    shown = Shown("acme", console, allowed=lambda _: 60.0, beat=lambda: None, quiet=False)
    now = 1000.0
    shown._bars.get_time = lambda: now
    shown.begun({INVOICES: 0}, {INVOICES: 6000})
    (row,) = [task for task in shown._bars.tasks if task.description == "acme all"]
    left = []
    for now in (1000.0, 1025.0, 1061.0):  # noqa: B007 - the bars' clock
        row._get_time = shown._bars.get_time
        left.append(str(_Left().render(row)))
    assert left == ["about 0:01:00 left", "about 0:00:35 left", "any moment now"]


def test_in_a_terminal_of_eighty_columns_the_time_left_stands_in_one_line() -> None:
    told = io.StringIO()
    console = Console(file=told, force_terminal=True, width=80, color_system=None)
    with Shown("xero-779e545b", console, allowed=lambda _: 60.0, beat=lambda: None, quiet=False) as shown:
        shown.begun({INVOICES: 0}, {INVOICES: 20_000})
        shown.stored(INVOICES, 1000, 20_000)
    assert any("xero-779e545b all" in line and " left" in line for line in told.getvalue().splitlines())


def test_an_hour_is_told_as_one() -> None:
    assert told_left(3723.4) == "about 1:02:03 left"


def test_what_the_last_stage_asks_is_counted_too() -> None:
    asked: list[int] = []

    def allowed(requests: int) -> float:
        asked.append(requests)
        return 0.0

    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    shown = Shown("acme", console, allowed=allowed, beat=lambda: None, quiet=False, after=10)
    shown.begun({INVOICES: 0}, {INVOICES: 6000})
    assert asked == [6 + 8 + 10]


@pytest.mark.parametrize(
    ("came", "size"),
    [
        ([], 1000),  # as it is asked for
        ([37], 1000),  # the few old ones that are still open: no page of invoices yet
        ([37, 1000], 1000),
        ([100, 96, 95], 96),  # the source gives a hundred, and a few of them twice
        ([0, 0], 1),
    ],
)
def test_the_size_of_a_page_is_learned_from_those_that_came(came: list[int], size: int) -> None:
    assert page_size(came) == size


def test_a_source_with_small_pages_is_reckoned_with_them() -> None:
    """3,000 invoices: asked for by the thousand, they come by the hundred. The customers' only page tells nothing."""
    asked: list[int] = []

    def allowed(requests: int) -> float:
        asked.append(requests)
        return 0.0

    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    shown = Shown("acme", console, allowed=allowed, beat=lambda: None, quiet=False)
    shown.begun({CUSTOMERS: 0, INVOICES: 0}, {CUSTOMERS: 50, INVOICES: 3000})
    for kind, seen, of in ((CUSTOMERS, 50, 50), (INVOICES, 100, 3000), (INVOICES, 200, 3000)):
        shown.stored(kind, seen, of)
    assert asked == [4 + 8, 3 + 8, 3 + 8, 28 + 8]
