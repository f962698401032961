"""The queue's own tables: in a schema of their own beside ours, laid anew where they are not as its version has them.

Nothing of worth stands in them, so they are never migrated.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import DateTime, column, func, make_url, select, table, text

from arsync.errors import ConfigurationError
from arsync.store.engine import Store

SCHEMA: Final = "arsync_queue"
#: As for our own connections: whoever is suspended with a lock in its hands must not stop everybody for ever.
_SESSION: Final = (
    f"SET search_path = {SCHEMA}; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'"
)
_WORKERS: Final = table("procrastinate_workers", column("last_heartbeat", DateTime(timezone=True)), schema=SCHEMA)
_COMMENT: Final = text("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = :name")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who answers the queue."""

    living: int  # heard of within the silence that was asked for
    heard_at: datetime | None  # when anybody was heard of last, by the database's clock


def package_tables() -> str:
    """The tables as the installed package makes them; ConfigurationError where it is not installed."""
    try:
        from procrastinate.schema import SchemaManager  # noqa: PLC0415 - an extra: embedded mode needs none of it
    except ModuleNotFoundError:
        raise ConfigurationError(
            'worker.queue = "procrastinate" needs its package: pip install "arsync[queue]"'
        ) from None
    return SchemaManager.get_schema()


def conninfo(store: Store) -> str:
    """The same database, as libpq has it."""
    return make_url(store.url).set(drivername="postgresql").render_as_string(hide_password=False)


def configure(connection: Any) -> None:
    """Makes a connection of psycopg one of the queue's."""
    connection.execute(_SESSION)
    connection.commit()


async def configure_async(connection: Any) -> None:
    """As `configure`, of an asynchronous one."""
    await connection.execute(_SESSION)
    await connection.commit()


def is_laid(store: Store, tables: str) -> bool:
    """Whether the queue's tables are there, as that text makes them."""
    return _laid(store) == _mark(tables)


def are_any(store: Store) -> bool:
    """Whether tables of the queue are there, of whatever version."""
    return _laid(store) is not None


def _laid(store: Store) -> str | None:
    with store.engine.connect() as connection:
        return connection.execute(_COMMENT, {"name": SCHEMA}).scalar()


def crowd(store: Store, silence: timedelta) -> Crowd:
    """Who answers; the tables are laid."""
    beat = _WORKERS.c.last_heartbeat
    query = select(func.count().filter(beat > func.now() - silence), func.max(beat))
    with store.engine.connect() as connection:
        living, heard_at = connection.execute(query).one()
    return Crowd(living, heard_at)


def lay(store: Store, tables: str) -> None:
    """Makes the queue's tables by that text, anew where others are there; nothing where they are as it makes them."""
    if is_laid(store, tables):
        return
    with store.engine.connect() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        connection.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{_mark(tables)}'"))
        connection.execute(text(f"SET LOCAL search_path = {SCHEMA}"))
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(tables)  # many statements at once, which only the driver takes
        connection.commit()


def _mark(tables: str) -> str:
    return hashlib.sha256(tables.encode()).hexdigest()[:16]
