"""What thousands of tests need alike is done once for the session.

The schema is copied, its statements are compiled once, and a playbook is read again only where a file has changed. What
is saved here has its own tests, which go the whole way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from arsync.domain.policy import Playbook
from arsync.playbook.load import Source, load_whole
from arsync.playbook.problems import Problem
from arsync.store.engine import Store
from arsync.store.upgrade import upgrade


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arsync.db"
        store = Store(f"sqlite:///{path}")
        upgrade(store)
        store.close()
        assert not path.with_name("arsync.db-wal").exists(), "the last connection folds the log into the file"
        return path.read_bytes()


def lay_database(path: Path) -> None:
    """A SQLite database at our schema with nothing in it: a copy of one that the migrations have made."""
    path.write_bytes(_migrated())


@contextmanager
def statements_compiled_once() -> Iterator[None]:
    """Every store compiles its statements into one memory: the text is the same in each database of a kind."""
    compiled: dict[Any, Any] = {}

    def create_engine(url: Any, **options: Any) -> sqlalchemy.Engine:
        return sqlalchemy.create_engine(url, execution_options={"compiled_cache": compiled}, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arsync.store.engine.create_engine", create_engine)
        for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):  # they are a part of what is remembered
            patch.setattr(dialect, "__eq__", lambda one, other: type(one) is type(other))
            patch.setattr(dialect, "__hash__", lambda one: hash(type(one)))
        yield


Read = tuple[Playbook | None, Source | None, tuple[Problem, ...]]


@contextmanager
def playbooks_read_once() -> Iterator[None]:
    """An installation reads a playbook and checks its templates once, until one of the files changes."""
    known: dict[Any, Read] = {}

    def read(path: Path, templates: Path) -> Read:
        files = [path, *sorted(templates.iterdir())]
        as_they_are = tuple((file, (seen := file.stat()).st_mtime_ns, seen.st_ino, seen.st_size) for file in files)
        if as_they_are not in known:
            known[as_they_are] = load_whole(path, templates)
        return known[as_they_are]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arsync.playbook.shelves.load_whole", read)
        yield
