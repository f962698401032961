"""The section `[quickbooks]`, and the access token made from it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import requests
from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from arsync.connector import Clock, Tokens, TokenVault

_TOKEN_URL: Final = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
_AUTHORIZE_URL: Final = "https://appcenter.intuit.com/connect/oauth2"


class Environment(StrEnum):
    """Which of Intuit's two worlds the app's keys belong to."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


_API_URLS: Final = {
    Environment.PRODUCTION: "https://quickbooks.api.intuit.com/v3",
    Environment.SANDBOX: "https://sandbox-quickbooks.api.intuit.com/v3",
}


class NotePlace(StrEnum):
    """Where notes go."""

    ATTACHABLE = "attachable"  # beside the document, each a note of its own
    CUSTOMER = "customer"  # into the customer's free text, of 2,000 characters


class Settings(BaseModel):
    """The keys of `[quickbooks]`; `api_url` follows `environment` unless it is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str
    client_secret: SecretStr
    environment: Environment = Environment.PRODUCTION
    api_url: str = _API_URLS[Environment.PRODUCTION]
    token_url: str = _TOKEN_URL
    authorize_url: str = _AUTHORIZE_URL
    webhook_verifier_token: SecretStr | None = None
    note_target: NotePlace = NotePlace.ATTACHABLE

    @model_validator(mode="before")
    @classmethod
    def _address_of_the_environment(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("api_url"):
            environment = given.get("environment", Environment.PRODUCTION)
            if environment in list(Environment):
                return {**given, "api_url": _API_URLS[Environment(environment)]}
        return given

    @property
    def base_url(self) -> str:
        """The API's address down to its version, with or without which `api_url` may be given."""
        address = self.api_url.rstrip("/")
        return address if address.endswith("/v3") else f"{address}/v3"


def tokens(settings: Settings, *, vault: TokenVault, session: requests.Session, clock: Clock) -> Tokens:
    """The access token of one grant at Intuit."""
    return Tokens(
        vault=vault,
        session=session,
        token_url=settings.token_url,
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        clock=clock,
    )
