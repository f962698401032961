"""How good the forecast is on invoices that are past: made again on past days from what was known then, beside four
plain guesses, and compared with what came.

An invoice that was not paid within the horizon is no missing one: it counts as paid on the day after it, and a guess
beyond the horizon as that day. Leaving out what is not paid would flatter every guess, the worst ones most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final

from arsync.domain.forecast import Bill, Expectation, Habits, day_of
from arsync.domain.medians import Medians
from arsync.domain.survival import SURE

#: Before so many invoices were paid no forecast is made.
LEAST: Final = 20
#: The chance that is judged is that of being paid within so many days.
WITHIN: Final = 30
#: What is so long past due is not judged: it would outnumber all that anybody still waits for.
OLDEST: Final = 365
_EARLY, _LIKELY, _LATE = SURE // 10, SURE // 2, SURE * 9 // 10


class Method(StrEnum):
    """Whose guess."""

    FORECAST = "forecast"
    DUE = "due date"
    COMPANY = "company median"
    CUSTOMER = "customer median"
    RECENT = "recent median"  # the customer's, each invoice weighed by half for each 180 days since it was paid


@dataclass(frozen=True, slots=True)
class Guess:
    """In how many days an invoice is paid, at most the horizon and one; from when to when, and the chance within 30
    days, in millionths (a plain guess is sure of itself); whether it is late."""

    days: int
    soon: int
    late: bool
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One open invoice on one day: what was guessed, and in how many days it was paid (at most the horizon and one)."""

    bill: Bill
    on: date
    own: int  # invoices that its payer had paid by then
    first: bool  # its first forecast
    days: int
    guesses: dict[Method, Guess]

    @property
    def due_in(self) -> int:
        """Days until its due date; negative where that has passed."""
        return (self.bill.due_on - self.on).days


def forecast_days(bills: Sequence[Bill], last: date, every: int, horizon: int) -> list[date]:
    """The days on which forecasts are made: since half of the invoices were written, each with its whole horizon up to
    the `last` day of which anything is known."""
    written = sorted(bill.issued_on for bill in bills)
    middle = written[len(written) // 2] if written else last
    day, found = last - timedelta(days=horizon), []
    while day >= middle:
        found.append(day)
        day -= timedelta(days=every)
    return found[::-1]


def trials(bills: Sequence[Bill], days: Iterable[date], horizon: int) -> Iterator[Trial]:
    """Each invoice that was open at the end of each of the days, which rise. Left out is what was cleared without money
    within the horizon, for it was never to be paid, and what was more than a year past due."""
    paid = sorted((bill for bill in bills if bill.paid and bill.ended_on is not None), key=_ended)
    medians = Medians()
    place = 0
    met: set[int] = set()
    for on in days:
        while place < len(paid) and _ended(paid[place]) <= on:
            medians.add(paid[place])
            place += 1
        if len(medians) < LEAST:
            continue
        habits = Habits(bills, on)
        told: dict[Expectation, Guess] = {}
        late: dict[str, dict[Method, int]] = {}
        for number, bill in enumerate(bills):
            if bill.issued_on > on or (bill.ended_on is not None and bill.ended_on <= on):
                continue
            ends = horizon + 1 if bill.ended_on is None else (bill.ended_on - on).days
            if (ends <= horizon and not bill.paid) or (on - bill.due_on).days > OLDEST:
                continue
            expected = habits.expected(bill.payer, bill.due_on)
            if expected not in told:  # of the same age by the same habits
                told[expected] = _told(expected, (bill.due_on - on).days, horizon)
            if bill.payer not in late:
                late[bill.payer] = _late(medians, bill.payer, on)
            plain = {method: _plain(bill, on, days_late, horizon) for method, days_late in late[bill.payer].items()}
            guesses = {Method.FORECAST: told[expected], **plain}
            own = medians.paid(bill.payer)
            yield Trial(bill, on, own, number not in met, min(ends, horizon + 1), guesses)
            met.add(number)


def _ended(bill: Bill) -> date:
    return bill.ended_on or date.max


def _told(expected: Expectation, due_in: int, horizon: int) -> Guess:
    low, likely, high = (day_of(expected, chance, horizon) or horizon + 1 for chance in (_EARLY, _LIKELY, _LATE))
    late = expected.paid_within(due_in) < _LIKELY
    return Guess(likely, expected.paid_within(WITHIN), late, low, high)


def _late(medians: Medians, payer: str, on: date) -> dict[Method, int]:
    return {
        Method.DUE: 0, Method.COMPANY: medians.company(), Method.CUSTOMER: medians.own(payer),
        Method.RECENT: medians.recent(payer, on),
    }  # fmt: skip


def _plain(bill: Bill, on: date, late: int, horizon: int) -> Guess:
    """The due date and so many days, and tomorrow where that has passed."""
    due_in = (bill.due_on - on).days
    days = min(max(due_in + late, 1), horizon + 1)
    return Guess(days, SURE if days <= WITHIN else 0, days > due_in)


# --- judged ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Score:
    """How near the guesses were; exact, None where there is nothing to judge. Days, and shares from 0 to 1."""

    count: int
    error: Fraction | None  # mean absolute error
    middle: int | None  # the median of the absolute errors
    bias: Fraction | None  # guessed less came: positive is too late
    paid: int  # those that were paid within the horizon
    error_paid: Fraction | None  # the mean absolute error of these
    late: Fraction | None  # of those not past due, with their due date within the horizon: rightly told late or not
    covered: Fraction | None  # within the range
    brier: Fraction | None  # the mean squared error of the chance within 30 days


def score(those: Iterable[Trial], method: Method, horizon: int) -> Score:
    """The judgement on one method."""
    known = [(one, one.guesses[method]) for one in those]
    errors = [abs(guess.days - one.days) for one, guess in known]
    paid = [abs(guess.days - one.days) for one, guess in known if one.days <= horizon]
    dated = [(one, guess) for one, guess in known if 0 <= one.due_in <= horizon]
    ranged = [
        guess.low <= one.days <= guess.high
        for one, guess in known
        if guess.low is not None and guess.high is not None
    ]  # fmt: skip
    brier = sum((guess.soon - SURE * (one.days <= WITHIN)) ** 2 for one, guess in known)
    return Score(
        count=len(known),
        error=_mean(sum(errors), len(errors)),
        middle=sorted(errors)[(len(errors) - 1) // 2] if errors else None,
        bias=_mean(sum(guess.days - one.days for one, guess in known), len(known)),
        paid=len(paid),
        error_paid=_mean(sum(paid), len(paid)),
        late=_mean(sum(guess.late == (one.days > one.due_in) for one, guess in dated), len(dated)),
        covered=_mean(sum(ranged), len(ranged)),
        brier=_mean(brier, len(known) * SURE * SURE),
    )


def _mean(total: int, count: int) -> Fraction | None:
    return Fraction(total, count) if count else None


#: What the trials are parted by, and which belong to each.
SEGMENTS: Final[dict[str, Callable[[Trial], bool]]] = {
    "all": lambda one: True,
    "first, not past due": lambda one: one.first and one.due_in >= 0,
    "not past due": lambda one: one.due_in >= 0,
    "past due": lambda one: one.due_in < 0,
    "payer paid 0": lambda one: one.own == 0,
    "payer paid 1-2": lambda one: 1 <= one.own <= 2,
    "payer paid 3-9": lambda one: 3 <= one.own <= 9,
    "payer paid 10+": lambda one: one.own >= 10,
}


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts whose chance within 30 days is from `low` to `high`, in percent: what was told in the mean, and what
    part was paid."""

    low: int
    high: int
    count: int
    told: Fraction
    came: Fraction


def calibration(those: Iterable[Trial]) -> list[Bin]:
    """The forecast's chances by tenths; tenths without any are left out."""
    tenths: defaultdict[int, list[tuple[int, bool]]] = defaultdict(list)
    for one in those:
        told = one.guesses[Method.FORECAST].soon
        tenths[min(told * 10 // SURE, 9)].append((told, one.days <= WITHIN))
    return [
        Bin(
            tenth * 10, tenth * 10 + 10, len(known), Fraction(sum(told for told, _ in known), len(known) * SURE),
            Fraction(sum(came for _, came in known), len(known)),
        )
        for tenth, known in sorted(tenths.items())
    ]  # fmt: skip
