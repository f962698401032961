"""The collector of garbage, kept from searching what holds no circles."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: New objects, less those that are gone, before they are searched for circles: pages of records have none.
_YOUNG: Final = 100_000


def tidied() -> None:
    """What was made since the last search and is in a circle is gone: statements of the database are, each with all its
    parameters. Costs little between two pages."""
    gc.collect(0)


class _Quiet:
    """How many do not want to be disturbed, in whichever threads, and what was usual before the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: list[int] = []
        self._usual = gc.get_threshold()

    def begin(self, young: int) -> None:
        with self._lock:
            if not self._asked:
                self._usual = gc.get_threshold()
                gc.freeze()
            self._asked.append(young)
            self._set()

    def end(self, young: int) -> None:
        with self._lock:
            self._asked.remove(young)
            self._set()
            if not self._asked:
                gc.unfreeze()

    def _set(self) -> None:
        before, *older = self._usual
        gc.set_threshold(max([before, *self._asked]) if before else before, *older)  # 0: it is switched off


_QUIET: Final = _Quiet()


@contextmanager
def undisturbed(young: int = _YOUNG) -> Iterator[None]:
    """Without the program itself, and every page that comes, being searched for garbage time and again: a sixth of a
    load's work, a quarter of planning's, and a tenth of sending's. Several threads may ask for it at once: it is as
    before when the last has ended."""
    _QUIET.begin(young)
    try:
        yield
    finally:
        _QUIET.end(young)
