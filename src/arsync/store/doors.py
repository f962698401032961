"""What came to each address that others post to, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, update

from arsync.domain.posted import Reception
from arsync.store import tables as t
from arsync.store.bulk import insert_new
from arsync.store.engine import Work

_D: Final = t.doors.c
_BAD: Final = frozenset({Reception.REFUSED, Reception.MALFORMED})


@dataclass(frozen=True, slots=True)
class Door:
    """One address, and what came there."""

    name: str
    taken: int
    known: int
    stranger: int
    refused: int
    malformed: int
    bad_in_a_row: int  # refused or malformed since the last good one
    good_at: datetime | None
    bad_at: datetime | None
    bad: str | None


def note(work: Work, name: str, reception: Reception, *, now: datetime, why: str = "", count: int = 1) -> None:
    """So many posts were received so; `why` where they were refused or malformed."""
    insert_new(work, t.doors, name=name, bad_in_a_row=0, **dict.fromkeys((one.value for one in Reception), 0))
    column = _D[reception.value]
    bad = {"bad_at": now, "bad": why[:300], "bad_in_a_row": _D.bad_in_a_row + count}
    at = bad if reception in _BAD else {"good_at": now, "bad_in_a_row": 0}
    work.execute(update(t.doors).where(_D.name == name).values({reception.value: column + count, **at}))


def every(work: Work) -> list[Door]:
    """All to which anything ever came, by name."""
    return [Door(*row) for row in work.execute(select(t.doors).order_by(_D.name))]
