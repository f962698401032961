"""Two workers on one database, each a process of its own, at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.acceptance.harbour import Harbour
from tests.acceptance.nights import CALLS, LETTERS, MAIL, NOTES, Night, Nursery


@pytest.mark.long
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_workers_on_one_database_come_to_the_same_counts(
    tmp_path: Path, harbour: Harbour, another_nursery: Nursery, database: str
) -> None:
    """Eight nights by either worker without a rest: who finds the lock taken ends with status 3, and says so."""
    with harbour.evening(tmp_path / "office", MAIL, database) as night:
        other = Night(night.office, night.way, another_nursery)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda worker: [worker.run() for _ in range(8)], (night, other)))
        night.recover()
        assert set(night.statuses + other.statuses) == {0, 3}, night.said
        assert "Traceback" not in night.said
        assert "deadlock" not in night.said.lower()
        assert night.letters() == LETTERS
        assert [message.state for message in night.messages()] == ["accepted"] * (len(LETTERS) + CALLS)
        assert night.notes() == night.owed_notes()
        assert sum(night.notes().values()) == NOTES
