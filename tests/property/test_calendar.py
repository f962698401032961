"""What holds of send windows in any two places, whatever days are closed: days, moments and verdicts agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arsync.domain.calendar import Blackout, Calendar, Closed, Hours
from arsync.domain.chase import Rule
from arsync.playbook.plan import plan
from arsync.testing.builders import a_playbook, a_step, after, an_item, day, past, some_facts

ZONES = [ZoneInfo(name) for name in (
    "Europe/London", "America/Los_Angeles", "Pacific/Auckland", "Asia/Kolkata", "Australia/Lord_Howe",
    "Pacific/Kiritimati",
)]  # fmt: skip
FIRST = date(2026, 3, 1)
QUARTER = timedelta(minutes=15)
quarters = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))
#: The days around which some of these clocks are set.
days = st.one_of(st.dates(FIRST, date(2026, 4, 10)), st.dates(date(2026, 9, 20), date(2026, 11, 5)))


@st.composite
def calendars(draw: st.DrawFn, *, near: date | None = None) -> Calendar:
    opens, closes = sorted(draw(st.lists(quarters, min_size=2, max_size=2, unique=True)))
    begins = draw(st.dates(FIRST, date(2026, 6, 1)) if near is None else st.just(near))
    blackout = Blackout(begins, begins + timedelta(days=draw(st.integers(0, 20))), "works holiday", draw(st.booleans()))
    return Calendar(
        weekdays=frozenset(draw(st.sets(st.integers(0, 6), min_size=1))),
        holidays=frozenset(draw(st.sets(days, max_size=4))),
        blackouts=(blackout,) if draw(st.booleans()) else (),
        own=Closed(frozenset(draw(st.sets(days, max_size=3)))),
        hours=Hours(opens, closes, draw(st.sampled_from(ZONES)), draw(st.sampled_from(ZONES))),
    )


def is_open_at(calendar: Calendar, moment: datetime) -> bool:
    """The rule itself, by what the clocks on both walls show."""
    assert calendar.hours is not None
    there, here = moment.astimezone(calendar.hours.zone), moment.astimezone(calendar.hours.company)
    in_hours = calendar.hours.opens <= there.time() < calendar.hours.closes
    return in_hours and calendar.is_business(there.date()) and here.date() not in calendar.own


@settings(max_examples=60, deadline=None)
@given(calendars(), days)
def test_a_day_is_open_where_and_only_where_a_moment_of_it_is(calendar: Calendar, on: date) -> None:
    assert calendar.hours is not None
    moment = datetime.combine(on, time(), calendar.hours.company).astimezone(UTC)
    ends = datetime.combine(on + timedelta(days=1), time(), calendar.hours.company).astimezone(UTC)
    moments = [moment + QUARTER * ahead for ahead in range((ends - moment) // QUARTER)]
    assert calendar.is_open(on) is any(is_open_at(calendar, one) for one in moments)
    assert all((calendar.next_moment(one) is None) is is_open_at(calendar, one) for one in moments[::7])


@settings(max_examples=60, deadline=None)
@given(calendars(), days, st.integers(0, 95))
def test_the_next_moment_is_the_first_that_is_open(calendar: Calendar, on: date, quarter: int) -> None:
    now = datetime.combine(on, time(), UTC) + QUARTER * quarter
    assert calendar.hours is not None
    try:
        opens = calendar.next_moment(now)
    except ValueError:
        assume(False)
    if opens is None:
        assert is_open_at(calendar, now)
        return
    assert is_open_at(calendar, opens)
    assert calendar.next_moment(opens) is None
    assert calendar.is_open(opens.astimezone(calendar.hours.company).date())
    before = [now + QUARTER * ahead for ahead in range(min(600, -((now - opens) // QUARTER)))]
    assert not any(is_open_at(calendar, moment) for moment in before if moment < opens)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 40))
def test_a_verdicts_next_date_is_the_first_day_on_which_the_window_opens(data: st.DataObject, ahead: int) -> None:
    """With the facts frozen: the same verdict on each day before it, and another on the day itself."""
    today = day("07-01") + timedelta(days=ahead)
    calendar = data.draw(calendars(near=today - timedelta(days=3)))
    facts = some_facts(an_item(due="06-30"))
    playbook = a_playbook(a_step("friendly", 3), a_step("firm", 90))
    try:
        (verdict,) = plan(facts, playbook, calendar, today).verdicts
    except ValueError:
        assume(False)  # it never opens: that is an error at load
    opens = calendar.next_open(max(today, day("07-03")))
    for on in (today + timedelta(days=ahead) for ahead in range((opens - today).days)):
        assert (verdict.rule in (Rule.NOT_DUE, Rule.CALENDAR), verdict.next_on) == (True, opens)
        assert plan(facts, playbook, calendar, on).verdicts == (verdict,)
    (then,) = plan(facts, playbook, calendar, opens).verdicts
    assert then.rule is Rule.SEND


@settings(max_examples=30, deadline=None)
@given(calendars(near=date(2026, 7, 1)))
def test_what_falls_due_in_a_blackout_goes_out_once_when_it_is_over(calendar: Calendar) -> None:
    calendar = replace(calendar, blackouts=(Blackout(day("07-01"), day("08-10"), "summer"),), hours=None)
    playbook = a_playbook(a_step("first", 3), a_step("second", 10), a_step("third", 20), gap=5)
    facts, sent = some_facts(an_item(due="06-29")), []
    on = day("07-01")
    while on <= day("08-31"):
        planned = plan(facts, playbook, calendar, on)
        sent += [on] if planned.intent else []
        facts = after(facts, planned, on)
        on += timedelta(days=1)
    assert sent == [] or sent[0] == calendar.next_open(day("08-11"))
    assert all(later - earlier >= timedelta(days=5) for earlier, later in pairwise(sent))


def test_a_message_of_before_a_blackout_counts_for_the_gap_after_it() -> None:
    calendar = Calendar(frozenset(range(7)), frozenset(), (Blackout(day("07-04"), day("07-10"), "summer"),))
    facts = some_facts(an_item(due="06-30"), history=[past("friendly", "07-03")])
    playbook = a_playbook(a_step("friendly", 3), a_step("firm", 5), gap=10)
    (verdict,) = plan(facts, playbook, calendar, day("07-06")).verdicts
    assert verdict.reason.endswith("on 2026-07-11, the next business day (summer)")
    assert verdict.next_on == day("07-11")
    (verdict,) = plan(facts, playbook, calendar, day("07-11")).verdicts
    assert (verdict.rule, verdict.next_on) == (Rule.GAP, day("07-13"))
