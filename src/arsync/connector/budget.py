"""What requests are for: pulls in bulk leave a reserve of the vendor's allowance to what people wait for, and a company
that is to be waited for lets the others go first."""

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


#: seconds that a vendor is waited for while another company has not had its turn
_BRIEFLY: Final = 15.0
_others: Final[ContextVar[bool]] = ContextVar("others", default=False)


@contextmanager
def others_waiting(waiting: bool = True) -> Iterator[None]:
    """What is asked for within it keeps other companies waiting, if so: a longer wait is RetryLater at once. A thread
    inherits it only with its context."""
    before = _others.set(waiting)
    try:
        yield
    finally:
        _others.reset(before)


def patience(usual: float) -> float:
    """The seconds that may be waited: the usual ones, but few where others wait."""
    return min(usual, _BRIEFLY) if _others.get() else usual
