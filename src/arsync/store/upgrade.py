"""Bringing a database to this arsync's schema, and refusing one that is not there."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from arsync.errors import SchemaMismatch
from arsync.resources import bundled
from arsync.store import statistics
from arsync.store.engine import Store


def upgrade(store: Store) -> str:
    """Runs the missing migrations and returns the schema's revision."""
    config = _config()
    with store.engine.connect() as connection:
        _refuse_newer(MigrationContext.configure(connection).get_current_revision(), config)
        connection.rollback()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        statistics.tell(connection)
        connection.commit()
    return _head(config)


def check(store: Store) -> None:
    """SchemaMismatch with the way out, unless the database is at this arsync's schema."""
    config = _config()
    with store.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == _head(config):
        return
    _refuse_newer(current, config)
    raise SchemaMismatch("run `arsync db upgrade`" if current else "it is empty; run `arsync db upgrade`")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(bundled("migrations")).replace("%", "%%"))
    return config


def _head(config: Config) -> str:
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None, "the migrations are shipped with the program"
    return head


def _refuse_newer(current: str | None, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaMismatch(f"the database is at {current}, which is newer than this arsync; upgrade arsync")
