"""Alembic's entry: migrates the connection it is given, or the database of `-x url=...`."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, create_engine

from arsync.store.tables import metadata
from arsync.store.types import Amount, Instant


def plainly(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Migrations are history: they name plain types, not ours that may change."""
    if kind == "type" and isinstance(item, Amount):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    return False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        render_item=plainly,
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
