"""The plain way to load a company of QuickBooks."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from arsync.domain.postal import postal_address  # how an address is laid out is no part of a load
from plain_tables import (
    CONNECTION,
    HOME,
    ISO2,
    PAGE,
    Fill,
    Line,
    Rows,
    Tables,
    history_start,
    instant,
    no_rows,
    rate_text,
    units,
)


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
        country = ISO2.get(bill.country or "")
        address = postal_address(
            (bill.line1, bill.line2, bill.line3, bill.line4, bill.line5), city=bill.city,
            region=bill.country_sub_division_code, code=bill.postal_code, country=country, name=each.display_name,
        )  # fmt: skip
        customers.append((
            CONNECTION, each.id, each.display_name, "active" if each.active else "archived", parent, None,
            parent or each.id, each.currency_ref.value, country, None,
            # In another currency than the company's own, nothing but nothing is known for sure.
            units(each.balance) if each.currency_ref.value == HOME or each.balance <= 0 else None,
            instant(each.meta_data.last_updated_time), each.sync_token,
            bill.country_sub_division_code, None, address,
            json.dumps([each.customer_type_ref.value]) if each.customer_type_ref else None,
        ))  # fmt: skip
        email = each.primary_email_addr.address if each.primary_email_addr else None
        phone = each.primary_phone.free_form_number if each.primary_phone else None
        if email or phone:
            name = f"{each.given_name} {each.family_name}"
            contacts.append((CONNECTION, each.id, 0, name, email, phone, "primary"))


def _qbo_invoices(found: list[QboInvoice], page: dict[str, Rows]) -> None:
    invoices, lines = page["invoices"], page["invoice_lines"]
    for each in found:
        if each.private_note == "Voided":
            state = "void"
        else:
            state = "open" if each.balance else "paid"
        invoices.append((
            CONNECTION, each.id, each.doc_number, each.customer_ref.value, state, each.currency_ref.value,
            units(each.total_amt), units(each.balance), each.txn_date, each.due_date, None,
            each.bill_email.address if each.bill_email else None,
            instant(each.meta_data.last_updated_time), each.sync_token,
            next((one.string_value for one in each.custom_field if one.string_value), None),
            each.sales_term_ref.name if each.sales_term_ref else None,
            each.bill_email_cc.address if each.bill_email_cc else None, rate_text(each.exchange_rate), None, None,
        ))  # fmt: skip
        place = 0
        for line in each.line:
            item = line.sales_item_line_detail
            if item is not None:
                quantity = None if item.qty is None else str(item.qty)
                lines.append((CONNECTION, each.id, place, line.description, quantity, units(line.amount)))
                place += 1


def _qbo_payments(found: list[QboPayment], page: dict[str, Rows]) -> None:
    payments, allocations = page["payments"], page["allocations"]
    for each in found:
        payments.append((
            CONNECTION, each.id, "payment", each.customer_ref.value,
            "void" if each.private_note == "Voided" else "active", each.currency_ref.value,
            units(each.total_amt), units(each.unapplied_amt), each.txn_date, None,
            instant(each.meta_data.last_updated_time), each.sync_token, rate_text(each.exchange_rate),
        ))  # fmt: skip
        place = 0
        for line in each.line:
            if line.linked_txn[0].txn_type == "Invoice":
                invoice_id = line.linked_txn[0].txn_id
                allocations.append(
                    (CONNECTION, "payments", each.id, place, invoice_id, units(line.amount), each.txn_date)
                )
                place += 1


def _qbo_credits(found: list[QboCredit], page: dict[str, Rows]) -> None:
    page["credit_notes"] += [
        (
            CONNECTION, each.id, each.doc_number, each.customer_ref.value,
            "void" if each.private_note == "Voided" else "active", each.currency_ref.value,
            units(each.total_amt), units(each.balance), each.txn_date,
            instant(each.meta_data.last_updated_time), each.sync_token, rate_text(each.exchange_rate),
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
            query = f"SELECT * FROM {entity}{where} ORDERBY Id STARTPOSITION {start} MAXRESULTS {PAGE}"
            found = getattr(_QBO.decode(line.ask("POST", target, query.encode())).query_response, attribute)
            page = no_rows()
            fill(found, page)
            tables.save(page)
            pages += 1
            if len(found) < PAGE:
                break
            start += PAGE
    tables.close()
    line.close()
    return pages
