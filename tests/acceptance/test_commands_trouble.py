"""What a new user gets wrong, and what breaks under an installation: a sentence and a status, never a traceback."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from tests.acceptance.installation import Installation, arsync_here, arsync_process

from arsync.store.engine import Store

EVERY = (
    ["connections"], ["plan"], ["run"], ["sync"], ["backfill"], ["holds"], ["approve"], ["quarantine"], ["stop"],
    ["start"], ["explain", "H-1"], ["hold", "H-1", "--reason", "x"], ["dispute", "H-1", "--reason", "x"], ["lift", "1"],
    ["doctor"], ["db", "upgrade"], ["playbook", "show"],
)  # fmt: skip


# --- the command line itself --------------------------------------------------------------------------------------


def test_the_version_needs_no_command() -> None:
    assert arsync_here("--version").out.strip().count(".") == 2


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["rum"], "'run'"),
        (["playbok", "lint"], "'playbook'"),
        (["plan", "--as-off", "2026-09-15"], "--as-of"),
        (["hold", "H-1", "--reasn", "x"], "--reason"),
        (["db", "upgrad"], "'upgrade'"),
        (["lift"], "hold"),
        (["lift", "first"], "integer"),
        (["hold", "H-1", "--reason", "x", "--kind", "disput"], "'dispute'"),
        (["connect", "quickboks", "--refresh-token", "x", "--external-id", "1"], "quickbooks"),
    ],
)
def test_a_misspelt_word_is_wrong_usage_and_answered_with_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], suggestion: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert suggestion in arsync_here(*words, status=2).err.casefold()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('[defaults]\nplaybok = "standard"\n', "did you mean defaults.playbook?"),
        ('[delivry]\nchannel = "file"\n', "did you mean delivery?"),
        ('[xero]\nclient_id = "x"\nclient_secrt = "y"\n', "did you mean xero.client_secret?"),
        ("[defaults\n", "arsync.toml"),
        ("\x00\x01", "arsync.toml"),
        ('[defaults]\ntimezone = "Europe/Lundon"\n', "Europe/London"),
        ('[database]\nurl = "mysql://x"\n', "postgresql+psycopg://"),
        ('[defaults]\nmode = "whenever"\n', "approve"),
        ("database = 3\n", "database"),
        ('[safety]\nmax_messages_per_run = "many"\n', "safety.max_messages_per_run"),
    ],
)
def test_a_wrong_configuration_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arsync.toml").write_text(wrong)
    assert said in arsync_here("connect", "xero", "--refresh-token", "x", "--external-id", "1", status=2).err
    assert said in arsync_here("doctor", status=1).out


def test_a_configuration_that_is_not_there_or_cannot_be_read_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        assert str(path) in arsync_here("--config", str(path), "plan", status=2).err
        arsync_here("--config", str(path), "doctor", status=1)


def test_an_environment_variable_that_names_nothing_is_wrong_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARSYNC_DEFAULTS__PLAYBOK", "x")
    refused = arsync_here("plan", status=2)
    assert "ARSYNC_DEFAULTS__PLAYBOK" in refused.err
    assert "defaults.playbook" in refused.err


def test_output_fits_into_a_terminal_of_another_encoding(shop: Installation) -> None:
    harbor = shop.books["harbor"]
    harbor.invoice(harbor.customer("Élan 株式会社", email="accounts@elan.example"))
    shop.arsync("sync")
    assert "lan" in shop.process("plan", PYTHONIOENCODING="ascii").out


def test_a_reader_who_leaves_early_is_no_failure_of_ours(shop: Installation) -> None:
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen(
        [sys.executable, "-m", "arsync", "--config", str(shop.config), "plan", "--json"], stdout=write,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        os.close(write)
        _, err = process.communicate(timeout=60)
    assert "Traceback" not in err


# --- the database ---------------------------------------------------------------------------------------------------


def _garbled(shop: Installation) -> None:
    shop.database.write_bytes(b"this is no database " * 500)


def _torn(shop: Installation) -> None:
    with closing(sqlite3.connect(shop.database)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = shop.database.stat().st_size
    with shop.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


def _a_folder(shop: Installation) -> None:
    shop.database.unlink()
    shop.database.mkdir()


def _another_arsyncs(shop: Installation) -> None:
    with closing(sqlite3.connect(shop.database)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()


@pytest.mark.parametrize("damage", [_garbled, _torn, _a_folder, _another_arsyncs])
def test_a_database_that_cannot_be_used_is_a_sentence_for_every_command(
    shop: Installation, damage: Callable[[Installation], None]
) -> None:
    for beside in ("arsync.db-wal", "arsync.db-shm"):
        assert not (shop.folder / beside).exists(), "every command closes its database"
    damage(shop)
    for command in EVERY:
        if command[0] in ("playbook",):
            continue
        told = shop.arsync(*command, status=None)
        assert told.status in (1, 2), command
        assert "database" in told.said
        assert len(told.err.splitlines()) <= 2, told.err


def test_a_postgresql_that_is_down_is_said_without_its_password(shop: Installation) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # bound, and nobody listens
        text = shop.config.read_text()
        shop.config.write_text(
            f'[database]\nurl = "postgresql+psycopg://arsync:pa55word-of-ours@127.0.0.1:{port}/arsync"\n{text}'
        )
        for command in EVERY:
            if command[0] == "playbook":
                continue
            told = shop.arsync(*command, status=1)
            assert "database" in told.said
            assert "refused" in told.said
            assert "pa55word" not in told.said


def test_a_database_held_by_a_long_writer_is_another_run(shop: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arsync.store.engine.BUSY_SECONDS", 0)
    with closing(sqlite3.connect(shop.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "Another run holds the lock" in shop.arsync("hold", "H-1", "--reason", "x", status=3).err
        other.execute("ROLLBACK")
    shop.arsync("hold", "H-1", "--reason", "x")


# --- the key --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [None, b"", b"not a key", Fernet.generate_key()], ids=["lost", "empty", "no key", "another"]
)
def test_a_lost_or_wrong_key_stops_what_needs_it_and_says_what_to_do(shop: Installation, content: bytes | None) -> None:
    right = shop.key.read_bytes()
    shop.key.unlink()
    if content is not None:
        shop.key.write_bytes(content)
        shop.key.chmod(0o600)
    for command in ("sync", "run", "backfill"):
        refused = shop.arsync(command, status=2)
        assert "key" in refused.err
    assert "vault" in shop.arsync("doctor", status=1).out
    shop.arsync("stop")  # needs no key
    shop.arsync("start")
    assert shop.letters() == []

    shop.key.write_bytes(right)
    shop.arsync("run")
    assert len(shop.letters()) == 3


# --- vendors --------------------------------------------------------------------------------------------------------


def test_a_vendor_that_cannot_be_reached_fails_the_command_and_nothing_goes_out(shop: Installation) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        text = shop.config.read_text()
        clock = f'clock_url = "{shop.sandbox.url}'
        shop.config.write_text(text.replace(shop.sandbox.url, nowhere).replace(f'clock_url = "{nowhere}', clock))
        for command in ("sync", "run"):
            told = shop.arsync(command, status=1)
            assert "harbor:" in told.said
            assert "thames:" in told.said
        refused = shop.arsync(
            "connect", "xero", "--refresh-token", "x", "--external-id", shop.books["thames"].id, status=1
        )
        assert "did not answer" in refused.err
    assert shop.letters() == []
    assert {one["health"] for one in shop.json("connections")} <= {"partial", "recovering"}


def test_a_rehearsal_whose_clock_is_gone_says_so(shop: Installation) -> None:
    shop.config.write_text(shop.config.read_text().replace("/_sandbox/clock", "/_sandbox/sundial"))
    assert "no clock at" in shop.arsync("run", status=2).err
    assert "no clock at" in shop.arsync("doctor", status=1).out


def test_half_a_rehearsal_is_refused(shop: Installation) -> None:
    text = shop.config.read_text()
    shop.config.write_text(text.replace(f'api_url = "{shop.sandbox.xero_api}"', 'api_url = "https://api.xero.example"'))
    assert "a rehearsal is a whole one" in shop.arsync("run", status=2).err
    assert shop.letters() == []


# --- playbooks ------------------------------------------------------------------------------------------------------


def test_lint_names_every_problem_with_its_file_and_line(shop: Installation) -> None:
    folder = shop.folder / "playbooks"
    folder.mkdir()
    (folder / "broken.yaml").write_text(
        "name: broken\ngap: many\nwindow:\n  opens: '25:00'\nsteps:\n"
        "  - id: one\n    offset: 1\n    channel: pigeon\n    tone: friendly\n    template: friendly\n"
        "  - id: one\n    offset: 2\n    channel: email\n    tone: friendly\n    template: nonesuch\n"
    )
    told = shop.arsync("playbook", "lint", status=1).out
    for line in (2, 4, 8):
        assert f"broken.yaml:{line}" in told, told
    listed = shop.arsync("playbook", "lint", "--json", status=1).json()
    assert len(listed) >= 3
    (folder / "broken.yaml").write_text("name: [\n  - {")
    assert "broken.yaml:" in shop.arsync("playbook", "lint", status=1).out
    (folder / "broken.yaml").write_bytes(b"\xff\xfe\x00")
    assert "broken.yaml:" in shop.arsync("playbook", "lint", status=1).out
    assert "nofile.yaml" in shop.arsync("playbook", "lint", "nofile.yaml", status=1).out


def test_show_tells_the_ladder(shop: Installation) -> None:
    told = shop.arsync("playbook", "show").out
    for step in ("courtesy", "friendly", "firm", "call", "final"):
        assert step in told
    shown = shop.json("playbook", "show", "standard")
    assert [step["offset"] for step in shown["steps"]] == [-3, 3, 14, 21, 30, 0]
    assert "nonesuch" in shop.arsync("playbook", "show", "nonesuch", status=2).err


# --- doctor ---------------------------------------------------------------------------------------------------------


def failures(shop: Installation) -> str:
    findings = shop.json("doctor", status=1)
    assert {frozenset(one) for one in findings} == {frozenset({"level", "subject", "detail", "mend"})}
    return "\n".join(f"{one['subject']}: {one['detail']}" for one in findings if one["level"] == "fail")


def test_the_doctor_finds_a_healthy_installation_healthy(shop: Installation) -> None:
    assert {one["level"] for one in shop.json("doctor")} <= {"ok", "warn"}


def test_pulling_needs_no_sender(shop: Installation) -> None:
    shop.config.write_text(shop.config.read_text().replace("from = ", "#from = "))
    for command in ("backfill", "sync", "reconcile", "recover"):
        shop.arsync(command, "thames")
    assert "delivery.from is missing" in shop.arsync("run", status=2).err


def test_the_doctor_finds_each_broken_piece(shop: Installation) -> None:
    text = shop.config.read_text()

    shop.key.chmod(0o644)
    assert failures(shop).startswith("vault: ")
    shop.key.chmod(0o600)

    shop.config.write_text(text.replace("from = ", "#from = "))
    assert "delivery.from is missing" in failures(shop)
    shop.config.write_text(text.replace('channel = "file"', 'channel = "sendgrid"').replace("api_key", "#api_key"))
    assert "sendgrid.api_key is missing" in failures(shop)
    shop.config.write_text(text.replace("[defaults]", '[defaults]\nplaybook = "nonesuch"'))
    assert "playbooks: nonesuch" in failures(shop)
    shop.config.write_text(text.replace("client_secret", "#client_secret"))
    assert "client_secret: is missing" in failures(shop)
    shop.config.write_text(text)

    (shop.folder / "playbooks").mkdir()
    (shop.folder / "playbooks" / "standard.yaml").write_text("name: standard\nsteps: none\n")
    assert "standard.yaml:2" in failures(shop)
    (shop.folder / "playbooks" / "standard.yaml").unlink()

    (shop.folder / "outbox").write_text("a file where a folder should be")
    assert "delivery: " in failures(shop)
    (shop.folder / "outbox").unlink()

    shop.sandbox.advance(days=2)
    assert "older than 26 hours" in failures(shop)
    shop.arsync("sync")
    assert {one["level"] for one in shop.json("doctor")} <= {"ok", "warn"}


def test_the_doctor_examines_an_empty_folder(tmp_path: Path) -> None:
    told = arsync_process("doctor", cwd=tmp_path, status=1)
    assert "run `arsync init`" in told.out
    assert list(tmp_path.iterdir()) == []


def test_no_database_is_left_open_by_a_store_that_could_not_be_opened(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    with pytest.raises(Exception, match="The database cannot be used"), store.reading():
        pass
    store.close()


def test_a_schedule_that_never_meets_the_send_window_fails_with_its_mend(shop: Installation) -> None:
    """The playbook writes on business days from nine to five; a worker that only works at night never sends."""

    def unmet(dispatch: str) -> list[tuple[str, str]]:
        shop.configure(more=f'[worker]\nnightly = "0 2 * * *"\ndispatch = "{dispatch}"\n')
        found = shop.arsync("doctor", "--json", status=None).json()
        return [(one["level"], one["detail"]) for one in found if one["subject"] == "worker"]

    assert unmet("30 10 * * tue") == []
    said = "no job of a worker falls into the send window of playbook standard"
    assert unmet("off") == unmet("30 10 * * sat,sun") == [("fail", f"harbor: {said}"), ("fail", f"thames: {said}")]
