"""What Xero keeps of an organisation's receivables: contacts, invoices, payments, credits and what joins them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Status(StrEnum):
    """A document's state in Xero."""

    DRAFT = "DRAFT"  # being written, owed by nobody
    SUBMITTED = "SUBMITTED"  # waits for approval
    AUTHORISED = "AUTHORISED"  # approved; an invoice is owed, a credit is open
    PAID = "PAID"  # nothing is left of it
    VOIDED = "VOIDED"  # cancelled after approval
    DELETED = "DELETED"  # cancelled before approval, or a payment taken back


class CreditKind(StrEnum):
    """The three things that can reduce what is owed without being a payment of one invoice."""

    CREDIT_NOTE = "CreditNote"
    OVERPAYMENT = "Overpayment"
    PREPAYMENT = "Prepayment"


@dataclass(slots=True, eq=False)
class Record:
    """What every record has: identity, last change, junk put over its fields, fields left out, cached bytes."""

    id: str
    updated: datetime
    junk: dict[str, object] | None = field(default=None, kw_only=True)
    dropped: tuple[str, ...] = field(default=(), kw_only=True)
    rendered: dict[str, bytes] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True, slots=True)
class ContactPerson:
    """One further person at a contact, and whether invoices are mailed to them too."""

    first_name: str
    last_name: str
    email: str
    include_in_emails: bool


@dataclass(slots=True, eq=False)
class ContactGroup:
    """Contacts that the organisation's people sort together."""

    id: str
    name: str


@dataclass(slots=True, eq=False)
class Contact(Record):
    """A customer, a supplier, or both."""

    name: str
    number: str = ""
    account_number: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    address: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    currency: str = ""
    status: str = "ACTIVE"
    is_customer: bool = True
    is_supplier: bool = False
    terms_days: int | None = None
    merged_to: Contact | None = None
    persons: tuple[ContactPerson, ...] = ()
    groups: tuple[ContactGroup, ...] = ()
    invoices: list[Invoice] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    written_off: Decimal = ZERO  # taken off its balance by a journal or bank rule, off no invoice


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a document, before tax."""

    id: str
    description: str
    quantity: Decimal
    unit_price: Decimal
    tax: Decimal

    @property
    def amount(self) -> Decimal:
        """Quantity times unit price, in the document's currency."""
        return (self.quantity * self.unit_price).quantize(Decimal("0.01"))


@dataclass(slots=True, eq=False)
class Invoice(Record):
    """A sale (ACCREC) or a bill (ACCPAY); amounts are in its own currency."""

    type: str
    number: str
    reference: str
    contact: Contact
    issued: date
    due: date | None
    currency: str
    rate: Decimal
    lines: tuple[Line, ...]
    status: Status
    subtotal: Decimal
    tax: Decimal
    created: datetime
    sent: bool = True
    expected_payment: date | None = None
    paid_in_full_on: date | None = None
    payments: list[Payment] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    paid: Decimal = ZERO
    credited: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Lines and tax together."""
        return self.subtotal + self.tax

    @property
    def amount_due(self) -> Decimal:
        """What is still owed; nothing on a void or deleted invoice."""
        if self.status in (Status.VOIDED, Status.DELETED):
            return ZERO
        return self.total - self.paid - self.credited


@dataclass(slots=True, eq=False)
class Payment(Record):
    """Money received for one invoice."""

    invoice: Invoice
    amount: Decimal
    on: date
    reference: str
    status: Status = Status.AUTHORISED


@dataclass(slots=True, eq=False)
class Credit(Record):
    """A credit note, overpayment or prepayment, with what is left of it."""

    kind: CreditKind
    number: str
    reference: str
    contact: Contact
    issued: date
    currency: str
    rate: Decimal
    description: str
    subtotal: Decimal
    tax: Decimal
    created: datetime
    status: Status = Status.AUTHORISED
    allocations: list[Allocation] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """What it was worth when it was made."""
        return self.subtotal + self.tax

    @property
    def applied(self) -> Decimal:
        """What has been put on invoices."""
        return sum((allocation.amount for allocation in self.allocations), ZERO)

    @property
    def remaining(self) -> Decimal:
        """What could still be put on an invoice."""
        return ZERO if self.status is Status.VOIDED else self.total - self.applied

    @property
    def type(self) -> str:
        """The vendor's word for a credit given by (not to) the organisation."""
        return {
            CreditKind.CREDIT_NOTE: "ACCRECCREDIT",
            CreditKind.OVERPAYMENT: "RECEIVE-OVERPAYMENT",
            CreditKind.PREPAYMENT: "RECEIVE-PREPAYMENT",
        }[self.kind]


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """A part of a credit put on one invoice."""

    id: str
    credit: Credit
    invoice: Invoice
    amount: Decimal
    on: date


@dataclass(frozen=True, slots=True)
class Note:
    """One entry that somebody, or a program, wrote into a document's history."""

    id: str
    target_type: str
    target_id: str
    text: str
    at: datetime
    key: str | None
