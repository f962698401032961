"""The organisations that a consent opens: Xero's `/connections`, which is no organisation's and counts against none."""

from __future__ import annotations

from typing import Final

import msgspec
import requests

from arsync.connector import Clock, Reachable, pause_of
from arsync.errors import Malformed, Reauthorise, Rejected, RetryLater
from arsync_xero import wire

#: seconds to connect, seconds without a byte
_TIMEOUT: Final = (5.0, 30.0)


class Tenants:
    """Asked with an access token, once; raises RetryLater, and Reauthorise where the token is not taken."""

    def __init__(
        self,
        session: requests.Session,
        connections_url: str,
        clock: Clock,
        *,
        timeout: tuple[float, float] = _TIMEOUT,
    ) -> None:
        self._session = session
        self._url = connections_url.rstrip("/")
        self._clock = clock
        self._timeout = timeout

    def reachable(self, access_token: str) -> tuple[Reachable, ...]:
        """Every organisation that the token opens, also those of earlier consents of the same person."""
        return tuple(
            Reachable(one.tenant_id, one.tenant_name or "") for one in self._listed(access_token) if one.tenant_id
        )

    def leave(self, access_token: str, external_id: str) -> None:
        """Disconnects one organisation from the app; one that is gone already is no error."""
        ids = [one.id for one in self._listed(access_token) if one.tenant_id == external_id and one.id]
        for connection_id in ids:
            answer = self._send("DELETE", f"{self._url}/{connection_id}", access_token)
            if answer.status_code not in (200, 204, 404):
                raise Rejected(f"HTTP {answer.status_code}")

    def _listed(self, access_token: str) -> list[wire.Tenant]:
        answer = self._send("GET", self._url, access_token)
        if answer.status_code in (401, 403):
            raise Reauthorise(f"HTTP {answer.status_code}")
        try:
            return wire.tenants.decode(answer.content)
        except msgspec.DecodeError:
            raise Malformed("the list of connections cannot be read") from None

    def _send(self, method: str, url: str, access_token: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        try:
            answer = self._session.request(method, url, headers=headers, timeout=self._timeout, allow_redirects=False)
        except requests.RequestException as error:
            raise RetryLater(f"Xero did not answer ({type(error).__name__})") from None
        if (pause := pause_of(answer, self._clock.now())) is not None:
            raise RetryLater(f"HTTP {answer.status_code}", after=pause)
        return answer
