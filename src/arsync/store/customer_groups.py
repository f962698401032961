"""The source's customer groups: which customers are in them, and what they are called."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from sqlalchemy import select

from arsync.domain.documents import CustomerGroup
from arsync.store import tables as t
from arsync.store.bulk import Upsert, among
from arsync.store.engine import Work

_UPSERT: Final = Upsert(t.customer_groups)
_G: Final = t.customer_groups.c
_C: Final = t.customers.c


def written(groups: Iterable[CustomerGroup]) -> str | None:
    """The groups of one customer as they are kept with it; None where it has none."""
    ids = sorted({group.remote_id for group in groups})
    return json.dumps(ids) if ids else None


def remember(work: Work, connection_id: int, groups: Iterable[CustomerGroup]) -> None:
    """Keeps what groups are called now; those told by their id alone stay as they were."""
    told = {group.remote_id: group.name for group in groups if group.name}
    if not told:
        return
    known = _names(work, connection_id)
    _UPSERT(work, [(connection_id, one, name) for one, name in sorted(told.items()) if known.get(one) != name])


def _names(work: Work, connection_id: int) -> dict[str, str]:
    query = select(_G.remote_id, _G.name).where(_G.connection_id == connection_id)
    return {row.remote_id: row.name for row in work.execute(query)}


def of_customers(
    work: Work, connection_id: int, payer_id: str | Collection[str] | None = None
) -> Mapping[str, frozenset[str]]:
    """The names, in lower case, of the groups of each customer that is in one: of all customers, or of those for whom
    one payer pays, or some. A group whose name was never told has none."""
    names = {one: name.strip().casefold() for one, name in _names(work, connection_id).items()}
    query = select(_C.remote_id, _C.group_ids).where(_C.connection_id == connection_id, _C.group_ids.is_not(None))
    if payer_id is not None:
        query = query.where(among(work, _C.payer_id, [payer_id] if isinstance(payer_id, str) else payer_id))
    found = {
        row.remote_id: frozenset(names[one] for one in json.loads(row.group_ids) if one in names)
        for row in work.execute(query)
    }
    return {customer_id: groups for customer_id, groups in found.items() if groups}
