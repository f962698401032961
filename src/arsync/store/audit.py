"""The log as people read it: who did what when, the newest first, a window of lines at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, false, or_, select

from arsync.store import events
from arsync.store import tables as t
from arsync.store.engine import Work

#: Lines of the log that one question looks at: it is long, and no index would serve every question.
WINDOW: Final = 20_000
#: The author of what nobody decided.
NOBODY: Final = "arsync"
_E: Final = t.events.c


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log; its company None where it is of the installation."""

    id: int
    at: datetime
    kind: str
    author: str
    connection_id: int | None
    chase_id: int | None
    message_id: int | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: of these companies, and of the installation itself where `whole`; by that author, of that kind;
    `people`: only what somebody decided."""

    companies: Collection[int]
    whole: bool = False
    author: str = ""
    kind: str = ""
    people: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """The lines of a page. `further` is where older ones begin, None where there are none; `kinds` and `authors` are
    those that the window has."""

    entries: tuple[Entry, ...]
    further: int | None
    kinds: tuple[str, ...]
    authors: tuple[str, ...]


def told(work: Work, wanted: Wanted, *, before: int | None, most: int) -> Told:
    """Up to so many lines older than that one, of the next `WINDOW` lines of the log. Four queries."""
    last = events.last(work) + 1
    begin = last if before is None else min(before, last)
    end = max(begin - WINDOW, 0)
    seen = and_(_E.id < begin, _E.id >= end, _whose(wanted))
    where = [seen]
    if wanted.author:
        where.append(_E.author == wanted.author)
    elif wanted.people:
        where.append(_E.author != NOBODY)
    if wanted.kind:
        where.append(_E.kind == wanted.kind)
    columns = (_E.id, _E.at, _E.kind, _E.author, _E.connection_id, _E.chase_id, _E.message_id, _E.data)
    rows = work.execute(select(*columns).where(*where).order_by(_E.id.desc()).limit(most + 1)).all()
    entries = tuple(
        Entry(
            row.id, row.at, row.kind, row.author, row.connection_id, row.chase_id, row.message_id, json.loads(row.data)
        )
        for row in rows[:most]
    )
    further = entries[-1].id if len(rows) > most else end or None
    kinds, authors = (
        tuple(sorted(work.execute(select(column).distinct().where(seen)).scalars())) for column in (_E.kind, _E.author)
    )
    return Told(entries, further, kinds, authors)


def _whose(wanted: Wanted) -> ColumnElement[bool]:
    theirs = _E.connection_id.in_(sorted(wanted.companies)) if wanted.companies else false()
    return or_(theirs, _E.connection_id.is_(None)) if wanted.whole else theirs
