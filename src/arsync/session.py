"""The one pooled `requests` session, and the guard on its first byte.

Everything that leaves arsync over HTTP leaves through here: connectors, channels, look-ups. That gives one place for
the pool, for default timeouts, and for the rule that a message's first byte leaves within seconds of the last gate,
also when the process was suspended in between.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.models import CONTENT_CHUNK_SIZE
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

_TIMEOUT: Final = (5.0, 130.0)
_POOL: Final = 16
_PIECE: Final = 1 << 23

_guard = threading.local()


@contextmanager
def before_first_byte(check: Callable[[], None], *, of_each: bool = False) -> Iterator[None]:
    """Within it, this thread's next request (`of_each`: each of its requests) calls `check` when it is connected and
    about to write.

    What `check` raises, the request raises (wrapped by nobody), and not a byte of it has left.
    """
    _guard.check, _guard.again = check, check if of_each else None
    try:
        yield
    finally:
        _guard.check = _guard.again = None


def first_byte() -> None:
    """Asks the check of this thread's `before_first_byte`, once; nothing where there is none.

    HTTP asks it by itself; a channel that leaves by another way calls it right before its effect.
    """
    check = getattr(_guard, "check", None)
    if check is not None:
        _guard.check = None
        check()


def _rearm() -> None:
    again = getattr(_guard, "again", None)
    if again is not None:
        _guard.check = again


class _GuardedConnection(HTTPConnection):
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # so that the time to connect comes before the check, not after it
        first_byte()
        super().send(data)


class _GuardedTLSConnection(HTTPSConnection):
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        first_byte()
        super().send(data)


class _GuardedPool(HTTPConnectionPool):
    ConnectionCls = _GuardedConnection


class _GuardedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTLSConnection


class _Answer(requests.Response):
    """Its body comes in large pieces: a page of a thousand records is megabytes, and requests takes 10 kB at a time."""

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        size = _PIECE if chunk_size == CONTENT_CHUNK_SIZE else chunk_size
        return super().iter_content(size, decode_unicode)


class _Adapter(HTTPAdapter):
    """No retries of its own, a timeout always."""

    def __init__(self, observe: Callable[[str, str], None]) -> None:
        self._observe = observe
        super().__init__(pool_connections=_POOL, pool_maxsize=_POOL, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedPool, "https": _GuardedTLSPool}

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        if options.get("timeout") is None:
            options["timeout"] = _TIMEOUT
        what = f"{request.method} {(request.url or '').partition('?')[0]}"
        self._observe("before", what)
        _rearm()
        answer = super().send(request, *args, **options)
        self._observe("after", what)
        answer.__class__ = _Answer
        return answer


def _unobserved(moment: str, what: str) -> None:
    pass


def pooled_session(*, observe: Callable[[str, str], None] = _unobserved) -> requests.Session:
    """A session with keep-alive, default timeouts, no retries, and no proxies or credentials from the environment.

    `observe` is told "before" and "after" each request; a crash test ends the process there.
    """
    session = requests.Session()
    session.trust_env = False  # a stray .netrc or proxy variable must not send tokens elsewhere
    adapter = _Adapter(observe)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.headers["Accept-Encoding"] = "gzip"
    session.headers["User-Agent"] = "arsync"
    return session


def never_left(error: requests.RequestException) -> bool:
    """Whether the request certainly failed before its first byte: no connection, or no trust in the server."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause: object = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    if isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return True
    inner = cause.args[0] if isinstance(cause, Exception) and cause.args else None
    return isinstance(inner, ssl.SSLCertVerificationError) or isinstance(cause, ssl.SSLCertVerificationError)
