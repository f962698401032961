"""What requests are for: pulls in bulk leave a reserve of the vendor's allowance to what people wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_bulk: Final[ContextVar[bool]] = ContextVar("bulk", default=False)


@contextmanager
def in_bulk() -> Iterator[None]:
    """What is asked for within it is a pull in bulk. A thread inherits it only with its context."""
    before = _bulk.set(True)
    try:
        yield
    finally:
        _bulk.reset(before)


def is_bulk() -> bool:
    """Whether this is part of a pull in bulk; a re-read before a message and a note are not."""
    return _bulk.get()
