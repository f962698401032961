"""What all tables have in common: one registry, and columns and indexes by their trade's words."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def one_of(name: str, kind: type[StrEnum], **options: Any) -> Column[str]:
    """A text column that holds a state; the database refuses any other word."""
    return Column(name, String(24), nullable=False, **options)


def only(name: str, kind: type[StrEnum]) -> CheckConstraint:
    """The database's refusal of any other word in that column."""
    words = ", ".join(f"'{word.value}'" for word in kind)
    return CheckConstraint(f"{name} IN ({words})", name=name)


def partial(name: str, *columns: str | ColumnElement[Any], where: str, unique: bool = False) -> Index:
    """An index over the rows that matter only."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


def connection() -> Column[int]:
    """The company that a row is of."""
    return Column("connection_id", Integer, ForeignKey("connections.id"), nullable=False)
