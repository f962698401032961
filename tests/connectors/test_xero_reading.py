"""One bad record costs one record; a bad answer is said to be one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.connectors.xero_stand_in import contact, guid, invoice, payment

from arsync.connector import Resource
from arsync.domain.documents import Invoice
from arsync.errors import Malformed
from arsync_xero.rows import CONTACTS, INVOICES, PAYMENTS, Row, Source


def read(source: Source, record: Any) -> Row:
    return source.row(msgspec.Raw(msgspec.json.encode(record)))


def test_three_broken_records_among_a_thousand_cost_three() -> None:
    records: list[Any] = [invoice(number) for number in range(1000)]
    records[10]["Total"] = "a lot"
    records[500]["Contact"] = "nobody"
    records[999]["DueDateString"] = "soon"
    rows = INVOICES.read(msgspec.json.encode({"Invoices": records})).rows
    assert len([row for row in rows if row.record is not None]) == 997
    broken = [row.broken for row in rows if row.broken is not None]
    assert [one.remote_id for one in broken] == [guid(10), guid(500), guid(999)]
    assert [one.customer_id for one in broken] == [guid(7_000), None, guid(7_000)]
    assert [one.resource for one in broken] == [Resource.INVOICES] * 3
    assert "Total" in broken[0].reason
    assert "Contact" in broken[1].reason
    assert broken[2].reason == "DueDate: not a date"
    assert all(word not in one.reason for one in broken for word in ("a lot", "nobody", "soon"))
    assert msgspec.json.decode(broken[0].raw)["Total"] == "a lot"


@pytest.mark.parametrize(
    "fields",
    [
        {"Reference": None},
        {"Reference": 4711},
        {"InvoiceNumber": None},
        {"LineItems": None},
        {"Total": "100.00", "AmountDue": "100"},
        {"DueDateString": None},
        {"DueDateString": ""},
        {"LineAmountTypes": "SomethingNew"},
        {"SentToContact": "false", "CurrencyRate": "1.0"},
        {"SomethingNew": {"Deep": [1, 2, {"x": None}]}},
        {"CurrencyCode": "nzd"},
        {"LineItems": [{"Description": None, "Quantity": "2.5", "LineAmount": "100.00"}]},
        {"Type": None},
    ],
)
def test_what_does_not_matter_breaks_nothing(fields: dict[str, Any]) -> None:
    row = read(INVOICES, invoice(1, **fields))
    assert row.broken is None
    assert isinstance(row.record, Invoice)
    assert (row.record.currency, row.record.total, row.record.balance) == (
        "NZD",
        Decimal(100),
        Decimal(100),
    )


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"Status": "SOMETHINGNEW"}, "Status"),
        ({"Status": None}, "Status"),
        ({"Total": None}, "Total"),
        ({"AmountDue": ""}, "AmountDue"),
        ({"AmountDue": 0.00001}, "AmountDue"),
        ({"AmountDue": "NaN"}, "AmountDue"),
        ({"AmountDue": 1e300}, "AmountDue"),
        ({"CurrencyCode": ""}, "CurrencyCode"),
        ({"Contact": None}, "Contact.ContactID"),
        ({"UpdatedDateUTC": None}, "UpdatedDateUTC"),
        ({"UpdatedDateUTC": "/Date(99999999999999999999)/"}, "UpdatedDateUTC"),
        ({"DateString": None}, "Date"),
        ({"DateString": "2026-02-31T00:00:00"}, "Date"),
        ({"InvoiceID": None}, "InvoiceID"),
        ({"LineItems": [{"LineAmount": "much"}]}, "LineItems"),
        ({"LineItems": {"LineAmount": 1}}, "LineItems"),
    ],
)
def test_what_decides_is_never_guessed(fields: dict[str, Any], named: str) -> None:
    row = read(INVOICES, invoice(1, **fields))
    assert row.record is None
    assert row.broken is not None
    assert named in row.broken.reason


def test_a_broken_payment_names_whom_it_holds_and_the_invoice_it_touches() -> None:
    row = read(PAYMENTS, payment(9, of=invoice(1), amount="forty"))
    assert row.broken is not None
    assert (row.broken.remote_id, row.broken.customer_id) == (guid(9), guid(7_000))
    assert row.touches == (guid(1),)


def test_a_broken_bill_holds_nobody() -> None:
    row = read(INVOICES, invoice(1, Type="ACCPAY", Total="a lot"))
    assert (row.record, row.broken) == (None, None)


def test_a_broken_contact_is_its_own_customer() -> None:
    row = read(CONTACTS, contact(5, ContactPersons="none"))
    assert row.broken is not None
    assert row.broken.customer_id == row.broken.remote_id == guid(5)


@pytest.mark.parametrize("record", [None, [], "text", 7])
def test_what_is_no_record_at_all_is_broken_without_a_name(record: Any) -> None:
    row = read(INVOICES, record)
    assert row.broken is not None
    assert row.broken.remote_id is None


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>down</html>", b'{"Invoices": [{"InvoiceID": "1"', b"[]", b'{"Status": "OK"}', b"\xff\xfe", b"null"],
)
def test_an_answer_without_records_to_read_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        INVOICES.read(body)


def test_a_null_list_is_an_empty_one() -> None:
    assert INVOICES.read(b'{"Invoices": null}').rows == ()
