"""The queue's own tables: in a schema of their own beside ours, laid anew where they are not as its version has them.

Nothing of worth stands in them, so they are never migrated.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from sqlalchemy import make_url, text

from arsync.store.engine import Store

SCHEMA: Final = "arsync_queue"
#: As for our own connections: whoever is suspended with a lock in its hands must not stop everybody for ever.
_SESSION: Final = (
    f"SET search_path = {SCHEMA}; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'"
)
_COMMENT: Final = text("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = :name")


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
    with store.engine.connect() as connection:
        return connection.execute(_COMMENT, {"name": SCHEMA}).scalar() == _mark(tables)


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
