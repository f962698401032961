"""What the vendors' consent pages have in common: the question, the page, the way back, and codes for one use."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from urllib.parse import parse_qs, urlencode

from arsync.sandbox.http import Answer, Request

Owner = TypeVar("Owner")
#: where arsync listens unless its settings say otherwise: registered with every app of the sandbox
REDIRECT = "http://localhost:8974/callback"
_PARAMETERS = frozenset({"response_type", "client_id", "redirect_uri", "scope", "state"})
_PROOF = frozenset({"code_challenge", "code_challenge_method"})


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorization request as it came."""

    client_id: str
    redirect_uri: str
    response_type: str
    scope: str
    state: str
    challenge: str
    method: str
    unknown: frozenset[str]

    @classmethod
    def of(cls, request: Request) -> Asked:
        """The parameters in the address, the first of each."""
        return cls(
            client_id=request.param("client_id"),
            redirect_uri=request.param("redirect_uri"),
            response_type=request.param("response_type"),
            scope=request.param("scope"),
            state=request.param("state"),
            challenge=request.param("code_challenge"),
            method=request.param("code_challenge_method"),
            unknown=frozenset(request.query) - _PARAMETERS - _PROOF,
        )

    def wrong(self, scopes: Collection[str], *, proof: bool) -> str | None:
        """The error code that goes back to the app, or None."""
        if self.response_type != "code":
            return "unsupported_response_type"
        if not self.scope or not set(self.scope.split()) <= set(scopes):
            return "invalid_scope"
        if self.unknown or not self.state or (self.challenge and not proof):
            return "invalid_request"
        if self.challenge and (self.method != "S256" or len(self.challenge) != 43):
            return "invalid_request"
        return None

    def back(self, **told: str) -> Answer:
        """Sends the browser back to the app."""
        query = urlencode({**told, "state": self.state})
        return Answer(302, b"", {"Location": f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{query}"})


def refused(why: str) -> Answer:
    """An error that must not go to the address in the request: it may be anybody's."""
    return _html(400, f"<h1>Sorry, we cannot connect this app</h1><p>{html.escape(why)}</p>")


def page(vendor: str, companies: Mapping[str, str], asked: Asked, *, several: bool) -> Answer:
    """The form on which a person picks companies (id -> name) and allows or denies."""
    kind = "checkbox" if several else "radio"
    rows = "".join(
        f'<p><label><input type="{kind}" name="company" value="{html.escape(key)}"> {html.escape(name)}</label></p>'
        for key, name in companies.items()
    )
    scopes = "".join(f"<li>{html.escape(scope)}</li>" for scope in asked.scope.split())
    return _html(
        200,
        f"<h1>{html.escape(vendor)} (sandbox)</h1><p>The app asks for:</p><ul>{scopes}</ul>"
        f'<form method="post">{rows}<button name="decision" value="allow">Allow access</button> '
        '<button name="decision" value="deny">Cancel</button></form>',
    )


def decision(request: Request) -> tuple[bool, list[str]]:
    """Whether the person allowed it, and the companies picked."""
    form = parse_qs(request.body.decode("latin-1"))
    return form.get("decision", [""])[0] == "allow", form.get("company", [])


@dataclass(slots=True)
class _Code(Generic[Owner]):
    owner: Owner
    asked: Asked
    expires: datetime


class Codes(Generic[Owner]):
    """The authorization codes that are out; each is good for one use within its time."""

    def __init__(self, life: timedelta) -> None:
        self._life = life
        self._codes: dict[str, _Code[Owner]] = {}

    def issue(self, owner: Owner, asked: Asked, now: datetime) -> str:
        """A code for what was allowed."""
        text = f"code-{secrets.token_urlsafe(24)}"
        self._codes[text] = _Code(owner, asked, now + self._life)
        return text

    def redeem(self, form: Mapping[str, str], client_id: str, now: datetime) -> tuple[Owner, str] | None:
        """What was allowed, and its scopes; None where the code, the client, the redirect or the proof is wrong. Asked
        once, a code is over."""
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or now >= code.expires:
            return None
        asked = code.asked
        if asked.client_id != client_id or asked.redirect_uri != form.get("redirect_uri"):
            return None
        verifier = form.get("code_verifier", "")
        if bool(verifier) != bool(asked.challenge):
            return None
        if verifier:
            digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
            if not secrets.compare_digest(digest, asked.challenge):
                return None
        return code.owner, asked.scope


def _html(status: int, body: str) -> Answer:
    text = f"<!doctype html><meta charset=utf-8><title>Consent</title>{body}"
    return Answer(status, text.encode(), content_type="text/html; charset=utf-8")
