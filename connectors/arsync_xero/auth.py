"""How arsync is known to Xero, and where Xero is."""

from __future__ import annotations

from typing import Final

import requests
from pydantic import BaseModel, ConfigDict, SecretStr

from arsync.connector import Clock, Tokens, TokenVault

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
