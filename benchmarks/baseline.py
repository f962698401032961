"""The plain way to fill the same tables: what arsync's backfill is measured against.

One keep-alive connection, typed structs, `executemany`, one transaction a page. It trusts every record, keeps nothing
apart, resumes nowhere and knows no vendor but the sandbox. Amounts are exact here too.
"""

from __future__ import annotations

import re
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

_PAGE: Final = 1000
_CONNECTION: Final = 1  # the one connection in the database
_ISO2: Final = {"USA": "US", "GBR": "GB", "DEU": "DE", "FRA": "FR", "ESP": "ES", "ITA": "IT", "NLD": "NL",
                "AUS": "AU", "NZL": "NZ", "CAN": "CA"}  # fmt: skip

Rows = list[tuple[Any, ...]]


class Tables:
    """The database, its pragmas as arsync's pull has them."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL", "temp_store=MEMORY"):
            self._connection.execute(f"PRAGMA {pragma}")
        names = ("customers", "contacts", "invoices", "invoice_lines", "payments", "credit_notes", "allocations")
        self._insert = {name: self._statement(name) for name in names}

    def _statement(self, table: str) -> str:
        width = len(self._connection.execute(f"PRAGMA table_info({table})").fetchall())
        # Pages meet at a time stamp, and share the records that carry it.
        return f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * width)})"

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

    def ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> bytes:
        """The answer's body, unpacked; RuntimeError unless its status is 200."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._http.request(method, target, body, {**self._headers, **named})
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
    country: str | None = None


class Custom(_Pascal):
    name: str | None = None
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
    custom_field: list[Custom] = []
    due_date: str | None = None
    bill_email: Email | None = None
    private_note: str | None = None


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
        country = _ISO2.get((each.bill_addr.country if each.bill_addr else None) or "")
        customers.append((
            _CONNECTION, each.id, each.display_name, "active" if each.active else "archived", parent, None,
            parent or each.id, each.currency_ref.value, country, None, _units(each.balance),
            _instant(each.meta_data.last_updated_time), each.sync_token,
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
        reference = next((custom.string_value for custom in each.custom_field if custom.name == "P.O. Number"), None)
        invoices.append((
            _CONNECTION, each.id, each.doc_number, each.customer_ref.value, state, each.currency_ref.value,
            _units(each.total_amt), _units(each.balance), each.txn_date, each.due_date, reference,
            each.bill_email.address if each.bill_email else None,
            _instant(each.meta_data.last_updated_time), each.sync_token,
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
            _instant(each.meta_data.last_updated_time), each.sync_token,
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
            _instant(each.meta_data.last_updated_time), each.sync_token,
        )
        for each in found
    ]  # fmt: skip


def load_quickbooks(database: Path, *, api_url: str, company: str, token: str, today: date) -> int:
    """Fills the tables from the sandbox's QuickBooks and returns how many pages it fetched."""
    line = Line(api_url, {"Authorization": f"Bearer {token}", "Content-Type": "application/text"})
    tables = Tables(database)
    target = f"{urlsplit(api_url).path}/company/{company}/query?minorversion=75"
    since = history_start(today)
    passes: Iterable[tuple[str, str, list[str], Callable[[Any, dict[str, Rows]], None]]] = (
        ("Customer", "customer", ["Active IN (true, false)"], _qbo_customers),
        ("Invoice", "invoice", [f"TxnDate < '{since}'", "Balance > '0'"], _qbo_invoices),
        ("Invoice", "invoice", [f"TxnDate >= '{since}'"], _qbo_invoices),
        ("Payment", "payment", [], _qbo_payments),
        ("CreditMemo", "credit_memo", [], _qbo_credits),
    )
    pages = 0
    for entity, attribute, conditions, fill in passes:
        anchor = None
        while True:
            met = [] if anchor is None else [f"MetaData.LastUpdatedTime >= '{anchor.isoformat()}'"]
            where = " AND ".join([*conditions, *met])
            query = f"SELECT * FROM {entity}{' WHERE ' + where if where else ''}"
            query += f" ORDERBY MetaData.LastUpdatedTime STARTPOSITION 1 MAXRESULTS {_PAGE}"
            found = getattr(_QBO.decode(line.ask("POST", target, query.encode())).query_response, attribute)
            page = _empty()
            fill(found, page)
            tables.save(page)
            pages += 1
            if len(found) < _PAGE:
                break
            anchor = found[-1].meta_data.last_updated_time
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
