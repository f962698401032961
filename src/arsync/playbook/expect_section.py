"""What a scenario expects, as it is written: touches, answers, and the days on which the worker is off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import yaml

from arsync.playbook import scenarios as s
from arsync.playbook.nodes import Section
from arsync.playbook.scenario_scope import Scope
from arsync.playbook.scenarios import Expected, WhyNot
from arsync.playbook.step_section import MODES


def expected(scope: Scope, scenario: Section) -> Iterator[Expected]:
    """The touches, or none where `nothing` is expected."""
    node = scenario.node("expect")
    if isinstance(node, yaml.ScalarNode) and node.value == s.NOTHING:
        return
    seen: set[tuple[date, str]] = set()
    for section in scope.each(scenario, "expect", s.EXPECT_KEYS, s.EXPECT_REQUIRED):
        on, step = scope.on(section), scope.step(section, "step")
        numbers = section.several("invoices")
        found = [scope.invoice(section, "invoices", number) for number in numbers or ()]
        amount, mode = section.amount("amount"), section.choice("mode", MODES)
        if on is None or step is None:
            continue
        if (on, step) in seen and not numbers:
            scope.add(section.line, f"{step} on {on} is expected twice: name the invoices")
        seen.add((on, step))
        invoices = None if numbers is None else frozenset(number for number in found if number)
        yield Expected(on, step, section.line, invoices, amount, mode)


def why_not(scope: Scope, scenario: Section) -> Iterator[WhyNot]:
    """The answers that are asked for."""
    for section in scope.each(scenario, "why_not", s.WHY_KEYS, s.WHY_REQUIRED):
        on, rule = scope.on(section), section.choice("rule", s.RULES)
        number = section.words("invoice")
        if number is None and len(scope.bills) == 1:
            number = next(iter(scope.bills))
        elif number is None:
            scope.add(section.line, "a why_not names its invoice where there are several")
        number = scope.invoice(section, "invoice", number)
        says = section.words("says", 200)
        if on is not None and rule is not None and number is not None:
            yield WhyNot(on, number, rule, section.line, says)


def asleep(scope: Scope, scenario: Section) -> Iterator[tuple[date, date]]:
    """The days on which the worker was off."""
    for section in scope.each(scenario, "asleep", s.ASLEEP_KEYS, s.ASLEEP_KEYS):
        begins, ends = section.day("from"), section.day("to")
        if begins is not None and ends is not None:
            if ends < begins:
                scope.add(section.line, f"asleep to {ends}, before it begins on {begins}")
            yield begins, ends
