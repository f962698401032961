"""Scenario files as they are written become scenarios, or all that is wrong with them at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from arsync.domain import payday
from arsync.domain.calendar import closed_days
from arsync.domain.money import Money
from arsync.domain.policy import Playbook, StepMode
from arsync.playbook import scenarios as s
from arsync.playbook.load import currencies
from arsync.playbook.nodes import Section, compose, line
from arsync.playbook.places import Place, region_code, regions_of
from arsync.playbook.problems import Problem, Problems, nearest
from arsync.playbook.scenarios import Bill, Company, Debtor, Event, Expected, Scenario, What, WhyNot
from arsync.playbook.step_section import MODES


def read(path: Path, playbook: Playbook) -> tuple[tuple[Scenario, ...], tuple[Problem, ...]]:
    """Every scenario of a file, or none and every problem."""
    problems = Problems(f"{path.parent.name}/{path.name}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.add(1, f"cannot be read: {error.strerror or error}")
        return (), problems.by_line()
    except UnicodeDecodeError as error:
        problems.add(error.object.count(b"\n", 0, error.start) + 1, "is not UTF-8 text")
        return (), problems.by_line()
    root = compose(text, problems, "a file of scenarios is a mapping of keys: company, scenarios")
    if root is None:
        return (), problems.by_line()
    found = tuple(_File(playbook, problems).scenarios(root))
    return (() if problems else found), problems.by_line()


@dataclass(slots=True)
class _File:
    playbook: Playbook
    problems: Problems
    names: dict[str, int] = field(default_factory=dict)

    def scenarios(self, node: yaml.MappingNode) -> Iterator[Scenario]:
        root = Section(node, "the file", self.problems, known=s.FILE_KEYS, required=("scenarios",))
        company = self._company(root) or Company()
        for number, entry in enumerate(root.listing("scenarios") or (), start=1):
            one = self._mapping(entry, f"scenario {number}", s.SCENARIO_KEYS, s.SCENARIO_REQUIRED)
            if one is not None and (read := self._scenario(one, company)) is not None:
                yield read

    def _mapping(
        self, node: yaml.Node, name: str, known: tuple[str, ...], required: tuple[str, ...] = ()
    ) -> Section | None:
        if isinstance(node, yaml.MappingNode):
            return Section(node, name, self.problems, known=known, required=required)
        self.problems.add(line(node), f"{name} must be a mapping of keys: {', '.join(known)}")
        return None

    def _each(
        self, section: Section, key: str, name: str, known: tuple[str, ...], required: tuple[str, ...]
    ) -> Iterator[Section]:
        for number, node in enumerate(section.listing(key) or (), start=1):
            if (one := self._mapping(node, f"{name} {number}", known, required)) is not None:
                yield one

    # --- who -----------------------------------------------------------------------------------------------------

    def _company(self, root: Section) -> Company | None:
        node = root.mapping("company")
        if node is None:
            return None
        section = Section(node, "company", self.problems, known=s.COMPANY_KEYS, required=())
        timezone = section.words("timezone") or "UTC"
        try:
            ZoneInfo(timezone)
        except (KeyError, OSError, ValueError):
            self.problems.add(section.line_of("timezone"), f"company: there is no timezone {timezone!r}")
            timezone = "UTC"
        closed = []
        for text in section.several("closed") or ():
            try:
                closed.append(closed_days(text))
            except ValueError as error:
                self.problems.add(section.line_of("closed"), f"company: closed: {error}")
        return Company(
            name=section.words("name") or "company",
            place=self._place(section, "company"),
            timezone=timezone,
            language=section.slug("language", "[a-z]{2,3}") or "en",
            currency=self._currency(section, "company") or "EUR",
            mode=section.choice("mode", MODES) or StepMode.AUTO,
            replies_read=section.truth("replies_read") or False,
            closed=tuple(closed),
        )

    def _place(self, section: Section, name: str) -> Place:
        country, region = section.words("country"), section.words("region")
        if country is not None and regions_of(country) is None:
            self.problems.add(
                section.line_of("country"),
                f"{name}: {country!r} is no country whose holidays are known: GB, DE, US, ...",
            )
            return Place()
        if region is not None and (country is None or region_code(country, region) is None):
            where = f"{country} has no region {region!r}" if country else "a region needs its country"
            near = nearest(region, regions_of(country) or ()) if country else None
            self.problems.add(section.line_of("region"), f"{name}: {where}", near)
            region = None
        return Place(country, region)

    def _currency(self, section: Section, name: str) -> str | None:
        written = section.words("currency")
        if written is not None and written not in currencies():
            near = nearest(written, (code.lower() for code in currencies()))
            message = f"{name}: {written!r} is no ISO 4217 currency"
            self.problems.add(section.line_of("currency"), message, near.upper() if near else None)
            return None
        return written

    def _customer(self, scenario: Section, name: str) -> Debtor:
        node = scenario.mapping("customer")
        if node is None:
            return Debtor()
        name = f"{name}: customer"
        section = Section(node, name, self.problems, known=s.CUSTOMER_KEYS, required=())
        runs = None
        if (written := section.words("payment_day")) is not None:
            try:
                runs = payday.read(written)
            except ValueError as error:
                self.problems.add(section.line_of("payment_day"), f"{name}: {error}")
        email = section.words("email") or "accounts@customer.example"
        return Debtor(
            name=section.words("name") or "the customer",
            place=self._place(section, name),
            language=section.slug("language", "[a-z]{2,3}"),
            email=None if email == "none" else email,
            tags=frozenset(section.several("tags") or ()),
            groups=frozenset(group.lower() for group in section.several("groups") or ()),
            rating=section.choice("rating", s.RATED) or "unknown",
            payment_day=runs,
        )

    # --- one scenario --------------------------------------------------------------------------------------------

    def _scenario(self, section: Section, company: Company) -> Scenario | None:
        title = section.text("name", s.LONGEST_NAME)
        first, last = section.day("from"), section.day("to")
        name = repr(title) if title else f"the scenario on line {section.line}"
        if title is not None and (before := self.names.setdefault(title, section.line)) != section.line:
            self.problems.add(section.line, f"{name} is there twice, first on line {before}")
        if first is not None and last is not None:
            if last < first:
                self.problems.add(section.line_of("to"), f"{name} ends before it begins, on {first}")
            elif (last - first).days > s.MOST_DAYS:
                self.problems.add(section.line_of("to"), f"{name} is longer than {s.MOST_DAYS} days")
        customer = self._customer(section, name)
        bills = tuple(self._bills(section, name, company))
        story = _Story(self, name, first, last, company, {bill.number: bill for bill in bills})
        events = tuple(sorted(story.events(section), key=lambda one: one.on))
        story.check_ledger(bills, events)
        expected = tuple(sorted(story.expected(section), key=lambda one: one.on))
        why_not = tuple(sorted(story.why_not(section), key=lambda one: one.on))
        asleep = tuple(story.asleep(section))
        approve_after = section.whole("approve_after", *s.APPROVE_BOUNDS) or 0
        if title is None or first is None or last is None:
            return None
        return Scenario(
            title, section.line, first, last, company, customer, bills, events, expected, why_not, asleep, approve_after
        )

    def _bills(self, scenario: Section, name: str, company: Company) -> Iterator[Bill]:
        seen: set[str] = set()
        for section in self._each(scenario, "invoices", f"{name}: invoice", s.INVOICE_KEYS, s.INVOICE_REQUIRED):
            number, amount = section.words("number"), section.amount("amount")
            issued, due = section.day("issued"), section.day("due")
            currency = self._currency(section, f"{name}: invoice {number}") or company.currency
            if number in seen:
                self.problems.add(section.line, f"{name}: invoice {number} is there twice")
            if issued and due and due < issued:
                self.problems.add(section.line_of("due"), f"{name}: invoice {number} falls due before it was issued")
            if number is not None and amount is not None and issued is not None:
                seen.add(number)
                yield Bill(number, Money(amount, currency), issued, due, section.line)


@dataclass(slots=True)
class _Story:
    """What happens in one scenario and what it expects: each with the names and days that it may use."""

    file: _File
    name: str
    first: date | None
    last: date | None
    company: Company
    bills: Mapping[str, Bill]

    @property
    def _steps(self) -> list[str]:
        return [step.id for step in self.file.playbook.steps]

    def _add(self, at: int, message: str, suggestion: str | None = None) -> None:
        self.file.problems.add(at, f"{self.name}: {message}", suggestion)

    def _on(self, section: Section) -> date | None:
        on = section.day("day")
        if on is None or self.first is None or self.last is None or self.first <= on <= self.last:
            return on
        self._add(section.line_of("day"), f"{on} is not between {self.first} and {self.last}")
        return None

    def _invoice(self, section: Section, key: str, number: str | None, *words: str) -> str | None:
        """The number where there is such an invoice; None with the problem noted where there is none."""
        if number is None or number in self.bills or number in words:
            return number
        self._add(section.line_of(key), f"there is no invoice {number!r}", nearest(number, [*self.bills, *words]))
        return None

    def _step(self, section: Section, key: str) -> str | None:
        step = section.words(key)
        if step is None or step in self._steps:
            return step
        playbook = self.file.playbook.name
        self._add(section.line_of(key), f"{playbook} has no step {step!r}", nearest(step, self._steps))
        return None

    # --- what happens ----------------------------------------------------------------------------------------------

    def events(self, scenario: Section) -> Iterator[Event]:
        """Each happening, in the order in which they are written."""
        for number, node in enumerate(scenario.listing("happens") or (), start=1):
            name = f"{self.name}: happening {number}"
            if not isinstance(node, yaml.MappingNode):
                self.file.problems.add(line(node), f"{name} must be a mapping such as {{day: 2026-06-30, paid: INV-1}}")
                continue
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            what = [one for one in What if one in keys]
            if len(what) != 1:
                self._no_one_thing(node, name, keys, what)
                continue
            known = ("day", what[0].value, *s.BESIDE[what[0]])
            section = Section(node, name, self.file.problems, known=known, required=("day", what[0].value))
            event = self._event(section, what[0])
            if event is not None:
                yield event

    def _no_one_thing(self, node: yaml.MappingNode, name: str, keys: list[str], what: list[What]) -> None:
        if what:
            message = f"{name} is {' and '.join(what)} in one: write one line for each"
            self.file.problems.add(line(node), message)
            return
        unknown = [key for key in keys if key not in s.EVENT_KEYS]
        words = [one.value for one in What]
        near = next((found for key in unknown if (found := nearest(key, words))), None)
        self.file.problems.add(line(node), f"{name} must say what happens: one of {', '.join(What)}", near)

    def _event(self, section: Section, what: What) -> Event | None:
        """The happening; None with the problem noted where it cannot be understood."""
        on = self._on(section)
        given = {key: section.node(key) is not None for key in s.BESIDE[what]}
        invoice = section.words("invoice") if "invoice" in given else None
        invoice = self._invoice(section, "invoice", invoice)
        until = section.day("until") if "until" in given else None
        amount = section.amount("amount") if "amount" in given else None
        event = Event(
            on or date.min, what, section.line, invoice, amount,
            currency=self.file._currency(section, self.name) if "currency" in given else None,
            until=until,
            code=section.choice("code", s.CODES) if "code" in given else None,
            step=self._step(section, "step") if "step" in given else None,
            grace=grace if "grace" in given and (grace := section.whole("grace", *s.GRACE_BOUNDS)) is not None else 2,
            why=(section.text("why", 200) if "why" in given else None) or "as the scenario says",
        )  # fmt: skip
        said = self._said(section, what, event)
        if on is None or said is None:
            return None
        if said.until is not None and said.until < on:
            self._add(section.line, f"{what} {said.until}: that day has passed on {on}")
        return said

    def _said(self, section: Section, what: What, event: Event) -> Event | None:
        """The event with what stands beside its own word."""
        key = what.value
        if what in s.OF_INVOICE:
            number = self._invoice(section, key, section.words(key))
            return None if number is None else replace(event, invoice=number)
        match what:
            case What.RECEIVED:
                much = section.amount(key)
                return None if much is None else replace(event, amount=much)
            case What.PROMISED | What.PAUSED:
                day = section.day(key)
                several = len({bill.amount.currency for bill in self.bills.values()}) > 1
                if what is What.PROMISED and event.invoice is None and several:
                    self._add(section.line, "a promise names its invoice where there are several currencies")
                return None if day is None else replace(event, until=day)
            case What.HELD:
                kind = section.choice(key, s.HOLDS)
                return None if kind is None else replace(event, hold=kind)
            case What.LIFTED:
                word = section.choice(key, s.LIFTED)
                return None if word is None else replace(event, hold=s.HOLDS.get(word))
            case What.TOUCHED:
                touch = section.choice(key, s.TOUCHES)
                return None if touch is None else replace(event, touch=touch)
            case What.CALLED:
                outcome = section.choice(key, s.OUTCOMES)
                return None if outcome is None else replace(event, outcome=outcome)
            case What.BOUNCED:
                step = self._step(section, key)
                return None if step is None else replace(event, step=step)
            case _:
                number = self._invoice(section, key, section.words(key), "all")
                return None if number is None else replace(event, invoice=None if number == "all" else number)

    def check_ledger(self, bills: tuple[Bill, ...], events: tuple[Event, ...]) -> None:
        """Notes what cannot happen to these invoices: paid twice, more than is open, before they were there."""
        left = {bill.number: bill.amount.amount for bill in bills}
        loose: dict[str, Decimal] = defaultdict(Decimal)
        for event in events:
            if event.what is What.RECEIVED:
                loose[event.currency or self.company.currency] += event.amount or Decimal(0)
            bill = self.bills.get(event.invoice or "")
            if bill is None:
                continue
            if event.on < bill.issued_on:
                self._add(event.line, f"{bill.number} was not issued before {bill.issued_on}")
            elif event.what in (What.PAID, What.CREDITED, What.ALLOCATED):
                self._check_money(event, bill, left, loose)
            elif event.what is What.REVERSED:
                if left[bill.number] == bill.amount.amount:
                    self._add(event.line, f"nothing was paid on {bill.number} before {event.on}")
                left[bill.number] = bill.amount.amount
            elif event.what is What.VOIDED:
                left[bill.number] = Decimal(0)

    def _check_money(self, event: Event, bill: Bill, left: dict[str, Decimal], loose: dict[str, Decimal]) -> None:
        currency, here = bill.amount.currency, left[bill.number]
        much, there = event.amount or here, loose[currency]
        if not here:
            self._add(event.line, f"nothing is open on {bill.number} by {event.on}")
        elif much > here:
            self._add(event.line, f"{here} is open on {bill.number} on {event.on}: {much} is more")
        elif event.what is What.ALLOCATED and much > there:
            self._add(event.line, f"{there} {currency} is on no invoice on {event.on}: {much} is more")
        else:
            left[bill.number] = here - much
            if event.what is What.ALLOCATED:
                loose[currency] -= much

    # --- what is expected ------------------------------------------------------------------------------------------

    def expected(self, scenario: Section) -> Iterator[Expected]:
        """The touches, or none where `nothing` is expected."""
        node = scenario.node("expect")
        if isinstance(node, yaml.ScalarNode) and node.value == s.NOTHING:
            return
        seen: set[tuple[date, str]] = set()
        for section in self.file._each(scenario, "expect", f"{self.name}: expected", s.EXPECT_KEYS, s.EXPECT_REQUIRED):
            on, step = self._on(section), self._step(section, "step")
            numbers = section.several("invoices")
            found = [self._invoice(section, "invoices", number) for number in numbers or ()]
            amount, mode = section.amount("amount"), section.choice("mode", MODES)
            if on is None or step is None:
                continue
            if (on, step) in seen and not numbers:
                self._add(section.line, f"{step} on {on} is expected twice: name the invoices")
            seen.add((on, step))
            invoices = None if numbers is None else frozenset(number for number in found if number)
            yield Expected(on, step, section.line, invoices, amount, mode)

    def why_not(self, scenario: Section) -> Iterator[WhyNot]:
        """The answers that are asked for."""
        for section in self.file._each(scenario, "why_not", f"{self.name}: why_not", s.WHY_KEYS, s.WHY_REQUIRED):
            on, rule = self._on(section), section.choice("rule", s.RULES)
            number = section.words("invoice")
            if number is None and len(self.bills) == 1:
                number = next(iter(self.bills))
            elif number is None:
                self._add(section.line, "a why_not names its invoice where there are several")
            number = self._invoice(section, "invoice", number)
            says = section.words("says", 200)
            if on is not None and rule is not None and number is not None:
                yield WhyNot(on, number, rule, section.line, says)

    def asleep(self, scenario: Section) -> Iterator[tuple[date, date]]:
        """The days on which the worker was off."""
        for section in self.file._each(scenario, "asleep", f"{self.name}: asleep", s.ASLEEP_KEYS, s.ASLEEP_KEYS):
            begins, ends = section.day("from"), section.day("to")
            if begins is not None and ends is not None:
                if ends < begins:
                    self._add(section.line, f"asleep to {ends}, before it begins on {begins}")
                yield begins, ends
