"""Walking through records in the order of their last change, so that nothing is lost while people work on.

Page numbers count positions, and every edit moves a record to the end and all others up by one: whoever asks for
page 2 misses one record per edit. So after each page the walk starts anew at page 1, from the last time stamp seen.
Page numbers are used only where a whole page fell into one instant (an import): there the pages overlap, and the walk
goes on only when it finds again the last records it has read; else it reads that instant once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from arsync.errors import Malformed
from arsync_xero.rows import Answer, Row

PAGE_SIZE: Final = 1000
#: If-Modified-Since has whole seconds, and it is not told whether that second itself is in or out.
_STEP_BACK: Final = timedelta(seconds=1)
#: What Xero gives a page that was asked for without a size: fewer records than these are the last ones.
_SMALLEST_PAGE: Final = 100
_TAIL: Final = 10
#: readings of one instant from its start; it holds still once all of it that is worked on has left it
_RESTARTS: Final = 100
#: Xero refuses lists of more than 100,000 records: this many pages without anything new are no way to the end.
_IDLE: Final = 200
#: So many pages are read beyond the time at which the walk began: whoever edits faster than pages come moves its end
#: away for ever, and what is changed since then is the next walk's to find.
_BEYOND: Final = 5

#: reads one page: changed since (or all), page number from 1, page size
ReadPage = Callable[[datetime | None, int, int], Answer]


class Anchor(msgspec.Struct, frozen=True, array_like=True):
    """A position in a walk: `offset` records changed since `since` are read, the last of them are in `tail`."""

    since: datetime | None = None
    offset: int = 0
    tail: tuple[tuple[str | None, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """The records of one page that the page before did not have, and where to go on (None: the end)."""

    rows: tuple[Row, ...]
    then: Anchor | None
    at: datetime | None


def walk(read: ReadPage, start: Anchor) -> Iterator[Stretch]:
    """Everything from that position that was changed before the walk began, and what it meets of later changes; asks
    for a page only when it is wanted."""
    anchor, limit, restarts, idle, beyond = start, PAGE_SIZE, 0, 0, 0
    began: datetime | None = None
    known: set[tuple[str | None, str | None]] = set(start.tail)
    while True:
        page, size = _window(anchor.offset, limit)
        answer = read(anchor.since, page, size)
        began = began or answer.at
        rows = answer.rows
        given = size_given(answer, size)
        if given < size:
            limit = size = given
            if page > 1:
                continue  # that page lies elsewhere than it was meant to
        if anchor.tail and not any(_key(row) in anchor.tail for row in rows):
            # More left this instant than the pages overlap: the page may begin beyond what was read.
            if _is_beyond(anchor, began):
                yield Stretch((), None, answer.at)
                return
            restarts += 1
            if restarts > _RESTARTS:
                raise Malformed("the pages of the source do not keep their order")
            anchor = Anchor(anchor.since)
            continue
        fresh = tuple([row for row in rows if _key(row) not in known]) if known else rows
        idle = 0 if fresh else idle + 1
        if idle > _IDLE:
            raise Malformed("the pages of the source repeat for ever")
        then = _next(anchor, rows, (page - 1) * size) if goes_on(answer, page, size) else None
        if then is not None and _is_beyond(then, began):
            beyond += 1
            then = then if beyond < _BEYOND else None
        yield Stretch(fresh, then, answer.at)
        if then is None:
            return
        if then.offset == 0:
            restarts = 0
            since = then.since
            known = {_key(row) for row in rows if row.updated_at is None or since is None or row.updated_at >= since}
        else:
            known.update(_key(row) for row in rows)
        anchor = then


def _is_beyond(anchor: Anchor, began: datetime | None) -> bool:
    return began is not None and anchor.since is not None and anchor.since > began


def _key(row: Row) -> tuple[str | None, str | None]:
    return row.remote_id, row.stamp


def size_given(answer: Answer, asked: int) -> int:
    """How large the source's pages are, where it allows less than was asked for."""
    if answer.page_size:
        return min(asked, answer.page_size)
    if answer.item_count is None and len(answer.rows) >= _SMALLEST_PAGE:
        return min(asked, len(answer.rows))  # or this is the last page: asking for less does no harm then
    return asked


def goes_on(answer: Answer, page: int, size: int) -> bool:
    """Whether the list goes on behind this page."""
    if not answer.rows:
        return False
    if answer.item_count is not None:
        return page * size < answer.item_count
    return len(answer.rows) >= min(size, _SMALLEST_PAGE)


def _next(anchor: Anchor, rows: tuple[Row, ...], first: int) -> Anchor:
    reached = next((row.updated_at for row in reversed(rows) if row.updated_at is not None), None)
    if reached is not None:
        since = reached.astimezone(UTC).replace(microsecond=0) - _STEP_BACK
        if anchor.since is None or since > anchor.since:
            return Anchor(since)
    return Anchor(anchor.since, first + len(rows), tuple(_key(row) for row in rows[-_TAIL:]))


def _window(offset: int, limit: int) -> tuple[int, int]:
    """The page that begins a little before `offset` and reaches furthest beyond it: its number and size."""
    if offset == 0:
        return 1, limit
    begin, size = window(max(0, offset - max(_TAIL, limit // 20)), limit)
    return begin // size + 1, size


def window(position: int, limit: int) -> tuple[int, int]:
    """The page that begins at a position or before it and reaches furthest beyond it: where it begins, and its size."""
    sizes = range(limit, limit // 2, -1)
    return max(((position // size * size, size) for size in sizes), key=lambda one: one[0] + one[1])
