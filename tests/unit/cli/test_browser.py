"""The listener for the consent page: who else talks to it, and how."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from arsync.cli.browser import Callback
from arsync.domain.clock import SystemClock
from arsync.errors import Rejected

_ANSWER = "/callback?code=c-1&state=the-state"


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def callback(port: int) -> Iterator[Callback]:
    made = Callback(f"http://localhost:{port}/callback", "the-state")
    yield made
    made.close()


@pytest.fixture
def dripping(port: int, callback: Callback) -> Iterator[None]:
    """A client that sends a byte of its request now and then, and never ends it."""
    del callback  # it listens
    with socket.create_connection(("127.0.0.1", port)) as client:
        gone = threading.Event()

        def drip() -> None:
            while not gone.wait(0.05):
                client.send(b"G")

        thread = threading.Thread(target=drip)
        thread.start()
        yield
        gone.set()
        thread.join()


@pytest.mark.usefixtures("dripping")
def test_a_client_that_never_ends_its_request_holds_nobody_up(callback: Callback, port: int) -> None:
    with pytest.raises(Rejected, match="nobody consented"):
        callback.wait(SystemClock(), 0.3)
    assert "Thank you" in requests.get(f"http://127.0.0.1:{port}{_ANSWER}", timeout=5).text
    assert callback.wait(SystemClock(), 5).code == "c-1"


def test_localhost_is_listened_to_by_both_of_its_names(callback: Callback, port: int) -> None:
    try:
        client = socket.create_connection(("::1", port), timeout=5)
    except OSError:
        with socket.socket(socket.AF_INET6) as probe, pytest.raises(OSError, match=r"assign|not supported"):
            probe.bind(("::1", 0))
        pytest.skip("this machine has no IPv6")
    with client:
        client.sendall(f"GET {_ANSWER} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n".encode())
        assert b"200" in client.recv(100)
    assert callback.wait(SystemClock(), 5).code == "c-1"
