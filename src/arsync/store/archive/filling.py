"""Rows into a database, in place of all that was in it: in one transaction, proved before it is saved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, insert, inspect, literal, select, text

from arsync.errors import Damaged, Locked, SchemaMismatch
from arsync.store import append_only, leases, statistics, upgrade
from arsync.store import tables as t
from arsync.store.archive.rows import Row, Shape, Sum, counted, put, shapes
from arsync.store.engine import Work


def alone(work: Work, *, now: datetime) -> None:
    """From here to the end of the transaction nobody else works on this database; Locked where somebody does."""
    _ = work.connection  # on SQLite the transaction itself is the lock
    if not inspect(work.connection).has_table(t.leases.name):
        return
    if work.dialect != "sqlite":
        work.execute(text(f"LOCK TABLE {t.leases.name} IN ACCESS EXCLUSIVE MODE"))
    c = t.leases.c
    for name, holder, until in work.execute(select(c.name, c.holder, c.until)):
        if until > now and not leases.is_dead(holder):
            raise Locked(f"{name}, held by {holder}: whoever works on this database must end first")


def fill(work: Work, revision: str, contents: Iterable[tuple[Shape, Iterable[Row]]]) -> dict[str, Sum]:
    """Makes this database hold these rows, of that schema, and nothing else; then brings it to this arsync's schema.

    What each table was given and holds, as was proved by reading all of it again. SchemaMismatch where the rows are of
    a newer schema. On SQLite in a transaction that does not watch references. The caller saves.
    """
    allowances = _clear(work)
    kept = lay(work, revision, contents)
    upgrade.migrate(work.connection, upgrade.head())
    if broken := upgrade.broken_references(work.connection):
        raise Damaged("; ".join(broken))
    if allowances:
        work.execute(insert(t.budgets), allowances)
    statistics.tell(work.connection)
    return kept


def lay(work: Work, revision: str, contents: Iterable[tuple[Shape, Iterable[Row]]]) -> dict[str, Sum]:
    """As `fill` an empty database, which stays at the rows' own schema."""
    if revision not in upgrade.revisions():
        raise SchemaMismatch(f"the data are at {revision}, which is newer than this arsync; upgrade arsync")
    upgrade.migrate(work.connection, revision)
    made = {shape.name: shape for shape in shapes(work.connection)}
    given: dict[str, Sum] = {}
    come: list[Shape] = []
    for shape, rows in contents:
        if shape.name not in made or shape.columns != made[shape.name].columns:
            raise Damaged(f"schema {revision} has no such table: {shape.name} ({', '.join(shape.columns)})")
        given[shape.name] = put(work, shape, rows)
        come.append(shape)
    if lacking := made.keys() - given.keys():
        raise Damaged(f"these tables are missing: {', '.join(sorted(lacking))}")
    kept = {shape.name: counted(work, shape) for shape in come}
    for name, held in kept.items():
        if held != given[name]:
            raise Damaged(f"table {name} holds {held.rows} rows that are not the {given[name].rows} it was given")
    if broken := upgrade.broken_references(work.connection):
        raise Damaged("; ".join(broken))
    _count_on(work, come)
    return kept


def schema_of(work: Work) -> str | None:
    """The schema that the database is at; None where it has none."""
    return upgrade.revision_of(work.connection)


def bring_up(work: Work) -> None:
    """A database of an older schema is brought to this arsync's, for what is to be taken away must be known;
    SchemaMismatch where it is of a newer one. The caller saves."""
    current = schema_of(work)
    upgrade.refuse_newer(current)
    if current is not None and current != upgrade.head():
        upgrade.migrate(work.connection, upgrade.head())


def is_blank(work: Work) -> bool:
    """Whether nothing is in this database that anybody could miss: no schema, or no consent, event or mail."""
    if schema_of(work) is None:
        return True
    there = inspect(work.connection)
    asked = (t.connections, t.grants, t.events, t.replies, t.provider_events, t.suppressions)
    known = [one for one in asked if there.has_table(one.name)]
    return not any(work.execute(select(literal(1)).select_from(one).limit(1)).first() for one in known)


def _clear(work: Work) -> list[dict[str, object]]:
    """Takes every table away; what was spent of the vendors' allowances today, which goes on counting."""
    there = inspect(work.connection)
    if not there.has_table("alembic_version"):
        return []
    spent = [dict(row._mapping) for row in work.execute(select(t.budgets))]
    t.metadata.drop_all(work.connection)
    for table in t.metadata.tables.values():
        if append_only.marked(table):
            append_only.release(work.connection, table.name)
    work.execute(text("DROP TABLE alembic_version"))
    return spent


def _count_on(work: Work, shapes: Iterable[Shape]) -> None:
    """New rows get numbers above those that are there; SQLite sees to that itself."""
    if work.dialect == "sqlite":
        return
    for shape in shapes:
        if shape.key != ("id",) or shape.columns["id"] != "integer":
            continue
        sequence = work.execute(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": shape.name}).scalar()
        highest = work.execute(select(func.max(shape.clause().c.id))).scalar()
        if sequence is not None and highest is not None:
            work.execute(text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})
