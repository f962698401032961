"""How late an invoice is. An invoice due today is not overdue."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Final


class AgingBucket(StrEnum):
    """The field's usual columns of an aging report."""

    CURRENT = "current"  # not yet past due, or no due date
    DAYS_1_30 = "1-30"
    DAYS_31_60 = "31-60"
    DAYS_61_90 = "61-90"
    DAYS_90_PLUS = "90+"


#: The columns from the youngest on, each with its last day past due; older than all is `DAYS_90_PLUS`.
EDGES: Final = (
    (AgingBucket.CURRENT, 0),
    (AgingBucket.DAYS_1_30, 30),
    (AgingBucket.DAYS_31_60, 60),
    (AgingBucket.DAYS_61_90, 90),
)


def days_past_due(due_on: date, on: date) -> int:
    """Days after the due date: 0 on the day itself, negative before it."""
    return (on - due_on).days


def bucket(due_on: date | None, on: date) -> AgingBucket:
    """The aging column an item stands in on a day."""
    if due_on is None:
        return AgingBucket.CURRENT
    late = days_past_due(due_on, on)
    return next((name for name, last in EDGES if late <= last), AgingBucket.DAYS_90_PLUS)
