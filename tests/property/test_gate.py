"""The last gate asks SQLite all at once and PostgreSQL one lock after the other: both answer by the same rules."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update
from tests.integration.store.books import NOW, TODAY, Books, ask_gate, customer, invoice, open_books

from arsync.domain.policy import StepChannel
from arsync.domain.states import ChaseState, Health, HoldKind, HoldState, MessageState
from arsync.store import connections
from arsync.store import tables as t
from arsync.store.engine import Store, Work
from arsync.store.gate import CHANGED
from arsync.store.messages import Message


@dataclass(frozen=True)
class Stop:
    """One hold as it stands in its row."""

    payer: str | None
    invoice: str | None
    begins: int  # days from today
    until: int | None
    kind: HoldKind
    state: HoldState
    amount: Decimal | None
    elsewhere: bool = False  # of another connection


@dataclass(frozen=True)
class Moment:
    """All that the gate may find."""

    holds: tuple[Stop, ...] = ()
    let_go: tuple[tuple[str, bool], ...] = ()  # addresses, and whether a person has lifted each
    to: tuple[str, ...] = ("ada",)
    copies: tuple[str, ...] | None = None
    channel: StepChannel = StepChannel.EMAIL
    amount: Decimal = Decimal("100.00")
    health: Health = Health.OK
    pressed: bool = False
    chase: ChaseState = ChaseState.OPEN
    payer: str = "C1"  # of the chase: another since a merge
    behind: int | None = 0  # versions since it was confirmed; None: it never was
    state: MessageState = MessageState.CLAIMED
    ours: bool = True  # the claim


_OF = st.sampled_from
_STOPS = st.builds(
    Stop,
    payer=_OF(["C1", "C1", "C2", None]),
    invoice=_OF([None, None, "I1", "I-young", "I7"]),
    begins=_OF([-1, 0, 0, 1]),
    until=_OF([None, None, -1, 0, 1]),
    kind=_OF(HoldKind),
    state=_OF([HoldState.ACTIVE] * 3 + [HoldState.LIFTED, HoldState.EXPIRED]),
    amount=_OF([None, None, None, Decimal("5.00")]),
    elsewhere=_OF([False, False, False, True]),
)
_NAMES = _OF(["ada", "bob", "élan"])
_SOME = st.lists(_NAMES, max_size=2, unique=True).map(tuple)
_FOUND: dict[str, st.SearchStrategy[Any]] = {
    "holds": st.lists(_STOPS, min_size=1, max_size=3).map(tuple),
    "let_go": st.dictionaries(_NAMES, st.booleans(), min_size=1, max_size=2).map(dict.items).map(tuple),
    "to": _SOME,
    "copies": st.none() | _SOME,
    "channel": _OF(StepChannel),
    "amount": _OF([Decimal("0.00"), Decimal("0.0001")]),
    "health": _OF(Health),
    "pressed": st.booleans(),
    "chase": _OF(ChaseState),
    "payer": _OF(["C1", "C2"]),
    "behind": _OF([0, 1, None]),
    "state": _OF([MessageState.CLAIMED, MessageState.APPROVED, MessageState.SENDING]),
    "ours": st.booleans(),
}
#: Much of which one thing alone stops, or two.
_MOMENTS = st.lists(_OF(["holds"] * 4 + ["let_go"] * 2 + list(_FOUND)), min_size=1, max_size=3, unique=True).flatmap(
    lambda named: st.builds(Moment, **{one: _FOUND[one] for one in named})
)


def expected(moment: Moment) -> set[str | None]:
    """What the gate may say, by the book; several where it may name any of several holds."""
    if moment.pressed:
        return {"stopped"}
    if moment.health is not Health.OK:
        return {f"the connection is {moment.health}"}
    gone = {one for one, lifted in moment.let_go if not lifted} & {*moment.to, *(moment.copies or ())}
    if moment.channel is StepChannel.EMAIL and gone:
        return {f"nobody writes to {one}@example.com any more" for one in gone}
    kinds = {stop.kind for stop in moment.holds if stops(stop, moment)}
    if kinds:
        return {f"a hold: {kind}" for kind in kinds}
    thanks = moment.chase is ChaseState.CLEAR and not moment.amount
    if not thanks and moment.chase not in (ChaseState.OPEN, ChaseState.REOPENED):
        return {f"the chase is {moment.chase}"}
    if moment.behind != 0:
        return {CHANGED}
    if moment.state is not MessageState.CLAIMED or not moment.ours:
        return {"the claim was lost to another worker"}
    return {None}


def stops(stop: Stop, moment: Moment) -> bool:
    if stop.elsewhere or stop.state is not HoldState.ACTIVE or stop.amount is not None:
        return False
    if stop.begins > 0 or (stop.until is not None and stop.until < 0):
        return False
    if stop.invoice is not None:
        return stop.invoice == "I1"
    return stop.payer is None or stop.payer == moment.payer


@pytest.fixture
def desk(store: Store) -> tuple[Books, int, Message]:
    """A message that is claimed and confirmed, and the id of another connection than its own."""
    books = open_books(store)
    with store.working() as work:
        grant = connections.add_grant(work, provider="quickbooks", sealed="sealed", now=NOW)
        other = connections.link(work, name="quay", provider="quickbooks", external_id="quay", grant_id=grant, now=NOW)
        work.commit()
    books.keep(customer("C1"), invoice("I1"))
    books.follow()
    books.plan()
    (message,) = books.claim()
    assert books.confirm(message)
    return books, other.id, message


def arrange(work: Work, own: int, other: int, message: Message, moment: Moment) -> None:
    for stop in moment.holds:
        row = {
            "connection_id": other if stop.elsewhere else own, "payer_id": stop.payer, "invoice_id": stop.invoice,
            "kind": stop.kind.value, "state": stop.state.value, "reason": "so", "author": "ann", "created_at": NOW,
            "begins": TODAY + timedelta(days=stop.begins), "amount": stop.amount,
            "until": None if stop.until is None else TODAY + timedelta(days=stop.until),
        }  # fmt: skip
        work.execute(insert(t.holds), row)
    for one, lifted in moment.let_go:
        row = {"address": f"{one}@example.com", "kind": "bounce", "since": NOW, "source": "sendgrid", "reason": "so"}
        work.execute(insert(t.suppressions), {**row, "lifted_at": NOW if lifted else None})
    h, m = t.chases.c, t.messages.c
    work.execute(update(t.installation).values(stopped_at=NOW if moment.pressed else None))
    work.execute(update(t.connections).where(t.connections.c.id == own).values(health=moment.health.value))
    version = h.version + (moment.behind or 0)
    chase = update(t.chases).where(h.id == message.chase_id)
    work.execute(chase.values(state=moment.chase.value, payer_id=moment.payer, version=version))
    copies = None if moment.copies is None else mailboxes(moment.copies)
    said = {"recipients": mailboxes(moment.to), "copies": copies, "channel": moment.channel.value}
    if moment.behind is None:
        said["chase_version"] = None
    message_row = update(t.messages).where(m.id == message.id)
    work.execute(message_row.values(state=moment.state.value, amount=moment.amount, **said))


def mailboxes(names: Iterable[str]) -> str:
    return json.dumps([f"{name.title()} <{name.title()}@Example.com>" for name in names])


def by_the_book(desk: tuple[Books, int, Message], moment: Moment) -> None:
    """All of it in a transaction that is undone."""
    books, other, message = desk
    with books.store.working() as work:
        arrange(work, books.id, other, message, moment)
        answer = ask_gate(work, message if moment.ours else replace(message, claim_token="0" * 32))
        state = work.execute(select(t.messages.c.state).where(t.messages.c.id == message.id)).scalar_one()
    assert answer in expected(moment)
    assert state == (MessageState.SENDING if answer is None else moment.state)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=_MOMENTS)
@example(moment=Moment())
@example(moment=Moment(chase=ChaseState.CLEAR, amount=Decimal("0.00")))
@example(moment=Moment(chase=ChaseState.HANDED_OFF, amount=Decimal("0.00")))
@example(moment=Moment(holds=(Stop("C1", None, 0, 0, HoldKind.PAUSE, HoldState.ACTIVE, None),)))
@example(moment=Moment(holds=(Stop("C1", "I1", 0, None, HoldKind.DISPUTE, HoldState.ACTIVE, Decimal("5.00")),)))
def test_the_gate_answers_by_the_book_on_either_database(desk: tuple[Books, int, Message], moment: Moment) -> None:
    by_the_book(desk, moment)


@pytest.mark.long
@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=_MOMENTS)
def test_it_answers_by_the_book_at_thousands_of_moments(desk: tuple[Books, int, Message], moment: Moment) -> None:
    by_the_book(desk, moment)
