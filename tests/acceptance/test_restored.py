"""A database of before the last messages, restored: what is read back from the source is told by whatever reads it."""

from __future__ import annotations

from shutil import copyfile

import pytest
from tests.acceptance.installation import Installation

from arsync.bootstrap import App
from arsync.settings import load
from arsync.sync.recover import declare


def restored_from_before_a_night(shop: Installation) -> None:
    """Three messages went out and were noted; then the database of before is put in its place, and a person says so:
    killed before anything was read."""
    assert shop.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    copyfile(shop.database, shop.folder / "backup.db")
    shop.arsync("run")
    assert shop.states() == {"accepted": 3}
    for leftover in shop.folder.glob("arsync.db*"):
        leftover.unlink()
    copyfile(shop.folder / "backup.db", shop.database)
    for name, books in shop.books.items():
        shop.connect(name, token=str(shop.sandbox.grant(books.id)["refresh_token"]))
    app = App(load(shop.config, environ={}))
    for connection in app.linked():
        declare(app.store, connection, app.clock, author="Ada", reason="restored")
    app.close()


@pytest.mark.parametrize("command", ["sync", "backfill"])
def test_what_is_taken_for_sent_is_said_and_not_sent_again(shop: Installation, command: str) -> None:
    """Harbor's two and Thames' one, each told once."""
    restored_from_before_a_night(shop)
    lines = shop.arsync(command).out.splitlines()
    assert [line for line in lines if "taken for sent" in line] == [
        "harbor: 2 messages that the source's notes tell of were not known here: taken for sent, and not sent again",
        "thames: 1 message that the source's notes tell of was not known here: taken for sent, and not sent again",
    ]
    again = shop.json(command)
    assert {name: one["adopted"] for name, one in again.items()} == {"harbor": 0, "thames": 0}
    shop.arsync("run")
    assert shop.states() == {"accepted": 3}
