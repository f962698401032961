"""How late an invoice is. An invoice due today is not overdue."""

from __future__ import annotations

from datetime import date
from enum import StrEnum


class AgingBucket(StrEnum):
    """The field's usual columns of an aging report."""

    CURRENT = "current"  # not yet past due, or no due date
    DAYS_1_30 = "1-30"
    DAYS_31_60 = "31-60"
    DAYS_61_90 = "61-90"
    DAYS_90_PLUS = "90+"


def days_past_due(due_on: date, on: date) -> int:
    """Days after the due date: 0 on the day itself, negative before it."""
    return (on - due_on).days


def bucket(due_on: date | None, on: date) -> AgingBucket:
    """The aging column an item stands in on a day."""
    if due_on is None:
        return AgingBucket.CURRENT
    late = days_past_due(due_on, on)
    limits = (
        (0, AgingBucket.CURRENT),
        (30, AgingBucket.DAYS_1_30),
        (60, AgingBucket.DAYS_31_60),
        (90, AgingBucket.DAYS_61_90),
    )
    return next((name for limit, name in limits if late <= limit), AgingBucket.DAYS_90_PLUS)
