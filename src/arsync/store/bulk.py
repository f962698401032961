"""Many rows at once: the statement is put together once, the rows go to the driver as tuples."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Table

from arsync.store.engine import Work

Row = tuple[Any, ...]

_CHUNK: Final = 5000


def _utc_text(value: datetime) -> str:
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(" ", "microseconds")[:26]


@lru_cache(maxsize=4096)  # the days of ten years
def _day_text(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _as_is(value: Any) -> Any:
    return value


class Adapted:
    """How instants and days are handed to one database's driver."""

    def __init__(self, dialect: str) -> None:
        lite = dialect == "sqlite"
        self.instant: Callable[[datetime], Any] = _utc_text if lite else _as_is
        self.day: Callable[[date | None], Any] = _day_text if lite else _as_is


_ADAPTED: Final = {name: Adapted(name) for name in ("sqlite", "postgresql")}


def adapted(work: Work) -> Adapted:
    """The adapters of this database."""
    return _ADAPTED[work.dialect]


class Upsert:
    """Inserts rows given in the order of the table's columns, or replaces those with the same primary key."""

    def __init__(self, table: Table) -> None:
        columns = [column.name for column in table.columns]
        key = [column.name for column in table.primary_key.columns]
        rest = [name for name in columns if name not in key]
        sets = ", ".join(f"{name} = excluded.{name}" for name in rest)
        self._head = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608 - names of our own tables
        self._tail = f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sets}"
        self._width = len(columns)

    def __call__(self, work: Work, rows: Sequence[Row]) -> None:
        _many(work, self._head + _places(work, self._width) + self._tail, rows)


class Insert:
    """Inserts rows given in the order of the table's columns."""

    def __init__(self, table: Table) -> None:
        columns = [column.name for column in table.columns]
        self._head = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608
        self._width = len(columns)

    def __call__(self, work: Work, rows: Sequence[Row]) -> None:
        _many(work, self._head + _places(work, self._width), rows)


class Lookup:
    """Reads columns of the rows with these ids, as the driver gives them: compare them with what `Adapted` makes."""

    def __init__(self, table: Table, *columns: str) -> None:
        start = f"SELECT remote_id, {', '.join(columns)} FROM {table.name} WHERE connection_id = "  # noqa: S608
        # One parameter for all ids: a statement with one for each would be put together anew for every page.
        self._lite = f"{start}? AND remote_id IN (SELECT value FROM json_each(?))"
        self._other = f"{start}%s AND remote_id = ANY(%s)"

    def __call__(self, work: Work, connection_id: int, ids: Collection[str]) -> Mapping[str, Any]:
        if not ids:
            return {}
        lite = work.dialect == "sqlite"
        wanted: Any = json.dumps(list(ids)) if lite else list(ids)
        found = work.connection.exec_driver_sql(self._lite if lite else self._other, (connection_id, wanted))
        return {row.remote_id: row for row in found}


class DeleteWhere:
    """Deletes the rows whose leading key columns are these."""

    def __init__(self, table: Table, *columns: str) -> None:
        self._table = table.name
        self._columns = columns

    def __call__(self, work: Work, keys: Collection[Row]) -> None:
        mark = "?" if work.dialect == "sqlite" else "%s"
        where = " AND ".join(f"{name} = {mark}" for name in self._columns)
        _many(work, f"DELETE FROM {self._table} WHERE {where}", list(keys))  # noqa: S608


def _places(work: Work, width: int) -> str:
    return "(" + ", ".join(["?" if work.dialect == "sqlite" else "%s"] * width) + ")"


def _many(work: Work, statement: str, rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), _CHUNK):
        work.connection.exec_driver_sql(statement, list(rows[start : start + _CHUNK]))
