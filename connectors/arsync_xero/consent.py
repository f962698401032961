"""Xero's consent: one for several organisations, or an app of its own for one (a custom connection)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import requests

from arsync.connector import AppConsent, Clock, Reachable, TokenPair, patiently
from arsync_xero.auth import LIFETIMES, Settings, tokens_of
from arsync_xero.tenants import Tenants

#: seconds that a person at a terminal waits for Xero
_PATIENCE: Final = 60.0


class Consent(AppConsent):
    """The consent of the app in `[xero]`; Xero checks a challenge."""

    vendor: ClassVar[str] = "Xero"
    proves: ClassVar[bool] = True

    def __init__(self, *, settings: Settings, session: requests.Session, clock: Clock) -> None:
        super().__init__(
            settings=settings,
            session=session,
            clock=clock,
            lifetimes=LIFETIMES,
            tokens=lambda vault: tokens_of(settings, vault=vault, session=session, clock=clock),
        )
        self._revoke_url = settings.revoke_url
        self._client_scopes = settings.client_scopes
        self._tenants = Tenants(session, settings.connections_url, clock)
        self._clock = clock

    @property
    def reads(self) -> str:
        """In a person's words."""
        return "contacts, sales invoices, payments and credits, and the organisation's settings"

    @property
    def writes(self) -> str:
        """In a person's words."""
        return "notes into the history of invoices and contacts, and on invoices expected payment dates and sent marks"

    def own(self) -> TokenPair:
        """The token of a custom connection."""
        return self._endpoint.by_client(self._client_scopes)

    def companies(self, access_token: str, told: Mapping[str, str]) -> tuple[Reachable, ...]:
        """Every organisation that the token opens, also those of earlier consents of the same person."""
        # The code of the consent is used: to come back later would be to consent again.
        return patiently(lambda: self._tenants.reachable(access_token), self._clock, patience=_PATIENCE)

    def release(self, access_token: str, external_id: str) -> None:
        """Disconnects one organisation from the app."""
        self._tenants.leave(access_token, external_id)

    def revoke(self, pair: TokenPair) -> None:
        """Ends the consent; a custom connection has none that a token could end."""
        if pair.refresh_token:
            self._endpoint.revoke(self._revoke_url, pair.refresh_token, as_json=False)
