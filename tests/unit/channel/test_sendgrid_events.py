"""SendGrid's event webhook: who signed it is known before a word of it is believed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.conftest import material

from arsync.channel.sendgrid_events import MOST_BYTES, read, verify
from arsync.domain.feedback import EventKind, SuppressionKind
from arsync.errors import ConfigurationError, Malformed, Unverified

NOW = datetime(2026, 6, 9, 14, 0, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
BODY = b'[{"event":"delivered","email":"jane@harbour.example","timestamp":1781013600}]\r\n'


def signed(body: bytes = BODY, at: datetime = NOW) -> tuple[str, str]:
    stamp = str(int(at.timestamp()))
    return base64.b64encode(KEY.sign(stamp.encode() + body, ec.ECDSA(SHA256()))).decode(), stamp


@pytest.mark.parametrize("number", [0, 1])
def test_what_sendgrid_signed_is_known_by_sendgrids_own_examples(number: int) -> None:
    """Over the time stamp and the raw body, its last line break with it."""
    vector = json.loads((material() / "sendgrid" / "signed_event_vectors.json").read_text())[number]
    body = vector["body"].encode()
    now = datetime.fromtimestamp(int(vector["timestamp"]), UTC)
    verify(vector["public_key"], vector["signature"], vector["timestamp"], body, now=now)
    for spoilt in (body.rstrip(), body.replace(b"\r\n", b"\n"), body + b" "):
        with pytest.raises(Unverified, match="does not fit"):
            verify(vector["public_key"], vector["signature"], vector["timestamp"], spoilt, now=now)
    told = read(body)
    assert told.problems == ()
    expected = [
        [(EventKind.DROPPED, SuppressionKind.BOUNCE)],
        [(EventKind.PROCESSED, None), (EventKind.BLOCKED, None)],
    ]
    assert [(one.kind, one.suppresses) for one in told.events] == expected[number]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"signature": ""}, "it is not signed"),
        ({"timestamp": ""}, "it is not signed"),
        ({"signature": "no base64!"}, "does not fit"),
        ({"signature": base64.b64encode(b"garbage").decode()}, "does not fit"),
        ({"body": BODY.replace(b"jane", b"eve1")}, "does not fit"),
        ({"timestamp": str(int(NOW.timestamp()) + 1)}, "does not fit"),
        ({"now": NOW + timedelta(hours=26)}, "2026-06-09 14:00 UTC: too long ago"),
        ({"now": NOW - timedelta(minutes=6)}, "still to come"),
    ],
)
def test_a_wrong_old_or_altered_webhook_is_refused_with_one_line(change: dict[str, Any], said: str) -> None:
    signature, timestamp = signed()
    given = {"signature": signature, "timestamp": timestamp, "body": BODY, "now": NOW, **change}
    with pytest.raises(Unverified, match=said) as refusal:
        verify(PUBLIC, given["signature"], given["timestamp"], given["body"], now=given["now"])
    assert "\n" not in str(refusal.value)


def test_what_sendgrid_repeats_for_a_day_is_taken() -> None:
    verify(PUBLIC, *signed(), BODY, now=NOW + timedelta(hours=24))


def test_a_key_that_is_none_is_the_settings_fault() -> None:
    for key in ("MFkw", "not base64!", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"):
        with pytest.raises(ConfigurationError, match=r"sendgrid\.webhook_public_key"):
            verify(key, *signed(), BODY, now=NOW)


def one(**fields: Any) -> bytes:
    event = {"event": "bounce", "email": " Jane@Harbour.example ", "timestamp": 1781013600, "sg_event_id": "e1"}
    return json.dumps([event | fields]).encode()


@pytest.mark.parametrize(
    ("fields", "kind", "suppresses"),
    [
        ({}, "bounced", "bounce"),
        ({"type": "bounce"}, "bounced", "bounce"),
        ({"type": "blocked"}, "blocked", None),
        ({"event": "dropped", "reason": "Bounced Address"}, "dropped", "bounce"),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, "dropped", "unsubscribe"),
        ({"event": "dropped", "reason": "Spam Content (if spam checker app enabled)"}, "dropped", None),
        ({"event": "spamreport"}, "spam_report", "spam_report"),
        ({"event": "unsubscribe"}, "unsubscribed", "unsubscribe"),
        ({"event": "group_unsubscribe"}, "group_unsubscribed", "group_unsubscribe"),
        ({"event": "deferred"}, "deferred", None),
    ],
)
def test_an_event_says_what_became_of_the_message_and_of_the_address(
    fields: dict[str, str], kind: str, suppresses: str | None
) -> None:
    (event,) = read(one(**fields)).events
    assert (event.kind, event.suppresses) == (kind, suppresses)
    assert event.address == "jane@harbour.example"


def test_an_event_names_its_message_by_our_id_or_sendgrids() -> None:
    (event,) = read(one(message_id="aa11", sg_message_id="LRzXl.filter0-1.0", reason="550\r\n gone\x1b[2J")).events
    assert (event.message_key, event.reference, event.reason) == ("aa11", "LRzXl", "550 gone [2J")


def test_one_event_that_cannot_be_read_costs_one_event() -> None:
    good = json.loads(one())[0]
    mixed = [
        good,
        7,
        {"event": "bounce"},
        {**good, "timestamp": "soon"},
        {**good, "email": "nobody"},
        {"event": "open"},
    ]
    told = read(json.dumps(mixed).encode())
    assert len(told.events) == 1
    assert [problem.split(" cannot")[0] for problem in told.problems] == ["event 2", "event 3", "event 4", "event 5"]
    assert told.problems[1] == "event 3 cannot be read: it has no email"


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 100_000, b" " * (MOST_BYTES + 1)])
def test_what_is_no_list_of_events_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)
