"""From the cache to the planner's facts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from arsync.domain.calendar import Blackout, Calendar
from arsync.domain.chase import ChaseFacts, ConnectionFacts, Item, Resend, Seller
from arsync.domain.clock import local_date
from arsync.domain.documents import Contact, ContactRole
from arsync.domain.feedback import DECLINED
from arsync.domain.money import Money
from arsync.domain.payday import PayDay
from arsync.domain.policy import Playbook, SendWindow, StepMode
from arsync.domain.rollout import EVERYBODY, Rollout
from arsync.playbook import people
from arsync.playbook.calendars import House, calendar_for
from arsync.playbook.history import TOUCHED
from arsync.playbook.places import Place
from arsync.playbook.shelves import Library, Shelf
from arsync.store import balances, chases, connections, ledger, reminders, resends, settled, suppressions
from arsync.store.balances import Account
from arsync.store.chases import Chase
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.ledger import Ledger
from arsync.store.settled import Settled
from arsync.store.suppressions import Suppression

#: A thank-you comes within days of the money; part payments are answered for a little longer.
_LATELY: Final = timedelta(days=30)
_NOTHING: Final = Decimal("0.00")
#: So many payers' facts are in memory at a time.
PAYERS_A_PAGE: Final = 500
_ADDRESS: Final = re.compile(r"[^@\s,;<>()\"]+@[^@\s,;<>()\"]+\.[^@\s,;<>()\"]{2,}")


@dataclass(frozen=True, slots=True)
class Policy:
    """How one connection's customers are chased, as configured."""

    playbook: Playbook
    templates: Path
    locales: frozenset[str]  # languages that every step's template has
    seller: Seller
    country: str | None
    mode: StepMode
    replies_read: bool
    banked_through: date | None
    reminders_off: bool  # the configuration asserts that the source itself does not remind
    max_per_run: int
    max_staleness: timedelta
    breaker_factor: Decimal
    shelves: Library  # every playbook there is, and was
    shelf: Shelf  # the playbooks that new chases choose from
    region: str | None = None  # where the company is
    closed: tuple[Blackout, ...] = ()  # days on which the company itself is closed
    payment_days: Mapping[str, PayDay] = field(default_factory=dict)  # as people said: by a payer's id, or its name
    rollout: Rollout = EVERYBODY  # who is written to while arsync goes live
    breaker_share: Decimal = Decimal(1)  # of all who owe anything; so many more than usual stop a run
    pay_links: bool = False  # messages say where each invoice can be paid online, as far as that is known
    _calendars: dict[Place, Calendar] = field(default_factory=dict, init=False, compare=False, repr=False)

    def calendar(self, place: Place, window: SendWindow | None = None) -> Calendar:
        """When a payer at that place may be written to; the window is the playbook's unless another is given."""
        if window is not None:
            return self._calendar(place, window)
        known = self._calendars.get(place)
        if known is None:
            known = self._calendars[place] = self._calendar(place, self.playbook.window)
        return known

    def _calendar(self, place: Place, window: SendWindow) -> Calendar:
        house = House(Place(self.country, self.region), self.seller.timezone, self.closed)
        return calendar_for(place, window, house)

    def today(self, now: datetime) -> date:
        """The company's calendar day."""
        return local_date(now, self.seller.timezone)


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts of every live chase of a connection, and how each payer's calendar is found."""

    facts: tuple[ChaseFacts, ...]
    places: Mapping[str, Place]  # by payer id
    chases: tuple[Chase, ...] = ()  # of the facts, in their order
    asked_by: Mapping[str, str] = field(default_factory=dict)  # paid invoice -> the playbook that had asked for it
    #: chases of whose records no facts could be made, by id: what went wrong; their facts are the bare items
    puzzling: Mapping[int, Exception] = field(default_factory=dict)
    few: frozenset[str] | None = None  # the payers that all this is about; None: the whole connection, if by pages

    def place(self, payer_id: str) -> Place:
        """Where the payer is, as far as that is known."""
        return self.places.get(payer_id, Place())


def gather(
    work: Work,
    connection: Connection,
    policy: Policy,
    *,
    now: datetime,
    chase: Chase | None = None,
    without_message: int | None = None,
    today: date | None = None,
) -> Gathered:
    """The facts of a connection's chases, or of one; `without_message` is left out of the history. `today` is the day
    of the clock, unless another one is asked about."""
    if chase is not None:
        without = () if without_message is None else (without_message,)
        return gather_these(work, connection, policy, [chase], now=now, without=without, today=today)
    return _Gathering(work, connection, policy, now, today or policy.today(now)).of(_to_plan(work, connection, now))


def gather_these(
    work: Work,
    connection: Connection,
    policy: Policy,
    live: Sequence[Chase],
    *,
    now: datetime,
    without: Collection[int] = (),
    today: date | None = None,
) -> Gathered:
    """As `gather`, of these few chases; the messages of `without` are left out of their histories."""
    payers = frozenset(one.payer_id for one in live)
    return _Gathering(work, connection, policy, now, today or policy.today(now), payers, without).of(live)


class Pages:
    """As `gather`, all chases of some payers at a time: no more of the connection is in memory at once."""

    def __init__(self, work: Work, connection: Connection, policy: Policy, *, now: datetime, today: date) -> None:
        self._work, self._connection, self._now = work, connection, now
        self._gathering = _Gathering(work, connection, policy, now, today)
        payers = chases.payers_to_plan(work, connection.id, since=now - _LATELY)
        #: how many chases there are
        self.count = len(payers)
        self._payers = list(dict.fromkeys(payers))

    def read(self, among: Mapping[int, str] | None = None) -> Iterator[Gathered]:
        """Every chase, or some of them: these, each with its payer."""
        whose = self._payers if among is None else list(dict.fromkeys(among.values()))
        for payers in _batches(whose, PAYERS_A_PAGE):
            of: dict[str, list[Chase]] = {payer_id: [] for payer_id in payers}
            for chase in _to_plan(self._work, self._connection, self._now, payers):
                if among is None or chase.id in among:
                    of[chase.payer_id].append(chase)
            yield self._gathering.of([chase for those in of.values() for chase in those], payers)


class _Gathering:
    """What is asked once of a connection, however many pages there are."""

    def __init__(
        self, work: Work, connection: Connection, policy: Policy, now: datetime, today: date,
        payers: frozenset[str] | None = None, without: Collection[int] = (),
    ) -> None:  # fmt: skip
        self._work, self._connection_id, self._policy, self._today = work, connection.id, policy, today
        self._payers, self._without = payers, without
        self._of_connection = _connection(work, connection, policy, now)
        self._apart = ledger.apart(work, connection.id, payers)
        self._said = people.read(work, connection.id, payers)
        self._again = resends.standing(work, connection.id, payers)
        self._shunned = suppressions.standing(work)

    def of(self, live: Sequence[Chase], page: Collection[str] | None = None) -> Gathered:
        """These chases, all of these payers; else of those that all this is about."""
        work, today = self._work, self._today
        payers = self._payers if page is None else page
        book = ledger.read(work, self._connection_id, payers, without=self._without, known=self._apart)
        owed = {name: sum([item.balance.amount for item in items], _NOTHING) for name, items in book.items.items()}
        known = balances.held_against(work, self._connection_id, payers, owed, book.unapplied)
        partly = [one.invoice_id for items in book.items.values() for one in items if one.balance is not one.total]
        since = today - _LATELY
        money = settled.read(work, self._connection_id, payers, today=today, since=since, partly=partly)
        heard = _heard(book)
        facts: list[ChaseFacts] = []
        puzzling: dict[int, Exception] = {}
        for one in live:
            try:
                told = _chase(self._of_connection, one, book, known.get(one.payer_id), self._policy, self._shunned)
                told = self._said.onto(told, today, self._policy.today)
                elsewhere = tuple([day for currency, day in heard.get(one.payer_id, ()) if currency != one.currency])
                facts.append(_with_money(told, money, elsewhere, self._again.get(one.id)))
            except Exception as error:  # noqa: BLE001 - one chase never stops the other 999
                puzzling[one.id] = error
                facts.append(_bare(self._of_connection, one, book, self._policy, today))
        places = {payer_id: Place(payer.country, payer.region) for payer_id, payer in book.payers.items()}
        return Gathered(tuple(facts), places, tuple(live), money.asked_by, puzzling, self._payers)


def _batches(every: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(every), size):
        yield every[start : start + size]


def _to_plan(work: Work, connection: Connection, now: datetime, payers: Collection[str] | None = None) -> list[Chase]:
    """What is being worked, and what has just become clear: there may be a thank-you to say."""
    lately = chases.cleared(work, connection.id, since=now - _LATELY, payers=payers)
    return [*chases.live_chases(work, connection.id, payers), *lately]


def _heard(book: Ledger) -> Mapping[str, list[tuple[str, date]]]:
    """By payer the days on which arsync wrote to it, each with the currency; what a person did by hand is in the
    history of each of its currencies already."""
    heard: defaultdict[str, list[tuple[str, date]]] = defaultdict(list)
    for (payer_id, currency), history in book.history.items():
        heard[payer_id] += [(currency, past.on) for past in history if past.state in TOUCHED and not past.by_hand]
    return heard


def _with_money(facts: ChaseFacts, money: Settled, elsewhere: tuple[date, ...], resend: Resend | None) -> ChaseFacts:
    """The same facts, with what came in lately for invoices that were chased, when the payer heard from us in other
    currencies, and what is to go once more."""
    items = facts.items
    if money.in_part:
        items = tuple(
            replace(item, paid_on=money.in_part[item.invoice_id]) if item.invoice_id in money.in_part else item
            for item in items
        )
    paid = money.paid.get((facts.payer_id, facts.currency), ())
    if not paid and not elsewhere and resend is None and items is facts.items:
        return facts
    wrongly = money.wrongly.intersection(item.invoice_id for item in paid) if money.wrongly else money.wrongly
    return replace(facts, items=(*items, *paid), elsewhere=elsewhere, resend=resend, wrongly=wrongly)


def _connection(work: Work, connection: Connection, policy: Policy, now: datetime) -> ConnectionFacts:
    own = connections.installation(work)
    synced = connection.synced_at
    told = None if connection.reminders_on is not None else reminders.answered(work, connection.id)
    reminds = connection.reminders_on if told is None else told.reminds
    return ConnectionFacts(
        connection_id=connection.id,
        name=connection.name,
        stopped=(own.stop_reason or "stopped") if own.stopped_at is not None else None,
        health=connection.health,
        health_reason=connection.health_reason,
        stale=synced is None or now - synced > policy.max_staleness,
        source_reminds=False if policy.reminders_off else reminds,
        mode=policy.mode,
        replies_read=policy.replies_read,
        banked_through=policy.banked_through,
        pay_currencies=frozenset(policy.seller.bank_details),
        reminds_by="" if told is None else f"{told.author} on {policy.today(told.at)}",
    )


def _chase(
    of_connection: ConnectionFacts,
    chase: Chase,
    book: Ledger,
    account: Account | None,
    policy: Policy,
    shunned: Mapping[str, Suppression],
) -> ChaseFacts:
    name = (chase.payer_id, chase.currency)
    payer = book.payers.get(chase.payer_id)
    items = tuple(book.items.get(name, ()))
    contacts = payer.contacts if payer else ()
    quarantined = [*book.quarantined.get(chase.payer_id, ()), *book.quarantined_for_all]
    unreachable = _unreachable(contacts, items, shunned)
    return ChaseFacts(
        connection=of_connection,
        chase_id=chase.id,
        payer_id=chase.payer_id,
        payer_name=payer.name if payer else chase.payer_id,
        currency=chase.currency,
        recipients=recipients(contacts, items, shunned),
        people=_usable(one for one in contacts if _address(one) not in shunned),
        unreachable=tuple(_shunned(address, shunned, policy) for address in unreachable),
        declined=any(shunned[address].kind in DECLINED for address in unreachable),
        shunned=tuple(
            (one.role, _shunned(_address(one), shunned, policy)) for one in contacts if _address(one) in shunned
        ),
        locales=policy.locales,
        locale=language(payer.language if payer else None, policy),
        items=items,
        unapplied=Money(book.unapplied.get(name, Decimal("0.00")), chase.currency),
        quarantined=tuple(quarantined),
        balance_mismatch=_mismatch(account, payer.name if payer else chase.payer_id),
        holds=(),
        history=tuple(book.history.get(name, ())),
        opened_on=policy.today(chase.opened_at),
        address=payer.address if payer else None,
        country=payer.country if payer else None,
    )


def _bare(of_connection: ConnectionFacts, chase: Chase, book: Ledger, policy: Policy, today: date) -> ChaseFacts:
    """No more than what is open; nobody is written to on these."""
    name = (chase.payer_id, chase.currency)
    return ChaseFacts(
        connection=of_connection,
        chase_id=chase.id,
        payer_id=chase.payer_id,
        payer_name=chase.payer_id,
        currency=chase.currency,
        recipients=(),
        locales=policy.locales,
        locale="",
        items=tuple(book.items.get(name, ())),
        unapplied=Money(Decimal("0.00"), chase.currency),
        quarantined=(),
        balance_mismatch=None,
        holds=(),
        history=(),
        opened_on=today,
    )


def _mismatch(account: Account | None, payer_name: str) -> str | None:
    """Why the source's own figure speaks against the items; None where it does not, or is not known."""
    if account is None or not account.falls_short:
        return None
    added = " and ".join(account.currencies)
    return (
        f"the source says that {payer_name} owes {account.told} {added} in all, less than its open invoices less "
        f"unapplied credit, {account.net}: perhaps a journal entry, a write-off or a deposit that is not put on them"
    )


def language(language: str | None, policy: Policy) -> str:
    """The payer's language where it is on file, else the company's; without its region, as templates are written."""
    return (language or policy.seller.locale).replace("_", "-").partition("-")[0].lower()


def recipients(
    contacts: Iterable[Contact], items: Iterable[Item], shunned: Collection[str] = ()
) -> tuple[Contact, ...]:
    """Who is written to: those who are sent the invoices, else the customer's own address, else the addresses that
    the newest invoice went to. Only addresses that can be one, and that are not `shunned`; each once."""
    known = list(contacts)
    people = [person for person in known if _address(person) not in shunned] if shunned else known
    for role in (ContactRole.BILLING, ContactRole.PRIMARY):
        usable = _usable(person for person in people if person.role is role)
        if usable:
            return usable
    billed = sorted((item for item in items if item.email), key=lambda item: (item.issued_on, item.number))
    sent_to = [
        Contact(item.customer_name, address, None, ContactRole.BILLING)
        for item in billed[-1:]
        for address in (item.email, *item.copies)
        if not shunned or (address or "").strip().lower() not in shunned
    ]
    if found := _usable(sent_to):
        return found
    # Nobody to write to, but perhaps somebody to ring.
    return tuple(Contact(one.name, None, one.phone, one.role) for one in known if one.phone)[:1]


def _unreachable(contacts: Iterable[Contact], items: Iterable[Item], shunned: Mapping[str, Suppression]) -> list[str]:
    """The payer's addresses that nobody writes to any more."""
    if not shunned:
        return []
    known = {_address(person) for person in contacts} | {(item.email or "").strip().lower() for item in items}
    return sorted(known & shunned.keys())


def _shunned(address: str, shunned: Mapping[str, Suppression], policy: Policy) -> str:
    return f"{address} ({shunned[address].kind} of {policy.today(shunned[address].since)})"


def _address(person: Contact) -> str:
    return (person.email or "").strip().lower()


def _usable(people: Iterable[Contact]) -> tuple[Contact, ...]:
    found: dict[str, Contact] = {}
    for person in people:
        if person.email and _ADDRESS.fullmatch(person.email.strip()):
            found.setdefault(person.email.strip().lower(), person)
    return tuple(found.values())
