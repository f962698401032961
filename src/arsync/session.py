"""The one pooled `requests` session, and the guard on its first byte.

Everything that leaves arsync over HTTP leaves through here: connectors, channels, look-ups. That gives one place for
the pool, for default timeouts, and for the rule that a message's first byte leaves within seconds of the last gate,
also when the process was suspended in between.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, cast

import requests
from isal import isal_zlib
from isal.igzip_lib import IsalError
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

_TIMEOUT: Final = (5.0, 130.0)
_POOL: Final = 16
#: what cannot be unpacked, in the words of those that unpack
_GARBLED: Final = (DecodeError, EOFError, cast("type[Exception]", IsalError))
_GZIP: Final = 31  # the window that says so
#: bytes to one packed byte, at most
_DENSEST: Final = 1100

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


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Within it, `work` is done once this thread's next request has left, while its answer is on its way; not at all
    where none leaves by HTTP.

    It has no effects, and the request fares as it would without: what `work` raises is lost, so that whoever needs what
    it makes has to look whether it is there.
    """
    _guard.work = work
    try:
        yield
    finally:
        _guard.work = None


def awaiting() -> None:
    """Does the work of this thread's `meanwhile`, once; HTTP does it by itself when a request has left."""
    work = getattr(_guard, "work", None)
    if work is not None:
        _guard.work = None
        with suppress(Exception):
            work()


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
    """Asks the check right before the first byte, and sends a request's head and its body by one write: a server that
    has half of it does nothing yet, and is woken for it."""

    _held: list[Any] | None = None

    def request(self, method: str, url: str, body: Any = None, *args: Any, **options: Any) -> None:
        if not isinstance(body, bytes):
            super().request(method, url, body, *args, **options)
            return
        held: list[Any] = []
        self._held = held
        try:
            super().request(method, url, body, *args, **options)
        finally:
            self._held = None
        self.send(b"".join(held))
        awaiting()

    def send(self, data: Any) -> None:
        if self._held is not None:
            self._held.append(data)
            return
        if self.sock is None:
            self.connect()  # so that the time to connect comes before the check, not after it
        first_byte()
        super().send(data)


class _GuardedTLSConnection(_GuardedConnection, HTTPSConnection):
    pass


class _GuardedPool(HTTPConnectionPool):
    ConnectionCls = _GuardedConnection


class _GuardedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTLSConnection


class _Answer(requests.Response):
    """Its body is read and unpacked at once: a page of a thousand records is megabytes, and requests takes them 10 kB
    at a time."""

    @property
    def content(self) -> bytes | Any:
        """The whole body; the errors of `requests`. An answer whose packed body ends too early is refused."""
        if not getattr(self, "_content_consumed", True) and self.raw is not None:
            self._content, self._content_consumed = self._whole(), True
        return super().content

    def _whole(self) -> bytes:
        packed = self.headers.get("Content-Encoding", "").strip().lower() == "gzip"
        try:
            body: bytes = self.raw.read(decode_content=not packed)
            return _unpacked(body) if packed else body
        except ProtocolError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from error
        except _GARBLED as error:
            raise requests.exceptions.ContentDecodingError(error) from error
        except ReadTimeoutError as error:
            raise requests.exceptions.ConnectionError(error) from error
        except SSLError as error:
            raise requests.exceptions.SSLError(error) from error


def _unpacked(body: bytes) -> bytes:
    """All members of a gzip body. Nearly always it has but one, as its last words tell (RFC 1952: sum and length), and
    takes no more memory than it needs: what is taken by degrees and given back each time costs more than unpacking."""
    told = int.from_bytes(body[-4:], "little")
    if 0 < told < _DENSEST * len(body):
        whole = bytes(isal_zlib.decompress(body, _GZIP, told))
        if len(whole) == told and isal_zlib.crc32(whole) == int.from_bytes(body[-8:-4], "little"):
            return whole
    members: list[bytes] = []
    while body:
        member = isal_zlib.decompressobj(_GZIP)
        members.append(member.decompress(body))
        if not member.eof:
            raise EOFError("a packed body ends too early")
        body = member.unused_data.lstrip(b"\0")
    return b"".join(members)


class _Adapter(HTTPAdapter):
    """No retries of its own, a timeout always; no proxies, no cookies, and what does not change from one request to the
    next is looked up once for each host."""

    def __init__(self, observe: Callable[[str, str], None]) -> None:
        self._observe = observe
        self._pools: dict[tuple[str, object, object], Any] = {}
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

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        assert not proxies, "what leaves takes no detour"
        host = "/".join((request.url or "").split("/", 3)[:3])
        pool: Any = self._pools.get((host, verify, cert))
        if pool is None or pool.pool is None:  # closed, as too many hosts were asked since
            pool = super().get_connection_with_tls_context(request, verify, None, cert)
            super().cert_verify(pool, request.url or "", verify, cert)  # type: ignore[no-untyped-call] # of requests
            self._pools[host, verify, cert] = pool
        return pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Done when the host's pool was made."""

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        return request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        answer = _Answer()
        answer.status_code = resp.status
        answer.headers = CaseInsensitiveDict(resp.headers)
        answer.encoding = get_encoding_from_headers(answer.headers)
        answer.raw = resp
        answer.reason = resp.reason
        answer.url = req.url or ""
        answer.request = req
        return answer

    def close(self) -> None:
        super().close()
        self._pools.clear()


class _Session(requests.Session):
    """Follows where it is told to, and else hands a request straight to its adapter."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if options.get("allow_redirects", True) or request.hooks["response"] or options.get("proxies"):
            return super().send(request, **options)
        stream, told = options.get("stream") or False, options.get("verify")
        verify: Any = self.verify if told is None else told
        answer = self.get_adapter(request.url or "").send(
            request, stream=stream, timeout=options.get("timeout"), verify=verify, cert=options.get("cert", self.cert)
        )
        if not stream:
            _ = answer.content
        return answer


def _unobserved(moment: str, what: str) -> None:
    pass


def pooled_session(*, observe: Callable[[str, str], None] = _unobserved) -> requests.Session:
    """A session with keep-alive, default timeouts, no retries, and no proxies or credentials from the environment.

    `observe` is told "before" and "after" each request; a crash test ends the process there.
    """
    session = _Session()
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
