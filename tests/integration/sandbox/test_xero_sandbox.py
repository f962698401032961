"""Every endpoint of the emulated Xero, held against the vendor's documents and recorded answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from tests.integration.sandbox.xero_exchange import Xero, checker, document, recorded, stamp

from arsync.sandbox.launch import SandboxControl, running_sandbox

NOUNS = ["Invoices", "Contacts", "Payments", "CreditNotes", "Overpayments", "Prepayments"]
ID_OF = {noun: f"{noun[:-1]}ID" for noun in NOUNS}
TARGET = {"Invoices": "invoice", "Contacts": "customer", "CreditNotes": "credit"}
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox() as control:
        control.speed(0)
        yield control


@pytest.fixture
def xero(sandbox: SandboxControl) -> Iterator[Xero]:
    """An organisation with something of every kind in it."""
    card = sandbox.create_company("xero", invoices=120, customers=15, seed=11, currency="GBP", country="GB")
    person = sandbox.truth(card["id"])["customers"][0]["id"]
    sandbox.act(card["id"], "pay_unapplied", customer=person, amount="80.00")
    sandbox.act(card["id"], "pay_unapplied", customer=person, amount="30.00", kind="prepayment")
    sandbox.act(card["id"], "credit_note", customer=person, amount="12.50")
    client = Xero(sandbox, card)
    with client.session:
        yield client


@pytest.mark.parametrize("noun", NOUNS)
def test_a_page_of_each_list_is_as_documented(xero: Xero, noun: str) -> None:
    answer = xero.get(noun, page=1, pageSize=50)
    assert answer.status_code == 200
    body = answer.json()
    assert body["pagination"]["page"] == 1
    assert body["pagination"]["pageSize"] == 50
    assert len(body[noun]) == min(50, body["pagination"]["itemCount"]) > 0


@pytest.mark.parametrize("noun", NOUNS)
def test_a_list_without_pages_and_a_single_record_are_as_documented(xero: Xero, noun: str) -> None:
    body = xero.get(noun).json()
    assert "pagination" not in body
    record = xero.one(noun, body[noun][0][ID_OF[noun]])
    assert record[ID_OF[noun]] == body[noun][0][ID_OF[noun]]


@pytest.mark.parametrize(
    ("noun", "example"),
    [(noun, f"examples/get_{noun}.200.json") for noun in NOUNS]
    + [(noun, f"examples/get_{noun}_{noun[:-1]}ID.200.json") for noun in ("Invoices", "Contacts", "Payments")],
)
def test_records_carry_the_fields_of_the_vendors_own_examples(xero: Xero, noun: str, example: str) -> None:
    seldom = {
        "RepeatingInvoiceID", "FullyPaidOnDate", "BatchPayment", "BatchPaymentID", "TaxNumber", "TaxNumbeType",
        "CompanyNumber", "SalesDefaultLineAmountType", "PurchasesDefaultLineAmountType", "Discount", "Website",
        "BrandingTheme", "PurchasesDefaultAccountCode", "SalesDefaultAccountCode", "BatchPayments", "Attachments",
        "AccountNumber", "AccountsReceivableTaxType", "AccountsPayableTaxType", "StatusAttributeString",
        "ValidationErrors", "InvoiceNumber",
    }  # fmt: skip
    documented = set(recorded(example)[noun][0]) - seldom
    by_id = example.count("_") > 1
    listed = xero.records(noun, page=1, pageSize=1)[0]
    shown = xero.one(noun, listed[ID_OF[noun]]) if by_id else listed
    assert documented <= set(shown)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_documented_query_parameter_is_known_and_no_other(xero: Xero, noun: str) -> None:
    key = ID_OF[noun]
    values: dict[str, Any] = {
        "where": f'{key}==guid("{NOWHERE}")', "order": "UpdatedDateUTC DESC", "IDs": NOWHERE, "ContactIDs": NOWHERE,
        "InvoiceNumbers": "INV-1001", "Statuses": "AUTHORISED,PAID", "page": 1, "pageSize": 10, "unitdp": 4,
        "includeArchived": "true", "createdByMyApp": "false", "summaryOnly": "true", "searchTerm": "a",
        "References": "x",
    }  # fmt: skip
    for parameter in document("xero_strict.yaml")["paths"][f"/{noun}"]["get"]["parameters"]:
        name = parameter.get("name") or parameter["$ref"].rsplit("/", 1)[1]
        if name in values:
            assert xero.get(noun, **{name: values[name]}).status_code == 200, name
        else:
            assert parameter.get("in", "header") == "header" or "Header" in name or "ifModified" in name, name
    refused = xero.get(noun, pagesize=10)
    assert refused.status_code == 400
    assert "pagesize" in refused.text


@pytest.mark.parametrize("noun", ["Invoices", "Contacts", "CreditNotes"])
def test_a_history_note_is_written_and_read_back_as_documented(xero: Xero, noun: str) -> None:
    path = f"{noun}/{xero.records(noun)[0][ID_OF[noun]]}"
    written = xero.note(path, "Reminder sent [arsync:1f]", key="note-1")
    assert written.status_code == 200
    assert set(written.json()["HistoryRecords"][0]) == set(
        recorded("examples/put_Invoices_InvoiceID_History.200.json")["HistoryRecords"][0]
    )
    entries = xero.get(f"{path}/History").json()["HistoryRecords"]
    assert entries[0]["Details"] == "Reminder sent [arsync:1f]"
    assert set(entries[0]) == set(recorded("examples/get_Invoices_InvoiceID_History.200.json")["HistoryRecords"][0])
    (note,) = [note for note in xero.sandbox.notes() if note["company"] == xero.tenant]
    assert (note["target_type"], note["key"]) == (TARGET[noun], "note-1")


def test_the_organisation_its_reminders_and_a_payment_page_are_as_documented(xero: Xero) -> None:
    organisation = xero.get("Organisation").json()["Organisations"][0]
    assert (organisation["OrganisationID"], organisation["BaseCurrency"]) == (xero.tenant, "GBP")
    assert xero.get("InvoiceReminders/Settings").json()["InvoiceReminders"] == [{"Enabled": False}]
    xero.sandbox.act(xero.tenant, "reminders", enabled=True)
    assert xero.get("InvoiceReminders/Settings").json()["InvoiceReminders"] == [{"Enabled": True}]
    sale = xero.records("Invoices", where='Type=="ACCREC" AND Status=="AUTHORISED"')[0]
    links = xero.get(f"Invoices/{sale['InvoiceID']}/OnlineInvoice").json()["OnlineInvoices"]
    assert links[0]["OnlineInvoiceUrl"].startswith("https://in.xero.com/")


@pytest.mark.parametrize("spelling", ["connections", "Connections"])
def test_connections_are_as_documented(xero: Xero, spelling: str) -> None:
    origin = f"{xero.sandbox.url}/xero"
    headers = {"Authorization": f"Bearer {xero.token}"}
    prepared = xero.session.prepare_request(requests.Request("GET", f"{origin}/{spelling}", headers=headers))
    answer = xero.session.send(prepared, timeout=30)
    assert [connection["tenantId"] for connection in answer.json()] == [xero.tenant]
    if spelling == "Connections":  # the document's spelling
        identity = checker("xero-identity.yaml", origin)
        identity.validate_response(RequestsOpenAPIRequest(prepared), RequestsOpenAPIResponse(answer))


# -- refusals ------------------------------------------------------------------------------------


def test_no_token_and_a_dead_token_are_401_with_capital_keys(xero: Xero) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer nonsense"}):
        answer = xero.get("Organisation", headers=headers)
        assert answer.status_code == 401
        assert set(answer.json()) == set(recorded("errors.json")[1]["body"])
    xero.sandbox.advance(1_800)
    answer = xero.get("Organisation")
    assert answer.status_code == 401
    assert answer.json()["Detail"].startswith("TokenExpired: token expired at ")


def test_a_lost_or_missing_organisation_is_403_with_lower_case_keys(xero: Xero) -> None:
    xero.sandbox.act(xero.tenant, "disconnect")
    answers = [xero.get("Invoices"), xero.get("Invoices", headers={"xero-tenant-id": ""})]
    for answer in answers:
        assert answer.status_code == 403
        assert set(answer.json()) == set(recorded("errors.json")[2]["body"])


@pytest.mark.parametrize("path", [*(f"{noun}/{NOWHERE}" for noun in NOUNS), f"Invoices/{NOWHERE}/History"])
def test_an_unknown_record_is_404_in_plain_text(xero: Xero, path: str) -> None:
    assert xero.get(path).status_code == 404


def test_a_note_on_nothing_is_refused_as_recorded(xero: Xero) -> None:
    answer = xero.note(f"Invoices/{NOWHERE}", "Hello World")
    assert answer.status_code == 400
    example = recorded("examples/put_Overpayments_OverpaymentID_History.400.json")
    assert answer.json()["Elements"][0]["ValidationErrors"] == example["Elements"][0]["ValidationErrors"]
    assert {key: answer.json()[key] for key in ("ErrorNumber", "Type", "Message")} == {
        key: example[key] for key in ("ErrorNumber", "Type", "Message")
    }


@pytest.mark.parametrize(
    "query",
    [
        {"page": 0},
        {"page": "one"},
        {"pageSize": 0},
        {"pageSize": 1001},
        {"where": 'Typ=="ACCREC"'},
        {"where": 'Type=="ACCREC" OR AmountDue>0'},
        {"where": 'Type="ACCREC"'},
        {"where": "AmountDue>"},
        {"where": 'AmountDue>"0"'},
        {"where": 'InvoiceID==guid("12")'},
        {"where": "Date>=DateTime(2024,13,1)"},
        {"order": "Nothing ASC"},
        {"order": "Date SIDEWAYS"},
        {"Statuses": "OPEN"},
        {"IDs": "12"},
        {"summaryOnly": "yes"},
    ],
    ids=str,
)
def test_a_query_that_xero_would_not_understand_is_400(xero: Xero, query: dict[str, Any]) -> None:
    assert xero.get("Invoices", lax=True, **query).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"HistoryRecords":[]}',
        b'{"HistoryRecord":[{"Details":"x"}]}',
        b'{"HistoryRecords":[{"Detail":"x"}]}',
        b'{"HistoryRecords":[{"Details":"x","Note":"y"}]}',
        b'{"HistoryRecords":[{"Details":5}]}',
        b'{"HistoryRecords":[{"Details":""}]}',
        b'{"HistoryRecords":[{"Details":"' + b"x" * 2501 + b'"}]}',
    ],
    ids=lambda body: body[:40].decode(),
)
def test_a_note_with_a_wrong_body_is_400_and_writes_nothing(xero: Xero, body: bytes) -> None:
    path = f"Invoices/{xero.records('Invoices')[0]['InvoiceID']}/History"
    assert xero.put(path, body, lax=True).status_code == 400
    assert [note for note in xero.sandbox.notes() if note["company"] == xero.tenant] == []


def test_a_full_minute_is_429_with_the_wait_and_the_limit_that_is_full(xero: Xero) -> None:
    for left in range(59, -1, -1):
        answer = xero.get("Organisation")
        assert (answer.status_code, answer.headers["X-MinLimit-Remaining"]) == (200, str(left))
    answer = xero.get("Organisation")
    assert answer.status_code == 429
    assert answer.headers["X-Rate-Limit-Problem"] == "minute"
    wait = int(answer.headers["Retry-After"])
    xero.sandbox.advance(wait - 1)
    assert xero.get("Organisation").status_code == 429
    xero.sandbox.advance(1)
    assert xero.get("Organisation").status_code == 200


def test_a_used_up_day_is_429_until_the_day_is_over(xero: Xero) -> None:
    xero.sandbox.limits("xero", day=3)
    try:
        assert [xero.get("Organisation").status_code for _ in range(4)] == [200, 200, 200, 429]
        answer = xero.get("Organisation")
        assert (answer.headers["X-Rate-Limit-Problem"], answer.headers["X-DayLimit-Remaining"]) == ("day", "0")
        assert int(answer.headers["Retry-After"]) == 86_400
    finally:
        xero.sandbox.limits("xero", day=5_000)


@pytest.mark.parametrize(("fault", "status"), [("throttle", 429), ("error", 503), ("expired_token", 401)], ids=str)
def test_faults_on_demand_have_the_vendors_shape(xero: Xero, fault: str, status: int) -> None:
    xero.sandbox.fault(fault, {"company": xero.tenant, "resource": "invoices"})
    assert xero.get("Invoices", page=1).status_code == status
    assert xero.get("Invoices", page=1).status_code == 200


def test_dates_come_as_stamps_with_readable_twins(xero: Xero) -> None:
    sale = xero.records("Invoices", page=1, pageSize=1)[0]
    for name in ("Date", "DueDate"):
        midnight = datetime.fromisoformat(sale[f"{name}String"]).replace(tzinfo=UTC)
        assert stamp(sale[name]) == midnight.timestamp() * 1000
    changed = datetime.fromisoformat(sale["UpdatedDateUTCString"])
    assert stamp(sale["UpdatedDateUTC"]) // 1000 == changed.timestamp()
