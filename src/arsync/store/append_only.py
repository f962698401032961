"""Tables whose rows are never changed or deleted, not even by a slip of our own: the database refuses it.

Migrations call these two, so what they do to a table is history: what is to be done otherwise gets another name.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Table

#: In a table's `info`: the migration that makes it protects it, too.
MARK: Final = "append_only"


def marked(table: Table) -> bool:
    """Whether the table is one of them."""
    return bool(table.info.get(MARK))


def protect(connection: Connection, table: str) -> None:
    """From now on the database refuses every change of the table's rows, and every deletion."""
    if connection.dialect.name == "sqlite":
        for verb in ("update", "delete"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    connection.exec_driver_sql(
        f"CREATE FUNCTION {table}_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuses()"
    )


def release(connection: Connection, table: str) -> None:
    """After the table is gone: what `protect` made beside it goes as well."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(f"DROP FUNCTION {table}_refuses()")
