"""The demo: the whole job on the sandbox, believed by its own count and by one of ours."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.acceptance.installation import arsync_here, arsync_process

from arsync.cli import demo
from arsync.cli.app import run
from arsync.sandbox.launch import SandboxControl, running_sandbox


def test_the_demo_syncs_both_companies_sends_writes_every_note_once_and_sends_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever a real installation has in its environment stays out of the demo.
    hostile = {"ARSYNC_DATABASE__URL": "postgresql://nobody@127.0.0.1:1/real", "ARSYNC_DELIVERY__CHANNEL": "sendgrid"}
    ran = arsync_process("demo", "--invoices", "300", "--folder", "shown", cwd=tmp_path, environ=hostile)

    for company in ("harbor", "thames"):
        assert re.search(
            rf"^{company}: \d+ customers, 300 invoices, .*\(as the source counts\)$", ran.out, re.MULTILINE
        )
    counted = dict(
        re.findall(r"^ *(\S.*?) {2,}(\d+(?: and \d+)?) *$", ran.out.partition("7. Counted")[2], re.MULTILINE)
    )
    assert int(counted["messages accepted"]) > 10
    owed, found = counted["notes owed, and found in the companies"].split(" and ")
    assert owed == found
    assert int(owed) > 10
    assert counted["notes missing or double"] == "0"
    assert counted["sent by the second run of the same day"] == "0"

    # Where it says to look there is something to see, also after its sandbox has ended.
    folder = tmp_path / "shown"
    assert len(list((folder / "outbox").glob("*.eml"))) > 5
    command = re.search(r"arsync (--config \S+ explain .*)", ran.out)
    assert command is not None
    monkeypatch.chdir(tmp_path)
    told = arsync_here(*command[1].split())
    assert "dispute" in told.out
    assert "goods arrived damaged" in told.out
    assert "goods arrived damaged" in arsync_here("--config", "shown/arsync.toml", "holds").out
    with closing(sqlite3.connect(folder / "arsync.db")) as database:
        late = database.execute("SELECT count(*) FROM verdicts WHERE rule = 'stale'").fetchone()
    assert late == (0,), "the second week's sync is of the second week"


def test_an_independent_count_at_the_sandbox_finds_each_note_once_and_on_its_own_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "counted"
    with running_sandbox() as kept:

        @contextmanager
        def the_kept_one() -> Iterator[SandboxControl]:
            yield kept

        monkeypatch.setattr(demo, "running_sandbox", the_kept_one)
        assert run(["demo", "--invoices", "100", "--folder", str(folder)]) == 0
        written = [note for note in kept.notes() if "[arsync:" in note["text"]]
        mails_by_http = kept.messages()

    with closing(sqlite3.connect(folder / "arsync.db")) as database:
        messages = dict(
            database.execute(
                "SELECT m.key, count(i.invoice_id) FROM messages m JOIN message_items i ON i.message_id = m.id "
                "WHERE m.state = 'accepted' GROUP BY m.id"
            )
        )
        letters = {key for (key,) in database.execute(
            "SELECT key FROM messages WHERE state = 'accepted' AND channel = 'email'"
        )}  # fmt: skip
        meant = Counter(
            database.execute(
                "SELECT c.external_id, lower(n.target_kind), n.target_id, n.marker "
                "FROM notes n JOIN connections c ON c.id = n.connection_id"
            )
        )
        items = list(database.execute(
            "SELECT m.key, count(*) FROM notes n JOIN messages m ON m.id = n.message_id GROUP BY m.id"
        ))  # fmt: skip

    markers = {marker: target for *target, marker in meant}
    seen: Counter[tuple[str, ...]] = Counter()
    for note in written:
        marker = note["text"][note["text"].rindex("[arsync:") :].strip()
        kind = "customer" if note["target_type"].lower() in ("customer", "contact") else "invoice"
        assert markers[marker] == [note["company"], kind, note["target_id"]], "a note stands where it was meant to"
        seen[note["company"], kind, note["target_id"], marker] += 1
    assert seen == meant
    assert set(seen.values()) == {1}

    # One message about up to four invoices owes a note for each; about more, one for the customer and one line.
    assert dict(items) == {key: count if count < 5 else 2 for key, count in messages.items()}
    assert len(messages) > 5
    assert {path.stem for path in (folder / "outbox").glob("*.eml")} == letters
    assert mails_by_http == []


def test_the_demo_never_clears_a_folder_that_is_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "ledger.txt").write_text("dear")
    refused = arsync_here("demo", "--folder", "mine", status=2)
    assert "is not a demo's folder" in refused.err
    assert (tmp_path / "mine" / "ledger.txt").read_text() == "dear"
    assert "--folder" in arsync_here("demo", "--folder", "mine/ledger.txt", status=2).err
