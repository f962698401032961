"""The source's own figure for what a customer owes, held against the items that the cache knows.

An account is made of its own customers', invoices' and money's rows only. So whoever looks for those that fall short
again and again looks at those that a page has touched since, and at those that fell short the last time.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import BigInteger, Column, ColumnElement, Select, Table, and_, bindparam, func, select, type_coerce

from arsync.domain.documents import CreditState, CustomerState, InvoiceState
from arsync.domain.money import from_units
from arsync.domain.record import record
from arsync.store import connections
from arsync.store import tables as t
from arsync.store.bulk import among, among_those, those
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_TRADED: Final = (CustomerState.ACTIVE.value, CustomerState.ARCHIVED.value)
_UNSEEN: Final = "accounts"
#: With more customers than these to look at, every account is looked at.
_MANY: Final = 2000
#: Sums are taken of the parts above and below, for a database's own sum of the largest amounts may overflow.
_SPLIT: Final = 1_000_000


@record(frozen=True, slots=True)
class Account:
    """One payer with all for whom it pays. `told` is the source's figure, None where it is not known of each of them;
    `net` the open invoices less what is not put on any, currencies added unconverted as sources do."""

    payer_id: str
    told: Decimal | None
    net: Decimal
    currencies: tuple[str, ...]

    @property
    def falls_short(self) -> bool:
        """The source says that less is owed than the items add up to."""
        return self.told is not None and self.told < self.net


def accounts(work: Work, connection_id: int, payer_ids: Collection[str] | None = None) -> dict[str, Account]:
    """Every payer with something open, or those of these."""
    i = t.invoices.c
    net: dict[str, Decimal] = defaultdict(Decimal)
    currencies: dict[str, set[str]] = defaultdict(set)
    owed = (i.state == InvoiceState.OPEN.value, i.balance > 0)
    for payer, currency, amount in _sums(work, connection_id, payer_ids, t.invoices, i.balance, *owed):
        net[payer] += amount
        currencies[payer].add(currency)
    if not net:
        return {}
    for table in (t.payments, t.credit_notes):
        x = table.c
        left = (x.state == CreditState.ACTIVE.value, x.unapplied != 0)
        for payer, currency, amount in _sums(work, connection_id, payer_ids, table, x.unapplied, *left):
            if payer in net:
                net[payer] -= amount
                currencies[payer].add(currency)
    told = _told(work, connection_id, payer_ids)
    return {
        payer: Account(payer, told.get(payer), amount, tuple(sorted(currencies[payer])))
        for payer, amount in net.items()
    }


def held_against(
    work: Work,
    connection_id: int,
    payer_ids: Collection[str] | None,
    owed: Mapping[tuple[str, str], Decimal],
    unapplied: Mapping[tuple[str, str], Decimal],
) -> dict[str, Account]:
    """As `accounts`, of whom the open items have been read already: by payer and currency."""
    net: dict[str, Decimal] = defaultdict(Decimal)
    currencies: dict[str, set[str]] = defaultdict(set)
    for (payer, currency), amount in owed.items():
        net[payer] += amount
        currencies[payer].add(currency)
    for (payer, currency), amount in unapplied.items():
        if payer in net:
            net[payer] -= amount
            currencies[payer].add(currency)
    told = _told(work, connection_id, payer_ids)
    return {
        payer: Account(payer, told.get(payer), amount, tuple(sorted(currencies[payer])))
        for payer, amount in net.items()
    }


_U: Final = t.cursors.c
_LOCKED: Final = Prepared(
    select(_U.position).where(_U.connection_id == bindparam("of"), _U.pull == _UNSEEN, _U.done).with_for_update()
)


def touch(work: Work, connection_id: int, customer_ids: Collection[str], *, now: datetime) -> None:
    """These customers' accounts are to be looked at again; commit it together with what touched them."""
    unseen = _unseen(work, connection_id)
    if unseen is None or unseen >= set(customer_ids):
        return
    unseen |= set(customer_ids)
    _keep(work, connection_id, unseen if len(unseen) <= _MANY else None, now)


def touch_all(work: Work, connection_id: int, *, now: datetime) -> None:
    """Every account is to be looked at again."""
    _keep(work, connection_id, None, now)


def falling_short(work: Work, connection_id: int, *, now: datetime) -> list[Account]:
    """The accounts that fall short, of those touched since this was last asked and those that did so then; the
    caller commits."""
    unseen = _unseen(work, connection_id)
    if unseen is None:
        known = accounts(work, connection_id)
    else:
        c = t.customers.c
        query = select(c.payer_id).where(c.connection_id == connection_id, among(work, c.remote_id, unseen))
        known = accounts(work, connection_id, unseen | set(work.execute(query).scalars())) if unseen else {}
    short = [one for one in known.values() if one.falls_short]
    still = {one.payer_id for one in short}
    if still != unseen:
        _keep(work, connection_id, still, now)
    return short


def _unseen(work: Work, connection_id: int) -> set[str] | None:
    """The customers whose accounts nobody has looked at since they were touched; None: all of them."""
    rows = _LOCKED(work, of=connection_id)
    return set(json.loads(rows[0][0])) if rows and rows[0][0] is not None else None


def _keep(work: Work, connection_id: int, unseen: set[str] | None, now: datetime) -> None:
    position = None if unseen is None else json.dumps(sorted(unseen))
    connections.move_cursor(
        work, connection_id, _UNSEEN, position=position, done=unseen is not None, seen=len(unseen or ()), now=now
    )


def _sums(
    work: Work,
    connection_id: int,
    payer_ids: Collection[str] | None,
    table: Table,
    amount: Column[Any],
    *where: ColumnElement[bool],
) -> Iterator[tuple[str, str, Decimal]]:
    """What the rows of a table add up to, by payer and currency."""
    c, x = t.customers.c, table.c
    units = type_coerce(amount, BigInteger)
    billed = and_(c.connection_id == x.connection_id, c.remote_id == x.customer_id)
    query = (
        select(c.payer_id, x.currency, func.sum(units // _SPLIT), func.sum(units % _SPLIT))
        .select_from(table.join(t.customers, billed))
        .where(x.connection_id == connection_id, *where)
        .group_by(c.payer_id, x.currency)
    )
    for payer, currency, above, below in work.execute(_of(work, query, payer_ids)):
        yield payer, currency, from_units(int(above) * _SPLIT + int(below))


def _told(work: Work, connection_id: int, payer_ids: Collection[str] | None) -> dict[str, Decimal | None]:
    """The figures of a payer and of those it pays for, added up; None where one of them is not known."""
    if payer_ids is None:
        figures = _FIGURES(work, of=connection_id)
    else:
        figures = _FIGURES_OF(work, of=connection_id, those=those(work, payer_ids))
    return {
        payer: None if unknown else from_units(int(above) * _SPLIT + int(below))
        for payer, unknown, above, below in figures
    }


def _figures(dialect: str) -> Select[*tuple[Any, ...]]:
    c = t.customers.c
    units = type_coerce(c.balance, BigInteger)
    query = (
        select(c.payer_id, func.count() - func.count(c.balance), func.sum(units // _SPLIT), func.sum(units % _SPLIT))
        .where(c.connection_id == bindparam("of"), c.state.in_(_TRADED))
        .group_by(c.payer_id)
    )
    return query.where(among_those(dialect, c.payer_id)) if dialect else query


_FIGURES: Final = Prepared(_figures(""))
_FIGURES_OF: Final = Prepared(_figures)


def _of(work: Work, query: Select[*tuple[Any, ...]], payer_ids: Collection[str] | None) -> Select[*tuple[Any, ...]]:
    return query if payer_ids is None else query.where(among(work, t.customers.c.payer_id, payer_ids))
