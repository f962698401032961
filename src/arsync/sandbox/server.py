"""The sandbox's HTTP server: one origin for three vendors and the control API, with faults at the socket."""

from __future__ import annotations

import gzip
import select
import socket
import sys
import time
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from arsync.sandbox.company import Provider
from arsync.sandbox.control import Control
from arsync.sandbox.faults import Fault, FaultKind
from arsync.sandbox.http import Answer, Request
from arsync.sandbox.world import World

_BEFORE = (FaultKind.TIMEOUT_BEFORE, FaultKind.DISCONNECT_BEFORE)
_AFTER = (FaultKind.TIMEOUT_AFTER, FaultKind.DISCONNECT_AFTER)
_SECRET = ("token", "revoke", "authorize")  # resources whose bodies hold credentials
_COMPRESS_FROM = 1_000  # bytes
_OVERSIZE = 40_000_000  # bytes, and none of them compressed
_SILENCE = 30.0  # machine seconds, of a time-out that says nothing else


def build_world() -> World:
    """A world with every vendor mounted and no company yet."""
    world = World()
    for module, name in (
        ("arsync.sandbox.quickbooks", "QuickBooksProvider"),
        ("arsync.sandbox.xero", "XeroProvider"),
        ("arsync.sandbox.sendgrid", "SendGridProvider"),
    ):
        if find_spec(module) is not None:
            world.add_provider(cast(Provider, getattr(import_module(module), name)(world)))
    return world


class SandboxServer(ThreadingHTTPServer):
    """Serves a world on loopback; port 0 takes any free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, world: World, port: int = 0) -> None:
        self.world = world
        self.control = Control(world)
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nobody's error; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write per answer: unbuffered, the delayed acknowledgement costs 40 ms
    server: SandboxServer

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Say nothing: the request log is asked over HTTP."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.server.world.now(), usegmt=True)

    def _serve(self) -> None:
        target, _, query = self.path.partition("?")
        _, prefix, *_ = target.split("/", 2)
        request = Request(
            method=self.command,
            path=target[len(prefix) + 1 :] or "/",
            query_string=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._read_body(),
        )
        if prefix == "_sandbox":
            with self.server.world.lock:
                answer = self.server.control.handle(request)
            self._send(answer, request)
        elif provider := self.server.world.providers.get(prefix):
            self._serve_vendor(provider, request)
        else:
            self._send(Answer.json({"error": f"nothing is mounted at /{prefix}"}, 404), request)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _serve  # noqa: N815 - the base class names them

    def _serve_vendor(self, provider: Provider, request: Request) -> None:
        world = self.server.world
        company, resource = provider.place(request)
        limited = provider.limited(request)
        text = request.body.decode("utf-8", "replace")
        with world.lock:
            entry = world.log(
                {
                    "at": world.now().isoformat(),
                    "method": request.method,
                    "path": request.path,
                    "query": request.query_string,
                    "status": None,
                    "provider": provider.name,
                    "company": company,
                    "resource": resource,
                    "idempotency_key": None,
                    "effect": False,
                    "fault": None,
                    "body": None if request.method == "GET" or resource in _SECRET else text,
                }
            )
            facts = {
                "provider": provider.name,
                "method": request.method,
                # a query may stand in the body: `path_contains` finds an entity there too
                "path": f"{request.path}?{request.query_string} {text if resource in ('query', 'batch') else ''}",
                "company": company or "",
                "resource": resource,
                "accept": request.header("accept"),  # Xero prints an invoice by it: no path of its own
            }
            fault = world.faults.strike(facts)
            entry["fault"] = fault.fault.value if fault else None
            if limited:
                world.limits.enter(provider.name, company or "")
        try:
            if fault is not None and fault.fault in _BEFORE:
                self._record(request, None, entry)
                self._go_silent(fault)
                return
            with world.lock:
                answer = self._answer(provider, request, company or "", fault, limited=limited)
                entry |= {
                    "status": answer.status,
                    "effect": answer.effect,
                    "idempotency_key": answer.idempotency_key,
                }
            self._record(request, answer, entry)
            if world.latency:
                time.sleep(world.latency)
        finally:
            if limited:
                with world.lock:
                    world.limits.leave(provider.name, company or "")
        if fault is not None and fault.fault in _AFTER:
            self._go_silent(fault)
        else:
            self._send(answer, request, None if fault is None else fault.fault)

    def _record(self, request: Request, answer: Answer | None, entry: dict[str, Any]) -> None:
        if self.server.world.recorder is not None:
            self.server.world.recorder.keep(
                request,
                answer,
                number=entry["n"],
                provider=entry["provider"],
                company=entry["company"],
                resource=entry["resource"],
                fault=entry["fault"],
                secret=entry["resource"] in _SECRET,
                spoilt=self.server.world.spoilt.get(entry["company"] or "", ()),
            )

    def _answer(
        self, provider: Provider, request: Request, company: str, fault: Fault | None, *, limited: bool
    ) -> Answer:
        world = self.server.world
        if fault is not None:
            if fault.fault is FaultKind.THROTTLE:
                return provider.throttled(request, "minute", round(fault.seconds or 1))
            if fault.fault is FaultKind.ERROR:
                return provider.broken(request, fault.status)
            if fault.fault is FaultKind.EXPIRED_TOKEN:
                return provider.expired(request)
        if limited:
            batch = provider.place(request)[1] == "batch"
            request.remaining, problem, wait = world.limits.admit(provider.name, company, world.now(), batch=batch)
            if problem:
                return provider.throttled(request, problem, wait)
        answer = provider.handle(request)
        if answer.served:
            world.page_served(company, answer)
        return answer

    def _go_silent(self, fault: Fault) -> None:
        """Answer nothing: cut the line at once, or keep it until the client gives up."""
        self.close_connection = True
        if fault.fault in (FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER):
            # Readable means the client hung up: a client that waits for an answer sends nothing.
            select.select([self.connection], [], [], fault.seconds or _SILENCE)
        self.connection.shutdown(socket.SHUT_RDWR)

    def _read_body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if self.headers.get("Content-Encoding", "").lower() == "gzip":
            return gzip.decompress(body)
        return body

    def _send(self, answer: Answer, request: Request, fault: FaultKind | None = None) -> None:
        oversize = fault is FaultKind.OVERSIZE
        body = answer.body.ljust(_OVERSIZE) if oversize else answer.body
        self.send_response(answer.status)
        if answer.status != 204:
            self.send_header("Content-Type", answer.content_type)
        if len(body) >= _COMPRESS_FROM and not oversize and "gzip" in request.header("accept-encoding"):
            body = gzip.compress(body, 1, mtime=0)
            self.send_header("Content-Encoding", "gzip")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault is FaultKind.TRUNCATE:
            self.close_connection = True
            body = body[: len(body) // 2]
        try:
            if request.method != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:
            if not oversize:
                raise
            self.close_connection = True  # who asked has seen enough
