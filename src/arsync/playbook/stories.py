"""A scenario lived day by day with the planner of every night: `plan` and `admit`, the same guards and calendars.

Pure: no database, no network, nothing is rendered or sent. What happens on a day is known before that day is planned;
what the planner sends goes out the same day, and what waits for a person does as soon as the scenario lets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from arsync.domain.calendar import Calendar, NeverOpens
from arsync.domain.chase import Budget, ChaseFacts, ConnectionFacts, Happened, Intent, PastMessage, Plan, Rule
from arsync.domain.documents import Contact, ContactRole, InvoiceState
from arsync.domain.matching import Billed, Subject
from arsync.domain.money import Money
from arsync.domain.policy import Happening, Playbook, StepMode
from arsync.domain.states import EFFECTIVE, Health, MessageState
from arsync.playbook.admit import admit
from arsync.playbook.answers import held, never_opens
from arsync.playbook.calendars import House, calendar_for
from arsync.playbook.choose import Chooser
from arsync.playbook.history import TOUCHED
from arsync.playbook.people import without_disputed
from arsync.playbook.plan import plan
from arsync.playbook.scenario_books import Account, Books
from arsync.playbook.scenarios import NOT_MATCHED, Debtor, Event, Scenario
from arsync.playbook.step_guards import addresses
from arsync.store.tags import AUTOPAY

_ZERO: Final = Decimal("0.00")
#: Money that came in within so many days is thanked for, or answered.
_LATELY: Final = timedelta(days=30)
#: The run has room for all of one customer; caps of the playbook count as ever.
_BUDGET: Final = Budget(max_per_run=10_000, usual_per_run=None, breaker_factor=Decimal(5))
#: What waits for a person goes on waiting where only the circumstances stop it.
_NOT_NOW: Final = frozenset({Rule.CALENDAR, Rule.CAP, Rule.BREAKER, Rule.NOT_BANKED})


@dataclass(frozen=True, slots=True)
class Touch:
    """What went out on a day, or was put on a person's list."""

    on: date
    step: str
    invoices: tuple[str, ...]  # demanded, in order
    amount: Money
    mode: StepMode


@dataclass(frozen=True, slots=True)
class Answer:
    """What the planner said of an invoice on a day."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Story:
    """What came of a scenario."""

    touches: tuple[Touch, ...]
    answers: Mapping[date, Mapping[str, Answer]]  # by invoice; no entry on a day on which the worker was off
    impossible: tuple[tuple[Event, str], ...]  # what could not happen as it is written, and why


def tell(scenario: Scenario, playbook: Playbook, locales: frozenset[str]) -> Story:
    """The scenario from its first day to its last; `locales` are those that the playbook's templates have."""
    life = _Life(scenario, playbook, locales)
    for ahead in range((scenario.last - scenario.first).days + 1):
        life.live(scenario.first + timedelta(days=ahead))
    return Story(tuple(life.touches), life.answers, tuple(life.impossible))


@dataclass(slots=True)
class _Waiting:
    """A message that a person has not let out yet."""

    mark: str
    since: date
    numbers: frozenset[str]


@dataclass(slots=True)
class _Chase:
    number: int
    opened_on: date
    closed_on: date | None = None
    named: set[str] = field(default_factory=set)  # invoices that were in any of its messages
    waiting: _Waiting | None = None


class _Life:
    """All customers of a scenario, day by day under one run."""

    def __init__(self, scenario: Scenario, playbook: Playbook, locales: frozenset[str]) -> None:
        self.scenario = scenario
        self.touches: list[Touch] = []
        self.answers: dict[date, dict[str, Answer]] = {}
        self.accounts = [_Customer(scenario, playbook, locales, one) for one in scenario.customers]

    @property
    def impossible(self) -> Iterator[tuple[Event, str]]:
        return (found for one in self.accounts for found in one.books.impossible)

    def live(self, today: date) -> None:
        """One day: what happens, then what the night's planning makes of it."""
        for event in self.scenario.events:
            if event.on == today:
                for one in self.accounts:
                    one.books.happen(event, today)
        if any(begins <= today <= ends for begins, ends in self.scenario.asleep):
            return
        answers = self.answers[today] = {}
        planned = [(one, chase, answer) for one in self.accounts for chase, answer in one.plans(today, answers)]
        admitted = admit([answer for _, _, answer in planned], _BUDGET, sent_before=0)
        for (one, chase, _), answer in zip(planned, admitted, strict=True):
            for verdict in answer.verdicts:
                answers[verdict.invoice_id] = Answer(verdict.rule.value, verdict.reason)
            self.touches += one.act(chase, answer, today)


class _Customer:
    """One customer's books, what people said, and what went out to it."""

    def __init__(self, scenario: Scenario, playbook: Playbook, locales: frozenset[str], customer: Debtor) -> None:
        self.scenario, self.playbook, self.locales, self.customer = scenario, playbook, locales, customer
        company = scenario.company
        house = House(company.place, company.timezone, company.closed)
        self.calendar: Calendar = calendar_for(customer.place, playbook.window, house)
        self.chooser = Chooser([playbook])
        self.books = Books(scenario, playbook, customer)
        self.currencies = sorted({one.currency for one in self.books.accounts.values()})
        self.chases: dict[str, _Chase] = {}
        self.first_chase = 1 + 1000 * [one.name for one in scenario.customers].index(customer.name)
        self.connection = ConnectionFacts(
            connection_id=1, name=company.name, stopped=None, health=Health.OK, health_reason="", stale=False,
            source_reminds=False, mode=company.mode, replies_read=company.replies_read, banked_through=None,
            pay_currencies=frozenset(self.currencies),
        )  # fmt: skip

    def plans(self, today: date, answers: dict[str, Answer]) -> list[tuple[_Chase, Plan]]:
        """What the planner says of each of its chases; `answers` is told of invoices that the playbook is not for."""
        self.books.settle(today)
        self._follow(today)
        return [
            (chase, self._planned(facts, today))
            for currency, chase in sorted(self.chases.items())
            if chase.closed_on is None or chase.closed_on >= today - _LATELY
            for facts in self._facts(currency, chase, today, answers)
        ]

    def _planned(self, facts: ChaseFacts, today: date) -> Plan:
        try:
            return plan(facts, self.playbook, self.calendar, today)
        except NeverOpens:
            return held(facts, never_opens(facts, self.customer.place, f"playbook {self.playbook.name}"))

    # --- the planner's facts ----------------------------------------------------------------------------------

    def _follow(self, today: date) -> None:
        """Opens a chase for each currency with something open, and closes those that are clear."""
        owed = {one.currency for one in self.books.open_on(today)}
        for currency in self.currencies:
            chase = self.chases.get(currency)
            if currency not in owed:
                if chase is not None and chase.closed_on is None:
                    chase.closed_on = today
            elif chase is None:
                self.chases[currency] = _Chase(self.first_chase + len(self.chases), today)
            elif chase.closed_on is not None:
                open_ones = [one for one in self.books.open_on(today) if one.currency == currency]
                if any(one.bill.number in chase.named for one in open_ones):
                    chase.closed_on = None
                else:
                    self.chases[currency] = _Chase(chase.number + len(self.currencies), today)
                    self.books.calls.pop(currency, None)

    def _facts(self, currency: str, chase: _Chase, today: date, answers: dict[str, Answer]) -> Iterator[ChaseFacts]:
        """The facts of a chase; none where the playbook is not for it."""
        customer, company = self.customer, self.scenario.company
        history = sorted(self.books.history[currency], key=lambda past: past.on)
        chased = {number for past in history if past.state in EFFECTIVE for number in past.invoice_ids}
        mine = [one for one in self.books.accounts.values() if one.currency == currency]
        open_ones = [one for one in self._followed(mine, today, answers) if one.is_open(today)]
        items = [
            one.item(customer.name, customer.email, one.paid_on if self._came_lately(one, chased, today) else None)
            for one in open_ones
        ]
        numbers = {one.bill.number for one in open_ones}
        holds = [hold for hold in self.books.holds if hold.invoice_id is None or hold.invoice_id in numbers]
        items = [
            without_disputed(item, (hold for hold in holds if hold.invoice_id == item.invoice_id), today)
            for item in items
        ]
        items += [
            one.item(customer.name, customer.email, one.paid_on)
            for one in mine
            if one.state is InvoiceState.PAID and self._came_lately(one, chased, today)
        ]
        if not items:
            return
        elsewhere = [
            past.on
            for other, those in self.books.history.items()
            if other != currency
            for past in those
            if past.state in TOUCHED and not past.by_hand  # what a person did is in every currency's own history
        ]
        broken = [
            Happened(Happening.PROMISE_BROKEN, self.books.broken[number], frozenset({number}))
            for number in numbers
            if number in self.books.broken
        ]
        nothing = self.playbook.nothing
        contact = Contact(customer.name, customer.email, None, ContactRole.BILLING)
        yield ChaseFacts(
            connection=self.connection,
            chase_id=chase.number,
            payer_id=customer.name,
            payer_name=customer.name,
            currency=currency,
            recipients=(contact,) if customer.email else (),
            locales=self.locales,
            locale=customer.language or company.language,
            items=tuple(items),
            unapplied=Money(self.books.unapplied[currency], currency),
            quarantined=(),
            balance_mismatch=None,
            holds=tuple(holds),
            history=tuple(history),
            opened_on=chase.opened_on,
            calls=tuple(self.books.calls[currency]),
            happened=(*self.books.happened, *broken),
            elsewhere=tuple(elsewhere),
            payment_day=customer.payment_day,
            nothing=f"playbook {self.playbook.name} says never to chase: {nothing}" if nothing is not None else None,
            autopay=frozenset(numbers) if AUTOPAY in customer.tags else frozenset(),
        )

    @staticmethod
    def _came_lately(one: Account, chased: set[str], today: date) -> bool:
        """Whether money, and no credit note after it, came in lately for what had been asked for."""
        if one.paid_on is None or one.bill.number not in chased or one.paid_on < today - _LATELY:
            return False
        return one.credited_on is None or one.credited_on <= one.paid_on or one.state is InvoiceState.OPEN

    def _followed(self, accounts: list[Account], today: date, answers: dict[str, Answer]) -> Iterator[Account]:
        """Those that the playbook is for; of the others it is told that it is not."""
        for one in accounts:
            if self.playbook.match is None or self._fits(one, accounts, today):
                yield one
            elif one.is_open(today):
                reason = f"the conditions of {self.playbook.name} do not fit it"
                answers[one.bill.number] = Answer(NOT_MATCHED, reason)

    def _fits(self, one: Account, accounts: list[Account], today: date) -> bool:
        customer, company = self.customer, self.scenario.company
        owed = [each for each in accounts if each.is_open(today)]
        due = (each.bill.due_on for each in owed if each.bill.due_on is not None)
        billed = Billed(one.bill.number, one.bill.number, None, None, None, one.bill.amount.amount)
        subject = Subject(
            connection=company.name,
            currency=one.currency,
            balance=sum((each.balance for each in owed), start=_ZERO),
            oldest_due=min(due, default=None),
            groups=customer.groups,
            tags=customer.tags,
            country=customer.place.country or company.place.country,
            language=customer.language or company.language,
            rating=customer.rating,
            billed=billed if self.chooser.by_invoice else None,
        )
        return self.chooser.choose(subject, "", today).name == self.playbook.name

    # --- what goes out ----------------------------------------------------------------------------------------

    def act(self, chase: _Chase, planned: Plan, today: date) -> list[Touch]:
        """What goes out of it, as far as nobody has still to let it."""
        intent = planned.intent
        if intent is None:
            rules = {verdict.invoice_id: verdict.rule for verdict in planned.verdicts}
            if chase.waiting and not all(rules.get(number) in _NOT_NOW for number in chase.waiting.numbers):
                chase.waiting = None
            return []
        if intent.mode is not StepMode.AUTO and not intent.step.is_task and self._waits(chase, planned, intent, today):
            return []
        chase.waiting = None
        numbers = tuple(item.number for item in intent.demanded)
        chase.named |= {item.number for item in (*intent.demanded, *intent.listed)}
        to = addresses(intent.recipients)
        message = PastMessage(
            intent.step.id, intent.occurrence, MessageState.ACCEPTED, today, frozenset(numbers), to=to,
            told=not intent.step.is_task,
        )  # fmt: skip
        self.books.history[planned.facts.currency].append(message)
        return [Touch(today, intent.step.id, numbers, intent.at_stake, intent.mode)]

    def _waits(self, chase: _Chase, planned: Plan, intent: Intent, today: date) -> bool:
        """Whether a person has still to let it out; a message that changes waits anew."""
        mark = intent.fingerprint(self.playbook.version, planned.facts.locale)
        if chase.waiting is None or chase.waiting.mark != mark:
            chase.waiting = _Waiting(mark, today, frozenset(item.number for item in intent.demanded))
        return (today - chase.waiting.since).days < self.scenario.approve_after
