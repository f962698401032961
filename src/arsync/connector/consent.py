"""How a person lets arsync into a company: an optional capability of a connector package.

A connector offers it as a static method `consent(*, settings, session, clock) -> Consent` beside the contract's own.
One that needs no consent (a folder of files) leaves it out, and is linked by its external id alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import requests
from pydantic import SecretStr

from arsync.connector.contract import TokenPair, TokenVault
from arsync.connector.oauth import GrantEnded, Lifetimes, TokenEndpoint, consent_address
from arsync.connector.tokens import Tokens
from arsync.domain.clock import Clock
from arsync.errors import Reauthorise


@dataclass(frozen=True, slots=True)
class Reachable:
    """A company that a consent opens; the name may be empty where only the company itself can tell it."""

    external_id: str
    name: str


class Consent(Protocol):
    """The vendor's consent page and what follows from it (OAuth 2.0, authorization code; RFC 6749, 7636).

    Every method that calls the vendor may raise `RetryLater`, `Barred` (the app's own credentials or settings),
    `Rejected`, `Malformed`, and `Reauthorise` where the vendor does not take the code or the token.
    """

    @property
    def redirect_uri(self) -> str:
        """Where the vendor sends the browser back to, exactly as registered with the app."""
        ...

    @property
    def scopes(self) -> str:
        """What is asked for, apart by blanks."""
        ...

    @property
    def proves(self) -> bool:
        """Whether the vendor checks a PKCE challenge (S256)."""
        ...

    @property
    def reads(self) -> str:
        """What arsync will read, as the end of "arsync will read ..."."""
        ...

    @property
    def writes(self) -> str:
        """What arsync will write, as the end of "and write ..."."""
        ...

    def address(self, *, state: str, challenge: str | None) -> str:
        """The page on which a person consents."""
        ...

    def exchange(self, code: str, *, verifier: str | None) -> TokenPair:
        """The tokens for a code, which is good for one use."""
        ...

    def own(self) -> TokenPair:
        """The tokens of an app that is its own consent (client credentials): no refresh token comes with them.

        `Rejected` where the vendor has no such apps.
        """
        ...

    def companies(self, access_token: str, told: Mapping[str, str]) -> tuple[Reachable, ...]:
        """The companies that a token opens; `told` is what the redirect brought besides the code."""
        ...

    def access(self, vault: TokenVault) -> str:
        """A fresh access token of a stored grant."""
        ...

    def release(self, access_token: str, external_id: str) -> None:
        """Ends the consent for one company and leaves the others; where the vendor knows no such thing, nothing."""
        ...

    def revoke(self, pair: TokenPair) -> None:
        """Ends the consent as a whole; a consent that has ended already is no error."""
        ...


class AppSettings(Protocol):
    """What the settings of a connector tell of its app."""

    @property
    def client_id(self) -> str: ...
    @property
    def client_secret(self) -> SecretStr: ...
    @property
    def token_url(self) -> str: ...
    @property
    def authorize_url(self) -> str: ...
    @property
    def redirect_uri(self) -> str: ...
    @property
    def scopes(self) -> str: ...


class AppConsent:
    """The part of a `Consent` that follows from the app in the settings; a connector adds what its vendor has besides.

    `tokens` are those of a stored grant. Whether the vendor checks a challenge, and how it is called, says the class.
    """

    vendor: ClassVar[str]
    proves: ClassVar[bool] = False

    def __init__(
        self,
        *,
        settings: AppSettings,
        session: requests.Session,
        clock: Clock,
        lifetimes: Lifetimes,
        tokens: Callable[[TokenVault], Tokens],
    ) -> None:
        self._app = settings
        self._tokens = tokens
        self._endpoint = TokenEndpoint(
            session=session,
            token_url=settings.token_url,
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
            clock=clock,
            lifetimes=lifetimes,
        )

    @property
    def redirect_uri(self) -> str:
        """As registered with the vendor."""
        return self._app.redirect_uri

    @property
    def scopes(self) -> str:
        """As in the settings."""
        return self._app.scopes

    def address(self, *, state: str, challenge: str | None) -> str:
        """The vendor's consent page."""
        assert challenge is None or self.proves, "it was not asked for"
        return consent_address(
            self._app.authorize_url,
            response_type="code",
            client_id=self._app.client_id,
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
            said = f"{self.vendor} does not take the code: it is good for one use and a few minutes"
            raise Reauthorise(said) from None

    def access(self, vault: TokenVault) -> str:
        """A fresh access token of a stored grant."""
        return self._tokens(vault).access()


@runtime_checkable
class Consenting(Protocol):
    """A connector that people let in by consent."""

    def consent(self, *, settings: Any, session: requests.Session, clock: Clock) -> Consent:
        """The consent of the app in those settings."""
        ...
