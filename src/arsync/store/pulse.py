"""How a connection's feed usually beats: new invoices and payments by the day on which they came into the source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, delete, func, insert, select, update

from arsync.store import tables as t
from arsync.store.engine import Work

#: Records grouped at a time.
AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Beat:
    """One day."""

    on: date
    invoices: int
    payments: int


def measure(work: Work, connection_id: int) -> None:
    """Takes the whole history from the cache: invoices by their day of issue, payments by their last change, which is
    when somebody entered them, however early the money had come."""
    p, i, x = t.payments.c, t.invoices.c, t.pulse.c
    days: dict[date, list[int]] = {}
    counted = (_by_day(work, connection_id, t.invoices, i.issued_on),
               _by_day(work, connection_id, t.payments, func.date(p.updated_at)))  # fmt: skip
    for place, found in enumerate(counted):
        for day, count in found:
            on = date.fromisoformat(day) if isinstance(day, str) else day
            days.setdefault(on, [0, 0])[place] += int(count)
    work.execute(delete(t.pulse).where(x.connection_id == connection_id))
    rows = [
        {"connection_id": connection_id, "day": day, "invoices": counts[0], "payments": counts[1]}
        for day, counts in days.items()
    ]
    if rows:
        work.execute(insert(t.pulse), rows)


def _by_day(work: Work, connection_id: int, table: Table, day: ColumnElement[Any]) -> Iterator[tuple[Any, int]]:
    """How many records each day has, some days more than once: so many at a time, for whoever groups them sorts them,
    and the records of a large company would all be in memory."""
    c, last = table.c, ""
    while True:
        mine = select(c.remote_id, day.label("day")).where(c.connection_id == connection_id, c.remote_id > last)
        some = mine.order_by(c.remote_id).limit(AT_ONCE).subquery()
        greatest = func.max(func.max(some.c.remote_id)).over()  # of all the days, in the database's own order
        found = work.execute(select(some.c.day, func.count(), greatest).group_by(some.c.day)).all()
        yield from ((row[0], int(row[1])) for row in found)
        if sum(row[1] for row in found) < AT_ONCE:
            return
        last = found[0][2]


def add(work: Work, connection_id: int, beat: Beat) -> None:
    """Counts what a delta brought that was not known before."""
    x = t.pulse.c
    if not (beat.invoices or beat.payments):
        return
    more = (
        update(t.pulse)
        .where(x.connection_id == connection_id, x.day == beat.on)
        .values(invoices=x.invoices + beat.invoices, payments=x.payments + beat.payments)
    )
    if not work.execute(more).rowcount:
        work.execute(
            insert(t.pulse).values(
                connection_id=connection_id, day=beat.on, invoices=beat.invoices, payments=beat.payments
            )
        )


def last_payment(work: Work, connection_id: int, until: date) -> date | None:
    """The last day, up to that one, on which a payment came in."""
    x = t.pulse.c
    query = select(x.day).where(x.connection_id == connection_id, x.day <= until, x.payments > 0)
    return work.execute(query.order_by(x.day.desc()).limit(1)).scalar_one_or_none()


def beats(work: Work, connection_id: int, until: date) -> list[Beat]:
    """The last two years to that day, oldest first; days on which nothing came are left out."""
    x = t.pulse.c
    query = (
        select(x.day, x.invoices, x.payments)
        .where(x.connection_id == connection_id, x.day > until - timedelta(days=731), x.day <= until)
        .order_by(x.day)
    )
    return [Beat(row.day, row.invoices, row.payments) for row in work.execute(query)]
