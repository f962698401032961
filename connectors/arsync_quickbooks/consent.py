"""Intuit's consent: one for one company."""

from __future__ import annotations

from collections.abc import Mapping

import requests

from arsync.connector import Clock, GrantEnded, Reachable, TokenEndpoint, TokenPair, TokenVault, consent_address
from arsync.errors import Malformed, Reauthorise, Rejected
from arsync_quickbooks.auth import LIFETIMES, Settings, tokens


class Consent:
    """The consent of the app in `[quickbooks]`."""

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
        """As registered at developer.intuit.com."""
        return self._settings.redirect_uri

    @property
    def scopes(self) -> str:
        """As in the settings."""
        return self._settings.scopes

    @property
    def proves(self) -> bool:
        """Intuit documents no challenge."""
        return False

    @property
    def reads(self) -> str:
        """In a person's words."""
        return "customers, invoices, payments and credit memos, and the company's preferences"

    @property
    def writes(self) -> str:
        """In a person's words."""
        return "notes on invoices and customers"

    def address(self, *, state: str, challenge: str | None) -> str:
        """Intuit's consent page, on which the company is chosen."""
        assert challenge is None, "it was not asked for"
        return consent_address(
            self._settings.authorize_url,
            response_type="code",
            client_id=self._settings.client_id,
            redirect_uri=self.redirect_uri,
            scope=self.scopes,
            state=state,
        )

    def exchange(self, code: str, *, verifier: str | None) -> TokenPair:
        """The tokens for the code."""
        try:
            return self._endpoint.by_code(code, redirect_uri=self.redirect_uri, verifier=verifier)
        except GrantEnded:
            raise Reauthorise("Intuit does not take the code: it is good for one use and a few minutes") from None

    def own(self) -> TokenPair:
        """There is no such thing at Intuit."""
        raise Rejected("QuickBooks has no apps that are their own consent")

    def companies(self, access_token: str, told: Mapping[str, str]) -> tuple[Reachable, ...]:
        """The company that the redirect names; that the token opens it shows when it is read."""
        realm = told.get("realmId", "")
        if not realm.isascii() or not realm.isdigit():
            raise Malformed("the redirect does not name the company (realmId)")
        return (Reachable(realm, ""),)

    def access(self, vault: TokenVault) -> str:
        """A fresh access token of a stored grant."""
        return tokens(self._settings, vault=vault, session=self._session, clock=self._clock).access()

    def release(self, access_token: str, external_id: str) -> None:
        """A consent is for one company: there is nothing to leave."""

    def revoke(self, pair: TokenPair) -> None:
        """Disconnects the company from the app."""
        self._endpoint.revoke(self._settings.revoke_url, pair.refresh_token, as_json=True)
