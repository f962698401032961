"""QuickBooks' records as recorded, as documented and as they should never be."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.conftest import material

from arsync.connector import Broken
from arsync.domain.documents import (
    Allocation,
    ContactRole,
    CreditNote,
    CreditState,
    Customer,
    CustomerGroup,
    CustomerState,
    Deleted,
    Invoice,
    InvoiceState,
    Payment,
    Record,
    Resource,
)
from arsync_quickbooks import mapping, people

INVOICE: dict[str, Any] = {
    "Id": "130",
    "SyncToken": "0",
    "MetaData": {"LastUpdatedTime": "2026-08-01T10:00:00-07:00"},
    "DocNumber": "1037",
    "TxnDate": "2026-08-01",
    "DueDate": "2026-08-31",
    "CurrencyRef": {"value": "USD"},
    "CustomerRef": {"value": "24"},
    "TotalAmt": 362.07,
    "Balance": 362.07,
}
PAYMENT: dict[str, Any] = {
    "Id": "140",
    "SyncToken": "0",
    "MetaData": {"LastUpdatedTime": "2026-08-01T10:00:00-07:00"},
    "TxnDate": "2026-08-01",
    "CurrencyRef": {"value": "USD"},
    "CustomerRef": {"value": "24"},
    "TotalAmt": 100,
    "UnappliedAmt": 0,
}


def items(resource: Resource, *texts: str, home: str = "USD") -> list[Record | Broken]:
    return mapping.read(resource, [msgspec.Raw(text.encode()) for text in texts], lambda: home)


def read(resource: Resource, record: dict[str, Any], home: str = "USD") -> Any:
    (item,) = items(resource, json.dumps(record), home=home)
    assert not isinstance(item, Broken), item.reason
    return item


def broken(resource: Resource, record: dict[str, Any]) -> Broken:
    (item,) = items(resource, json.dumps(record))
    assert isinstance(item, Broken), item
    return item


@pytest.fixture(scope="module")
def recorded() -> Path:
    return material() / "quickbooks"


@pytest.fixture(scope="module")
def sandbox_records(recorded: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads((recorded / "sandbox_records.json").read_text())
    return found


def derived(recorded: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((recorded / "derived" / f"{name}.json").read_text())
    return found


# --- recorded answers -------------------------------------------------------------------------------------


def test_every_recorded_record_is_read(sandbox_records: dict[str, list[dict[str, Any]]]) -> None:
    kinds = {
        "Invoice": (Resource.INVOICES, Invoice),
        "Payment": (Resource.PAYMENTS, Payment),
        "CreditMemo": (Resource.CREDIT_NOTES, CreditNote),
        "Customer": (Resource.CUSTOMERS, Customer),
    }
    for entity, (resource, kind) in kinds.items():
        for record in sandbox_records[entity]:
            assert type(read(resource, record)) is kind


def test_a_recorded_invoice_is_read_to_the_cent(sandbox_records: dict[str, list[dict[str, Any]]]) -> None:
    invoice = read(Resource.INVOICES, next(row for row in sandbox_records["Invoice"] if row["Id"] == "12"))
    assert (invoice.number, invoice.customer_id, invoice.currency) == ("1004", "3", "USD")
    assert (invoice.total, invoice.balance, invoice.state) == (Decimal("2369.52"), Decimal(0), InvoiceState.PAID)
    assert (invoice.issued_on, invoice.due_on) == (date(2023, 2, 6), date(2023, 3, 8))
    assert invoice.updated_at == datetime(2023, 2, 18, 20, 59, 21, tzinfo=UTC)
    assert invoice.version == "3"
    assert invoice.email == "Cool_Cars@intuit.com"
    # The sub-total is no line of its own.
    assert [line.amount for line in invoice.lines] == [Decimal(20), Decimal(24), Decimal(1750), Decimal(400)]
    assert [line.quantity for line in invoice.lines] == [Decimal(10), Decimal(6), Decimal(50), Decimal(8)]


def test_a_recorded_payment_names_its_invoice(sandbox_records: dict[str, list[dict[str, Any]]]) -> None:
    payment = read(Resource.PAYMENTS, next(row for row in sandbox_records["Payment"] if row["Id"] == "101"))
    assert (payment.amount, payment.unapplied, payment.customer_id) == (Decimal(220), Decimal(0), "1")
    assert payment.allocations == (Allocation(invoice_id="67", amount=Decimal(220), allocated_on=date(2023, 2, 17)),)


@pytest.mark.parametrize(
    ("currency", "balance", "owed"),
    [
        ("USD", 85, Decimal(85)),
        ("EUR", 85, None),
        ("EUR", 0, Decimal(0)),
        ("EUR", -5, Decimal(-5)),
        ("EUR", None, None),
    ],
)
def test_of_a_foreign_balance_only_that_it_is_nothing_is_believed(
    currency: str, balance: int | None, owed: Decimal | None
) -> None:
    told: dict[str, Any] = {
        "Id": "1",
        "DisplayName": "Lindner",
        "MetaData": {"LastUpdatedTime": "2026-06-01T10:00:00Z"},
    }
    told |= {"CurrencyRef": {"value": currency}, "Balance": balance}
    assert read(Resource.CUSTOMERS, told).balance == owed


def test_the_debt_stands_on_the_job_and_its_parent_pays(sandbox_records: dict[str, list[dict[str, Any]]]) -> None:
    customers = {row["Id"]: read(Resource.CUSTOMERS, row) for row in sandbox_records["Customer"]}
    job, parent = customers["8"], customers["7"]
    assert (job.parent_id, job.balance) == ("7", Decimal("477.5"))
    assert (parent.parent_id, parent.balance) == (None, Decimal(0))
    assert [(contact.email, contact.role) for contact in job.contacts] == [
        ("Sporting_goods@intuit.com", ContactRole.PRIMARY)
    ]


def test_a_recorded_void_is_void_and_a_recorded_delete_is_a_tombstone(recorded: Path) -> None:
    voided = derived(recorded, "invoice_void_success_response")["Invoice"]
    assert read(Resource.INVOICES, voided, home="USD").state is InvoiceState.VOID
    payment = read(Resource.PAYMENTS, derived(recorded, "payment_void_response_success")["Payment"])
    assert (payment.state, payment.amount) == (CreditState.VOID, Decimal(0))
    changes = derived(recorded, "invoice_changes")["CDCResponse"][0]["QueryResponse"][0]["Invoice"][0]
    gone = read(Resource.INVOICES, changes)
    assert gone == Deleted(Resource.INVOICES, "39", datetime(2014, 12, 9, 3, 36, 24, tzinfo=UTC))


def test_a_recorded_open_credit_is_unapplied_money(recorded: Path) -> None:
    note = read(Resource.CREDIT_NOTES, derived(recorded, "fetch_credit_memo")["CreditMemo"])
    assert (note.total, note.unapplied, note.currency) == (Decimal(10), Decimal(10), "BRL")
    payment = read(Resource.PAYMENTS, derived(recorded, "fetch_payment_by_id")["Payment"], home="CAD")
    assert (payment.unapplied, payment.currency, payment.allocations) == (Decimal(40), "CAD", ())


def test_a_recorded_discount_reduces(recorded: Path) -> None:
    discounted = derived(recorded, "invoice_with_discount_line_item_response")["Invoice"]
    invoice = read(Resource.INVOICES, discounted, home="USD")
    assert [line.amount for line in invoice.lines] == [Decimal(50), Decimal(-5)]
    assert (invoice.total, invoice.currency) == (Decimal(45), "USD")


def test_a_customer_made_inactive_is_archived_and_its_country_has_two_letters(recorded: Path) -> None:
    customer = read(Resource.CUSTOMERS, derived(recorded, "deleted_customer")["Customer"])
    assert (customer.state, customer.country) == (CustomerState.ARCHIVED, "US")
    assert customer.contacts[0].phone == "(415) 555-1212"


# --- lenient ----------------------------------------------------------------------------------------------


def test_numbers_and_flags_as_text_mean_the_same() -> None:
    plain = read(Resource.INVOICES, INVOICE)
    odd = {**INVOICE, "Id": 130, "SyncToken": 0, "DocNumber": 1037, "TotalAmt": "362.07", "Balance": "362.07"}
    assert read(Resource.INVOICES, odd) == plain
    inactive = {"Id": "1", "MetaData": INVOICE["MetaData"], "DisplayName": "A", "Active": "false"}
    assert read(Resource.CUSTOMERS, inactive).state is CustomerState.ARCHIVED


def test_null_or_an_empty_text_in_place_of_a_list_or_object_is_nothing() -> None:
    bare = {"Line": None, "BillEmail": None, "CustomField": None, "PrivateNote": None, "DueDate": None}
    assert read(Resource.INVOICES, {**INVOICE, **bare}).lines == ()
    empty = {"BillEmail": "", "DueDate": "", "Line": [{"Amount": 5, "SalesItemLineDetail": ""}]}
    invoice = read(Resource.INVOICES, {**INVOICE, **empty})
    assert (invoice.email, invoice.due_on, invoice.lines[0].quantity) == (None, None, None)


def test_keys_and_words_that_nobody_knows_change_nothing() -> None:
    new = {"EInvoiceStatus": "Teleported", "Fancy": [{"a": 1}], "Line": [{"DetailType": "HoloLineDetail", "Amount": 1}]}
    assert read(Resource.INVOICES, {**INVOICE, **new}).state is InvoiceState.OPEN


def test_amounts_never_pass_through_a_float() -> None:
    text = json.dumps(INVOICE).replace('"TotalAmt": 362.07', '"TotalAmt": 123456789012.3456')
    (invoice,) = items(Resource.INVOICES, text)
    assert isinstance(invoice, Invoice)
    assert str(invoice.total) == "123456789012.3456"


def test_a_payment_without_its_unapplied_part_is_what_its_lines_leave() -> None:
    line = {"Amount": 60, "LinkedTxn": [{"TxnId": "130", "TxnType": "Invoice"}]}
    told = {key: value for key, value in PAYMENT.items() if key != "UnappliedAmt"}
    assert read(Resource.PAYMENTS, {**told, "Line": [line]}).unapplied == Decimal(40)


def test_credit_used_on_an_invoice_comes_as_a_payment_of_nothing() -> None:
    lines = [
        {"Amount": 30, "LinkedTxn": [{"TxnId": "130", "TxnType": "Invoice"}]},
        {"Amount": 30, "LinkedTxn": [{"TxnId": "73", "TxnType": "CreditMemo"}]},
    ]
    payment = read(Resource.PAYMENTS, {**PAYMENT, "TotalAmt": 0, "Line": lines})
    assert (payment.state, payment.amount) == (CreditState.ACTIVE, Decimal(0))
    assert payment.allocations == (Allocation("130", Decimal(30), date(2026, 8, 1)),)


def test_a_customers_type_is_its_group_by_the_id() -> None:
    known = {"Id": "1", "MetaData": INVOICE["MetaData"], "DisplayName": "A"}
    assert read(Resource.CUSTOMERS, {**known, "CustomerTypeRef": {"value": "5000000000000041837"}}).groups == (
        CustomerGroup("5000000000000041837"),
    )
    assert read(Resource.CUSTOMERS, {**known, "CustomerTypeRef": {}}).groups == ()
    assert read(Resource.CUSTOMERS, known).groups == ()


def test_several_addresses_in_one_field_are_several_contacts() -> None:
    listed = {
        "Id": "1",
        "MetaData": INVOICE["MetaData"],
        "DisplayName": "A",
        "PrimaryEmailAddr": {"Address": "a@x.example, b@x.example"},
    }
    contacts = read(Resource.CUSTOMERS, listed).contacts
    assert [(contact.email, contact.role) for contact in contacts] == [
        ("a@x.example", ContactRole.PRIMARY),
        ("b@x.example", ContactRole.BILLING),
    ]
    assert (
        read(Resource.INVOICES, {**INVOICE, "BillEmail": {"Address": "a@x.example; b@x.example"}}).email
        == "a@x.example"
    )


def test_purchase_order_and_reference_are_in_custom_fields() -> None:
    fields = [
        {"Name": "Crew #", "StringValue": "101"},
        {"Name": "P.O. Number", "StringValue": "PO-7"},
        {"Name": "Your reference", "StringValue": "Annex B"},
    ]
    read_from = [read(Resource.INVOICES, {**INVOICE, "CustomField": fields[:count]}) for count in (1, 2, 3)]
    assert [(one.purchase_order, one.reference) for one in read_from] == [
        (None, None),
        ("PO-7", None),
        ("PO-7", "Annex B"),
    ]


def test_terms_rates_and_copies_of_a_recorded_and_a_foreign_invoice(recorded: Path) -> None:
    there = json.loads((recorded / "sandbox_records.json").read_text())["Invoice"]
    invoices = [read(Resource.INVOICES, one) for one in there]
    assert {one.terms for one in invoices} <= {"Net 30", None} and invoices[0].terms == "Net 30"
    assert {one.exchange_rate for one in invoices} == {None}
    foreign = {
        **INVOICE,
        "CurrencyRef": {"value": "EUR"},
        "ExchangeRate": 1.086957,
        "SalesTermRef": {"value": "3"},
        "BillEmail": {"Address": "ap@x.example;second@x.example"},
        "BillEmailCc": {"Address": '"Doe, Jane" <jane@x.example>, ap@x.example'},
    }
    one = read(Resource.INVOICES, foreign)
    assert one.exchange_rate == Decimal("1.086957")
    assert one.terms is None, "a number says nothing to a reader"
    assert (one.email, one.copies) == ("ap@x.example", ("second@x.example", "jane@x.example"))
    assert read(Resource.INVOICES, {**INVOICE, "ExchangeRate": 1}).exchange_rate is None
    assert read(Resource.PAYMENTS, {**PAYMENT, "ExchangeRate": "0.92"}).exchange_rate == Decimal("0.92")


def test_a_customers_region_and_terms() -> None:
    told = {
        "Id": "7",
        "SyncToken": "0",
        "MetaData": INVOICE["MetaData"],
        "DisplayName": "Amy",
        "BillAddr": {"Country": "USA", "CountrySubDivisionCode": "CA"},
        "SalesTermRef": {"value": "1", "name": "Due on receipt"},
    }
    customer = read(Resource.CUSTOMERS, told)
    assert (customer.country, customer.region, customer.terms) == ("US", "CA", "Due on receipt")


def test_a_memo_that_speaks_of_voiding_does_not_void_an_open_invoice() -> None:
    memo = {**INVOICE, "PrivateNote": "Voided the old one, see 1036"}
    assert read(Resource.INVOICES, memo).state is InvoiceState.OPEN
    assert read(Resource.INVOICES, {**memo, "TotalAmt": 0, "Balance": 0}).state is InvoiceState.VOID


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("USA", "US"),
        ("US", "US"),
        ("gbr", "GB"),
        ("United Kingdom", "GB"),
        ("Atlantis", None),
        ("", None),
        ("QQQ", None),
    ],
)
def test_a_country_is_told_in_three_ways(told: str, code: str | None) -> None:
    assert people.country_code(told) == code


# --- broken -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"Balance": "abc"}, "Balance"),
        ({"Balance": None}, "Balance"),
        ({"Balance": "NaN"}, "Balance"),
        ({"TotalAmt": 1.00001}, "TotalAmt"),
        ({"TotalAmt": {"value": 1}}, "TotalAmt"),
        ({"TxnDate": "yesterday"}, "TxnDate"),
        ({"TxnDate": None}, "TxnDate"),
        ({"DueDate": "2026-02-30"}, "DueDate"),
        ({"MetaData": None}, "LastUpdatedTime"),
        ({"MetaData": {"LastUpdatedTime": "soon"}}, "LastUpdatedTime"),
        ({"Line": [{"Amount": "a lot"}]}, "Amount"),
        ({"Line": {"Amount": 1}}, "Line"),
    ],
)
def test_a_broken_invoice_names_its_field_its_customer_and_no_content(change: dict[str, Any], field: str) -> None:
    found = broken(Resource.INVOICES, {**INVOICE, **change})
    assert (found.remote_id, found.customer_id) == ("130", "24")
    assert field in found.reason
    assert not any(word in found.reason for word in ("abc", "yesterday", "soon", "a lot", "1.00001"))
    assert json.loads(found.raw)["DocNumber"] == "1037"


def test_what_a_broken_record_is_may_not_be_told() -> None:
    assert broken(Resource.INVOICES, {**INVOICE, "Id": None}).remote_id is None
    assert broken(Resource.INVOICES, {**INVOICE, "CustomerRef": None}).customer_id is None
    (item,) = items(Resource.INVOICES, '"only a text"')
    assert isinstance(item, Broken)
    assert (item.remote_id, item.customer_id) == (None, None)


def test_a_broken_payment_and_a_broken_customer_name_the_customer() -> None:
    assert broken(Resource.PAYMENTS, {**PAYMENT, "TotalAmt": "x"}).customer_id == "24"
    assert broken(Resource.CUSTOMERS, {"Id": "24", "DisplayName": "A"}).customer_id == "24"


def test_three_broken_among_a_thousand_cost_three() -> None:
    texts = [json.dumps({**INVOICE, "Id": str(number)}) for number in range(1000)]
    for number in (0, 500, 999):
        texts[number] = json.dumps({**INVOICE, "Id": str(number), "Balance": ["?"]})
    found = items(Resource.INVOICES, *texts)
    assert [item.remote_id for item in found if isinstance(item, Broken)] == ["0", "500", "999"]
    assert sum(isinstance(item, Invoice) for item in found) == 997
