"""The section `[quickbooks]`, and the access token made from it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import requests
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, SecretStr, model_validator

from arsync.connector import Clock, Lifetimes, Limits, Tokens, TokenVault

_TOKEN_URL: Final = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
_REVOKE_URL: Final = "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"
_AUTHORIZE_URL: Final = "https://appcenter.intuit.com/connect/oauth2"
#: Answers say when an unused refresh token ends; since November 2025 no consent lives longer than five years.
LIFETIMES: Final = Lifetimes(idle_field="x_refresh_token_expires_in", hard=timedelta(days=5 * 365))


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
    #: follows `token_url` unless it is given
    revoke_url: str = _REVOKE_URL
    authorize_url: str = _AUTHORIZE_URL
    #: one that is registered with the app; where it is not on this machine, `connect` asks for the address by hand
    redirect_uri: str = "http://localhost:8974/callback"
    scopes: str = "com.intuit.quickbooks.accounting"
    webhook_verifier_token: SecretStr | None = None
    note_target: NotePlace = NotePlace.ATTACHABLE
    #: requests that Intuit allows a company at one app, and all companies of the app together
    per_second: PositiveInt = 10
    per_minute: PositiveInt = 500
    app_per_minute: PositiveInt = 800
    #: of a minute's requests, so many are kept from pulls in bulk
    reserve_per_minute: NonNegativeInt = 20
    #: pages on their way at a time in a first load
    pages_in_flight: PositiveInt = 2

    @model_validator(mode="before")
    @classmethod
    def _revoked_where_tokens_are_given(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("token_url") and not given.get("revoke_url"):
            address = str(given["token_url"]).rstrip("/")
            return {**given, "revoke_url": address.removesuffix("/bearer") + "/revoke"}
        return given

    @model_validator(mode="before")
    @classmethod
    def _address_of_the_environment(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("api_url"):
            environment = given.get("environment", Environment.PRODUCTION)
            if environment in list(Environment):
                return {**given, "api_url": _API_URLS[Environment(environment)]}
        return given

    @property
    def limits(self) -> Limits:
        """What Intuit allows. A 429 does not say how long to wait: a minute, by its documents."""
        return Limits(
            per_second=self.per_second,
            per_minute=self.per_minute,
            app_per_minute=self.app_per_minute,
            reserve_per_minute=self.reserve_per_minute,
        )

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
        lifetimes=LIFETIMES,
    )
