"""Every report by its name, with what may be asked of it: for pages, which take any of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from arsync.errors import UsageError
from arsync.report import aging, changes, forecast, outstanding, people, steps
from arsync.report.aging import Whose
from arsync.report.outstanding import Level
from arsync.report.sheet import Office, Sheet
from arsync.store.engine import Work


@dataclass(frozen=True, slots=True)
class Number:
    """A number that a report may be asked with; `label` stands before its field."""

    label: str
    usual: int
    most: int
    least: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody asks of a report: a value for each of its numbers, and one of its levels where it has any."""

    numbers: Mapping[str, int]
    by: str


@dataclass(frozen=True, slots=True)
class Report:
    """One report. `by` are the levels that its rows may have, the usual one first; none where there is no choice."""

    name: str
    title: str
    says: str
    make: Callable[[Work, Sequence[Office], Choice], Sheet]
    numbers: Mapping[str, Number] = field(default_factory=dict)
    by: tuple[str, ...] = ()

    def choice(self, given: Mapping[str, str]) -> Choice:
        """What was asked, by the fields of a form; absent or empty is the usual. UsageError where it cannot be."""
        by = given.get("by") or (self.by[0] if self.by else "")
        if by and by not in self.by:
            raise UsageError(f"by {by!r}: there is {', '.join(self.by) or 'no choice'}")
        return Choice({name: _number(name, one, given.get(name, "")) for name, one in self.numbers.items()}, by)


def _number(name: str, number: Number, text: str) -> int:
    if not text.strip():
        return number.usual
    if not (text.strip().isascii() and text.strip().isdigit() and number.least <= int(text) <= number.most):
        raise UsageError(f"{name} {text!r}: a number from {number.least} to {number.most}")
    return int(text)


_BY_LEVEL: Final = tuple(one.value for one in Level)
_TOP: Final = 500


def _days(usual: int, most: int = 3650, label: str = "Days") -> Number:
    return Number(label, usual, most)


def _changes(work: Work, offices: Sequence[Office], asked: Choice) -> Sheet:
    if Level(asked.by) is Level.PAYER:
        return changes.by_payer(work, offices, asked.numbers["days"], asked.numbers["top"])
    return changes.changes(work, offices, asked.numbers["days"])


def _forecast(work: Work, offices: Sequence[Office], asked: Choice) -> Sheet:
    if forecast.Rows(asked.by) is forecast.Rows.INVOICE:
        return forecast.by_invoice(work, offices, asked.numbers["within"])
    return forecast.by_week(work, offices, asked.numbers["weeks"])


REPORTS: Final[Mapping[str, Report]] = {
    one.name: one
    for one in (
        Report(
            "aging", "Aging", "Who owes how much for how long, on any day.",
            lambda work, offices, asked: aging.aging(work, offices, Whose(asked.by)),
            by=tuple(one.value for one in Whose),
        ),
        Report(
            "exposure", "Top exposures", "Who owes most, and what part of all that is.",
            lambda work, offices, asked: aging.exposure(work, offices, asked.numbers["top"]),
            {"top": Number("Payers in each currency", 10, _TOP)},
        ),
        Report(
            "changes", "What changed", "From what was open then to what is open now, and whose balance moved.",
            _changes, {"days": _days(7, 366, "Days since"), "top": Number("Payers in each currency", 20, _TOP)},
            _BY_LEVEL,
        ),
        Report(
            "forecast", "Forecast", "What comes in each of the next weeks, and when open invoices will be paid.",
            _forecast, {"weeks": Number("Weeks", 13, 52), "within": Number("Paid within days", 30, 365)},
            tuple(one.value for one in forecast.Rows),
        ),
        Report(
            "dso", "Days sales outstanding", "How many days of sales are outstanding, simple and by counting back.",
            lambda work, offices, asked: outstanding.dso(work, offices, asked.numbers["days"]),
            {"days": _days(90, 731, "Days of sales")},
        ),
        Report(
            "cei", "Collection effectiveness", "Of what could be collected, the part that was.",
            lambda work, offices, asked: outstanding.cei(work, offices, asked.numbers["months"]),
            {"months": Number("Months", 3, 36)},
        ),
        Report(
            "days-to-pay", "Days to pay", "How many days after the invoice, and after its due date, money came.",
            lambda work, offices, asked: outstanding.days_to_pay(
                work, offices, asked.numbers["days"], Level(asked.by)
            ),
            {"days": _days(90, 731)}, _BY_LEVEL,
        ),
        Report(
            "promises", "Promises", "How much of what customers promised was kept.",
            lambda work, offices, asked: people.promises(work, offices, asked.numbers["days"], Level(asked.by)),
            {"days": _days(90)}, _BY_LEVEL,
        ),
        Report(
            "disputes", "Disputes", "What is contested, by reason, and how many disputes came and went.",
            lambda work, offices, asked: people.disputes(work, offices, asked.numbers["days"]),
            {"days": _days(90)},
        ),
        Report(
            "steps", "Effect of each step", "How much was paid after each step, beside invoices nobody had asked for.",
            lambda work, offices, asked: steps.steps(work, offices, asked.numbers["days"], asked.numbers["within"]),
            {"within": Number("Paid within days", 14, 90), "days": _days(365)},
        ),
        Report(
            "activity", "Activity", "What each of our people did.",
            lambda work, offices, asked: people.collectors(work, offices, asked.numbers["days"]),
            {"days": _days(7)},
        ),
    )
}  # fmt: skip
