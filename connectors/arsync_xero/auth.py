"""How arsync is known to Xero, and where Xero is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import requests
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, SecretStr, model_validator

from arsync.connector import Clock, Lifetimes, Limits, Tokens, TokenVault

_TOKEN_URL: Final = "https://identity.xero.com/connect/token"  # noqa: S105 - an address
_REVOKE_URL: Final = "https://identity.xero.com/connect/revocation"
_OFFLINE: Final = "offline_access"
#: A consent lives as long as somebody uses it every sixty days; Xero's answers do not say so.
LIFETIMES: Final = Lifetimes(idle=timedelta(days=60))


class Settings(BaseModel):
    """The section `[xero]`: the app's own credentials, and addresses that default to Xero's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str
    client_secret: SecretStr
    api_url: str = "https://api.xero.com/api.xro/2.0"
    token_url: str = _TOKEN_URL
    #: follows `token_url` unless it is given
    revoke_url: str = _REVOKE_URL
    authorize_url: str = "https://login.xero.com/identity/connect/authorize"
    connections_url: str = "https://api.xero.com/connections"
    redirect_uri: str = "http://localhost:8974/callback"
    #: notes need to write invoices (their history) and contacts; everything else is for reading only
    scopes: str = (
        "offline_access accounting.invoices accounting.payments.read accounting.contacts accounting.settings.read"
    )
    webhook_key: SecretStr | None = None
    #: requests that Xero allows an organisation, and all organisations of the app together; a smaller tier's day shows
    #: in the answers
    per_minute: PositiveInt = 60
    per_day: PositiveInt = 5000
    app_per_minute: PositiveInt = 10_000
    concurrent: PositiveInt = 5
    #: so many of them are kept from pulls in bulk
    reserve_per_minute: NonNegativeInt = 5
    reserve_per_day: NonNegativeInt = 200
    #: pages on their way at a time in a first load
    pages_in_flight: PositiveInt = 2

    @property
    def limits(self) -> Limits:
        """What Xero allows, and how it says what remains."""
        return Limits(
            per_minute=self.per_minute,
            per_day=self.per_day,
            app_per_minute=self.app_per_minute,
            concurrent=self.concurrent,
            reserve_per_minute=self.reserve_per_minute,
            reserve_per_day=self.reserve_per_day,
            remaining={
                "X-MinLimit-Remaining": "minute",
                "X-DayLimit-Remaining": "day",
                "X-AppMinLimit-Remaining": "app_minute",
            },
            problem="X-Rate-Limit-Problem",
            problems={"minute": "minute", "day": "day", "appminute": "app_minute", "concurrent": "concurrent"},
        )

    @model_validator(mode="before")
    @classmethod
    def _revoked_where_tokens_are_given(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("token_url") and not given.get("revoke_url"):
            address = str(given["token_url"]).rstrip("/")
            return {**given, "revoke_url": address.removesuffix("/token") + "/revocation"}
        return given

    @property
    def client_scopes(self) -> str:
        """What an app asks for that is its own consent: the same, but for staying without its people."""
        return " ".join(scope for scope in self.scopes.split() if scope != _OFFLINE)


def tokens_of(settings: Settings, *, vault: TokenVault, session: requests.Session, clock: Clock) -> Tokens:
    """The grant's tokens, refreshed at Xero's token endpoint (access 30 minutes, refresh 60 days, rotating).

    A custom connection has no refresh token: the app itself asks for another access token.
    """
    return Tokens(
        vault=vault,
        session=session,
        token_url=settings.token_url,
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        clock=clock,
        lifetimes=LIFETIMES,
        client_scopes=settings.client_scopes,
    )
