"""What comes back: who or what wrote it, what a person meant by it, and whether somebody has handled it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class MailKind(StrEnum):
    """Who or what wrote a mail that came in."""

    PERSON = "person"  # somebody answered: the chase is paused until a person has read it
    AUTO_REPLY = "auto_reply"  # a machine says that somebody is away, or that the mail came: stops nothing
    BOUNCE = "bounce"  # a mail server could not deliver ours
    COMPLAINT = "complaint"  # the recipient called our mail spam: the chase is paused
    UNREADABLE = "unreadable"  # it was refused; perhaps a person's, so the chase is paused


#: Somebody must look at these before anything more goes out.
FOR_A_PERSON: Final = frozenset({MailKind.PERSON, MailKind.COMPLAINT, MailKind.UNREADABLE})


class Meaning(StrEnum):
    """What a person seems to mean, by rules; no more than a suggestion to whoever reads it."""

    PROMISE = "promise"  # names a day, or says that it will be paid
    DISPUTE = "dispute"  # contests it
    SAYS_PAID = "says_paid"  # says that it has been paid
    COPY_REQUEST = "copy_request"  # wants the invoice once more
    NOT_RECEIVED = "not_received"  # never got the invoice
    PO_MISSING = "po_missing"  # a purchase order is missing on it
    PAYMENT_RUN = "payment_run"  # names the day of a payment run
    WRONG_CONTACT = "wrong_contact"  # is not who should be written to
    QUESTION = "question"  # asks something
    OUT_OF_OFFICE = "out_of_office"  # is away
    UNCLEAR = "unclear"  # no rule fits


class ReplyState(StrEnum):
    """Whether somebody must act on a mail that came in."""

    WAITING = "waiting"  # a person must read it
    DONE = "done"  # a person has handled it
    FILED = "filed"  # nobody need read it: an auto-reply, or a mail that is merely late
