"""Backups, restores and copies: whole or not at all, and the same rows in each database."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from tests.integration.store.books import NOW, TERM, Books, customer, invoice, open_books
from tests.integration.store.every_table import fill_every_table, sums
from tests.postgres import Server

from arsync.connector import NoteTarget, TargetKind
from arsync.domain.states import Health, MessageState, NoteState
from arsync.errors import Damaged, Locked, SchemaMismatch, UsageError
from arsync.ops import archives
from arsync.store import connections, duties, events, notes, tables, upgrade
from arsync.store.archive import snapshot
from arsync.store.archive.rows import OF_THE_MACHINE, Row, Shape
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock
from arsync.worker.jobs import held_lock


def test_every_table_is_in_an_archive_or_of_the_machine(store: Store, tmp_path: Path, clock: FixedClock) -> None:
    whole = archives.back_up(store, tmp_path / "a.gz", clock)
    assert whole.tables.keys() | OF_THE_MACHINE == tables.metadata.tables.keys()


def test_what_is_put_back_is_what_was_kept(filled: Store, tmp_path: Path, clock: FixedClock) -> None:
    before = sums(filled)
    whole = archives.back_up(filled, tmp_path / "a.gz", clock)
    assert whole.tables == before
    assert all(one.rows for one in before.values()), "every table has rows"
    with archives.unpacked(tmp_path / "a.gz") as (head, kept, scratch):
        assert (head.schema, head.taken_at) == (upgrade.head(), NOW)
        assert kept == before == sums(scratch)
    with filled.working() as work:
        events.log(work, "since_then", at=NOW)
        work.commit()
    moved = archives.put_back(filled, tmp_path / "a.gz", clock, author="ann", replace=True)
    assert moved.tables == before
    changed = {name for name, one in sums(filled).items() if one != before[name]}
    assert changed == {"connections", "cursors", "events"}, (
        "the health, where the notes are read back from, and the log"
    )
    with filled.working() as work:
        assert events.newest(work, ["since_then"]) is None
        assert events.newest(work, ["database_restored"]) is not None


def test_a_copy_holds_the_same_rows_in_the_other_database(
    filled: Store, database: str, tmp_path: Path, postgres: Server, clock: FixedClock
) -> None:
    name = postgres.fresh()
    target = Store(f"sqlite:///{tmp_path / 'target.db'}" if database == "postgresql" else postgres.url(name))
    before = sums(filled)
    moved = archives.copy(filled, target, clock, author="ann")
    assert moved.tables == before
    changed = {name for name, one in sums(target).items() if one != before[name]}
    assert changed == {"connections", "cursors", "events"}
    with target.working() as work:
        run = insert(tables.runs).values(kind="run", started_at=NOW).returning(tables.runs.c.id)
        assert work.execute(run).scalar() == 3, "numbers go on above those that are there"
        with pytest.raises(DBAPIError, match="append-only"), work.part():
            work.execute(text("DELETE FROM events"))
    target.close()
    postgres.drop(name)


# --- one moment, and a file that is whole or not there --------------------------------------------------------


def test_a_backup_is_of_one_moment_whoever_writes_meanwhile(
    filled: Store, tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two tables another process commits an event, and a company's reason."""
    before = sums(filled)
    whole = snapshot.contents

    def disturbed(work: object) -> Iterator[tuple[Shape, Iterator[Row]]]:
        for shape, rows in whole(work):  # type: ignore[arg-type]
            with filled.working() as other:
                events.log(other, "meanwhile", at=NOW, connection_id=1)
                other.execute(text(f"UPDATE connections SET health_reason = 'before {shape.name}'"))
                other.commit()
            yield shape, rows

    monkeypatch.setattr(snapshot, "contents", disturbed)
    assert archives.back_up(filled, tmp_path / "a.gz", clock).tables == before


# --- who may, and what becomes of it --------------------------------------------------------------------------


def test_data_are_replaced_only_where_that_is_said(filled: Store, kept: Path, clock: FixedClock) -> None:
    with pytest.raises(UsageError, match="holds data already: --replace puts the archive in its place"):
        archives.put_back(filled, kept, clock, author="ann", replace=False)


def test_nothing_is_put_back_while_anybody_works(filled: Store, kept: Path, clock: FixedClock) -> None:
    before = sums(filled)
    with filled.reading() as work:
        those = connections.connections(work)[:1]
    lock = held_lock(filled, clock, those)
    with pytest.raises(Locked, match="whoever works on this database must end first"):
        archives.put_back(filled, kept, clock, author="ann", replace=True)
    assert sums(filled) == before
    lock.drop()
    archives.put_back(filled, kept, clock, author="ann", replace=True)


def test_a_copy_waits_for_who_works_and_stops_the_old_one(filled: Store, tmp_path: Path, clock: FixedClock) -> None:
    with filled.working() as work:
        connections.release_stop(work)
        work.commit()
    target = Store(f"sqlite:///{tmp_path / 'target.db'}")
    with filled.reading() as work:
        those = connections.connections(work)[:1]
    lock = held_lock(filled, clock, those)
    with pytest.raises(Locked):
        archives.copy(filled, target, clock, author="ann")
    lock.drop()
    archives.copy(filled, target, clock, author="ann")
    for store, stopped in ((filled, True), (target, False)):
        with store.reading() as work:
            assert (connections.installation(work).stopped_at is not None) is stopped
    with pytest.raises(UsageError, match="holds data already: a copy goes into one without"):
        archives.copy(filled, target, clock, author="ann")
    target.close()


def test_tokens_that_were_renewed_since_the_backup_stay(store: Store, tmp_path: Path, clock: FixedClock) -> None:
    """
    backup    harbour: old, thames: old
    12:10     harbour's are renewed; thames' consent is given anew, as another grant
    restore   both as they were last, for the vendors take an old refresh token no more
    """
    harbour, thames = open_books(store), open_books(store, "thames", provider="xero")
    archives.back_up(store, tmp_path / "a.gz", clock)
    clock.advance(600)
    with store.working() as work:
        connections.replace_tokens(work, harbour.connection.grant_id, "renewed", now=clock.now())
        anew = connections.add_grant(work, provider="xero", sealed="consented again", now=clock.now())
        connections.link(work, name="thames", provider="xero", external_id="thames", grant_id=anew, now=clock.now())
        work.commit()
    archives.put_back(store, tmp_path / "a.gz", clock, author="ann", replace=True)
    with store.reading() as work:
        assert connections.sealed_tokens(work, connections.connection_by_id(work, harbour.id).grant_id) == "renewed"
        again = connections.connection_by_id(work, thames.id)
        assert again.grant_id == thames.connection.grant_id
        assert connections.sealed_tokens(work, again.grant_id) == "consented again"
    archives.back_up(store, tmp_path / "b.gz", clock)
    empty = Store(f"sqlite:///{tmp_path / 'empty.db'}")
    archives.put_back(empty, tmp_path / "a.gz", clock, author="ann", replace=False)
    archives.put_back(empty, tmp_path / "b.gz", clock, author="ann", replace=True)
    with empty.reading() as work:
        assert connections.sealed_tokens(work, harbour.connection.grant_id) == "renewed", "older ones replace nothing"
    empty.close()


def test_the_days_allowances_go_on_counting(filled: Store, kept: Path, clock: FixedClock) -> None:
    with filled.working() as work:
        work.execute(insert(tables.budgets).values(scope="xero app", account='{"spent": 1}'))
        work.commit()
    archives.put_back(filled, kept, clock, author="ann", replace=True)
    with filled.reading() as work:
        assert work.execute(text("SELECT scope, account FROM budgets")).all() == [("xero app", '{"spent": 1}')]


def test_what_was_on_its_way_is_unknown_and_nothing_goes_out(store: Store, tmp_path: Path, clock: FixedClock) -> None:
    """
    C1    claimed          the worker is gone: approved again
    C2    past the gate    it may have left: unknown
    note  being written    it may stand in the source: unknown
    night being done       whoever takes it does it
    """
    books = open_books(store)
    books.keep(customer("C1"), customer("C2"), invoice("I1"), invoice("I2", customer="C2"))
    books.follow()
    books.plan("C1"), books.plan("C2", invoices=("I2",))
    for message in books.claim():
        assert books.confirm(message)
        if message.payer_id == "C2":
            assert books.pass_gate(message) is None
    with store.working() as work:
        target = NoteTarget(TargetKind.INVOICE, "I1")
        notes.plan(
            work, connection_id=books.id, message_id=None, target=target, text="said", marker="[arsync:1-1]", now=NOW
        )
        assert notes.claim(work, books.id, term=TERM, now=NOW) is not None
        duties.begin(work, "night harbour", due=NOW, now=NOW)
        work.commit()
    archives.back_up(store, tmp_path / "a.gz", clock)
    clock.advance(3600)
    moved = archives.put_back(store, tmp_path / "a.gz", clock, author="ann", replace=True)
    assert (moved.arrived.connections, moved.arrived.released, moved.arrived.unknown) == (1, 1, 2)
    assert [books.message(number).state for number in (1, 2)] == [MessageState.APPROVED, MessageState.UNKNOWN]
    with store.reading() as work:
        (note,) = notes.in_states(work, list(NoteState))
        here, installation = connections.connection_by_id(work, books.id), connections.installation(work)
        assert duties.standing(work)["night harbour"].begun_at is None
    assert (note.state, note.tried_at) == (NoteState.UNKNOWN, clock.now())
    assert here.health is Health.RECOVERING
    assert here.health_reason == "restored from a backup of 2026-09-01 12:00 UTC"
    assert installation.stopped_by == "ann"
    assert installation.stop_reason is not None
    (again,) = Books(store, here).claim(now=clock.now())
    Books(store, here).confirm(again)
    assert Books(store, here).pass_gate(again) == "stopped"
    with store.working() as work:
        connections.release_stop(work)
        work.commit()
    Books(store, here).confirm(again)
    assert Books(store, here).pass_gate(again) == "the connection is recovering"


# --- killed ---------------------------------------------------------------------------------------------------

#: A process that is killed where it comes to a table; `given` is what it does.
_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from arsync.ops import archives
from arsync.store.archive import file, filling, rows, snapshot
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock

doing, url, archive, at = sys.argv[1:]
put, line, commits = filling.put, file.line, 0

def putting(work, shape, given):
    if shape.name == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return put(work, shape, given)

def writing(row):
    global commits
    commits += 1
    if commits == 40:
        os.kill(os.getpid(), signal.SIGKILL)
    return line(row)

def observing(moment, what):
    if at == f"{moment} {what}":
        os.kill(os.getpid(), signal.SIGKILL)

store, clock = Store(url, observe=observing), FixedClock(datetime(2026, 9, 1, 12, tzinfo=UTC))
if doing == "restore":
    filling.put = putting
    archives.put_back(store, Path(archive), clock, author="ann", replace=True)
else:
    file.line = writing
    archives.back_up(store, Path(archive), clock)
"""


def killed(doing: str, store: Store, archive: Path, at: str) -> None:
    command = [sys.executable, "-c", _KILLED, doing, store.url, str(archive), at]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("at", ["message_items", "before commit"])
def test_a_restore_that_is_killed_leaves_what_was_there(filled: Store, kept: Path, clock: FixedClock, at: str) -> None:
    with filled.working() as work:
        events.log(work, "since_then", at=NOW)
        work.commit()
    before = sums(filled)
    killed("restore", filled, kept, at)
    assert sums(filled) == before
    archives.put_back(filled, kept, clock, author="ann", replace=True)


def test_a_restore_that_is_killed_leaves_an_empty_database_empty(kept: Path, empty_url: str, clock: FixedClock) -> None:
    empty = Store(empty_url)
    killed("restore", empty, kept, "messages")
    with pytest.raises(SchemaMismatch, match="it is empty"):
        upgrade.check(empty)
    archives.put_back(empty, kept, clock, author="ann", replace=False)
    upgrade.check(empty)
    empty.close()


def test_a_backup_that_is_killed_leaves_nothing_by_its_name(filled: Store, tmp_path: Path, clock: FixedClock) -> None:
    path = tmp_path / "backups" / "a.gz"
    killed("backup", filled, path, "")
    assert [one.name for one in path.parent.iterdir() if not one.name.endswith(".part")] == []
    archives.back_up(filled, path, clock)
    assert [one.name for one in path.parent.iterdir()] == ["a.gz"], "what it has left goes with the next"


# --- what the databases do not share --------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["sqlite"])
def test_what_another_database_does_not_take_is_named(
    filled: Store, postgres: Server, tmp_path: Path, clock: FixedClock
) -> None:
    with filled.working() as work:
        work.execute(text("UPDATE comments SET author = 'a' || char(0) || 'b' WHERE id = 2"))
        work.commit()
    name = postgres.fresh()
    target = Store(postgres.url(name))
    with pytest.raises(Damaged, match=r"table comments, in the 2 rows from id 1: .*NUL"):
        archives.copy(filled, target, clock, author="ann")
    with filled.reading() as work:
        assert connections.installation(work).stopped_by != "ann", "what came to nothing stops nobody"
    target.close()
    postgres.drop(name)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_day_that_is_none_is_named(filled: Store, clock: FixedClock) -> None:
    with filled.working() as work:
        work.execute(text("UPDATE invoices SET due_on = 'soon' WHERE number LIKE '2%'"))
        work.execute(text("UPDATE invoices SET due_on = 'soon'"))
        work.commit()
    with pytest.raises(Damaged, match=r"table invoices, after row 0: .*soon"):
        archives.look_over(filled, clock)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_damaged_file_is_found(store_url: str, clock: FixedClock) -> None:
    """An index that has lost an entry; a row that refers to nothing."""
    store = Store(store_url)
    with store.working() as work:
        fill_every_table(work)
        work.commit()
    with store.working() as work:
        work.execute(text("PRAGMA writable_schema=ON"))
        work.execute(
            text("UPDATE sqlite_schema SET sql = replace(sql, '(number)', '(currency)') WHERE name = :name"),
            {"name": "ix_invoices_number"},
        )
        work.commit()
    store.close()
    with pytest.raises(Damaged, match="ix_invoices_number"):
        archives.look_over(Store(store_url), clock)
