"""SendGrid's `POST /v3/mail/send`, its lists of suppressed addresses, and its (paid) e-mail activity."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from arsync.sandbox.company import Company, CompanyOrder, ControlError
from arsync.sandbox.http import Answer, Request
from arsync.sandbox.sendgrid_body import problems
from arsync.sandbox.sendgrid_lists import MailBehind
from arsync.sandbox.world import World

DEFAULT_KEY = "SG.sandbox"
MOST_BYTES = 30_000_000
_FILTER = ".filter0000-0-0"  # what the feed adds to a message's id
_UNIQUE_ARG = re.compile(r"""unique_args\[['"](?P<name>[^'"]+)['"]\]\s*=\s*["'](?P<value>[^"']*)["']""")


class SendGridProvider:
    """Takes mail and keeps it: `GET /_sandbox/messages` has one entry per personalization."""

    name: ClassVar[str] = "sendgrid"
    switches: ClassVar[Mapping[str, tuple[Any, ...]]] = {"sendgrid.activity": (False, True)}
    limits: ClassVar[Mapping[str, int | None]] = {"second": 600}

    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = {DEFAULT_KEY}
        self._number = 0
        self.behind = MailBehind(world)

    def add_key(self, key: str) -> None:
        """From here on this API key opens the door too."""
        self._keys.add(key)

    def create_company(self, order: CompanyOrder) -> Company:
        """SendGrid keeps no companies."""
        raise ControlError("sendgrid has no companies")

    def place(self, request: Request) -> tuple[str | None, str]:
        """(None, the path without its version)."""
        return None, request.path.strip("/").removeprefix("v3/")

    def limited(self, request: Request) -> bool:
        """Everything counts."""
        return True

    def throttled(self, request: Request, problem: str, retry_after: int) -> Answer:
        """429; when the window opens again is in X-RateLimit-Reset, in seconds since 1970."""
        answer = _refusal("too many requests", 429)
        return self._rated(answer, {"second": 0}, retry_after)

    def expired(self, request: Request) -> Answer:
        """401."""
        return _refusal("The provided authorization grant is invalid, expired, or revoked", 401)

    def broken(self, request: Request, status: int) -> Answer:
        """An error of the vendor's own."""
        return Answer.json({"errors": [{"message": "internal server error"}]}, status)

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        return self._rated(self._handle(request), request.remaining, 1)

    def _handle(self, request: Request) -> Answer:
        if not request.bearer():
            return _refusal("authorization required", 401)
        if request.bearer() not in self._keys:
            return self.expired(request)
        match request.method, request.path:
            case "POST", "/v3/mail/send":
                return self._send(request)
            case _, "/v3/mail/send":
                return _refusal("method not allowed", 405)
            case "GET", "/v3/messages":
                return self._look_up(request)
            case "GET", path if path.startswith("/v3/messages/"):
                return self._details(unquote(path.removeprefix("/v3/messages/")))
            case _, path if path.startswith(("/v3/suppression/", "/v3/asm/suppressions/")):
                return self.behind.answer(request)
        return _refusal("not found", 404)

    def _send(self, request: Request) -> Answer:
        if len(request.body) >= MOST_BYTES:
            return _refusal("content too large", 413)
        if request.header("content-type").partition(";")[0].strip() != "application/json":
            return _refusal("Content-Type should be application/json.", 400)
        try:
            body = request.json()
        except ValueError:
            return _refusal("Bad Request", 400)
        if wrong := problems(body):
            errors = [{"message": problem.message, "field": problem.field, "help": {}} for problem in wrong]
            return Answer.json({"errors": errors}, 400)
        if body.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return Answer(200)
        self._number += 1
        message_id = f"sandbox{self._number:015d}"
        for block in body["personalizations"]:
            message = self._message(message_id, body, block)
            self._world.messages.append(message)
            for address in (*message["to"], *message["cc"], *message["bcc"]):
                self.behind.receive(message_id, address, message["custom_args"])
        self.behind.post()
        return Answer(202, headers={"X-Message-Id": message_id}, effect=True)

    def _message(self, message_id: str, body: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
        """One mail: a personalization with what it inherits."""
        content = {part["type"]: part["value"] for part in body.get("content", [])}
        reply_to = [body["reply_to"]] if "reply_to" in body else body.get("reply_to_list", [])
        return {
            "id": message_id,
            "at": self._world.now().isoformat(),
            "from": block.get("from", body["from"])["email"],
            **{role: [person["email"] for person in block.get(role, [])] for role in ("to", "cc", "bcc")},
            "reply_to": [person["email"] for person in reply_to],
            "subject": block.get("subject", body.get("subject")),
            "custom_args": {**body.get("custom_args", {}), **block.get("custom_args", {})},
            "headers": {**body.get("headers", {}), **block.get("headers", {})},
            "categories": body.get("categories", []),
            "text": content.get("text/plain"),
            "html": content.get("text/html"),
            "attachments": [item["filename"] for item in body.get("attachments", [])],
            "personalizations": body["personalizations"],
        }

    def _look_up(self, request: Request) -> Answer:
        if not self._world.switch("sendgrid.activity"):
            return _refusal("access forbidden", 403)
        match = _UNIQUE_ARG.search(request.param("query"))
        limit = request.param("limit", "10")
        if match is None or not limit.isdigit() or not 0 < int(limit) <= 1_000:
            return _refusal("""a query is unique_args['name']="value", a limit 1 to 1000""", 400)
        name, value = match["name"], match["value"]
        found = [message for message in self._world.messages if message["custom_args"].get(name) == value]
        messages = [
            {
                "from_email": message["from"],
                "msg_id": f"{message['id']}{_FILTER}",
                "subject": message["subject"],
                "to_email": message["to"][0],
                "status": "delivered",
                "opens_count": 0,
                "clicks_count": 0,
                "last_event_time": message["at"][:19] + "Z",
            }
            for message in found[: int(limit)]
        ]
        return Answer.json({"messages": messages})

    def _details(self, reference: str) -> Answer:
        if not self._world.switch("sendgrid.activity"):
            return _refusal("access forbidden", 403)
        found = next((one for one in self._world.messages if reference == f"{one['id']}{_FILTER}"), None)
        if found is None:
            return _refusal("not found", 404)
        return Answer.json(
            {
                "from_email": found["from"],
                "msg_id": reference,
                "subject": found["subject"],
                "to_email": found["to"][0],
                "status": "delivered",
                "unique_args": json.dumps(found["custom_args"]),
                "events": [],
            }
        )

    def _rated(self, answer: Answer, remaining: Mapping[str, int], wait: int) -> Answer:
        """With the headers that tell how much of the window is left."""
        window = next(iter(remaining), None)
        if window is not None:
            limit = self._world.limits.rules[self.name].get(window)
            answer.headers |= {
                "X-RateLimit-Limit": str(limit),
                "X-RateLimit-Remaining": str(remaining[window]),
                "X-RateLimit-Reset": str(int(self._world.now().timestamp()) + wait),
            }
        return answer


def _refusal(message: str, status: int) -> Answer:
    return Answer.json({"errors": [{"message": message, "field": "null"}]}, status)
