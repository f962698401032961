"""The way back from a consent page: a listener on this machine for one answer, or an address pasted by hand."""

from __future__ import annotations

import errno
import secrets
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from arsync.connector import Clock
from arsync.errors import ConfigurationError, Rejected, UsageError

#: seconds that a browser may take over its request
_SLOW: Final = 5.0
_HERE: Final = ("127.0.0.1", "localhost")
#: what a machine without IPv6 says
_NO_IPV6: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_PAGE: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>arsync</title>"
    "<body style='font-family:sans-serif;max-width:40em;margin:4em auto'><h1>{title}</h1><p>{text}</p>"
)


@dataclass(frozen=True, slots=True)
class Told:
    """What the consent page sent back; never printed."""

    code: str = field(repr=False)
    others: Mapping[str, str] = field(repr=False)


def is_here(redirect_uri: str) -> bool:
    """Whether the browser comes back to this machine, so that we can listen for it."""
    parts = urlsplit(redirect_uri)
    return parts.scheme == "http" and parts.hostname in _HERE


def read_answer(address: str, *, state: str, redirect_uri: str) -> Told:
    """What an address says on which a browser ended.

    UsageError where it is another address or belongs to another question (`state`); Rejected where the person or the
    vendor said no.
    """
    there, expected = urlsplit(address.strip()), urlsplit(redirect_uri)
    if _place(there) != _place(expected):
        raise UsageError(f"that address does not begin with {redirect_uri}")
    return _answer(there.query, state)


def _answer(query: str, state: str) -> Told:
    given = {name: values[0] for name, values in parse_qs(query, max_num_fields=20).items()}
    if not secrets.compare_digest(given.pop("state", "").encode(), state.encode()):
        raise UsageError("that is not the answer to this question (its state is another): begin with the address above")
    refusal = given.get("error", "")
    if refusal == "access_denied":
        raise Rejected("access was denied on the consent page: nothing was linked")
    if refusal:
        known = refusal if refusal.replace("_", "").isalnum() and len(refusal) <= 40 else "an error"
        raise Rejected(f"the consent page answered {known}: check client_id, scopes and redirect_uri")
    code = given.pop("code", "")
    if not code:
        raise UsageError("that address holds no code")
    return Told(code, given)


def _place(parts: SplitResult) -> tuple[str, str, str]:
    return parts.scheme, parts.netloc, parts.path or "/"


class Callback:
    """Listens at the redirect address on 127.0.0.1, for `localhost` also on ::1, until one answer to our question has
    come.

    Other paths, other methods, other hosts and other states are refused and change nothing. Each request has a thread
    of its own: a slow one keeps nobody waiting.
    """

    def __init__(self, redirect_uri: str, state: str) -> None:
        self._parts = urlsplit(redirect_uri)
        self._state = state
        self._told: Told | None = None
        self._refusal: Rejected | None = None
        self._over = threading.Event()
        self._servers: list[_Server] = []
        try:
            self._listen(self._parts.port or 80)
        except OSError as error:
            self.close()
            raise ConfigurationError(
                f"cannot listen at {redirect_uri}: {error.strerror}; close what listens there, choose another port in "
                "redirect_uri (and in the app), or use --paste"
            ) from None

    def _listen(self, port: int) -> None:
        self._serve(_Server(("127.0.0.1", port), _handler(self)))
        if self._parts.hostname == "localhost":
            try:
                self._serve(_Server6(("::1", port), _handler(self)))
            except OSError as error:
                if error.errno not in _NO_IPV6:
                    raise

    def _serve(self, server: _Server) -> None:
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def wait(self, clock: Clock, seconds: float) -> Told:
        """What the consent page sent back; Rejected where it said no or nothing came in so many real seconds."""
        deadline = clock.elapsed() + seconds
        while not self._over.is_set():
            left = deadline - clock.elapsed()
            if left <= 0:
                raise Rejected(f"nobody consented within {seconds:.0f} seconds: nothing was linked")
            self._over.wait(min(left, 1.0))
        if self._refusal is not None:
            raise self._refusal
        assert self._told is not None
        return self._told

    def close(self) -> None:
        """Stops listening."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def answered(self) -> None:
        """The page of one request has been written: it may have been the one that `wait` waits for."""
        if self._told is not None or self._refusal is not None:
            self._over.set()

    def answer(self, method: str, target: str, host: str) -> tuple[int, str, str]:
        """Takes one request: its status, and title and text of the page."""
        path, _, query = target.partition("?")
        if path != (self._parts.path or "/") or host.partition(":")[0] not in _HERE:
            return 404, "Nothing here", "This address only waits for the consent page."
        if method != "GET":
            return 405, "Not like this", "The consent page comes back by GET."
        try:
            self._told = _answer(query, self._state)
        except Rejected as refusal:
            self._refusal = refusal
            return 200, "Not connected", "arsync was not let in. You can close this window; the terminal says more."
        except (UsageError, ValueError):
            return 400, "Not expected", "This is not the answer that arsync waits for. Start again from the terminal."
        return 200, "Thank you", "arsync has its consent. You can close this window and go back to the terminal."


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_INET
    block_on_close = False  # a request that never ends does not end with it

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is nobody's error."""


class _Server6(_Server):
    address_family = socket.AF_INET6


def _handler(callback: Callback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SLOW
        server_version, sys_version = "arsync", ""

        def _serve(self) -> None:
            status, title, text = callback.answer(self.command, self.path, self.headers.get("Host", ""))
            try:
                self._show(status, title, text)
            finally:
                callback.answered()

        def _show(self, status: int, title: str, text: str) -> None:
            body = _PAGE.format(title=title, text=text).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")  # the address holds the code
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_HEAD = _serve  # noqa: N815 - the base class names them

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
            """Say nothing: the address holds the code."""

    return Handler
