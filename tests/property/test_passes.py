"""However a connection's payers come by pages, each chase hears once what one pass over all together would tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arsync.domain.chase import Budget, Plan
from arsync.domain.policy import ACCOUNT, StepMode
from arsync.domain.rollout import Rollout
from arsync.playbook import facts, passes
from arsync.playbook.admit import asking, refused
from arsync.playbook.answers import Answered
from arsync.playbook.going_live import Known, narrowed
from arsync.playbook.plan import plan
from arsync.testing.builders import WORKDAYS, a_connection, a_playbook, an_item, day, some_facts

NOW: Final = datetime(2026, 7, 3, 12, tzinfo=UTC)
FRIDAY: Final = day("07-03")
_CONNECTION: Final = a_connection(pay_currencies=("EUR", "JPY", "USD"))


def _told(currency: str, due: str) -> Plan:
    invoice = an_item("INV-1", due, currency=currency)
    return plan(some_facts(invoice, currency=currency, connection=_CONNECTION), a_playbook(), WORKDAYS, FRIDAY)


_SPEAKING: Final = {currency: _told(currency, "06-30") for currency in ("EUR", "JPY", "USD")}
_SILENT: Final = {currency: _told(currency, "12-24") for currency in _SPEAKING}
_AMOUNTS: Final = [Decimal(written) for written in ("1.00", "2.00", "2.00", "2.00", "9.00")]
_CAPS: Final = [None, None, None, None, 0, 1, 2, 5]
_KINDS: Final = ["plain", "plain", "plain", "account", "approve", "silent"]


@dataclass(frozen=True)
class Street:
    """A connection's payers, each with all its chases, and what is known before the day's planning."""

    payers: tuple[tuple[Plan, ...], ...]
    page: int  # so many payers
    most: int
    sent_before: int
    asked_before: int
    usual: Decimal | None
    factor: Decimal
    share: Decimal
    handful: int
    first: int | None
    reached: frozenset[tuple[int, str]]
    pending: frozenset[tuple[int, str]]

    @property
    def plans(self) -> list[Plan]:
        return [one for payer in self.payers for one in payer]

    @property
    def rollout(self) -> Rollout:
        return Rollout(first=self.first)

    def budget(self, owing: int) -> Budget:
        return Budget(self.most, self.usual, self.factor, self.handful, owing, self.share)


def _a_plan(draw: st.DrawFn, chase_id: int, payer: str, currency: str, *, plainly: bool) -> Plan:
    kind = "plain" if plainly else draw(st.sampled_from(_KINDS))
    base = (_SILENT if kind == "silent" else _SPEAKING)[currency]
    own = replace(base.facts, chase_id=chase_id, payer_id=payer, payer_name=payer)
    if base.intent is None:
        return replace(base, facts=own)
    (invoice,) = base.intent.demanded
    invoice = replace(invoice, balance=replace(invoice.balance, amount=draw(st.sampled_from(_AMOUNTS))))
    step = replace(base.intent.step, id=ACCOUNT) if kind == "account" else base.intent.step
    mode = StepMode.APPROVE if kind == "approve" else StepMode.AUTO
    intent = replace(base.intent, step=step, mode=mode, demanded=(invoice,))
    room, mailbox = None if plainly else draw(st.sampled_from(_CAPS)), draw(st.sampled_from(_CAPS))
    return replace(base, facts=replace(own, items=(invoice,)), intent=intent, room=room, mailbox=mailbox)


@st.composite
def streets(draw: st.DrawFn) -> Street:
    payers: list[tuple[Plan, ...]] = []
    number = 0
    plainly = draw(st.booleans())  # nothing but the day's cap refuses anybody
    for name in [f"P{place}" for place in range(draw(st.integers(0, 9)))]:
        plans = []
        some = [["EUR"], ["EUR"], ["USD"]] if plainly else [["EUR"], ["USD"], ["EUR", "USD"], ["EUR", "JPY", "USD"]]
        for currency in draw(st.sampled_from(some)):
            number += 1
            plans.append(_a_plan(draw, number, name, currency, plainly=plainly))
        payers.append(tuple(plans))
    known = st.frozensets(st.sampled_from([(1, f"P{place}") for place in range(9)]), max_size=4)
    sent = draw(st.integers(0, 4))
    return Street(
        payers=tuple(draw(st.permutations(payers))),
        page=draw(st.integers(1, 4)),
        most=sent + draw(st.integers(-1, 6)),
        sent_before=sent,
        asked_before=draw(st.integers(0, sent)),
        usual=None if plainly else draw(st.sampled_from([None, None, Decimal(1), Decimal("4.5"), Decimal(50)])),
        factor=draw(st.sampled_from([Decimal("0.5"), Decimal(1), Decimal(2)])),
        share=draw(st.sampled_from([Decimal(0), Decimal("0.3"), Decimal(1)])),
        handful=draw(st.sampled_from([0, 2, 20])),
        first=None if plainly else draw(st.sampled_from([None, None, None, 0, 1, 3])),
        reached=draw(known),
        pending=draw(known),
    )


class _Answers:
    """As the planner's, of payers that are made up."""

    def __init__(self, street: Street) -> None:
        self._street = street
        self.count = len(street.plans)

    def read(self, among: Mapping[int, str] | None = None) -> Iterator[list[Answered]]:
        payers = self._street.payers
        for start in range(0, len(payers), self._street.page):
            plans = [one for payer in payers[start : start + self._street.page] for one in payer]
            policy: Any = None  # nobody asks for it
            yield [Answered(one, policy, None) for one in plans if among is None or one.facts.chase_id in among]


def by_pages(street: Street) -> list[Plan]:
    """What the planner's two passes tell, in the order in which they do."""
    work: Any = None
    own: Any = SimpleNamespace(id=1, name="acme")
    policy: Any = SimpleNamespace(rollout=street.rollout, max_per_run=street.most)
    known = {
        "gone": street.sent_before, "asked": street.asked_before, "usual": street.usual, "reached": set(street.reached),
        "pending": set(street.pending),
    }  # fmt: skip
    volume = SimpleNamespace(**{name: mock.Mock(return_value=value) for name, value in known.items()})
    with (
        mock.patch.object(passes, "Answers", lambda *_asked, **_when: _Answers(street)),
        mock.patch.object(passes, "volume", volume),
        mock.patch.object(passes, "not_rejected", lambda _work, _connection, page: page),
        mock.patch.object(passes._Passes, "_budget", lambda _self, owing: street.budget(owing)),
        mock.patch.object(facts, "PAYERS_A_PAGE", street.page),
    ):
        return list(passes.considering(work, own, policy, now=NOW, today=FRIDAY))


def all_together(street: Street) -> list[Plan]:
    """The two passes as they are meant, by the chase's id."""
    plans = narrowed(street.plans, street.rollout, Known("acme", {}, {}, street.reached, street.pending))
    speaking = [place for place, one in enumerate(plans) if one.intent is not None]
    budget = street.budget(len(street.payers))
    no = refused([asking(plans[place]) for place in speaking], budget, street.sent_before, street.asked_before)
    for place, refusal in no.items():
        plans[speaking[place]] = refusal.of(plans[speaking[place]])
    return sorted(plans, key=lambda one: one.facts.chase_id)


def agree(street: Street) -> None:
    assert sorted(by_pages(street), key=lambda one: one.facts.chase_id) == all_together(street)


@settings(max_examples=50, deadline=None)
@given(streets())
def test_caps_breakers_and_going_live_say_the_same_by_pages_as_all_together(street: Street) -> None:
    agree(street)


@pytest.mark.long
@settings(max_examples=5_000, deadline=None)
@given(streets())
def test_they_say_the_same_of_thousands_of_days(street: Street) -> None:
    agree(street)
