"""Backup, run, restore, run: the program finds out by itself, and nothing is sent again."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfile

import pytest
from tests.acceptance.nights import FILE, LETTERS, MAIL, NOTES, Night, Nursery, Way
from tests.integration.outbox.office import VENDORS

from arsync.domain.states import Health


def restore(night: Night, backup: Path) -> None:
    """The database's copy in its place, and nothing else; the vendors' tokens of then are used up by now."""
    for leftover in night.office.folder.glob("arsync.db*"):
        leftover.unlink()
    copyfile(backup, night.office.folder / "arsync.db")
    for vendor in VENDORS:
        night.consent_again(vendor)
    night.office.close()


@pytest.mark.long
@pytest.mark.parametrize("way", [FILE, MAIL], ids=["file", "sendgrid"])
def test_after_a_restore_nothing_is_sent_again(tmp_path: Path, nursery: Nursery, eve: Path, way: Way) -> None:
    """
    the evening     a copy of the database
    first night     four messages and a call, seven notes
    the copy is put back
    second night    the notes in the source are not known: recovering, nothing goes out
    third night     they are adopted, at the end everything is as after the first night
    """
    with Night.prepared(tmp_path / "office", way, nursery, copy_of=eve) as night:
        backup = tmp_path / "backup.db"
        copyfile(eve / "arsync.db", backup)
        assert night.run() == 0, night.said
        assert night.letters() == LETTERS
        restore(night, backup)
        night.run()
        assert night.letters() == LETTERS, "nothing goes out while it is found out"
        assert {night.health(vendor) for vendor in VENDORS} == {Health.RECOVERING}, night.said
        assert "not known here: taken for sent, and not sent again" in night.said
        night.recover()
        assert {night.health(vendor) for vendor in VENDORS} == {Health.OK}, night.said
        night.recover()
        assert night.letters() == LETTERS
        assert sum(night.notes().values()) == NOTES
        known = {message.state.value for message in night.messages() if message.state.value != "superseded"}
        assert known == {"accepted"}, night.said
        assert "Traceback" not in night.said
