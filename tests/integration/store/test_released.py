"""From each released schema, with data in it, to ours: in place, and out of a backup."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.store.every_table import fill_every_table, sums
from tests.integration.store.released import RELEASED, candidate, write_candidate

from arsync.errors import SchemaMismatch, UsageError
from arsync.ops import archives
from arsync.resources import bundled
from arsync.store import connections, upgrade
from arsync.store.archive import filling
from arsync.store.archive.file import Archive
from arsync.store.archive.rows import Shape, shapes
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock

#: A change as a later release may bring it: a column with a value for some rows, a table that is made anew.
_NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"

def upgrade():
    op.add_column("comments", sa.Column("pinned", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE comments SET pinned = true WHERE id = 1")
    with op.batch_alter_table("connections") as batch:  # SQLite makes it anew, and everything refers to it
        batch.alter_column("health_reason", existing_type=sa.Text(), nullable=True)
"""


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def empty(empty_url: str) -> Iterator[Store]:
    store = Store(empty_url)
    yield store
    store.close()


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An arsync with one more migration."""
    folder = tmp_path / "migrations"
    shutil.copytree(bundled("migrations"), folder)
    (folder / "versions" / "0000_next.py").write_text(_NEXT.format(head=upgrade.head()), encoding="utf-8")
    monkeypatch.setattr(upgrade, "bundled", lambda _name: folder)
    upgrade.revisions.cache_clear()
    yield
    upgrade.revisions.cache_clear()


def lay(store: Store, archive: Path) -> dict[str, Shape]:
    """The database as that release left it."""
    with closing(store.unwatched()) as bare, bare.working() as work, Archive(archive).read() as (head, contents):
        filling.lay(work, head.schema, contents)
        work.commit()
    with store.reading() as work:
        return {shape.name: shape for shape in shapes(work.connection)}


def kept_as_they_were(store: Store, before: dict[str, Shape]) -> set[str]:
    """The tables whose columns are those of then."""
    with store.reading() as work:
        return {shape.name for shape in shapes(work.connection) if before.get(shape.name) == shape}


@pytest.mark.parametrize("archive", RELEASED, ids=lambda path: path.name)
def test_a_released_database_is_upgraded_where_it_lies(empty: Store, archive: Path) -> None:
    before = lay(empty, archive)
    was = sums(empty)
    assert all(one.rows for one in was.values()), "every table has rows"
    assert upgrade.upgrade(empty) == upgrade.head()
    upgrade.check(empty)
    same = kept_as_they_were(empty, before)
    assert {name: one for name, one in sums(empty).items() if name in same} == {
        name: one for name, one in was.items() if name in same
    }
    assert {name: one.rows for name, one in was.items() if name in before.keys() - same} == {
        name: one.rows for name, one in sums(empty).items() if name in before.keys() - same
    }


@pytest.mark.parametrize("archive", RELEASED, ids=lambda path: path.name)
def test_a_backup_of_a_released_arsync_is_taken_in(empty: Store, archive: Path, clock: FixedClock) -> None:
    archives.put_back(empty, archive, clock, author="ann", replace=False)
    upgrade.check(empty)
    with empty.reading() as work:
        assert len(connections.connections(work)) == 2


@pytest.mark.parametrize("database", ["sqlite"])
def test_the_newest_schema_has_its_archive(database: str, tmp_path: Path) -> None:
    """Where this fails: python -m tests.integration.store.released (docs/data.md, CONTRIBUTING.md)."""
    write_candidate(tmp_path / "now.jsonl.gz")
    now = archives.read_through(tmp_path / "now.jsonl.gz")
    assert any(
        (kept := archives.read_through(path)).head.schema == now.head.schema and kept.tables == now.tables
        for path in RELEASED
    ), f"{candidate().name} is not of the present tables"


# --- the next one, before there is any ------------------------------------------------------------------------------


@pytest.mark.usefixtures("next_release")
def test_the_next_migration_finds_the_data_of_before(empty: Store, tmp_path: Path, clock: FixedClock) -> None:
    """A backup before the upgrade; the upgrade; the same backup, put back into what it made."""
    lay(empty, candidate_before())
    with pytest.raises(SchemaMismatch, match="run `arsync db upgrade`"):
        upgrade.check(empty)
    archives.back_up(empty, tmp_path / "before.gz", clock)
    assert upgrade.upgrade(empty) == "next"
    pinned = "SELECT id, pinned FROM comments ORDER BY id"
    with empty.reading() as work:
        assert [(row.id, bool(row.pinned)) for row in work.execute(text(pinned))] == [(1, True), (2, False)]
    archives.put_back(empty, tmp_path / "before.gz", clock, author="ann", replace=True)
    upgrade.check(empty)
    with empty.reading() as work:
        assert [(row.id, bool(row.pinned)) for row in work.execute(text(pinned))] == [(1, True), (2, False)]


def test_a_backup_is_put_back_in_place_of_a_database_that_was_not_upgraded_yet(
    store: Store, tmp_path: Path, clock: FixedClock, request: pytest.FixtureRequest
) -> None:
    """A newer arsync, a database as the older one left it, and tokens renewed since the backup: these stay."""
    with store.working() as work:
        fill_every_table(work)
        work.commit()
    whole = archives.back_up(store, tmp_path / "before.gz", clock)
    with store.working() as work:
        for company in connections.connections(work):
            connections.replace_tokens(work, company.grant_id, "renewed", now=clock.now() + timedelta(days=40000))
        work.commit()
    request.getfixturevalue("next_release")
    with pytest.raises(UsageError, match="--replace"):
        archives.put_back(store, tmp_path / "before.gz", clock, author="ann", replace=False)
    with store.reading() as work:
        assert filling.schema_of(work) != "next", "what was refused has changed nothing"
    moved = archives.put_back(store, tmp_path / "before.gz", clock, author="ann", replace=True)
    assert moved.tables == whole.tables
    upgrade.check(store)
    with store.reading() as work:
        grants = {company.grant_id for company in connections.connections(work)}
        assert {connections.sealed_tokens(work, grant) for grant in grants} == {"renewed"}


def test_a_copy_goes_into_an_empty_database_of_an_older_schema(
    tmp_path: Path, empty: Store, request: pytest.FixtureRequest, clock: FixedClock
) -> None:
    upgrade.upgrade(empty)
    request.getfixturevalue("next_release")
    with closing(Store(f"sqlite:///{tmp_path / 'source.db'}")) as source:
        upgrade.upgrade(source)
        archives.copy(source, empty, clock, author="ann")
    upgrade.check(empty)


def test_an_older_arsync_refuses_what_a_newer_has_upgraded(
    store: Store, tmp_path: Path, clock: FixedClock, request: pytest.FixtureRequest
) -> None:
    with store.working() as work:
        fill_every_table(work)
        work.commit()
    request.getfixturevalue("next_release")
    upgrade.upgrade(store)
    archives.back_up(store, tmp_path / "newer.gz", clock)
    request.getfixturevalue("monkeypatch").undo()
    upgrade.revisions.cache_clear()
    said = "next, which is newer than this arsync; upgrade arsync"
    for attempt in (
        lambda: upgrade.check(store),
        lambda: upgrade.upgrade(store),
        lambda: archives.look_over(store, clock),
        lambda: archives.back_up(store, tmp_path / "again.gz", clock),
        lambda: archives.put_back(store, tmp_path / "newer.gz", clock, author="ann", replace=True),
    ):
        with pytest.raises(SchemaMismatch, match=said):
            attempt()


def candidate_before() -> Path:
    """The newest archive that this checkout has."""
    return RELEASED[-1]
