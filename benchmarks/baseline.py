"""The plain way to fill the same tables: what arsync's backfill is measured against.

One keep-alive connection, typed structs, `executemany`, one transaction a page. It trusts every record, keeps nothing
apart, resumes nowhere and knows no vendor but the sandbox. Amounts are exact here too.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from arsync.domain.postal import postal_address  # how an address is laid out is no part of a load

_PAGE: Final = 1000
_HOME: Final = "USD"  # the company's own currency
_CONNECTION: Final = 1  # the one connection in the database
_ISO2: Final = {"USA": "US", "GBR": "GB", "DEU": "DE", "FRA": "FR", "ESP": "ES", "ITA": "IT", "NLD": "NL",
                "AUS": "AU", "NZL": "NZ", "CAN": "CA"}  # fmt: skip

#: The tables, and their columns: all are filled.
WIDTHS: Final = {
    "customers": 17,
    "contacts": 7,
    "invoices": 20,
    "invoice_lines": 6,
    "payments": 13,
    "credit_notes": 12,
    "allocations": 7,
}

Rows = list[tuple[Any, ...]]
Fill = Callable[[Any, dict[str, Rows]], None]


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """The names of the table's columns."""
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})").fetchall()]
    assert len(names) == WIDTHS[table], f"{table} has other columns by now"
    return names


class Tables:
    """The database, its pragmas as arsync's pull has them."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in (
            "journal_mode=WAL",
            "foreign_keys=ON",
            "synchronous=NORMAL",
            "cache_size=-8000",
            "temp_store=MEMORY",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        self._insert = {name: self._statement(name) for name in WIDTHS}

    def _statement(self, table: str) -> str:
        columns = ", ".join(columns_of(self._connection, table))
        # Pages meet at a time stamp, and share the records that carry it.
        return f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({', '.join('?' * WIDTHS[table])})"

    def save(self, page: Mapping[str, Rows]) -> None:
        """Stores a page in a transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        for table, rows in page.items():
            if rows:
                self._connection.executemany(self._insert[table], rows)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()


class Line:
    """One keep-alive connection with its headers."""

    def __init__(self, origin: str, headers: Mapping[str, str]) -> None:
        self._http = HTTPConnection(urlsplit(origin).netloc)
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip", **headers}

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The answer's body, unpacked; RuntimeError unless its status is 200."""
        self._http.request(method, target, body, {**self._headers, **(headers or {})})
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"HTTP {answer.status} for {target}")
        return zlib.decompress(content, 31) if answer.headers["Content-Encoding"] == "gzip" else content

    def close(self) -> None:
        """Ends the connection."""
        self._http.close()


def _units(exact: Decimal) -> int:
    return int(exact.scaleb(4)) if exact else 0


_RATES: Final = Context(prec=10)


def _rate(rate: Decimal | None) -> str | None:
    return None if rate is None or rate == 1 else str(rate)


def _inverse(rate: Decimal | None) -> str | None:
    return None if rate is None or rate == 1 else str(_RATES.divide(Decimal(1), rate))


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def history_start(today: date) -> date:
    """The first day of the history: 24 months back."""
    return date(today.year - 2, today.month, 1)


# --- QuickBooks -------------------------------------------------------------------------------------------


class _Pascal(msgspec.Struct, rename="pascal", gc=False):
    pass


class Ref(_Pascal, rename=None):
    value: str | None = None
    name: str | None = None


class Meta(_Pascal):
    last_updated_time: datetime


class Email(_Pascal):
    address: str | None = None


class Phone(_Pascal):
    free_form_number: str | None = None


class PostalAddress(_Pascal):
    line1: str | None = None
    line2: str | None = None
    line3: str | None = None
    line4: str | None = None
    line5: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None
    country_sub_division_code: str | None = None


class Custom(_Pascal):
    name: str = ""
    string_value: str | None = None


class Linked(_Pascal):
    txn_id: str
    txn_type: str


class Item(_Pascal):
    qty: Decimal | None = None


class SalesLine(_Pascal):
    amount: Decimal
    detail_type: str
    description: str = ""
    sales_item_line_detail: Item | None = None


class PaymentLine(_Pascal):
    amount: Decimal
    linked_txn: list[Linked]


class QboCustomer(_Pascal):
    id: str
    sync_token: str
    meta_data: Meta
    display_name: str
    active: bool
    balance: Decimal
    currency_ref: Ref
    given_name: str = ""
    family_name: str = ""
    parent_ref: Ref | None = None
    bill_addr: PostalAddress | None = None
    primary_email_addr: Email | None = None
    primary_phone: Phone | None = None
    customer_type_ref: Ref | None = None


class QboInvoice(_Pascal):
    id: str
    sync_token: str
    meta_data: Meta
    doc_number: str
    txn_date: str
    customer_ref: Ref
    currency_ref: Ref
    total_amt: Decimal
    balance: Decimal
    line: list[SalesLine]
    due_date: str | None = None
    bill_email: Email | None = None
    bill_email_cc: Email | None = None
    private_note: str | None = None
    sales_term_ref: Ref | None = None
    custom_field: list[Custom] = []
    exchange_rate: Decimal | None = None


class QboPayment(_Pascal):
    id: str
    sync_token: str
    meta_data: Meta
    txn_date: str
    customer_ref: Ref
    currency_ref: Ref
    total_amt: Decimal
    unapplied_amt: Decimal
    line: list[PaymentLine] = []
    private_note: str | None = None
    exchange_rate: Decimal | None = None


class QboCredit(_Pascal):
    id: str
    sync_token: str
    meta_data: Meta
    doc_number: str
    txn_date: str
    customer_ref: Ref
    currency_ref: Ref
    total_amt: Decimal
    balance: Decimal
    private_note: str | None = None
    exchange_rate: Decimal | None = None


class QboRows(_Pascal):
    customer: list[QboCustomer] = []
    invoice: list[QboInvoice] = []
    payment: list[QboPayment] = []
    credit_memo: list[QboCredit] = []


class QboAnswer(_Pascal):
    query_response: QboRows


_QBO: Final = msgspec.json.Decoder(QboAnswer)


def _qbo_customers(found: list[QboCustomer], page: dict[str, Rows]) -> None:
    customers, contacts = page["customers"], page["contacts"]
    for each in found:
        parent = each.parent_ref.value if each.parent_ref else None
        bill = each.bill_addr or PostalAddress()
        country = _ISO2.get(bill.country or "")
        address = postal_address(
            (bill.line1, bill.line2, bill.line3, bill.line4, bill.line5), city=bill.city,
            region=bill.country_sub_division_code, code=bill.postal_code, country=country, name=each.display_name,
        )  # fmt: skip
        customers.append((
            _CONNECTION, each.id, each.display_name, "active" if each.active else "archived", parent, None,
            parent or each.id, each.currency_ref.value, country, None,
            # In another currency than the company's own, nothing but nothing is known for sure.
            _units(each.balance) if each.currency_ref.value == _HOME or each.balance <= 0 else None,
            _instant(each.meta_data.last_updated_time), each.sync_token,
            bill.country_sub_division_code, None, address,
            json.dumps([each.customer_type_ref.value]) if each.customer_type_ref else None,
        ))  # fmt: skip
        email = each.primary_email_addr.address if each.primary_email_addr else None
        phone = each.primary_phone.free_form_number if each.primary_phone else None
        if email or phone:
            name = f"{each.given_name} {each.family_name}"
            contacts.append((_CONNECTION, each.id, 0, name, email, phone, "primary"))


def _qbo_invoices(found: list[QboInvoice], page: dict[str, Rows]) -> None:
    invoices, lines = page["invoices"], page["invoice_lines"]
    for each in found:
        if each.private_note == "Voided":
            state = "void"
        else:
            state = "open" if each.balance else "paid"
        invoices.append((
            _CONNECTION, each.id, each.doc_number, each.customer_ref.value, state, each.currency_ref.value,
            _units(each.total_amt), _units(each.balance), each.txn_date, each.due_date, None,
            each.bill_email.address if each.bill_email else None,
            _instant(each.meta_data.last_updated_time), each.sync_token,
            next((one.string_value for one in each.custom_field if one.string_value), None),
            each.sales_term_ref.name if each.sales_term_ref else None,
            each.bill_email_cc.address if each.bill_email_cc else None, _rate(each.exchange_rate), None, None,
        ))  # fmt: skip
        place = 0
        for line in each.line:
            item = line.sales_item_line_detail
            if item is not None:
                quantity = None if item.qty is None else str(item.qty)
                lines.append((_CONNECTION, each.id, place, line.description, quantity, _units(line.amount)))
                place += 1


def _qbo_payments(found: list[QboPayment], page: dict[str, Rows]) -> None:
    payments, allocations = page["payments"], page["allocations"]
    for each in found:
        payments.append((
            _CONNECTION, each.id, "payment", each.customer_ref.value,
            "void" if each.private_note == "Voided" else "active", each.currency_ref.value,
            _units(each.total_amt), _units(each.unapplied_amt), each.txn_date, None,
            _instant(each.meta_data.last_updated_time), each.sync_token, _rate(each.exchange_rate),
        ))  # fmt: skip
        place = 0
        for line in each.line:
            if line.linked_txn[0].txn_type == "Invoice":
                invoice_id = line.linked_txn[0].txn_id
                allocations.append(
                    (_CONNECTION, "payments", each.id, place, invoice_id, _units(line.amount), each.txn_date)
                )
                place += 1


def _qbo_credits(found: list[QboCredit], page: dict[str, Rows]) -> None:
    page["credit_notes"] += [
        (
            _CONNECTION, each.id, each.doc_number, each.customer_ref.value,
            "void" if each.private_note == "Voided" else "active", each.currency_ref.value,
            _units(each.total_amt), _units(each.balance), each.txn_date,
            _instant(each.meta_data.last_updated_time), each.sync_token, _rate(each.exchange_rate),
        )
        for each in found
    ]  # fmt: skip


def load_quickbooks(database: Path, *, api_url: str, company: str, token: str, today: date) -> int:
    """Fills the tables from the sandbox's QuickBooks and returns how many pages it fetched."""
    line = Line(api_url, {"Authorization": f"Bearer {token}", "Content-Type": "application/text"})
    tables = Tables(database)
    target = f"{urlsplit(api_url).path}/company/{company}/query?minorversion=75"
    since = history_start(today)
    passes: tuple[tuple[str, str, list[str], Fill], ...] = (
        ("Customer", "customer", ["Active IN (true, false)"], _qbo_customers),
        ("Invoice", "invoice", [f"TxnDate < '{since}'", "Balance > '0'"], _qbo_invoices),
        ("Invoice", "invoice", [f"TxnDate >= '{since}'"], _qbo_invoices),
        ("Payment", "payment", [], _qbo_payments),
        ("CreditMemo", "credit_memo", [], _qbo_credits),
    )
    pages = 0
    for entity, attribute, conditions, fill in passes:
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        start = 1
        while True:
            query = f"SELECT * FROM {entity}{where} ORDERBY Id STARTPOSITION {start} MAXRESULTS {_PAGE}"
            found = getattr(_QBO.decode(line.ask("POST", target, query.encode())).query_response, attribute)
            page = _empty()
            fill(found, page)
            tables.save(page)
            pages += 1
            if len(found) < _PAGE:
                break
            start += _PAGE
    tables.close()
    line.close()
    return pages


def _empty() -> dict[str, Rows]:
    return {
        "customers": [],
        "contacts": [],
        "invoices": [],
        "invoice_lines": [],
        "payments": [],
        "credit_notes": [],
        "allocations": [],
    }


# --- Xero ---------------------------------------------------------------------------------------------------


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
            _CONNECTION, each.contact_id, each.name, "active" if each.contact_status == "ACTIVE" else "archived",
            None, None, each.contact_id, each.default_currency, country, None,
            _units(each.balances.accounts_receivable.outstanding), *_stamps(each.updated_date_utc),
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
            contacts.append((_CONNECTION, each.contact_id, place, name, email, phone, "primary"))
            place = 1
        for person in each.contact_persons:
            name = f"{person.first_name} {person.last_name}".strip()
            role = "billing" if person.include_in_emails else "other"
            email = person.email_address or None
            contacts.append((_CONNECTION, each.contact_id, place, name, email, None, role))
            place += 1


def _xero_invoices(found: list[XeroInvoice], page: dict[str, Rows]) -> None:
    invoices, lines = page["invoices"], page["invoice_lines"]
    for each in found:
        due = each.due_date_string
        invoices.append((
            _CONNECTION, each.invoice_id, each.invoice_number, each.contact.contact_id, _INVOICE_STATE[each.status],
            each.currency_code, _units(each.total), _units(each.amount_due), each.date_string[:10],
            due[:10] if due else None, each.reference or None, None, *_stamps(each.updated_date_utc),
            None, None, None, _inverse(each.currency_rate),
            each.expected_payment_date_string[:10] if each.expected_payment_date_string else None,
            each.sent_to_contact,
        ))  # fmt: skip
        for place, line in enumerate(each.line_items):
            quantity = None if line.quantity is None else str(line.quantity)
            lines.append((_CONNECTION, each.invoice_id, place, line.description, quantity, _units(line.line_amount)))


def _xero_payments(found: list[XeroPayment], page: dict[str, Rows]) -> None:
    payments, allocations = page["payments"], page["allocations"]
    for each in found:
        if each.payment_type != "ACCRECPAYMENT":
            continue
        state, day = _CREDIT_STATE[each.status], _moment(each.date).date().isoformat()
        payments.append((
            _CONNECTION, each.payment_id, "payment", each.invoice.contact.contact_id, state,
            each.invoice.currency_code, _units(each.amount), 0, day, each.reference or None,
            *_stamps(each.updated_date_utc), _inverse(each.currency_rate),
        ))  # fmt: skip
        if state == "active":
            amount = _units(each.amount)
            allocations.append((_CONNECTION, "payments", each.payment_id, 0, each.invoice.invoice_id, amount, day))


def _xero_credits(found: list[XeroCredit], page: dict[str, Rows]) -> None:
    for each in found:
        if each.type.startswith(("ACCPAY", "SPEND", "AP")):
            continue
        state = _CREDIT_STATE[each.status]
        own_id = each.credit_note_id or each.overpayment_id or each.prepayment_id
        source = "credit_notes" if each.credit_note_id else "payments"
        amounts = (_units(each.total), _units(each.remaining_credit) if state == "active" else 0)
        day, stamps = each.date_string[:10], _stamps(each.updated_date_utc)
        if source == "credit_notes":
            page["credit_notes"].append((
                _CONNECTION, own_id, each.credit_note_number, each.contact.contact_id, state, each.currency_code,
                *amounts, day, *stamps, _inverse(each.currency_rate),
            ))  # fmt: skip
        else:
            kind = "overpayment" if each.overpayment_id else "prepayment"
            page["payments"].append((
                _CONNECTION, own_id, kind, each.contact.contact_id, state, each.currency_code, *amounts, day,
                each.reference or None, *stamps, _inverse(each.currency_rate),
            ))  # fmt: skip
        page["allocations"] += [
            (_CONNECTION, source, own_id, place, part.invoice.invoice_id, _units(part.amount),
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
            asked = {"page": number, "pageSize": _PAGE, "order": f"{identity} ASC", **filters}
            answer = _XERO.decode(line.ask("GET", f"{path}/{noun}?{urlencode(asked)}", None, {}))
            found = getattr(answer, attribute)
            page = _empty()
            fill(found, page)
            tables.save(page)
            pages += 1
            if answer.pagination.item_count <= number * _PAGE:
                break
            number += 1
    tables.close()
    line.close()
    return pages
