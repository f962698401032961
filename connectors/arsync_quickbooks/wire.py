"""What QuickBooks sends, as far as arsync reads it: envelopes with raw records, and each record leniently.

Amounts may come as numbers or as text, ids as text or as numbers, and an object or a list may be null or an empty
string. Everything that is not named here is skipped without being built.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

Text = str | int | None


class Wire(msgspec.Struct, rename="pascal", gc=False):
    """One object on the wire; keys it does not name are ignored."""


# --- records ------------------------------------------------------------------------------------------


class Ref(Wire, rename=None):
    value: Text = None


class NamedRef(Ref, rename=None):
    name: str | None = None


class MetaData(Wire):
    last_updated_time: datetime | None = None


class Email(Wire):
    address: str | None = None


class Phone(Wire):
    free_form_number: Text = None


class Address(Wire):
    country: str | None = None
    country_sub_division_code: Text = None
    line1: Text = None
    line2: Text = None
    line3: Text = None
    line4: Text = None
    line5: Text = None
    city: Text = None
    postal_code: Text = None


class CustomField(Wire):
    name: str | None = None
    string_value: Text = None


class LinkedTxn(Wire):
    txn_id: Text = None
    txn_type: str | None = None


class SalesItem(Wire):
    qty: Decimal | None = None
    item_ref: NamedRef | str | None = None


class Line(Wire):
    description: str | None = None
    amount: Decimal | None = None
    detail_type: str | None = None
    linked_txn: list[LinkedTxn] | None = None
    sales_item_line_detail: SalesItem | str | None = None


class Entity(Wire):
    """What every record has; `status` is set in a tombstone."""

    id: Text = None
    sync_token: Text = None
    meta_data: MetaData | str | None = None
    status: str | None = msgspec.field(default=None, name="status")


class Transaction(Entity):
    doc_number: Text = None
    txn_date: str | None = None
    currency_ref: Ref | str | None = None
    customer_ref: Ref | str | None = None
    private_note: str | None = None
    total_amt: Decimal | None = None
    exchange_rate: Decimal | None = None
    line: list[Line] | None = None


class Invoice(Transaction):
    balance: Decimal | None = None
    due_date: str | None = None
    bill_email: Email | str | None = None
    bill_email_cc: Email | str | None = None
    sales_term_ref: NamedRef | str | None = None
    po_number: Text = msgspec.field(default=None, name="PONumber")
    custom_field: list[CustomField] | None = None


class Payment(Transaction):
    unapplied_amt: Decimal | None = None
    payment_ref_num: Text = None


class CreditMemo(Transaction):
    balance: Decimal | None = None
    remaining_credit: Decimal | None = None


class Customer(Entity):
    display_name: str | None = None
    fully_qualified_name: str | None = None
    company_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    active: bool | None = None
    parent_ref: Ref | str | None = None
    currency_ref: Ref | str | None = None
    bill_addr: Address | str | None = None
    primary_email_addr: Email | str | None = None
    primary_phone: Phone | str | None = None
    mobile: Phone | str | None = None
    sales_term_ref: NamedRef | str | None = None
    customer_type_ref: Ref | str | None = None
    balance: Decimal | None = None


class TypedRef(Wire):
    type: str | None = msgspec.field(default=None, name="type")
    value: Text = msgspec.field(default=None, name="value")


class AttachableRef(Wire):
    entity_ref: TypedRef | str | None = None


class Attachable(Wire):
    id: Text = None
    note: str | None = None
    attachable_ref: list[AttachableRef] | None = None


class Annotated(Entity):
    """A customer, as far as its free text goes."""

    notes: str | None = None


class Linked(Wire):
    invoice_link: str | None = None


class LinkedAnswer(Wire):
    """A single invoice, asked for with its link."""

    invoice: Linked | None = None


class CompanyInfo(Wire):
    company_name: str | None = None
    legal_name: str | None = None
    country: str | None = None
    default_time_zone: str | None = None


class CustomerType(Wire):
    id: Text = None
    name: str | None = None


class CurrencyPrefs(Wire):
    home_currency: Ref | str | None = None


class Preferences(Wire):
    currency_prefs: CurrencyPrefs | str | None = None


# --- envelopes -----------------------------------------------------------------------------------------

Raws = list[msgspec.Raw]
NO_FAULT: Final = msgspec.Raw(b"null")


class Rows(Wire):
    """One entity's records, not yet decoded; an entity that is not named is absent."""

    customer: Raws | None = None
    invoice: Raws | None = None
    payment: Raws | None = None
    credit_memo: Raws | None = None
    attachable: Raws | None = None
    company_info: Raws | None = None
    preferences: Raws | None = None
    customer_type: Raws | None = None
    total_count: Text = msgspec.field(default=None, name="totalCount")
    fault: msgspec.Raw = NO_FAULT


class QueryAnswer(Wire):
    query_response: Rows | None = None
    fault: msgspec.Raw = NO_FAULT
    time: Text = msgspec.field(default=None, name="time")


class Changes(Wire):
    query_response: list[Rows | None] | None = None


class ChangesAnswer(Wire):
    changes: list[Changes] | None = msgspec.field(default=None, name="CDCResponse")
    fault: msgspec.Raw = NO_FAULT
    time: Text = msgspec.field(default=None, name="time")


class Records(Wire):
    """The records of a page, decoded with it; good only where every one of them can be."""

    customer: list[Customer] | None = None
    invoice: list[Invoice] | None = None
    payment: list[Payment] | None = None
    credit_memo: list[CreditMemo] | None = None


class RecordsAnswer(Wire):
    query_response: Records | None = None
    fault: msgspec.Raw = NO_FAULT
    time: Text = msgspec.field(default=None, name="time")


class Batched(QueryAnswer):
    """One query's answer in a batch."""

    b_id: Text = msgspec.field(default=None, name="bId")


class BatchAnswer(Wire):
    items: list[Batched] | None = msgspec.field(default=None, name="BatchItemResponse")
    fault: msgspec.Raw = NO_FAULT
    time: Text = msgspec.field(default=None, name="time")


class CreatedNote(Wire):
    attachable: Attachable | None = None
    fault: msgspec.Raw = NO_FAULT


T = TypeVar("T")


def reader(kind: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder that takes "false", "12" and 12 for what they mean."""
    return msgspec.json.Decoder(kind, strict=False)


QUERY: Final = reader(QueryAnswer)
RECORDS: Final = reader(RecordsAnswer)
CHANGES: Final = reader(ChangesAnswer)
BATCH: Final = reader(BatchAnswer)
CREATED_NOTE: Final = reader(CreatedNote)
INVOICE: Final = reader(Invoice)
PAYMENT: Final = reader(Payment)
CREDIT_MEMO: Final = reader(CreditMemo)
CUSTOMER: Final = reader(Customer)
LINKED: Final = reader(LinkedAnswer)
ANNOTATED: Final = reader(Annotated)
ATTACHABLE: Final = reader(Attachable)
STAMPED: Final = reader(Entity)
COMPANY_INFO: Final = reader(CompanyInfo)
PREFERENCES: Final = reader(Preferences)
CUSTOMER_TYPE: Final = reader(CustomerType)
