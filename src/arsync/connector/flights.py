"""Reads that run ahead of whoever takes their results: some at a time over all walks of a connector."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")

Call = Callable[[], T]


class Flights:
    """At most so many reads on their way or not yet taken, whatever the number of walks that share them.

    A result keeps its place until the next one is asked for: so many results are in memory at a time.
    """

    def __init__(self, most: int) -> None:
        self._places = threading.Semaphore(most)
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="flight")

    def in_order(self, calls: Iterable[Call[T]]) -> Generator[T, None, None]:
        """The results in the order of the calls; what a call raises is raised where its result would have come."""
        rest = iter(calls)
        waiting: deque[Future[T]] = deque()
        try:
            while True:
                # Only who has nothing on its way waits for a place: each walk has the next result under way or in hand.
                while self._places.acquire(blocking=not waiting):
                    call = next(rest, None)
                    if call is None:
                        self._places.release()
                        break
                    waiting.append(self._pool.submit(copy_context().run, call))
                if not waiting:
                    return
                try:
                    yield waiting.popleft().result()
                finally:
                    self._places.release()
        finally:
            for flight in waiting:
                flight.add_done_callback(lambda _: self._places.release())
                flight.cancel()
