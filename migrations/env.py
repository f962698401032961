"""Alembic's entry: migrates the connection it is given, or the database of `-x url=...`."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import Connection, create_engine

from arsync.store.append_only import marked
from arsync.store.tables import metadata
from arsync.store.types import Amount, Instant


def plainly(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Migrations are history: they name plain types, not ours that may change."""
    if kind == "type" and isinstance(item, Amount):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    return False


class Protect(ops.MigrateOperation):
    """A table that has just been made is append-only, or one that was is gone."""

    def __init__(self, verb: str, table: str) -> None:
        self.verb, self.table = verb, table


@renderers.dispatch_for(Protect)
def _written(written: AutogenContext, step: Protect) -> str:
    written.imports.add("from arsync.store import append_only")
    return f"append_only.{step.verb}(op.get_bind(), {step.table!r})"


def protected(_context: Any, _revision: Any, scripts: list[ops.MigrationScript]) -> None:
    """Beside each table that is marked as append-only stands what makes it so."""
    for script in scripts:
        for steps, kind, verb in (
            (script.upgrade_ops, ops.CreateTableOp, "protect"),
            (script.downgrade_ops, ops.DropTableOp, "release"),
        ):
            if steps is not None:
                steps.ops = [step for one in steps.ops for step in (one, *_beside(one, kind, verb))]


def _beside(step: ops.MigrateOperation, kind: type[ops.MigrateOperation], verb: str) -> list[Protect]:
    table = metadata.tables.get(getattr(step, "table_name", ""))
    return [Protect(verb, table.name)] if isinstance(step, kind) and table is not None and marked(table) else []


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        render_item=plainly,
        process_revision_directives=protected,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).connect() as own:
        migrate(own)
        own.commit()
