"""Intuit's webhooks: checked, and read for which ids changed at which company. Both formats: CloudEvents, an array of
events (the only one since 2026), and `eventNotifications` before it."""

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

_SIGNATURE: Final = "intuit-signature"
_RESOURCES: Final[Mapping[str, Resource]] = {
    "invoice": Resource.INVOICES,
    "payment": Resource.PAYMENTS,
    "creditmemo": Resource.CREDIT_NOTES,
    "customer": Resource.CUSTOMERS,
}
_PREFIX: Final = "qbo"


def verify(body: bytes, headers: Mapping[str, str], token: str) -> None:
    """Unverified unless the signature is base64 of HMAC-SHA256 over the raw body by the app's verifier token."""
    given = next((value for name, value in headers.items() if name.lower() == _SIGNATURE), "")
    try:
        told = base64.b64decode(given.encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        told = b""
    if not hmac.compare_digest(told, hmac.new(token.encode(), body, hashlib.sha256).digest()):
        raise Unverified(_SIGNATURE)


def read(body: bytes) -> tuple[Changed, ...]:
    """What changed, company by company; Malformed where the body is in neither format.

    An event that names none of what arsync reads counts as known and changes nothing.
    """
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Malformed("not a webhook of Intuit's") from None
    gathering = Gathering()
    if isinstance(found, list):
        for event in found:
            _cloud_event(event, gathering)
    elif isinstance(found, dict) and isinstance(found.get("eventNotifications"), list):
        for notification in found["eventNotifications"]:
            _notification(notification, gathering)
    else:
        raise Malformed("neither CloudEvents nor eventNotifications")
    return gathering.changed()


def _cloud_event(event: Any, gathering: Gathering) -> None:
    fields = _fields(event, "id", "type", "intuitaccountid", "intuitentityid")
    parts = fields["type"].lower().split(".")  # qbo.invoice.updated.v1
    resource = _RESOURCES.get(parts[1]) if len(parts) > 2 and parts[0] == _PREFIX else None
    gathering.note(
        fields["intuitaccountid"],
        resource,
        [fields["intuitentityid"], *_merged(event.get("data"))],
        event_id=fields["id"],
        at=_instant(event.get("time")),
    )


def _notification(notification: Any, gathering: Gathering) -> None:
    realm = _fields(notification, "realmId")["realmId"]
    change = notification.get("dataChangeEvent")
    entities = change.get("entities") if isinstance(change, dict) else None
    if not isinstance(entities, list):
        raise Malformed("a notification without entities")
    for entity in entities:
        fields = _fields(entity, "name", "id")
        operation, stamp = str(entity.get("operation", "")), str(entity.get("lastUpdated", ""))
        # This format has no ids of its own: the same change told twice is the same text.
        told = "\n".join((realm, fields["name"], fields["id"], operation, stamp))
        gathering.note(
            realm,
            _RESOURCES.get(fields["name"].lower()),
            [fields["id"], *_merged(entity)],
            event_id=hashlib.sha256(told.encode()).hexdigest()[:36],
            at=_instant(stamp),
        )


def _merged(fields: Any) -> list[str]:
    """The record that was folded into the one named."""
    gone = fields.get("deletedId") if isinstance(fields, dict) else None
    return [str(gone)] if isinstance(gone, str | int) and str(gone) else []


def _fields(event: Any, *names: str) -> dict[str, str]:
    if not isinstance(event, dict):
        raise Malformed("an event that is no object")
    found = {}
    for name in names:
        value = event.get(name)
        if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
            raise Malformed(f"an event without {name}")
        found[name] = str(value)
    return found


def _instant(text: Any) -> datetime | None:
    """Nine digits of a second are cut to six."""
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
