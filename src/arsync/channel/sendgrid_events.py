"""SendGrid's event webhook: who signed it, when, and what it tells."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeGuard

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from arsync.domain.feedback import EventKind, ProviderEvent, SuppressionKind
from arsync.errors import ConfigurationError, Malformed, Unverified

PROVIDER: Final = "sendgrid"
#: Headers of the signature and of the moment that it covers.
SIGNATURE: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP: Final = "X-Twilio-Email-Event-Webhook-Timestamp"
#: SendGrid repeats what it could not deliver for 24 hours; what is older is somebody else's doing.
OLDEST: Final = timedelta(hours=25)
#: So far may its clock be ahead of ours.
_AHEAD: Final = timedelta(minutes=5)
MOST_BYTES: Final = 10_000_000
_KINDS: Final = {
    "processed": EventKind.PROCESSED,
    "delivered": EventKind.DELIVERED,
    "deferred": EventKind.DEFERRED,
    "bounce": EventKind.BOUNCED,
    "dropped": EventKind.DROPPED,
    "spamreport": EventKind.SPAM_REPORT,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.GROUP_UNSUBSCRIBED,
    "group_resubscribe": EventKind.GROUP_RESUBSCRIBED,
}
#: Nobody's reading habits are our business.
_IGNORED: Final = frozenset({"open", "click", "machine_open"})
_SUPPRESSING: Final = {
    EventKind.BOUNCED: SuppressionKind.BOUNCE,
    EventKind.SPAM_REPORT: SuppressionKind.SPAM_REPORT,
    EventKind.UNSUBSCRIBED: SuppressionKind.UNSUBSCRIBE,
    EventKind.GROUP_UNSUBSCRIBED: SuppressionKind.GROUP_UNSUBSCRIBE,
}
#: Why SendGrid does not even try, where that is about the address.
_DROPPED_FOR: Final = {
    "bounced address": SuppressionKind.BOUNCE,
    "invalid": SuppressionKind.INVALID,
    "spam reporting address": SuppressionKind.SPAM_REPORT,
    "unsubscribed address": SuppressionKind.UNSUBSCRIBE,
}


@dataclass(frozen=True, slots=True)
class Told:
    """A webhook's events as far as they can be read, and what is wrong with the others."""

    events: tuple[ProviderEvent, ...]
    problems: tuple[str, ...] = ()


def verify(
    public_key: str, signature: str, timestamp: str, body: bytes, *, now: datetime, oldest: timedelta = OLDEST,
    setting: str = "sendgrid.webhook_public_key",
) -> None:  # fmt: skip
    """Unverified, with the reason, unless SendGrid signed this very body and not longer ago than `oldest`."""
    if not signature or not timestamp:
        raise Unverified("it is not signed")
    key = _key(public_key, setting)
    try:
        key.verify(base64.b64decode(signature, validate=True), timestamp.encode() + body, ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise Unverified("the signature does not fit the body") from None
    try:
        signed_at = datetime.fromtimestamp(int(timestamp), UTC)
    except (ValueError, OverflowError, OSError):
        raise Unverified("its timestamp is none") from None
    if now - signed_at > oldest:
        raise Unverified(f"it was signed at {signed_at:%Y-%m-%d %H:%M} UTC: too long ago")
    if signed_at - now > _AHEAD:
        raise Unverified(f"it was signed at {signed_at:%Y-%m-%d %H:%M} UTC: that is still to come")


def _key(text: str, setting: str) -> ec.EllipticCurvePublicKey:
    try:
        if "BEGIN" in text:
            key = load_pem_public_key(text.encode())
        else:
            key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
        if isinstance(key, ec.EllipticCurvePublicKey):
            return key
    except (ValueError, binascii.Error):
        pass
    raise ConfigurationError(f"{setting} is not the verification key that SendGrid shows")


def read(body: bytes) -> Told:
    """The events of a webhook's body; Malformed where it is no list of events at all."""
    if len(body) > MOST_BYTES:
        raise Malformed(f"the webhook's body is larger than {MOST_BYTES // 1_000_000} MB")
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the webhook's body is no JSON") from None
    if not isinstance(raw, list):
        raise Malformed("the webhook's body is no list of events")
    events: list[ProviderEvent] = []
    problems: list[str] = []
    for number, one in enumerate(raw, start=1):
        try:
            event = _event(one)
        except KeyError as error:
            problems.append(f"event {number} cannot be read: it has no {error.args[0]}")
            continue
        except (TypeError, ValueError, OverflowError, OSError, AttributeError):
            problems.append(f"event {number} cannot be read: it is no event as SendGrid documents it")
            continue
        if event is not None:
            events.append(event)
    return Told(tuple(events), tuple(problems))


def _event(raw: Any) -> ProviderEvent | None:
    """One event; None where it is of a kind that says nothing to us."""
    name = raw["event"]
    if name in _IGNORED or name not in _KINDS:
        return None
    kind = _KINDS[name]
    if kind is EventKind.BOUNCED and raw.get("type") == "blocked":
        kind = EventKind.BLOCKED
    address = _address(raw["email"])
    reason = one_line(raw.get("reason") or raw.get("response") or "")
    key, reference = raw.get("message_id"), raw.get("sg_message_id")
    event_id = raw.get("sg_event_id")
    if not _is_name(event_id) or len(event_id) > 200:
        event_id = hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()
    return ProviderEvent(
        provider=PROVIDER,
        event_id=event_id,
        kind=kind,
        address=address,
        at=datetime.fromtimestamp(int(raw["timestamp"]), UTC),
        reason=reason,
        message_key=key if _is_name(key) else None,
        # What follows the first point is of the machine that handled it.
        reference=reference.partition(".")[0] if _is_name(reference) else None,
        suppresses=_DROPPED_FOR.get(reason.lower()) if kind is EventKind.DROPPED else _SUPPRESSING.get(kind),
    )


def _address(written: str) -> str:
    """As it is kept: ValueError where it is none, or holds what no database takes."""
    address = written.strip().lower()
    if "@" not in address or len(address) > 320 or not address.isprintable():
        raise ValueError("no address")
    return address


def _is_name(written: object) -> TypeGuard[str]:
    return isinstance(written, str) and written != "" and written.isprintable()


def one_line(text: object) -> str:
    """What a provider says, as one line of our log."""
    visible = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return " ".join(visible.split())[:300]


def listed(name: str, entry: Mapping[str, Any]) -> ProviderEvent:
    """An entry of one of SendGrid's lists of suppressed addresses as an event; KeyError, TypeError or ValueError where
    it cannot be read."""
    kind, suppresses = LISTS[name]
    address, created = _address(entry["email"]), int(entry["created"])
    return ProviderEvent(
        provider=PROVIDER,
        event_id=f"list/{name}/{hashlib.sha256(address.encode()).hexdigest()[:32]}/{created}",
        kind=kind,
        address=address,
        at=datetime.fromtimestamp(created, UTC),
        reason=one_line(entry.get("reason") or ""),
        suppresses=suppresses,
    )


#: SendGrid's lists, what an entry tells, and whether the address is written to again.
LISTS: Final[Mapping[str, tuple[EventKind, SuppressionKind | None]]] = {
    "bounces": (EventKind.BOUNCED, SuppressionKind.BOUNCE),
    "blocks": (EventKind.BLOCKED, None),
    "spam_reports": (EventKind.SPAM_REPORT, SuppressionKind.SPAM_REPORT),
    "invalid_emails": (EventKind.DROPPED, SuppressionKind.INVALID),
    "unsubscribes": (EventKind.UNSUBSCRIBED, SuppressionKind.UNSUBSCRIBE),
}
