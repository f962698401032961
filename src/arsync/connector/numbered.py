"""Pages of a list whose order never changes, several on their way at a time, and nothing lost while people work.

The list is in the order of its ids. An edit moves nothing; but a record that goes (deleted, or out of a filter) moves
all behind it up by one, and one that comes moves them down. So each page overlaps the one before it: where they have a
record in common, no record that stood in the list all the time lies between them. Where they have none, the walk steps
back. What came or changed meanwhile is the business of a delta from before the walk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from arsync.connector.flights import Flights
from arsync.errors import Malformed

R = TypeVar("R")

#: records that two pages share on a quiet list
_OVERLAP: Final = 8
#: A step back is so many times longer than the one before it.
_FURTHER: Final = 12
_RETREATS: Final = 5
#: Pages whose source is kept as long as their rows. Were it let go before them, it would leave holes between the texts
#: that they share, the next pages would fill them, and all would lie scattered in memory: a tenth of a load's work.
_HELD: Final = 2
#: So many pages with little new in them are no way to the end.
_IDLE: Final = 20


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """The records from a position on."""

    rows: Sequence[R]
    #: the position of the first of them, from 0
    begin: int
    #: the most that the page could hold: less than was asked for, where the source has shorter pages
    size: int
    #: whether the list goes on behind them, as of this answer
    more: bool
    #: how many there are in all, where that is known
    total: int | None = None
    #: what the rows were read from, where they share its texts
    source: object = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk stands: the next position, and the ids of the last records before it."""

    offset: int = 0
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch(Generic[R]):
    """The records of a page that the page before it did not have, and where the walk goes on (None: the end)."""

    rows: Sequence[R]
    then: Place | None


#: Asks for the page at a position, of a size, in any thread; what it gives reads what came, in the thread of the walk:
#: where the readers' threads only wait for bytes, nobody waits for them.
Fetch = Callable[[int, int], Callable[[], Answer[R]]]

#: from a position and a size: where the page begins that holds the position (at it or before it), and its size
Begin = Callable[[int, int], tuple[int, int]]


def anywhere(position: int, size: int) -> tuple[int, int]:
    """A page may begin at any position."""
    return position, size


class Numbered(Generic[R]):
    """A list in the order of its ids.

    A `total` that was told before decides only how many pages may be on their way together, never where the list ends.
    """

    def __init__(
        self,
        fetch: Fetch[R],
        identity: Callable[[R], str | None],
        *,
        page_size: int,
        begin: Begin = anywhere,
        total: int | None = None,
    ) -> None:
        self._fetch = fetch
        self._identity = identity
        self._size = page_size
        self._begin = begin
        self._total = total

    def walk(self, flights: Flights, here: Place) -> Iterator[Stretch[R]]:
        """Everything from there to the end. Where the total is not told, the first page comes alone: most lists have
        but one, and it tells how many there will be."""
        known = frozenset(here.tail)
        total, retreats, idle = self._total or 0, 0, 0
        back, furthest = _OVERLAP, here.offset
        held: deque[object] = deque(maxlen=_HELD)
        while True:
            with closing(flights.in_order(self._reads(here.offset, total, back))) as answers:
                for asked, read in answers:
                    answer = read()
                    held.append(answer.source)
                    if answer.size < asked:
                        self._size = answer.size
                        if answer.begin:
                            break  # it lies elsewhere than it was meant to
                    ids = [self._identity(row) for row in answer.rows]
                    if answer.begin and known and known.isdisjoint(ids):
                        # More have gone than the pages overlap: something may lie between them.
                        back, retreats = back * _FURTHER, retreats + 1
                        if retreats > _RETREATS:
                            raise Malformed("the pages of the source do not keep their order")
                        break
                    back = _OVERLAP
                    if answer.begin + len(ids) > furthest:
                        furthest, retreats = answer.begin + len(ids), 0
                    rows = answer.rows
                    if answer.begin < here.offset:
                        rows = [row for row, one in zip(rows, ids, strict=True) if one not in known]
                    idle = 0 if 2 * len(rows) > len(ids) else idle + 1
                    if idle > _IDLE:
                        raise Malformed("the pages of the source repeat for ever")
                    known = frozenset(one for one in ids if one)
                    tail = tuple(one for one in ids[-_OVERLAP:] if one)
                    here = Place(answer.begin + len(ids), tail)
                    yield Stretch(rows, here if answer.more else None)
                    if not answer.more:
                        return
                    if not total:
                        total = answer.total or 0
                        break  # the others may go on their way together

    def _reads(self, offset: int, total: int, back: int) -> Iterator[Callable[[], tuple[int, Callable[[], Answer[R]]]]]:
        """The page that goes on at the offset, beginning so much before it, and those behind it up to the total."""
        begin, size = self._begin(max(0, offset - back) if offset else 0, self._size)
        yield partial(self._ask, begin, size)
        while begin + size < total:
            begin, size = self._begin(begin + size - _OVERLAP, self._size)
            yield partial(self._ask, begin, size)

    def _ask(self, begin: int, size: int) -> tuple[int, Callable[[], Answer[R]]]:
        return size, self._fetch(begin, size)
