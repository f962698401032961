"""How far the notes in a source have been read back."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from arsync.domain.states import Health
from arsync.store import connections
from arsync.store.engine import Work

CURSOR: Final = "notes"
#: Position of a reading that must be complete, before the id of the last invoice read; none: a first look is enough
#: where it finds nothing.
ALL: Final = "all:"


def begin(work: Work, connection_id: int, reason: str, *, now: datetime) -> None:
    """From this commit on nothing goes out for the connection until all that stands in its source has been read."""
    connections.move_cursor(work, connection_id, CURSOR, position=ALL, done=False, seen=0, now=now)
    connections.set_health(work, connection_id, Health.RECOVERING, reason)
