"""A report as a sheet of columns and rows, whoever shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from arsync.store.connections import Connection

Cell = str | int | Decimal | date | None


class Unit(StrEnum):
    """What the values of a column are."""

    TEXT = "text"
    DATE = "date"
    MONEY = "money"  # in the currency that stands in the same row
    COUNT = "count"
    DAYS = "days"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; an `aside` one is for programs: people read it in the headline, or not at all."""

    name: str
    unit: Unit = Unit.TEXT
    aside: bool = False

    @property
    def key(self) -> str:
        """What programs call it: `kept %` is `kept_percent`."""
        return self.name.lower().replace("%", "percent").replace(" ", "_")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A report. Each row, and each of the totals, has a value for every column; the notes say what it lacks."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[tuple[Cell, ...], ...] = ()
    notes: tuple[str, ...] = ()

    def records(self, rows: Iterable[tuple[Cell, ...]]) -> list[dict[str, Any]]:
        """The rows with each value by its column's key."""
        keys = [column.key for column in self.columns]
        return [dict(zip(keys, row, strict=True)) for row in rows]


@dataclass(frozen=True, slots=True)
class Office:
    """A company, and the day of its own for which it is looked at: the end of it."""

    connection: Connection
    on: date
    today: date
    timezone: str

    @property
    def id(self) -> int:
        return self.connection.id

    @property
    def name(self) -> str:
        return self.connection.name


def headline(what: str, offices: Iterable[Office]) -> str:
    """The report's name and its day, or days."""
    days = sorted({office.on for office in offices})
    return f"{what} on {', '.join(map(str, days))}" if days else what
