"""What holds of every playbook that the language can say, on any ledger, history and calendar.

The seed alone tells each story again: `-m long` tells ten thousand, every ordinary run a few hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arsync.domain.calendar import Calendar
from arsync.domain.chase import ChaseFacts, Happened, Hold, Item, PastMessage, Plan, Rule, Verdict
from arsync.domain.documents import InvoiceState
from arsync.domain.money import Money
from arsync.domain.policy import (
    Act,
    Anchor,
    Backlog,
    Caps,
    End,
    Group,
    Happening,
    Playbook,
    Reanchor,
    Repeat,
    Step,
    StepChannel,
    Tone,
)
from arsync.domain.states import Decision, HoldKind, MessageState
from arsync.playbook.plan import plan
from arsync.testing.builders import a_connection, a_playbook, a_step, after, an_item, day, some_facts

FIRST = day("07-01")
DAYS = 75
M = MessageState
OUT = frozenset({M.ACCEPTED, M.DELIVERED, M.PRESUMED_SENT, M.BOUNCED})
NOTHING = Money(Decimal("0.00"), "EUR")
STOPS = (HoldKind.DISPUTE, HoldKind.PROMISE, HoldKind.PAUSE, HoldKind.OPT_OUT)
SEEDS = st.integers(0, 2**48)


def a_ladder(chance: Random) -> Playbook:
    """Any playbook that lint would take, in whatever order its offsets rise."""
    gap = chance.randint(1, 9)
    anchor = chance.choice(list(Anchor))
    steps: list[Step] = []
    if chance.random() < 0.5:
        steps.append(a_step("early", -chance.randint(0, 9)))
    offset = 0
    for number in range(chance.randint(2, 5)):
        offset += chance.randint(1, 15)
        step = a_step(f"step-{number}", offset, chance.choice([Tone.FRIENDLY, Tone.FIRM]))
        if chance.random() < 0.3:
            every = chance.randint(gap, gap + 8)
            by_times = chance.random() < 0.5
            repeat = Repeat(every, times=chance.randint(1, 3)) if by_times else Repeat(every, until=offset + every + 9)
            step = replace(step, repeat=repeat)
        if number and chance.random() < 0.2:
            step = replace(step, unless=frozenset(chance.sample(list(Happening), 2)))
        if chance.random() < 0.15:
            step = replace(step, channel=chance.choice(list(StepChannel)))
        steps.append(replace(step, anchor=anchor))
    if chance.random() < 0.5:
        last = a_step("last", offset + chance.randint(1, 15), Tone.FINAL)
        act = chance.choice([Act.REMIND, Act.HANDOFF])
        steps.append(replace(last, anchor=anchor, act=act))
    for number in range(chance.randint(0, 2)):
        answer = a_step(f"answer-{number}", chance.randint(1, 20), Tone.FRIENDLY)
        steps.append(replace(answer, when=frozenset(chance.sample(list(Happening), 2))))
    if chance.random() < 0.6:
        steps.append(replace(a_step("thanks", 0), act=Act.THANK_YOU))
    playbook = a_playbook(
        *steps, gap=gap, backlog=chance.choice(list(Backlog)), reanchor=chance.choice(list(Reanchor)),
        minimum={"EUR": chance.choice(["0.00", "20.00"])},
    )  # fmt: skip
    week, month = chance.choice([None, 1, 2]), chance.choice([None, 2, 4])
    return replace(
        playbook,
        group=chance.choice(list(Group)),
        caps=Caps(week=week, month=month),
        end=chance.choice([None, End("decide", "Ask the owner.")]),
    )


def a_calendar(chance: Random) -> Calendar:
    weekdays = chance.choice([frozenset(range(7)), frozenset(range(5)), frozenset({0, 3})])
    closed = frozenset(FIRST + timedelta(days=chance.randrange(DAYS)) for _ in range(chance.randint(0, 9)))
    return Calendar(weekdays, closed)


def some_invoices(chance: Random) -> list[Item]:
    made = []
    for number in range(chance.randint(1, 4)):
        due = FIRST + timedelta(days=chance.randint(-50, 50))
        item = an_item(f"INV-{number}", due.isoformat() if chance.random() < 0.96 else None)
        balance = Money(Decimal(chance.randint(1, 30_000)) / 100, "EUR")
        made.append(replace(item, balance=balance, total=balance + Money(Decimal(5), "EUR")))
    return made


@dataclass
class Story:
    """Two months of one chase: the books go on, people act, the worker sleeps now and then."""

    chance: Random
    playbook: Playbook
    calendar: Calendar
    facts: ChaseFacts
    unrest: float
    today: date = FIRST
    pages: list[tuple[date, ChaseFacts, Plan]] = field(default_factory=list)

    def something_happens(self) -> None:
        chance, facts = self.chance, self.facts
        item = chance.choice(facts.items)
        match chance.randrange(9):
            case 0:
                self._put(item, NOTHING, InvoiceState.PAID, self.today)
            case 1:
                part = (item.balance.amount * chance.randint(1, 99) / 100).quantize(Decimal("0.01"))
                self._put(item, Money(part, "EUR"), InvoiceState.OPEN, self.today)
            case 2:
                self._put(item, item.total, InvoiceState.OPEN, None)
            case 3:
                state = chance.choice([InvoiceState.VOID, InvoiceState.DELETED, InvoiceState.PAID])
                self._put(item, NOTHING, state, None)  # written off: no money came
            case 4 | 5:
                until = self.today + timedelta(days=chance.randint(0, 20)) if chance.random() < 0.8 else None
                scope = chance.choice([item.invoice_id, None])
                hold = Hold(chance.choice(STOPS), "as told", "kim", "park", scope, self.today, until)
                self.facts = replace(facts, holds=(*facts.holds, hold))
            case 6:
                about = chance.choice([None, frozenset({item.invoice_id})])
                told = Happened(chance.choice(list(Happening)), self.today, about)
                self.facts = replace(facts, happened=(*facts.happened, told))
            case 7:
                about = frozenset({item.invoice_id})
                touch = PastMessage("call", 1, M.ACCEPTED, self.today, about, by_hand=True)
                live = any(past.state in (M.PLANNED, M.UNKNOWN) for past in facts.history)
                if not live:
                    self.facts = replace(facts, history=(*facts.history, touch))
            case 8:
                self.facts = replace(facts, elsewhere=(*facts.elsewhere, self.today))

    def _put(self, item: Item, balance: Money, state: InvoiceState, paid_on: date | None) -> None:
        changed = replace(item, balance=balance, state=state, paid_on=paid_on)
        self.facts = replace(self.facts, items=tuple(changed if it is item else it for it in self.facts.items))

    def settle(self) -> None:
        if not self.facts.history:
            return
        last = self.facts.history[-1]
        if last.state is M.UNKNOWN and self.today >= last.on + timedelta(days=3):
            self._last(replace(last, state=M.PRESUMED_SENT))
        elif last.state is M.PLANNED and self.chance.random() < 0.7:
            done = self.chance.choice([M.ACCEPTED, M.ACCEPTED, M.SUPERSEDED])
            self._last(replace(last, state=done, on=self.today))

    def _last(self, message: PastMessage) -> None:
        self.facts = replace(self.facts, history=(*self.facts.history[:-1], message))

    def tell(self) -> None:
        asleep_until = FIRST
        for ahead in range(DAYS):
            self.today = FIRST + timedelta(days=ahead)
            self.settle()
            if self.chance.random() < self.unrest:
                self.something_happens()
            if self.chance.random() < 0.05:
                asleep_until = self.today + timedelta(days=self.chance.randint(1, 25))
            if self.today < asleep_until:
                continue
            planned = plan(self.facts, self.playbook, self.calendar, self.today)
            self.pages.append((self.today, self.facts, planned))
            outcome = self.chance.choice([*[M.ACCEPTED] * 8, M.BOUNCED, M.UNKNOWN, M.PRESUMED_SENT])
            if planned.intent is not None and planned.intent.step.is_task:
                outcome = self.chance.choice([M.ACCEPTED, M.PLANNED])
            self.facts = after(self.facts, planned, self.today, outcome)
            again = plan(self.facts, self.playbook, self.calendar, self.today)
            assert again.intent is None, "planned twice on one day, sent once"


def a_story(seed: int) -> Story:
    chance = Random(seed)
    connection = a_connection(replies_read=chance.random() < 0.5)
    opened = chance.choice(["01-01", FIRST.isoformat()])
    facts = some_facts(*some_invoices(chance), connection=connection, opened=opened)
    story = Story(chance, a_ladder(chance), a_calendar(chance), facts, chance.choice([0.0, 0.1, 0.4]))
    story.tell()
    return story


def acted(story: Story) -> Iterator[tuple[date, ChaseFacts, Any]]:
    return ((today, facts, planned.intent) for today, facts, planned in story.pages if planned.intent is not None)


def check(story: Story) -> None:
    for today, facts, planned in story.pages:
        one_verdict_for_each_invoice(facts, planned)
        a_hold_without_end_names_who_must_act(planned)
        assert all(verdict.next_on is None or verdict.next_on > today for verdict in planned.verdicts)
    for today, facts, intent in acted(story):
        only_what_is_owed_and_not_stopped_is_asked_for(story.playbook, today, facts, intent)
        assert story.calendar.is_open(today)
        no_touch_inside_the_gap(story.playbook, today, facts)
        no_cap_is_exceeded(story.playbook, today, facts)
    nothing_more_often_than_it_may(story)


def one_verdict_for_each_invoice(facts: ChaseFacts, planned: Plan) -> None:
    """What is paid is spoken of only on the day of the thank-you."""
    thanked = {item.invoice_id for item in planned.intent.demanded} if planned.intent else set()
    told = [
        item.invoice_id
        for item in facts.items
        if item.invoice_id in thanked or item.state is not InvoiceState.PAID or item.paid_on is None
    ]
    assert [verdict.invoice_id for verdict in planned.verdicts] == told


def a_hold_without_end_names_who_must_act(planned: Plan) -> None:
    for verdict in planned.verdicts:
        if verdict.decision is Decision.WAIT:
            assert verdict.next_on is not None, verdict
        elif verdict.decision is Decision.HOLD and verdict.next_on is None:
            told = ("a person", "nothing is owed", "nothing is due", "nobody need act")
            assert any(word in verdict.reason for word in told), verdict


def only_what_is_owed_and_not_stopped_is_asked_for(
    playbook: Playbook, today: date, facts: ChaseFacts, intent: Any
) -> None:
    assert intent.demanded
    if playbook.group is Group.INVOICE and intent.step.act is not Act.THANK_YOU:
        assert len(intent.demanded) == 1
    for item in (*intent.demanded, *intent.listed):
        assert not any(hold.covers(item.invoice_id, today) for hold in facts.holds)
        if intent.step.act is Act.THANK_YOU:
            assert (item.state, item.balance) == (InvoiceState.PAID, NOTHING)
            assert item.paid_on is not None, "no thanks for what was written off"
            assert (today - item.paid_on).days <= max(7, min(playbook.gap + 5, 30)), "the week, or as the gap allows"
        else:
            assert item.state is InvoiceState.OPEN
            assert item.balance.amount > 0
    if intent.step.act is Act.THANK_YOU:
        assert not any(
            item.state is InvoiceState.OPEN and item.balance and item.due_on is not None and item.due_on < today
            and not any(hold.covers(item.invoice_id, today) for hold in facts.holds)
            for item in facts.items
        )  # fmt: skip


def no_touch_inside_the_gap(playbook: Playbook, today: date, facts: ChaseFacts) -> None:
    """`facts` are those before it went out: whatever reached the payer before is at least the gap away."""
    touches = [past.on for past in facts.history if past.state in OUT]
    assert all((today - on).days >= playbook.gap for on in touches), (today, touches)


def no_cap_is_exceeded(playbook: Playbook, today: date, facts: ChaseFacts) -> None:
    touches = [today, *(past.on for past in facts.history if past.state in OUT), *facts.elsewhere]
    for most, span in ((playbook.caps.week, 7), (playbook.caps.month, 30)):
        if most is not None:
            assert sum((today - on).days < span for on in touches) <= most


def nothing_more_often_than_it_may(story: Story) -> None:
    steps = {step.id: step for step in story.playbook.steps}
    sent: Counter[tuple[str, str]] = Counter()
    identities: set[tuple[str, int]] = set()
    for past in story.facts.history:
        if past.by_hand or past.state not in OUT:
            continue
        assert (past.step_id, past.occurrence) not in identities, "one intent, two messages"
        identities.add((past.step_id, past.occurrence))
        step = steps[past.step_id]
        for invoice in past.invoice_ids:
            if past.state is not M.BOUNCED or step.act is Act.THANK_YOU:
                sent[past.step_id, invoice] += 1
    for (step_id, _), count in sent.items():
        step = steps[step_id]
        if step.when or (step.repeat is not None and step.repeat.times is None):
            continue
        assert count <= 1 + (step.repeat.times or 0 if step.repeat else 0), (step_id, count)


def a_verdict_stands_until_its_day(story: Story) -> int:
    """With facts frozen, the same verdict on each day before its next date, and another one on that date."""
    told = 0
    for today, facts, planned in story.pages[:: max(1, len(story.pages) // 5)]:
        if planned.intent is not None:
            continue
        later: dict[date, dict[str, Verdict]] = {}
        for verdict in planned.verdicts:
            if verdict.next_on is None or (verdict.next_on - today).days > 40:
                continue
            told += 1
            ahead = today + timedelta(days=1)
            while ahead <= verdict.next_on:
                if ahead not in later:
                    answers = plan(facts, story.playbook, story.calendar, ahead).verdicts
                    later[ahead] = {one.invoice_id: one for one in answers}
                then = later[ahead][verdict.invoice_id]
                if ahead < verdict.next_on:
                    assert then == verdict, (ahead, verdict, then)
                else:
                    assert then != verdict, (ahead, verdict)
                ahead += timedelta(days=1)
    return told


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_any_playbook_on_any_ledger_keeps_its_promises(seed: int) -> None:
    check(a_story(seed))


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_a_verdict_stands_until_its_next_date_and_no_longer(seed: int) -> None:
    a_verdict_stands_until_its_day(a_story(seed))


@pytest.mark.long
@settings(max_examples=10_000, deadline=None)
@given(SEEDS)
def test_ten_thousand_stories(seed: int) -> None:
    story = a_story(seed)
    check(story)
    a_verdict_stands_until_its_day(story)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 60))
def test_an_outage_of_any_length_never_yields_a_burst(seed: int, days: int) -> None:
    """After so many days asleep at most one message goes out, and then the gap holds as ever."""
    chance = Random(seed)
    playbook, calendar = a_ladder(chance), a_calendar(chance)
    facts = some_facts(*some_invoices(chance), opened="01-01")
    sent: list[date] = []
    for ahead in range(days, days + 15):
        today = FIRST + timedelta(days=ahead)
        planned = plan(facts, playbook, calendar, today)
        facts = after(facts, planned, today)
        sent += [today] if planned.intent else []
    assert all((later - earlier).days >= playbook.gap for earlier, later in pairwise(sent))


@pytest.mark.long
def test_the_stories_are_worth_telling() -> None:
    """Claims about what never happens prove nothing: every kind of step goes out in some story, every rule answers."""
    stories = [a_story(seed) for seed in range(150)]
    went: Counter[str] = Counter()
    rules: set[Rule] = set()
    for story in stories:
        rules |= {verdict.rule for _, _, planned in story.pages for verdict in planned.verdicts}
        repeated: Sequence[str] = [past.step_id for past in story.facts.history]
        for _, _, intent in acted(story):
            step: Step = intent.step
            went["thanks"] += step.act is Act.THANK_YOU
            went["handoff"] += step.act is Act.HANDOFF
            went["answer"] += bool(step.when)
            went["repeated"] += step.repeat is not None and repeated.count(step.id) > 1
            went["invoice"] += story.playbook.group is Group.INVOICE
            went[f"from {step.anchor}"] += 1
    assert min(went.values()) >= 5, went
    assert len(went) == 5 + len(Anchor)
    assert rules >= {
        *(Rule.HOLD, Rule.NOT_OWED, Rule.NOT_DUE, Rule.BELOW_MINIMUM, Rule.LIVE_MESSAGE, Rule.UNKNOWN_MESSAGE),
        *(Rule.MILDER_FIRST, Rule.GAP, Rule.PAYER_CAP, Rule.CALENDAR, Rule.LADDER_DONE, Rule.TASK, Rule.SEND),
    }
