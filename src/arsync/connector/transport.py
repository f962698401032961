"""One way to speak HTTP for every connector: the SDKs build the requests, this sends them.

It puts the token on, keeps to the budget, sets timeouts, and turns what happened into what the worker does next,
before an SDK can mistake it for something else.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Semaphore
from typing import Any, Final, TypeVar

import requests

from arsync.connector.budget import is_bulk
from arsync.connector.contract import RateBudget
from arsync.connector.patience import patiently, pause_of
from arsync.connector.tokens import Tokens
from arsync.domain.clock import Clock
from arsync.errors import Malformed, OutcomeUnknown, Reauthorise, RetryLater
from arsync.session import never_left

T = TypeVar("T")

#: seconds to connect, seconds without a byte; QuickBooks itself gives up after 120
_TIMEOUT: Final = (5.0, 130.0)
#: a broken connection is tried again soon
_BLIP: Final = 5.0
#: fresh tokens refused before the consent counts as ended: a machine may sleep between the renewal and the request
_FRESH_ONES: Final = 2
#: bytes of a PDF
_LARGEST: Final = 10_000_000
_BITE: Final = 1 << 16


def pdf_in(answer: requests.Response) -> bytes:
    """The PDF in an answer to a request with `stream=True`; Malformed where it is none, or above 10 MB."""
    body = bytearray()
    with answer:
        try:
            for piece in answer.iter_content(_BITE):
                body += piece
                if len(body) > _LARGEST:
                    raise Malformed(f"a PDF of more than {_LARGEST // 1_000_000} MB")
        except requests.RequestException as error:
            raise RetryLater(f"the answer broke off ({type(error).__name__})", after=_BLIP) from None
    if not body.startswith(b"%PDF-"):
        raise Malformed("not a PDF")
    return bytes(body)


class Transport:
    """Sends one connection's requests; to an SDK it is a session with `request` and `access_token`."""

    def __init__(
        self,
        *,
        session: requests.Session,
        tokens: Tokens,
        budget: RateBudget,
        clock: Clock,
        timeout: tuple[float, float] = _TIMEOUT,
        at_once: int | None = None,
    ) -> None:
        """`at_once` is the most requests in bulk on their way at a time, those of all threads (None: as many as are
        asked); what people wait for does not wait for them."""
        self._session = session
        self._tokens = tokens
        self._budget = budget
        self._clock = clock
        self._timeout = timeout
        self._way: AbstractContextManager[object] = Semaphore(at_once) if at_once is not None else nullcontext()

    @property
    def access_token(self) -> str:
        """The token in use; SDKs put it into a header, which `request` replaces."""
        return self._tokens.access()

    def request(self, method: str, url: str, *, effect: bool = False, **options: Any) -> requests.Response:
        """One answer with a status below 500 other than 401 and 429, its body read whole.

        `effect` says that the request may change something at the vendor: then a lost answer is OutcomeUnknown and
        nothing is sent again. Otherwise throttling, server errors and broken connections raise RetryLater.
        """
        token = self._tokens.access()
        answer = self._once(method, url, token, effect, options)
        for _ in range(_FRESH_ONES):
            if answer.status_code != 401:
                return answer
            token = self._tokens.renew(token)
            answer = self._once(method, url, token, effect, options)
        if answer.status_code == 401:
            raise Reauthorise("fresh access tokens were refused")
        return answer

    def patiently(self, read: Callable[[], T]) -> T:
        """Repeats a read on RetryLater after the time asked for, a few times and a few minutes at most."""
        return patiently(read, self._clock)

    def _once(self, method: str, url: str, token: str, effect: bool, options: dict[str, Any]) -> requests.Response:
        # Before the budget: it would let those that wait for a place here look again and again.
        with self._way if is_bulk() else nullcontext():
            answer = self._sent(method, url, token, effect, options)
        pause = pause_of(answer, self._clock.now())
        if pause is None:
            return answer
        if answer.status_code == 429:
            raise RetryLater("the vendor throttles", after=pause)
        if effect:
            raise OutcomeUnknown(f"HTTP {answer.status_code}")
        raise RetryLater(f"HTTP {answer.status_code}", after=pause)

    def _sent(self, method: str, url: str, token: str, effect: bool, options: dict[str, Any]) -> requests.Response:
        headers = dict(options.get("headers") or {})
        headers["Authorization"] = f"Bearer {token}"
        self._budget.spend()
        try:
            answer = self._session.request(
                method, url, **{**options, "headers": headers, "timeout": self._timeout, "allow_redirects": False}
            )
        except BaseException as error:
            self._budget.lose()
            if not isinstance(error, requests.RequestException):
                raise
            if effect and not never_left(error):
                raise OutcomeUnknown(type(error).__name__) from None
            raise RetryLater(f"no answer ({type(error).__name__})", after=_BLIP) from None
        self._budget.observe(answer.status_code, answer.headers)
        return answer
