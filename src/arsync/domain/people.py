"""What people say of a debt or a customer, beside what stops it: why it is contested, how a call went, who looks after
whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final


class DisputeCode(StrEnum):
    """What the customer contests."""

    PRICE = "price"  # another price was agreed
    QUANTITY = "quantity"  # less came than was billed
    QUALITY = "quality"  # what came is not as it should be
    NOT_RECEIVED = "not_received"  # nothing came
    DUPLICATE = "duplicate"  # it was billed already
    WRONG_CUSTOMER = "wrong_customer"  # somebody else bought it
    PAID_ALREADY = "paid_already"  # they say that they have paid
    OTHER = "other"  # as the reason says


class TouchKind(StrEnum):
    """How a person reached the customer without arsync."""

    CALL = "call"
    MAIL = "mail"
    LETTER = "letter"
    VISIT = "visit"


class CallOutcome(StrEnum):
    """How a call ended."""

    PROMISED = "promised"  # they named a day
    DISPUTED = "disputed"  # they contest it
    PAID = "paid"  # they say that it is paid
    NO_ANSWER = "no_answer"  # nobody took the call
    WRONG_NUMBER = "wrong_number"  # somebody else did


#: How a call ends in which the customer was spoken to.
REACHED: Final = frozenset({CallOutcome.PROMISED, CallOutcome.DISPUTED, CallOutcome.PAID})


@dataclass(frozen=True, slots=True)
class Owner:
    """Who of our people looks after a customer."""

    name: str
    email: str | None = None
    phone: str | None = None
    signature: str | None = None  # several lines; what a message ends with


@dataclass(frozen=True, slots=True)
class CallMade:
    """A call of the list as a person says it went, on the company's day."""

    outcome: CallOutcome
    on: date
    step_id: str
