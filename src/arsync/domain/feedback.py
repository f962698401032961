"""What is heard of a message after its channel took it, and addresses that nobody writes to any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class EventKind(StrEnum):
    """What a mail provider tells of a message and one of its addresses."""

    PROCESSED = "processed"  # the provider has it
    DELIVERED = "delivered"  # the recipient's side took it
    DEFERRED = "deferred"  # the recipient's side put it off; the provider goes on trying
    BOUNCED = "bounced"  # the recipient's side gave it back for good
    BLOCKED = "blocked"  # the recipient's side refused this one message
    DROPPED = "dropped"  # the provider did not even try
    SPAM_REPORT = "spam_report"  # the recipient called it spam
    UNSUBSCRIBED = "unsubscribed"  # the recipient wants no mail from the sender
    GROUP_UNSUBSCRIBED = "group_unsubscribed"  # the same, of one kind of mail
    GROUP_RESUBSCRIBED = "group_resubscribed"  # the recipient wants that kind of mail again


class SuppressionKind(StrEnum):
    """Why an address is not written to any more."""

    BOUNCE = "bounce"  # mail to it comes back
    INVALID = "invalid"  # it cannot be an address
    SPAM_REPORT = "spam_report"  # whoever reads it called a message spam
    UNSUBSCRIBE = "unsubscribe"  # whoever reads it wants no mail
    GROUP_UNSUBSCRIBE = "group_unsubscribe"  # the same, of one kind of mail


#: Whoever reads there wants no mail: another address is no mend.
DECLINED: Final = frozenset(
    {SuppressionKind.SPAM_REPORT, SuppressionKind.UNSUBSCRIBE, SuppressionKind.GROUP_UNSUBSCRIBE}
)
#: The message did not reach that address.
LOST: Final = frozenset({EventKind.BOUNCED, EventKind.BLOCKED, EventKind.DROPPED})
#: The provider had the message, whatever became of it.
HANDED_OVER: Final = LOST | {EventKind.PROCESSED, EventKind.DELIVERED, EventKind.DEFERRED}


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """One thing that a provider told, as often as it tells it; `event_id` is the provider's and tells it again."""

    provider: str
    event_id: str
    kind: EventKind
    address: str  # bare, in lower case
    at: datetime
    reason: str = ""  # as the provider says, on one line
    message_key: str | None = None  # ours, where the provider gives it back
    reference: str | None = None  # the provider's, as in a receipt
    suppresses: SuppressionKind | None = None  # from then on nobody writes to the address
