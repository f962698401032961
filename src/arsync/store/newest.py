"""Newest wins, by (update time, version): which of two tellings of a record is the later one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Table, select

from arsync.store.bulk import among
from arsync.store.engine import Work


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


def known(work: Work, connection_id: int, table: Table, ids: Collection[str], *columns: Any) -> dict[str, Any]:
    """These columns of the rows that are there, by id."""
    c = table.c
    query = select(c.remote_id, *columns).where(c.connection_id == connection_id, among(work, c.remote_id, ids))
    return {row.remote_id: row for row in work.execute(query)}
