"""Many rows at once: statements that are put together once, and rows that go to the driver as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    TextClause,
    any_,
    bindparam,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from arsync.store.engine import Work
from arsync.store.types import utc_text

Row = tuple[Any, ...]

#: Rows to a statement: a row costs a third less than by itself. Few sizes, as the driver keeps each statement it has
#: prepared, and not more rows, as databases take some ten thousand parameters.
_SIZES: Final = (500, 150, 40)


@lru_cache(maxsize=4096)  # the days of ten years
def _day_text(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _as_is(value: Any) -> Any:
    return value


class Adapted:
    """How instants and days are handed to one database's driver."""

    def __init__(self, dialect: str) -> None:
        lite = dialect == "sqlite"
        self.instant: Callable[[datetime], Any] = utc_text if lite else _as_is
        self.day: Callable[[date | None], Any] = _day_text if lite else _as_is


_ADAPTED: Final = {name: Adapted(name) for name in ("sqlite", "postgresql")}


def adapted(work: Work) -> Adapted:
    """The adapters of this database."""
    return _ADAPTED[work.dialect]


class Insert:
    """Inserts rows given in the order of the table's columns."""

    def __init__(self, table: Table, ending: str = "") -> None:
        columns = [column.name for column in table.columns]
        self._head = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608 - names of our own tables
        self._ending = ending
        self._width = len(columns)
        # The very same text each time: the driver finds what it has prepared without comparing 30,000 characters.
        self._statements: dict[tuple[str, int], str] = {}

    def __call__(self, work: Work, rows: Sequence[Row]) -> None:
        mark = _mark(work)
        start = 0
        for size in _SIZES:
            while start + size <= len(rows):
                flat = tuple(chain.from_iterable(rows[start : start + size]))
                work.connection.exec_driver_sql(self._statement(mark, size), flat)
                start += size
        if start < len(rows):
            work.connection.exec_driver_sql(self._statement(mark, 1), list(rows[start:]))

    def _statement(self, mark: str, size: int) -> str:
        known = self._statements.get((mark, size))
        if known is None:
            one = "(" + ", ".join([mark] * self._width) + ")"
            known = self._statements[mark, size] = self._head + ", ".join([one] * size) + self._ending
        return known


class Upsert(Insert):
    """Inserts rows given in the order of the table's columns, or replaces those with the same primary key; no two of
    them have the same."""

    def __init__(self, table: Table) -> None:
        key = [column.name for column in table.primary_key.columns]
        sets = ", ".join(
            f"{column.name} = excluded.{column.name}" for column in table.columns if column.name not in key
        )
        super().__init__(table, f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sets}")
        #: the same where none of them is there; IntegrityError where one is
        self.new: Final = Insert(table)


class DeleteWhere:
    """Deletes the rows whose leading key columns are these."""

    def __init__(self, table: Table, *columns: str) -> None:
        self._table = table.name
        self._columns = columns

    def __call__(self, work: Work, keys: Collection[Row]) -> None:
        if keys:
            where = " AND ".join(f"{name} = {_mark(work)}" for name in self._columns)
            work.connection.exec_driver_sql(f"DELETE FROM {self._table} WHERE {where}", list(keys))  # noqa: S608


#: Not built by SQLAlchemy's functions: what they are made of takes longer than the statement.
_LISTED: Final = text("SELECT value FROM json_each(:listed)")


def _listed(values: Collection[str] | Collection[int]) -> TextClause:
    return _LISTED.bindparams(bindparam("listed", json.dumps(list(values)), unique=True))


def among(work: Work, column: ColumnElement[Any], values: Collection[str]) -> ColumnElement[bool]:
    """Whether the text column holds one of these values, however many: they travel as one parameter, for a statement
    with a parameter for each would be put together anew every time."""
    if work.dialect == "sqlite":
        return column.in_(_listed(values))
    return column == any_(literal(list(values), ARRAY(String)))


def among_those(dialect: str, column: Column[Any], name: str = "those") -> ColumnElement[bool]:
    """As `among`, for a statement that is put together once: the values are given with it as `those(work, values)`
    under that name."""
    if dialect == "sqlite":
        return column.in_(select_those(dialect, name))
    return column == any_(bindparam(name, type_=ARRAY(column.type)))


def select_those(dialect: str, name: str = "those") -> Select[Any]:
    """The texts given as `those(work, values)`, as rows of a query."""
    if dialect == "sqlite":
        return select(func.json_each(bindparam(name)).table_valued("value").c.value)
    return select(func.unnest(bindparam(name, type_=ARRAY(String))))


def those(work: Work, values: Collection[str] | Collection[int]) -> Any:
    """The values for `among_those`."""
    return json.dumps(list(values)) if work.dialect == "sqlite" else list(values)


def among_ids(work: Work, column: Column[Any], values: Collection[int]) -> ColumnElement[bool]:
    """As `among`, of whole numbers."""
    if work.dialect == "sqlite":
        return column.in_(_listed(values))
    return column == any_(literal(list(values), ARRAY(Integer)))


def _mark(work: Work) -> str:
    return "?" if work.dialect == "sqlite" else "%s"


def insert_new(work: Work, table: Table, **row: Any) -> bool:
    """Inserts the row; False where another has just inserted one of its key."""
    put = postgresql.insert if work.dialect == "postgresql" else sqlite.insert
    key = next(iter(table.primary_key.columns))
    return work.execute(put(table).values(**row).on_conflict_do_nothing().returning(key)).first() is not None
