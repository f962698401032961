"""What payers owe and what is known of them, read for the planner: a fixed number of queries per connection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from email.utils import parseaddr
from functools import partial
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Select, Table, and_, bindparam, exists, or_, select

from arsync.connector import Resource
from arsync.domain.chase import Item, PastMessage
from arsync.domain.documents import Contact, ContactRole, CreditState, CustomerState, InvoiceLine, InvoiceState
from arsync.domain.money import Money, from_units
from arsync.domain.money import totals as totals_of
from arsync.domain.people import REACHED
from arsync.domain.policy import StepChannel
from arsync.domain.record import record
from arsync.domain.states import MessageState
from arsync.store import languages, mailboxes, own_contacts, touches
from arsync.store import tables as t
from arsync.store.bulk import among, among_those, those
from arsync.store.engine import Work
from arsync.store.messages import LEFT_US
from arsync.store.prepared import Prepared
from arsync.store.touches import Touch
from arsync.store.types import day_kept, day_of, units

_CHUNK = 500
_NOWHERE: Final[frozenset[str]] = frozenset()
_ROLES: Final = {role.value: role for role in ContactRole}
_STATES: Final = {state.value: state for state in MessageState}


@record(frozen=True, slots=True)
class Payer:
    """Who pays: the customer itself, its parent, or the survivor of a merge."""

    customer_id: str
    name: str
    country: str | None
    language: str | None
    contacts: tuple[Contact, ...]
    region: str | None = None  # as the source writes it
    address: str | None = None  # postal, below the name


@dataclass(slots=True)
class Ledger:
    """One connection's open side; keyed by payer id, or by (payer id, currency)."""

    payers: dict[str, Payer] = field(default_factory=dict)
    items: dict[tuple[str, str], list[Item]] = field(default_factory=lambda: defaultdict(list))
    unapplied: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    quarantined: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    #: unreadable records of which not even the customer can be told: they concern everybody
    quarantined_for_all: list[str] = field(default_factory=list)
    history: dict[tuple[str, str], list[PastMessage]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Apart:
    """What is read once for a connection, into however many pages of payers its ledger is divided."""

    quarantined: Mapping[str, Sequence[str]]  # by payer
    quarantined_for_all: Sequence[str]
    touches: Sequence[Touch]


def apart(work: Work, connection_id: int, payer_id: str | Collection[str] | None = None) -> Apart:
    """Of a connection; with a payer, or some, only their touches."""
    jailed, for_all = _quarantine(work, connection_id)
    return Apart(jailed, for_all, touches.standing(work, connection_id, payer_id))


def read(
    work: Work, connection_id: int, payer_id: str | Collection[str] | None = None, *,
    without: Collection[int] = (), known: Apart | None = None,
) -> Ledger:  # fmt: skip
    """The open side of a connection, or of one payer or some; the messages of `without` are left out of the
    history."""
    who = [payer_id] if isinstance(payer_id, str) else payer_id
    told = known or apart(work, connection_id, payer_id if isinstance(payer_id, str) else None)
    ledger = Ledger()
    ledger.quarantined.update({payer: list(said) for payer, said in told.quarantined.items()})
    ledger.quarantined_for_all += told.quarantined_for_all
    _payers(work, ledger, connection_id, who)
    _items(work, ledger, connection_id, who)
    _unapplied(work, ledger, connection_id, who)
    _history(work, ledger, connection_id, who, without)
    _by_hand(ledger, told.touches, who)
    return ledger


def payers(work: Work, connection_id: int) -> dict[str, Payer]:
    """Every customer who is traded with or was, and may pay for others, by id."""
    ledger = Ledger()
    _payers(work, ledger, connection_id, None)
    return ledger.payers


def billed(table: Any) -> ColumnElement[bool]:
    """Joins documents of that table to the customer whom they bill."""
    return and_(t.customers.c.connection_id == table.c.connection_id, t.customers.c.remote_id == table.c.customer_id)


def _open_items(which: ColumnElement[bool] | None) -> Select[*tuple[Any, ...]]:
    """Put together once, as what else is asked at the last look."""
    i = t.invoices.c
    query = select(
        i.remote_id, i.number, i.customer_id, i.currency, units(i.total), units(i.balance), day_kept(i.issued_on),
        day_kept(i.due_on), i.reference, i.email, i.purchase_order, i.copies, i.terms,
    ).where(i.connection_id == bindparam("of"), i.state == InvoiceState.OPEN.value, i.balance > 0)  # fmt: skip
    return query if which is None else query.where(which)


def billed_to(dialect: str) -> Select[*tuple[Any, ...]]:
    c = t.customers.c
    query = select(c.remote_id, c.payer_id, c.name, c.terms).where(c.connection_id == bindparam("of"))
    return query.where(among_those(dialect, c.payer_id)) if dialect else query


def _of_theirs(dialect: str) -> Select[*tuple[Any, ...]]:
    c = t.customers.c
    theirs = select(c.remote_id).where(c.connection_id == bindparam("of"), among_those(dialect, c.payer_id))
    return _open_items(t.invoices.c.customer_id.in_(theirs))


def _of_strangers(dialect: str) -> Select[*tuple[Any, ...]]:
    c, i = t.customers.c, t.invoices.c
    known = exists(select(1).where(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
    return _open_items(and_(among_those(dialect, i.customer_id), ~known))


_ALL_BILLED: Final = Prepared(billed_to(""))
_ALL_OPEN: Final = Prepared(_open_items(None))
_BILLED: Final = Prepared(billed_to)
_OPEN: Final = Prepared(_of_theirs)
_OPEN_OF_STRANGERS: Final = Prepared(_of_strangers)


def _items(work: Work, ledger: Ledger, connection_id: int, who: Collection[str] | None) -> None:
    if who is None:
        billed, rows = _ALL_BILLED(work, of=connection_id), _ALL_OPEN(work, of=connection_id)
    else:
        theirs = those(work, who)
        billed, rows = (query(work, of=connection_id, those=theirs) for query in (_BILLED, _OPEN))
        # An invoice whose customer never arrived stands alone; the planner finds nobody to write to.
        if unknown := [one for one in who if one not in ledger.payers]:
            rows += _OPEN_OF_STRANGERS(work, of=connection_id, those=those(work, unknown))
    customers = {customer_id: known for customer_id, *known in billed}
    found, is_open = ledger.items, InvoiceState.OPEN
    for (
        invoice_id, number, customer_id, currency, total, left, issued_on, due_on, reference, email, order, copies,
        own_terms,
    ) in rows:  # fmt: skip
        payer, name, terms = customers.get(customer_id) or (customer_id, customer_id, None)
        owed = Money(from_units(left), currency)
        issued = day_of(issued_on)
        assert issued is not None
        found[payer, currency].append(
            Item(
                invoice_id, number, name or customer_id, is_open,
                owed if total == left else Money(from_units(total), currency), owed, issued, day_of(due_on), reference,
                email, (), order, terms if own_terms is None else own_terms,
                tuple(copies.split(", ")) if copies else (), None, None, customer_id,
            )
        )  # fmt: skip


_LINE: Final = t.invoice_lines.c
_LINES: Final = Prepared(
    lambda dialect: (
        select(_LINE.invoice_id, _LINE.description, _LINE.quantity, _LINE.amount)
        .where(_LINE.connection_id == bindparam("of"), among_those(dialect, _LINE.invoice_id))
        .order_by(_LINE.invoice_id, _LINE.position)
    )
)


def lines(work: Work, connection_id: int, invoice_ids: Collection[str]) -> Mapping[str, tuple[InvoiceLine, ...]]:
    """What each of these invoices was for."""
    found: dict[str, list[InvoiceLine]] = defaultdict(list)
    for invoice_id, description, quantity, amount in _LINES(work, of=connection_id, those=those(work, invoice_ids)):
        found[invoice_id].append(InvoiceLine(description, None if quantity is None else Decimal(quantity), amount))
    return {invoice_id: tuple(every) for invoice_id, every in found.items()}


def _who_they_are(dialect: str) -> Select[*tuple[Any, ...]]:
    c = t.customers.c
    query = select(c.remote_id, c.name, c.country, c.language, c.region, c.address).where(
        c.connection_id == bindparam("of"), c.state.in_((CustomerState.ACTIVE.value, CustomerState.ARCHIVED.value))
    )
    return query.where(among_those(dialect, c.remote_id)) if dialect else query


def _whom_to_reach(dialect: str) -> Select[*tuple[Any, ...]]:
    k = t.contacts.c
    query = select(k.customer_id, k.name, k.email, k.phone, k.role).where(k.connection_id == bindparam("of"))
    return (query.where(among_those(dialect, k.customer_id)) if dialect else query).order_by(k.customer_id, k.position)


#: Of some payers, and of all.
_WHO: Final = (Prepared(_who_they_are), Prepared(_who_they_are("")))
_WHOM: Final = (Prepared(_whom_to_reach), Prepared(_whom_to_reach("")))


def _payers(work: Work, ledger: Ledger, connection_id: int, who: Collection[str] | None) -> None:
    asked: dict[str, Any] = {"of": connection_id}
    if who is not None:
        asked["those"] = those(work, who)
    people: dict[str, list[Contact]] = defaultdict(list)
    for customer_id, name, email, phone, role in _WHOM[who is None](work, **asked):
        people[customer_id].append(Contact(name, email, phone, _ROLES[role]))
    for customer_id, known in own_contacts.of_customers(work, connection_id, who).items():
        ours = {contact.email.lower() for contact in known if contact.email}
        theirs = [one for one in people[customer_id] if not one.email or one.email.strip().lower() not in ours]
        people[customer_id] = [*known, *theirs]  # of the same address ours counts: what the source says may be older
    spoken = languages.of_customers(work, connection_id, who)
    for customer_id, name, country, language, region, address in _WHO[who is None](work, **asked):
        contacts_of = tuple(people.get(customer_id, ()))
        own = spoken.get(customer_id, language)
        ledger.payers[customer_id] = Payer(customer_id, name, country, own, contacts_of, region, address)


def _left_over(table: Table, dialect: str) -> Select[*tuple[Any, ...]]:
    """What is not put on any invoice; where a `dialect` is named, of some payers only."""
    x, c = table.c, t.customers.c
    query: Select[*tuple[Any, ...]] = (
        select(c.payer_id, x.currency, x.unapplied)
        .select_from(table.join(t.customers, billed(table)))
        .where(x.connection_id == bindparam("of"), x.state == CreditState.ACTIVE.value, x.unapplied != 0)
    )
    return query.where(c.connection_id == bindparam("of"), among_those(dialect, c.payer_id)) if dialect else query


_CREDITS: Final = (t.payments, t.credit_notes)
_LEFT_OVER: Final = tuple(Prepared(_left_over(table, "")) for table in _CREDITS)
_LEFT_OVER_OF: Final = tuple(Prepared(partial(_left_over, table)) for table in _CREDITS)


def _unapplied(work: Work, ledger: Ledger, connection_id: int, who: Collection[str] | None) -> None:
    asked = {} if who is None else {"those": those(work, who)}
    for query in _LEFT_OVER if who is None else _LEFT_OVER_OF:
        for payer, currency, left in query(work, of=connection_id, **asked):
            ledger.unapplied[payer, currency] += left  # summed here: a database's own sum may overflow


_ANY_JAILED: Final = Prepared(
    select(t.quarantine.c.remote_id).where(t.quarantine.c.connection_id == bindparam("of")).limit(1)
)


def _quarantine(work: Work, connection_id: int) -> tuple[Mapping[str, list[str]], list[str]]:
    """What cannot be read, by payer; and that of which not even the customer can be told."""
    jailed: defaultdict[str, list[str]] = defaultdict(list)
    for_all: list[str] = []
    if not _ANY_JAILED(work, of=connection_id):
        return jailed, for_all
    q, c, i = t.quarantine.c, t.customers.c, t.invoices.c
    query = select(q.resource, q.remote_id, q.customer_id, q.reason).where(q.connection_id == connection_id)
    rows = work.execute(query).all()
    payer_of = {
        row.remote_id: row.payer_id
        for row in work.execute(select(c.remote_id, c.payer_id).where(c.connection_id == connection_id))
    }
    for row in rows:
        said = f"{row.resource.replace('_', ' ').rstrip('s')} {row.remote_id}: {row.reason}"
        customer_id = row.customer_id
        if customer_id is None and row.resource == Resource.CUSTOMERS.value:
            customer_id = row.remote_id
        if customer_id is None and row.resource == Resource.INVOICES.value:
            known = select(i.customer_id).where(i.connection_id == connection_id, i.remote_id == row.remote_id)
            customer_id = work.execute(known).scalar_one_or_none()
            if customer_id is None:
                continue  # an invoice never read is not in the cache: nobody is chased for it
        if customer_id is None:
            for_all.append(said)
        else:
            jailed[payer_of.get(customer_id, customer_id)].append(said)
    return jailed, for_all


def _to_them(dialect: str) -> list[ColumnElement[bool]]:
    """Which messages were to some payers, or to all; joined with their chases."""
    m, h = t.messages.c, t.chases.c
    where = [
        m.connection_id == bindparam("of"),
        m.state.not_in((MessageState.SUPERSEDED.value, MessageState.CANCELLED.value)),
    ]
    return [*where, h.connection_id == bindparam("of"), among_those(dialect, h.payer_id)] if dialect else where


def _demanded(dialect: str) -> Select[*tuple[Any, ...]]:
    m, h, k = t.messages.c, t.chases.c, t.message_items.c
    joined = t.message_items.join(t.messages, m.id == k.message_id).join(t.chases, h.id == m.chase_id)
    return select(k.message_id, k.invoice_id).select_from(joined).where(*_to_them(dialect), k.demanded)


def _said(payer_id: Column[str]) -> Select[*tuple[Any, ...]]:
    m, h = t.messages.c, t.chases.c
    c = t.call_outcomes.c
    reached = exists().where(c.message_id == m.id, c.undone_at.is_(None), c.outcome.in_(sorted(REACHED)))
    told = or_(m.channel.not_in((StepChannel.CALL.value, StepChannel.TASK.value)), reached)
    return select(
        m.id, payer_id, h.currency, m.step_id, m.occurrence, m.state, day_kept(m.sent_on), day_kept(m.planned_on), told
    )


def _said_to_them(dialect: str) -> Select[*tuple[Any, ...]]:
    m, h = t.messages.c, t.chases.c
    return _said(h.payer_id).join(t.chases, h.id == m.chase_id).where(*_to_them(dialect))


def _shared_with_them(dialect: str) -> Select[*tuple[Any, ...]]:
    """Messages to other payers that count for these, as a customer has moved: only what left us, or may have."""
    m, h, s = t.messages.c, t.chases.c, t.shared_messages.c
    passed_on = t.shared_messages.join(t.messages, m.id == s.message_id).join(t.chases, h.id == m.chase_id)
    where = [s.connection_id == bindparam("of"), m.state.in_([state.value for state in LEFT_US])]
    if dialect:
        where.append(among_those(dialect, s.payer_id))
    return _said(s.payer_id).select_from(passed_on).where(*where)


#: Of some payers, and of all: what messages demanded, the messages, and those that are shared.
_DEMANDED: Final = (Prepared(_demanded), Prepared(_demanded("")))
_SAID: Final = (Prepared(_said_to_them), Prepared(_said_to_them("")))
_SHARED: Final = (Prepared(_shared_with_them), Prepared(_shared_with_them("")))


def _history(
    work: Work, ledger: Ledger, connection_id: int, who: Collection[str] | None, without: Collection[int]
) -> None:
    m, k = t.messages.c, t.message_items.c
    asked: dict[str, Any] = {"of": connection_id}
    if who is not None:
        asked["those"] = those(work, who)
    demanded: dict[int, set[str]] = defaultdict(set)
    for message_id, invoice_id in _DEMANDED[who is None](work, **asked):
        demanded[message_id].add(invoice_id)
    left_out = frozenset(without)
    rows = {(row[0], row[1]): row for row in _SAID[who is None](work, **asked) if row[0] not in left_out}
    for row in _SHARED[who is None](work, **asked):
        if row[0] not in left_out and (row[0], row[1]) not in rows:
            rows[row[0], row[1]] = row
            named = select(k.invoice_id).where(k.message_id == row[0], k.demanded)
            demanded[row[0]] = set(work.execute(named).scalars())
    returned = [row[0] for row in rows.values() if row[5] == MessageState.BOUNCED.value]
    to: dict[int, frozenset[str]] = {}
    for start in range(0, len(returned), _CHUNK):
        written_to = select(m.id, m.recipients).where(m.id.in_(returned[start : start + _CHUNK]))
        to |= {row.id: _addresses(row.recipients) for row in work.execute(written_to)}
    for name in sorted(rows):
        message_id, payer_id, currency, step_id, occurrence, state, sent_on, planned_on, told = rows[name]
        about, on = frozenset(demanded[message_id]), day_of(sent_on or planned_on)
        assert on is not None
        ledger.history[payer_id, currency].append(
            PastMessage(
                step_id, occurrence, _STATES[state], on, about, to=to.get(message_id, _NOWHERE), told=bool(told)
            )
        )


def _addresses(recipients: str) -> frozenset[str]:
    """The bare addresses of a message's mailboxes."""
    return frozenset(parseaddr(mailbox)[1].lower() for mailbox in mailboxes.read(recipients) or ())


def _by_hand(ledger: Ledger, made_by_hand: Iterable[Touch], who: Collection[str] | None) -> None:
    """What people did without arsync counts as if it had gone out that day, in every currency of the payer."""
    if not made_by_hand:
        return
    payer_of = {item.invoice_id: payer for (payer, _), items in ledger.items.items() for item in items}
    of_payer: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    only = None if who is None else set(who)
    for name in {**ledger.items, **ledger.history}:  # what is paid may still be thanked for
        if only is None or name[0] in only:
            of_payer[name[0]].append(name)
    for touch in made_by_hand:
        concerned = {touch.payer_id, *(payer_of[one] for one in touch.invoice_ids if one in payer_of)}
        for name in [name for payer in concerned for name in of_payer.get(payer, ())]:
            step_id = touch.step_id or f"{touch.kind} by hand"
            before = sum(past.step_id == step_id for past in ledger.history[name])
            about = frozenset(touch.invoice_ids)
            made = PastMessage(step_id, before + 1, MessageState.ACCEPTED, touch.made_on, about, by_hand=True)
            ledger.history[name] = sorted([*ledger.history[name], made], key=lambda past: past.on)


def places(work: Work, connection_id: int, customer_ids: Collection[str]) -> dict[str, tuple[str | None, str | None]]:
    """The country and the region of each of these customers, as the source writes them."""
    c = t.customers.c
    query = select(c.remote_id, c.country, c.region).where(
        c.connection_id == connection_id, among(work, c.remote_id, customer_ids)
    )
    return {row.remote_id: (row.country, row.region) for row in work.execute(query)} if customer_ids else {}


def overdue(work: Work, connection_id: int, payer_id: str, *, on: date) -> list[str]:
    """The payer's open invoices that were past due that day, by id."""
    i, c = t.invoices.c, t.customers.c
    query = select(i.remote_id).select_from(t.invoices.outerjoin(t.customers, billed(t.invoices)))
    late = query.where(
        i.connection_id == connection_id, i.state == InvoiceState.OPEN.value, i.balance > 0, i.due_on < on,
        or_(c.payer_id == payer_id, i.customer_id == payer_id),
    )  # fmt: skip
    return list(work.execute(late.order_by(i.remote_id)).scalars())


def open_balances(work: Work, connection_id: int, payer_id: str) -> dict[str, Money]:
    """What the payer owes on open invoices, by currency."""
    i, c = t.invoices.c, t.customers.c
    query = select(i.currency, i.balance).select_from(t.invoices.outerjoin(t.customers, billed(t.invoices)))
    owed = query.where(
        i.connection_id == connection_id, i.state == InvoiceState.OPEN.value, i.balance > 0,
        or_(c.payer_id == payer_id, i.customer_id == payer_id),
    )  # fmt: skip
    return totals_of(Money(row.balance, row.currency) for row in work.execute(owed))


def unsent(work: Work, connection_id: int, invoice_ids: Collection[str]) -> list[str]:
    """Those of these open invoices of which the source says that they were not sent to the customer."""
    i = t.invoices.c
    query = select(i.remote_id).where(
        i.connection_id == connection_id,
        i.remote_id.in_(list(invoice_ids)),
        i.state == InvoiceState.OPEN.value,
        i.sent.is_(False),
    )
    return sorted(work.execute(query).scalars())
