"""The schema: up from empty, the same as our tables, and back; on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from arsync.domain.feedback import EventKind, ProviderEvent
from arsync.errors import ConfigurationError, NotFound, SchemaMismatch
from arsync.store import connections, events, provider_events, tables
from arsync.store.engine import Store
from arsync.store.upgrade import _config, check, head, revisions, upgrade

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


@pytest.fixture
def empty(empty_url: str) -> Store:
    return Store(empty_url)


def test_an_empty_database_is_refused_until_it_is_upgraded(empty: Store) -> None:
    with pytest.raises(SchemaMismatch, match="it is empty; run `arsync db upgrade`"):
        check(empty)
    assert upgrade(empty) == upgrade(empty), "a second upgrade finds nothing to do"
    check(empty)
    empty.close()


def test_the_revisions_are_those_that_alembic_finds() -> None:
    scripts = ScriptDirectory.from_config(_config())
    assert revisions() == {script.revision: script.down_revision for script in scripts.walk_revisions()}
    assert head() == scripts.get_current_head()


def test_the_migrations_make_exactly_the_tables_that_the_code_knows(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        there = inspect(connection)
        for table in tables.metadata.tables.values():
            named = {index["name"] for index in there.get_indexes(table.name)}
            assert {index.name for index in table.indexes} <= named
            checked = {constraint["name"] for constraint in there.get_check_constraints(table.name)}
            assert {name for c in table.constraints if (name := str(c.name)).startswith("ck_")} <= checked


def test_the_partial_unique_indexes_are_partial(store: Store) -> None:
    with store.engine.connect() as connection:
        indexes = {
            index["name"]: index
            for table in ("chases", "messages", "verdicts")
            for index in inspect(connection).get_indexes(table)
        }
    for name in ("uq_messages_live", "uq_verdicts_standing", "uq_chases_live"):
        assert indexes[name]["unique"]
        where = {option: str(value) for option, value in indexes[name]["dialect_options"].items()}
        assert any("where" in option and value for option, value in where.items()), where


def test_a_newer_database_is_refused_and_left_alone(store: Store) -> None:
    with store.working() as work:
        work.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        work.commit()
    for attempt in (check, upgrade):
        with pytest.raises(SchemaMismatch, match="9999, which is newer than this arsync; upgrade arsync"):
            attempt(store)
    with store.reading() as work:
        assert work.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


def test_the_schema_goes_back_to_nothing(store: Store) -> None:
    config = _config()
    with store.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
        assert inspect(connection).get_table_names() == ["alembic_version"]
        if store.engine.dialect.name == "postgresql":
            left = connection.execute(text("SELECT count(*) FROM pg_proc WHERE proname LIKE '%_refuses'"))
            assert left.scalar_one() == 0
    upgrade(store)
    check(store)


@pytest.mark.parametrize("table", ["events", "provider_events"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET kind = 'nothing_happened'", "DELETE FROM {}"])
def test_what_was_logged_or_told_is_never_changed(store: Store, table: str, verb: str) -> None:
    with store.working() as work:
        events.log(work, "bounced", at=NOW)
        event = ProviderEvent("sendgrid", "e1", EventKind.BOUNCED, "ada@example.com", NOW)
        assert provider_events.add(work, event, None, now=NOW)
        work.commit()
    with store.working() as work, pytest.raises((IntegrityError, DBAPIError), match=f"{table} is append-only"):
        work.execute(text(verb.format(table)))
    with store.reading() as work:
        assert work.execute(text(f"SELECT kind FROM {table}")).scalars().all() == ["bounced"]


def test_sqlite_waits_for_the_disk_where_messages_commit(store: Store) -> None:
    if store.engine.dialect.name == "sqlite":
        for durable, level in ((True, 2), (False, 1), (True, 2)):
            with store.working(durable=durable) as work:
                assert work.execute(text("PRAGMA synchronous")).scalar_one() == level
                assert work.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
                assert work.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    else:
        with store.working() as work:
            assert work.execute(text("SHOW synchronous_commit")).scalar_one() == "on"


def test_work_that_is_not_committed_never_happened(store: Store) -> None:
    with store.working() as work:
        events.log(work, "backfill_started", at=NOW)
    with store.reading() as work:
        assert work.execute(text("SELECT count(*) FROM events")).scalar_one() == 0


def test_a_reading_sees_one_moment(store: Store) -> None:
    with store.reading() as work:
        assert work.execute(text("SELECT count(*) FROM events")).scalar_one() == 0
        with store.working() as other:
            events.log(other, "backfill_started", at=NOW)
            other.commit()
        assert work.execute(text("SELECT count(*) FROM events")).scalar_one() == 0
    with store.reading() as work:
        assert work.execute(text("SELECT count(*) FROM events")).scalar_one() == 1


def test_instants_come_back_in_utc_whatever_the_servers_zone(store: Store) -> None:
    with store.working() as work, pytest.raises(NotFound):
        connections.installation(work)
    with store.working() as work:
        first = connections.found_installation(work, now=NOW)
        connections.press_stop(work, author="ann", reason="new price list", now=NOW)
        work.commit()
    with store.working() as work:
        again = connections.found_installation(work, now=NOW)
        assert (again.key, again.stopped_at, again.stop_reason) == (first.key, NOW, "new price list")
        assert again.stopped_at is not None
        assert again.stopped_at.tzinfo is UTC


def test_a_naive_instant_is_refused(store: Store) -> None:
    with store.working() as work, pytest.raises(Exception, match="an instant needs its zone"):
        events.log(work, "backfill_started", at=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "oracle+what://x"])
def test_another_database_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[database\] url"):
        Store(url)
