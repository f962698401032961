"""The lists of the Accounting API that the sandbox serves: what each may be filtered, ordered and asked by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from arsync.sandbox.xero_books import Books
from arsync.sandbox.xero_filter import Kind, Properties, attribute
from arsync.sandbox.xero_records import Credit, CreditKind, Record
from arsync.sandbox.xero_render import Depth, contact_json, credit_json, invoice_json, payment_json

_PAGING = frozenset({"page", "pageSize", "where", "order"})


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of record as the API lists it."""

    name: str  # the path and the key of the list: `Invoices`
    one: str  # `Invoice`
    id_name: str
    properties: Properties
    parameters: frozenset[str]
    records: Callable[[Books], Iterable[Any]]
    get: Callable[[Books, str], Record | None]
    write: Callable[[Any, Depth, date], bytes]
    number: Callable[[Any], str] | None = None  # also found by this in a path
    notes: bool = False  # a history note may be written


def _document(one: str, extra: Properties) -> Properties:
    return {
        f"{one}ID": attribute("id", Kind.GUID),
        "Type": attribute("type", Kind.TEXT),
        "Status": attribute("status", Kind.TEXT),
        "Reference": attribute("reference", Kind.TEXT),
        "Date": attribute("issued", Kind.DAY),
        "Total": attribute("total", Kind.NUMBER),
        "SubTotal": attribute("subtotal", Kind.NUMBER),
        "TotalTax": attribute("tax", Kind.NUMBER),
        "CurrencyCode": attribute("currency", Kind.TEXT),
        "UpdatedDateUTC": attribute("updated", Kind.MOMENT),
        "Contact.ContactID": attribute("contact.id", Kind.GUID),
        "Contact.Name": attribute("contact.name", Kind.TEXT),
        "Contact.ContactNumber": attribute("contact.number", Kind.TEXT),
        **extra,
    }


def _of_kind(kind: CreditKind) -> Callable[[Books], Iterable[Credit]]:
    return lambda books: (credit for credit in books.credits.values() if credit.kind is kind)


def _credit_of_kind(books: Books, record_id: str, kind: CreditKind) -> Credit | None:
    credit = books.credits.get(record_id)
    return credit if credit is not None and credit.kind is kind else None


def _credit_noun(
    kind: CreditKind, extra: Properties, *, parameters: frozenset[str] = frozenset(), notes: bool = False
) -> Noun:
    return Noun(
        f"{kind}s",
        kind,
        f"{kind}ID",
        _document(kind, {"RemainingCredit": attribute("remaining", Kind.NUMBER), **extra}),
        _PAGING | {"unitdp"} | parameters,
        _of_kind(kind),
        lambda books, record_id: _credit_of_kind(books, record_id, kind),
        lambda record, depth, today: credit_json(record, depth),
        notes=notes,
    )


INVOICES = Noun(
    "Invoices",
    "Invoice",
    "InvoiceID",
    _document(
        "Invoice",
        {
            "InvoiceNumber": attribute("number", Kind.TEXT),
            "DueDate": attribute("due", Kind.DAY),
            "AmountDue": attribute("amount_due", Kind.NUMBER),
            "AmountPaid": attribute("paid", Kind.NUMBER),
            "AmountCredited": attribute("credited", Kind.NUMBER),
            "FullyPaidOnDate": attribute("paid_in_full_on", Kind.DAY),
            "SentToContact": attribute("sent", Kind.FLAG),
        },
    ),
    _PAGING
    | {
        "IDs",
        "InvoiceNumbers",
        "ContactIDs",
        "Statuses",
        "includeArchived",
        "createdByMyApp",
        "unitdp",
        "summaryOnly",
        "searchTerm",
    },
    lambda books: books.invoices.values(),
    lambda books, record_id: books.invoices.get(record_id),
    lambda record, depth, today: invoice_json(record, depth),
    number=lambda record: str(record.number),
    notes=True,
)
CONTACTS = Noun(
    "Contacts",
    "Contact",
    "ContactID",
    {
        "ContactID": attribute("id", Kind.GUID),
        "Name": attribute("name", Kind.TEXT),
        "FirstName": attribute("first_name", Kind.TEXT),
        "LastName": attribute("last_name", Kind.TEXT),
        "EmailAddress": attribute("email", Kind.TEXT),
        "ContactNumber": attribute("number", Kind.TEXT),
        "AccountNumber": attribute("account_number", Kind.TEXT),
        "ContactStatus": attribute("status", Kind.TEXT),
        "IsCustomer": attribute("is_customer", Kind.FLAG),
        "IsSupplier": attribute("is_supplier", Kind.FLAG),
        "UpdatedDateUTC": attribute("updated", Kind.MOMENT),
    },
    _PAGING | {"IDs", "includeArchived", "summaryOnly", "searchTerm"},
    lambda books: books.contacts.values(),
    lambda books, record_id: books.contacts.get(record_id),
    contact_json,
    number=lambda record: str(record.number),
    notes=True,
)
PAYMENTS = Noun(
    "Payments",
    "Payment",
    "PaymentID",
    {
        "PaymentID": attribute("id", Kind.GUID),
        "Status": attribute("status", Kind.TEXT),
        "Date": attribute("on", Kind.DAY),
        "Amount": attribute("amount", Kind.NUMBER),
        "Reference": attribute("reference", Kind.TEXT),
        "UpdatedDateUTC": attribute("updated", Kind.MOMENT),
        "Invoice.InvoiceID": attribute("invoice.id", Kind.GUID),
        "Invoice.InvoiceNumber": attribute("invoice.number", Kind.TEXT),
        "Invoice.Contact.ContactID": attribute("invoice.contact.id", Kind.GUID),
    },
    _PAGING,
    lambda books: books.payments.values(),
    lambda books, record_id: books.payments.get(record_id),
    lambda record, depth, today: payment_json(record, depth),
)
CREDIT_NOTES = _credit_noun(CreditKind.CREDIT_NOTE, {"CreditNoteNumber": attribute("number", Kind.TEXT)}, notes=True)
OVERPAYMENTS = _credit_noun(CreditKind.OVERPAYMENT, {}, parameters=frozenset({"References"}))
PREPAYMENTS = _credit_noun(CreditKind.PREPAYMENT, {}, parameters=frozenset({"InvoiceNumbers"}))

NOUNS = {noun.name: noun for noun in (INVOICES, CONTACTS, PAYMENTS, CREDIT_NOTES, OVERPAYMENTS, PREPAYMENTS)}


def record_of(noun: Noun, books: Books, name: str) -> Record | None:
    """The record with this id, or this number where the noun has one."""
    found = noun.get(books, name.lower())
    if found is None and noun.number is not None:
        return next((record for record in noun.records(books) if noun.number(record) == name), None)
    return found
