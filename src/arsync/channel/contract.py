"""The channel contract: one message out, at most once, with honest answers about what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message. `name` may come from the source: each channel makes it harmless."""

    name: str
    media_type: str  # application/pdf
    content: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message ready to leave. `message_id` is ours (a UUID in hex) and finds it again wherever it went."""

    message_id: str
    sender: str  # an RFC 5322 mailbox: Name <address>
    reply_to: str
    to: tuple[str, ...]  # RFC 5322 mailboxes
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str
    text: str
    html: str
    at: datetime  # for the Date header
    language: str  # BCP 47
    tags: Mapping[str, str] = field(default_factory=dict)  # connection, playbook, step: for the provider's statistics
    attachments: tuple[Attachment, ...] = ()
    #: the ids of the same chase's earlier messages, oldest first: a mail program shows them as one conversation
    thread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """The channel took it. `reference` is the provider's id or a path, `remark` what a person may want to know of it:
    who of several recipients was not taken."""

    reference: str
    remark: str = ""


class Evidence(StrEnum):
    """What a look-up by our id tells of a message whose answer never came."""

    SENT = "sent"  # the provider has it
    NOT_SENT = "not_sent"  # it certainly never left
    NOTHING = "nothing"  # cannot be told


class Channel(Protocol):
    """A way out."""

    @property
    def name(self) -> str:
        """What people are told took a message."""
        ...

    @property
    def place(self) -> str:
        """Where its messages go: only a channel of the same place can say that a message certainly never left."""
        ...

    def prepare(self) -> None:
        """Gets ready to remember what it will be given, before any message passes the last gate; RetryLater where it
        cannot."""
        ...

    def draw_up(self, envelope: Envelope) -> None:
        """May put together what will probably be sent next, while nothing else is to be done: nothing leaves, and
        `send` may be given another or never be called. May raise what `send` would."""
        ...

    def send(self, envelope: Envelope) -> Receipt:
        """Sends once.

        Raises `RetryLater` (`Deferred` where only this message is meant) and `Rejected` only where nothing went out,
        `Refused` where the last gate closed before the first byte, and `OutcomeUnknown` where it may have.
        """
        ...

    def look_up(self, message_id: str) -> tuple[Evidence, str | None]:
        """Evidence of that message, and the provider's reference where it was sent."""
        ...

    def finish(self) -> list[str]:
        """Ends a batch: lets go of what was held open. What could not be done for messages that were taken, a sentence
        each; it never raises, and never repeats a message."""
        ...
