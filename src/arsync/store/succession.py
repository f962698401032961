"""What follows a customer to whoever pays for it from now on: holds, promises, tags, chases, and what was said already.

After a merge everything of the absorbed payer is the survivor's. Where a customer or an invoice leaves a payer that
goes on, holds stand on both sides: the stricter wins. What was sent counts on both, so that no step is repeated and the
gap is kept. What was planned for the former payer is superseded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, bindparam, delete, exists, insert, literal, or_, select, update

from arsync.domain.documents import CustomerState, InvoiceState
from arsync.domain.states import ChaseState, HoldState, MessageState
from arsync.store import assignments, chases, events, languages, messages, own_contacts, owners, tags
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work
from arsync.store.payers import Move
from arsync.store.stored import Stored

#: The event of every move; `explain` tells it.
PAYER_CHANGED: Final = "payer_changed"

_LIVE: Final = (ChaseState.OPEN.value, ChaseState.REOPENED.value)
_GIVEN_AWAY: Final = (ChaseState.HANDED_OFF.value, ChaseState.WRITTEN_OFF.value)
#: Nothing of these has left us.
_PENDING: Final = (MessageState.PLANNED, MessageState.APPROVED, MessageState.CLAIMED, MessageState.FAILED)
_TOLD: Final = 50
#: What goes along, as the event counts it.
_FOLLOWS: Final = (
    "holds", "promises", "plans", "touches", "comments", "replies", "contacts", "tags", "playbooks",
    "messages", "superseded", "chases",
)  # fmt: skip


_H: Final = t.holds.c
#: What a copy of a hold says like its original.
_COPIED: Final = (
    _H.kind, _H.reason, _H.author, _H.begins, _H.until, _H.promise_id, _H.plan_id, _H.call_id, _H.reply_id, _H.code,
    _H.amount, _H.currency,
)  # fmt: skip
#: Where what stands against a payer or a customer is kept, and goes along with it.
_AGAINST: Final = (
    t.holds, t.promises, t.plans, t.touches, t.comments, t.replies, t.playbook_assignments, t.customer_tags, t.owners,
    t.own_contacts, t.chases, t.shared_messages,
)  # fmt: skip
_ANYTHING: Final = select(
    or_(*(exists(select(1).where(table.c.connection_id == bindparam("of"))) for table in _AGAINST))
)


def follow(work: Work, connection_id: int, stored: Stored, *, now: datetime) -> None:
    """Wakes the chases that this page concerns, and lets everything follow the customers and invoices that it has
    moved; the caller commits."""
    # All locks on chases at once and by id: what follows takes no others.
    whole = {name for move in stored.moves for name in (move.former, move.payer_id)}
    rebilled = _rebilled(work, connection_id, stored.rebilled)
    whole |= {name for pair in rebilled for name in pair}
    chases.bump(work, connection_id, stored.customers, whole=whole, everybody=stored.for_all)
    moved: dict[tuple[str, str], list[str]] = defaultdict(list)
    known: set[tuple[str, str]] = set()
    for move in _momentous(work, connection_id, stored.moves):
        moved[move.former, move.payer_id].append(move.customer_id)
        if not move.newcomer:
            known.add((move.former, move.payer_id))
    # Who leaves a payer takes a copy of what it has, before that goes on to whoever pays for the payer itself.
    for (former, payer), customers in sorted(moved.items(), key=lambda one: one[0][0] in one[1]):
        absorbed = former in customers
        step = _Step(work, connection_id, former, payer, now)
        if absorbed:
            step.absorb()
        else:
            step.part(step.invoices_of(customers))
        if (former, payer) in known or step.followed:
            step.tell("joined" if absorbed else "left", customers=customers)
    for (former, payer), invoices in rebilled.items():
        step = _Step(work, connection_id, former, payer, now)
        merged = step.is_over()
        if merged:
            step.absorb()
        else:
            step.rebill(invoices)
        step.tell("joined" if merged else "rebilled", invoices=invoices)


def _momentous(work: Work, connection_id: int, moves: Sequence[Move]) -> Sequence[Move]:
    """Those with which something may go along, or that are to be told: none of newcomers, where nothing stands against
    anybody yet."""
    if not moves:
        return ()  # most pages: nothing need be asked
    if all(move.newcomer for move in moves) and not work.execute(_ANYTHING, {"of": connection_id}).scalar_one():
        return ()  # the first load brings branches by the hundred
    return moves


@dataclass(frozen=True, slots=True)
class PayerChange:
    """Who paid before, who pays since then, and what went along, in words."""

    at: datetime
    former: str
    payer: str
    how: str
    followed: str


def changes_of(work: Work, connection_id: int, customer_id: str, invoice_id: str) -> list[PayerChange]:
    """Each time that somebody else had to pay for the invoice, oldest first."""
    found = []
    for event in events.of_kind(work, connection_id, PAYER_CHANGED):
        data = event.data
        mine = customer_id in (*data["customers"], data["former"]) or invoice_id in data["invoices"]
        # After a merge the source may say that the invoice has always been the survivor's.
        if mine or (data["how"] == "joined" and data["payer"] == customer_id):
            followed = ", ".join(f"{count} {what}" for what, count in sorted(data["followed"].items()))
            found.append(PayerChange(event.at, data["former"], data["payer"], data["how"], followed))
    return found


def _rebilled(work: Work, connection_id: int, former: Mapping[str, str]) -> dict[tuple[str, str], list[str]]:
    """The invoices for which somebody else pays, by former and present payer."""
    if not former:
        return {}
    i, c = t.invoices.c, t.customers.c
    payers = {
        row.remote_id: row.payer_id
        for row in work.execute(
            select(c.remote_id, c.payer_id).where(
                c.connection_id == connection_id, among(work, c.remote_id, set(former.values()))
            )
        )
    }
    joined = t.invoices.outerjoin(t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
    query = select(i.remote_id, i.customer_id, c.payer_id).select_from(joined)
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in work.execute(query.where(i.connection_id == connection_id, among(work, i.remote_id, former))):
        old = former[row.remote_id]
        pair = payers.get(old, old), row.payer_id or row.customer_id
        if pair[0] != pair[1]:
            found[pair].append(row.remote_id)
    return found


class _Step:
    """One former payer and who pays in its stead; counts what went along."""

    def __init__(self, work: Work, connection_id: int, former: str, payer: str, now: datetime) -> None:
        self._work = work
        self._connection_id = connection_id
        self._former = former
        self._payer = payer
        self._now = now
        self._counts = dict.fromkeys(_FOLLOWS, 0)

    @property
    def followed(self) -> bool:
        """Whether anything went along."""
        return any(self._counts.values())

    def tell(self, how: str, *, customers: Collection[str] = (), invoices: Collection[str] = ()) -> None:
        """Logs the move."""
        events.log(
            self._work, PAYER_CHANGED, at=self._now, connection_id=self._connection_id, how=how,
            former=self._former, payer=self._payer,
            customers=sorted(customers)[:_TOLD], invoices=sorted(invoices)[:_TOLD],
            followed={what: count for what, count in self._counts.items() if count},
        )  # fmt: skip

    def _has_gone(self) -> bool:
        c = t.customers.c
        mine = and_(c.connection_id == self._connection_id, c.remote_id == self._former)
        state = self._work.execute(select(c.state).where(mine)).scalar_one_or_none()
        return state not in (None, CustomerState.ACTIVE.value)

    def is_over(self) -> bool:
        """Whether the former payer is no customer any more and owes nothing: a merge by a source that does not say
        into whom."""
        if not self._has_gone():
            return False
        i, c = t.invoices.c, t.customers.c
        joined = t.invoices.join(t.customers, and_(c.connection_id == i.connection_id, c.remote_id == i.customer_id))
        owing = select(1).select_from(joined).where(
            i.connection_id == self._connection_id, c.payer_id == self._former,
            i.state == InvoiceState.OPEN.value, i.balance > 0,
        )  # fmt: skip
        return not self._work.execute(select(exists(owing))).scalar_one()

    def invoices_of(self, customers: Collection[str]) -> list[str]:
        """Every invoice of these customers."""
        i = t.invoices.c
        query = select(i.remote_id).where(
            i.connection_id == self._connection_id, among(self._work, i.customer_id, customers)
        )
        return list(self._work.execute(query).scalars())

    # --- the three ways -----------------------------------------------------------------------------------

    def absorb(self) -> None:
        """The former payer is one no more: all it has is the other's."""
        self._end_doubles()
        for table, what in (
            (t.holds, "holds"), (t.promises, "promises"), (t.plans, "plans"), (t.touches, "touches"),
            (t.comments, "comments"), (t.replies, "replies"),
        ):  # fmt: skip
            mine = and_(table.c.connection_id == self._connection_id, table.c.payer_id == self._former)
            self._counts[what] += self._work.execute(update(table).where(mine).values(payer_id=self._payer)).rowcount
        self._counts["playbooks"] += assignments.absorb(self._work, self._connection_id, self._former, self._payer)
        self._counts["tags"] += tags.absorb(self._work, self._connection_id, self._former, self._payer)
        if self._has_gone():  # whoever looks after a branch that goes on, its people and their language are its own
            owners.follow(self._work, self._connection_id, self._former, self._payer)
            languages.follow(self._work, self._connection_id, self._former, self._payer)
            self._counts["contacts"] += own_contacts.follow(self._work, self._connection_id, self._former, self._payer)
        self._supersede(None)
        self._hand_over_chases()
        s = t.shared_messages.c
        mine = and_(s.connection_id == self._connection_id, s.payer_id == self._former)
        shared = list(self._work.execute(select(s.message_id).where(mine)).scalars())
        self._work.execute(delete(t.shared_messages).where(mine))
        self._share(shared)

    def part(self, invoices: Collection[str]) -> None:
        """Customers with these invoices leave a payer that goes on."""
        self._supersede(invoices)
        self._counts["playbooks"] += assignments.rebill(self._work, self._connection_id, invoices, self._payer)
        self._counts["playbooks"] += assignments.share(self._work, self._connection_id, self._former, self._payer)
        self._copy_holds((None,))
        self._part_promises(invoices)
        self._share(self._said(None))

    def rebill(self, invoices: Collection[str]) -> None:
        """Single invoices leave a payer that goes on: what stopped it stops them further on, and not all that the
        other owes."""
        self._supersede(invoices)
        h = t.holds.c
        theirs = and_(h.connection_id == self._connection_id, among(self._work, h.invoice_id, invoices))
        self._work.execute(update(t.holds).where(theirs).values(payer_id=self._payer))
        self._counts["playbooks"] += assignments.rebill(self._work, self._connection_id, invoices, self._payer)
        self._copy_holds(sorted(invoices))
        self._part_promises(invoices)
        self._share(self._said(invoices))

    # --- their parts ----------------------------------------------------------------------------------------

    def _hand_over_chases(self) -> None:
        h = t.chases.c
        query = select(h.id, h.payer_id, h.currency, h.state).where(
            h.connection_id == self._connection_id, h.payer_id.in_((self._former, self._payer))
        )
        rows = self._work.execute(query.order_by(h.id)).all()
        # Where the survivor has a chase, or somebody else chases it, there is no place for another.
        taken = {row.currency for row in rows if row.payer_id == self._payer and row.state in (*_LIVE, *_GIVEN_AWAY)}
        for row in rows:
            if row.payer_id != self._former:
                continue
            ends = {"state": ChaseState.CLEAR.value, "closed_at": self._now}
            values = ends if row.state in _LIVE and row.currency in taken else {}
            self._work.execute(
                update(t.chases).where(h.id == row.id).values(payer_id=self._payer, version=h.version + 1, **values)
            )
            self._counts["chases"] += 1

    def _supersede(self, invoices: Collection[str] | None) -> None:
        """What is planned for the former payer (and names one of these invoices) is planned anew or not at all."""
        m, h, k = t.messages.c, t.chases.c, t.message_items.c
        query = (
            select(m.id, m.state)
            .join(t.chases, h.id == m.chase_id)
            .where(
                h.connection_id == self._connection_id,
                h.payer_id == self._former,
                m.state.in_([state.value for state in _PENDING]),
            )
            .order_by(m.id)
        )
        if invoices is not None:
            named = select(k.message_id).where(among(self._work, k.invoice_id, invoices))
            query = query.where(m.id.in_(named))
        for row in self._work.execute(query).all():
            reason = f"{self._payer} pays from now on, and not {self._former}"
            state = MessageState(row.state)
            if messages.move(self._work, row.id, state, MessageState.SUPERSEDED, reason=reason, now=self._now):
                self._counts["superseded"] += 1

    def _end_doubles(self) -> None:
        """What a branch took along of the holds that now come themselves: the first of each stands, the others end."""
        h, first = t.holds.c, t.holds.alias()
        both = (self._former, self._payer)
        same = select(1).where(
            first.c.connection_id == self._connection_id, first.c.payer_id.in_(both), first.c.invoice_id.is_(None),
            first.c.state == HoldState.ACTIVE.value, first.c.id < h.id,
            *(column.is_not_distinct_from(first.c[column.name]) for column in _COPIED),
        )  # fmt: skip
        doubles = update(t.holds).where(
            h.connection_id == self._connection_id, h.payer_id.in_(both), h.invoice_id.is_(None),
            h.state == HoldState.ACTIVE.value, exists(same),
        )  # fmt: skip
        self._work.execute(doubles.values(state=HoldState.LIFTED.value, ended_at=self._now))

    def _copy_holds(self, invoices: Collection[str | None]) -> None:
        """The former payer's own holds, on the payer (None) or on each of these invoices; none twice."""
        h = t.holds.c
        query = select(*_COPIED, h.created_at).where(
            h.connection_id == self._connection_id,
            h.payer_id == self._former,
            h.invoice_id.is_(None),
            h.state == HoldState.ACTIVE.value,
        )
        for row in self._work.execute(query.order_by(h.id)).all():
            for invoice_id in invoices:
                values = {column.name: getattr(row, column.name) for column in _COPIED}
                there = and_(
                    h.connection_id == self._connection_id,
                    h.payer_id == self._payer,
                    h.invoice_id.is_(None) if invoice_id is None else h.invoice_id == invoice_id,
                    h.state == HoldState.ACTIVE.value,
                    *(column.is_not_distinct_from(values[column.name]) for column in _COPIED),
                )
                if self._work.execute(select(exists(select(1).where(there)))).scalar_one():
                    continue
                self._work.execute(
                    insert(t.holds).values(
                        connection_id=self._connection_id, payer_id=self._payer, invoice_id=invoice_id,
                        state=HoldState.ACTIVE.value, created_at=self._now, **values,
                    )
                )  # fmt: skip
                self._counts["holds"] += 1

    def _part_promises(self, invoices: Collection[str]) -> None:
        p = t.promises.c
        mine = and_(p.connection_id == self._connection_id, p.payer_id == self._former)
        theirs = and_(mine, among(self._work, p.invoice_id, invoices))
        self._counts["promises"] += self._work.execute(
            update(t.promises).where(theirs).values(payer_id=self._payer)
        ).rowcount

    def _said(self, invoices: Collection[str] | None) -> list[int]:
        """What left us and counts for the former payer (and names one of these invoices)."""
        m, h, k, s = t.messages.c, t.chases.c, t.message_items.c, t.shared_messages.c
        shared = select(s.message_id).where(s.connection_id == self._connection_id, s.payer_id == self._former)
        query = (
            select(m.id)
            .join(t.chases, h.id == m.chase_id)
            .where(
                m.connection_id == self._connection_id,
                or_(h.payer_id == self._former, m.id.in_(shared)),
                m.state.in_([state.value for state in messages.LEFT_US]),
            )
        )
        if invoices is not None:
            query = query.where(m.id.in_(select(k.message_id).where(among(self._work, k.invoice_id, invoices))))
        return list(self._work.execute(query.order_by(m.id)).scalars())

    def _share(self, message_ids: Collection[int]) -> None:
        """These messages count for the new payer as well."""
        s = t.shared_messages.c
        for message_id in message_ids:
            there = select(1).where(
                s.connection_id == self._connection_id, s.payer_id == self._payer, s.message_id == message_id
            )
            added = self._work.execute(
                insert(t.shared_messages).from_select(
                    ["connection_id", "payer_id", "message_id"],
                    select(literal(self._connection_id), literal(self._payer), literal(message_id)).where(
                        ~exists(there)
                    ),
                )
            )
            self._counts["messages"] += added.rowcount
