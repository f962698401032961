"""Statements that every message asks: put together once, and on SQLite handed straight to the driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import BindParameter, Delete, Insert, Select, Update
from sqlalchemy.sql.visitors import cloned_traverse

from arsync.store.engine import Work

Row = tuple[Any, ...]
_Statement = Select[*tuple[Any, ...]] | Insert | Update | Delete
_Change = Callable[[Any], Any]
_ABSENT: Final = object()


class Prepared:
    """One statement whose values are named; columns that it sets may be among them, always the same ones.

    It answers with plain rows in the order of its columns; a statement that returns none answers with none.
    """

    def __init__(self, statement: _Statement | Callable[[str], _Statement]) -> None:
        """Where it is another on each database, it is asked for by the name of the dialect."""
        self._asked = statement
        self._lite: _Lite | None = None
        self._told: _Statement | None = None
        self._of = ""

    def __call__(self, work: Work, **values: Any) -> list[Row]:
        if work.dialect != "sqlite":
            return self._executed(work, values)
        if self._lite is None:
            self._lite = _Lite(work, self._statement(work), values)
        raw = work.driver
        try:
            return self._lite.run(raw, values)
        except sqlite3.Error as error:
            work.make_sure(error)
            return self._executed(work, values)  # once more, for what is wrong to be told as of any statement

    def _executed(self, work: Work, values: dict[str, Any]) -> list[Row]:
        found = work.execute(self._statement(work), values)
        return [tuple(row) for row in found] if found.returns_rows else []

    def _statement(self, work: Work) -> _Statement:
        if not callable(self._asked):
            return self._asked
        if self._told is None or work.dialect != self._of:
            self._told, self._of = self._asked(work.dialect), work.dialect
        return self._told


def _spelled_out(bind: BindParameter[Any]) -> None:
    """Constants stand in the statement itself: where an index is of some rows only (`WHERE state = 'active'`), SQLite
    plans a statement anew at each execution whose parameter decides whether that index will do."""
    if isinstance(bind.value, str | int):
        bind.literal_execute = True


class _Lite:
    """A statement as SQLite's driver takes it, and what becomes of the values on both ways."""

    def __init__(self, work: Work, statement: Any, values: dict[str, Any]) -> None:
        dialect = work.connection.dialect
        statement = cloned_traverse(statement, {}, {"bindparam": _spelled_out})
        compiled = statement.compile(dialect=dialect, column_keys=list(values))
        written = compiled.construct_expanded_state(values)  # lists of constants are written out
        self._text = written.statement
        self._places: list[tuple[str, Any, _Change | None]] = []
        for name in written.positiontup or ():
            bind = compiled.binds.get(name)
            change: _Change | None = written.processors.get(name)
            if bind is not None:
                change = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind is not None and bind.key in values:
                self._places.append((bind.key, _ABSENT, change))
            else:
                fixed = written.parameters[name]
                self._places.append((name, fixed if change is None else change(fixed), None))
        returned = [column.type.dialect_impl(dialect) for column in statement.exported_columns]
        changes = [(place, kind.result_processor(dialect, None)) for place, kind in enumerate(returned)]
        self._changes = [(place, change) for place, change in changes if change is not None]

    def run(self, raw: Any, values: dict[str, Any]) -> list[Row]:
        given = [
            fixed if fixed is not _ABSENT else (values[key] if change is None else change(values[key]))
            for key, fixed, change in self._places
        ]
        rows: list[Row] = raw.execute(self._text, given).fetchall()
        if not rows or not self._changes:
            return rows
        return [self._changed(row) for row in rows]

    def _changed(self, row: Row) -> Row:
        cells = list(row)
        for place, change in self._changes:
            cells[place] = change(cells[place])
        return tuple(cells)
