"""Several walks at once, their pages in one stream; several questions at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")


class SideBySide:
    """Questions that need none of the others' answers, at most so many on their way at a time.

    Left with an error, it waits for those on their way and begins no other.
    """

    def __init__(self, most: int) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="question")

    def ask(self, question: Callable[[], T]) -> Future[T]:
        """The answer to come; its `result` raises what the question raises."""
        return self._pool.submit(copy_context().run, question)

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=error is not None)


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def abreast(walks: Sequence[Iterator[T]]) -> Iterator[T]:
    """The items of all walks as they come, those of each walk in its order. The first error of any is raised when the
    others have come to their ends: what they bring is kept.

    Each walk runs in a thread of its own and is at most one item ahead of its taker. A consumer that stops early waits
    until each walk has come to the end of the item it is at. A walk alone runs in the thread of its taker: nothing
    contends with the storing for the interpreter, which takes a tenth of a load's work.
    """
    if len(walks) == 1:
        yield from walks[0]
        return
    box: queue.Queue[tuple[T | _End, threading.Event]] = queue.Queue()
    stop = threading.Event()

    def run(walk: Iterator[T]) -> None:
        error: BaseException | None = None
        try:
            for item in walk:
                taken = threading.Event()
                box.put((item, taken))
                del item  # in memory only where it is wanted
                taken.wait()
                if stop.is_set():
                    break
        except BaseException as caught:  # noqa: BLE001 - it is raised again on the consumer's side
            error = caught
        finally:
            getattr(walk, "close", lambda: None)()
            box.put((_End(error), threading.Event()))

    threads = [
        threading.Thread(target=copy_context().run, args=(run, walk), name=f"walk-{number}", daemon=True)
        for number, walk in enumerate(walks)
    ]
    for thread in threads:
        thread.start()
    left = len(threads)
    failed: BaseException | None = None
    try:
        while left:
            item, taken = box.get()
            taken.set()
            if not isinstance(item, _End):
                yield item
                continue
            left -= 1
            failed = failed or item.error
        if failed is not None:
            raise failed
    finally:
        stop.set()
        while any(thread.is_alive() for thread in threads):
            try:
                box.get(timeout=0.05)[1].set()
            except queue.Empty:
                continue
