"""What becomes of mail behind SendGrid: mailboxes that give it back, the lists of suppressed addresses, and the events
that a webhook would be sent, signed as SendGrid signs them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from arsync.sandbox.company import ControlError
from arsync.sandbox.http import Answer, Request
from arsync.sandbox.world import World

MOST_ENTRIES: Final = 500
#: what a mailbox does -> the list that its address then stands on
DOES: Final[Mapping[str, str | None]] = {
    "deliver": None,
    "bounce": "bounces",
    "block": "blocks",
    "spam_report": "spam_reports",
    "invalid": "invalid_emails",
    "unsubscribe": "unsubscribes",
}
_LISTS: Final = tuple(name for name in DOES.values() if name)
#: Addresses on these lists are not even tried again; the event's reason.
_DROPPED: Final = {
    "bounces": "Bounced Address",
    "spam_reports": "Spam Reporting Address",
    "invalid_emails": "Invalid",
    "unsubscribes": "Unsubscribed Address",
}
_PARAMETERS: Final = frozenset({"start_time", "end_time", "limit", "offset", "email"})
_REASON: Final = "550 5.1.1 The email account that you tried to reach does not exist"


class MailBehind:
    """Mailboxes take everything until they are told otherwise."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._does: dict[str, str] = {}
        self._lists: dict[str, list[dict[str, Any]]] = {name: [] for name in _LISTS}
        self._untold: list[dict[str, Any]] = []
        self._number = 0
        self._key = ec.generate_private_key(ec.SECP256R1())

    def set(self, address: str, does: str) -> None:
        """From here on that mailbox does so with what it gets."""
        if does not in DOES:
            raise ControlError(f"a mailbox does one of: {', '.join(DOES)}")
        self._does[address.lower()] = does

    def receive(self, message_id: str, address: str, arguments: Mapping[str, Any]) -> None:
        """A mail has reached SendGrid for that address."""
        address = address.lower()
        for name, reason in _DROPPED.items():
            if any(entry["email"] == address for entry in self._lists[name]):
                self._tell("dropped", message_id, address, arguments, reason=reason)
                return
        self._tell("processed", message_id, address, arguments)
        does = self._does.get(address, "deliver")
        if does == "invalid":
            self._tell("dropped", message_id, address, arguments, reason="Invalid")
        elif does in ("bounce", "block"):
            kind = "blocked" if does == "block" else "bounce"
            self._tell("bounce", message_id, address, arguments, reason=_REASON, status="5.1.1", type=kind)
        else:
            self._tell("delivered", message_id, address, arguments, response="250 OK")
            if does == "spam_report":
                self._tell("spamreport", message_id, address, arguments)
            elif does == "unsubscribe":
                self._tell("unsubscribe", message_id, address, arguments)
        if (name_of_list := DOES[does]) is not None:
            entry: dict[str, Any] = {"created": int(self._world.now().timestamp()), "email": address}
            if does in ("bounce", "block", "invalid"):
                entry["reason"] = _REASON
            if does in ("bounce", "block"):
                entry["status"] = "5.1.1"
            if does == "spam_report":
                entry["ip"] = "10.63.202.100"
            self._lists[name_of_list].append(entry)

    def webhook(self) -> dict[str, str]:
        """What has not been told yet as one signed post, and the key to check it with."""
        body = (",\r\n".join(json.dumps(event, separators=(",", ":")) for event in self._untold)).join("[]") + "\r\n"
        self._untold = []
        return {"public_key": self.public_key, **self._signed(body.encode()), "body": body}

    @property
    def public_key(self) -> str:
        """By which its signatures are checked, as SendGrid shows it."""
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(public).decode()

    def post(self) -> None:
        """Posts what has not been told yet, where somebody has said whereto."""
        if self._untold and "sendgrid" in self._world.postman.addresses:
            body = self.webhook()["body"].encode()
            self._world.postman.post("sendgrid", body, {"Content-Type": "application/json", **self.headers(body)})

    def headers(self, body: bytes) -> dict[str, str]:
        """Of a post that it signs."""
        signed = self._signed(body)
        name = "X-Twilio-Email-Event-Webhook"
        return {f"{name}-Signature": signed["signature"], f"{name}-Timestamp": signed["timestamp"]}

    def _signed(self, body: bytes) -> dict[str, str]:
        timestamp = str(int(self._world.now().timestamp()))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
        return {"signature": base64.b64encode(signature).decode(), "timestamp": timestamp}

    def answer(self, request: Request) -> Answer:
        """The lists of suppressed addresses: read, and an address taken off."""
        match request.method, request.path.removeprefix("/v3/").split("/"):
            case "GET", ["suppression", name] if name in self._lists:
                return self._entries(request, self._lists[name])
            case "GET", ["suppression", name, address] if name in self._lists:
                wanted = unquote(address).lower()
                return Answer.json([entry for entry in self._lists[name] if entry["email"] == wanted])
            case "DELETE", ["suppression", name, address] if name in self._lists and name != "unsubscribes":
                return self._take_off(name, unquote(address).lower())
            case "DELETE", ["asm", "suppressions", "global", address]:
                return self._take_off("unsubscribes", unquote(address).lower())
        return _refusal("not found", 404)

    def _entries(self, request: Request, entries: list[dict[str, Any]]) -> Answer:
        if unknown := set(request.query) - _PARAMETERS:
            return _refusal(f"unknown parameter {min(unknown)}", 400)
        numbers = {}
        for name, default in (("start_time", 0), ("end_time", 1 << 40), ("limit", MOST_ENTRIES), ("offset", 0)):
            text = request.param(name, str(default))
            if not text.isdigit():
                return _refusal(f"{name} is a number", 400)
            numbers[name] = int(text)
        if not 1 <= numbers["limit"] <= MOST_ENTRIES:
            return _refusal(f"limit is 1 to {MOST_ENTRIES}", 400)
        begins = request.param("email").lower()
        found = [
            entry
            for entry in entries
            if numbers["start_time"] <= entry["created"] <= numbers["end_time"] and entry["email"].startswith(begins)
        ]
        return Answer.json(found[numbers["offset"] : numbers["offset"] + numbers["limit"]])

    def _take_off(self, name: str, address: str) -> Answer:
        kept = [entry for entry in self._lists[name] if entry["email"] != address]
        if len(kept) == len(self._lists[name]):
            return _refusal("not found", 404)
        self._lists[name] = kept
        return Answer(204, effect=True)

    def _tell(self, event: str, message_id: str, address: str, arguments: Mapping[str, Any], **more: str) -> None:
        self._number += 1
        self._untold.append(
            {
                **arguments,
                "email": address,
                "event": event,
                "sg_event_id": f"sandbox-{id(self):x}-{self._number:012d}",
                "sg_message_id": f"{message_id}.filter0000-0-0",
                "timestamp": int(self._world.now().timestamp()),
                **more,
            }
        )


def _refusal(message: str, status: int) -> Answer:
    return Answer.json({"errors": [{"message": message, "field": None}]}, status)
