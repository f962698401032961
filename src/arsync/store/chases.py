"""Chases: opened with the first item, closed when clear, reopened when a payment is reversed.

`version` rises with whatever could change the next message; the last gate compares it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, insert, or_, select, update

from arsync.domain.documents import InvoiceState
from arsync.domain.record import record
from arsync.domain.states import ChaseState
from arsync.store import tables as t
from arsync.store.bulk import among, among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_STATES: Final = {state.value: state for state in ChaseState}
_LIVE = (ChaseState.OPEN.value, ChaseState.REOPENED.value)
_WRITING = (*_LIVE, ChaseState.CLEAR.value)
_GIVEN_AWAY = (ChaseState.HANDED_OFF.value, ChaseState.WRITTEN_OFF.value)
#: Put together once: every page of a load asks it.
_ANY_WRITING: Final = Prepared(
    select(t.chases.c.id).where(t.chases.c.connection_id == bindparam("of"), t.chases.c.state.in_(_WRITING)).limit(1)
)


@record(frozen=True, slots=True)
class Chase:
    """One payer in one currency being worked."""

    id: int
    connection_id: int
    payer_id: str
    currency: str
    state: ChaseState
    version: int
    opened_at: datetime
    rulebook: str | None = None  # the playbooks that it chooses from; None: it has not been planned yet
    playbook: str | None = None  # what it chose when it was last planned
    playbook_version: str | None = None


#: In the order of `Chase`.
_COLUMNS: Final = tuple(t.chases.c[name] for name in Chase.__slots__)
_LOCKED: Final = Prepared(select(*_COLUMNS).where(t.chases.c.id == bindparam("chase")).with_for_update())


_LOCKED_ALL: Final = Prepared(
    lambda dialect: (
        select(*_COLUMNS).where(among_those(dialect, t.chases.c.id, "chases")).order_by(t.chases.c.id).with_for_update()
    )
)
_OF_SEVERAL: Final = Prepared(
    lambda dialect: (
        select(t.chases.c.payer_id)
        .where(
            t.chases.c.connection_id == bindparam("of"),
            t.chases.c.state.in_(_WRITING),
            among_those(dialect, t.chases.c.payer_id),
        )
        .group_by(t.chases.c.payer_id)
        .having(func.count() > 1)
    )
)


def bump(
    work: Work, connection_id: int, customer_ids: Collection[str], *, whole: Collection[str] = (),
    everybody: bool = False,
) -> None:  # fmt: skip
    """Raises the version of every chase whose payer pays for one of these customers (`everybody`: of every chase), and
    that may still write: also a clear one, which may say thank you.

    Whoever locks chases locks all it needs at once and by id, so that no two wait for each other; of the payers in
    `whole` the closed ones are locked, too.
    """
    h, c = t.chases.c, t.customers.c
    if not _ANY_WRITING(work, of=connection_id):
        return  # the first load brings customers by the thousand, and nobody is chased yet
    payers = select(c.payer_id).where(c.connection_id == connection_id, among(work, c.remote_id, customer_ids))
    concerned = {*customer_ids, *work.execute(payers).scalars()}
    writing = and_(h.connection_id == connection_id, h.state.in_(_WRITING))
    if not everybody:
        writing = and_(writing, among(work, h.payer_id, concerned))
    every = writing
    if whole:
        every = or_(writing, and_(h.connection_id == connection_id, among(work, h.payer_id, whole)))
    _lock(work, every)
    work.execute(update(t.chases).where(writing).values(version=h.version + 1))


def bump_all(work: Work, connection_id: int) -> None:
    """Raises the version of every chase of the connection that may still write."""
    h = t.chases.c
    writing = and_(h.connection_id == connection_id, h.state.in_(_WRITING))
    _lock(work, writing)
    work.execute(update(t.chases).where(writing).values(version=h.version + 1))


def lock_payers(work: Work, connection_id: int, payer_ids: Collection[str | None]) -> None:
    """Locks the chases of these payers (None: of all) that may still write, and changes nothing. Whoever is about to
    change what stops or promises something locks them first: so did whoever else is at it."""
    h = t.chases.c
    writing = and_(h.connection_id == connection_id, h.state.in_(_WRITING))
    if None not in payer_ids:
        writing = and_(writing, among(work, h.payer_id, [one for one in payer_ids if one is not None]))
    if payer_ids:
        _lock(work, writing)


def _lock(work: Work, which: ColumnElement[bool]) -> None:
    """Locks these chases by id; SQLite has one lock for all."""
    if work.dialect != "sqlite":
        work.execute(select(t.chases.c.id).where(which).order_by(t.chases.c.id).with_for_update()).all()


def follow(work: Work, connection_id: int, *, now: datetime) -> tuple[int, int]:
    """Opens a chase for each payer and currency with something open, closes those that are clear: (opened, closed)."""
    h, i, c = t.chases.c, t.invoices.c, t.customers.c
    # An invoice whose customer could not be read has a chase too: it is held, and explained.
    whose = (
        select(func.coalesce(c.payer_id, i.customer_id).label("payer_id"), i.currency)
        .distinct()
        .select_from(t.invoices.outerjoin(t.customers, _same_customer()))
        .where(i.connection_id == connection_id, i.state == InvoiceState.OPEN.value, i.balance > 0)
    )
    owed = {(payer_id, currency) for payer_id, currency in work.execute(whose).all()}
    query = select(h.id, h.payer_id, h.currency, h.state).where(h.connection_id == connection_id).order_by(h.id)
    rows = work.execute(query).all()
    live = {(payer_id, currency): chase_id for chase_id, payer_id, currency, state in rows if state in _LIVE}
    # The newest, for rows come by id; where one was given away, also by a payer merged into this, that one.
    last = {(row[1], row[2]): row for row in rows}
    last |= {(row[1], row[2]): row for row in rows if row[3] in _GIVEN_AWAY}
    opened = closed = 0
    reopened = [last[name].id for name in owed - live.keys() if name in last]
    _lock(work, h.id.in_(reopened + [live[name] for name in live.keys() - owed]))
    for payer_id, currency in sorted(owed - live.keys()):
        before = last.get((payer_id, currency))
        if before is not None and before.state == ChaseState.CLEAR.value and _chased_before(work, before.id):
            work.execute(
                update(t.chases)
                .where(h.id == before.id)
                .values(state=ChaseState.REOPENED.value, closed_at=None, version=h.version + 1)
            )
        elif before is None or before.state == ChaseState.CLEAR.value:
            work.execute(
                insert(t.chases).values(
                    connection_id=connection_id,
                    payer_id=payer_id,
                    currency=currency,
                    state=ChaseState.OPEN.value,
                    version=1,
                    opened_at=now,
                )
            )
        else:
            continue  # handed off or written off: a person decides
        opened += 1
    for name in sorted(live.keys() - owed):
        work.execute(
            update(t.chases)
            .where(h.id == live[name])
            .values(state=ChaseState.CLEAR.value, closed_at=now, version=h.version + 1)
        )
        closed += 1
    return opened, closed


def _same_customer() -> ColumnElement[bool]:
    return and_(
        t.customers.c.connection_id == t.invoices.c.connection_id, t.customers.c.remote_id == t.invoices.c.customer_id
    )


def _chased_before(work: Work, chase_id: int) -> bool:
    """Whether something that is open again was already in a message of that chase."""
    m, k, i = t.messages.c, t.message_items.c, t.invoices.c
    joined = t.message_items.join(t.messages, k.message_id == m.id).join(
        t.invoices, and_(i.connection_id == m.connection_id, i.remote_id == k.invoice_id)
    )
    query = select(
        exists(select(1).select_from(joined).where(m.chase_id == chase_id, i.state == "open", i.balance > 0))
    )
    return bool(work.execute(query).scalar_one())


def live_chases(work: Work, connection_id: int, payers: Collection[str] | None = None) -> list[Chase]:
    """The chases being worked, or those of some payers, by id."""
    h = t.chases.c
    query = select(*_COLUMNS).where(h.connection_id == connection_id, h.state.in_(_LIVE))
    if payers is not None:
        query = query.where(among(work, h.payer_id, payers))
    return [_chase(row) for row in work.execute(query.order_by(h.id)).all()]


def cleared(work: Work, connection_id: int, *, since: datetime, payers: Collection[str] | None = None) -> list[Chase]:
    """The chases that became clear then or later, where the payer has no other that is being worked; of all payers, or
    of some; by id."""
    query = select(*_COLUMNS).where(*_cleared(connection_id, since))
    if payers is not None:
        query = query.where(among(work, t.chases.c.payer_id, payers))
    return [_chase(row) for row in work.execute(query.order_by(t.chases.c.id)).all()]


def payers_to_plan(work: Work, connection_id: int, *, since: datetime) -> list[str]:
    """The payer of every chase that is being worked, and of those that are `cleared`; of each chase, in that order."""
    h = t.chases.c
    live = select(h.payer_id).where(h.connection_id == connection_id, h.state.in_(_LIVE)).order_by(h.id)
    lately = select(h.payer_id).where(*_cleared(connection_id, since)).order_by(h.id)
    return [row[0] for query in (live, lately) for row in work.execute(query).all()]


def _cleared(connection_id: int, since: datetime) -> tuple[ColumnElement[bool], ...]:
    h, other = t.chases.c, t.chases.alias("other")
    return (
        h.connection_id == connection_id,
        h.state == ChaseState.CLEAR.value,
        h.closed_at >= since,
        ~exists(
            select(1)
            .select_from(other)
            .where(
                other.c.connection_id == h.connection_id,
                other.c.payer_id == h.payer_id,
                other.c.currency == h.currency,
                or_(other.c.state.in_(_LIVE), other.c.id > h.id),
            )
        ),
    )


def lock(work: Work, chase_id: int) -> Chase:
    """The chase, its row locked until the work ends."""
    (row,) = _LOCKED(work, chase=chase_id)
    return _chase(row)


def get(work: Work, chase_id: int) -> Chase:
    """The chase as it stands, not locked."""
    return _chase(work.execute(select(*_COLUMNS).where(t.chases.c.id == chase_id)).one())


def lock_each(work: Work, chase_ids: Collection[int]) -> dict[int, Chase]:
    """As `lock`, of several at once and by id, so that no two who lock some wait for each other."""
    rows = _LOCKED_ALL(work, chases=those(work, chase_ids))
    return {found.id: found for found in map(_chase, rows)}


def of_several(work: Work, connection_id: int, payer_ids: Collection[str]) -> set[str]:
    """Those of the payers who have more than one chase that may still write: what one says counts for the others."""
    return {payer_id for (payer_id,) in _OF_SEVERAL(work, of=connection_id, those=those(work, payer_ids))}


def _chase(row: object) -> Chase:
    values = list(row)  # type: ignore[call-overload]
    values[4] = _STATES[values[4]]
    return Chase(*values)
