"""Invoices that closed or came open again, until somebody has judged whether so many can."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from arsync.store import connections
from arsync.store.engine import Work
from arsync.store.stored import Stored

_UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class Turns:
    """Ids of invoices that turned since the last judgement."""

    closed: frozenset[str] = frozenset()  # open then, and no more
    revived: frozenset[str] = frozenset()  # paid then, and open again


def unjudged(work: Work, connection_id: int) -> Turns:
    """What turned and was not judged yet, whichever pull stored it."""
    position = connections.cursor(work, connection_id, _UNJUDGED).position
    if position is None:
        return Turns()
    kept = json.loads(position)
    return Turns(frozenset(kept["closed"]), frozenset(kept["revived"]))


def add(work: Work, connection_id: int, stored: Stored, *, now: datetime) -> None:
    """Keeps what a page turned; commit it together with the page."""
    if not stored.closed and not stored.revived:
        return
    known = unjudged(work, connection_id)
    closed = (known.closed | stored.closed) - stored.revived
    revived = (known.revived | stored.revived) - stored.closed
    position = json.dumps({"closed": sorted(closed), "revived": sorted(revived)})
    seen = len(closed) + len(revived)
    connections.move_cursor(work, connection_id, _UNJUDGED, position=position, done=False, seen=seen, now=now)


def judged(work: Work, connection_id: int, *, now: datetime) -> None:
    """Forgets them; commit it together with the judgement."""
    if connections.cursor(work, connection_id, _UNJUDGED).position is not None:
        connections.move_cursor(work, connection_id, _UNJUDGED, position=None, done=True, seen=0, now=now)
