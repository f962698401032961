"""What cannot go on without a person at these companies: each pile with its count and its first lines, in one query."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, literal_column, or_, select

from arsync.connector import TargetKind
from arsync.domain.chase import Rule
from arsync.domain.documents import InvoiceState
from arsync.domain.money import Money
from arsync.domain.policy import APOLOGY, StepChannel
from arsync.domain.states import LIVE, MessageState, NoteState, WriteKind
from arsync.store import tables as t
from arsync.store.agenda import Entry, Pile, message_pile, pile, with_payer
from arsync.store.bulk import among_ids
from arsync.store.engine import Work
from arsync.store.ledger import billed
from arsync.store.tables.decisions import FOR_A_PERSON

_M: Final = t.messages.c
_CH: Final = t.chases.c
_P: Final = t.customers.c
_V: Final = t.verdicts.c
#: Answered so, nothing more goes out by itself: the ladder is done with, or a final notice lacks what comes before it.
_THROUGH: Final = (Rule.LADDER_DONE.value, Rule.MILDER_FIRST.value)


def too_long(work: Work, companies: Collection[int], before: date, *, most: int) -> Pile:
    """Messages that have waited for a person's answer since before that day, the longest first."""
    asked = func.coalesce(_M.asked_at, _M.planned_at)
    where = (
        _M.state == MessageState.PLANNED.value, among_ids(work, _M.connection_id, companies),
        asked < datetime.combine(before, time(), UTC),
    )  # fmt: skip
    return message_pile(work, where, _M.planned_on, (asked, _M.id), most)


def failed(work: Work, companies: Collection[int], *, most: int) -> Pile:
    """Messages that the channel refused for good, the most money first."""
    where = (_M.state == MessageState.FAILED.value, among_ids(work, _M.connection_id, companies))
    return message_pile(work, where, _M.planned_on, (_M.amount.desc(), _M.id), most)


def set_aside(work: Work, companies: Collection[int], reasons: Sequence[str], *, most: int) -> Pile:
    """Approved messages that do not go: their reason begins with one of these."""
    where = (
        _M.state == MessageState.APPROVED.value, among_ids(work, _M.connection_id, companies), _begins(reasons),
    )  # fmt: skip
    return message_pile(work, where, _M.planned_on, (_M.amount.desc(), _M.id), most)


def next_out(work: Work, companies: Collection[int], but: Sequence[str], *, most: int) -> Pile:
    """Mail that nobody needs to look at any more and that goes out next, the most money first; but what was set aside
    with a reason that begins so."""
    where = (
        _M.state.in_((MessageState.APPROVED.value, MessageState.CLAIMED.value, MessageState.SENDING.value)),
        among_ids(work, _M.connection_id, companies), _M.channel != StepChannel.LETTER.value, ~_begins(but),
    )  # fmt: skip
    return message_pile(work, where, _M.planned_on, (_M.amount.desc(), _M.id), most)


def _begins(reasons: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(_M.reason.startswith(one, autoescape=True) for one in reasons))


def letters(work: Work, companies: Collection[int], *, most: int) -> Pile:
    """Letters: paper to be taken out of the pile, letters to be posted, letters to be printed; the most money first."""
    s = t.letter_sheets.c
    lies = and_(s.printed_at.is_not(None), s.taken_out_at.is_(None))
    alive = _M.state.in_((MessageState.APPROVED.value, MessageState.CLAIMED.value))
    dead = _M.state.in_((MessageState.PLANNED.value, MessageState.SUPERSEDED.value, MessageState.CANCELLED.value))
    edited = and_(_M.edited_by.is_not(None), _M.approved_at.is_not(None), s.printed_at < _M.approved_at)
    stands = case(
        (and_(lies, or_(dead, edited)), "to be taken out of the pile"), (lies, "to be posted"), else_="to be printed"
    )
    order = case((and_(lies, or_(dead, edited)), 0), (lies, 1), else_=2)
    joined = with_payer(t.messages.join(t.chases, _CH.id == _M.chase_id), _M.connection_id, _CH.payer_id).outerjoin(
        t.letter_sheets, s.message_id == _M.id
    )
    on_paper = select(s.message_id).where(lies)
    query = (
        select(
            func.count().over().label("in_all"), _M.id, _M.connection_id, _CH.payer_id, _P.name, _M.amount, _M.currency,
            _M.planned_on, stands.label("stands"), _M.step_id,
        )
        .select_from(joined)
        .where(
            _M.channel == StepChannel.LETTER.value, among_ids(work, _M.connection_id, companies),
            or_(alive, and_(dead, _M.id.in_(on_paper))),
        )
        .order_by(order, _M.amount.desc(), _M.id)
        .limit(most)
    )  # fmt: skip
    return pile(
        (
            row.in_all,
            Entry(
                row.id, row.connection_id, row.payer_id, row.name or row.payer_id, row.stands,
                Money(row.amount, row.currency), row.planned_on, None, row.step_id.replace("_", " "),
            ),
        )
        for row in work.execute(query)
    )  # fmt: skip


def follow_ups(work: Work, companies: Collection[int], today: date, *, most: int) -> Pile:
    """Comments that are to be looked at again by that day, the oldest first."""
    k = t.comments.c
    query = (
        select(
            func.count().over().label("in_all"), k.id, k.connection_id, k.payer_id, _P.name, k.text, k.author,
            k.follow_up,
        )
        .select_from(with_payer(t.comments, k.connection_id, k.payer_id))
        .where(among_ids(work, k.connection_id, companies), k.done_at.is_(None), k.follow_up <= today)
        .order_by(k.follow_up, k.id)
        .limit(most)
    )  # fmt: skip
    return pile(
        (
            row.in_all,
            Entry(
                row.id, row.connection_id, row.payer_id, row.name or row.payer_id, row.text, None, row.follow_up, None,
                row.author,
            ),
        )
        for row in work.execute(query)
    )  # fmt: skip


def wrongly_asked(work: Work, companies: Collection[int], *, most: int) -> Pile:
    """Messages that had asked for what was paid by then, of which nobody has answered for and no apology is on its way;
    the oldest first, one for each invoice."""
    c, k = t.corrections.c, t.message_items.c
    sorry, named = t.messages.alias("sorry"), t.message_items.alias("named")
    on_its_way = exists().where(
        sorry.c.connection_id == _M.connection_id, sorry.c.step_id == APOLOGY,
        sorry.c.state.in_([state.value for state in LIVE]), named.c.message_id == sorry.c.id,
        named.c.invoice_id == c.invoice_id, named.c.demanded,
    )  # fmt: skip
    joined = (
        t.corrections.join(t.messages, _M.id == c.message_id)
        .join(t.chases, _CH.id == _M.chase_id)
        .join(t.message_items, and_(k.message_id == c.message_id, k.invoice_id == c.invoice_id))
    )
    query = (
        select(
            func.count().over().label("in_all"), _M.id, _M.connection_id, _CH.payer_id, _P.name, k.number, k.amount,
            _M.currency, _M.sent_on, c.paid_on,
        )
        .select_from(with_payer(joined, _M.connection_id, _CH.payer_id))
        .where(
            # First those that are open: they are few, and a database that counts nothing begins with all chases.
            _M.id.in_(select(c.message_id).where(c.settled_at.is_(None)).correlate(None)),
            among_ids(work, _M.connection_id, companies), c.settled_at.is_(None), ~on_its_way,
        )
        .order_by(c.message_id, k.position)
        .limit(most)
    )  # fmt: skip
    return pile(
        (
            row.in_all,
            Entry(
                row.id, row.connection_id, row.payer_id, row.name or row.payer_id, row.number,
                Money(row.amount, row.currency), row.sent_on, None, f"paid on {row.paid_on}",
            ),
        )
        for row in work.execute(query)
    )  # fmt: skip


def unwritten(work: Work, companies: Collection[int], *, most: int) -> Pile:
    """Notes that the accounting system did not take, or of which nobody knows whether it did, the oldest first."""
    n, i = t.notes.c, t.invoices.c
    whose = func.coalesce(_CH.payer_id, _P.payer_id, n.target_id)
    on_invoice = and_(
        i.connection_id == n.connection_id, i.remote_id == n.target_id, n.target_kind == TargetKind.INVOICE.value
    )
    customer = case((n.target_kind == TargetKind.INVOICE.value, i.customer_id), else_=n.target_id)
    joined = (
        t.notes.outerjoin(t.messages, _M.id == n.message_id)
        .outerjoin(t.chases, _CH.id == _M.chase_id)
        .outerjoin(t.invoices, on_invoice)
        .outerjoin(t.customers, and_(_P.connection_id == n.connection_id, _P.remote_id == customer))
    )
    lost = and_(n.state == NoteState.PENDING.value, n.tried_at.is_not(None))
    open_ones = or_(
        n.state == NoteState.UNKNOWN.value, lost,
        and_(n.state == NoteState.FAILED.value, n.kind == WriteKind.NOTE.value),
    )  # fmt: skip
    states = (NoteState.PENDING.value, NoteState.FAILED.value, NoteState.UNKNOWN.value)
    query = (
        select(
            func.count().over().label("in_all"), n.id, n.connection_id, whose.label("payer_id"), _P.name, n.kind,
            i.number, n.state, n.reason, n.tried_at,
        )
        .select_from(joined)
        .where(n.state.in_(states), among_ids(work, n.connection_id, companies), open_ones)
        .order_by(n.id)
        .limit(most)
    )  # fmt: skip
    return pile(
        (
            row.in_all,
            Entry(
                row.id, row.connection_id, row.payer_id, row.name or row.payer_id,
                f"{row.kind} on {row.number}" if row.number else row.kind, None, None, row.tried_at,
                f"{row.state}: {row.reason}",
            ),
        )
        for row in work.execute(query)
    )  # fmt: skip


def unreadable(work: Work, companies: Collection[int], *, most: int) -> Pile:
    """Records of the accounting system that could not be read, the oldest first."""
    q = t.quarantine.c
    query = (
        select(
            func.count().over().label("in_all"), q.connection_id, q.resource, q.remote_id, q.reason, q.first_at,
            q.customer_id, _P.payer_id, _P.name,
        )
        .select_from(with_payer(t.quarantine, q.connection_id, q.customer_id))
        .where(among_ids(work, q.connection_id, companies))
        .order_by(q.first_at, q.resource, q.remote_id)
        .limit(most)
    )  # fmt: skip
    return pile(
        (
            row.in_all,
            Entry(
                0, row.connection_id, row.payer_id, row.name or "nobody that is known",
                f"{row.resource} {row.remote_id}", None, None, row.first_at, row.reason,
            ),
        )
        for row in work.execute(query)
    )  # fmt: skip


# --- what was decided -------------------------------------------------------------------------------------------------


def to_decide(work: Work, companies: Collection[int], *, most: int) -> Pile:
    """Who is through with the ladder and still owes, by payer and currency, the most money first: a person decides."""
    i = t.invoices.c
    owed = func.sum(i.balance)
    said = func.min(_V.reason)
    query = (
        select(
            func.count().over().label("in_all"), _V.connection_id, _P.payer_id, _name_of_payer().label("name"),
            i.currency, owed.label("owed"), func.count(_V.id).label("invoices"), said.label("said"),
        )
        .select_from(_decided())
        .where(*_standing(work, companies), _V.rule.in_(_THROUGH))
        .group_by(_V.connection_id, _P.payer_id, i.currency)
        .order_by(owed.desc(), _V.connection_id, _P.payer_id)
        .limit(most)
    )  # fmt: skip
    return pile(
        (
            row.in_all,
            Entry(
                0, row.connection_id, row.payer_id, row.name or row.payer_id,
                "1 invoice" if row.invoices == 1 else f"{row.invoices} invoices", Money(row.owed, row.currency), None,
                None, row.said,
            ),
        )
        for row in work.execute(query)
    )  # fmt: skip


def at_a_stand(work: Work, companies: Collection[int], *, most: int) -> Pile:
    """Why somebody is not written to before a person acts: each reason once, with its customer or how many those are;
    what holds the most invoices first."""
    i = t.invoices.c
    number = func.count(_V.id)
    payers = func.count(func.distinct(_P.payer_id))
    query = (
        select(
            func.count().over().label("in_all"), _V.connection_id, func.min(_P.payer_id).label("payer_id"),
            func.min(_name_of_payer()).label("name"), payers.label("payers"), _V.rule, _V.reason,
            func.min(i.currency).label("currency"), func.max(i.currency).label("another"),
            func.sum(i.balance).label("owed"), func.min(_V.first_on).label("since"),
        )
        .select_from(_decided())
        .where(*_standing(work, companies), _V.rule.not_in(_THROUGH))
        .group_by(_V.connection_id, _V.rule, _V.reason)
        .order_by(number.desc(), _V.connection_id, _V.reason)
        .limit(most)
    )  # fmt: skip
    return pile((row.in_all, _stand(row)) for row in work.execute(query))


def _stand(row: Any) -> Entry:
    alone = row.payers <= 1
    return Entry(
        0, row.connection_id, row.payer_id if alone else None,
        (row.name or row.payer_id or "nobody that is known") if alone else f"{row.payers} customers",
        row.rule, Money(row.owed, row.currency) if row.currency == row.another else None, row.since, None, row.reason,
    )  # fmt: skip


def _decided() -> Any:
    i = t.invoices.c
    named = and_(i.connection_id == _V.connection_id, i.remote_id == _V.invoice_id)
    return t.verdicts.join(t.invoices, named).outerjoin(t.customers, billed(t.invoices))


def _name_of_payer() -> Any:
    payer = t.customers.alias("payer")
    return (
        select(payer.c.name)
        .where(payer.c.connection_id == _V.connection_id, payer.c.remote_id == _P.payer_id)
        .correlate(t.verdicts, t.customers)
        .scalar_subquery()
    )


def _standing(work: Work, companies: Collection[int]) -> tuple[ColumnElement[bool], ...]:
    """Spelled out as in the index over what a person has to see to, which is found by that alone."""
    i = t.invoices.c
    rules: ColumnElement[bool] = _V.rule.in_(bindparam(None, list(FOR_A_PERSON), expanding=True, literal_execute=True))
    return (
        _V.last_run.is_(literal_column("NULL")), rules, among_ids(work, _V.connection_id, companies),
        i.state == InvoiceState.OPEN.value, i.balance > 0,
    )  # fmt: skip


# --- what went out ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gone:
    """So many messages of that day that left by that channel."""

    day: date
    channel: str
    count: int


def gone_by_channel(work: Work, companies: Collection[int], since: date) -> list[Gone]:
    """What left us since that day, by day and channel, the newest first; calls are those that were put on the list."""
    query = (
        select(_M.sent_on, _M.channel, func.count().label("so_many"))
        .where(among_ids(work, _M.connection_id, companies), _M.sent_on >= since)
        .group_by(_M.sent_on, _M.channel)
        .order_by(_M.sent_on.desc(), _M.channel)
    )
    return [Gone(row.sent_on, row.channel, int(row.so_many)) for row in work.execute(query)]


def counts(gone: Iterable[Gone]) -> dict[date, dict[str, int]]:
    """The same by day, the newest first, and within by channel."""
    found: dict[date, dict[str, int]] = {}
    for one in gone:
        found.setdefault(one.day, {})[one.channel] = one.count
    return found
