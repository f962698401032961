"""A database in which every table has rows: one with a value in each column, one with none wherever that is allowed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Date, Integer, Table, insert

from arsync.store import tables as t
from arsync.store.archive import snapshot
from arsync.store.archive.rows import OF_THE_MACHINE, Sum
from arsync.store.engine import Store, Work
from arsync.store.types import Amount, Instant

_WORDS = re.compile(r"(\w+) IN \((.*)\)")


def fill_every_table(work: Work) -> None:
    """Two rows for each table of an empty database; the caller commits."""
    for table in t.metadata.sorted_tables:
        if table.name in OF_THE_MACHINE:
            continue
        numbered = table.autoincrement_column if table is not t.installation else None  # by the database: 1, 2
        for number in (1, 2) if table is not t.installation else (1,):
            values = {one.name: _value(table, one, number, number == 2) for one in table.columns if one is not numbered}
            work.execute(insert(table).values(values))


def sums(store: Store) -> dict[str, Sum]:
    """What each table holds."""
    with store.reading() as work:
        return snapshot.sums(work)


def _value(table: Table, one: Column[Any], number: int, bare: bool) -> Any:
    for key in one.foreign_keys:
        if key.column.table is table:
            return number - 1 if bare else None
        return None if bare and one.nullable else _value(key.column.table, key.column, number, bare)
    if bare and one.nullable:
        return None
    return _of_its_type(table, one, number)


def _of_its_type(table: Table, one: Column[Any], number: int) -> Any:
    kind = one.type
    if isinstance(kind, Boolean):
        return number % 2 == 1
    if isinstance(kind, Instant):
        return datetime(2026, 9, 1, 12, 30, 15, 123456, UTC) + timedelta(
            days=number, microseconds=-123456 * (number % 2)
        )
    if isinstance(kind, Date):
        return date(2026, 9, 1) + timedelta(days=number)
    if isinstance(kind, Amount):
        return Decimal("-123456789012.3456") * number
    if isinstance(kind, BigInteger):
        return 2**53 + number
    if isinstance(kind, Integer):
        return number
    words = _words(table).get(one.name)
    length: int | None = getattr(kind, "length", None)
    if words is not None:
        return words[-number % len(words)]  # the last states are ends
    return f'{number}{one.name[0]} Élan\n"☃"'[:length] if length is None or length > 8 else f"{number:0{length}}"


def _words(table: Table) -> dict[str, list[str]]:
    checks = [str(one.sqltext) for one in table.constraints if isinstance(one, CheckConstraint)]
    found = [match for check in checks if (match := _WORDS.fullmatch(check))]
    return {match[1]: re.findall(r"'([^']*)'", match[2]) for match in found}
