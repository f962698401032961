"""The rows of a database in one form, the same on SQLite and PostgreSQL, to be kept, compared and put back.

A row is a JSON list in the order of its table's columns; instants are in UTC, days as 2026-01-31, amounts the whole
numbers that they are kept as. The rows of a table come in the order of its key, and its hash is that of their lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Date,
    DateTime,
    Integer,
    String,
    Text,
    collate,
    column,
    insert,
    inspect,
    select,
    table,
)
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from arsync.errors import ConfigurationError, Damaged
from arsync.store.engine import Work
from arsync.store.types import Instant

#: Of this machine and this hour, not of the installation: who works or is logged in right now, and what was spent of
#: the vendors' allowances today. None of it goes into an archive.
OF_THE_MACHINE: Final = frozenset({"leases", "budgets", "sessions", "login_tries"})
_NOT_OURS: Final = ("alembic_version", "sqlite_", "procrastinate")
#: Rows at a time, read and written.
_AT_ONCE: Final = 1000

#: A column's kind, and how a database's own types are told.
_KINDS: Final[tuple[tuple[type[Any], str], ...]] = (
    (Boolean, "boolean"),
    (DateTime, "instant"),
    (Date, "day"),
    (Integer, "integer"),
    (String, "text"),
)
_TYPES: Final[Mapping[str, Any]] = {
    "boolean": Boolean(),
    "instant": Instant(),
    "day": Date(),
    "integer": BigInteger(),
    "text": Text(),
}
#: From JSON; what is not here stays as it is.
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {"instant": datetime.fromisoformat, "day": date.fromisoformat}
_PYTHON: Final[Mapping[str, type[Any]]] = {"boolean": bool, "integer": int, "text": str}
_encode: Final = msgspec.json.Encoder().encode

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """One table: its columns with their kinds, in order, and the columns of its key."""

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]

    def clause(self) -> Any:
        """As SQLAlchemy takes it."""
        return table(self.name, *(column(name, _TYPES[kind]) for name, kind in self.columns.items()))


@dataclass(frozen=True, slots=True)
class Sum:
    """How many rows a table has, and the hash of their lines."""

    rows: int
    sha256: str


class Summed:
    """Adds up rows as they go by."""

    def __init__(self) -> None:
        self._hash = sha256()
        self._rows = 0

    def add(self, line: bytes) -> None:
        """One row's line."""
        self._hash.update(line)
        self._hash.update(b"\n")
        self._rows += 1

    @property
    def sum(self) -> Sum:
        """What has gone by so far."""
        return Sum(self._rows, self._hash.hexdigest())


def line(row: Row) -> bytes:
    """The row's one form."""
    return _encode(row)


def shapes(connection: Connection) -> list[Shape]:
    """The tables of this database that belong into an archive, each after those that it refers to; also at an older
    schema than ours."""
    there = inspect(connection)
    found = []
    for name, _ in there.get_sorted_table_and_fkc_names():
        if name is None or name in OF_THE_MACHINE or name.startswith(_NOT_OURS):
            continue
        columns = {one["name"]: _kind(name, one) for one in there.get_columns(name)}
        found.append(Shape(name, columns, tuple(there.get_pk_constraint(name)["constrained_columns"])))
    return found


def _kind(table_name: str, found: Mapping[str, Any]) -> str:
    for kind, word in _KINDS:
        if isinstance(found["type"], kind):
            return word
    raise ConfigurationError(
        f"{table_name}.{found['name']} is of a type that arsync's tables do not have: a database of its own is needed"
    )


def rows(work: Work, shape: Shape) -> Iterator[Row]:
    """Its rows in the order of its key; Damaged where one cannot be read."""
    clause = shape.clause()
    order = [
        # By their bytes, as SQLite does, whatever the server's language.
        collate(clause.c[name], "C") if work.dialect != "sqlite" and shape.columns[name] == "text" else clause.c[name]
        for name in shape.key
    ]
    query = select(clause).order_by(*order).execution_options(stream_results=True, yield_per=_AT_ONCE)
    number = 0
    try:
        for number, row in enumerate(work.execute(query), start=1):  # noqa: B007 - told below
            yield tuple(row)
    except (ValueError, TypeError) as error:
        raise Damaged(f"table {shape.name}, after row {number}: {error}") from None


def counted(work: Work, shape: Shape) -> Sum:
    """What the table holds now."""
    summed = Summed()
    for row in rows(work, shape):
        summed.add(line(row))
    return summed.sum


def read(shape: Shape, cells: list[Any]) -> Row:
    """A row from its line's cells; ValueError where they do not fit the columns."""
    if len(cells) != len(shape.columns):
        raise ValueError(f"{len(cells)} values for {len(shape.columns)} columns")
    return tuple(_cell(name, kind, value) for (name, kind), value in zip(shape.columns.items(), cells, strict=True))


def _cell(name: str, kind: str, value: Any) -> Any:
    if value is None:
        return None
    reader = _READERS.get(kind)
    if reader is not None and isinstance(value, str):
        return reader(value)
    if reader is not None or type(value) is not _PYTHON[kind]:
        raise ValueError(f"{name} is no {kind}")
    return value


def put(work: Work, shape: Shape, given: Iterable[Row]) -> Sum:
    """Stores the rows; what they sum up to. Damaged where the database does not take one."""
    statement = insert(shape.clause())
    names = list(shape.columns)
    summed = Summed()
    batch: list[dict[str, Any]] = []
    for row in given:
        summed.add(line(row))
        batch.append(dict(zip(names, row, strict=True)))
        if len(batch) == _AT_ONCE:
            _store(work, shape, statement, batch)
            batch = []
    if batch:
        _store(work, shape, statement, batch)
    return summed.sum


def _store(work: Work, shape: Shape, statement: Any, batch: list[dict[str, Any]]) -> None:
    try:
        work.execute(statement, batch)
    except (IntegrityError, DataError) as error:
        said = next(iter(str(error.orig).strip().splitlines()), type(error.orig).__name__)
        place = ", ".join(f"{name} {batch[0][name]}" for name in shape.key)
        raise Damaged(f"table {shape.name}, in the {len(batch)} rows from {place}: {said}") from None
    except SQLAlchemyError as error:
        raise Damaged(f"table {shape.name}: {type(error).__name__}") from None
