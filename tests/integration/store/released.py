"""What each released schema looked like with data in it: archives that every later arsync must be able to take in.

    python -m tests.integration.store.released       writes the candidate of the newest schema anew

A release renames its candidate to `VERSION.jsonl.gz`; from then on neither the file nor its migrations may change.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.integration.store.every_table import fill_every_table

from arsync.ops import archives
from arsync.store import upgrade
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock

FOLDER: Final = Path(__file__).resolve().parents[2] / "released"
RELEASED: Final = sorted(FOLDER.glob("*.jsonl.gz"))


def candidate() -> Path:
    """The archive of the schema that the next release will have."""
    return FOLDER / f"candidate-{upgrade.head()}.jsonl.gz"


def write_candidate(path: Path) -> None:
    """Every table with rows, in the newest schema."""
    with tempfile.TemporaryDirectory() as folder, closing(Store(f"sqlite:///{folder}/arsync.db")) as store:
        upgrade.upgrade(store)
        with store.working() as work:
            fill_every_table(work)
            work.commit()
        path.unlink(missing_ok=True)
        archives.back_up(store, path, FixedClock(datetime(2026, 9, 1, 12, tzinfo=UTC)))


if __name__ == "__main__":
    for path in FOLDER.glob("candidate-*"):
        path.unlink()
    write_candidate(candidate())
