"""What holds of the planner whatever happens: a quarter of random payments, holds, bounces, credits and outages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arsync.domain.calendar import Calendar
from arsync.domain.chase import Budget, ChaseFacts, Hold, Item, PastMessage, Plan, Rule
from arsync.domain.documents import InvoiceState
from arsync.domain.money import Money, total
from arsync.domain.policy import Backlog, Playbook, Reanchor, Step, StepChannel, StepMode, Tone
from arsync.domain.states import Decision, HoldKind, MessageState
from arsync.playbook.admit import admit
from arsync.playbook.plan import plan
from arsync.testing.builders import a_connection, a_playbook, a_step, after, an_item, day, some_facts

FIRST = day("07-01")
QUARTER = 92
M = MessageState

amounts = st.integers(1, 50_000).map(lambda cents: Decimal(cents) / 100)
OUTCOMES = [*[M.ACCEPTED] * 8, M.DELIVERED, M.PRESUMED_SENT, M.BOUNCED, M.UNKNOWN, M.FAILED]
OUT = (M.ACCEPTED, M.DELIVERED, M.PRESUMED_SENT, M.BOUNCED)
NOTHING = Money(Decimal("0.00"), "EUR")


def some_money(chance: Random) -> Money:
    return Money(Decimal(chance.randint(1, 50_000)) / 100, "EUR")


def some_invoices(chance: Random) -> list[Item]:
    made = []
    for number in range(chance.randint(1, 5)):
        due = FIRST + timedelta(days=chance.randint(-60, 70))
        item = an_item(f"INV-{number}", due.isoformat() if chance.random() < 0.95 else None)
        balance = some_money(chance)
        made.append(replace(item, balance=balance, total=balance + some_money(chance)))
    return made


def some_playbook(chance: Random) -> Playbook:
    steps: tuple[Step, ...] = ()
    if chance.random() < 0.6:
        offsets = sorted(chance.sample(range(1, 46), chance.randint(3, 5)))
        late = [a_step(f"step-{number}", offset) for number, offset in enumerate(offsets[:-1])]
        late[-1] = replace(late[-1], channel=chance.choice(list(StepChannel)), tone=Tone.FIRM)
        early = [a_step("early", chance.randint(-9, 0))] if chance.random() < 0.5 else []
        steps = (*early, *late, a_step("last", offsets[-1], Tone.FINAL))
    return a_playbook(
        *steps,
        gap=chance.randint(1, 12),
        minimum={"EUR": chance.choice(["0.00", "25.00"])},
        backlog=chance.choice(list(Backlog)),
        reanchor=chance.choice(list(Reanchor)),
    )


def some_calendar(chance: Random) -> Calendar:
    weekdays = chance.choice([frozenset(range(7)), frozenset(range(5)), frozenset({1, 3})])
    return Calendar(weekdays, frozenset(FIRST + timedelta(days=chance.randrange(QUARTER)) for _ in range(5)))


@dataclass
class Books:
    """The source's own books and the outbox, which go on while the planner is not looking."""

    chance: Random
    unrest: float  # how likely something happens in a day
    facts: ChaseFacts
    today: date = FIRST

    def a_day_passes(self) -> None:
        self._settle()
        if self.chance.random() > self.unrest:
            return
        item = self.chance.choice(self.facts.items)
        match self.chance.randrange(7):
            case 0:
                self._put(item, NOTHING, InvoiceState.PAID)
            case 1:
                part = (item.balance.amount * self.chance.randint(0, 99) / 100).quantize(Decimal("0.01"))
                self._put(item, Money(part, "EUR"), InvoiceState.OPEN)
            case 2:
                self._put(item, item.total, InvoiceState.OPEN)  # a reversed payment
            case 3:
                self._put(item, item.balance, self.chance.choice([InvoiceState.VOID, InvoiceState.DRAFT]))
            case 4:
                until = self.today + timedelta(days=self.chance.randint(0, 20))
                scope = self.chance.choice([item.invoice_id, None])
                hold = Hold(HoldKind.DISPUTE, "broken", "kim", "park", scope, self.today, until)
                self.facts = replace(self.facts, holds=(*self.facts.holds, hold))
            case 5:
                self.facts = replace(self.facts, unapplied=some_money(self.chance))
            case 6:
                self.facts = replace(self.facts, unapplied=NOTHING)

    def _put(self, item: Item, balance: Money, state: InvoiceState) -> None:
        items = (replace(it, balance=balance, state=state) if it == item else it for it in self.facts.items)
        self.facts = replace(self.facts, items=tuple(items))

    def _settle(self) -> None:
        """What waits for a person is done or superseded some day; what is unknown is settled after three days."""
        if not self.facts.history:
            return
        last = self.facts.history[-1]
        match last.state:
            case M.UNKNOWN if self.today >= last.on + timedelta(days=3):
                self._last(replace(last, state=M.PRESUMED_SENT))
            case M.PLANNED if self.chance.random() < 0.5:
                self._last(
                    replace(last, state=self.chance.choice([M.ACCEPTED, M.ACCEPTED, M.SUPERSEDED]), on=self.today)
                )
            case M.FAILED if self.chance.random() < 0.3:
                self._last(replace(last, state=M.ACCEPTED, on=self.today))

    def _last(self, message: PastMessage) -> None:
        self.facts = replace(self.facts, history=(*self.facts.history[:-1], message))


@dataclass
class Quarter:
    """What was known and planned on each day that was run, and the messages of the quarter."""

    playbook: Playbook
    pages: list[tuple[date, ChaseFacts, Plan]]
    history: tuple[PastMessage, ...]


def a_quarter(seed: int) -> Quarter:
    """A quarter run day by day, with outages, each day twice. The seed alone tells it again."""
    chance = Random(seed)
    playbook, calendar = some_playbook(chance), some_calendar(chance)
    mode = chance.choice([StepMode.AUTO, StepMode.APPROVE])
    connection = a_connection(replies_read=chance.random() < 0.5, mode=mode)
    opened = chance.choice(["01-01", FIRST.isoformat()])
    facts = some_facts(*some_invoices(chance), connection=connection, opened=opened)
    books = Books(chance, chance.choice([0.0, 0.05, 0.3]), facts)
    pages: list[tuple[date, ChaseFacts, Plan]] = []
    asleep_until = FIRST
    for ahead in range(QUARTER):
        books.today = FIRST + timedelta(days=ahead)
        books.a_day_passes()
        if chance.random() < 0.05:
            asleep_until = books.today + timedelta(days=chance.randint(1, 25))
        if books.today < asleep_until:
            continue
        planned = plan(books.facts, playbook, calendar, books.today)
        pages.append((books.today, books.facts, planned))
        waits = planned.intent is not None and planned.intent.mode is not StepMode.AUTO
        books.facts = after(books.facts, planned, books.today, M.PLANNED if waits else chance.choice(OUTCOMES))
        again = plan(books.facts, playbook, calendar, books.today)
        assert again.intent is None, "a second run on the same day does nothing"
        assert not any(verdict.decision is Decision.ACT for verdict in again.verdicts)
    return Quarter(playbook, pages, books.facts.history)


def acted(pages: list[tuple[date, ChaseFacts, Plan]]) -> Iterator[tuple[date, ChaseFacts, Plan]]:
    return (page for page in pages if page[2].intent)


@settings(max_examples=160, deadline=None)
@given(st.integers(0, 2**32))
def test_a_quarter_of_anything_keeps_every_promise(seed: int) -> None:
    """One quarter, every claim: telling it anew for each would only cost time."""
    quarter = a_quarter(seed)
    no_two_messages_inside_the_gap(quarter.playbook, quarter.history)
    no_step_twice_for_an_invoice(quarter.history)
    for today, facts, planned in quarter.pages:
        every_invoice_has_a_verdict_with_a_reason_and_a_date_or_an_actor(today, facts, planned)
    for today, facts, planned in acted(quarter.pages):
        only_what_is_owed_is_demanded(today, facts, planned)
        never_what_credit_covers(facts, planned)
        a_final_notice_has_two_milder_before_it(facts, planned, quarter.playbook)


@pytest.mark.long
def test_the_quarters_told_are_worth_telling() -> None:
    """Claims about what never happened prove nothing: finals, calls, lists, covers, and every kind of end occur."""
    quarters = [a_quarter(seed) for seed in range(120)]
    steps = [past.step_id for quarter in quarters for past in quarter.history]
    assert min(sum(step in ("final", "last") for step in steps), steps.count("call"), steps.count("courtesy")) > 5
    rules = {verdict.rule for quarter in quarters for _, _, planned in quarter.pages for verdict in planned.verdicts}
    assert rules >= {
        *(Rule.HOLD, Rule.NOT_OWED, Rule.NO_DUE_DATE, Rule.NOT_DUE, Rule.BELOW_MINIMUM, Rule.COVERED),
        *(Rule.LIVE_MESSAGE, Rule.FAILED_MESSAGE, Rule.UNKNOWN_MESSAGE, Rule.MILDER_FIRST, Rule.GAP, Rule.CALENDAR),
        *(Rule.LADDER_DONE, Rule.TASK, Rule.SEND, Rule.APPROVE, Rule.LISTED),
    }


def no_two_messages_inside_the_gap(playbook: Playbook, history: Sequence[PastMessage]) -> None:
    out = sorted(past.on for past in history if past.state in OUT)
    for before, following in pairwise(out):
        assert (following - before).days >= playbook.gap, (before, following)


def no_step_twice_for_an_invoice(history: Sequence[PastMessage]) -> None:
    seen: set[tuple[str, str]] = set()
    identities: set[tuple[str, int]] = set()
    for past in history:
        if past.state in (M.ACCEPTED, M.DELIVERED, M.PRESUMED_SENT):
            pairs = {(past.step_id, invoice) for invoice in past.invoice_ids}
            assert not pairs & seen, "the same step twice for one invoice"
            seen |= pairs
        if past.state in OUT:
            assert (past.step_id, past.occurrence) not in identities, "one intent, two messages"
            identities.add((past.step_id, past.occurrence))


def every_invoice_has_a_verdict_with_a_reason_and_a_date_or_an_actor(
    today: date, facts: ChaseFacts, planned: Plan
) -> None:
    assert [verdict.invoice_id for verdict in planned.verdicts] == [item.invoice_id for item in facts.items]
    for verdict in planned.verdicts:
        assert len(verdict.reason) > 10
        assert verdict.next_on is None or verdict.next_on > today
        assert verdict.next_on is not None or verdict.decision is not Decision.WAIT
        actors = ("a person", "nothing is owed", "nothing is due", "nobody need act")
        assert verdict.next_on is not None or any(actor in verdict.reason for actor in actors), verdict.reason
    acts = [verdict for verdict in planned.verdicts if verdict.decision is Decision.ACT]
    demanded = [item.invoice_id for item in planned.intent.demanded] if planned.intent else []
    assert sorted(verdict.invoice_id for verdict in acts) == sorted(demanded)


def only_what_is_owed_is_demanded(today: date, facts: ChaseFacts, planned: Plan) -> None:
    assert planned.intent is not None
    source = {item.invoice_id: item for item in facts.items}
    for item in (*planned.intent.demanded, *planned.intent.listed):
        assert item == source[item.invoice_id], "the balance is the source's own"
        assert item.state is InvoiceState.OPEN
        assert item.balance.amount > 0
        assert item.due_on is not None
        assert not any(hold.covers(item.invoice_id, today) for hold in facts.holds)
        late = planned.intent.step.offset > 0
        assert (item.due_on < today) is late
    assert not {item.invoice_id for item in planned.intent.demanded} & {
        item.invoice_id for item in planned.intent.listed
    }


def never_what_credit_covers(facts: ChaseFacts, planned: Plan) -> None:
    assert planned.intent is not None
    asked = total((item.balance for item in planned.intent.demanded), "EUR")
    assert facts.unapplied < asked
    assert planned.intent.unapplied == facts.unapplied


def a_final_notice_has_two_milder_before_it(facts: ChaseFacts, planned: Plan, playbook: Playbook) -> None:
    assert planned.intent is not None
    if planned.intent.step.tone is not Tone.FINAL:
        return
    assert planned.intent.listed == ()
    milder = {step.id for step in playbook.steps if step.tone in (Tone.FRIENDLY, Tone.FIRM)}
    for item in planned.intent.demanded:
        noticed = [
            past
            for past in facts.history
            if past.step_id in milder
            and past.state in (M.ACCEPTED, M.DELIVERED)
            and item.invoice_id in past.invoice_ids
        ]
        assert len(noticed) >= 2


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(amounts, st.sampled_from(["EUR", "USD", "JPY"])), max_size=12),
    st.integers(0, 15),
    st.integers(0, 15),
    st.none() | st.integers(1, 6).map(Decimal),
)
def test_admission_never_exceeds_the_cap_and_does_not_depend_on_the_order(
    owed: list[tuple[Decimal, str]], most: int, before: int, usual: Decimal | None
) -> None:
    connection = a_connection(pay_currencies=("EUR", "USD", "JPY"))
    calendar = Calendar(frozenset(range(7)), frozenset())
    plans = []
    for number, (balance, currency) in enumerate(owed):
        item = an_item("INV-1", "06-28", str(balance), currency=currency)
        facts = some_facts(item, chase_id=number, currency=currency, connection=connection)
        plans.append(plan(facts, a_playbook(), calendar, FIRST))
    budget = Budget(most, usual, Decimal(2), handful=0)
    admitted = admit(plans, budget, before)
    going = {planned.facts.chase_id for planned in admitted if planned.intent}
    assert going == {planned.facts.chase_id for planned in admit(plans[::-1], budget, before) if planned.intent}
    could_go = min(len(plans), max(0, most - before))
    assert len(going) <= could_go
    if usual is not None and plans and before + could_go > usual * 2:
        assert not going
        assert {verdict.rule for planned in admitted for verdict in planned.verdicts} == {Rule.BREAKER}
    else:
        assert len(going) == could_go
