"""Tags of customers: words that people here put on them, such as `vip` or `autopay`; playbooks match by them.

A tag on a payer counts for all it pays for; a tag on a branch for the branch's own invoices.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, select, update

from arsync.store import chases, events
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

#: Says that the customer's invoices are collected by themselves: they are not chased.
AUTOPAY: Final = "autopay"
_T: Final = t.customer_tags.c
_TAG: Final = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_LONGEST: Final = 64
_EVERY: Final = Prepared(select(_T.customer_id, _T.tag).where(_T.connection_id == bindparam("of")))


def normal(tag: str) -> str:
    """A tag as it is kept: lower case, words joined by hyphens (`Key account` is `key-account`); ValueError where
    what is written can be no tag."""
    written = "-".join(re.split(r"[\s_-]+", tag.strip().casefold()))
    if not _TAG.fullmatch(written) or len(written) > _LONGEST:
        raise ValueError(f"{tag!r} is no tag: letters, digits and hyphens, {_LONGEST} at most")
    return written


def add(
    work: Work, connection_id: int, customer_id: str, names: Iterable[str], *, author: str, now: datetime
) -> tuple[str, ...]:
    """Puts tags on a customer; the ones that it did not have yet. What is about to leave for it is planned anew."""
    fresh = sorted({normal(name) for name in names} - of_customer(work, connection_id, customer_id))
    if not fresh:
        return ()
    chases.bump(work, connection_id, [customer_id])
    rows = [
        {"connection_id": connection_id, "customer_id": customer_id, "tag": tag, "author": author, "added_at": now}
        for tag in fresh
    ]
    work.execute(insert(t.customer_tags), rows)
    events.log(work, "tags_added", at=now, author=author, connection_id=connection_id, customer=customer_id, tags=fresh)
    return tuple(fresh)


def remove(
    work: Work, connection_id: int, customer_id: str, names: Iterable[str], *, author: str, now: datetime
) -> tuple[str, ...]:
    """Takes tags off a customer; the ones that it had."""
    gone = sorted({normal(name) for name in names} & of_customer(work, connection_id, customer_id))
    if not gone:
        return ()
    chases.bump(work, connection_id, [customer_id])
    work.execute(delete(t.customer_tags).where(_of(connection_id, customer_id), _T.tag.in_(gone)))
    events.log(
        work, "tags_removed", at=now, author=author, connection_id=connection_id, customer=customer_id, tags=gone
    )
    return tuple(gone)


def of_customer(work: Work, connection_id: int, customer_id: str) -> frozenset[str]:
    """The tags that the customer itself has."""
    return frozenset(work.execute(select(_T.tag).where(_of(connection_id, customer_id))).scalars())


def of_connection(work: Work, connection_id: int) -> Mapping[str, frozenset[str]]:
    """Every tagged customer of a connection, with its tags."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for customer_id, tag in _EVERY(work, of=connection_id):
        found[customer_id].add(tag)
    return {customer_id: frozenset(names) for customer_id, names in found.items()}


def absorb(work: Work, connection_id: int, former: str, survivor: str) -> int:
    """After a merge the survivor has both sets; how many tags went along."""
    had = of_customer(work, connection_id, former)
    both = had & of_customer(work, connection_id, survivor)
    work.execute(delete(t.customer_tags).where(_of(connection_id, former), _T.tag.in_(both)))
    work.execute(update(t.customer_tags).where(_of(connection_id, former)).values(customer_id=survivor))
    return len(had - both)


def _of(connection_id: int, customer_id: str) -> ColumnElement[bool]:
    return and_(_T.connection_id == connection_id, _T.customer_id == customer_id)
