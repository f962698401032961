"""What calls of the list are still about: the value that is open and stopped by nothing, as the cache stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import and_, select

from arsync.domain.chase import Hold
from arsync.domain.documents import InvoiceState
from arsync.domain.money import Money
from arsync.store import holds
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.messages import Message

_NOTHING: Final = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Stake:
    """What a call is still about."""

    open: Money  # of what it demanded, less what is contested; nothing of what is stopped
    invoice_ids: tuple[str, ...]  # those that are open and not stopped
    stopped: str | None = None  # why the rest is, where nothing else is left


def stakes(work: Work, those: Collection[Message], days: Mapping[int, date]) -> dict[int, Stake]:
    """By message; `days` are the companies' own."""
    by_connection: dict[int, list[Message]] = defaultdict(list)
    for message in those:
        by_connection[message.connection_id].append(message)
    found: dict[int, Stake] = {}
    for connection_id, mine in by_connection.items():
        placed = [one.hold for one in holds.active(work, connection_id) if one.hold.is_on(days[connection_id])]
        owed = _owed(work, connection_id, [message.id for message in mine])
        for message in mine:
            found[message.id] = _stake(message, owed.get(message.id, ()), placed)
    return found


def _stake(message: Message, rows: Collection[Any], placed: Collection[Hold]) -> Stake:
    left, ids, stopped = _NOTHING, [], None
    for row in rows:
        about = [one for one in placed if one.invoice_id == row.remote_id or _is_wide(one, row.payer_id)]
        whole = next((one for one in about if one.part is None), None)
        if whole is not None:
            stopped = f"{whole.kind.replace('_', ' ')}: {whole.reason}"
            continue
        contested = sum((one.part.amount for one in about if one.part is not None), start=_NOTHING)
        if row.balance > contested:
            left += row.balance - contested
            ids.append(row.remote_id)
    return Stake(Money(left, message.currency), tuple(ids), None if ids else stopped)


def _is_wide(hold: Hold, payer_id: str | None) -> bool:
    return hold.invoice_id is None and hold.payer_id in (None, payer_id)


def _owed(work: Work, connection_id: int, message_ids: Collection[int]) -> dict[int, list[Any]]:
    k, i, c = t.message_items.c, t.invoices.c, t.customers.c
    billed = and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id)
    joined = t.message_items.join(t.invoices, i.remote_id == k.invoice_id).outerjoin(t.customers, billed)
    query = select(k.message_id, i.remote_id, i.balance, c.payer_id).select_from(joined)
    owed = query.where(
        i.connection_id == connection_id, k.demanded, i.state == InvoiceState.OPEN.value, i.balance > 0,
        k.message_id.in_(list(message_ids)),
    )  # fmt: skip
    found: dict[int, list[Any]] = defaultdict(list)
    for row in work.execute(owed.order_by(k.message_id, k.position)):
        found[row.message_id].append(row)
    return found
