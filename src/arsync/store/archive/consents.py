"""Tokens that are newer than those of an archive: vendors take a refresh token once, so old ones may be used up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from arsync.store import tables as t
from arsync.store.engine import Work

_C, _G = t.connections.c, t.grants.c
#: A company, by its provider and its id there.
Company = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Consent:
    """A grant's tokens as sealed, and how long they last."""

    sealed: str
    updated_at: datetime
    consented_at: datetime | None
    idle_until: datetime | None
    hard_until: datetime | None
    ended_at: datetime | None
    ended_reason: str | None


_COLUMNS = (
    _G.sealed, _G.updated_at, _G.consented_at, _G.idle_until, _G.hard_until, _G.ended_at, _G.ended_reason,
)  # fmt: skip


def consents(work: Work) -> dict[Company, Consent]:
    """What each company was last let in by."""
    query = select(_C.provider, _C.external_id, *_COLUMNS).join(t.grants, _G.id == _C.grant_id).where(_G.sealed != "")
    return {(row[0], row[1]): Consent(*tuple(row)[2:]) for row in work.execute(query)}


def keep_newer(work: Work, had: Mapping[Company, Consent]) -> int:
    """Puts newer tokens in place of those that are here, for the same companies; of how many grants."""
    newest: dict[int, Consent] = {}
    query = select(_C.provider, _C.external_id, _C.grant_id, _G.updated_at).join(t.grants, _G.id == _C.grant_id)
    for provider, external_id, grant_id, updated_at in work.execute(query):
        before = had.get((provider, external_id))
        best = newest[grant_id].updated_at if grant_id in newest else updated_at
        if before is not None and before.updated_at > best:
            newest[grant_id] = before
    for grant_id, one in newest.items():
        values = {name: getattr(one, name) for name in Consent.__slots__}
        work.execute(update(t.grants).where(_G.id == grant_id).values(values))
    return len(newest)
