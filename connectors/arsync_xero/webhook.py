"""Xero's webhooks: checked, and read for which ids changed at which organisation.

An intent to receive is a post without events: with the right signature it is answered 200, with a wrong one 401, and
that is all Xero asks of an address before it sends events there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from arsync.connector import Changed, Gathering, Resource
from arsync.errors import Malformed, Unverified

_SIGNATURE: Final = "x-xero-signature"
_RESOURCES: Final[Mapping[str, Resource]] = {
    "INVOICE": Resource.INVOICES,
    "CONTACT": Resource.CUSTOMERS,
    "CREDITNOTE": Resource.CREDIT_NOTES,
}
#: bills and credits of suppliers, where the event says what it is
_NOT_SALES: Final = frozenset({"ACCPAY", "ACCPAYCREDIT"})


class _Event(msgspec.Struct, rename="camel"):
    resource_id: str
    tenant_id: str
    event_category: str
    event_type: str = ""
    event_date_utc: str = ""
    data: Any = None


class _Post(msgspec.Struct, rename="camel"):
    events: list[_Event]


def verify(body: bytes, headers: Mapping[str, str], key: str) -> None:
    """Unverified unless the signature is base64 of HMAC-SHA256 over the raw body by the webhook's key."""
    given = next((value for name, value in headers.items() if name.lower() == _SIGNATURE), "")
    try:
        told = base64.b64decode(given.encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        told = b""
    if not hmac.compare_digest(told, hmac.new(key.encode(), body, hashlib.sha256).digest()):
        raise Unverified(_SIGNATURE)


def read(body: bytes) -> tuple[Changed, ...]:
    """What changed, organisation by organisation; nothing for an intent to receive. Malformed where it is no webhook.

    Xero tells of no payments: one that is put on an invoice is expected to change that invoice.
    """
    try:
        post = msgspec.json.decode(body, type=_Post)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Malformed("not a webhook of Xero's") from None
    gathering = Gathering()
    for event in post.events:
        kind = event.data.get("Type") if isinstance(event.data, dict) else None
        resource = None if kind in _NOT_SALES else _RESOURCES.get(event.event_category.upper())
        # Events have no ids of their own, and their sequence numbers start again with each subscription.
        told = "\n".join(
            (event.tenant_id, event.event_category, event.resource_id, event.event_type, event.event_date_utc)
        )
        gathering.note(
            event.tenant_id,
            resource,
            [event.resource_id],
            event_id=hashlib.sha256(told.encode()).hexdigest()[:36],
            at=_instant(event.event_date_utc),
        )
    return gathering.changed()


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
