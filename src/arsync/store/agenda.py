"""What is on the desk of these companies' people: each pile with its count and its first lines, in one query."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, literal_column, or_, select

from arsync.domain.documents import InvoiceState
from arsync.domain.money import Money
from arsync.domain.people import REACHED
from arsync.domain.policy import StepChannel
from arsync.domain.replies import ReplyState
from arsync.domain.states import EFFECTIVE, ChaseState, HoldState, MessageState, PromiseState
from arsync.store import messages
from arsync.store import tables as t
from arsync.store.bulk import among_ids
from arsync.store.engine import Work

_M: Final = t.messages.c
_CH: Final = t.chases.c
_P: Final = t.customers.c


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a pile: a thing (`id`) of a payer, what it is, the money in it, and its day or moment."""

    id: int
    connection_id: int
    payer_id: str | None
    payer: str
    what: str
    money: Money | None
    day: date | None
    at: datetime | None
    said: str  # why, or what they wrote


@dataclass(frozen=True, slots=True)
class Pile:
    """So many things, and the first of them."""

    count: int
    entries: tuple[Entry, ...]


def to_approve(work: Work, companies: Collection[int], *, most: int) -> Pile:
    """Messages that wait for a person, the most money first."""
    where = (_M.state == MessageState.PLANNED.value, among_ids(work, _M.connection_id, companies))
    return message_pile(work, where, _M.planned_on, (_M.amount.desc(), _M.id), most)


def unknown(work: Work, companies: Collection[int], *, most: int) -> Pile:
    """Messages of which nobody knows whether they went out, the oldest first."""
    where = (_M.state == MessageState.UNKNOWN.value, among_ids(work, _M.connection_id, companies))
    return message_pile(work, where, _M.planned_on, (_M.id,), most)


def went_out(work: Work, companies: Collection[int], since: date, *, most: int) -> Pile:
    """Messages that left us since that day, the newest first."""
    where = (among_ids(work, _M.connection_id, companies), _M.sent_on >= since, _M.channel != StepChannel.CALL.value)
    return message_pile(work, where, _M.sent_on, (_M.sent_on.desc(), _M.id.desc()), most, said=_M.subject)


def calls(work: Work, companies: Collection[int], today: date, *, most: int) -> Pile:
    """Calls and tasks to do: nobody was spoken to, and something that they are about is owed and stopped by nothing.
    The most money first, as the cache stands."""
    o, k, i, h, later = t.call_outcomes.c, t.message_items.c, t.invoices.c, t.holds.c, t.messages.alias("later")
    reached = exists().where(
        o.message_id == _M.id, o.undone_at.is_(None), o.outcome.in_([one.value for one in REACHED])
    )
    overtaken = exists().where(
        later.c.chase_id == _M.chase_id, later.c.id > _M.id, later.c.state.in_([one.value for one in EFFECTIVE])
    )
    of_all = and_(h.payer_id.is_(None), h.invoice_id.is_(None))
    of_payer = and_(h.payer_id == _CH.payer_id, h.invoice_id.is_(None))
    # Each by its index. Correlated by name: on its own it would take whichever chase there is for the call's.
    stopped = or_(*(
        exists().correlate(t.messages, t.chases, t.invoices).where(
            h.connection_id == _M.connection_id, whose, h.state == HoldState.ACTIVE.value, h.amount.is_(None),
            h.begins <= today, or_(h.until.is_(None), h.until >= today),
        )
        for whose in (of_payer, of_all, h.invoice_id == i.remote_id)
    ))  # fmt: skip
    at_stake = (
        select(func.sum(i.balance))
        .select_from(
            t.message_items.join(t.invoices, and_(i.connection_id == _M.connection_id, i.remote_id == k.invoice_id))
        )
        .where(k.message_id == _M.id, k.demanded, i.state == InvoiceState.OPEN.value, i.balance > 0, ~stopped)
        .correlate(t.messages, t.chases)
        .scalar_subquery()
    )
    # Reckoned once for each, and not wherever it stands.
    standing = (
        select(_M.id, at_stake.label("money"))
        .select_from(t.chases.join(t.messages, _M.chase_id == _CH.id))
        .where(
            # Spelled out as the indexes of running chases and of calls have it: SQLite takes them for nothing else, and
            # of what was accepted there may be all the mail there ever was.
            _CH.state.in_([_spelled(ChaseState.OPEN), _spelled(ChaseState.REOPENED)]),
            _M.channel.in_([_spelled(StepChannel.CALL), _spelled(StepChannel.TASK)]),
            func.coalesce(_M.state, "") == MessageState.ACCEPTED.value,
            among_ids(work, _CH.connection_id, companies), ~reached, ~overtaken, ~messages.done_by_hand(),
        )
        .cte("standing")
        .prefix_with("MATERIALIZED")
    )  # fmt: skip
    money = standing.c.money
    where = (standing.c.id == _M.id, or_(money > 0, _M.amount == 0))
    order = (func.coalesce(money, 0).desc(), _M.id)
    return message_pile(work, where, _M.sent_on, order, most, amount=money, said=_M.subject)


def _spelled(word: StrEnum) -> ColumnElement[Any]:
    return literal_column(f"'{word.value}'")


def message_pile(
    work: Work, where: Collection[ColumnElement[bool]], day: ColumnElement[Any], order: Collection[Any], most: int,
    amount: Any = None, said: Any = None,
) -> Pile:  # fmt: skip
    """Messages of which all that holds, in that order, with that day and their money and reason unless others are
    told."""
    query = (
        select(
            func.count().over().label("in_all"), _M.id, _M.connection_id, _CH.payer_id, _P.name, _M.step_id,
            _M.currency, (_M.amount if amount is None else amount).label("money"), day.label("day"), _M.accepted_at,
            (_M.reason if said is None else said).label("said"),
        )
        .select_from(with_payer(t.messages.join(t.chases, _CH.id == _M.chase_id), _M.connection_id, _CH.payer_id))
        .where(*where)
        .order_by(*order)
        .limit(most)
    )  # fmt: skip
    return pile(
        (
            row.in_all,
            Entry(
                row.id, row.connection_id, row.payer_id, row.name or row.payer_id, row.step_id,
                Money(row.money or Decimal("0.00"), row.currency), row.day, row.accepted_at, row.said,
            ),
        )
        for row in work.execute(query)
    )  # fmt: skip


def holds_ending(work: Work, companies: Collection[int], first: date, last: date, *, most: int) -> Pile:
    """What was stopped and goes on again between these days, the next first."""
    h, i = t.holds.c, t.invoices.c
    joined = with_payer(t.holds, h.connection_id, h.payer_id).outerjoin(
        t.invoices, and_(i.connection_id == h.connection_id, i.remote_id == h.invoice_id)
    )
    query = (
        select(
            func.count().over().label("in_all"), h.id, h.connection_id, h.payer_id, _P.name, i.number, h.kind, h.until,
            h.reason,
        )
        .select_from(joined)
        .where(
            among_ids(work, h.connection_id, companies), h.state == HoldState.ACTIVE.value, h.until.between(first, last)
        )
        .order_by(h.until, h.id)
        .limit(most)
    )  # fmt: skip
    return pile(
        (
            row.in_all,
            Entry(
                row.id, row.connection_id, row.payer_id, row.name or row.payer_id or "everybody",
                f"{row.kind} on {row.number}" if row.number else row.kind, None, row.until, None, row.reason,
            ),
        )
        for row in work.execute(query)
    )  # fmt: skip


def promises(
    work: Work, companies: Collection[int], state: PromiseState, *, until: date | None = None,
    since: datetime | None = None, most: int,
) -> Pile:  # fmt: skip
    """Promises in that state: named for a day up to `until`, settled from `since` on; the earliest day first."""
    p = t.promises.c
    where = [among_ids(work, p.connection_id, companies), p.state == state.value]
    if until is not None:
        where.append(p.promised_on <= until)
    if since is not None:
        where.append(p.settled_at >= since)
    query = (
        select(
            func.count().over().label("in_all"), p.id, p.connection_id, p.payer_id, _P.name, p.amount, p.currency,
            p.promised_on, p.plan_id, p.reason,
        )
        .select_from(with_payer(t.promises, p.connection_id, p.payer_id))
        .where(*where)
        .order_by(p.promised_on, p.id)
        .limit(most)
    )  # fmt: skip
    return pile(
        (
            row.in_all,
            Entry(
                row.id, row.connection_id, row.payer_id, row.name or row.payer_id,
                "instalment" if row.plan_id else "promise", Money(row.amount, row.currency), row.promised_on, None,
                row.reason,
            ),
        )
        for row in work.execute(query)
    )  # fmt: skip


def replies(work: Work, companies: Collection[int], *, of_nobody: bool, most: int) -> Pile:
    """Mails that a person must read, the newest first; `of_nobody`: also those that belong to no company."""
    r = t.replies.c
    theirs = among_ids(work, r.connection_id, companies)
    query = (
        select(
            func.count().over().label("in_all"), r.id, r.connection_id, r.payer_id, _P.name, r.sender, r.subject,
            r.meaning, r.received_at,
        )
        .select_from(with_payer(t.replies, r.connection_id, r.payer_id))
        .where(r.state == ReplyState.WAITING.value, or_(theirs, r.connection_id.is_(None)) if of_nobody else theirs)
        .order_by(r.received_at.desc(), r.id.desc())
        .limit(most)
    )  # fmt: skip
    return pile(
        (
            row.in_all,
            Entry(
                row.id, row.connection_id or 0, row.payer_id, row.name or row.sender, row.subject, None, None,
                row.received_at, (row.meaning or "not told").replace("_", " "),
            ),
        )
        for row in work.execute(query)
    )  # fmt: skip


def with_payer(whose: Any, connection_id: Any, payer_id: Any) -> Any:
    """The same rows with their payer, where it is known."""
    return whose.outerjoin(t.customers, and_(_P.connection_id == connection_id, _P.remote_id == payer_id))


def pile(rows: Iterable[tuple[int, Entry]]) -> Pile:
    """Of lines that each come with how many there are in all."""
    told = list(rows)
    return Pile(told[0][0] if told else 0, tuple(entry for _, entry in told))
