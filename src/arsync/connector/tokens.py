"""Access tokens that stay fresh: one refresher per grant, the new pair durable before anybody uses it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import requests

from arsync.connector.contract import TokenPair, TokenVault
from arsync.domain.clock import Clock
from arsync.errors import Malformed, Reauthorise, RetryLater

#: A token that ends within this time is renewed before use.
_MARGIN: Final = timedelta(seconds=60)
_TIMEOUT: Final = (5, 30)


class Tokens:
    """The access token of one grant (OAuth 2.0, RFC 6749 section 6; client authenticated by HTTP Basic)."""

    def __init__(
        self,
        *,
        vault: TokenVault,
        session: requests.Session,
        token_url: str,
        client_id: str,
        client_secret: str,
        clock: Clock,
    ) -> None:
        self._vault = vault
        self._session = session
        self._token_url = token_url
        secret = f"{client_id}:{client_secret}".encode()
        self._basic = "Basic " + base64.b64encode(secret).decode()
        self._clock = clock
        self._known: TokenPair | None = None

    def access(self) -> str:
        """A token good for at least a minute; Reauthorise where the consent has ended."""
        if self._known is None or not self._fresh(self._known):
            self._known = self._vault.current()
        if not self._fresh(self._known):
            self._known = self._renewed(refused=None)
        return self._known.access_token

    def renew(self, refused: str) -> str:
        """Another token than the one the source has just refused."""
        self._known = self._renewed(refused=refused)
        return self._known.access_token

    def _fresh(self, pair: TokenPair) -> bool:
        return bool(pair.access_token) and pair.expires_at - _MARGIN > self._clock.now()

    def _renewed(self, refused: str | None) -> TokenPair:
        with self._vault.refreshing() as stored:
            if self._fresh(stored) and stored.access_token != refused:
                return stored  # another process was faster
            return self._exchange(stored)

    def _exchange(self, stored: TokenPair) -> TokenPair:
        started = self._clock.now()
        try:
            answer = self._session.post(
                self._token_url,
                data={"grant_type": "refresh_token", "refresh_token": stored.refresh_token},
                headers={"Authorization": self._basic, "Accept": "application/json"},
                timeout=_TIMEOUT,
                allow_redirects=False,  # the refresh token goes to this address and no other
            )
        except requests.RequestException as error:
            # The text of the error may hold the request; its class is enough.
            raise RetryLater(f"the token endpoint did not answer ({type(error).__name__})") from None
        if answer.status_code in (429,) or answer.status_code >= 500:
            raise RetryLater(f"the token endpoint answered {answer.status_code}")
        body = _json(answer)
        if answer.status_code != 200:
            newer = self._vault.current()
            if newer.refresh_token != stored.refresh_token and self._fresh(newer):
                return newer  # this process was suspended past its lease, and another one refreshed meanwhile
            raise Reauthorise(str(body.get("error", f"HTTP {answer.status_code}"))[:80])
        try:
            idle = body.get("x_refresh_token_expires_in")
            pair = TokenPair(
                access_token=str(body["access_token"]),
                refresh_token=str(body.get("refresh_token") or stored.refresh_token),
                expires_at=started + timedelta(seconds=int(body["expires_in"])),
                refresh_expires_at=started + timedelta(seconds=int(idle)) if idle else stored.refresh_expires_at,
            )
        except (KeyError, TypeError, ValueError):
            raise Malformed("the token endpoint's answer lacks a token") from None
        self._vault.replace(pair)
        return pair


def _json(answer: requests.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
