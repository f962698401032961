"""The next page on its way while one is stored."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(pages: Iterator[T], depth: int = 1) -> Iterator[T]:
    """The same items in the same order, fetched by a thread up to `depth` ahead; errors come where they happened.

    When the consumer stops early the thread ends after the item it is at.
    """
    box: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: T | _End) -> bool:
        while not stop.is_set():
            try:
                box.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def fetch() -> None:
        try:
            for page in pages:
                if not put(page):
                    return
            put(_End(None))
        except BaseException as error:  # noqa: BLE001 - it is raised again on the consumer's side
            put(_End(error))

    thread = threading.Thread(target=fetch, name="fetch-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = box.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        thread.join()
