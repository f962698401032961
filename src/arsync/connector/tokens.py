"""Access tokens that stay fresh: one refresher per grant, the new pair durable before anybody uses it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Final

import requests

from arsync.connector.contract import TokenPair, TokenVault
from arsync.connector.oauth import GrantEnded, Lifetimes, TokenEndpoint
from arsync.domain.clock import Clock
from arsync.errors import Reauthorise

#: A token that ends within this time is renewed before use.
_MARGIN: Final = timedelta(seconds=60)


class Tokens:
    """The access token of one grant (OAuth 2.0, RFC 6749 sections 6 and 4.4).

    `client_scopes` are what an app asks for that is its own consent: a pair without a refresh token is then renewed by
    the app's own credentials.
    """

    def __init__(
        self,
        *,
        vault: TokenVault,
        session: requests.Session,
        token_url: str,
        client_id: str,
        client_secret: str,
        clock: Clock,
        lifetimes: Lifetimes = Lifetimes(),  # noqa: B008 - frozen
        client_scopes: str | None = None,
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._client_scopes = client_scopes
        self._endpoint = TokenEndpoint(
            session=session,
            token_url=token_url,
            client_id=client_id,
            client_secret=client_secret,
            clock=clock,
            lifetimes=lifetimes,
        )
        self._known: TokenPair | None = None
        #: One thread at a time, whatever becomes of the vault's lease: a clock that jumps ends a lease, not this.
        self._one = threading.Lock()

    def access(self) -> str:
        """A token good for at least a minute; Reauthorise where the consent has ended."""
        known = self._known
        if known is not None and self._fresh(known):
            return known.access_token
        with self._one:
            known = self._vault.current()
            self._known = known if self._fresh(known) else self._renewed(refused=None)
            return self._known.access_token

    def renew(self, refused: str) -> str:
        """Another token than the one the source has just refused."""
        with self._one:
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
        """The successor, durable. A refusal is believed the second time only.

        Between the two the pair is read again: this process may have been suspended past its lease, and another one
        may have refreshed meanwhile.
        """
        try:
            pair = self._successor(stored)
        except GrantEnded:
            newer = self._vault.current()
            if newer.refresh_token != stored.refresh_token and self._fresh(newer):
                return newer
            stored = newer
            try:
                pair = self._successor(stored)
            except GrantEnded as refusal:
                self._vault.ended(refusal.detail, refused=stored)
                raise Reauthorise(refusal.detail) from None
        self._vault.replace(pair, instead_of=stored)
        return pair

    def _successor(self, pair: TokenPair) -> TokenPair:
        if pair.refresh_token:
            return self._endpoint.by_refresh(pair)
        if self._client_scopes is not None:
            return self._endpoint.by_client(self._client_scopes)
        raise GrantEnded("there is no refresh token")
