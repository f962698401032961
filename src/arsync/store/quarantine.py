"""Quarantine: records that cannot be read, kept with the reason until they can be; each holds its payer."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update

from arsync.connector import Broken
from arsync.domain.documents import Record, resource_of
from arsync.store import events
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_ID_LENGTH: Final = 64
_UNNAMED: Final = "sha256:"


def keep(work: Work, connection_id: int, broken: Sequence[Broken], now: datetime) -> bool:
    """Keeps records that cannot be read, with the reason; one that is there already is told anew. Whether one is new of
    which nobody knows whose it is."""
    q = t.quarantine.c
    for_all = False
    for record in broken:
        remote_id, customer_id = _name_of(record), record.customer_id
        if customer_id is not None and not _is_storable(customer_id):
            customer_id = None  # whose it is cannot be told: it concerns everybody
        reason, raw = _clean(record.reason), _clean(record.raw)
        known = (q.connection_id == connection_id, q.resource == record.resource.value, q.remote_id == remote_id)
        found = work.execute(
            update(t.quarantine).where(*known).values(reason=reason, raw=raw, customer_id=customer_id, last_at=now)
        )
        if not found.rowcount:
            for_all |= customer_id is None
            work.execute(
                insert(t.quarantine).values(
                    connection_id=connection_id,
                    resource=record.resource.value,
                    remote_id=remote_id,
                    customer_id=customer_id,
                    reason=reason,
                    raw=raw,
                    first_at=now,
                    last_at=now,
                )
            )
    return for_all


def _clean(raw: str) -> str:
    return raw.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\u0000")[:20_000]


def _is_storable(remote_id: str) -> bool:
    return len(remote_id) <= _ID_LENGTH and _clean(remote_id) == remote_id


def _name_of(record: Broken) -> str:
    """The record's id, or a hash where it has none that could be kept."""
    if record.remote_id and _is_storable(record.remote_id):
        return record.remote_id
    text = record.remote_id or record.raw
    return _UNNAMED + hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:40]


def forget_unnamed(work: Work, connection_id: int) -> None:
    """Releases what has no id, right before everything is read again: if it is still broken it comes back."""
    q = t.quarantine.c
    work.execute(
        delete(t.quarantine).where(q.connection_id == connection_id, q.remote_id.startswith(_UNNAMED, autoescape=True))
    )


_ANYTHING: Final = Prepared(
    select(t.quarantine.c.remote_id).where(t.quarantine.c.connection_id == bindparam("of")).limit(1)
)


def release(work: Work, connection_id: int, records: Iterable[Record], broken: Iterable[Broken], now: datetime) -> None:
    """What could be read after all leaves quarantine."""
    if not _ANYTHING(work, of=connection_id):
        return
    q = t.quarantine.c
    named: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if _is_storable(record.remote_id):
            named[resource_of(record).value].append(record.remote_id)
    jailed = {
        (resource, remote_id)
        for resource, remote_ids in named.items()
        for remote_id in work.execute(
            select(q.remote_id).where(
                q.connection_id == connection_id, q.resource == resource, among(work, q.remote_id, remote_ids)
            )
        ).scalars()
    }
    still = {(record.resource.value, record.remote_id) for record in broken}
    for resource, remote_id in sorted(jailed - still):
        work.execute(
            delete(t.quarantine).where(
                q.connection_id == connection_id, q.resource == resource, q.remote_id == remote_id
            )
        )
        events.log(work, "record_released", at=now, connection_id=connection_id, resource=resource, remote_id=remote_id)


def tried_longest_ago(work: Work, connection_id: int, most: int) -> dict[str, list[str]]:
    """So many of the records that the source can be asked for by id, those first that were tried longest ago: their
    ids by resource."""
    q = t.quarantine.c
    query = (
        select(q.resource, q.remote_id)
        .where(q.connection_id == connection_id, ~q.remote_id.startswith(_UNNAMED, autoescape=True))
        .order_by(q.last_at, q.remote_id)
        .limit(most)
    )
    found: dict[str, list[str]] = defaultdict(list)
    for row in work.execute(query):
        found[row.resource].append(row.remote_id)
    return found
