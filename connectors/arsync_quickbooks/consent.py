"""Intuit's consent: one for one company."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import requests

from arsync.connector import AppConsent, Clock, Reachable, TokenPair
from arsync.errors import Malformed, Rejected
from arsync_quickbooks.auth import LIFETIMES, Settings, tokens


class Consent(AppConsent):
    """The consent of the app in `[quickbooks]`; Intuit documents no challenge."""

    vendor: ClassVar[str] = "Intuit"

    def __init__(self, *, settings: Settings, session: requests.Session, clock: Clock) -> None:
        super().__init__(
            settings=settings,
            session=session,
            clock=clock,
            lifetimes=LIFETIMES,
            tokens=lambda vault: tokens(settings, vault=vault, session=session, clock=clock),
        )
        self._revoke_url = settings.revoke_url

    @property
    def reads(self) -> str:
        """In a person's words."""
        return "customers, invoices, payments and credit memos, and the company's preferences"

    @property
    def writes(self) -> str:
        """In a person's words."""
        return "notes on invoices and customers"

    def own(self) -> TokenPair:
        """There is no such thing at Intuit."""
        raise Rejected("QuickBooks has no apps that are their own consent")

    def companies(self, access_token: str, told: Mapping[str, str]) -> tuple[Reachable, ...]:
        """The company that the redirect names; that the token opens it shows when it is read."""
        realm = told.get("realmId", "")
        if not realm.isascii() or not realm.isdigit():
            raise Malformed("the redirect does not name the company (realmId)")
        return (Reachable(realm, ""),)

    def release(self, access_token: str, external_id: str) -> None:
        """A consent is for one company: there is nothing to leave."""

    def revoke(self, pair: TokenPair) -> None:
        """Disconnects the company from the app."""
        self._endpoint.revoke(self._revoke_url, pair.refresh_token, as_json=True)
