"""Reads that run ahead of whoever takes their results: some at a time over all walks of a connector."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Final, TypeVar

T = TypeVar("T")

Call = Callable[[], T]

_FEW: Final = 2


class Flights:
    """At most so many reads on their way at a time, whatever the number of walks that share them.

    The result that a walk needs next is always read; as many more may run ahead over all walks, but one fewer where
    only one or two may be on their way: what is read ahead and not yet stored is read again after a crash. No walk
    waits for another to be taken further, so that several may be begun, and left, in one thread.

    Where `bounded` says that the transport itself lets no more requests than that on their way at a time
    (`Transport(at_once=)`), an answer that is being read holds no place: as many reads more are begun as there may be
    beyond two. With two on their way a third thread costs more processor time than it gains.

    Threads are there while something is asked or walked, and gone after it: a worker makes a connector for each job.
    """

    def __init__(self, most: int, *, bounded: bool = False) -> None:
        self._ahead = threading.Semaphore(most if most > _FEW else most - 1)
        self._threads = most + (max(0, most - _FEW) if bounded else 0)
        self._pool: ThreadPoolExecutor | None = None
        self._users = 0
        self._one_counts = threading.Lock()

    def ask(self, call: Call[T]) -> T:
        """The result of one call, on its way among those of the walks."""
        with self._aloft() as pool:
            return _begin(pool, call).result()

    def in_order(self, calls: Iterable[Call[T]]) -> Generator[T, None, None]:
        """The results in the order of the calls; what a call raises is raised where its result would have come, and
        what the calls' own iterable raises at once."""
        with self._aloft() as pool:
            yield from self._in_order(pool, iter(calls))

    def _in_order(self, pool: ThreadPoolExecutor, rest: Iterator[Call[T]]) -> Generator[T, None, None]:
        ahead: deque[Future[T]] = deque()
        try:
            while True:
                if ahead:
                    needed = ahead.popleft()
                    self._ahead.release()
                elif (call := next(rest, None)) is not None:
                    needed = _begin(pool, call)
                else:
                    return
                while (further := self._further(pool, rest)) is not None:
                    ahead.append(further)
                result = needed.result()
                del needed  # in memory only where it is wanted
                yield result
                del result
        finally:
            for flight in ahead:
                flight.add_done_callback(lambda _: self._ahead.release())
                flight.cancel()

    def _further(self, pool: ThreadPoolExecutor, rest: Iterator[Call[T]]) -> Future[T] | None:
        """The next call, begun in a place ahead; None where there is no place or no call."""
        if not self._ahead.acquire(blocking=False):
            return None
        begun = None
        try:
            if (call := next(rest, None)) is not None:
                begun = _begin(pool, call)
        finally:
            if begun is None:  # also where the calls themselves cannot be told any further
                self._ahead.release()
        return begun

    @contextmanager
    def _aloft(self) -> Iterator[ThreadPoolExecutor]:
        """The threads, of whoever asks or walks at the same time."""
        with self._one_counts:
            self._users += 1
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="flight")
            pool = self._pool
        try:
            yield pool
        finally:
            with self._one_counts:
                self._users -= 1
                if not self._users:
                    self._pool = None
                    pool.shutdown(wait=False)


def _begin(pool: ThreadPoolExecutor, call: Call[T]) -> Future[T]:
    return pool.submit(copy_context().run, call)
