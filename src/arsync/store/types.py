"""Column types: exact amounts and instants in UTC, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import to_builtins
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


def utc_text(value: datetime | None) -> str | None:
    """An instant as SQLite keeps it, written as SQLAlchemy writes it; msgspec's "2026-01-31T09:30:00Z" comes three
    times as fast as `isoformat`."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("an instant needs its zone")
    text: str = to_builtins(value if value.tzinfo is UTC else value.astimezone(UTC))
    return f"{text[:10]} {text[11:19]}{text[19:-1] or '.000000'}"


class Instant(TypeDecorator[datetime]):
    """An aware instant; SQLite keeps it as UTC text that sorts, PostgreSQL as timestamptz."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        """On SQLite straight to its text."""
        return utc_text if dialect.name == "sqlite" else super().bind_processor(dialect)

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
