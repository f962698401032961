"""The plain way to load an organisation of Xero."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec

from arsync.domain.postal import postal_address  # how an address is laid out is no part of a load
from plain_tables import CONNECTION, PAGE, Fill, Line, Rows, Tables, history_start, inverse, no_rows, units


def _as_xero(name: str) -> str:
    return "".join({"id": "ID", "utc": "UTC"}.get(word, word.capitalize()) for word in name.split("_"))


class _Xero(msgspec.Struct, rename=_as_xero, gc=False):
    pass


class XeroOf(_Xero):
    contact_id: str = ""


class XeroInvoiceOf(_Xero):
    invoice_id: str
    contact: XeroOf = msgspec.field(default_factory=XeroOf)
    currency_code: str = ""


class XeroLine(_Xero):
    line_amount: Decimal
    description: str = ""
    quantity: Decimal | None = None


class XeroInvoice(_Xero):
    invoice_id: str
    invoice_number: str
    contact: XeroOf
    status: str
    currency_code: str
    total: Decimal
    amount_due: Decimal
    date_string: str
    line_items: list[XeroLine]
    updated_date_utc: str
    due_date_string: str | None = None
    reference: str = ""
    currency_rate: Decimal | None = None
    expected_payment_date_string: str | None = None
    sent_to_contact: bool | None = None


class XeroPayment(_Xero):
    payment_id: str
    payment_type: str
    status: str
    amount: Decimal
    date: str
    invoice: XeroInvoiceOf
    updated_date_utc: str
    reference: str = ""
    currency_rate: Decimal | None = None


class XeroAllocation(_Xero):
    amount: Decimal
    date: str
    invoice: XeroInvoiceOf


class XeroCredit(_Xero):
    type: str
    contact: XeroOf
    status: str
    currency_code: str
    total: Decimal
    remaining_credit: Decimal
    date_string: str
    allocations: list[XeroAllocation]
    updated_date_utc: str
    reference: str = ""
    credit_note_id: str = ""
    credit_note_number: str = ""
    overpayment_id: str = ""
    prepayment_id: str = ""
    currency_rate: Decimal | None = None


class XeroPerson(_Xero):
    first_name: str = ""
    last_name: str = ""
    email_address: str = ""
    include_in_emails: bool = False


class XeroPhone(_Xero):
    phone_type: str
    phone_number: str


class XeroAddress(_Xero):
    address_type: str
    attention_to: str = ""
    address_line1: str = ""
    address_line2: str = ""
    address_line3: str = ""
    address_line4: str = ""
    city: str = ""
    postal_code: str = ""
    country: str = ""
    region: str = ""


class XeroGroup(_Xero):
    contact_group_id: str = msgspec.field(name="ContactGroupID")


class XeroBalance(_Xero):
    outstanding: Decimal


class XeroBalances(_Xero):
    accounts_receivable: XeroBalance


class XeroTerm(_Xero):
    day: int


class XeroTerms(_Xero):
    sales: XeroTerm | None = None


class XeroContact(_Xero):
    contact_id: str
    contact_status: str
    name: str
    first_name: str
    last_name: str
    email_address: str
    contact_persons: list[XeroPerson]
    phones: list[XeroPhone]
    addresses: list[XeroAddress]
    balances: XeroBalances
    updated_date_utc: str
    default_currency: str | None = None
    payment_terms: XeroTerms | None = None
    contact_groups: list[XeroGroup] = []


class Pagination(msgspec.Struct, rename="camel"):
    item_count: int


class XeroAnswer(_Xero):
    pagination: Pagination = msgspec.field(name="pagination")
    contacts: list[XeroContact] = []
    invoices: list[XeroInvoice] = []
    payments: list[XeroPayment] = []
    credit_notes: list[XeroCredit] = []
    overpayments: list[XeroCredit] = []
    prepayments: list[XeroCredit] = []


_XERO: Final = msgspec.json.Decoder(XeroAnswer)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTRY: Final = {"united states": "US", "united kingdom": "GB", "germany": "DE", "france": "FR", "spain": "ES",
                   "italy": "IT", "netherlands": "NL", "australia": "AU", "new zealand": "NZ", "canada": "CA",
                   "ireland": "IE"}  # fmt: skip
_INVOICE_STATE: Final = {"DRAFT": "draft", "SUBMITTED": "draft", "AUTHORISED": "open", "PAID": "paid",
                         "VOIDED": "void", "DELETED": "deleted"}  # fmt: skip
_CREDIT_STATE: Final = {"DRAFT": "void", "SUBMITTED": "void", "AUTHORISED": "active", "PAID": "active",
                        "VOIDED": "void", "DELETED": "deleted"}  # fmt: skip


def _milliseconds(stamp: str) -> int:
    return int(stamp[6:-7])  # /Date(1733048913287+0000)/


def _moment(stamp: str) -> datetime:
    return _EPOCH + timedelta(milliseconds=_milliseconds(stamp))


def _stamps(stamp: str) -> tuple[str, str]:
    """The update time as it is stored, and the version made from it."""
    milliseconds = _milliseconds(stamp)
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(" ", "microseconds")[:26], str(milliseconds)


def _xero_contacts(found: list[XeroContact], page: dict[str, Rows]) -> None:
    customers, contacts = page["customers"], page["contacts"]
    for each in found:
        bill = next((one for one in each.addresses if one.address_type == "POBOX"), XeroAddress("POBOX"))
        country = _COUNTRY.get(bill.country.lower())
        address = postal_address(
            (bill.attention_to, bill.address_line1, bill.address_line2, bill.address_line3, bill.address_line4),
            city=bill.city, region=bill.region, code=bill.postal_code, country=country, name=each.name,
        )  # fmt: skip
        customers.append((
            CONNECTION, each.contact_id, each.name, "active" if each.contact_status == "ACTIVE" else "archived",
            None, None, each.contact_id, each.default_currency, country, None,
            units(each.balances.accounts_receivable.outstanding), *_stamps(each.updated_date_utc),
            bill.region or None,
            f"{each.payment_terms.sales.day} days after the invoice date"
            if each.payment_terms and each.payment_terms.sales else None,
            address,
            json.dumps(sorted(one.contact_group_id for one in each.contact_groups)) if each.contact_groups else None,
        ))  # fmt: skip
        place = 0
        phone = next((one.phone_number for one in each.phones if one.phone_type == "DEFAULT"), "") or None
        email = each.email_address or None
        if email or phone:
            name = f"{each.first_name} {each.last_name}".strip() or each.name
            contacts.append((CONNECTION, each.contact_id, place, name, email, phone, "primary"))
            place = 1
        for person in each.contact_persons:
            name = f"{person.first_name} {person.last_name}".strip()
            role = "billing" if person.include_in_emails else "other"
            email = person.email_address or None
            contacts.append((CONNECTION, each.contact_id, place, name, email, None, role))
            place += 1


def _xero_invoices(found: list[XeroInvoice], page: dict[str, Rows]) -> None:
    invoices, lines = page["invoices"], page["invoice_lines"]
    for each in found:
        due = each.due_date_string
        invoices.append((
            CONNECTION, each.invoice_id, each.invoice_number, each.contact.contact_id, _INVOICE_STATE[each.status],
            each.currency_code, units(each.total), units(each.amount_due), each.date_string[:10],
            due[:10] if due else None, each.reference or None, None, *_stamps(each.updated_date_utc),
            None, None, None, inverse(each.currency_rate),
            each.expected_payment_date_string[:10] if each.expected_payment_date_string else None,
            each.sent_to_contact,
        ))  # fmt: skip
        for place, line in enumerate(each.line_items):
            quantity = None if line.quantity is None else str(line.quantity)
            lines.append((CONNECTION, each.invoice_id, place, line.description, quantity, units(line.line_amount)))


def _xero_payments(found: list[XeroPayment], page: dict[str, Rows]) -> None:
    payments, allocations = page["payments"], page["allocations"]
    for each in found:
        if each.payment_type != "ACCRECPAYMENT":
            continue
        state, day = _CREDIT_STATE[each.status], _moment(each.date).date().isoformat()
        payments.append((
            CONNECTION, each.payment_id, "payment", each.invoice.contact.contact_id, state,
            each.invoice.currency_code, units(each.amount), 0, day, each.reference or None,
            *_stamps(each.updated_date_utc), inverse(each.currency_rate),
        ))  # fmt: skip
        if state == "active":
            amount = units(each.amount)
            allocations.append((CONNECTION, "payments", each.payment_id, 0, each.invoice.invoice_id, amount, day))


def _xero_credits(found: list[XeroCredit], page: dict[str, Rows]) -> None:
    for each in found:
        if each.type.startswith(("ACCPAY", "SPEND", "AP")):
            continue
        state = _CREDIT_STATE[each.status]
        own_id = each.credit_note_id or each.overpayment_id or each.prepayment_id
        source = "credit_notes" if each.credit_note_id else "payments"
        amounts = (units(each.total), units(each.remaining_credit) if state == "active" else 0)
        day, stamps = each.date_string[:10], _stamps(each.updated_date_utc)
        if source == "credit_notes":
            page["credit_notes"].append((
                CONNECTION, own_id, each.credit_note_number, each.contact.contact_id, state, each.currency_code,
                *amounts, day, *stamps, inverse(each.currency_rate),
            ))  # fmt: skip
        else:
            kind = "overpayment" if each.overpayment_id else "prepayment"
            page["payments"].append((
                CONNECTION, own_id, kind, each.contact.contact_id, state, each.currency_code, *amounts, day,
                each.reference or None, *stamps, inverse(each.currency_rate),
            ))  # fmt: skip
        page["allocations"] += [
            (CONNECTION, source, own_id, place, part.invoice.invoice_id, units(part.amount),
             _moment(part.date).date().isoformat())
            for place, part in enumerate(each.allocations if state == "active" else [])
        ]  # fmt: skip


def load_xero(database: Path, *, api_url: str, company: str, token: str, today: date) -> int:
    """Fills the tables from the sandbox's Xero and returns how many pages it fetched."""
    line = Line(api_url, {"Authorization": f"Bearer {token}", "Xero-Tenant-Id": company})
    tables = Tables(database)
    path = urlsplit(api_url).path
    since = history_start(today)
    day = f"DateTime({since.year},{since.month:02},{since.day:02})"
    passes: tuple[tuple[str, str, str, dict[str, str], Fill], ...] = (
        ("Contacts", "ContactID", "contacts", {"includeArchived": "true"}, _xero_contacts),
        ("Invoices", "InvoiceID", "invoices",
         {"where": f'Type=="ACCREC" AND AmountDue>0 AND Date<{day}', "Statuses": "AUTHORISED"}, _xero_invoices),
        ("Invoices", "InvoiceID", "invoices", {"where": f'Type=="ACCREC" AND Date>={day}'}, _xero_invoices),
        ("Payments", "PaymentID", "payments", {"where": f"Date>={day}"}, _xero_payments),
        ("Overpayments", "OverpaymentID", "overpayments", {}, _xero_credits),
        ("Prepayments", "PrepaymentID", "prepayments", {}, _xero_credits),
        ("CreditNotes", "CreditNoteID", "credit_notes", {}, _xero_credits),
    )  # fmt: skip
    pages = 0
    for noun, identity, attribute, filters, fill in passes:
        number = 1
        while True:
            asked = {"page": number, "pageSize": PAGE, "order": f"{identity} ASC", **filters}
            answer = _XERO.decode(line.ask("GET", f"{path}/{noun}?{urlencode(asked)}", None, {}))
            found = getattr(answer, attribute)
            page = no_rows()
            fill(found, page)
            tables.save(page)
            pages += 1
            if answer.pagination.item_count <= number * PAGE:
                break
            number += 1
    tables.close()
    line.close()
    return pages
