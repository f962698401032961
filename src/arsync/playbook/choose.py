"""Which playbook a chase, or an invoice of it, follows. Pure: the first whose `match` section fits, by priority.

A playbook that a person assigned comes before all; where none fits, the settings' own is followed. Conditions are
compiled once for a rulebook; a chase is asked without a look at the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import translate
from typing import Final

from arsync.domain.matching import Assigned, Between, Days, Match, Subject
from arsync.domain.policy import Playbook
from arsync.domain.record import record
from arsync.playbook.problems import Problem

#: Says in words what of the subject fits, or None where it does not.
Condition = Callable[[Subject, date], str | None]


@record(frozen=True, slots=True)
class Choice:
    """The playbook that is followed and why; it stands at least until the day before `until`."""

    name: str
    why: str
    until: date | None = None  # None: until something else changes than the date
    by_hand: bool = False  # a person chose it


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    priority: int
    conditions: tuple[Condition, ...]
    age: Days | None
    single: bool  # it asks for something of single invoices
    rated: bool  # it asks how the payer pays
    grouped: bool  # it asks for the source's customer groups


class Chooser:
    """Several playbooks in the order in which they are asked."""

    def __init__(self, playbooks: Iterable[Playbook]) -> None:
        rules = [_rule(one.name, one.match) for one in playbooks if one.match is not None]
        self._rules: Final = sorted(rules, key=lambda rule: (rule.priority, rule.name))
        self._otherwise: Final[dict[tuple[str, date | None], Choice]] = {}
        #: whether any playbook has conditions
        self.asks: Final = bool(self._rules)
        #: whether some playbook is for single invoices: else a chase is asked as a whole
        self.by_invoice: Final = any(rule.single for rule in self._rules)
        #: whether anybody asks for the payer's rating, which costs a look at its history
        self.rated: Final = any(rule.rated for rule in self._rules)
        #: whether anybody asks for the source's customer groups
        self.grouped: Final = any(rule.grouped for rule in self._rules)

    def choose(self, subject: Subject, default: str, today: date, assigned: Assigned | None = None) -> Choice:
        """The playbook of a subject."""
        if assigned is not None:
            return Choice(assigned.playbook, str(assigned), by_hand=True)
        until: date | None = None
        for rule in self._rules:
            if rule.single and subject.billed is None:
                continue
            # It may come to fit, or cease to, by the mere passing of days.
            if rule.age is not None and subject.oldest_due is not None:
                turn = rule.age.turns(subject.oldest_due, today)
                until = turn if until is None or (turn is not None and turn < until) else until
            said = _fits(rule, subject, today)
            if said is not None:
                return Choice(rule.name, f"priority {rule.priority}: {said or 'whoever is not matched before'}", until)
        return self.otherwise(default, until)

    def otherwise(self, default: str, until: date | None = None) -> Choice:
        """The settings' own playbook, as no other fits."""
        known = self._otherwise.get((default, until))
        if known is None:
            told = "no other playbook's conditions fit" if self._rules else "no playbook has conditions"
            known = Choice(default, f"the settings' playbook, for {told}", until)
            self._otherwise[default, until] = known
        return known


def _fits(rule: _Rule, subject: Subject, today: date) -> str | None:
    said = []
    for condition in rule.conditions:
        words = condition(subject, today)
        if words is None:
            return None
        said.append(words)
    return "; ".join(said)


def _rule(name: str, match: Match) -> _Rule:
    lists: tuple[tuple[str, frozenset[str], Callable[[Subject], str | None]], ...] = (
        ("currency", match.currency, lambda subject: subject.currency),
        ("country", match.country, lambda subject: subject.country),
        ("language", match.language, lambda subject: subject.language),
        ("rating", match.rating, lambda subject: subject.rating),
        ("connection", match.connection, lambda subject: subject.connection),
    )
    sets: tuple[tuple[str, frozenset[str], Callable[[Subject], frozenset[str]]], ...] = (
        ("group", match.group, lambda subject: subject.groups),
        ("tag", match.tag, lambda subject: subject.tags),
    )
    found = [_one_of(what, wanted, of) for what, wanted, of in lists if wanted]
    found += [_any_of(what, wanted, of) for what, wanted, of in sets if wanted]
    if match.balance:
        found.append(_owing(match.balance))
    if match.age is not None:
        found.append(_aged(match.age))
    if match.invoice is not None:
        wanted = match.invoice
        patterns = {
            "number": wanted.number, "reference": wanted.reference, "purchase_order": wanted.purchase_order,
            "terms": wanted.terms,
        }  # fmt: skip
        found += [_written(what, those) for what, those in patterns.items() if those]
        if wanted.total:
            found.append(_sold(wanted.total))
    single, rated, grouped = match.invoice is not None, bool(match.rating), bool(match.group)
    return _Rule(name, match.priority, tuple(found), match.age, single, rated, grouped)


def _owing(bounds: Mapping[str, Between]) -> Condition:
    def holds(subject: Subject, today: date) -> str | None:
        own = bounds.get(subject.currency)
        return f"{subject.currency} open {own}" if own is not None and own.holds(subject.balance) else None

    return holds


def _sold(bounds: Mapping[str, Between]) -> Condition:
    def holds(subject: Subject, today: date) -> str | None:
        own, billed = bounds.get(subject.currency), subject.billed
        if own is None or billed is None or not own.holds(billed.total):
            return None
        return f"invoice of {billed.total:,} {subject.currency}, {own}"

    return holds


def _one_of(what: str, wanted: Collection[str], of: Callable[[Subject], str | None]) -> Condition:
    def holds(subject: Subject, today: date) -> str | None:
        value = of(subject)
        return f"{what} {value}" if value in wanted else None

    return holds


def _any_of(what: str, wanted: frozenset[str], of: Callable[[Subject], frozenset[str]]) -> Condition:
    def holds(subject: Subject, today: date) -> str | None:
        both = wanted & of(subject)
        return f"{what} {', '.join(sorted(both))}" if both else None

    return holds


def _aged(age: Days) -> Condition:
    def holds(subject: Subject, today: date) -> str | None:
        days = 0 if subject.oldest_due is None else max(0, (today - subject.oldest_due).days)
        # Named by its day, not by its age: a reason that changes every night says nothing new.
        return f"the oldest fell due on {subject.oldest_due}, {age}" if age.holds(days) else None

    return holds


def _written(what: str, patterns: Iterable[str]) -> Condition:
    fits = re.compile("|".join(translate(pattern.casefold()) for pattern in patterns)).match

    def holds(subject: Subject, today: date) -> str | None:
        value = getattr(subject.billed, what, None)
        return f"{what.replace('_', ' ')} {value}" if value and fits(value.casefold()) else None

    return holds


def clashes(files: Mapping[str, Playbook]) -> list[Problem]:
    """Files of which nobody can say which is asked first, or meant; each problem names both."""
    found: list[Problem] = []
    by_name: dict[str, str] = {}
    by_priority: dict[int, str] = {}
    for file, playbook in files.items():
        other = by_name.setdefault(playbook.name, file)
        if other != file:
            found.append(Problem(file, 1, f"is named {playbook.name!r}, and so is {other}"))
        elif playbook.match is not None:
            priority = playbook.match.priority
            first = by_priority.setdefault(priority, file)
            if first != file:
                found.append(Problem(file, 1, f"match: has the priority {priority}, and so has {first}"))
    return found
