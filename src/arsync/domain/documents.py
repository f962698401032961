"""What customers owe and have paid, in one shape for every accounting system."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from arsync.domain.record import record


class Resource(StrEnum):
    """A kind of record that is pulled from the source."""

    CUSTOMERS = "customers"
    INVOICES = "invoices"
    PAYMENTS = "payments"
    CREDIT_NOTES = "credit_notes"


class InvoiceState(StrEnum):
    """What the source says of an invoice."""

    DRAFT = "draft"  # not yet approved: nothing is owed
    OPEN = "open"  # approved, something is still due
    PAID = "paid"  # nothing is due any more
    VOID = "void"  # cancelled, kept in the books
    DELETED = "deleted"  # gone from the source; kept here as a tombstone


class CreditState(StrEnum):
    """What the source says of a payment or a credit note."""

    ACTIVE = "active"  # it counts
    VOID = "void"  # cancelled, or a credit note still in draft: it counts for nothing
    DELETED = "deleted"  # gone from the source; kept here as a tombstone


class CustomerState(StrEnum):
    """What the source says of a customer."""

    ACTIVE = "active"  # traded with
    ARCHIVED = "archived"  # made inactive; its open invoices are still owed
    MERGED = "merged"  # folded into another; see `merged_into`
    DELETED = "deleted"  # gone from the source


class PaymentKind(StrEnum):
    """How money came in."""

    PAYMENT = "payment"  # against invoices, possibly in part
    OVERPAYMENT = "overpayment"  # more than was due (Xero)
    PREPAYMENT = "prepayment"  # before there was an invoice (Xero)


class ContactRole(StrEnum):
    """Why a person is on file."""

    PRIMARY = "primary"  # the customer's own address
    BILLING = "billing"  # is sent the invoices
    ESCALATION = "escalation"  # who is written to where the others did not pay; only by steps that say so
    CC = "cc"  # gets a copy of every e-mail
    OTHER = "other"  # known, not written to by default


@record(frozen=True, slots=True)
class Contact:
    """A person at a customer."""

    name: str
    email: str | None
    phone: str | None
    role: ContactRole


@record(frozen=True, slots=True)
class CustomerGroup:
    """A group that the source's people put customers into; `name` None where a customer's record tells its id alone."""

    remote_id: str
    name: str | None = None


@record(frozen=True, slots=True)
class Customer:
    """Who was billed; `parent_id` names who pays where that is another."""

    remote_id: str
    name: str
    state: CustomerState
    parent_id: str | None
    merged_into: str | None
    currency: str | None
    country: str | None  # ISO 3166-1 alpha-2 where it could be told
    language: str | None  # BCP 47
    contacts: tuple[Contact, ...]
    #: the source's own idea of what the customer owes, less its credit; sub-customers not included. Where it trades in
    #: several currencies they are added unconverted; None where the source converts, or nobody knows
    balance: Decimal | None
    updated_at: datetime
    version: str
    region: str | None = None  # state, county or the like, as the source writes it
    terms: str | None = None  # what was agreed on payment, in the source's words or in English
    #: the postal address below the name, a line for each of its own; None where no letter would arrive
    address: str | None = None
    groups: tuple[CustomerGroup, ...] = ()


@record(frozen=True, slots=True)
class InvoiceLine:
    """What was sold; `amount` in the invoice's currency, before tax where the source keeps tax apart."""

    description: str
    quantity: Decimal | None
    amount: Decimal


@record(frozen=True, slots=True)
class Invoice:
    """A sale to be paid. `balance` is what the *source* says is still due."""

    remote_id: str
    number: str
    customer_id: str
    state: InvoiceState
    currency: str
    total: Decimal
    balance: Decimal
    issued_on: date
    due_on: date | None
    #: the customer's own reference
    reference: str | None
    #: the address the invoice itself was sent to, where the source keeps one
    email: str | None
    lines: tuple[InvoiceLine, ...]
    updated_at: datetime
    version: str
    #: the customer's purchase order number, where the source tells it from other references
    purchase_order: str | None = None
    #: what was agreed on payment, in the source's words
    terms: str | None = None
    #: the further addresses that the invoice was sent to
    copies: tuple[str, ...] = ()
    #: units of the company's own currency for one of this, as the source booked it; None in the own currency
    exchange_rate: Decimal | None = None
    #: when the source's people expect the money
    expected_on: date | None = None
    #: whether the source holds it for sent to the customer; None where it does not say
    sent: bool | None = None


@record(frozen=True, slots=True)
class Allocation:
    """The part of a payment or credit that was put on one invoice, in the invoice's currency."""

    invoice_id: str
    amount: Decimal
    allocated_on: date


@record(frozen=True, slots=True)
class Payment:
    """Money received; `unapplied` is the part not put on any invoice."""

    remote_id: str
    kind: PaymentKind
    customer_id: str | None
    state: CreditState
    currency: str
    amount: Decimal
    unapplied: Decimal
    received_on: date
    reference: str | None
    allocations: tuple[Allocation, ...]
    updated_at: datetime
    version: str
    exchange_rate: Decimal | None = None  # as an invoice's


@record(frozen=True, slots=True)
class CreditNote:
    """Reduces what is owed; `unapplied` is the part not put on any invoice."""

    remote_id: str
    number: str
    customer_id: str
    state: CreditState
    currency: str
    total: Decimal
    unapplied: Decimal
    issued_on: date
    allocations: tuple[Allocation, ...]
    updated_at: datetime
    version: str
    exchange_rate: Decimal | None = None  # as an invoice's


@record(frozen=True, slots=True)
class Deleted:
    """The source says that a record is gone."""

    resource: Resource
    remote_id: str
    updated_at: datetime


Record = Customer | Invoice | Payment | CreditNote | Deleted


def resource_of(record: Record) -> Resource:
    """Which resource a record belongs to."""
    match record:
        case Deleted():
            return record.resource
        case Customer():
            return Resource.CUSTOMERS
        case Invoice():
            return Resource.INVOICES
        case Payment():
            return Resource.PAYMENTS
        case CreditNote():
            return Resource.CREDIT_NOTES
