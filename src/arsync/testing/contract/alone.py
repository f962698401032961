"""Whether a connector keeps to the session and the clock that it was given."""

from __future__ import annotations

import ast
import importlib.util
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

import requests

from arsync.connector import Connector

#: How code asks the machine for its time.
_MACHINE_TIME: Final = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
    ("time", "time"), ("time", "time_ns"), ("time", "monotonic"), ("time", "sleep"),
}  # fmt: skip
_through = threading.local()


@contextmanager
def only_what_is_injected(connector: Connector, sessions: Collection[requests.Session]) -> Iterator[None]:
    """Within it a request outside of these sessions raises AssertionError, and so does a wait of the connector's own;
    its package must not ask the machine for the time."""
    package = type(connector).__module__.partition(".")[0]
    found = list(machine_time(package))
    assert not found, f"the time comes from the injected clock, not from {', '.join(found)}"
    send, connect, sleep = requests.Session.send, socket.socket.connect, time.sleep

    def through_session(session: requests.Session, *args: Any, **options: Any) -> requests.Response:
        assert session in sessions, "a request through another session than the injected one"
        _through.session = True
        try:
            return send(session, *args, **options)
        finally:
            _through.session = False

    def guarded(own: socket.socket, *args: Any) -> Any:
        assert getattr(_through, "session", False), "a connection outside of the injected session"
        return connect(own, *args)

    with (
        mock.patch.object(requests.Session, "send", through_session),
        mock.patch.object(socket.socket, "connect", guarded),
        mock.patch.object(time, "sleep", _never(sleep, package)),
    ):
        yield


def _never(sleep: Callable[[float], None], package: str) -> Callable[[float], None]:
    def guarded(seconds: float) -> None:
        caller = str(sys._getframe(1).f_globals.get("__name__", ""))
        assert caller.partition(".")[0] != package, "a wait of its own: waits go by the injected clock"
        sleep(seconds)

    return guarded


def machine_time(package: str) -> Iterator[str]:
    """The places in a package's source that ask the machine for its time or sleep on it, as file:line."""
    for path in _sources(package):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Name) and (owner.id, node.func.attr) in _MACHINE_TIME:
                    yield f"{path.name}:{node.lineno} ({owner.id}.{node.func.attr})"


def _sources(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return []
    origin = Path(spec.origin)
    return sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
