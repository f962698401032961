"""Column types: exact amounts and instants in UTC, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, DateTime, Dialect, String, type_coerce
from sqlalchemy.types import TypeDecorator

from arsync.domain.money import from_units, to_units


class Amount(TypeDecorator[Decimal]):
    """A Decimal kept as a whole number of ten-thousandths; its currency stands beside it."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else to_units(Decimal(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else from_units(value)


class Instant(TypeDecorator[datetime]):
    """An aware instant; SQLite keeps it as UTC text that sorts, PostgreSQL as timestamptz."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def units(column: Column[Decimal]) -> ColumnElement[int]:
    """An amount as it is kept: for `from_units`, where rows are read by the hundred thousand."""
    return type_coerce(column, BigInteger)


def day_kept(column: Column[date]) -> ColumnElement[Any]:
    """A day as the database gives it: for `day_of`, where rows are read by the hundred thousand."""
    return type_coerce(column, String)


@lru_cache(maxsize=4096)  # the days of ten years
def day_of(kept: str | date | None) -> date | None:
    """The day of such a column: SQLite gives its text."""
    return date.fromisoformat(kept) if isinstance(kept, str) else kept
