"""What Xero sends, read leniently: only the fields arsync uses, every one of them optional.

Numbers and booleans may come as text, lists and objects as null, unknown keys and unknown words anywhere. Amounts go
from the digits on the wire to Decimal and are never floats.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

_CAPITALS: Final = {"id": "ID", "utc": "UTC"}
#: text that some clients of Xero have written as a bare number
Text = str | int | None


def _xero_name(name: str) -> str:
    return "".join(_CAPITALS.get(word, word.capitalize()) for word in name.split("_"))


class _Wire(msgspec.Struct, rename=_xero_name, gc=False):
    """An object in an answer."""


class Stamped(_Wire):
    """A record with the time of its last change."""

    updated_date_utc: str | None = None
    updated_date_utc_string: str | None = None


class ContactReference(_Wire):
    contact_id: str | None = None


class Line(_Wire):
    description: Text = None
    quantity: Decimal | None = None
    line_amount: Decimal | None = None
    tax_amount: Decimal | None = None


class Invoice(Stamped):
    type: str | None = None
    invoice_id: str | None = None
    invoice_number: Text = None
    reference: Text = None
    contact: ContactReference | None = None
    status: str | None = None
    currency_code: str | None = None
    total: Decimal | None = None
    amount_due: Decimal | None = None
    date: str | None = None
    date_string: str | None = None
    due_date: str | None = None
    due_date_string: str | None = None
    line_amount_types: str | None = None
    line_items: list[Line] | None = None
    currency_rate: Decimal | None = None
    expected_payment_date: str | None = None
    expected_payment_date_string: str | None = None
    sent_to_contact: bool | None = None
    validation_errors: list[Raw] | None = None


class InvoiceReference(_Wire):
    type: str | None = None
    invoice_id: str | None = None
    contact: ContactReference | None = None
    currency_code: str | None = None


class Payment(Stamped):
    payment_id: str | None = None
    payment_type: str | None = None
    status: str | None = None
    amount: Decimal | None = None
    date: str | None = None
    date_string: str | None = None
    reference: Text = None
    invoice: InvoiceReference | None = None
    currency_rate: Decimal | None = None


class Allocation(_Wire):
    amount: Decimal | None = None
    date: str | None = None
    date_string: str | None = None
    invoice: InvoiceReference | None = None
    is_deleted: bool | None = None


class Credit(Stamped):
    """What credit notes, overpayments and prepayments have in common."""

    type: str | None = None
    contact: ContactReference | None = None
    status: str | None = None
    currency_code: str | None = None
    total: Decimal | None = None
    remaining_credit: Decimal | None = None
    date: str | None = None
    date_string: str | None = None
    reference: Text = None
    allocations: list[Allocation] | None = None
    currency_rate: Decimal | None = None


class CreditNote(Credit):
    credit_note_id: str | None = None
    credit_note_number: Text = None


class Overpayment(Credit):
    overpayment_id: str | None = None


class Prepayment(Credit):
    prepayment_id: str | None = None


class ContactPerson(_Wire):
    first_name: Text = None
    last_name: Text = None
    email_address: str | None = None
    include_in_emails: bool | None = None


class Phone(_Wire):
    phone_type: str | None = None
    phone_number: Text = None
    phone_area_code: Text = None
    phone_country_code: Text = None


class Address(_Wire):
    address_type: str | None = None
    country: str | None = None
    region: Text = None
    address_line1: Text = None
    address_line2: Text = None
    address_line3: Text = None
    address_line4: Text = None
    city: Text = None
    postal_code: Text = None
    attention_to: Text = None


class Balance(_Wire):
    outstanding: Decimal | None = None


class Balances(_Wire):
    accounts_receivable: Balance | None = None


class PaymentTerm(_Wire):
    day: int | None = None
    type: str | None = None


class PaymentTerms(_Wire):
    sales: PaymentTerm | None = None


class ContactGroup(_Wire):
    contact_group_id: str | None = None
    name: Text = None
    status: str | None = None


class Contact(Stamped):
    contact_id: str | None = None
    contact_status: str | None = None
    merged_to_contact_id: str | None = None
    name: Text = None
    first_name: Text = None
    last_name: Text = None
    email_address: str | None = None
    default_currency: str | None = None
    contact_persons: list[ContactPerson] | None = None
    phones: list[Phone] | None = None
    addresses: list[Address] | None = None
    balances: Balances | None = None
    payment_terms: PaymentTerms | None = None
    contact_groups: list[ContactGroup] | None = None


class Organisation(_Wire):
    name: Text = None
    base_currency: str | None = None
    country_code: str | None = None
    timezone: str | None = None
    organisation_id: str | None = None


class InvoiceReminder(_Wire):
    enabled: bool | None = None


class OnlineInvoice(_Wire):
    online_invoice_url: str | None = None


class HistoryRecord(_Wire):
    details: str | None = None
    validation_errors: list[Raw] | None = None


class Tenant(msgspec.Struct, rename="camel"):
    id: str | None = None
    tenant_id: str | None = None
    tenant_name: str | None = None


class Pagination(msgspec.Struct, rename="camel"):
    page_size: int | None = None
    item_count: int | None = None


Records = list[Raw] | None | UnsetType


class Envelope(_Wire):
    """An answer with its records still unread; the list asked for is unset where the answer has none."""

    date_time_utc: str | None = None
    pagination: Pagination | None = msgspec.field(default=None, name="pagination")
    invoices: Records = UNSET
    contacts: Records = UNSET
    payments: Records = UNSET
    credit_notes: Records = UNSET
    overpayments: Records = UNSET
    prepayments: Records = UNSET
    organisations: Records = UNSET
    invoice_reminders: Records = UNSET
    history_records: Records = UNSET
    online_invoices: Records = UNSET


class Whole(_Wire):
    """The same with the records of a page decoded as well; good only where every one of them can be."""

    date_time_utc: str | None = None
    pagination: Pagination | None = msgspec.field(default=None, name="pagination")
    invoices: list[Invoice] | UnsetType | None = UNSET
    contacts: list[Contact] | UnsetType | None = UNSET
    payments: list[Payment] | UnsetType | None = UNSET
    credit_notes: list[CreditNote] | UnsetType | None = UNSET
    overpayments: list[Overpayment] | UnsetType | None = UNSET
    prepayments: list[Prepayment] | UnsetType | None = UNSET


class ValidationError(_Wire):
    message: str | None = None


class RefusedElement(_Wire):
    validation_errors: list[ValidationError] | None = None


class Refusal(_Wire):
    """An error answer; a lost tenant's has its keys in lower case."""

    message: str | None = None
    title: str | None = None
    detail: str | None = None
    elements: list[RefusedElement] | None = None
    lower_title: str | None = msgspec.field(default=None, name="title")
    lower_detail: str | None = msgspec.field(default=None, name="detail")


envelope: Final = msgspec.json.Decoder(Envelope, strict=False)
whole: Final = msgspec.json.Decoder(Whole, strict=False)
invoice: Final = msgspec.json.Decoder(Invoice, strict=False)
contact: Final = msgspec.json.Decoder(Contact, strict=False)
payment: Final = msgspec.json.Decoder(Payment, strict=False)
credit_note: Final = msgspec.json.Decoder(CreditNote, strict=False)
overpayment: Final = msgspec.json.Decoder(Overpayment, strict=False)
prepayment: Final = msgspec.json.Decoder(Prepayment, strict=False)
organisation: Final = msgspec.json.Decoder(Organisation, strict=False)
invoice_reminder: Final = msgspec.json.Decoder(InvoiceReminder, strict=False)
online_invoice: Final = msgspec.json.Decoder(OnlineInvoice, strict=False)
history_record: Final = msgspec.json.Decoder(HistoryRecord, strict=False)
tenants: Final = msgspec.json.Decoder(list[Tenant], strict=False)
refusal: Final = msgspec.json.Decoder(Refusal, strict=False)
