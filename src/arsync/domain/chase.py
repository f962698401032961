"""What the planner knows of one chase, and what it answers. Plain values: no clock, no database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Final

from arsync.domain.behaviour import Behaviour
from arsync.domain.documents import Contact, ContactRole, InvoiceLine, InvoiceState
from arsync.domain.money import Money, total
from arsync.domain.payday import PayDay
from arsync.domain.people import CallMade, DisputeCode, Owner
from arsync.domain.policy import Happening, Step, StepChannel, StepMode
from arsync.domain.record import record
from arsync.domain.states import Decision, Health, HoldKind, MessageState


class Rule(StrEnum):
    """The guard that decided; in the order in which they are asked."""

    STOPPED = "stopped"  # the red button
    CONNECTION = "connection"  # recovering, partial, suspect, without consent
    STALE = "stale"  # the last complete sync is too old
    SOURCE_REMINDS = "source_reminds"  # the accounting system sends reminders itself, or nobody knows that it does not
    QUARANTINE = "quarantine"  # an unreadable payment, credit or invoice of this payer
    BALANCE_MISMATCH = "balance_mismatch"  # the source says the payer owes less than its invoices add up to
    NO_PLAYBOOK = "no_playbook"  # the playbook it follows is gone, or cannot be read any more
    HOLD = "hold"  # a person stopped it
    NOT_OWED = "not_owed"  # draft, void, paid
    DO_NOTHING = "do_nothing"  # its playbook says never to chase
    NO_DUE_DATE = "no_due_date"
    AUTOPAY = "autopay"  # the customer has the tag: it is collected by itself
    NOT_DUE = "not_due"  # nothing to say before the next step's day
    BELOW_MINIMUM = "below_minimum"
    COVERED = "covered"  # unapplied money or credit covers it: allocate it
    NOT_BANKED = "not_banked"  # the bank feed is behind
    LIVE_MESSAGE = "live_message"  # one is on its way, or waits for approval
    FAILED_MESSAGE = "failed_message"  # the channel refused it for good
    UNKNOWN_MESSAGE = "unknown_message"  # nobody knows whether the last one went out
    MILDER_FIRST = "milder_first"  # a final notice needs two milder messages
    GAP = "gap"  # the last message is too recent
    PAYER_CAP = "payer_cap"  # enough messages to this payer in 7 or 30 days
    NO_RECIPIENT = "no_recipient"
    UNDELIVERED = "undelivered"  # the step came back twice from every address there is: another one must be entered
    NO_TEMPLATE = "no_template"
    NO_PAY_DETAILS = "no_pay_details"  # no bank account for the currency
    CALENDAR = "calendar"  # no moment of the day is in the customer's send window, or a payment run is awaited
    LADDER_DONE = "ladder_done"  # the last step has been taken: a person decides
    REJECTED = "rejected"  # a person said no to what it would say
    NOT_LIVE = "not_live"  # going live step by step: it is not this customer's turn yet
    CAP = "cap"  # enough for this run
    BREAKER = "breaker"  # far more than usual: a person must look
    UNPLANNABLE = "unplannable"  # its data make no sense to the planner
    TASK = "task"  # the step is a person's
    SEND = "send"  # goes out
    APPROVE = "approve"  # goes out when a person approves
    LISTED = "listed"  # younger than the step demands: named in the message, not demanded


@record(frozen=True, slots=True)
class Item:
    """One invoice of the chase; its balance is what the source says, less what is disputed."""

    invoice_id: str
    number: str
    customer_name: str
    state: InvoiceState
    total: Money
    balance: Money
    issued_on: date
    due_on: date | None
    reference: str | None
    email: str | None
    lines: tuple[InvoiceLine, ...] = ()
    purchase_order: str | None = None
    terms: str | None = None  # of the invoice, else of the customer
    copies: tuple[str, ...] = ()  # the further addresses that the invoice was sent to
    pay_link: str | None = None  # where it can be paid online
    disputed: Money | None = None  # the contested part, which is open as well and not asked for
    customer_id: str = ""  # who was billed
    paid_on: date | None = None  # the day on which money last came in for it; None: none did, or nobody looked


@dataclass(frozen=True, slots=True)
class Hold:
    """A stop on an invoice, a payer or the whole connection (both ids None), inclusive of `until`.

    With `part` it is a dispute about a part of its invoice, and the rest is chased.
    """

    kind: HoldKind
    reason: str
    author: str
    payer_id: str | None
    invoice_id: str | None
    begins: date
    until: date | None
    part: Money | None = None
    code: DisputeCode | None = None

    def is_on(self, day: date) -> bool:
        """Whether it has begun and not ended on that day."""
        return self.begins <= day and (self.until is None or day <= self.until)

    def covers(self, invoice_id: str, on: date) -> bool:
        """Whether it stops that whole invoice of its payer on that day."""
        return self.part is None and self.is_on(on) and self.invoice_id in (None, invoice_id)


@record(frozen=True, slots=True)
class PastMessage:
    """A message of this chase: `on` is the payer's local day it was sent (or planned, while it is live)."""

    step_id: str
    occurrence: int
    state: MessageState
    on: date
    invoice_ids: frozenset[str]  # demanded, not merely listed
    by_hand: bool = False  # a person's own call or mail, logged; counts for the gap, the caps and the ladder
    to: frozenset[str] = frozenset()  # of one that came back: the addresses it went to, in lower case
    told: bool = True  # the payer heard it: a call or a task put on the list says nothing until a person says they did


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened to these invoices of a payer, or to all of them (None), on that day."""

    what: Happening
    on: date
    invoice_ids: frozenset[str] | None = None

    def concerns(self, invoice_id: str) -> bool:
        """Whether it happened to that invoice."""
        return self.invoice_ids is None or invoice_id in self.invoice_ids


@dataclass(frozen=True, slots=True)
class Resend:
    """A step that a person wants once more, of these invoices as far as they are still owed: an intent of its own."""

    step_id: str
    occurrence: int
    invoice_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """What holds for every chase of a connection."""

    connection_id: int
    name: str
    stopped: str | None  # why, when the red button is pressed
    health: Health
    health_reason: str
    stale: bool
    source_reminds: bool | None  # None: it does not tell, and nobody has said
    mode: StepMode
    replies_read: bool  # until somebody reads the replies, steps from `firm` on wait for approval
    banked_through: date | None
    pay_currencies: frozenset[str]  # currencies for which bank details are on file
    reminds_by: str = ""  # who says that it reminds itself, where the source does not


@record(frozen=True, slots=True)
class ChaseFacts:
    """One payer in one currency."""

    connection: ConnectionFacts
    chase_id: int
    payer_id: str
    payer_name: str
    currency: str
    recipients: tuple[Contact, ...]  # usable ones, best first
    locales: frozenset[str]  # locales that every template has
    locale: str
    items: tuple[Item, ...]  # every invoice of the payer in this currency that is open, or was in the chase
    unapplied: Money  # money and credit not put on any invoice
    quarantined: tuple[str, ...]  # reasons, where something of this payer could not be read
    balance_mismatch: str | None
    holds: tuple[Hold, ...]
    history: tuple[PastMessage, ...]  # oldest first; what a person did by hand is in it, too
    opened_on: date
    owner: Owner | None = None  # who of our people looks after the payer
    calls: tuple[CallMade, ...] = ()  # how calls of the list went, oldest first
    happened: tuple[Happened, ...] = ()  # bounces are read from the history and need not be here
    elsewhere: tuple[date, ...] = ()  # days of messages to the same payer in other currencies; they count for the caps
    payment_day: PayDay | None = None  # when the payer's payment run goes out, by hand or by habit
    no_playbook: str | None = None  # why no playbook can be followed
    nothing: str | None = None  # why the playbook says never to chase
    autopay: frozenset[str] = frozenset()  # invoices that are collected by themselves
    people: tuple[Contact, ...] = ()  # everybody who may be written to by e-mail, whatever their role
    unreachable: tuple[str, ...] = ()  # addresses that nobody writes to any more, and why
    declined: bool = False  # whoever reads one of these wants no mail
    shunned: tuple[tuple[ContactRole, str], ...] = ()  # the same of the people there, each with its role
    cleared_on: date | None = None  # nothing is owed any more since: there may be a thank-you to say
    address: str | None = None  # where a letter reaches the payer, below its name
    country: str | None = None  # of that address
    wrongly: frozenset[str] = frozenset()  # paid invoices that were asked for later, and nobody has answered for it
    resend: Resend | None = None  # goes before what the ladder would say


@record(frozen=True, slots=True)
class Verdict:
    """The answer for one invoice on one day: `next_on` says when to look again, None that a person must act first."""

    invoice_id: str
    decision: Decision
    rule: Rule
    reason: str
    next_on: date | None
    step_id: str | None = None


@record(frozen=True, slots=True)
class Intent:
    """What we mean to do once: identified by chase, step and occurrence."""

    step: Step
    occurrence: int
    mode: StepMode
    demanded: tuple[Item, ...]
    listed: tuple[Item, ...]
    unapplied: Money
    recipients: tuple[Contact, ...]
    owner: Owner | None = None  # who of our people signs
    address: str | None = None  # of a letter: where it goes, below the name
    country: str | None = None  # of that address
    copies: tuple[Contact, ...] = ()  # of an e-mail: who gets a copy, none of them a recipient

    @property
    def at_stake(self) -> Money:
        """The open balance demanded."""
        balances = [item.balance for item in self.demanded]
        return total(balances, balances[0].currency)

    def fingerprint(self, playbook_version: str, locale: str) -> str:
        """A hash of all a reader would see but the relative day counts; equal fingerprints, equal message."""
        seen = {
            "playbook": playbook_version,
            "locale": locale,
            "step": [self.step.id, self.occurrence],
            "to": [[contact.name, contact.email, contact.phone] for contact in self.recipients],
            "demanded": [seen_of(item) for item in self.demanded],
            "listed": [seen_of(item) for item in self.listed],
            "unapplied": str(self.unapplied),
        }
        if self.copies:
            seen["cc"] = [[contact.name, contact.email] for contact in self.copies]
        if self.step.way is StepChannel.LETTER:
            seen["posted to"] = [self.address, self.country]
        if self.owner is not None:
            seen["owner"] = [self.owner.name, self.owner.email, self.owner.phone, self.owner.signature]
        return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def seen_of(item: Item) -> list[str | None]:
    """What a reader sees of an invoice, but for the relative day counts."""
    return [
        item.invoice_id,
        item.number,
        str(item.balance),
        str(item.total),
        item.issued_on.isoformat(),
        item.due_on.isoformat() if item.due_on else None,
        item.reference,
        item.purchase_order,
        item.terms,
        item.customer_name,
        *(f"{line.description} {line.quantity} {line.amount}" for line in item.lines),
        *((f"disputed {item.disputed}",) if item.disputed else ()),
        *((f"payable at {item.pay_link}",) if item.pay_link else ()),
    ]


@record(frozen=True, slots=True)
class Plan:
    """The planner's answer for one chase: a verdict per open invoice, and at most one intent."""

    facts: ChaseFacts
    verdicts: tuple[Verdict, ...]
    intent: Intent | None = None
    again_on: date | None = None  # the next business day: when to ask again should the run have no room for the intent
    room: int | None = None  # so many messages the payer may still get today; None: its playbook has no cap
    mailbox: int | None = None  # so many messages may leave the company's mailbox in a day; None: no cap
    playbook: str = ""  # whose message it is


@dataclass(frozen=True, slots=True)
class Budget:
    """What the runs of one day may send, and what is usual."""

    max_per_run: int
    usual_per_run: Decimal | None  # mean of the last days that sent anything; None with too little history
    breaker_factor: Decimal
    handful: int = 20  # so few are never far above the usual, whatever the usual is
    open_customers: int | None = None  # how many payers owe the company anything; None: not counted
    breaker_share: Decimal = Decimal(1)  # of them; so many beyond the usual number are far above it


@dataclass(frozen=True, slots=True)
class Seller:
    """The company that chases, as its customers read it."""

    name: str
    timezone: str
    locale: str
    reply_to: str
    sender: str
    legal_footer: str
    color: str
    bank_details: Mapping[str, str] = field(default_factory=dict)  # currency -> text
    logo: str = ""  # the https address of a picture
    font: str = ""  # families, the first that the reader has
    address: str = ""  # postal, several lines: on paper
    country: str | None = None  # ISO 3166-1 alpha-2: whose envelopes are used


@dataclass(frozen=True, slots=True)
class Letterhead:
    """All that a rendered message needs beside its intent."""

    seller: Seller
    payer_name: str
    locale: str
    today: date
    remittance: str  # what the payer is asked to quote
    behaviour: Behaviour | None = None  # how the payer pays in that currency, where it is known


def by_age(items: Iterable[Item]) -> list[Item]:
    """Oldest due date first; among equals the largest balance; then the number."""
    found = list(items)
    try:
        found.sort(key=_DUE)
    except TypeError:  # one has no due date: it comes last
        return sorted(found, key=_age)
    # Most days are another one's only: amounts and numbers are seldom asked for.
    if len({item.due_on for item in found}) < len(found):
        found.sort(key=_age)
    return found


_DUE: Final = attrgetter("due_on")


def _age(item: Item) -> tuple[date, Decimal, str]:
    return (item.due_on or date.max, -item.balance.amount, item.number)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as it leaves."""

    subject: str
    text: str
    html: str
