"""Where a pull stands among records ordered by their update time.

Offsets over an order that moves skip a record for each one edited. So every page starts again at the time stamp the
last one ended with, at position 1. Only where one second holds more records than a page does an offset count, and
then pages overlap: when none of the last page's tail is met again, the second is read anew from its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from arsync.connector import Broken
from arsync.domain.documents import Record

#: the most that one answer holds
PAGE_SIZE: Final = 1000
#: How many records two pages inside one second share.
_OVERLAP: Final = 50
#: More marks than these are not worth a place in a stored cursor: their records then come twice.
_MARKS_KEPT: Final = 100


Item = Record | Broken


@dataclass(frozen=True, slots=True)
class Seen:
    """What a walk needs to know of a record that is not mapped; None for what it does not tell."""

    remote_id: str | None
    version: str
    updated_at: datetime | None


def mark(item: Item | Seen) -> str:
    """What tells a record apart from itself before and after an edit."""
    return f"{item.remote_id}:{getattr(item, 'version', '')}"


def _changed_at(item: Item | Seen) -> datetime | None:
    """When a broken record was changed cannot be told."""
    return None if isinstance(item, Broken) else item.updated_at


@dataclass(frozen=True, slots=True)
class Position:
    """The next page: records changed at `anchor` or later, from the `start`th on; `met` are known already."""

    anchor: datetime | None = None
    start: int = 1
    met: frozenset[str] = frozenset()

    def after(self, items: Sequence[Item | Seen], size: int | None = None) -> Position | None:
        """The position after a page of these records, in its order, or None where it was the last."""
        size = size or PAGE_SIZE
        if self.start > 1 and not any(mark(item) in self.met for item in items):
            return Position(anchor=self.anchor)  # records left this second while we read it
        if len(items) < size:
            return None
        last = max((at for at in map(_changed_at, items) if at is not None), default=self.anchor)
        if last is not None and (self.anchor is None or last > self.anchor):
            ties = (item for item in items if _changed_at(item) in (None, last))
            return Position(anchor=last, met=frozenset(map(mark, ties)))
        overlap = min(_OVERLAP, size // 2)
        return Position(
            anchor=self.anchor,
            start=self.start + len(items) - overlap,
            met=frozenset(map(mark, items[-overlap:])),
        )

    def to_json(self) -> dict[str, object]:
        """The position as it stands in a cursor."""
        found: dict[str, object] = {}
        if self.anchor is not None:
            found["from"] = self.anchor.isoformat()
        if self.start > 1:
            found["start"] = self.start
        if self.met and len(self.met) <= _MARKS_KEPT:
            found["met"] = sorted(self.met)
        return found

    @classmethod
    def from_json(cls, found: dict[str, object]) -> Position:
        """The position that `to_json` wrote; ValueError where it is none."""
        anchor, start, met = found.get("from"), found.get("start", 1), found.get("met", [])
        if not isinstance(anchor, str | None) or not isinstance(start, int) or not isinstance(met, list):
            raise ValueError("not a position")
        return cls(
            anchor=datetime.fromisoformat(anchor) if anchor else None,
            start=start,
            met=frozenset(str(mark) for mark in met),
        )
