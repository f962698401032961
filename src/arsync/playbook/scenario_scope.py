"""What the sections of a scenario may speak of: its days, its invoices, its customers and the steps of its playbook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import yaml

from arsync.domain.policy import ACCOUNT, Playbook
from arsync.playbook.load import currencies
from arsync.playbook.nodes import Section, line
from arsync.playbook.problems import Problems, nearest
from arsync.playbook.scenarios import Bill, Company


@dataclass(frozen=True, slots=True)
class Scope:
    """The names and days of one scenario; what is not among them is a problem with its nearest."""

    playbook: Playbook
    problems: Problems
    name: str
    first: date | None
    last: date | None
    company: Company
    bills: Mapping[str, Bill]
    customers: tuple[str, ...]

    def add(self, at: int, message: str, suggestion: str | None = None) -> None:
        """Notes a problem of this scenario."""
        self.problems.add(at, f"{self.name}: {message}", suggestion)

    def on(self, section: Section) -> date | None:
        """The section's day, within the scenario."""
        on = section.day("day")
        if on is None or self.first is None or self.last is None or self.first <= on <= self.last:
            return on
        self.add(section.line_of("day"), f"{on} is not between {self.first} and {self.last}")
        return None

    def invoice(self, section: Section, key: str, number: str | None, *words: str) -> str | None:
        """The number where there is such an invoice; None with the problem noted where there is none."""
        if number is None or number in self.bills or number in words:
            return number
        self.add(section.line_of(key), f"there is no invoice {number!r}", nearest(number, [*self.bills, *words]))
        return None

    def customer(self, section: Section) -> str | None:
        """The customer that the section names; None with the problem noted where there is no such customer."""
        named = section.words("customer")
        if named is None or named in self.customers:
            return named
        self.add(section.line_of("customer"), f"there is no customer {named!r}", nearest(named, self.customers))
        return None

    def step(self, section: Section, key: str) -> str | None:
        """The step of the playbook that stands there; a month's statement of account goes by its own name."""
        step, steps = section.words(key), [step.id for step in self.playbook.steps]
        if self.playbook.statements is not None and self.playbook.statements.business_day is not None:
            steps.append(ACCOUNT)
        if step is None or step in steps:
            return step
        self.add(section.line_of(key), f"{self.playbook.name} has no step {step!r}", nearest(step, steps))
        return None

    def currency(self, section: Section) -> str | None:
        """The currency that stands there."""
        return currency_of(self.problems, section, self.name)

    def each(self, scenario: Section, key: str, known: tuple[str, ...], required: tuple[str, ...]) -> Iterator[Section]:
        """The entries of a list of the scenario."""
        what = "expected" if key == "expect" else key
        return each(self.problems, scenario, key, f"{self.name}: {what}", known, required)


def mapping(
    problems: Problems, node: yaml.Node, name: str, known: tuple[str, ...], required: tuple[str, ...] = ()
) -> Section | None:
    """The section of a node; None with the problem noted where it is no mapping."""
    if isinstance(node, yaml.MappingNode):
        return Section(node, name, problems, known=known, required=required)
    problems.add(line(node), f"{name} must be a mapping of keys: {', '.join(known)}")
    return None


def each(
    problems: Problems, section: Section, key: str, name: str, known: tuple[str, ...], required: tuple[str, ...]
) -> Iterator[Section]:
    """The sections of a list, each with its number in its name."""
    for number, node in enumerate(section.listing(key) or (), start=1):
        if (one := mapping(problems, node, f"{name} {number}", known, required)) is not None:
            yield one


def currency_of(problems: Problems, section: Section, name: str) -> str | None:
    """The ISO 4217 code that stands there; None with the problem noted where it is none."""
    written = section.words("currency")
    if written is not None and written not in currencies():
        near = nearest(written, (code.lower() for code in currencies()))
        problems.add(
            section.line_of("currency"), f"{name}: {written!r} is no ISO 4217 currency", near.upper() if near else None
        )
        return None
    return written
