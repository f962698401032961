"""A dispute about a part: the rest is asked for, no more and no less."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from arsync.domain.chase import Hold, Item, Rule
from arsync.domain.people import DisputeCode
from arsync.domain.policy import Happening
from arsync.domain.states import HoldKind
from arsync.playbook.guards import held
from arsync.playbook.happenings import Log
from arsync.playbook.people import Said, without_disputed
from arsync.testing.builders import an_item, day, money, some_facts


def contested(amount: str, *, begins: str = "06-01", until: str | None = None, currency: str = "EUR") -> Hold:
    part = money(amount, currency)
    end = day(until) if until else None
    return Hold(HoldKind.DISPUTE, "two broken", "kim", "park", "INV-1", day(begins), end, part, DisputeCode.QUALITY)


def owed(*parts: Hold, balance: str = "100.00", on: str = "06-10") -> Item:
    return without_disputed(an_item("INV-1", "06-05", balance), parts, day(on))


def test_the_contested_part_is_off_the_balance_that_is_asked_for() -> None:
    left = owed(contested("40.00"))
    assert (left.balance, left.disputed) == (money("60.00"), money("40.00"))
    assert left.total == money("100.00")


def test_several_contested_parts_add_up_and_never_to_more_than_is_open() -> None:
    assert owed(contested("40.00"), contested("25.00")).balance == money("35.00")
    left = owed(contested("40.00"), contested("80.00"))
    assert (left.balance, left.disputed) == (money("0.00"), money("100.00"))


def test_a_part_counts_from_its_first_day_to_its_last() -> None:
    """06-03 until 06-10, in the company's days."""
    part = contested("40.00", begins="06-03", until="06-10")
    assert [str(owed(part, on=on).balance) for on in ("06-02", "06-03", "06-10", "06-11")] == [
        "100.00 EUR", "60.00 EUR", "60.00 EUR", "100.00 EUR",
    ]  # fmt: skip


def test_two_currencies_never_add() -> None:
    assert owed(contested("40.00", currency="USD")).balance == money("100.00")


def test_a_part_alone_stops_nothing_and_all_that_is_open_is_held() -> None:
    """100.00 of which 40.00 is contested; then 60.00 is paid."""
    part = contested("40.00", until="06-20")
    open_one = owed(part)
    assert held(some_facts(open_one, holds=[part]), open_one, day("06-10")) is None
    left = owed(part, balance="40.00")
    answer = held(some_facts(left, holds=[part]), left, day("06-10"))
    assert answer is not None
    assert (answer.rule, answer.next_on) == (Rule.HOLD, day("06-21"))
    assert "40.00 EUR of invoice INV-1" in answer.reason
    assert "dispute (quality)" in answer.reason


def test_a_whole_hold_beside_a_part_still_stops_it_all() -> None:
    part = contested("40.00")
    whole = replace(part, part=None, kind=HoldKind.PAUSE)
    left = owed(part, whole)
    answer = held(some_facts(left, holds=[part, whole]), left, day("06-10"))
    assert answer is not None
    assert answer.reason.startswith("pause")


def test_a_promise_that_was_broken_is_told_of_its_own_invoices_only() -> None:
    """INV-1 was promised and did not come; nobody promised INV-2."""
    first, second = an_item("INV-1", "06-05"), an_item("INV-2", "06-06")
    said = Said({}, {}, {}, {"INV-1": datetime(2026, 6, 20, 3, tzinfo=UTC)}, {}, {})
    log = Log(said.onto(some_facts(first, second), day("06-21"), datetime.date), day("06-21"))
    broken = frozenset({Happening.PROMISE_BROKEN})
    assert log.last(first, broken, 0) == date(2026, 6, 20).toordinal()
    assert log.last(second, broken, 0) is None


def test_a_reply_is_told_also_once_it_was_handled_and_nothing_else_was_said() -> None:
    """06-20 they wrote, and a person answered: no hold, no owner, no call is left of it."""
    said = Said({}, {}, {}, {}, {}, {"park": (datetime(2026, 6, 20, 3, tzinfo=UTC),)})
    told = said.onto(some_facts(an_item()), day("06-21"), datetime.date)
    assert [(one.what, one.on) for one in told.happened] == [(Happening.REPLIED, day("06-20"))]
    other = said.onto(replace(some_facts(an_item()), payer_id="elm"), day("06-21"), datetime.date)
    assert other.happened == ()
