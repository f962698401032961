"""SendGrid's lists of addresses that it does not write to: a backstop of the webhook; a person may lift one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import requests

from arsync.channel.sendgrid_events import LISTS, listed
from arsync.domain.feedback import ProviderEvent, SuppressionKind
from arsync.errors import Barred, ConnectorError, Malformed, RetryLater

_TIMEOUT: Final = (5.0, 30.0)
_PAGE: Final = 500  # the most that SendGrid gives at once
_PAGES: Final = 400
#: Where an address stands that a person lets in again.
_PLACES: Final = {
    SuppressionKind.BOUNCE: "suppression/bounces",
    SuppressionKind.INVALID: "suppression/invalid_emails",
    SuppressionKind.SPAM_REPORT: "suppression/spam_reports",
    SuppressionKind.UNSUBSCRIBE: "asm/suppressions/global",
}


class SendGridLists:
    """The lists of one account."""

    def __init__(self, api_key: str, host: str, session: requests.Session) -> None:
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
        self._host = host.rstrip("/")
        self._session = session

    def since(self, start: datetime | None) -> Iterator[ProviderEvent]:
        """Everything that came on a list from then on, or ever; Barred where the key may not read them, RetryLater or
        Malformed where they cannot be read for now."""
        for name in LISTS:
            for entry in self._entries(name, start):
                try:
                    yield listed(name, entry)
                except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError):
                    continue  # one that cannot be read never stops the others

    def forget(self, address: str, kind: SuppressionKind) -> bool:
        """Takes the address off SendGrid's own list; False where only a person can, at SendGrid."""
        place = _PLACES.get(kind)
        if place is None:
            return False
        answer = self._asked("DELETE", f"/v3/{place}/{quote(address, safe='@')}", {})
        if answer.status_code not in (200, 204, 404):  # 404: it does not stand there
            raise _refused(answer)
        return True

    def _entries(self, name: str, start: datetime | None) -> Iterator[Any]:
        query = {"limit": str(_PAGE)} | ({"start_time": str(int(start.timestamp()))} if start else {})
        for page in range(_PAGES):
            answer = self._asked("GET", f"/v3/suppression/{name}", {**query, "offset": str(page * _PAGE)})
            if answer.status_code != 200:
                raise _refused(answer)
            try:
                entries = answer.json()
            except requests.RequestException:
                entries = None
            if not isinstance(entries, list):
                raise Malformed(f"SendGrid's list of {name.replace('_', ' ')}")
            yield from entries
            if len(entries) < _PAGE:
                return

    def _asked(self, verb: str, path: str, query: dict[str, str]) -> requests.Response:
        try:
            return self._session.request(
                verb, self._host + path, params=query, headers=self._headers, timeout=_TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            raise RetryLater(f"SendGrid's lists cannot be read ({type(error).__name__})") from error


def _refused(answer: requests.Response) -> ConnectorError:
    if answer.status_code in (401, 403):
        return Barred("the SendGrid key may not work on lists of suppressed addresses (sendgrid.suppression_lookup)")
    return RetryLater(f"SendGrid answered {answer.status_code} for a list of suppressed addresses")
