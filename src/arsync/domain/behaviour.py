"""How a payer pays, told from what it has paid, and what one may expect of it.

What counts as paid, and when:

- Only money counts, and on the day on which it was *received*: that is the payer's act. When our bookkeeper put it on
  the invoice is not. Money that came before the invoice was written counts on the day of the invoice.
- A credit note is not a payment: what was credited was never to be paid, and an invoice that credit alone has settled
  says nothing.
- A payment that was voided, reversed or deleted counts for nothing; its invoice is open again, at its full age.
- Money that was put on no invoice says nothing: nobody knows what it was for.
- Drafts, voids and invoices without a due date are left out; a disputed invoice is not held against the payer.

Each currency stands by itself, as two currencies never add.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from arsync.domain.money import Money, from_units, to_units
from arsync.domain.payday import PayDay, habit

#: With fewer invoices paid in full nobody is rated.
LEAST_PAID: Final = 3
#: What was received longer ago is not looked at.
LOOKED_BACK: Final = timedelta(days=730)
#: The trend sets the money received in so many days up to the latest receipt against what came before.
RECENT: Final = timedelta(days=90)
#: So many days' difference is a trend.
_TREND_DAYS: Final = 7
#: Later than this is late by more than a slow bank.
_WEEK: Final = 7
#: At most so many days late (the greater of mean and median), and so many percent of the money over a week late.
_GRADES: Final = (("A", 3, 10), ("B", 15, 50), ("C", 45, 100))
#: An open debt so many days past due allows no better than this, if it is worth naming beside what was paid.
_CAPS: Final = ((90, "D"), (60, "C"), (30, "B"))
_WORTH_NAMING: Final = 5  # percent


class Rating(StrEnum):
    """What to expect of a payer, best first; the reasons stand with it."""

    A = "A"  # pays when it is due
    B = "B"  # a little late
    C = "C"  # late
    D = "D"  # very late, or not at all of late
    NEW = "new"  # too little is known: neither good nor bad


class Trend(StrEnum):
    """How the money of the last months compares with what came before."""

    FASTER = "faster"
    STEADY = "steady"
    SLOWER = "slower"
    UNKNOWN = "unknown"  # too few invoices on either side


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that was put on an invoice: the part of one payment that still counts."""

    received_on: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Debt:
    """An invoice that was to be paid, and what came in for it; `balance` is what is open still."""

    issued_on: date
    due_on: date
    balance: Decimal
    receipts: tuple[Receipt, ...] = ()
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one payer pays in one currency. Days are after the due date; negative is before it."""

    currency: str
    paid: int  # invoices paid in full
    late: int  # those of them whose last money came after the due date
    share_late: Decimal | None  # of the money received: the part that came after the due date, 0 to 1
    days_late: Decimal | None  # mean, each day weighed with the money that came on it
    median_late: Decimal | None  # of the invoices paid in full, by the day of their last money
    days_to_pay: Decimal | None  # mean from the day of the invoice, weighed likewise
    recent_late: Decimal | None  # `days_late` of the recent money, where there is a trend to speak of
    before_late: Decimal | None  # `days_late` of what came before
    trend: Trend
    payment_day: PayDay | None
    rating: Rating
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.rating} in {self.currency}: {'; '.join(self.reasons)}"


@dataclass(frozen=True, slots=True)
class _Part:
    """One receipt, laid beside its invoice."""

    day: date
    units: int
    late: int
    after: int  # days since the invoice


def behaviour(debts: Iterable[Debt], currency: str, as_of: date) -> Behaviour:
    """How the payer of these debts, all in that currency, paid as known on that day; what came later is left out."""
    known = [debt for debt in debts if debt.issued_on <= as_of]
    since = as_of - LOOKED_BACK
    parts: list[_Part] = []
    settled: list[int] = []
    aged: list[tuple[int, int]] = []  # days past due, units
    for debt in known:
        came = [one for one in debt.receipts if one.received_on <= as_of and one.amount > 0]
        still = to_units(debt.balance) + sum(to_units(one.amount) for one in debt.receipts if one.received_on > as_of)
        if still > 0 and debt.due_on < as_of and not debt.disputed:
            aged.append(((as_of - debt.due_on).days, still))
        counted = [_part(debt, one) for one in came if one.received_on >= since]
        parts += counted
        if still <= 0 and counted:
            settled.append(max(part.late for part in counted))
    return _judged(currency, parts, settled, aged)


def _part(debt: Debt, receipt: Receipt) -> _Part:
    day = max(receipt.received_on, debt.issued_on)
    return _Part(receipt.received_on, to_units(receipt.amount), (day - debt.due_on).days, (day - debt.issued_on).days)


def _judged(
    currency: str, parts: Sequence[_Part], settled: Sequence[int], aged: Sequence[tuple[int, int]]
) -> Behaviour:
    days_late, median = _mean(parts), _median(settled)
    recent, before = _recent_and_before(parts)
    trend = _trend(recent, before)
    payment_day = habit(part.day for part in parts)
    late = sum(days > 0 for days in settled)
    reasons: tuple[str, ...]
    if len(settled) < LEAST_PAID or days_late is None or median is None:
        few = f"{len(settled)} invoices paid in full, and at least {LEAST_PAID} are needed: not rated"
        rating, reasons = Rating.NEW, (few,)
    else:
        usual = f"pays {_days(days_late)} by amount (median {_days(median)}), {late} of {len(settled)} invoices late"
        rating, reasons = _rated(currency, parts, max(days_late, median), usual, (recent, before), aged)
        if payment_day is not None:
            reasons = (*reasons, f"payments come {payment_day}")
    return Behaviour(
        currency=currency,
        paid=len(settled),
        late=late,
        share_late=_share(parts, 0),
        days_late=days_late,
        median_late=median,
        days_to_pay=_tenths(sum(part.units * part.after for part in parts), sum(part.units for part in parts)),
        recent_late=recent,
        before_late=before,
        trend=trend,
        payment_day=payment_day,
        rating=rating,
        reasons=reasons,
    )


def _rated(
    currency: str,
    parts: Sequence[_Part],
    days: Decimal,
    usual: str,
    then: tuple[Decimal | None, Decimal | None],
    aged: Sequence[tuple[int, int]],
) -> tuple[Rating, tuple[str, ...]]:
    """First match, best first; then what makes it worse."""
    reasons = [usual]
    week = (_share(parts, _WEEK) or Decimal(0)) * 100
    grade = next((Rating(name) for name, most, share in _GRADES if days <= most and week <= share), Rating.D)
    by_days = next((Rating(name) for name, most, _ in _GRADES if days <= most), Rating.D)
    if grade > by_days:
        reasons.append(f"{week:.0f}% of the money came more than {_WEEK} days late")
    recent, before = then
    if recent is not None and before is not None and _trend(recent, before) is not Trend.STEADY:
        slower = recent > before
        told = f"{_days(recent)} in the last {RECENT.days} days of payments, {_days(before)} before"
        reasons.append(f"{'slower' if slower else 'faster'} of late: {told}")
        if slower and grade < Rating.D:
            grade = Rating(chr(ord(grade) + 1))
    received = sum(part.units for part in parts)
    for least, cap in _CAPS:
        still = sum(units for age, units in aged if age > least)
        if still * 100 >= _WORTH_NAMING * received and still:
            reasons.append(f"{Money(from_units(still), currency)} is open more than {least} days past due")
            grade = max(grade, Rating(cap))
            break
    return grade, tuple(reasons)


def _recent_and_before(parts: Sequence[_Part]) -> tuple[Decimal | None, Decimal | None]:
    """The mean lateness of the recent money and of the rest; None of both where either is thin."""
    if not parts:
        return None, None
    line = max(part.day for part in parts) - RECENT
    recent, before = ([part for part in parts if (part.day > line) is side] for side in (True, False))
    if min(len(recent), len(before)) < LEAST_PAID:
        return None, None
    return _mean(recent), _mean(before)


def _trend(recent: Decimal | None, before: Decimal | None) -> Trend:
    if recent is None or before is None:
        return Trend.UNKNOWN
    if abs(recent - before) < _TREND_DAYS:
        return Trend.STEADY
    return Trend.SLOWER if recent > before else Trend.FASTER


def _mean(parts: Sequence[_Part]) -> Decimal | None:
    return _tenths(sum(part.units * part.late for part in parts), sum(part.units for part in parts))


def _share(parts: Sequence[_Part], days: int) -> Decimal | None:
    """The part of the money that came more than so many days late."""
    received = sum(part.units for part in parts)
    over = sum(part.units for part in parts if part.late > days)
    return Decimal(round(Fraction(over * 1000, received))).scaleb(-3) if received else None


def _median(days: Sequence[int]) -> Decimal | None:
    if not days:
        return None
    ordered = sorted(days)
    middle = len(ordered) // 2
    return _tenths(ordered[middle] + ordered[-middle - 1], 2)


def _tenths(above: int, below: int) -> Decimal | None:
    """The quotient to one decimal place, exactly rounded; None of nothing."""
    return Decimal(round(Fraction(above * 10, below))).scaleb(-1) if below else None


def _days(days: Decimal) -> str:
    number = f"{abs(days):f}".removesuffix(".0")
    unit = "day" if number == "1" else "days"
    if not days:
        return "on the due date"
    return f"{number} {unit} {'late' if days > 0 else 'early'}"


def worst(found: Iterable[Behaviour]) -> Rating:
    """One rating for a payer of several currencies: the worst that is known, as the stricter wins."""
    return max((one.rating for one in found if one.rating is not Rating.NEW), default=Rating.NEW)
