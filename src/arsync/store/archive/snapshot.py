"""All that a database holds at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import text

from arsync.errors import SchemaMismatch
from arsync.store import upgrade
from arsync.store.archive.file import Head
from arsync.store.archive.rows import Row, Shape, Sum, counted, rows, shapes
from arsync.store.engine import Work


def head(work: Work, *, now: datetime, version: str) -> Head:
    """What is said of it; SchemaMismatch where it is empty, or of a newer arsync. One of an older schema will do."""
    schema = upgrade.revision_of(work.connection)
    if schema is None:
        raise SchemaMismatch("it is empty; run `arsync db upgrade`")
    upgrade.refuse_newer(schema)
    installation = work.execute(text("SELECT key FROM installation")).scalar()
    return Head(schema, now, version, work.dialect, installation)


def contents(work: Work) -> Iterator[tuple[Shape, Iterator[Row]]]:
    """Its tables, one after the other."""
    for shape in shapes(work.connection):
        yield shape, rows(work, shape)


def sums(work: Work) -> dict[str, Sum]:
    """What each of its tables holds: every row of them is read. Damaged where one cannot be."""
    return {shape.name: counted(work, shape) for shape in shapes(work.connection)}


def unsound(work: Work) -> list[str]:
    """What the database itself finds wrong with what it keeps, a sentence each."""
    if work.dialect != "sqlite":
        return []
    said = work.execute(text("PRAGMA integrity_check")).scalars().all()
    return [line for line in said if line != "ok"] + upgrade.broken_references(work.connection)
