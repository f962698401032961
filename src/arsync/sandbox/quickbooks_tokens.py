"""Intuit's token endpoint: access for an hour, a refresh token that changes with every use."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from arsync.sandbox.authorize import Asked, Codes, decision, page, refused
from arsync.sandbox.http import Answer, Request

CLIENT_ID = "sandbox-quickbooks-client"
CLIENT_SECRET = "sandbox-quickbooks-secret"  # noqa: S105 - a made-up secret of a made-up vendor
ACCESS = timedelta(seconds=3_600)
REFRESH = timedelta(seconds=8_726_400)
CODE = timedelta(minutes=10)
SCOPE = "com.intuit.quickbooks.accounting"
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
        self._codes: Codes[str] = Codes(CODE)
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
        if form.get("grant_type") == "authorization_code":
            redeemed = self._codes.redeem(form, CLIENT_ID, now)
            if redeemed is None:
                return _no_grant("Invalid authorization code")
            return self._pair(redeemed[0], now)
        if form.get("grant_type") != "refresh_token":
            return Answer.json({"error": "unsupported_grant_type"}, 400)
        old = self._refresh.get(form.get("refresh_token", ""))
        if old is None or now >= old.expires:
            return _no_grant("Incorrect or invalid refresh token")
        old.expires = now if old_one_dies else min(old.expires, now + AFTERLIFE)
        return self._pair(old.realm, now)

    def _pair(self, realm: str, now: datetime) -> Answer:
        self._number += 1
        access = f"AT-{realm}-{self._number:06d}"
        self._access[access] = _Token(realm, now + ACCESS)
        body = {
            "token_type": "bearer",
            "expires_in": int(ACCESS.total_seconds()),
            "refresh_token": self.grant(realm, now),
            "x_refresh_token_expires_in": int(REFRESH.total_seconds()),
            "access_token": access,
        }
        return Answer.json(body)

    def authorize(
        self, request: Request, companies: Mapping[str, str], redirects: Collection[str], now: datetime
    ) -> Answer:
        """The consent page: GET shows it, POST is what the person decided. One company to a consent."""
        asked = Asked.of(request)
        if asked.client_id != CLIENT_ID or asked.redirect_uri not in redirects:
            return refused("The redirect_uri query parameter value is invalid, or the app is unknown.")
        # Intuit documents no proof of the code; whether it minds one nobody could verify.
        if wrong := asked.wrong({SCOPE, "openid", "profile", "email"}, proof=False):
            return asked.back(error=wrong)
        if request.method != "POST":
            return page("QuickBooks", companies, asked, several=False)
        allowed, picked = decision(request)
        if not allowed or len(picked) != 1 or picked[0] not in companies:
            return asked.back(error="access_denied")
        return asked.back(code=self._codes.issue(picked[0], asked, now), realmId=picked[0])

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


def _no_grant(why: str) -> Answer:
    return Answer.json({"error": "invalid_grant", "error_description": why}, 400)


def _is_client(request: Request) -> bool:
    kind, _, code = request.header("authorization").partition(" ")
    try:
        return (
            kind.lower() == "basic" and base64.b64decode(code, validate=True) == f"{CLIENT_ID}:{CLIENT_SECRET}".encode()
        )
    except binascii.Error:
        return False
