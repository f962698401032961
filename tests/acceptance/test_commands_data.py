"""`arsync db`: what is kept, put back and copied, on a running installation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from tests.acceptance.installation import MORNING, Installation, Ran
from tests.postgres import Server

from arsync.ops import archives


def archive_of(ran: Ran) -> Path:
    """The file that a backup has written."""
    found = re.match(r"(.*\.jsonl\.gz): \d+ tables", ran.out)
    assert found is not None, ran.out
    return Path(found[1])


def went_out(shop: Installation) -> int:
    return len(shop.letters())


def test_after_a_restore_nothing_is_said_twice_and_nothing_before_a_person_has_looked(shop: Installation) -> None:
    """
    backup
    a run            three messages, four notes
    a dispute        is said
    restore          recovering, the red button, no dispute
    a run            reads back what went out; nothing goes out
    start, two runs  nothing goes out: all is known
    """
    archive = archive_of(shop.arsync("db", "backup"))
    shop.arsync("run")
    sent, noted = went_out(shop), len(shop.sandbox.notes())
    assert sent == 3
    shop.arsync("dispute", "H-3", "--reason", "broken", "--connection", "harbor")
    said = shop.arsync("db", "restore", str(archive), status=2).err
    assert "holds data already: --replace puts the archive in its place" in said
    said = shop.arsync("db", "restore", str(archive), "--replace", "--author", "ann").out
    assert "2 connections recovering" in said
    assert "the red button is pressed" in said
    assert {one["health"] for one in shop.json("connections")} == {"recovering"}
    assert shop.json("holds") == []
    shop.arsync("run", status=None)
    assert went_out(shop) == sent
    assert "pressed by ann" in shop.arsync("doctor", status=None).out
    shop.arsync("start")
    for _ in range(2):
        shop.arsync("run", status=None)
        assert (went_out(shop), len(shop.sandbox.notes())) == (sent, noted)
    assert {one["health"] for one in shop.json("connections")} == {"ok"}


def test_a_copy_goes_on_in_postgresql_and_the_old_one_sends_nothing(shop: Installation, postgres: Server) -> None:
    """
    copy             to PostgreSQL
    the old one      sends nothing, whatever it is told to do
    the new one      sends each message once
    """
    name = postgres.fresh()
    said = shop.arsync("db", "copy", postgres.url(name)).out
    assert "each table holds the same rows in both" in said
    shop.arsync("run", status=None)
    assert went_out(shop) == 0
    with shop.config.open("a", encoding="utf-8") as config:
        config.write(f'[database]\nurl = "{postgres.url(name)}"\n')
    for _ in range(3):
        shop.arsync("run", status=None)
        if went_out(shop):
            break
    shop.arsync("run", status=None)
    assert went_out(shop) == 3
    assert "whole" in shop.arsync("db", "verify").out
    postgres.drop(name)


def test_backups_while_a_run_writes_are_each_of_one_moment(shop: Installation) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ARSYNC_")}
    command = [sys.executable, "-m", "arsync", "--config", str(shop.config), "run"]
    run = subprocess.Popen(command, cwd=shop.folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    taken: list[Path] = []
    while run.poll() is None:
        path = shop.folder / f"{len(taken)}.gz"
        shop.arsync("db", "backup", str(path))
        taken.append(path)
    assert run.returncode == 0
    assert went_out(shop) == 3
    events = [archives.read_through(path).tables["events"].rows for path in taken]
    assert len(set(events)) > 1, "the run wrote while they were taken"
    for path in (taken[len(taken) // 2], taken[-1]):
        assert "; whole" in shop.arsync("db", "verify", str(path)).out


def test_the_doctor_misses_a_backup_once_something_went_out(shop: Installation) -> None:
    """
    09-15   nothing went out                        nothing to say
            three messages                          none was ever made
            a backup                                made
    09-23   eight days later                        the last is too old
            restored from it                        as old as it was
    """

    def told() -> list[tuple[str, str]]:
        found = shop.arsync("doctor", "--json", status=None).json()
        return [(one["level"], one["detail"][:20]) for one in found if one["subject"] == "backup"]

    assert told() == []
    shop.arsync("run")
    assert told() == [("warn", "none was ever made")]
    archive = archive_of(shop.arsync("db", "backup"))
    assert told() == [("ok", "made on 2026-09-15 1")]
    shop.sandbox.set_clock(MORNING + timedelta(days=8))
    assert told() == [("warn", "the last was made on")]
    shop.arsync("db", "restore", str(archive), "--replace")
    assert told() == [("warn", "the last was made on")]


def test_the_key_that_opens_the_tokens_is_missed(shop: Installation) -> None:
    archive = archive_of(shop.arsync("db", "backup"))
    shop.key.rename(shop.key.with_suffix(".kept"))
    ran = shop.arsync("db", "verify", str(archive), status=1)
    assert "; whole" in ran.out
    assert f"{shop.key} is not there: put it back" in ran.err
    assert not shop.key.exists(), "no other key is made over tokens that this one sealed"
    shop.key.with_suffix(".kept").rename(shop.key)
    assert shop.json("db", "verify", str(archive))["tokens"] is None


def test_of_many_backups_the_newest_stay(shop: Installation) -> None:
    folder = shop.folder / "backups"
    for day in range(1, 4):
        folder.mkdir(exist_ok=True)
        (folder / f"arsync-2025010{day}T020000Z.jsonl.gz").touch()
    told = shop.json("db", "backup", "--keep", "2")
    assert [Path(one).name for one in told["removed"]] == [f"arsync-2025010{day}T020000Z.jsonl.gz" for day in (1, 2)]
    assert Path(told["file"]).exists()
    assert "--keep goes with" in shop.arsync("db", "backup", "x.gz", "--keep", "2", status=2).err


def test_what_cannot_be_is_said_in_a_sentence(empty: Installation) -> None:
    empty.configure()
    empty.database.unlink(missing_ok=True)
    for words, said in (
        (("backup",), "there is no .*arsync.db: run `arsync db upgrade`"),
        (("verify",), "there is no .*arsync.db: run `arsync db upgrade`"),
        (("restore", "nothing.gz"), "cannot read nothing.gz: No such file"),
        (("copy", "mysql://x"), "write it like sqlite:///arsync.db"),
    ):
        assert re.search(said, empty.arsync("db", *words, status=2).err.replace("\n", " ")), words
    assert not empty.database.exists()


def test_the_password_of_where_to_copy_is_not_told(shop: Installation) -> None:
    said = shop.arsync("db", "copy", "postgresql://ann:a-long-password@127.0.0.1:1/books", status=1).said
    assert "cannot be used" in said
    assert "a-long-password" not in said


def test_what_was_forgotten_changes_no_plan_and_no_story_of_what_is_open(shop: Installation) -> None:
    """
    09-15, 09-21   reminders go out; H-3 is paid
    11, 01         runs, now and then
    02-07          a plan; all that is older than 90 days is forgotten; the same plan
    """
    harbor = shop.books["harbor"]
    ((birch,),) = shop.rows("SELECT remote_id FROM invoices WHERE number = 'H-3'")
    for day in (0, 6, 50, 100, 145):
        shop.sandbox.set_clock(MORNING + timedelta(days=day))
        shop.arsync("run", status=None)
        if day == 6:
            harbor.act("pay", invoice=birch, amount="250.00")
    assert shop.json("db", "prune") == {}
    assert "nothing is ever forgotten" in shop.arsync("db", "prune").out
    with shop.config.open("a", encoding="utf-8") as config:
        config.write("[retention]\nwords_days = 90\nreplies_days = 90\nverdicts_days = 90\nruns_days = 90\n")
    asked = (("plan",), ("explain", "H-1"), ("explain", "T-1"), ("today",))
    before = [shop.arsync(*words, "--json", status=None).json() for words in asked]
    would_go = shop.json("db", "prune", "--dry-run")
    assert would_go["words_days"] > 0 < would_go["verdicts_days"], would_go
    gone = shop.json("db", "prune")
    assert {kind: gone[kind] for kind in ("words_days", "verdicts_days")} == {
        kind: would_go[kind] for kind in ("words_days", "verdicts_days")
    }
    assert gone["runs_days"] >= would_go["runs_days"], "some were named by verdicts that went"
    assert [shop.arsync(*words, "--json", status=None).json() for words in asked] == before
    assert "verdict" not in shop.arsync("explain", "H-3").out
    assert set(shop.json("db", "prune").values()) == {0}
    assert "; whole" in shop.arsync("db", "verify").out
    left = went_out(shop)
    shop.arsync("run", status=None)
    assert went_out(shop) == left, "the run before has sent what was to be sent"
