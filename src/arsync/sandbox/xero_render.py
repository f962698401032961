"""Xero's JSON for each record, cached as bytes: a list is a join, so that a page of a thousand costs milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from arsync.sandbox.xero_records import ZERO, Contact, Credit, CreditKind, Invoice, Line, Note, Payment, Record, Status
from arsync.sandbox.xero_wire import day_stamp, day_text, encode, moment_stamp, moment_text, number


class Depth(StrEnum):
    """How much of a record an answer shows."""

    SUMMARY = "summary"  # summaryOnly=true
    PLAIN = "plain"  # a list asked for without paging: no line items
    PAGED = "paged"  # a page of a list
    SINGLE = "single"  # one record by its id


Json = dict[str, Any]
BANK_ACCOUNT = {"AccountID": "bd9e85e0-0478-433d-ae9f-0b3c4f04bfe4", "Code": "090"}


def render(record: Record, depth: Depth, build: Callable[[], Json], key: str = "") -> bytes:
    """The record's JSON at a depth, from its cache where nothing has changed; junk lies over the fields."""
    slot = f"{depth}{key}"
    body = record.rendered.get(slot)
    if body is None:
        fields = build()
        if record.junk:
            fields.update(record.junk)
        for name in record.dropped:
            fields.pop(name, None)
        body = record.rendered[slot] = encode(fields)
    return body


def _dated(name: str, day: date | None) -> Json:
    return {} if day is None else {f"{name}String": day_text(day), name: day_stamp(day)}


def _stamps(record: Record) -> Json:
    return {"UpdatedDateUTC": moment_stamp(record.updated), "UpdatedDateUTCString": moment_text(record.updated)}


def _contact_mention(contact: Contact) -> Json:
    return {
        "ContactID": contact.id,
        "Name": contact.name,
        "Addresses": [],
        "Phones": [],
        "ContactGroups": [],
        "ContactPersons": [],
        "HasValidationErrors": False,
    }


def _contact_of(document: Invoice | Credit, depth: Depth) -> Json:
    if depth is Depth.SINGLE:
        return _contact_core(document.contact)
    return _contact_mention(document.contact)


def _line(line: Line) -> Json:
    return {
        "Description": line.description,
        "UnitAmount": number(line.unit_price),
        "TaxType": "OUTPUT2" if line.tax else "NONE",
        "TaxAmount": number(line.tax),
        "LineAmount": number(line.amount),
        "AccountCode": "200",
        "Tracking": [],
        "Quantity": line.quantity,
        "LineItemID": line.id,
    }


def _payment_mention(payment: Payment) -> Json:
    return {
        "PaymentID": payment.id,
        "Date": day_stamp(payment.on),
        "Amount": number(payment.amount),
        "Reference": payment.reference,
        "CurrencyRate": payment.invoice.rate,
        "HasAccount": False,
        "HasValidationErrors": False,
    }


def _credit_mentions(invoice: Invoice, kind: CreditKind) -> list[Json]:
    mentions = []
    for allocation in invoice.allocations:
        credit = allocation.credit
        if credit.kind is kind:
            mention: Json = {f"{kind}ID": credit.id}
            if kind is CreditKind.CREDIT_NOTE:
                mention["CreditNoteNumber"] = credit.number
            mention |= {
                "ID": credit.id,
                "AppliedAmount": number(allocation.amount),
                **_dated("Date", credit.issued),
                "LineItems": [],
                "Total": number(credit.total),
            }
            mentions.append(mention)
    return mentions


def invoice_json(invoice: Invoice, depth: Depth) -> bytes:
    """An invoice or bill."""
    return render(invoice, depth, lambda: _invoice(invoice, depth))


def _invoice(invoice: Invoice, depth: Depth) -> Json:
    void = invoice.status in (Status.VOIDED, Status.DELETED)
    fields: Json = {
        "Type": invoice.type,
        "InvoiceID": invoice.id,
        "InvoiceNumber": invoice.number,
        "Reference": invoice.reference,
    }
    if depth is not Depth.SUMMARY:
        fields["Payments"] = [_payment_mention(payment) for payment in invoice.payments]
    fields |= {
        "CreditNotes": _credit_mentions(invoice, CreditKind.CREDIT_NOTE),
        "Prepayments": _credit_mentions(invoice, CreditKind.PREPAYMENT),
        "Overpayments": _credit_mentions(invoice, CreditKind.OVERPAYMENT),
        "AmountDue": number(invoice.amount_due),
        "AmountPaid": number(ZERO if void else invoice.paid),
        "AmountCredited": number(ZERO if void else invoice.credited),
        "SentToContact": invoice.sent,
        "CurrencyRate": invoice.rate,
        "HasErrors": False,
        "IsDiscounted": False,
    }
    if depth is not Depth.SUMMARY:
        fields["HasAttachments"] = False
    fields |= {
        "Contact": _contact_of(invoice, depth),
        **_dated("Date", invoice.issued),
        **_dated("DueDate", invoice.due),
    }
    if invoice.expected_payment is not None:
        fields |= _dated("ExpectedPaymentDate", invoice.expected_payment)
    fields |= {"Status": invoice.status, "LineAmountTypes": "Exclusive"}
    if depth is not Depth.SUMMARY:
        detailed = depth in (Depth.PAGED, Depth.SINGLE)
        fields["LineItems"] = [_line(line) for line in invoice.lines] if detailed else []
    fields |= {
        "SubTotal": number(invoice.subtotal),
        "TotalTax": number(invoice.tax),
        "Total": number(invoice.total),
        **_stamps(invoice),
        "CurrencyCode": invoice.currency,
    }
    if invoice.paid_in_full_on is not None:
        fields["FullyPaidOnDate"] = day_stamp(invoice.paid_in_full_on)
    return fields


def payment_json(payment: Payment, depth: Depth) -> bytes:
    """A payment with a mention of its invoice."""
    return render(payment, depth, lambda: _payment(payment, depth))


def _payment(payment: Payment, depth: Depth) -> Json:
    invoice = payment.invoice
    if depth is Depth.SINGLE:
        shown = _invoice(invoice, Depth.PAGED)
    else:
        shown = {
            "Type": invoice.type,
            "InvoiceID": invoice.id,
            "InvoiceNumber": invoice.number,
            "Payments": [],
            "CreditNotes": [],
            "Prepayments": [],
            "Overpayments": [],
            "HasErrors": False,
            "IsDiscounted": False,
            "Contact": {**_contact_mention(invoice.contact), "ContactNumber": invoice.contact.number},
            "LineItems": [],
            "CurrencyCode": invoice.currency,
        }
    return {
        "PaymentID": payment.id,
        "Date": day_stamp(payment.on),
        "BankAmount": number(payment.amount),
        "Amount": number(payment.amount),
        "Reference": payment.reference,
        "CurrencyRate": invoice.rate,
        "PaymentType": "ACCRECPAYMENT" if invoice.type == "ACCREC" else "ACCPAYPAYMENT",
        "Status": payment.status,
        **_stamps(payment),
        "HasAccount": True,
        "IsReconciled": False,
        "Account": BANK_ACCOUNT,
        "Invoice": shown,
        "HasValidationErrors": False,
    }


def credit_json(credit: Credit, depth: Depth) -> bytes:
    """A credit note, overpayment or prepayment with its allocations."""
    return render(credit, depth, lambda: _credit(credit, depth))


def _credit(credit: Credit, depth: Depth) -> Json:
    fields: Json = {f"{credit.kind}ID": credit.id}
    if credit.kind is CreditKind.CREDIT_NOTE:
        fields["CreditNoteNumber"] = credit.number
    fields |= {
        "ID": credit.id,
        "CurrencyRate": credit.rate,
        "Type": credit.type,
        "Reference": credit.reference,
        "RemainingCredit": number(credit.remaining),
        "Allocations": [
            {
                "AllocationID": allocation.id,
                "Amount": number(allocation.amount),
                "Date": day_stamp(allocation.on),
                "Invoice": {
                    "InvoiceID": allocation.invoice.id,
                    "InvoiceNumber": allocation.invoice.number,
                    "Payments": [],
                    "CreditNotes": [],
                    "Prepayments": [],
                    "Overpayments": [],
                    "HasErrors": False,
                    "IsDiscounted": False,
                    "LineItems": [],
                },
                "IsDeleted": False,
            }
            for allocation in credit.allocations
        ],
        "Payments": [],
        "HasAttachments": False,
        "Contact": _contact_of(credit, depth),
        **_dated("Date", credit.issued),
        "Status": credit.status,
        "LineAmountTypes": "Exclusive" if credit.tax else "NoTax",
        "LineItems": [_credit_line(credit)] if depth in (Depth.PAGED, Depth.SINGLE) else [],
        "SubTotal": number(credit.subtotal),
        "TotalTax": number(credit.tax),
        "Total": number(credit.total),
        **_stamps(credit),
        "CurrencyCode": credit.currency,
    }
    return fields


def _credit_line(credit: Credit) -> Json:
    return {
        "Description": credit.description,
        "UnitAmount": number(credit.subtotal),
        "TaxType": "OUTPUT2" if credit.tax else "NONE",
        "TaxAmount": number(credit.tax),
        "LineAmount": number(credit.subtotal),
        "AccountCode": "200" if credit.kind is CreditKind.CREDIT_NOTE else "610",
        "Tracking": [],
        "Quantity": Decimal("1.0"),
    }


def contact_json(contact: Contact, depth: Depth, today: date) -> bytes:
    """A contact; balances depend on the day, so the cache does too."""
    return render(contact, depth, lambda: _contact(contact, depth, today), today.isoformat())


def _contact_core(contact: Contact) -> Json:
    fields: Json = {"ContactID": contact.id}
    if contact.merged_to is not None:
        fields["MergedToContactID"] = contact.merged_to.id
    if contact.number:
        fields["ContactNumber"] = contact.number
    if contact.account_number:
        fields["AccountNumber"] = contact.account_number
    fields |= {
        "ContactStatus": contact.status,
        "Name": contact.name,
        "FirstName": contact.first_name,
        "LastName": contact.last_name,
        "EmailAddress": contact.email,
        "BankAccountDetails": "",
        "Addresses": [
            {"AddressType": "STREET", "City": "", "Region": "", "PostalCode": "", "Country": ""},
            {
                "AddressType": "POBOX",
                **{f"AddressLine{place}": line for place, line in enumerate(contact.address, start=1)},
                "City": contact.city,
                "Region": contact.region,
                "PostalCode": contact.postal_code,
                "Country": contact.country,
            },
        ],
        "Phones": [
            {
                "PhoneType": kind,
                "PhoneNumber": contact.phone if kind == "DEFAULT" else "",
                "PhoneAreaCode": "",
                "PhoneCountryCode": "",
            }
            for kind in ("DDI", "DEFAULT", "FAX", "MOBILE")
        ],
        "UpdatedDateUTC": moment_stamp(contact.updated),
        "ContactGroups": [
            {"ContactGroupID": group.id, "Name": group.name, "Status": "ACTIVE"} for group in contact.groups
        ],
        "IsSupplier": contact.is_supplier,
        "IsCustomer": contact.is_customer,
    }
    if contact.currency:
        fields["DefaultCurrency"] = contact.currency
    fields["ContactPersons"] = [
        {
            "FirstName": person.first_name,
            "LastName": person.last_name,
            "EmailAddress": person.email,
            "IncludeInEmails": person.include_in_emails,
        }
        for person in contact.persons
    ]
    fields["HasValidationErrors"] = False
    return fields


def _contact(contact: Contact, depth: Depth, today: date) -> Json:
    fields = _contact_core(contact)
    if depth in (Depth.SUMMARY, Depth.PLAIN):
        if depth is Depth.SUMMARY:
            fields["Addresses"] = fields["Phones"] = []
        fields["ContactPersons"] = fields["ContactGroups"] = []
        return fields
    if contact.terms_days is not None:
        fields["PaymentTerms"] = {"Sales": {"Day": contact.terms_days, "Type": "DAYSAFTERBILLDATE"}}
    fields["Balances"] = {
        "AccountsReceivable": _balance(contact, "ACCREC", today),
        "AccountsPayable": _balance(contact, "ACCPAY", today),
    }
    fields["HasAttachments"] = False
    return fields


def receivable(contact: Contact) -> Decimal:
    """What a customer owes less what is open to its credit; currencies are added unconverted, as Xero does."""
    credit = sum((credit.remaining for credit in contact.credits), ZERO)
    return _owed(contact, "ACCREC") - credit - contact.written_off


def _owed(contact: Contact, invoice_type: str, *, before: date | None = None) -> Decimal:
    owed = ZERO
    for invoice in contact.invoices:
        late = before is None or (invoice.due is not None and invoice.due < before)
        if invoice.type == invoice_type and invoice.status is Status.AUTHORISED and late:
            owed += invoice.amount_due
    return owed


def _balance(contact: Contact, invoice_type: str, today: date) -> Json:
    outstanding = receivable(contact) if invoice_type == "ACCREC" else _owed(contact, invoice_type)
    return {"Outstanding": number(outstanding), "Overdue": number(_owed(contact, invoice_type, before=today))}


def note_json(note: Note) -> Json:
    """A note as it stands in the history of its document."""
    return {
        "Changes": "Note",
        "DateUTCString": note.at.strftime("%Y-%m-%dT%H:%M:%S"),
        "DateUTC": moment_stamp(note.at),
        "User": "System Generated",
        "Details": note.text,
    }


def history(record: Record, notes: list[Note]) -> list[bytes]:
    """A document's history, newest first: its notes, its payments and its creation."""
    entries = [(note.at, note_json(note)) for note in notes]
    if isinstance(record, Invoice):
        entries.extend(
            (
                payment.updated,
                _system_entry(payment.updated, "Payment Received", f"Payment of {payment.amount} was applied."),
            )
            for payment in record.payments
        )
    if isinstance(record, Invoice | Credit):
        entries.append((record.created, _system_entry(record.created, "Created", f"Total {record.total}.")))
    entries.sort(key=lambda entry: entry[0], reverse=True)
    return [encode(fields) for _, fields in entries]


def _system_entry(at: Any, changes: str, details: str) -> Json:
    return {
        "Changes": changes,
        "DateUTCString": at.strftime("%Y-%m-%dT%H:%M:%S"),
        "DateUTC": moment_stamp(at),
        "User": "System Generated",
        "Details": details,
    }
