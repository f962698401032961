"""How arsync is known to Xero, and where Xero is."""

from __future__ import annotations

from typing import Final

import requests
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, SecretStr

from arsync.connector import Clock, Limits, Tokens, TokenVault

_CONNECTIONS: Final = "/connections"


class Settings(BaseModel):
    """The section `[xero]`: the app's own credentials, and addresses that default to Xero's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str
    client_secret: SecretStr
    api_url: str = "https://api.xero.com/api.xro/2.0"
    token_url: str = "https://identity.xero.com/connect/token"  # noqa: S105 - an address
    authorize_url: str = "https://login.xero.com/identity/connect/authorize"
    connections_url: str = "https://api.xero.com/connections"
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
    pages_in_flight: PositiveInt = 4

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


def tokens_of(settings: Settings, *, vault: TokenVault, session: requests.Session, clock: Clock) -> Tokens:
    """The grant's tokens, refreshed at Xero's token endpoint (access 30 minutes, refresh 60 days, rotating)."""
    return Tokens(
        vault=vault,
        session=session,
        token_url=settings.token_url,
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        clock=clock,
    )


def identity_base(settings: Settings) -> str:
    """The address under which the SDK's identity API finds its `/Connections`."""
    address = settings.connections_url.rstrip("/")
    return address[: -len(_CONNECTIONS)] if address.lower().endswith(_CONNECTIONS) else address
