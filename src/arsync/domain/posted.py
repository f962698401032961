"""What others post to us: by which door it came, what it is, and how it was received."""

from __future__ import annotations

from enum import StrEnum

#: What the address is called to which SendGrid posts answers.
INBOUND = "sendgrid/inbound"


class PostKind(StrEnum):
    """What waits to be taken in."""

    EVENTS = "events"  # what became of mail, as the mail provider tells
    MAIL = "mail"  # an answer


class Reception(StrEnum):
    """How one post was received."""

    TAKEN = "taken"  # it told something new
    KNOWN = "known"  # it was posted before
    STRANGER = "stranger"  # of a company that is none of ours
    REFUSED = "refused"  # not signed, wrongly signed, or too old
    MALFORMED = "malformed"  # signed, and nothing that can be read
