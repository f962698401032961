"""Newest wins, by (update time, version): which of two tellings of a record is the later one."""

from __future__ import annotations

from collections import defaultdict, namedtuple
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, bindparam, literal_column, select

from arsync.store.bulk import Row, among, among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared


def is_older(one: Any, other: Any) -> bool:
    """By update time, then by version, which is a number at some sources: 9 comes before 10."""
    if one.updated_at != other.updated_at:
        return bool(one.updated_at < other.updated_at)
    return _rank(one) < _rank(other)


def _rank(one: Any) -> tuple[int, str]:
    version = str(getattr(one, "version", ""))
    return (len(version), version) if version.isdecimal() else (0, version)


def is_buried(record: Any, row: Any) -> bool:
    """Whether the record is known to be gone, and this is not a later one."""
    return row.state == "deleted" and not is_older(row, record)


class Known:
    """What a table knows of some records: these columns of the rows that are there, by id.

    Put together once, for it is asked with every page: SQLAlchemy's expressions are expensive to make, and those of
    `among` are rings that keep a page's ids in memory until the collector of garbage comes by.
    """

    def __init__(self, table: Table, *columns: ColumnElement[Any]) -> None:
        c = table.c
        query = select(c.remote_id, *columns).where(c.connection_id == bindparam("of"))
        self._query: Final = Prepared(lambda dialect: query.where(among_those(dialect, c.remote_id)))
        names = ["remote_id", *(str(column.key) for column in columns)]
        row: Any = namedtuple("row", names)  # type: ignore[misc] # each table has its own
        self._made: Final[Callable[[Iterable[Any]], Any]] = row._make

    def __call__(self, work: Work, connection_id: int, ids: Collection[str]) -> dict[str, Any]:
        found = self._query(work, of=connection_id, those=those(work, ids))
        return {row[0]: self._made(row) for row in found}


#: Columns that tell how a record was come by, and nothing of the debt. That an invoice is marked as sent, or when its
#: payment is expected, may be our own doing, and no plan looks at it.
_NO_FACTS: Final = frozenset({"updated_at", "version", "sent", "expected_on"})


def unchanged(
    work: Work, connection_id: int, table: Table, rows: Sequence[Row], parts: Table, part_rows: Iterable[Row]
) -> set[str]:
    """The ids of those records, given as they are about to be stored with their parts (lines, contacts), that say what
    the cache says already. A note of ours may touch its record: that is no reason to plan anew."""
    if not rows:
        return set()
    ids = [row[1] for row in rows]
    columns = [column.name for column in table.columns]
    facts = [place for place, name in enumerate(columns) if name not in _NO_FACTS]
    told = {row[1]: tuple(row[place] for place in facts) for row in rows}
    known = _plain(work, connection_id, table, ids)
    same = {row[1] for row in known if told[row[1]] == tuple(row[place] for place in facts)}
    theirs: defaultdict[str, set[Row]] = defaultdict(set)
    for part in part_rows:
        theirs[part[1]].add(part)
    ours: defaultdict[str, set[Row]] = defaultdict(set)
    for part in _plain(work, connection_id, parts, same):
        ours[part[1]].add(part)
    return {remote_id for remote_id in same if theirs[remote_id] == ours[remote_id]}


def _plain(work: Work, connection_id: int, table: Table, ids: Collection[str]) -> list[Row]:
    """Rows as the driver gives them, which is how they are written; the second column is the record's id."""
    if not ids:
        return []
    columns = list(table.columns)
    query: Select[*tuple[Any, ...]] = select(
        *(literal_column(f"{table.name}.{column.name}") for column in columns)
    ).select_from(table)
    query = query.where(columns[0] == connection_id, among(work, columns[1], ids))
    return [tuple(row) for row in work.execute(query)]
