"""Xero's recorded answers and what arsync makes of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from tests.connectors.xero_stand_in import (
    contact,
    credit,
    example,
    guid,
    invoice,
    payment,
    strict_document,
    xero_material,
)

from arsync.domain.documents import (
    Allocation,
    Contact,
    ContactRole,
    CreditNote,
    CreditState,
    Customer,
    CustomerGroup,
    CustomerState,
    Invoice,
    InvoiceState,
    Payment,
    PaymentKind,
)
from arsync_xero import places
from arsync_xero.rows import CONTACTS, CREDIT_NOTES, INVOICES, OVERPAYMENTS, PAYMENTS, PREPAYMENTS, Row, Source


def one(source: Source, record: dict[str, Any]) -> Any:
    row = source.row(msgspec.Raw(msgspec.json.encode(record)))
    assert row.broken is None, row.broken
    return row.record


def ledger(source: Source, body: bytes) -> list[Any]:
    rows = source.read(body).rows
    assert [row.broken for row in rows if row.broken] == []
    return [row.record for row in rows if row.record is not None]


def test_the_recorded_invoices_are_void_paid_and_open() -> None:
    invoices: list[Invoice] = ledger(INVOICES, example("get_Invoices"))
    assert [(one.number, one.state, one.total, one.balance, one.issued_on, one.due_on) for one in invoices] == [
        ("INV-0001", InvoiceState.VOID, Decimal("40.0"), Decimal("0.0"), date(2018, 10, 20), date(2018, 12, 30)),
        ("INV-0002", InvoiceState.PAID, Decimal("46.0"), Decimal("0.0"), date(2018, 10, 20), date(2018, 12, 30)),
        ("INV-0003", InvoiceState.OPEN, Decimal("115.0"), Decimal("115.0"), date(2018, 11, 2), date(2018, 11, 7)),
    ]
    assert invoices[0].reference == "Red Fish, Blue Fish"
    assert invoices[0].updated_at == datetime(2018, 11, 2, 16, 31, 30, 160000, tzinfo=UTC)
    assert invoices[2].reference is None


def test_bills_among_the_recorded_invoices_are_not_ours_and_not_broken() -> None:
    recorded = msgspec.json.decode(xero_material("invoice.json").read_bytes())
    for name in ("multipleInvoices", "singleInvoice"):
        rows = INVOICES.read(msgspec.json.encode(recorded[name])).rows
        assert rows
        assert all(row.record is None and row.broken is None for row in rows)


def test_a_recorded_payment_is_allocated_whole_and_a_refund_is_not_a_payment() -> None:
    answer = PAYMENTS.read(example("get_Payments"))
    received, refund = answer.rows
    assert received.record == Payment(
        remote_id="99ea7f6b-c513-4066-bc27-b7c65dcd76c2",
        kind=PaymentKind.PAYMENT,
        customer_id="a3675fc4-f8dd-4f03-ba5b-f1870566bcd7",
        state=CreditState.ACTIVE,
        currency="NZD",
        amount=Decimal("46.0"),
        unapplied=Decimal(0),
        received_on=date(2018, 11, 29),
        reference=None,
        allocations=(Allocation("046d8a6d-1ae1-4b4d-9340-5601bdf41b87", Decimal("46.0"), date(2018, 11, 29)),),
        updated_at=datetime(2018, 11, 2, 16, 36, 32, 690000, tzinfo=UTC),
        version="1541176592690",
    )
    assert refund == refund._replace(record=None, broken=None)
    assert answer.at == datetime(2019, 3, 12, 23, 4, 34, 205000, tzinfo=UTC)
    assert answer.item_count == 2


def test_of_the_recorded_overpayments_only_those_received_count() -> None:
    rows = OVERPAYMENTS.read(example("get_Overpayments")).rows
    received: list[Payment] = [row.record for row in rows if isinstance(row.record, Payment)]
    assert len(rows) == 5
    assert {one.kind for one in received} == {PaymentKind.OVERPAYMENT}
    assert ("2a8bda49-8908-473b-8bcf-1f90990460eb", Decimal("20.0")) in [(o.remote_id, o.unapplied) for o in received]
    assert not [row for row in rows if row.broken]


def test_the_recorded_prepayment_and_credit_note() -> None:
    (ahead,) = ledger(PREPAYMENTS, example("get_Prepayments"))
    assert (ahead.kind, ahead.amount, ahead.unapplied) == (
        PaymentKind.PREPAYMENT,
        Decimal("3450.0"),
        Decimal("3450.0"),
    )
    (note,) = ledger(CREDIT_NOTES, example("get_CreditNotes"))  # the other one is a supplier's
    assert isinstance(note, CreditNote)
    assert (note.number, note.total, note.unapplied, note.state) == (
        "CN-0005",
        Decimal("34.5"),
        Decimal("32.5"),
        CreditState.ACTIVE,
    )


def test_the_recorded_contacts() -> None:
    katherine, lisa = ledger(CONTACTS, example("get_Contacts"))
    assert isinstance(katherine, Customer)
    assert katherine.name == "Katherine Warren"
    assert katherine.country == "US"
    assert katherine.balance == Decimal("760.0")
    assert katherine.contacts == (
        Contact("Katherine Warren", "kat.warren@clampett.com", "(626) 847-1294", ContactRole.PRIMARY),
    )
    assert lisa.balance is None


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("get_Invoices_InvoiceID", INVOICES),
        ("get_Contacts_ContactID", CONTACTS),
        ("get_Payments_PaymentID", PAYMENTS),
        ("get_CreditNotes_CreditNoteID", CREDIT_NOTES),
        ("get_Overpayments_OverpaymentID", OVERPAYMENTS),
        ("get_Prepayments_PrepaymentID", PREPAYMENTS),
        ("post_Invoices", INVOICES),
        ("post_Contacts", CONTACTS),
        ("post_CreditNotes", CREDIT_NOTES),
    ],
)
def test_every_other_recorded_record_is_read(name: str, source: Source) -> None:
    rows: tuple[Row, ...] = source.read(example(name)).rows
    assert rows
    assert [row.broken for row in rows if row.broken] == []


def test_a_contacts_groups_come_with_their_names_and_without_deleted_ones() -> None:
    told = [
        {"ContactGroupID": "17b44ed7-4389-4162-91cb-3dd5766e4e22", "Name": "Oasis", "Status": "ACTIVE"},
        {"ContactGroupID": "27b44ed7-4389-4162-91cb-3dd5766e4e22", "Name": "Old", "Status": "DELETED"},
        {"Name": "without an id"},
    ]
    customer = one(CONTACTS, contact(1, ContactGroups=told))
    assert customer.groups == (CustomerGroup("17b44ed7-4389-4162-91cb-3dd5766e4e22", "Oasis"),)
    assert one(CONTACTS, contact(1, ContactGroups=None)).groups == ()


def test_people_who_are_sent_the_invoices_are_billing_contacts() -> None:
    customer = one(
        CONTACTS,
        contact(
            1,
            EmailAddress="office@basket.nz",
            ContactPersons=[
                {"FirstName": "Ann", "LastName": "Low", "EmailAddress": "ann@basket.nz", "IncludeInEmails": True},
                {"FirstName": "Bob", "EmailAddress": "bob@basket.nz", "IncludeInEmails": "false"},
            ],
        ),
    )
    assert [(who.name, who.email, who.role) for who in customer.contacts] == [
        ("Customer 1", "office@basket.nz", ContactRole.PRIMARY),
        ("Ann Low", "ann@basket.nz", ContactRole.BILLING),
        ("Bob", "bob@basket.nz", ContactRole.OTHER),
    ]


def test_a_merged_contact_names_its_survivor() -> None:
    merged = one(CONTACTS, contact(1, ContactStatus="ARCHIVED", MergedToContactID=guid(2)))
    assert (merged.state, merged.merged_into) == (CustomerState.MERGED, guid(2))
    archived = one(CONTACTS, contact(1, ContactStatus="ARCHIVED"))
    assert (archived.state, archived.merged_into) == (CustomerState.ARCHIVED, None)
    assert one(CONTACTS, contact(1, ContactStatus="SOMETHINGNEW")).state is CustomerState.ACTIVE


def test_lines_lose_their_tax_only_where_it_is_included() -> None:
    line = {"Description": "Rent", "Quantity": 1, "LineAmount": 115.00, "TaxAmount": 15.00}
    text_only = {"Description": "as agreed on the phone"}
    before_tax = one(INVOICES, invoice(1, LineItems=[line, text_only], LineAmountTypes="Exclusive"))
    including = one(INVOICES, invoice(1, LineItems=[line], LineAmountTypes="Inclusive"))
    assert [line.amount for line in before_tax.lines] == [Decimal("115.0"), Decimal(0)]
    assert [line.amount for line in including.lines] == [Decimal("100.0")]


def test_amounts_keep_the_digits_of_the_wire() -> None:
    raw = msgspec.json.encode(invoice(1)).replace(b'"Total":100.0', b'"Total":12345678901.10')
    row = INVOICES.row(msgspec.Raw(raw.replace(b'"AmountDue":100.0', b'"AmountDue":"2025.00"')))
    assert isinstance(row.record, Invoice)
    assert (str(row.record.total), str(row.record.balance)) == ("12345678901.10", "2025.00")


def test_a_day_may_come_as_a_stamp_and_year_one_is_no_day() -> None:
    stamped = invoice(1, Date="/Date(1539993600000+1300)/", DueDate="/Date(-62135596800000)/")
    del stamped["DateString"], stamped["DueDateString"]
    found = one(INVOICES, stamped)
    assert (found.issued_on, found.due_on) == (date(2018, 10, 20), None)


def test_a_deleted_payment_holds_nothing_and_still_names_its_invoice() -> None:
    sale = invoice(1)
    row = PAYMENTS.row(msgspec.Raw(msgspec.json.encode(payment(9, of=sale, Status="DELETED"))))
    assert isinstance(row.record, Payment)
    assert (row.record.state, row.record.allocations) == (CreditState.DELETED, ())
    assert row.touches == (guid(1),)


def test_an_allocation_taken_back_is_left_out() -> None:
    parts = [
        {"Amount": 20.00, "Date": "/Date(1787788800000+0000)/", "Invoice": {"InvoiceID": guid(1)}},
        {"Amount": 30.00, "Date": None, "Invoice": {"InvoiceID": guid(2)}},
        {"Amount": 5.00, "IsDeleted": "true", "Invoice": {"InvoiceID": guid(3)}},
    ]
    note = one(
        CREDIT_NOTES,
        credit(4, key="CreditNoteID", kind="ACCRECCREDIT", Allocations=parts, RemainingCredit=0),
    )
    assert note.allocations == (
        Allocation(guid(1), Decimal("20.0"), date(2026, 8, 27)),
        Allocation(guid(2), Decimal("30.0"), date(2026, 8, 1)),
    )


@pytest.mark.parametrize(
    ("status", "state", "unapplied"),
    [
        ("AUTHORISED", CreditState.ACTIVE, "50.0"),
        ("PAID", CreditState.ACTIVE, "50.0"),
        ("DRAFT", CreditState.VOID, "0"),
        ("SUBMITTED", CreditState.VOID, "0"),
        ("VOIDED", CreditState.VOID, "0"),
        ("DELETED", CreditState.DELETED, "0"),
    ],
)
def test_only_an_approved_credit_counts(status: str, state: CreditState, unapplied: str) -> None:
    note = one(CREDIT_NOTES, credit(4, key="CreditNoteID", kind="ACCRECCREDIT", Status=status))
    assert (note.state, note.unapplied) == (state, Decimal(unapplied))


def test_every_timezone_we_translate_is_one_of_xeros_and_one_of_the_worlds() -> None:
    names = set(strict_document()["components"]["schemas"]["TimeZone"]["enum"])
    assert set(places._TIMEZONES) <= names
    assert all(ZoneInfo(zone) for zone in places._TIMEZONES.values())
    assert places.timezone_of("NEWZEALANDSTANDARDTIME") == "Pacific/Auckland"
    assert places.timezone_of("SOMEWHERESTANDARDTIME") is None


@pytest.mark.parametrize(
    ("typed", "country"),
    [("New Zealand", "NZ"), (" UK ", "GB"), ("gb", "GB"), ("Nirgendwo", None), ("", None), (None, None)],
)
def test_a_country_is_told_from_what_people_type(typed: str | None, country: str | None) -> None:
    assert places.country_of(typed) == country


def test_the_rate_of_a_foreign_invoice_is_told_in_home_units() -> None:
    """Xero says 1 USD = 0.92 EUR of an invoice in euros; arsync, that a euro is 1.086956522 dollars."""
    assert one(INVOICES, invoice(1, CurrencyRate=0.92)).exchange_rate == Decimal("1.086956522")
    assert one(INVOICES, invoice(1, CurrencyRate=1)).exchange_rate is None
    assert one(INVOICES, invoice(1, CurrencyRate=0)).exchange_rate is None
    assert one(
        CREDIT_NOTES, credit(1, key="CreditNoteID", kind="ACCRECCREDIT", CurrencyRate="0.5")
    ).exchange_rate == Decimal("2")
    assert one(PAYMENTS, payment(1, of=invoice(2), CurrencyRate=0.5)).exchange_rate == Decimal("2")


def test_when_the_money_is_expected_and_whether_the_invoice_was_sent() -> None:
    expecting = invoice(1, ExpectedPaymentDateString="2026-06-20T00:00:00", SentToContact="false")
    assert (one(INVOICES, expecting).expected_on, one(INVOICES, expecting).sent) == (date(2026, 6, 20), False)
    stamped = invoice(1, ExpectedPaymentDate="/Date(1781913600000+0000)/", SentToContact=True)
    assert (one(INVOICES, stamped).expected_on, one(INVOICES, stamped).sent) == (date(2026, 6, 20), True)
    hasty = invoice(1, ExpectedPaymentDateString="soon")
    assert one(INVOICES, hasty).expected_on is None, "no invoice is lost for it"


@pytest.mark.parametrize(
    ("agreed", "words"),
    [
        ({"Day": 30, "Type": "DAYSAFTERBILLDATE"}, "30 days after the invoice date"),
        ({"Day": 20, "Type": "OFFOLLOWINGMONTH"}, "day 20 of the month after the invoice's"),
        ({"Day": 20, "Type": "OFTHEMOON"}, None),
        ({}, None),
    ],
)
def test_a_contacts_terms_and_region(agreed: dict[str, Any], words: str | None) -> None:
    places_on_file = [{"AddressType": "STREET", "Region": "Otago"}, {"AddressType": "POBOX", "Region": ""}]
    customer = one(CONTACTS, contact(1, PaymentTerms={"Sales": agreed}, Addresses=places_on_file))
    assert (customer.terms, customer.region) == (words, "Otago")
