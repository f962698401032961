"""What a load that is not the first has met so far, page by page: who goes on with it need not read that again by id.

Each page's part is a row of its own, so that a page costs what it holds and not what came before it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select

from arsync.connector import Resource
from arsync.store import connections
from arsync.store import tables as t
from arsync.store.engine import Work

_PREFIX: Final = "met:"


@dataclass(slots=True)
class Met:
    """The ids of the records met, by resource, and the invoices that owe more than the cache knew."""

    ids: dict[Resource, set[str]] = field(default_factory=dict)
    reopened: set[str] = field(default_factory=set)

    def of(self, resource: Resource) -> set[str]:
        """The ids met of that resource."""
        return self.ids.get(resource, set())

    def add(self, resource: Resource, ids: Collection[str], reopened: Collection[str]) -> None:
        """Takes in a page's."""
        self.ids.setdefault(resource, set()).update(ids)
        self.reopened.update(reopened)


def keep(
    work: Work,
    connection_id: int,
    resource: Resource,
    place: int,
    ids: Collection[str],
    reopened: Collection[str],
    *,
    now: datetime,
) -> None:
    """Keeps what a page had; `place` tells it from its resource's other pages. Commit it together with the page."""
    if ids or reopened:
        position = json.dumps([sorted(ids), sorted(reopened)])
        name = f"{_PREFIX}{resource.value}:{place}"
        connections.move_cursor(work, connection_id, name, position=position, done=True, seen=len(ids), now=now)


def so_far(work: Work, connection_id: int) -> Met:
    """What the load has met in all its tries."""
    c = t.cursors.c
    found = Met()
    query = select(c.pull, c.position).where(c.connection_id == connection_id, c.pull.startswith(_PREFIX))
    for row in work.execute(query):
        ids, reopened = json.loads(row.position)
        found.add(Resource(row.pull.split(":")[1]), ids, reopened)
    return found


def forget(work: Work, connection_id: int) -> None:
    """Another load begins, or this one is complete."""
    c = t.cursors.c
    work.execute(delete(t.cursors).where(c.connection_id == connection_id, c.pull.startswith(_PREFIX)))
