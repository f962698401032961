"""What goes over the wire to QuickBooks, and what its answers make the worker do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
from tests.conftest import material

from arsync.connector import Linked, NoteDraft, NoteTarget, Resource, TargetKind, contract
from arsync.domain.documents import CustomerGroup, Deleted, Invoice, Payment
from arsync.errors import Barred, Malformed, OutcomeUnknown, Reauthorise, Rejected, RetryLater, Stale
from arsync.testing.ports import FixedClock, MemoryVault, UnlimitedBudget
from arsync_quickbooks import Connector, Settings

REALM = "9341452900000001"
API = f"https://quickbooks.api.intuit.com/v3/company/{REALM}"
TOKEN = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
SINCE = date(2024, 9, 1)
NOTE = NoteDraft(
    target=NoteTarget(TargetKind.INVOICE, "130"),
    text="Reminder sent to a@x.example [arsync:ab12cd]",
    marker="[arsync:ab12cd]",
    key="3f0e7a52-0d3b-5d57-9b59-7a1f0c2f4f10",
)
#: a note in a customer's own text
NOTED = "[arsync]\nEmail sent on 2026-06-01: Reminder\n[arsync:7f3a91c2-0000000000aa]"


class Desk:
    """A connector whose vendor is `wire`."""

    def __init__(self, vault: MemoryVault | None = None, settings: dict[str, Any] | None = None) -> None:
        self.clock = FixedClock(NOW)
        self.budget = UnlimitedBudget()
        self.vault = vault or MemoryVault.with_access("access-1", "refresh-1")
        self.quickbooks = Connector(
            settings=Settings.model_validate({"client_id": "app", "client_secret": "hush", **(settings or {})}),
            linked=Linked(external_id=REALM),
            vault=self.vault,
            budget=self.budget,
            clock=self.clock,
            session=requests.Session(),
        )


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def desk() -> Desk:
    return Desk()


def invoice(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "Id": str(number),
        "SyncToken": "0",
        "MetaData": {"LastUpdatedTime": "2026-08-31T10:00:00-07:00"},
        "DocNumber": str(1000 + number),
        "TxnDate": "2026-08-01",
        "CurrencyRef": {"value": "USD"},
        "CustomerRef": {"value": "24"},
        "TotalAmt": 10,
        "Balance": 10,
        **changes,
    }


def payment(number: int, *invoices: str) -> dict[str, Any]:
    lines = [{"Amount": 10, "LinkedTxn": [{"TxnId": each, "TxnType": "Invoice"}]} for each in invoices]
    row = invoice(number, UnappliedAmt=0, Line=lines)
    del row["Balance"]
    return row


def tombstone(number: int) -> dict[str, Any]:
    return {"Id": str(number), "MetaData": {"LastUpdatedTime": "2026-08-31T11:00:00-07:00"}, "status": "Deleted"}


def rows(entity: str, *found: dict[str, Any]) -> dict[str, Any]:
    """A query's answer; an entity without records is left out."""
    inside: dict[str, Any] = {entity: list(found), "startPosition": 1, "maxResults": len(found)} if found else {}
    return {"QueryResponse": inside, "time": "2026-09-01T05:00:00.123-07:00"}


def together(*answers: dict[str, Any]) -> dict[str, Any]:
    """The answers of a batch of queries."""
    items = [
        {name: told for name, told in one.items() if name != "time"} | {"bId": str(number)}
        for number, one in enumerate(answers)
    ]
    return {"BatchItemResponse": items[::-1], "time": "2026-09-01T05:00:00.123-07:00"}


def changes(**found: list[dict[str, Any]]) -> dict[str, Any]:
    blocks = [{entity: records} if records else {} for entity, records in found.items()]
    return {"CDCResponse": [{"QueryResponse": blocks}], "time": "2026-09-01T05:00:00.123-07:00"}


def asked(wire: responses.RequestsMock) -> list[str]:
    """The queries posted, in order."""
    found: list[str] = []
    for call in wire.calls:
        text = call.request.body.decode() if isinstance(call.request.body, bytes) else str(call.request.body)
        if "/query" in str(call.request.url):
            found.append(text)
        elif "/batch" in str(call.request.url):
            found += [item["Query"] for item in json.loads(text)["BatchItemRequest"]]
    return found


def parameters(wire: responses.RequestsMock, number: int) -> dict[str, list[str]]:
    return parse_qs(urlsplit(str(wire.calls[number].request.url)).query)


def cursor(since: datetime) -> str:
    return json.dumps({"since": since.isoformat()})


def test_the_connector_is_found_by_its_entry_point_and_keeps_the_contract() -> None:
    (found,) = entry_points(group="arsync.connectors", name="quickbooks")
    assert found.load() is Connector
    kept: contract.Connector = Desk().quickbooks
    assert kept.provider == found.name


# --- settings ---------------------------------------------------------------------------------------------


def test_the_address_follows_the_environment_unless_it_is_given() -> None:
    keys = {"client_id": "app", "client_secret": "hush"}
    assert Settings.model_validate(keys).base_url == "https://quickbooks.api.intuit.com/v3"
    sandbox = Settings.model_validate({**keys, "environment": "sandbox"})
    assert sandbox.base_url == "https://sandbox-quickbooks.api.intuit.com/v3"
    given = Settings.model_validate({**keys, "api_url": "http://127.0.0.1:9/quickbooks/"})
    assert given.base_url == "http://127.0.0.1:9/quickbooks/v3"
    assert "hush" not in repr(given)


@pytest.mark.parametrize("wrong", [{"client_idd": "x"}, {"environment": "moon"}])
def test_an_unknown_key_or_environment_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings.model_validate({"client_id": "app", "client_secret": "hush", **wrong})


# --- reading ----------------------------------------------------------------------------------------------


def test_a_backfill_reads_old_open_invoices_and_then_all_since(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/query", json=rows("Invoice", invoice(1)))
    wire.post(f"{API}/query", json=rows("Invoice"))
    pages = list(desk.quickbooks.backfill(Resource.INVOICES, since=SINCE, cursor=None))
    assert asked(wire) == [
        "SELECT * FROM Invoice WHERE TxnDate < '2024-09-01' AND Balance > '0' "
        "ORDERBY Id STARTPOSITION 1 MAXRESULTS 1000",
        "SELECT * FROM Invoice WHERE TxnDate >= '2024-09-01' ORDERBY Id STARTPOSITION 1 MAXRESULTS 1000",
    ]
    assert [page.seen for page in pages] == [1, 0]
    assert parameters(wire, 0) == {"minorversion": ["75"]}
    assert wire.calls[0].request.headers["Authorization"] == "Bearer access-1"


def test_a_backfill_resumes_after_any_page(wire: responses.RequestsMock, desk: Desk) -> None:
    full = [
        invoice(number, MetaData={"LastUpdatedTime": (NOW - timedelta(days=9) + timedelta(seconds=number)).isoformat()})
        for number in range(1000)
    ]
    wire.post(f"{API}/query", json=rows("Invoice"))
    wire.post(f"{API}/query", json=rows("Invoice", *full))
    wire.post(f"{API}/query", json={"QueryResponse": {"totalCount": 1001}})
    wire.post(f"{API}/query", json=rows("Invoice", *full[-8:], invoice(1000)))
    pages = desk.quickbooks.backfill(Resource.INVOICES, since=SINCE, cursor=None)
    next(pages)
    second = next(pages)
    again = Desk().quickbooks.backfill(Resource.INVOICES, since=SINCE, cursor=second.cursor)
    third = next(again)
    assert asked(wire)[-1].endswith("ORDERBY Id STARTPOSITION 993 MAXRESULTS 1000")
    # The last ones of the page before are met again, and not counted.
    assert [record.remote_id for record in third.records] == ["1000"]
    assert third.seen == 1
    assert list(desk.quickbooks.backfill(Resource.INVOICES, since=SINCE, cursor=third.cursor)) == []


def test_old_money_that_is_spent_is_counted_and_not_kept(wire: responses.RequestsMock, desk: Desk) -> None:
    old = {"TxnDate": "2020-01-01"}
    wire.post(
        f"{API}/query",
        json=rows("Payment", {**payment(1, "9"), **old}, {**payment(2), **old, "UnappliedAmt": 4}, payment(3)),
    )
    (page,) = desk.quickbooks.backfill(Resource.PAYMENTS, since=SINCE, cursor=None)
    assert [record.remote_id for record in page.records] == ["2", "3"]
    assert page.seen == 3


def test_the_inactive_customers_are_asked_for(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/query", json=rows("Customer"))
    list(desk.quickbooks.backfill(Resource.CUSTOMERS, since=SINCE, cursor=None))
    assert "WHERE Active IN (true, false) ORDERBY" in asked(wire)[0]


def test_the_count_is_of_both_passes(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/query", json={"QueryResponse": {"totalCount": 7}})
    wire.post(f"{API}/query", json={"QueryResponse": {"totalCount": "35"}})
    assert desk.quickbooks.count(Resource.INVOICES, since=SINCE) == 42
    assert sorted(asked(wire))[0] == "SELECT COUNT(*) FROM Invoice WHERE TxnDate < '2024-09-01' AND Balance > '0'"


def test_the_watermark_is_the_sources_time_less_five_minutes(wire: responses.RequestsMock, desk: Desk) -> None:
    answer = {"QueryResponse": {"totalCount": 1}}
    wire.post(f"{API}/query", json={**answer, "time": "2026-09-01T04:00:00.500-07:00"})
    wire.post(f"{API}/query", json={**answer, "time": 1788346800500})
    wire.post(f"{API}/query", json=answer, headers={"Date": "Tue, 01 Sep 2026 11:00:00 GMT"})
    told = [json.loads(desk.quickbooks.watermark())["since"] for _ in range(3)]
    assert told == [
        "2026-09-01T10:55:00.500000+00:00",
        "2026-09-02T10:55:00.500000+00:00",
        "2026-09-01T10:55:00+00:00",
    ]


def test_the_company_is_read_from_its_info_and_preferences(wire: responses.RequestsMock, desk: Desk) -> None:
    info = {"CompanyName": "Craig's Design", "Country": "USA", "DefaultTimeZone": "America/Los_Angeles", "New": 1}
    preferences = {"CurrencyPrefs": {"HomeCurrency": {"value": "USD"}}}
    types: list[dict[str, Any]] = [{"Id": "5000000000000041837", "Name": "Trade"}, {"Id": "5", "Name": None}]
    told = (rows("CompanyInfo", info), rows("Preferences", preferences), rows("CustomerType", *types))
    wire.post(f"{API}/batch", json=together(*told))
    company = desk.quickbooks.company()
    assert company.groups == (CustomerGroup("5000000000000041837", "Trade"),), "in the one request for all"
    assert (company.external_id, company.name, company.base_currency) == (REALM, "Craig's Design", "USD")
    assert (company.country, company.timezone, company.reminders_on) == ("US", "America/Los_Angeles", None)


def test_a_company_that_hides_its_currency_has_its_countrys(wire: responses.RequestsMock, desk: Desk) -> None:
    info = {"CompanyName": "C", "Country": "GB", "DefaultTimeZone": "Moon/A"}
    refused = {"Fault": {"Error": [{"Message": "no customer types here", "code": "4001"}], "type": "ValidationFault"}}
    told = (rows("CompanyInfo", info), rows("Preferences", {"CurrencyPrefs": None}), refused)
    wire.post(f"{API}/batch", json=together(*told))
    company = desk.quickbooks.company()
    assert company.groups == (), "nobody need know them"
    assert (company.base_currency, company.timezone) == ("GBP", None)


# --- what an answer means -----------------------------------------------------------------------------------


def test_a_token_that_dies_is_renewed_once_and_the_request_repeated(wire: responses.RequestsMock, desk: Desk) -> None:
    dead = next(
        fault for fault in json.loads((material() / "quickbooks" / "faults.json").read_text()) if fault["status"] == 401
    )
    wire.post(f"{API}/query", status=401, json=dead["body"])
    wire.post(TOKEN, json={"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 3600})
    wire.post(f"{API}/query", json={"QueryResponse": {"totalCount": 3}})
    desk.quickbooks.watermark()
    assert desk.vault.current().refresh_token == "refresh-2"
    assert wire.calls[2].request.headers["Authorization"] == "Bearer access-2"


def test_a_consent_that_has_ended_asks_for_a_person(wire: responses.RequestsMock) -> None:
    wire.post(TOKEN, status=400, json={"error": "invalid_grant"})
    with pytest.raises(Reauthorise):
        Desk(MemoryVault.with_refresh("old")).quickbooks.watermark()


@pytest.mark.parametrize(
    ("status", "body", "headers", "pause"),
    [
        (429, "<html>Too many</html>", {}, 60),
        (429, "{}", {"Retry-After": "7"}, 7),
        (403, json.dumps({"Fault": {"Error": [{"Message": "ThrottleExceeded", "code": "3001"}]}}), {}, 60),
        (503, "", {}, 10),
    ],
)
def test_throttling_in_any_shape_is_waited_out(
    wire: responses.RequestsMock, desk: Desk, status: int, body: str, headers: dict[str, str], pause: float
) -> None:
    wire.post(f"{API}/query", status=status, body=body, headers=headers)
    wire.post(f"{API}/query", json={"QueryResponse": {"totalCount": 3}})
    desk.quickbooks.watermark()
    assert desk.clock.slept == [pause]


def test_throttling_that_does_not_end_is_told(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/query", status=429, headers={"Retry-After": "66975"})
    with pytest.raises(RetryLater) as error:
        desk.quickbooks.watermark()
    assert error.value.after == 66975
    assert desk.clock.slept == []


def test_every_recorded_refusal_names_its_code_and_no_detail(wire: responses.RequestsMock, desk: Desk) -> None:
    faults = json.loads((material() / "quickbooks" / "faults.json").read_text())
    refusals = [fault for fault in faults if fault["status"] == 400]
    assert len(refusals) > 5
    for fault in refusals:
        wire.post(f"{API}/query", status=400, json=fault["body"])
        first = fault["body"]["Fault"]["Error"][0]
        with pytest.raises(Rejected) as error:
            desk.quickbooks.watermark()
        assert first["code"] in str(error.value)
        assert first["Detail"] not in str(error.value)


def test_a_fault_inside_a_good_answer_is_a_refusal(wire: responses.RequestsMock, desk: Desk) -> None:
    fault = {"Fault": {"Error": [{"Message": "Invalid query", "code": "4001"}]}}
    wire.post(f"{API}/query", json=fault)
    with pytest.raises(Rejected, match="4001"):
        desk.quickbooks.watermark()
    wire.get(f"{API}/cdc", json={"CDCResponse": [{"QueryResponse": [fault]}]})
    with pytest.raises(Rejected, match="4001"):
        list(desk.quickbooks.delta(cursor(NOW)))


def test_a_company_that_is_not_ours_any_more_asks_for_a_person(wire: responses.RequestsMock, desk: Desk) -> None:
    fault = {"Fault": {"Error": [{"Message": "ApplicationAuthorizationFailed", "code": "3100"}]}}
    wire.post(f"{API}/query", status=403, json=fault)
    with pytest.raises(Reauthorise):
        desk.quickbooks.watermark()


def test_a_write_that_is_not_allowed_says_nothing_of_the_consent(wire: responses.RequestsMock, desk: Desk) -> None:
    fault = {"Fault": {"Error": [{"Message": "ApplicationAuthorizationFailed", "code": "3100"}]}}
    wire.post(f"{API}/attachable", status=403, json=fault)
    marker = "[arsync:7f3a91c2-000000000001]"
    with pytest.raises(Barred, match="3100"):
        desk.quickbooks.write_note(NoteDraft(NoteTarget(TargetKind.INVOICE, "95"), marker, marker, "key"))


@pytest.mark.parametrize(
    "body", ["", "<html/>", "[]", "{}", '{"QueryResponse": null}', '{"QueryResponse": {"Invoice": [{']
)
def test_an_answer_without_its_envelope_is_malformed_and_never_the_end(
    wire: responses.RequestsMock, desk: Desk, body: str
) -> None:
    wire.post(f"{API}/query", body=body)
    with pytest.raises(Malformed):
        list(desk.quickbooks.backfill(Resource.INVOICES, since=SINCE, cursor=None))


# --- changes ------------------------------------------------------------------------------------------------


def test_a_delta_is_one_request_and_an_entity_left_out_is_no_change(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.get(f"{API}/cdc", json=changes(Customer=[], Invoice=[invoice(1)]))
    pages = list(desk.quickbooks.delta(cursor(NOW - timedelta(hours=1))))
    assert parameters(wire, 0)["entities"] == ["Customer,Invoice,Payment,CreditMemo"]
    assert parameters(wire, 0)["changedSince"] == ["2026-09-01T11:00:00+00:00"]
    assert {page.resource: len(page.records) for page in pages} == {
        Resource.CUSTOMERS: 0,
        Resource.INVOICES: 1,
        Resource.PAYMENTS: 0,
        Resource.CREDIT_NOTES: 0,
    }
    assert {page.cursor for page in pages} == {
        cursor(datetime(2026, 9, 1, 11, 55, 0, 123000, tzinfo=UTC)).replace(" ", "")
    }


def test_a_tombstone_is_believed_only_when_the_record_is_gone(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.get(f"{API}/cdc", json=changes(Invoice=[tombstone(1), tombstone(2), {"Id": "3", "status": "Deleted"}]))
    wire.post(f"{API}/query", json=rows("Invoice", invoice(2)))
    found = [record for page in desk.quickbooks.delta(cursor(NOW)) for record in page.records]
    assert "Id IN ('1', '2', '3')" in asked(wire)[0]
    assert [(type(record), record.remote_id) for record in found] == [
        (Invoice, "2"),
        (Deleted, "1"),
        (Deleted, "3"),
    ]
    # One that does not tell when it went, went before the answer.
    assert [record.updated_at for record in found[1:]] == [
        datetime(2026, 8, 31, 18, tzinfo=UTC),
        datetime(2026, 9, 1, 12, 0, 0, 123000, tzinfo=UTC),
    ]


def test_an_invoice_that_a_payment_names_is_read_even_if_untouched(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.get(f"{API}/cdc", json=changes(Invoice=[invoice(1)], Payment=[payment(8, "1", "2")]))
    wire.post(f"{API}/query", json=rows("Invoice", invoice(2, Balance=0)))
    found = [record for page in desk.quickbooks.delta(cursor(NOW)) for record in page.records]
    assert asked(wire) == ["SELECT * FROM Invoice WHERE Id IN ('2') MAXRESULTS 1000"]
    assert [(type(record), record.remote_id) for record in found] == [(Invoice, "1"), (Payment, "8"), (Invoice, "2")]


def test_a_broken_change_does_not_stop_the_others(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.get(f"{API}/cdc", json=changes(Invoice=[invoice(1), invoice(2, Balance="abc"), invoice(3)]))
    page = next(page for page in desk.quickbooks.delta(cursor(NOW)) if page.resource is Resource.INVOICES)
    assert [record.remote_id for record in page.records] == ["1", "3"]
    assert [each.remote_id for each in page.broken] == ["2"]


def test_a_cursor_older_than_the_source_remembers_is_stale(wire: responses.RequestsMock, desk: Desk) -> None:
    assert not wire.calls
    for old in (cursor(NOW - timedelta(days=29, seconds=1)), "?"):
        with pytest.raises(Stale):
            list(desk.quickbooks.delta(old))


def stamped(number: int) -> dict[str, Any]:
    return invoice(
        number, MetaData={"LastUpdatedTime": (NOW - timedelta(days=5) + timedelta(seconds=number)).isoformat()}
    )


def test_an_answer_that_is_cut_off_is_asked_again_by_entity(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.get(f"{API}/cdc", json=changes(Customer=[], Invoice=[stamped(number) for number in range(1000)]))
    wire.get(f"{API}/cdc", json=changes(Customer=[]))
    wire.get(f"{API}/cdc", json=changes(Invoice=[stamped(number) for number in range(999)]))
    wire.get(f"{API}/cdc", json=changes(Payment=[payment(7, "5")]))
    wire.get(f"{API}/cdc", json=changes(CreditMemo=[]))
    pages = list(desk.quickbooks.delta(cursor(NOW - timedelta(days=6))))
    assert [parameters(wire, number)["entities"] for number in range(1, 5)] == [
        ["Customer"],
        ["Invoice"],
        ["Payment"],
        ["CreditMemo"],
    ]
    assert sum(len(page.records) for page in pages) == 1000


def test_a_flood_comes_by_query_and_its_deletions_by_walking_on(wire: responses.RequestsMock, desk: Desk) -> None:
    living = [stamped(number) for number in range(1200)]
    gone = {"Id": "5000", "MetaData": {"LastUpdatedTime": (NOW - timedelta(days=1)).isoformat()}, "status": "Deleted"}
    wire.get(f"{API}/cdc", json=changes(Invoice=living[:1000]))
    wire.get(f"{API}/cdc", json=changes(Customer=[]))
    wire.get(f"{API}/cdc", json=changes(Invoice=living[:1000]))
    wire.post(f"{API}/query", json=rows("Invoice", *living[:1000]))
    wire.post(f"{API}/query", json=rows("Invoice", *living[999:]))
    wire.get(f"{API}/cdc", json=changes(Invoice=living[:1000]))
    wire.get(f"{API}/cdc", json=changes(Invoice=[*living[999:], gone]))
    wire.post(f"{API}/query", json=rows("Invoice"))
    wire.get(f"{API}/cdc", json=changes(Payment=[]))
    wire.get(f"{API}/cdc", json=changes(CreditMemo=[]))
    found = [record for page in desk.quickbooks.delta(cursor(NOW - timedelta(days=6))) for record in page.records]
    assert len({record.remote_id for record in found if isinstance(record, Invoice)}) == 1200
    assert [record.remote_id for record in found if isinstance(record, Deleted)] == ["5000"]


def test_a_flood_whose_oldest_changes_are_cut_off_is_stale(wire: responses.RequestsMock, desk: Desk) -> None:
    living = [stamped(number) for number in range(1200)]
    newest = living[:-1001:-1]
    wire.get(f"{API}/cdc", json=changes(Invoice=newest))
    wire.get(f"{API}/cdc", json=changes(Customer=[]))
    wire.get(f"{API}/cdc", json=changes(Invoice=newest))
    wire.post(f"{API}/query", json=rows("Invoice", *living[:1000]))
    wire.post(f"{API}/query", json=rows("Invoice", *living[999:]))
    wire.get(f"{API}/cdc", json=changes(Invoice=newest))
    wire.get(f"{API}/cdc", json=changes(Invoice=newest[:1]))
    with pytest.raises(Stale):
        list(desk.quickbooks.delta(cursor(NOW - timedelta(days=6))))


def test_forty_customers_are_refreshed_in_two_requests(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/batch", json=together(rows("Customer"), rows("Invoice", invoice(1))))
    wire.get(f"{API}/cdc", json=changes(Invoice=[], Payment=[payment(8, "1")]))
    customers = [str(number) for number in range(40)]
    pages = list(desk.quickbooks.refresh(customers, cursor=cursor(NOW - timedelta(hours=1))))
    assert len(wire.calls) == 2
    assert "Active IN (true, false) AND Id IN ('0', '1', " in asked(wire)[0]
    assert "WHERE CustomerRef IN ('0', '1', " in asked(wire)[1]
    assert "AND Balance > '0' ORDERBY" in asked(wire)[1]
    assert {record.remote_id for page in pages for record in page.records} >= {"1", "8"}


def test_a_batch_of_which_one_is_throttled_is_asked_again(wire: responses.RequestsMock, desk: Desk) -> None:
    whole = together(rows("Customer"), rows("Invoice", invoice(1)))
    refused = {"Fault": {"Error": [{"Message": "ThrottleExceeded", "code": "3001"}], "type": "SERVICE"}}
    wire.post(f"{API}/batch", json={**whole, "BatchItemResponse": [{**refused, "bId": "0"}, {"bId": "1"}]})
    wire.post(f"{API}/batch", json=whole)
    wire.get(f"{API}/cdc", json=changes(Invoice=[]))
    pages = list(desk.quickbooks.refresh(["24"], cursor=cursor(NOW - timedelta(hours=1))))
    assert [record.remote_id for page in pages for record in page.records if isinstance(record, Invoice)] == ["1"]
    assert desk.clock.slept


def test_a_batch_without_one_of_its_answers_is_no_answer(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/batch", json=together(rows("CompanyInfo")))
    with pytest.raises(Malformed, match="one of its queries"):
        desk.quickbooks.company()


def test_a_refresh_where_changes_are_cut_off_asks_for_these_customers(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/batch", json=together(rows("Customer"), rows("Invoice")))
    wire.get(f"{API}/cdc", json=changes(Invoice=[stamped(number) for number in range(1000)]))
    wire.post(f"{API}/query", json=rows("Invoice"))
    wire.post(f"{API}/query", json=rows("Payment", payment(8, "3")))
    wire.post(f"{API}/query", json=rows("CreditMemo"))
    wire.post(f"{API}/query", json=rows("Invoice", invoice(3, Balance=0)))
    list(desk.quickbooks.refresh(["24"], cursor=cursor(NOW - timedelta(hours=1))))
    since = "MetaData.LastUpdatedTime >= '2026-09-01T11:00:00+00:00'"
    assert all(f"CustomerRef IN ('24') AND {since}" in text for text in asked(wire)[2:5])
    assert "Id IN ('3')" in asked(wire)[5]


# --- single records -----------------------------------------------------------------------------------------


def test_records_come_by_the_hundred_and_absent_ones_are_deleted(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/query", json=rows("Invoice", *(invoice(number) for number in range(99))))
    wire.post(f"{API}/query", json=rows("Invoice"))
    pages = list(desk.quickbooks.records(Resource.INVOICES, [str(number) for number in range(101)]))
    gone = [record.remote_id for page in pages for record in page.records if isinstance(record, Deleted)]
    assert gone == ["99", "100"]


def test_nobody_is_deleted_for_being_unreadable(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/query", json=rows("Invoice", invoice(1, Balance="abc")))
    wire.post(f"{API}/query", json=rows("Invoice", invoice(1, Id=None)))
    for _ in range(2):
        (page,) = desk.quickbooks.records(Resource.INVOICES, ["1"])
        assert (page.records, len(page.broken)) == ((), 1)


def test_an_id_cannot_break_out_of_its_query(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/query", json=rows("Invoice"))
    list(desk.quickbooks.records(Resource.INVOICES, ["1') OR ('1"]))
    assert "Id IN ('1\\') OR (\\'1')" in asked(wire)[0]


# --- notes --------------------------------------------------------------------------------------------------


def test_a_note_is_an_attachable_without_a_file_and_has_its_key(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/attachable", json={"Attachable": {"Id": "5000000000001", "Note": NOTE.text}})
    assert desk.quickbooks.write_note(NOTE) == "5000000000001"
    assert json.loads(wire.calls[0].request.body or "") == {
        "AttachableRef": [{"EntityRef": {"type": "Invoice", "value": "130"}}],
        "Note": NOTE.text,
    }
    assert parameters(wire, 0) == {"minorversion": ["75"], "requestid": [NOTE.key]}


@pytest.mark.parametrize(
    "lost",
    [
        {"body": requests.ReadTimeout()},
        {"body": requests.ConnectionError()},
        {"status": 500},
        {"status": 503},
        {"body": '{"Attachable": {"I'},
        {"json": {}},
    ],
    ids=["timeout", "disconnected", "500", "503", "truncated", "empty"],
)
def test_a_note_whose_answer_is_lost_is_unknown_and_never_repeated(
    wire: responses.RequestsMock, desk: Desk, lost: dict[str, Any]
) -> None:
    wire.post(f"{API}/attachable", **lost)
    with pytest.raises(OutcomeUnknown):
        desk.quickbooks.write_note(NOTE)
    assert len(wire.calls) == 1


def test_a_note_that_is_throttled_was_not_written(wire: responses.RequestsMock, desk: Desk) -> None:
    wire.post(f"{API}/attachable", status=429)
    with pytest.raises(RetryLater):
        desk.quickbooks.write_note(NOTE)
    assert len(wire.calls) == 1


def test_a_note_that_is_refused_says_why(wire: responses.RequestsMock, desk: Desk) -> None:
    fault = {"Fault": {"Error": [{"Message": "Invalid Reference Id", "Detail": NOTE.text, "code": "2500"}]}}
    wire.post(f"{API}/attachable", status=400, json=fault)
    wire.post(f"{API}/attachable", status=200, json=fault)
    for _ in range(2):
        with pytest.raises(Rejected, match="2500 Invalid Reference Id") as error:
            desk.quickbooks.write_note(NOTE)
        assert NOTE.marker not in str(error.value)


def test_a_note_too_long_is_not_sent(wire: responses.RequestsMock, desk: Desk) -> None:
    long = NoteDraft(target=NOTE.target, text="x" * 2001, marker=NOTE.marker, key=NOTE.key)
    with pytest.raises(Rejected, match="2001"):
        desk.quickbooks.write_note(long)
    assert not wire.calls


def test_a_note_is_found_by_its_marker_at_its_target(wire: responses.RequestsMock, desk: Desk) -> None:
    kept = [{"Id": "1", "Note": "by hand"}, {"Id": "2"}, {"Id": "3", "Note": NOTE.text}]
    wire.post(f"{API}/query", json=rows("Attachable", *kept))
    wire.post(f"{API}/query", json=rows("Attachable", *kept[:2]))
    assert desk.quickbooks.find_note(NOTE.target, NOTE.marker) == "3"
    assert desk.quickbooks.find_note(NoteTarget(TargetKind.CUSTOMER, "24"), NOTE.marker) is None
    assert asked(wire)[1] == (
        "SELECT * FROM Attachable WHERE AttachableRef.EntityRef.Type = 'Customer' "
        "AND AttachableRef.EntityRef.value = '24' ORDERBY MetaData.LastUpdatedTime STARTPOSITION 1 MAXRESULTS 1000"
    )


def annotated(number: int, at: str, note: str) -> dict[str, Any]:
    """An attachment at an invoice, or a customer, whichever it is asked for as."""
    target = [{"EntityRef": {"type": "Invoice", "value": "130"}}]
    meta = {"LastUpdatedTime": f"2026-06-01T{at}Z"}
    return {"Id": str(number), "SyncToken": "0", "Note": note, "Notes": note, "MetaData": meta, "AttachableRef": target}


def listed_in_turn(wire: responses.RequestsMock, entity: str, *turns: list[dict[str, Any]]) -> list[str]:
    """QuickBooks' list of them as it stands at each request, in the order of the last change; the requests."""
    queries: list[str] = []

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        query = str(request.body.decode() if isinstance(request.body, bytes) else request.body)
        if f"FROM {entity} " not in query:
            return 200, {}, json.dumps(rows("Attachable"))
        standing = turns[min(len(queries), len(turns) - 1)]
        queries.append(query)
        since, start = re.search(r">= '([^']+)'", query), re.search(r"STARTPOSITION (\d+)", query)
        assert since and start and "ORDERBY MetaData.LastUpdatedTime" in query
        begin = datetime.fromisoformat(since[1])
        there = [one for one in standing if datetime.fromisoformat(one["MetaData"]["LastUpdatedTime"]) >= begin]
        there.sort(key=lambda one: str(one["MetaData"]["LastUpdatedTime"]))
        return 200, {}, json.dumps(rows(entity, *there[int(start[1]) - 1 :][:1000]))

    wire.add_callback("POST", f"{API}/query", callback=answer)
    return queries


def test_a_note_is_listed_though_an_attachment_before_it_is_edited_while_the_list_is_read(
    wire: responses.RequestsMock, desk: Desk
) -> None:
    """A thousand on the first page; then its first one moves to the end, and ours, the next one, onto that page."""
    first = [annotated(number, f"10:{number // 100:02}:00", "by hand") for number in range(1000)]
    ours, edited = annotated(1000, "10:10:00", NOTE.text), annotated(0, "10:30:00", "by hand")
    queries = listed_in_turn(wire, "Attachable", [*first, ours], [*first[1:], ours, edited])
    found = list(desk.quickbooks.notes([], since=datetime(2026, 5, 1, tzinfo=UTC)))
    assert [(one.target, one.text) for one in found] == [(NoteTarget(TargetKind.INVOICE, "130"), NOTE.text)]
    assert len(queries) == 2


def test_of_attachments_that_share_one_second_none_is_missed_though_some_of_them_go_while_they_are_read(
    wire: responses.RequestsMock, desk: Desk
) -> None:
    """2,500 brought in at once; a person deletes three after the first page, and then a hundred."""
    every = [annotated(number, "10:00:00", NOTE.text if number % 100 == 99 else "by hand") for number in range(2500)]
    for one in every:
        one["AttachableRef"][0]["EntityRef"]["value"] = one["Id"]
    queries = listed_in_turn(wire, "Attachable", every, every[3:], every[3:], every[90:])
    found = {one.target.remote_id for one in desk.quickbooks.notes([], since=datetime(2026, 5, 1, tzinfo=UTC))}
    assert found == {str(number) for number in range(99, 2500, 100)}
    assert len(queries) < 10, "and it comes to an end"


@pytest.mark.parametrize("when", ["10:{:02}:00", "10:00:00"], ids=["one after the other", "all in one second"])
def test_a_customers_note_is_read_back_though_another_customer_is_gone_from_the_list_meanwhile(
    wire: responses.RequestsMock, when: str
) -> None:
    """1,001 customers changed, the last with our note; after the first page one before it is there no more."""
    desk = Desk(settings={"note_target": "customer"})
    every = [annotated(number, when.format(number // 100), "Rings on Mondays.") for number in range(1000)]
    every.append(annotated(1000, when.format(59), NOTED))
    listed_in_turn(wire, "Customer", every, every[1:])
    found = list(desk.quickbooks.notes([], since=datetime(2026, 5, 1, tzinfo=UTC)))
    assert [one.target for one in found] == [NoteTarget(TargetKind.CUSTOMER, "1000")]
