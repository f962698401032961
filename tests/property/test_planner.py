"""What holds of the planner whatever happens: a quarter of random payments, holds, bounces, credits and outages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

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
outcomes = st.sampled_from(
    [M.ACCEPTED, M.ACCEPTED, M.ACCEPTED, M.DELIVERED, M.PRESUMED_SENT, M.BOUNCED, M.UNKNOWN, M.FAILED]
)


@st.composite
def invoices(draw: st.DrawFn) -> list[Item]:
    made = []
    for number in range(draw(st.integers(1, 5))):
        due = FIRST + timedelta(days=draw(st.integers(-60, 70)))
        item = an_item(f"INV-{number}", due.isoformat() if draw(st.integers(0, 9)) else None)
        balance = Money(draw(amounts), "EUR")
        made.append(replace(item, balance=balance, total=balance + Money(draw(amounts), "EUR")))
    return made


@st.composite
def playbooks(draw: st.DrawFn) -> Playbook:
    if draw(st.booleans()):
        steps: tuple[Step, ...] = ()
    else:
        offsets = sorted(draw(st.sets(st.integers(1, 45), min_size=3, max_size=5)))
        late = [a_step(f"step-{number}", offset) for number, offset in enumerate(offsets[:-1])]
        late[-1] = replace(late[-1], channel=draw(st.sampled_from(StepChannel)), tone=Tone.FIRM)
        early = [a_step("early", draw(st.integers(-9, 0)))] if draw(st.booleans()) else []
        steps = (*early, *late, a_step("last", offsets[-1], Tone.FINAL))
    return a_playbook(
        *steps,
        gap=draw(st.integers(1, 12)),
        minimum={"EUR": str(draw(st.sampled_from(["0.00", "25.00"])))},
        backlog=draw(st.sampled_from(Backlog)),
        reanchor=draw(st.sampled_from(Reanchor)),
    )


calendars = st.builds(
    Calendar,
    st.sampled_from([frozenset(range(7)), frozenset(range(5)), frozenset({1, 3})]),
    st.frozensets(st.integers(0, QUARTER).map(lambda ahead: FIRST + timedelta(days=ahead)), max_size=6),
)


@dataclass
class Books:
    """The source's own books, which happen to the chase as days go by."""

    draw: st.DrawFn
    facts: ChaseFacts
    today: date = FIRST

    def happens(self) -> None:
        """Something, or most often nothing, happens in a day."""
        event = self.draw(st.integers(0, 11))
        item = self.draw(st.sampled_from(self.facts.items))
        if event == 0:
            self._put(item, Money(Decimal("0.00"), "EUR"), InvoiceState.PAID)
        elif event == 1 and item.balance:
            part = Money(item.balance.amount * self.draw(st.integers(1, 99)) / 100, "EUR")
            self._put(item, Money(part.amount.quantize(Decimal("0.01")), "EUR"), InvoiceState.OPEN)
        elif event == 2:
            self._put(item, item.total, InvoiceState.OPEN)  # a reversed payment
        elif event == 3:
            self._put(item, item.balance, self.draw(st.sampled_from([InvoiceState.VOID, InvoiceState.DRAFT])))
        elif event == 4:
            until = self.today + timedelta(days=self.draw(st.integers(0, 20)))
            scope = self.draw(st.sampled_from([item.invoice_id, None]))
            hold = Hold(HoldKind.DISPUTE, "broken", "kim", "park", scope, self.today, until)
            self.facts = replace(self.facts, holds=(*self.facts.holds, hold))
        elif event == 5:
            self.facts = replace(self.facts, unapplied=Money(self.draw(amounts), "EUR"))
        elif event == 6:
            self.facts = replace(self.facts, unapplied=Money(Decimal("0.00"), "EUR"))
        self._settle()

    def _put(self, item: Item, balance: Money, state: InvoiceState) -> None:
        items = (replace(it, balance=balance, state=state) if it == item else it for it in self.facts.items)
        self.facts = replace(self.facts, items=tuple(items))

    def _settle(self) -> None:
        """What was planned is approved or refused; what is unknown is settled after three days."""
        if not self.facts.history:
            return
        last = self.facts.history[-1]
        if last.state is M.UNKNOWN and self.today >= last.on + timedelta(days=3):
            self._last(replace(last, state=M.PRESUMED_SENT))
        elif last.state is M.PLANNED and self.draw(st.booleans()):
            self._last(replace(last, state=self.draw(st.sampled_from([M.ACCEPTED, M.SUPERSEDED])), on=self.today))
        elif last.state is M.FAILED and self.draw(st.booleans()):
            self._last(replace(last, state=M.ACCEPTED, on=self.today))

    def _last(self, message: PastMessage) -> None:
        self.facts = replace(self.facts, history=(*self.facts.history[:-1], message))


@st.composite
def quarters(draw: st.DrawFn) -> tuple[Playbook, list[tuple[date, ChaseFacts, Plan]], list[PastMessage]]:
    """A quarter run day by day, with outages: the facts and the plan of each day that was run, and the history."""
    playbook, calendar = draw(playbooks()), draw(calendars)
    replies = draw(st.booleans())
    connection = a_connection(replies_read=replies, mode=draw(st.sampled_from([StepMode.AUTO, StepMode.APPROVE])))
    opened = draw(st.sampled_from(["01-01", FIRST.isoformat()]))
    books = Books(draw, some_facts(*draw(invoices()), connection=connection, opened=opened))
    pages: list[tuple[date, ChaseFacts, Plan]] = []
    asleep_until = FIRST
    for ahead in range(QUARTER):
        books.today = FIRST + timedelta(days=ahead)
        books.happens()
        if draw(st.integers(0, 19)) == 0:
            asleep_until = books.today + timedelta(days=draw(st.integers(1, 25)))
        if books.today < asleep_until:
            continue
        planned = plan(books.facts, playbook, calendar, books.today)
        pages.append((books.today, books.facts, planned))
        waits = planned.intent is not None and planned.intent.mode is not StepMode.AUTO
        books.facts = after(books.facts, planned, books.today, M.PLANNED if waits else draw(outcomes))
        again = plan(books.facts, playbook, calendar, books.today)
        assert again.intent is None, "a second run on the same day does nothing"
        assert not any(verdict.decision is Decision.ACT for verdict in again.verdicts)
    return playbook, pages, list(books.facts.history)


def acted(pages: list[tuple[date, ChaseFacts, Plan]]) -> Iterator[tuple[date, ChaseFacts, Plan]]:
    return (page for page in pages if page[2].intent)


@settings(max_examples=80, deadline=None)
@given(quarters())
def test_a_quarter_of_anything_keeps_every_promise(
    quarter: tuple[Playbook, list[tuple[date, ChaseFacts, Plan]], list[PastMessage]],
) -> None:
    """One quarter, every claim: drawing it anew for each would only cost time."""
    playbook, pages, history = quarter
    no_two_messages_inside_the_gap(playbook, history)
    no_step_twice_for_an_invoice(history)
    for today, facts, planned in pages:
        every_invoice_has_a_verdict_with_a_reason_and_a_date_or_an_actor(today, facts, planned)
    for today, facts, planned in acted(pages):
        only_what_is_owed_is_demanded(today, facts, planned)
        never_what_credit_covers(facts, planned)
        a_final_notice_has_two_milder_before_it(facts, planned, playbook)


def no_two_messages_inside_the_gap(playbook: Playbook, history: list[PastMessage]) -> None:
    out = sorted(past.on for past in history if past.state in (M.ACCEPTED, M.DELIVERED, M.PRESUMED_SENT, M.BOUNCED))
    for before, following in pairwise(out):
        assert (following - before).days >= playbook.gap, (before, following)


def no_step_twice_for_an_invoice(history: list[PastMessage]) -> None:
    seen: set[tuple[str, str]] = set()
    identities: set[tuple[str, int]] = set()
    for past in history:
        if past.state in (M.ACCEPTED, M.DELIVERED, M.PRESUMED_SENT):
            pairs = {(past.step_id, invoice) for invoice in past.invoice_ids}
            assert not pairs & seen, "the same step twice for one invoice"
            seen |= pairs
        if past.state in (M.ACCEPTED, M.DELIVERED, M.PRESUMED_SENT, M.BOUNCED):
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
    budget = Budget(most, usual, Decimal(2))
    admitted = admit(plans, budget, before)
    going = {planned.facts.chase_id for planned in admitted if planned.intent}
    assert going == {planned.facts.chase_id for planned in admit(plans[::-1], budget, before) if planned.intent}
    assert len(going) <= max(0, most - before)
    if usual is not None and plans and before + len(plans) > usual * 2:
        assert not going
        assert {verdict.rule for planned in admitted for verdict in planned.verdicts} == {Rule.BREAKER}
    else:
        assert len(going) == min(len(plans), max(0, most - before))
