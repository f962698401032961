"""Who may come, as `arsync user` says."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from tests.acceptance.installation import arsync_here
from tests.integration.store.books import open_books
from tests.shortcuts import lay_database

from arsync.store import users
from arsync.store.engine import Store
from arsync.web import passwords


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Harbour and Thames."""
    (tmp_path / "arsync.toml").write_text("", encoding="utf-8")
    lay_database(tmp_path / "arsync.db")
    store = Store(f"sqlite:///{tmp_path}/arsync.db")
    open_books(store, "harbour")
    open_books(store, "thames")
    store.close()
    return tmp_path


def arsync(folder: Path, *words: str, status: int = 0) -> str:
    ran = arsync_here("--config", str(folder / "arsync.toml"), "user", *words, status=status)
    return ran.out + ran.err


def type_in(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))


def kept(folder: Path, name: str) -> users.User:
    store = Store(f"sqlite:///{folder}/arsync.db")
    with store.reading() as work:
        found = users.by_name(work, name)
    store.close()
    return found


def test_a_person_is_added_changed_and_removed_and_the_log_has_who_said_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, "a long enough word")
    added = arsync(folder, "add", "Ann", "--role", "viewer", "--connection", "harbour", "--author", "boss")
    assert added == "ann may come, as viewer\n"
    assert "a long enough word" not in (kept(folder, "ann").password or "")
    assert passwords.is_right("a long enough word", kept(folder, "ann").password)
    arsync(folder, "add", "eve", "--role", "admin", "--everywhere", "--no-password")
    arsync(folder, "role", "ann", "collector", "--connection", "harbour", "--connection", "thames")
    rows = [line.split() for line in arsync(folder, "list").splitlines()[1:]]
    assert rows == [
        ["ann", "collector", "harbour,", "thames", "password"], ["eve", "admin", "all", "proxy"],
    ]  # fmt: skip
    type_in(monkeypatch, "quite another word")
    arsync(folder, "password", "ann")
    assert passwords.is_right("quite another word", kept(folder, "ann").password)
    arsync(folder, "remove", "ANN")
    assert "ann" not in arsync(folder, "list")
    store = Store(f"sqlite:///{folder}/arsync.db")
    with store.reading() as work:
        told = work.connection.exec_driver_sql("SELECT kind, author, data FROM events ORDER BY id").all()
    store.close()
    assert [row[0] for row in told] == [
        "user_added", "user_added", "user_changed", "password_changed", "user_removed",
    ]  # fmt: skip
    assert told[0][1] == "boss"
    assert "word" not in "".join(row[2] for row in told)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "ann", "--role", "viewer"), "each --connection, or --everywhere"),
        (("add", "ann", "--role", "viewer", "--everywhere", "--connection", "harbour"), "each --connection, or"),
        (("add", "ann", "--role", "viewer", "--connection", "nowhere"), "nowhere"),
        (("add", "ann lee", "--role", "viewer", "--everywhere"), "without blanks"),
        (("add", "ann", "--role", "viewer", "--everywhere"), "12 letters at least"),
        (("remove", "ann"), "a user 'ann'"),
        (("password", "ann"), "a user 'ann'"),
        (("role", "ann", "admin", "--everywhere"), "a user 'ann'"),
    ],
)
def test_what_cannot_be_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], why: str
) -> None:
    type_in(monkeypatch, "short")
    assert why in arsync(folder, *words, status=2)
    assert arsync(folder, "list").splitlines()[1:] == []
