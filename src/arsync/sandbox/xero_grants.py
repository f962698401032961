"""Xero's token endpoint: refresh tokens that rotate with a grace, and the organisations a token may see."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from arsync.sandbox.authorize import Asked, Codes, decision, page, refused
from arsync.sandbox.http import Answer, Request

ACCESS_SECONDS = 1_800
GRACE = timedelta(minutes=30)
REFRESH_LIFE = timedelta(days=60)
CODE = timedelta(minutes=5)
SCOPE = "offline_access accounting.invoices accounting.payments accounting.contacts accounting.settings.read"
OFFLINE = "offline_access"
_KINDS = ("invoices", "payments", "contacts", "settings", "attachments", "transactions")
SCOPES = frozenset(
    {OFFLINE, "openid", "profile", "email"}
    | {f"accounting.{kind}{ending}" for kind in _KINDS for ending in ("", ".read")}
)
#: which scopes open which resource; the old, coarse one opens what invoices and payments do
_OPENED_BY = {
    "Invoices": ("invoices", "transactions"),
    "CreditNotes": ("invoices", "transactions"),
    "Payments": ("payments", "transactions"),
    "Overpayments": ("payments", "transactions"),
    "Prepayments": ("payments", "transactions"),
    "Contacts": ("contacts",),
    "Organisation": ("settings",),
    "InvoiceReminders": ("settings",),
}


def opens(scope: str, noun: str, *, writing: bool) -> bool:
    """Whether a token with those scopes may read (or write) that resource."""
    kinds = _OPENED_BY.get(noun, ())
    wanted = {f"accounting.{kind}" for kind in kinds}
    if not writing:
        wanted |= {f"accounting.{kind}.read" for kind in kinds}
    return not kinds or bool(wanted & set(scope.split()))


class GrantError(Exception):
    """The token endpoint refuses; the text is the vendor's error code."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One organisation under a grant."""

    id: str
    tenant: str
    tenant_name: str
    created: datetime


@dataclass(slots=True)
class Grant:
    """One consent: a client, its refresh tokens with the moment each dies, and its organisations."""

    id: str
    client_id: str
    client_secret: str
    connections: list[Connection] = field(default_factory=list)
    refresh: dict[str, datetime] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)
    rotated: set[str] = field(default_factory=set)

    def sees(self, tenant: str) -> bool:
        """Whether the organisation is connected under this consent."""
        return any(connection.tenant == tenant for connection in self.connections)


class Grants:
    """All consents of a sandbox. Not safe for threads: the sandbox's lock is held."""

    def __init__(self) -> None:
        self._by_client: dict[str, Grant] = {}
        self._access: dict[str, tuple[Grant, datetime, bool, str]] = {}
        self._codes: Codes[Grant] = Codes(CODE)

    def consent(self, client_id: str, client_secret: str, consent_id: str) -> Grant:
        """A new consent of a client."""
        grant = Grant(consent_id, client_id, client_secret)
        self._by_client[client_id] = grant
        return grant

    def mint(self, grant: Grant, now: datetime, scope: str = SCOPE) -> str:
        """A fresh refresh token, as if a person had consented again; the others live on."""
        token = f"xrt-{secrets.token_urlsafe(32)}"
        grant.refresh[token] = now + REFRESH_LIFE
        grant.scopes[token] = scope
        return token

    def authorize(
        self,
        request: Request,
        companies: Callable[[Grant], Mapping[str, str]],
        connect: Callable[[str], None],
        redirects: Collection[str],
        now: datetime,
    ) -> Answer:
        """The consent page: GET shows it, POST is what the person decided; several organisations in one consent."""
        asked = Asked.of(request)
        grant = self._by_client.get(asked.client_id)
        if grant is None or asked.redirect_uri not in redirects:
            return refused("Error: unauthorized_client. Invalid redirect_uri, or unknown client.")
        if wrong := asked.wrong(SCOPES, proof=True):
            return asked.back(error=wrong)
        there = companies(grant)
        if request.method != "POST":
            return page("Xero", there, asked, several=True)
        allowed, picked = decision(request)
        if not allowed or not picked or not set(picked) <= set(there):
            return asked.back(error="access_denied")
        for company in picked:
            connect(company)
        return asked.back(code=self._codes.issue(grant, asked, now), scope=asked.scope)

    def bearer(self, token: str, now: datetime) -> tuple[Grant, bool, str]:
        """The grant of a living access token, whether it is bound to one organisation, and its scopes; GrantError
        says why not."""
        known = self._access.get(token)
        if known is None:
            raise GrantError("AuthenticationUnsuccessful")
        grant, expires, custom, scope = known
        if expires <= now:
            raise GrantError(f"TokenExpired: token expired at {expires:%m/%d/%Y %H:%M:%S}")
        return grant, custom, scope

    def token(self, form: dict[str, str], authorization: str, now: datetime) -> dict[str, Any]:
        """Answer a token request; raises GrantError with `invalid_client`, `invalid_grant` and the like."""
        grant = self._client(form, authorization)
        kind = form.get("grant_type", "")
        if kind == "client_credentials":
            if len(grant.connections) != 1:
                raise GrantError("unauthorized_client")
            scope = form.get("scope") or SCOPE
            if not set(scope.split()) <= SCOPES - {OFFLINE} and form.get("scope"):
                raise GrantError("invalid_scope")
            return self._pair(grant, now, None, scope, custom=True)
        if kind == "authorization_code":
            redeemed = self._codes.redeem(form, grant.client_id, now)
            if redeemed is None:
                raise GrantError("invalid_grant")
            scope = redeemed[1]
            fresh = self.mint(grant, now, scope) if OFFLINE in scope.split() else None
            return self._pair(grant, now, fresh, scope)
        if kind != "refresh_token":
            raise GrantError("unsupported_grant_type")
        old = form.get("refresh_token", "")
        if not old:
            raise GrantError("invalid_request")
        dies = grant.refresh.get(old)
        if dies is None or dies <= now:
            raise GrantError("invalid_grant")
        if old not in grant.rotated:
            grant.rotated.add(old)
            grant.refresh[old] = min(dies, now + GRACE)
        scope = grant.scopes.get(old, SCOPE)
        return self._pair(grant, now, self.mint(grant, now, scope), scope)

    def revoke(self, form: dict[str, str], authorization: str) -> None:
        """Revoke a refresh token: with it go the whole consent's tokens and connections."""
        grant = self._client(form, authorization)
        if form.get("token", "") in grant.refresh:
            grant.refresh.clear()
            grant.connections.clear()
            for token in [token for token, (owner, *_) in self._access.items() if owner is grant]:
                del self._access[token]

    def _pair(
        self, grant: Grant, now: datetime, refresh: str | None, scope: str, *, custom: bool = False
    ) -> dict[str, Any]:
        access = f"xat-{secrets.token_urlsafe(48)}"
        self._access[access] = (grant, now + timedelta(seconds=ACCESS_SECONDS), custom, scope)
        answer = {"access_token": access, "expires_in": ACCESS_SECONDS, "token_type": "Bearer", "scope": scope}
        if refresh is not None:
            answer["refresh_token"] = refresh
        return answer

    def _client(self, form: dict[str, str], authorization: str) -> Grant:
        client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
        kind, _, encoded = authorization.partition(" ")
        if kind.lower() == "basic":
            try:
                client_id, _, client_secret = base64.b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise GrantError("invalid_client") from None
            client_id, client_secret = unquote(client_id), unquote(client_secret)
        grant = self._by_client.get(client_id)
        if grant is None or not secrets.compare_digest(grant.client_secret, client_secret):
            raise GrantError("invalid_client")
        return grant
