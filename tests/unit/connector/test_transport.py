"""How many requests of one connection are on their way at a time, and what a refused token comes to."""

from __future__ import annotations

import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from arsync.connector import Flights, Transport, in_bulk
from arsync.errors import Reauthorise


def a_transport(send: Any, at_once: int | None = None) -> Transport:
    nothing: Any = SimpleNamespace(spend=lambda: None, observe=lambda *_: None, lose=lambda: None, now=lambda: None)
    tokens: Any = SimpleNamespace(access=lambda: "token", renew=lambda refused: f"{refused}, renewed")
    session: Any = SimpleNamespace(request=send)
    return Transport(session=session, tokens=tokens, budget=nothing, clock=nothing, at_once=at_once)


def test_what_was_answered_and_is_being_read_holds_no_place_among_those_on_their_way() -> None:
    """Three may be on their way. While three answers are being read, a fourth is fetched."""
    fetched = threading.Event()

    def send(_method: str, url: str, **_: Any) -> Any:
        if url == "3":
            fetched.set()
        return SimpleNamespace(status_code=200, headers={})

    transport = a_transport(send, 3)

    def read(number: int) -> int:
        with in_bulk():
            transport.request("GET", str(number))
        if number < 3:
            assert fetched.wait(5), "reading the first three keeps the fourth from its way"
        return number

    flights = Flights(3, bounded=True)
    walks = [flights.in_order([partial(read, one)]) for one in range(4)]
    found: list[int] = []
    takers = [threading.Thread(target=found.extend, args=(walk,)) for walk in walks]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join(10)
    assert sorted(found) == [0, 1, 2, 3]


def test_no_more_requests_in_bulk_are_on_their_way_than_may_be_whatever_the_number_of_threads() -> None:
    now, most = 0, 0
    lock = threading.Lock()
    full = threading.Barrier(3, timeout=5)

    def send(*_: Any, **__: Any) -> Any:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        full.wait()  # three are on their way at the same time
        with lock:
            now -= 1
        return SimpleNamespace(status_code=200, headers={})

    transport = a_transport(send, 3)

    def ask() -> None:
        with in_bulk():
            transport.request("GET", "/")

    threads = [threading.Thread(target=ask) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (most, now) == (3, 0)


def test_a_fresh_token_that_ends_on_its_way_is_renewed_and_a_refusal_that_stays_ends_the_consent() -> None:
    """01:00 renewed / the machine sleeps an hour / 02:00 refused: the token is old, the consent is not."""

    def ask(refusals: int) -> list[str]:
        carried: list[str] = []

        def send(*_: Any, headers: dict[str, str], **__: Any) -> Any:
            carried.append(headers["Authorization"])
            return SimpleNamespace(status_code=401 if len(carried) <= refusals else 200, headers={}, content=b"")

        answer = a_transport(send).request("GET", "/", headers={})
        assert answer.status_code == 200
        return carried

    assert ask(0) == ["Bearer token"]
    assert ask(2) == ["Bearer token", "Bearer token, renewed", "Bearer token, renewed, renewed"]
    with pytest.raises(Reauthorise):
        ask(3)
