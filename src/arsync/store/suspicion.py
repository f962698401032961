"""Why a connection's data may not be believed, until it clears by itself or a person has looked."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import func, literal_column, select

from arsync.connector import Company
from arsync.domain.documents import InvoiceState
from arsync.domain.states import Health
from arsync.store import connections, events
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work

_TRUSTED = "trusted"
_INSTALLATIONS = "installations"
_FOREIGN = "foreign"
_COMPANY = "company"


class Trouble(StrEnum):
    """What looks abnormal."""

    COMPANY = "company"  # another company answers; clears when the right one does again
    CLOCK = "clock"  # the source's time is not ours; clears when it is again
    SILENCE = "silence"  # invoices flow and no payments come; clears with the first payment
    UPHEAVAL = "upheaval"  # many invoices closed without money, or open again, at once; a person must look
    INCOMPLETE = "incomplete"  # the source's lists leave out what it knows by id; clears with a whole reconcile
    FOREIGN = "foreign"  # another installation writes notes into this company; a person must look


#: What does not clear by itself at the next sync.
STANDING = frozenset({Trouble.UPHEAVAL, Trouble.INCOMPLETE, Trouble.FOREIGN})


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One reason, in a sentence."""

    trouble: Trouble
    reason: str


def standing(work: Work, connection_id: int) -> list[Suspicion]:
    """What stands against the connection: each trouble once, in the order in which they are declared."""
    kept = {trouble: connections.cursor(work, connection_id, _row(trouble)).position for trouble in Trouble}
    return [Suspicion(trouble, reason) for trouble, reason in kept.items() if reason is not None]


def ends_by(work: Work, connection_id: int, name: str) -> str:
    """What to do about what stands against the connection of this name."""
    if {one.trouble for one in standing(work, connection_id)} == {Trouble.CLOCK}:
        return "set the clock right; the next sync ends it"
    return f"look at it; if it is right, `arsync trust {name} --reason TEXT`"


def raise_(work: Work, connection_id: int, found: Suspicion, *, now: datetime) -> None:
    """Marks the connection: nothing is sent from it. What stands already stays."""
    row = _row(found.trouble)
    is_known = connections.cursor(work, connection_id, row).position is not None
    connections.move_cursor(work, connection_id, row, position=found.reason, done=False, seen=0, now=now)
    mark(work, connection_id)
    if not is_known:
        events.log(
            work, "connection_suspected", at=now, connection_id=connection_id, trouble=found.trouble,
            reason=found.reason,
        )  # fmt: skip


def mark(work: Work, connection_id: int) -> bool:
    """Makes the connection suspect where anything stands against it; whether it does."""
    reasons = [one.reason for one in standing(work, connection_id)]
    if reasons:
        connections.set_health(work, connection_id, Health.SUSPECT, "; ".join(reasons))
    return bool(reasons)


def clear(
    work: Work, connection_id: int, troubles: Collection[Trouble], *, author: str, reason: str, now: datetime
) -> list[Suspicion]:
    """Ends what stands of these troubles, and returns it; the health is the caller's to set."""
    ended = [one for one in standing(work, connection_id) if one.trouble in troubles]
    for one in ended:
        connections.move_cursor(work, connection_id, _row(one.trouble), position=None, done=True, seen=0, now=now)
        events.log(
            work, "connection_trusted", at=now, author=author, connection_id=connection_id, trouble=one.trouble,
            reason=reason,
        )  # fmt: skip
    return ended


def _row(trouble: Trouble) -> str:
    """A row for each, so that a lesser trouble never takes the place of one that only a person may end."""
    return f"suspect:{trouble}"


def trust_silence(work: Work, connection_id: int, on: date, *, now: datetime) -> None:
    """A person has looked: silence is counted from that day."""
    connections.move_cursor(work, connection_id, _TRUSTED, position=on.isoformat(), done=True, seen=0, now=now)


def trusted_since(work: Work, connection_id: int) -> date | None:
    """The day on which a person last said that silence is right."""
    position = connections.cursor(work, connection_id, _TRUSTED).position
    return None if position is None else date.fromisoformat(position)


def open_count(work: Work, connection_id: int, *, most: int) -> int:
    """How many invoices are open; they are not counted beyond `most`."""
    i = t.invoices.c
    is_open = i.state == literal_column(f"'{InvoiceState.OPEN}'")  # as a parameter it would not find their index
    query = select(i.due_on).where(i.connection_id == connection_id, is_open)
    return int(work.execute(select(func.count()).select_from(query.limit(most).subquery())).scalar_one())


def closed_without_money(work: Work, connection_id: int, invoice_ids: Collection[str]) -> int:
    """How many of these invoices are closed by less than half their total in payments and credits that are known."""
    i, a = t.invoices.c, t.allocations.c
    put: dict[str, Decimal] = {}
    parts = select(a.invoice_id, a.amount).where(
        a.connection_id == connection_id, among(work, a.invoice_id, invoice_ids)
    )
    for row in work.execute(parts):
        put[row.invoice_id] = put.get(row.invoice_id, Decimal(0)) + row.amount
    query = select(i.remote_id, i.total).where(i.connection_id == connection_id, among(work, i.remote_id, invoice_ids))
    return sum(put.get(row.remote_id, Decimal(0)) * 2 < row.total for row in work.execute(query))


def customer_names(work: Work, connection_id: int, most: int) -> dict[str, str]:
    """Some of the customers that the cache knows, by id."""
    c = t.customers.c
    query = select(c.remote_id, c.name).where(c.connection_id == connection_id, c.state == "active")
    return {row.remote_id: row.name for row in work.execute(query.order_by(c.remote_id).limit(most))}


def known_installations(work: Work, connection_id: int) -> set[str]:
    """Other installations of which a person has said that they are no more, or may be."""
    position = connections.cursor(work, connection_id, _INSTALLATIONS).position
    return set(json.loads(position)) if position else set()


def remember_foreign(work: Work, connection_id: int, keys: Collection[str], *, now: datetime) -> None:
    """Keeps whose notes made the connection suspect, besides those kept before, for a person to judge."""
    kept = connections.cursor(work, connection_id, _FOREIGN).position
    position = json.dumps(sorted({*keys, *json.loads(kept or "[]")}))
    connections.move_cursor(work, connection_id, _FOREIGN, position=position, done=False, seen=0, now=now)


def trust_foreign(work: Work, connection_id: int, *, now: datetime) -> None:
    """A person has looked at what these installations wrote: they are no more, or may be."""
    position = connections.cursor(work, connection_id, _FOREIGN).position
    every = sorted(known_installations(work, connection_id) | set(json.loads(position or "[]")))
    connections.move_cursor(work, connection_id, _INSTALLATIONS, position=json.dumps(every), done=True, seen=0, now=now)


def source_id(work: Work, connection_id: int) -> str | None:
    """The source's own id of the company, as first met."""
    return connections.cursor(work, connection_id, _COMPANY).position


def remember_company(work: Work, connection_id: int, company: Company, *, now: datetime) -> None:
    """Keeps the id by which the company is known again."""
    if company.source_id is not None and company.source_id != source_id(work, connection_id):
        connections.move_cursor(work, connection_id, _COMPANY, position=company.source_id, done=True, seen=0, now=now)
