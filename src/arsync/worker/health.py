"""What a worker answers to who watches it: `/healthz`, `/readyz` and `/metrics`, on an address of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from arsync.domain.clock import Clock
from arsync.errors import ArsyncError, ConfigurationError

#: A worker that has not looked at its clock for so many real seconds is stuck.
_SILENCE: Final = 60.0
_PLAIN: Final = "text/plain; charset=utf-8"


class Pulse:
    """When a worker looked at its clock last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at = clock.elapsed()

    def beat(self) -> None:
        """It does now."""
        self._at = self._clock.elapsed()

    @property
    def lives(self) -> bool:
        """Whether it did lately."""
        return self._clock.elapsed() - self._at < _SILENCE


@contextmanager
def answering(
    address: str, pulse: Pulse, *, ready: Callable[[], None], metrics: Callable[[], str], content_type: str
) -> Iterator[int]:
    """Answers while the block lasts; its port. `ready` raises where the worker could not work, `metrics` tells what is
    measured; ConfigurationError where nothing can listen there."""

    def is_ready() -> str:
        ready()
        return "ok"

    class Answers(BaseHTTPRequestHandler):
        timeout = 10.0

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/healthz":
                    self._say(*((200, "ok") if pulse.lives else (503, "it has not looked at its clock for a minute")))
                case "/readyz":
                    self._say(*_tried(is_ready))
                case "/metrics":
                    self._say(*_tried(metrics), content_type)
                case _:
                    self._say(404, "/healthz, /readyz, /metrics")

        do_HEAD = do_GET  # noqa: N815 - as the base calls it

        def _say(self, status: int, text: str, kind: str = _PLAIN) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind if status == 200 else _PLAIN)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Who watches asks often: no line of the log."""

    host, _, port = address.rpartition(":")

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if "[" in host else socket.AF_INET

    try:
        server = Server((host.strip("[]"), int(port)), Answers)
    except OSError as error:
        raise ConfigurationError(f"worker.listen: nothing can listen at {address}: {error.strerror}") from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _tried(ask: Callable[[], str]) -> tuple[int, str]:
    try:
        return 200, ask()
    except ArsyncError as error:
        return 503, str(error)
    except Exception as error:  # noqa: BLE001 - a fault of ours is an answer, too, without its words
        return 503, f"unexpected: {type(error).__name__}"
