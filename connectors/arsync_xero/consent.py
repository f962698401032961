"""Xero's consent: one for several organisations, or an app of its own for one (a custom connection)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import requests

from arsync.connector import Clock, GrantEnded, Reachable, TokenEndpoint, TokenPair, TokenVault, consent_address
from arsync.errors import Malformed, Reauthorise, Rejected, RetryLater
from arsync_xero import wire
from arsync_xero.auth import LIFETIMES, Settings, tokens_of

_TIMEOUT: Final = (5, 30)


class Consent:
    """The consent of the app in `[xero]`."""

    def __init__(self, *, settings: Settings, session: requests.Session, clock: Clock) -> None:
        self._settings = settings
        self._session = session
        self._clock = clock
        self._endpoint = TokenEndpoint(
            session=session,
            token_url=settings.token_url,
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
            clock=clock,
            lifetimes=LIFETIMES,
        )

    @property
    def redirect_uri(self) -> str:
        """As registered at developer.xero.com."""
        return self._settings.redirect_uri

    @property
    def scopes(self) -> str:
        """As in the settings."""
        return self._settings.scopes

    @property
    def proves(self) -> bool:
        """Xero checks a challenge."""
        return True

    @property
    def reads(self) -> str:
        """In a person's words."""
        return "contacts, sales invoices, payments and credits, and the organisation's settings"

    @property
    def writes(self) -> str:
        """In a person's words."""
        return "notes into the history of invoices and contacts, and on invoices expected payment dates and sent marks"

    def address(self, *, state: str, challenge: str | None) -> str:
        """Xero's consent page, on which the organisations are chosen."""
        return consent_address(
            self._settings.authorize_url,
            response_type="code",
            client_id=self._settings.client_id,
            redirect_uri=self.redirect_uri,
            scope=self.scopes,
            state=state,
            code_challenge=challenge,
            code_challenge_method="S256" if challenge else None,
        )

    def exchange(self, code: str, *, verifier: str | None) -> TokenPair:
        """The tokens for the code."""
        try:
            return self._endpoint.by_code(code, redirect_uri=self.redirect_uri, verifier=verifier)
        except GrantEnded:
            raise Reauthorise("Xero does not take the code: it is good for one use and five minutes") from None

    def own(self) -> TokenPair:
        """The token of a custom connection."""
        return self._endpoint.by_client(self._settings.client_scopes)

    def companies(self, access_token: str, told: Mapping[str, str]) -> tuple[Reachable, ...]:
        """Every organisation that the token opens, also those of earlier consents of the same person."""
        return tuple(
            Reachable(one.tenant_id, one.tenant_name or "") for one in self._tenants(access_token) if one.tenant_id
        )

    def access(self, vault: TokenVault) -> str:
        """A fresh access token of a stored grant."""
        return tokens_of(self._settings, vault=vault, session=self._session, clock=self._clock).access()

    def release(self, access_token: str, external_id: str) -> None:
        """Disconnects one organisation from the app."""
        ids = [one.id for one in self._tenants(access_token) if one.tenant_id == external_id and one.id]
        for connection_id in ids:
            answer = self._send("DELETE", f"{self._settings.connections_url.rstrip('/')}/{connection_id}", access_token)
            if answer.status_code not in (200, 204, 404):
                raise Rejected(f"HTTP {answer.status_code}")

    def revoke(self, pair: TokenPair) -> None:
        """Ends the consent; a custom connection has none that a token could end."""
        if pair.refresh_token:
            self._endpoint.revoke(self._settings.revoke_url, pair.refresh_token, as_json=False)

    def _tenants(self, access_token: str) -> list[wire.Tenant]:
        answer = self._send("GET", self._settings.connections_url, access_token)
        if answer.status_code in (401, 403):
            raise Reauthorise(f"HTTP {answer.status_code}")
        try:
            return wire.tenants.decode(answer.content)
        except msgspec.DecodeError:
            raise Malformed("the list of connections cannot be read") from None

    def _send(self, method: str, url: str, access_token: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        try:
            answer = self._session.request(method, url, headers=headers, timeout=_TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            raise RetryLater(f"Xero did not answer ({type(error).__name__})") from None
        if answer.status_code == 429 or answer.status_code >= 500:
            raise RetryLater(f"HTTP {answer.status_code}")
        return answer
