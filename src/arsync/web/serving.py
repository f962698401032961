"""Serving the desk until it is told to stop."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn

from arsync.bootstrap import App
from arsync.bootstrap.webhooks import get_ready
from arsync.errors import ConfigurationError
from arsync.web.app import create

_log: Final = logging.getLogger(__name__)
#: seconds that answers which are on their way get when it is told to stop
_LEAVE: Final = 10
_WAITING: Final = 256


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Being told to stop is no failure: once it has, the signal is not raised again."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def serve(app: App, host: str, port: int) -> None:
    """Answers at that address until SIGTERM or SIGINT; ConfigurationError where nothing can listen there.

    There is no log of requests: addresses hold customers and secrets.
    """
    desk = create(app)
    _ = app.store  # what is wrong with the database is said at once
    get_ready(app)
    with _listening(host, port) as listener:
        config = uvicorn.Config(
            desk, log_config=None, access_log=False, server_header=False, proxy_headers=False, lifespan="off",
            ws="none", timeout_graceful_shutdown=_LEAVE,
        )  # fmt: skip
        _log.info("serve_began", extra={"address": f"{host}:{listener.getsockname()[1]}"})
        _Server(config).run(sockets=[listener])
    _log.info("serve_stopped")


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, for only then answers leave at once: otherwise each waits for the browser to confirm its head, 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"serve.host, serve.port: nothing can listen at {host}:{port}: {error.strerror}"
        ) from None
    listener.listen(_WAITING)
    return listener
