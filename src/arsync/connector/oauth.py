"""A vendor's token endpoint (OAuth 2.0, RFC 6749): one request, one answer, told apart by what follows from it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import requests

from arsync.connector.contract import TokenPair
from arsync.connector.patience import pause_of
from arsync.domain.clock import Clock
from arsync.errors import Barred, ConnectorError, Malformed, RetryLater

_TIMEOUT: Final = (5, 30)
_ENDED: Final = "invalid_grant"


class GrantEnded(ConnectorError):
    """The vendor does not take this code or refresh token (any more)."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When a consent ends: what the vendor's answers say, and what its documents say where they do not."""

    #: the refresh token ends when nobody has used it for this long
    idle: timedelta | None = None
    #: the field of an answer that holds the seconds of `idle`
    idle_field: str | None = None
    #: the consent ends this long after it was given, however often it is used
    hard: timedelta | None = None

    def idle_until(self, body: Mapping[str, Any], now: datetime, before: datetime | None) -> datetime | None:
        """The end of a refresh token that came with that answer."""
        told = _seconds(body.get(self.idle_field)) if self.idle_field else None
        lasts = told or self.idle
        return now + lasts if lasts else before


class TokenEndpoint:
    """Gives tokens for codes, refresh tokens and client credentials; the client is authenticated by HTTP Basic."""

    def __init__(
        self,
        *,
        session: requests.Session,
        token_url: str,
        client_id: str,
        client_secret: str,
        clock: Clock,
        lifetimes: Lifetimes = Lifetimes(),
    ) -> None:
        self._session = session
        self._token_url = token_url
        self._basic = "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._clock = clock
        self._lifetimes = lifetimes

    def by_code(self, code: str, *, redirect_uri: str, verifier: str | None) -> TokenPair:
        """The tokens for an authorization code; GrantEnded where it is not taken."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if verifier is not None:
            form["code_verifier"] = verifier
        started = self._clock.now()
        body = self._ask(form)
        hard = self._lifetimes.hard
        refresh = str(body.get("refresh_token") or "")
        if not refresh:
            raise Barred("the vendor gave no refresh token: the scopes must allow offline access")
        return self._pair(body, refresh, started, None, started + hard if hard else None)

    def by_refresh(self, stored: TokenPair) -> TokenPair:
        """The successor of a pair; GrantEnded where its refresh token is not taken."""
        started = self._clock.now()
        body = self._ask({"grant_type": "refresh_token", "refresh_token": stored.refresh_token})
        refresh = str(body.get("refresh_token") or stored.refresh_token)
        return self._pair(body, refresh, started, stored.refresh_expires_at, stored.consent_expires_at)

    def by_client(self, scopes: str) -> TokenPair:
        """The token of an app that is its own consent; it has no refresh token, the app asks again."""
        started = self._clock.now()
        body = self._ask({"grant_type": "client_credentials", "scope": scopes})
        return self._pair(body, "", started, None, None)

    def revoke(self, revoke_url: str, token: str, *, as_json: bool) -> None:
        """Ends a consent (RFC 7009); one that has ended already is no error."""
        fields = {"token": token}
        answer = self._post(revoke_url, **({"json": fields} if as_json else {"data": fields}))
        body = _json(answer)
        if answer.status_code == 401 or body.get("error") == "invalid_client":
            raise Barred(_why(answer, body))
        if answer.status_code not in (200, 204, 400):  # 400: it does not know the token any more
            raise RetryLater(_why(answer, body))

    def _ask(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        answer = self._post(self._token_url, data=form)
        body = _json(answer)
        if answer.status_code == 200:
            return body
        if body.get("error") == _ENDED:
            raise GrantEnded(_ENDED)
        # The app's own credentials, or what it asked for: that is mended in the settings, not by a new consent.
        raise Barred(_why(answer, body))

    def _post(self, url: str, **content: Any) -> requests.Response:
        try:
            answer = self._session.post(
                url,
                headers={"Authorization": self._basic, "Accept": "application/json"},
                timeout=_TIMEOUT,
                allow_redirects=False,  # tokens go to this address and no other
                **content,
            )
        except requests.RequestException as error:
            # The text of the error may hold the request; its class is enough.
            raise RetryLater(f"the token endpoint did not answer ({type(error).__name__})") from None
        if (pause := pause_of(answer, self._clock.now())) is not None:
            raise RetryLater(f"the token endpoint answered {answer.status_code}", after=pause)
        return answer

    def _pair(
        self,
        body: Mapping[str, Any],
        refresh: str,
        started: datetime,
        idle_before: datetime | None,
        hard: datetime | None,
    ) -> TokenPair:
        lasts = _seconds(body.get("expires_in"))
        if not body.get("access_token") or lasts is None:
            raise Malformed("the token endpoint's answer lacks a token")
        return TokenPair(
            access_token=str(body["access_token"]),
            refresh_token=refresh,
            expires_at=started + lasts,
            refresh_expires_at=self._lifetimes.idle_until(body, started, idle_before) if refresh else None,
            consent_expires_at=hard,
        )


def consent_address(authorize_url: str, **parameters: str | None) -> str:
    """The address of a consent page with its parameters, those that are given."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{authorize_url}{'&' if '?' in authorize_url else '?'}{urlencode(given)}"


def challenge(verifier: str) -> str:
    """What proves later that who asked for consent has that verifier (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _seconds(told: Any) -> timedelta | None:
    try:
        return timedelta(seconds=int(told)) if told and int(told) > 0 else None
    except (TypeError, ValueError, OverflowError):
        return None


def _why(answer: requests.Response, body: Mapping[str, Any]) -> str:
    """The vendor's error code; never its description, which may quote what was sent."""
    code = str(body.get("error") or "")
    known = code if code.replace("_", "").isalnum() and len(code) <= 40 else ""
    return f"the token endpoint answered {answer.status_code}{f' {known}' if known else ''}"


def _json(answer: requests.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
