"""What a scenario expects beside what the playbook did: a calendar of both, and each difference in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from arsync.domain.policy import Playbook
from arsync.playbook.scenarios import Expected, Scenario, WhyNot
from arsync.playbook.stories import Answer, Story, Touch, tell


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected; `line` is that of the scenario file."""

    line: int
    on: date
    message: str


@dataclass(frozen=True, slots=True)
class Day:
    """One row of the calendar."""

    on: date
    happens: tuple[str, ...]
    expected: tuple[str, ...]
    actual: tuple[str, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario went."""

    scenario: Scenario
    days: tuple[Day, ...]  # those on which anything happens, is expected or goes out
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether all came as expected."""
        return not self.differences


def check(scenario: Scenario, playbook: Playbook, locales: frozenset[str]) -> Outcome:
    """Plays a scenario and compares; `locales` are those that the playbook's templates have."""
    story = tell(scenario, playbook, locales)
    differences: list[Difference] = []
    wrong: set[date] = set()
    for on in sorted({*(one.on for one in scenario.expected), *(touch.on for touch in story.touches)}):
        missing, surplus = _unmatched(scenario, story, on)
        for one in missing:
            twin = next((touch for touch in surplus if touch.step == one.step), None)
            if twin is not None:
                surplus.remove(twin)
                message = f"{one.step} went out otherwise: {_full(twin)}, not {_wanted(one)}"
            else:
                message = f"{one.step} did not go out{_why(scenario, story, one)}"
            differences.append(Difference(one.line, on, message))
        differences += [
            Difference(scenario.line, on, f"{_full(touch)} went out, and nobody expected it") for touch in surplus
        ]
        wrong |= {on} if missing or surplus else set()
    differences += [
        Difference(event.line, event.on, f"{event}: this cannot be, {why}") for event, why in story.impossible
    ]
    differences += _wrong_answers(scenario, story)
    differences.sort(key=lambda one: (one.on, one.line))
    return Outcome(scenario, tuple(_calendar(scenario, story, wrong)), tuple(differences))


def _unmatched(scenario: Scenario, story: Story, on: date) -> tuple[list[Expected], list[Touch]]:
    """What was expected on that day and did not come so, and what came without being expected so."""
    surplus = [touch for touch in story.touches if touch.on == on]
    missing = []
    for one in scenario.expected:
        if one.on != on:
            continue
        found = next((touch for touch in surplus if _is_as(one, touch)), None)
        if found is None:
            missing.append(one)
        else:
            surplus.remove(found)
    return missing, surplus


def _is_as(one: Expected, touch: Touch) -> bool:
    return (
        one.step == touch.step
        and one.invoices in (None, frozenset(touch.invoices))
        and one.amount in (None, touch.amount.amount)
        and one.mode in (None, touch.mode)
    )


def _why(scenario: Scenario, story: Story, one: Expected) -> str:
    """What the planner said that day instead."""
    answers = story.answers.get(one.on)
    if answers is None:
        return ": the worker was asleep"
    about = one.invoices or {bill.number for bill in scenario.bills}
    said = [f"{number}: {_said(answers[number])}" for number in sorted(about) if number in answers]
    return "; " + "; ".join(said) if said else ": nothing was open, or it was not there yet"


def _said(answer: Answer) -> str:
    return f"{answer.rule} ({answer.reason})"


def _wrong_answers(scenario: Scenario, story: Story) -> Iterator[Difference]:
    for asked in scenario.why_not:
        answer = story.answers.get(asked.on, {}).get(asked.invoice)
        if answer is None:
            why = "nothing was said of it: it is not open, or the worker was asleep"
            yield Difference(asked.line, asked.on, f"{asked.invoice} should be {_asked(asked)}, but {why}")
        elif answer.rule != asked.rule or (asked.says or "").casefold() not in answer.reason.casefold():
            yield Difference(asked.line, asked.on, f"{asked.invoice} should be {_asked(asked)}, and is {_said(answer)}")


def _asked(asked: WhyNot) -> str:
    return f"{asked.rule} ({asked.says})" if asked.says else asked.rule


# --- the calendar ---------------------------------------------------------------------------------------------


def _calendar(scenario: Scenario, story: Story, wrong: set[date]) -> Iterator[Day]:
    happens = dict(_by_day(_happenings(scenario)))
    expected = dict(_by_day((one.on, _wanted(one)) for one in scenario.expected))
    actual = dict(_by_day((touch.on, _full(touch) if touch.on in wrong else _short(touch)) for touch in story.touches))
    for on in sorted({*happens, *expected, *actual}):
        yield Day(on, happens.get(on, ()), expected.get(on, ()), actual.get(on, ()), on in wrong)


def _by_day(said: Iterable[tuple[date, str]]) -> Iterator[tuple[date, tuple[str, ...]]]:
    found: dict[date, list[str]] = {}
    for on, text in said:
        found.setdefault(on, []).append(text)
    return ((on, tuple(texts)) for on, texts in found.items())


def _happenings(scenario: Scenario) -> Iterator[tuple[date, str]]:
    for bill in scenario.bills:
        if scenario.first <= bill.issued_on <= scenario.last:
            yield bill.issued_on, f"{bill.number} over {bill.amount}"
        if bill.due_on is not None and scenario.first <= bill.due_on <= scenario.last:
            yield bill.due_on, f"{bill.number} falls due"
    for event in scenario.events:
        yield event.on, str(event)
    for begins, ends in scenario.asleep:
        yield begins, f"the worker is off until {ends}"


def _wanted(one: Expected) -> str:
    said = [one.step, *sorted(one.invoices or ())]
    extra = [f"{one.amount:,.2f}"] if one.amount is not None else []
    extra += [one.mode.value] if one.mode is not None else []
    return " ".join(said) + "".join(f", {part}" for part in extra)


def _short(touch: Touch) -> str:
    return " ".join((touch.step, *sorted(touch.invoices)))


def _full(touch: Touch) -> str:
    return f"{_short(touch)}, {touch.amount}, {touch.mode.value}"
