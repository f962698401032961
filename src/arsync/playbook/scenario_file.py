"""Scenario files as they are written become scenarios, or all that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from arsync.domain import payday
from arsync.domain.calendar import closed_days
from arsync.domain.money import Money
from arsync.domain.policy import Playbook, StepMode
from arsync.playbook import expect_section, happens_section
from arsync.playbook import scenarios as s
from arsync.playbook.nodes import Section, compose
from arsync.playbook.places import Place, region_code, regions_of
from arsync.playbook.problems import Problem, Problems, nearest
from arsync.playbook.scenario_scope import Scope, currency_of, each, mapping
from arsync.playbook.scenarios import Bill, Company, Debtor, Scenario
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
            one = mapping(self.problems, entry, f"scenario {number}", s.SCENARIO_KEYS, s.SCENARIO_REQUIRED)
            if one is not None and (read := self._scenario(one, company)) is not None:
                yield read

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
            currency=currency_of(self.problems, section, "company") or "EUR",
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

    def _customers(self, scenario: Section, name: str) -> tuple[Debtor, ...]:
        """Those of the scenario, known by their names; one made up where none is written."""
        if (one := scenario.mapping("customer")) is not None:
            if scenario.is_written("customers"):
                said = f"{name}: customer, or customers where there are several"
                self.problems.add(scenario.line_of("customers"), said)
            section = Section(one, f"{name}: customer", self.problems, known=s.CUSTOMER_KEYS, required=())
            return (self._customer(section, f"{name}: customer"),)
        found: dict[str, Debtor] = {}
        for section in each(self.problems, scenario, "customers", f"{name}: customer", s.CUSTOMER_KEYS, ("name",)):
            debtor = self._customer(section, f"{name}: customer {len(found) + 1}")
            if debtor.name in found:
                self.problems.add(section.line, f"{name}: customer {debtor.name} is there twice")
            found[debtor.name] = debtor
        if len(found) > s.MOST_CUSTOMERS:
            self.problems.add(scenario.line_of("customers"), f"{name}: {s.MOST_CUSTOMERS} customers at most")
        return tuple(found.values()) or (Debtor(),)

    def _customer(self, section: Section, name: str) -> Debtor:
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
        customers = self._customers(section, name)
        bills = tuple(self._bills(section, name, company, [one.name for one in customers]))
        scope = Scope(
            self.playbook, self.problems, name, first, last, company, {bill.number: bill for bill in bills},
            tuple(one.name for one in customers),
        )  # fmt: skip
        events = tuple(sorted(happens_section.events(scope, section), key=lambda one: one.on))
        happens_section.check_ledger(scope, bills, events)
        expected = tuple(sorted(expect_section.expected(scope, section), key=lambda one: one.on))
        why_not = tuple(sorted(expect_section.why_not(scope, section), key=lambda one: one.on))
        asleep = tuple(expect_section.asleep(scope, section))
        approve_after = section.whole("approve_after", *s.APPROVE_BOUNDS) or 0
        if title is None or first is None or last is None:
            return None
        return Scenario(
            title, section.line, first, last, company, customers, bills, events, expected, why_not, asleep,
            approve_after,
        )  # fmt: skip

    def _bills(self, scenario: Section, name: str, company: Company, customers: list[str]) -> Iterator[Bill]:
        seen: set[str] = set()
        sections = each(self.problems, scenario, "invoices", f"{name}: invoice", s.INVOICE_KEYS, s.INVOICE_REQUIRED)
        for section in sections:
            number, amount = section.words("number"), section.amount("amount")
            issued, due = section.day("issued"), section.day("due")
            currency = currency_of(self.problems, section, f"{name}: invoice {number}") or company.currency
            if number in seen:
                self.problems.add(section.line, f"{name}: invoice {number} is there twice")
            if issued and due and due < issued:
                self.problems.add(section.line_of("due"), f"{name}: invoice {number} falls due before it was issued")
            whose = section.words("customer") or (customers[0] if len(customers) == 1 else None)
            if whose is None:
                self.problems.add(section.line, f"{name}: invoice {number} names its customer where there are several")
            elif whose not in customers:
                message = f"{name}: invoice {number}: there is no customer {whose!r}"
                self.problems.add(section.line_of("customer"), message, nearest(whose, customers))
            if number is not None and amount is not None and issued is not None:
                seen.add(number)
                yield Bill(number, Money(amount, currency), issued, due, section.line, whose or customers[0])
