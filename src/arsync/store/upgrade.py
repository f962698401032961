"""Bringing a database to this arsync's schema, and refusing one that is not there."""

from __future__ import annotations

import re
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from arsync.errors import Damaged, SchemaMismatch
from arsync.resources import bundled
from arsync.store import statistics
from arsync.store.engine import Store

if TYPE_CHECKING:
    from alembic.config import Config

#: As Alembic writes the head of a migration: what it makes, and what of.
_REVISION: Final = re.compile(r"""^revision(?:: \w+)? = ["'](\w+)["']$""", re.MULTILINE)
_BEFORE: Final = re.compile(r"""^down_revision(?:: [^=]+)? = ["'](\w+)["']$""", re.MULTILINE)


def upgrade(store: Store) -> str:
    """Runs the missing migrations, all or none, and returns the schema's revision."""
    with closing(store.unwatched()) as bare, bare.engine.connect() as connection:
        current = revision_of(connection)
        refuse_newer(current)
        connection.rollback()
        if current != head():
            migrate(connection, head())
            if broken := broken_references(connection):
                raise Damaged("; ".join(broken))
            connection.commit()
        statistics.tell(connection)
        connection.commit()
    return head()


def check(store: Store) -> None:
    """SchemaMismatch with the way out, unless the database is at this arsync's schema."""
    with store.engine.connect() as connection:
        current = revision_of(connection)
    if current is None:
        raise SchemaMismatch("it is empty; run `arsync db upgrade`")
    require(current)


def require(current: str) -> None:
    """SchemaMismatch with the way out, unless that is this arsync's schema."""
    if current == head():
        return
    refuse_newer(current)
    raise SchemaMismatch("run `arsync db upgrade`")


@cache
def revisions() -> dict[str, str | None]:
    """Each revision of the schema that this arsync knows, with the one before it.

    Read off the migrations' first lines: every command asks, and loading Alembic costs it more than all else it does.
    """
    found: dict[str, str | None] = {}
    for path in sorted((bundled("migrations") / "versions").glob("*.py")):
        script = path.read_text(encoding="utf-8")
        if made := _REVISION.search(script):
            before = _BEFORE.search(script)
            found[made[1]] = before[1] if before else None
    return found


def head() -> str:
    """The newest revision."""
    (newest,) = set(revisions()) - set(revisions().values())
    return newest


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at; None where it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def broken_references(connection: Connection) -> list[str]:
    """Which rows refer to others that are not there. PostgreSQL never lets that come about."""
    if connection.dialect.name != "sqlite":
        return []
    found = connection.execute(text("PRAGMA foreign_key_check")).all()
    return sorted({f"a row of {table} refers to one of {parent} that is not there" for table, _, parent, _ in found})


def migrate(connection: Connection, revision: str) -> None:
    """Runs the migrations up to that revision on a database that is behind it; the caller commits."""
    if not connection.in_transaction():
        connection.begin()  # or Alembic commits after each migration
    from alembic import command  # noqa: PLC0415 - a quarter of a command's start, for what is seldom to be done

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(bundled("migrations")).replace("%", "%%"))
    return config


def refuse_newer(current: str | None) -> None:
    """SchemaMismatch where this arsync does not know that schema."""
    if current is not None and current not in revisions():
        raise SchemaMismatch(f"the database is at {current}, which is newer than this arsync; upgrade arsync")
