"""One customer's books in a scenario: what is open, what people said, what went out. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from arsync.domain.chase import Happened, Hold, Item, PastMessage
from arsync.domain.documents import InvoiceState
from arsync.domain.instalments import spread
from arsync.domain.money import Money
from arsync.domain.people import REACHED, CallMade
from arsync.domain.policy import Happening, Playbook, StepChannel
from arsync.domain.states import HoldKind, MessageState
from arsync.playbook.calendars import public_holidays
from arsync.playbook.scenarios import Bill, Debtor, Event, Scenario, What

_ONE_DAY: Final = timedelta(days=1)
_ZERO: Final = Decimal("0.00")
_SATURDAY: Final = 5
_MONEY: Final = frozenset(
    {What.PAID, What.CREDITED, What.RECEIVED, What.ALLOCATED, What.REVERSED, What.VOIDED}
)  # fmt: skip
_SAID: Final = frozenset(
    {What.DISPUTED, What.RESOLVED, What.PROMISED, What.INSTALMENTS, What.PAUSED, What.HELD, What.LIFTED}
)  # fmt: skip


@dataclass(slots=True)
class Account:
    """An invoice as it stands."""

    bill: Bill
    balance: Decimal
    state: InvoiceState = InvoiceState.OPEN
    paid_on: date | None = None
    credited_on: date | None = None

    @property
    def currency(self) -> str:
        return self.bill.amount.currency

    def reduce(self, by: Decimal | None) -> None:
        self.balance -= self.balance if by is None else min(by, self.balance)
        if not self.balance:
            self.state = InvoiceState.PAID

    def is_open(self, today: date) -> bool:
        return self.state is InvoiceState.OPEN and self.balance > 0 and self.bill.issued_on <= today

    def item(self, name: str, email: str | None, paid_on: date | None) -> Item:
        bill = self.bill
        return Item(
            invoice_id=bill.number, number=bill.number, customer_name=name, state=self.state, total=bill.amount,
            balance=Money(self.balance, self.currency), issued_on=bill.issued_on, due_on=bill.due_on, reference=None,
            email=email, paid_on=paid_on,
        )  # fmt: skip


@dataclass(slots=True, eq=False)
class Promise:
    """One that was given, or an instalment: those of a plan have one hold."""

    numbers: frozenset[str]
    amount: Decimal
    currency: str
    promised_on: date
    until: date
    paid_before: Decimal
    hold: Hold
    kept: bool = False


class Books:
    """They change by what happens, and by what the worker finds of the promises each night."""

    def __init__(self, scenario: Scenario, playbook: Playbook, customer: Debtor) -> None:
        self.scenario, self.playbook, self.customer = scenario, playbook, customer
        mine = (bill for bill in scenario.bills if bill.customer == customer.name)
        self.accounts = {bill.number: Account(bill, bill.amount.amount) for bill in mine}
        self.unapplied: defaultdict[str, Decimal] = defaultdict(lambda: _ZERO)
        self.holds: list[Hold] = []
        self.promises: list[Promise] = []
        self.broken: dict[str, date] = {}
        self.happened: list[Happened] = []
        self.history: defaultdict[str, list[PastMessage]] = defaultdict(list)  # by currency
        self.calls: defaultdict[str, list[CallMade]] = defaultdict(list)  # by currency, of the chase that goes on
        self.impossible: list[tuple[Event, str]] = []

    def open_on(self, today: date) -> list[Account]:
        return [one for one in self.accounts.values() if one.is_open(today)]

    def happen(self, event: Event, today: date) -> None:
        """What it changes, where it is about this customer; what cannot be is kept in `impossible`."""
        mine = event.invoice in self.accounts if event.invoice else event.customer in (None, self.customer.name)
        if not mine:
            return
        if event.what in _MONEY:
            self._books_change(event, today)
        elif event.what in _SAID:
            self._people_say(event, today)
        elif event.what is What.TOUCHED:
            self._touched(event, today)
        elif event.what is What.CALLED:
            self._called(event, today)
        elif event.what is What.BOUNCED:
            self._bounced(event)
        elif event.what is What.REPLIED:
            about = None if event.invoice is None else frozenset({event.invoice})
            self.happened.append(Happened(Happening.REPLIED, today, about))

    def _books_change(self, event: Event, today: date) -> None:
        if event.what is What.RECEIVED:
            self.unapplied[event.currency or self.scenario.company.currency] += event.amount or _ZERO
            return
        account = self.accounts[event.invoice or ""]
        before = account.balance
        match event.what:
            case What.PAID | What.ALLOCATED:
                account.reduce(event.amount)
                account.paid_on = today
                if event.what is What.ALLOCATED:
                    self.unapplied[account.currency] -= before - account.balance
            case What.CREDITED:
                account.reduce(event.amount)
                account.credited_on = today
            case What.REVERSED:
                account.balance, account.state = account.bill.amount.amount, InvoiceState.OPEN
                account.paid_on = account.credited_on = None
            case What.VOIDED:
                account.balance, account.state = _ZERO, InvoiceState.VOID

    def _people_say(self, event: Event, today: date) -> None:
        match event.what:
            case What.DISPUTED:
                currency = self.accounts[event.invoice or ""].currency
                part = Money(event.amount, currency) if event.amount else None
                self._hold(event, HoldKind.DISPUTE, event.until, part)
            case What.RESOLVED:
                self._lift(HoldKind.DISPUTE, event.invoice)
            case What.PROMISED | What.INSTALMENTS:
                self._promise(event, today)
            case What.PAUSED:
                self._hold(event, HoldKind.PAUSE, event.until)
            case What.HELD if event.hold is not None:
                self._hold(event, event.hold, event.until)
            case What.LIFTED:
                self._lift(event.hold, event.invoice)

    def _hold(self, event: Event, kind: HoldKind, until: date | None, part: Money | None = None) -> Hold:
        made = Hold(kind, event.why, "a person", self.customer.name, event.invoice, event.on, until, part, event.code)
        self.holds.append(made)
        return made

    def _lift(self, kind: HoldKind | None, invoice: str | None) -> None:
        """Ends holds of a kind (None: all), on an invoice or wherever they are; a promise that stood for one ends."""
        kept = [
            hold
            for hold in self.holds
            if kind not in (None, hold.kind) or (invoice is not None and hold.invoice_id != invoice)
        ]
        self.promises = [one for one in self.promises if one.kept or any(one.hold is hold for hold in kept)]
        self.holds = kept

    def _promise(self, event: Event, today: date) -> None:
        assert event.until is not None
        numbers = [event.invoice] if event.invoice else [one.bill.number for one in self.open_on(today)]
        if not numbers or not any(self.accounts[number].balance for number in numbers):
            self.impossible.append((event, "nothing is open that could be promised"))
            return
        owed = sum((self.accounts[number].balance for number in numbers), start=_ZERO)
        amount = Money(event.amount or owed, self.accounts[numbers[0]].currency)
        parts = [(event.until, amount)]
        if event.what is What.INSTALMENTS:
            try:
                parts = spread(amount, event.number, event.until, event.every)
            except ValueError as error:
                self.impossible.append((event, str(error)))
                return
        dated = [(day, self._last_day(day, event.grace), part) for day, part in parts]
        kind = HoldKind.PLAN if event.what is What.INSTALMENTS else HoldKind.PROMISE
        hold = self._hold(event, kind, dated[-1][1])
        about = frozenset(numbers)
        before = self._paid(about)
        for day, until, part in dated:
            self.promises.append(Promise(about, part.amount, part.currency, day, until, before, hold))

    def _last_day(self, day: date, grace: int) -> date:
        closed = public_holidays(self.scenario.company.place)
        while grace:
            day += _ONE_DAY
            grace -= day.weekday() < _SATURDAY and day not in closed
        return day

    def _paid(self, numbers: Iterable[str]) -> Decimal:
        accounts = (self.accounts[number] for number in numbers)
        return sum((one.bill.amount.amount - one.balance for one in accounts), start=_ZERO)

    def settle(self, today: date) -> None:
        """Lets holds expire, and says of each promise whether its money came.

        Of several promises about the same the earlier has the first money; with one instalment its plan is broken.
        """
        self.holds = [hold for hold in self.holds if hold.until is None or hold.until >= today]
        reached: dict[frozenset[str], Decimal] = {}
        used: defaultdict[str, Decimal] = defaultdict(lambda: _ZERO)
        for one in sorted(self.promises, key=lambda promise: promise.promised_on):
            if one not in self.promises:
                continue  # it fell with another of its plan
            needed = max(one.paid_before, reached.get(one.numbers, one.paid_before)) + one.amount
            missing = needed - self._paid(one.numbers)
            owed = sum((self.accounts[number].balance for number in one.numbers), start=_ZERO)
            loose = self.unapplied[one.currency] - used[one.currency]
            if one.kept or owed <= 0 or missing <= 0:
                one.kept = True
            elif today > one.until and missing <= loose:
                used[one.currency] += missing
                one.kept = True
            elif today > one.until:
                self.broken |= dict.fromkeys(one.numbers, today)
                self._end(one.hold)
                self.promises = [other for other in self.promises if other.hold is not one.hold]
                continue
            reached[one.numbers] = needed
            if all(other.kept for other in self.promises if other.hold is one.hold):
                self._end(one.hold)

    def _end(self, ended: Hold) -> None:
        self.holds = [hold for hold in self.holds if hold is not ended]

    def _touched(self, event: Event, today: date) -> None:
        """What a person did counts in every currency in which something is open."""
        due = [one for one in self.open_on(today) if one.bill.due_on is not None and one.bill.due_on < today]
        about = frozenset({event.invoice} if event.invoice else {one.bill.number for one in due})
        step_id = event.step or f"{event.touch} by hand"
        for currency in {one.currency for one in self.open_on(today)}:
            before = sum(past.step_id == step_id for past in self.history[currency])
            made = PastMessage(step_id, before + 1, MessageState.ACCEPTED, today, about, by_hand=True)
            self.history[currency].append(made)

    def _called(self, event: Event, today: date) -> None:
        calls = {step.id for step in self.playbook.steps if step.channel is StepChannel.CALL}
        made = [
            (past.on, currency, past.step_id)
            for currency, history in self.history.items()
            for past in history
            if past.step_id in calls
        ]
        if not made or event.outcome is None:
            self.impossible.append((event, "no call was on the list by then"))
            return
        _, currency, step_id = max(made)
        self.calls[currency].append(CallMade(event.outcome, today, step_id))
        if event.outcome in REACHED:
            history = self.history[currency]
            place = max(place for place, past in enumerate(history) if past.step_id == step_id)
            history[place] = replace(history[place], told=True)

    def _bounced(self, event: Event) -> None:
        for history in self.history.values():
            for place in reversed(range(len(history))):
                if history[place].step_id == event.step and history[place].state is MessageState.ACCEPTED:
                    history[place] = replace(history[place], state=MessageState.BOUNCED)
                    return
        self.impossible.append((event, f"{event.step} had not gone out by then"))
