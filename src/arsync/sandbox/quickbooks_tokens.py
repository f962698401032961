"""Intuit's token endpoint: access for an hour, a refresh token that changes with every use."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta

from arsync.sandbox.http import Answer, Request

CLIENT_ID = "sandbox-quickbooks-client"
CLIENT_SECRET = "sandbox-quickbooks-secret"  # noqa: S105 - a made-up secret of a made-up vendor
ACCESS = timedelta(seconds=3_600)
REFRESH = timedelta(seconds=8_726_400)
AFTERLIFE = timedelta(hours=24)  # of a refresh token that was used, where the switch grants it


@dataclass(slots=True)
class _Token:
    realm: str
    expires: datetime


class Tokens:
    """Every token that is out, by its text."""

    def __init__(self) -> None:
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, _Token] = {}
        self._number = 0

    def grant(self, realm: str, now: datetime) -> str:
        """A new refresh token, as after a person's consent."""
        self._number += 1
        text = f"RT-{realm}-{self._number:06d}"
        self._refresh[text] = _Token(realm, now + REFRESH)
        return text

    def realm_of(self, access: str, now: datetime) -> str | None:
        """The company that an access token opens, None where it is unknown or expired."""
        token = self._access.get(access)
        return token.realm if token is not None and now < token.expires else None

    def answer(self, request: Request, now: datetime, *, old_one_dies: bool) -> Answer:
        """POST to the token endpoint."""
        if not _is_client(request):
            return Answer.json({"error": "invalid_client"}, 401)
        if "application/x-www-form-urlencoded" not in request.header("content-type"):
            return Answer.json({"error": "invalid_request"}, 400)
        form = request.form()
        if form.get("grant_type") != "refresh_token":
            return Answer.json({"error": "unsupported_grant_type"}, 400)
        old = self._refresh.get(form.get("refresh_token", ""))
        if old is None or now >= old.expires:
            return Answer.json(
                {"error": "invalid_grant", "error_description": "Incorrect or invalid refresh token"}, 400
            )
        old.expires = now if old_one_dies else min(old.expires, now + AFTERLIFE)
        self._number += 1
        access = f"AT-{old.realm}-{self._number:06d}"
        self._access[access] = _Token(old.realm, now + ACCESS)
        body = {
            "token_type": "bearer",
            "expires_in": int(ACCESS.total_seconds()),
            "refresh_token": self.grant(old.realm, now),
            "x_refresh_token_expires_in": int(REFRESH.total_seconds()),
            "access_token": access,
        }
        return Answer.json(body)

    def revoke(self, request: Request) -> Answer:
        """POST to the revocation endpoint: either token of a pair ends the whole grant."""
        if not _is_client(request):
            return Answer.json({"error": "invalid_client"}, 401)
        try:
            fields = request.json()
        except ValueError:
            fields = request.form()
        text = str(fields.get("token", "")) if isinstance(fields, dict) else ""
        token = self._refresh.get(text) or self._access.get(text)
        if token is None:
            return Answer.json({"error": "invalid_request"}, 400)
        for tokens in (self._refresh, self._access):
            for name in [name for name, other in tokens.items() if other.realm == token.realm]:
                del tokens[name]
        return Answer()


def _is_client(request: Request) -> bool:
    kind, _, code = request.header("authorization").partition(" ")
    try:
        return (
            kind.lower() == "basic" and base64.b64decode(code, validate=True) == f"{CLIENT_ID}:{CLIENT_SECRET}".encode()
        )
    except binascii.Error:
        return False
