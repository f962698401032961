"""What goes over the wire, and what the worker does next when it fails."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import responses
from openapi_core.exceptions import OpenAPIError
from pydantic import ValidationError
from tests.connectors.xero_stand_in import (
    API,
    NOW,
    TENANT,
    TOKEN,
    check_request,
    connector,
    documents_at_hand,
    example,
    guid,
    xero_material,
)

from arsync.connector import Connector as Contract
from arsync.connector import ConnectorFactory, NoteDraft, NoteTarget, Resource, TargetKind
from arsync.errors import Malformed, NotCovered, OutcomeUnknown, Reauthorise, Rejected, RetryLater
from arsync.testing.ports import FixedClock, MemoryVault
from arsync_xero import Connector, Settings

INVOICE = NoteTarget(TargetKind.INVOICE, guid(1))
CUSTOMER = NoteTarget(TargetKind.CUSTOMER, guid(7_000))
MARKER = "[arsync:ab12cd]"
NOTE = NoteDraft(INVOICE, f"Friendly reminder sent to ann@basket.nz — ‘überfällig’ {MARKER}", MARKER, "0b1f9c2e")
HISTORY = f"{API}/Invoices/{guid(1)}/History"
WRITTEN = {"Status": "OK", "HistoryRecords": [{"Details": NOTE.text, "ValidationErrors": []}]}
EMPTY = {"DateTimeUTC": "/Date(1788264000000)/", "Overpayments": [], "pagination": {"itemCount": 0}}


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    """Every request sent is checked against Xero's document when the test is over."""
    with responses.RequestsMock(assert_all_requests_are_fired=True) as mock:
        yield mock
        sent = [call.request for call in mock.calls if (call.request.url or "").startswith(API)]
        if documents_at_hand():
            for request in sent:
                check_request(request)
    for request in sent:
        assert request.headers["xero-tenant-id"] == TENANT
        assert request.headers["Authorization"].startswith("Bearer access-")
        assert "gzip" in request.headers["Accept-Encoding"]
        assert request.headers["User-Agent"].startswith("arsync")


def token_answer(number: int) -> dict[str, Any]:
    return {
        "access_token": f"access-{number}",
        "refresh_token": f"refresh-{number}",
        "expires_in": 1800,
        "token_type": "Bearer",
        "scope": "offline_access",
        "something_new": {"would": "break the SDK's own refresh"},
    }


def overpayments(source: Connector) -> int | None:
    """One small read."""
    return source._client.page(_overpayments(), size=1)().item_count


def _overpayments() -> Any:
    from arsync_xero.rows import OVERPAYMENTS

    return OVERPAYMENTS


@pytest.mark.parametrize(
    ("path", "headers", "params"),
    [
        ("/Invoices", {"xero-tenant-id": TENANT}, {"pageSizes": "10"}),
        ("/Invoices", {"xero-tenant-id": TENANT}, {"page": "one"}),
        ("/Invoices", {}, {}),
        ("/Invoices", {"xero-tenant-id": TENANT, "If-Modified-Since": "2026-09-01T11:00:00"}, {}),
        ("/Bills", {"xero-tenant-id": TENANT}, {}),
    ],
)
def test_the_check_against_xeros_document_bites(path: str, headers: dict[str, str], params: dict[str, str]) -> None:
    xero_material("xero_strict.yaml")
    with pytest.raises((OpenAPIError, AssertionError)):
        check_request(requests.Request("GET", API + path, headers=headers, params=params).prepare())


def test_the_check_of_bodies_bites() -> None:
    xero_material("xero_strict.yaml")
    wrong: list[dict[str, Any]] = [
        {"HistoryRecords": [{"Detail": "x"}]},
        {"HistoryRecord": []},
        {"HistoryRecords": [{"Details": 7}]},
    ]
    for body in wrong:
        request = requests.Request("PUT", HISTORY, headers={"xero-tenant-id": TENANT}, json=body).prepare()
        with pytest.raises(OpenAPIError):
            check_request(request)


# --- the company ---------------------------------------------------------------------------------------------


def company_answers(wire: responses.RequestsMock, **reminders: Any) -> None:
    wire.get(f"{API}/Organisation", body=example("get_Organisation"))
    wire.get(f"{API}/InvoiceReminders/Settings", **(reminders or {"body": example("get_InvoiceReminders_Settings")}))


def test_the_company_tells_its_currency_country_timezone_and_reminders(wire: responses.RequestsMock) -> None:
    company_answers(wire)
    company = connector().company()
    assert company.external_id == TENANT
    assert company.name == "Dev Evangelist - Sid Test 3 (NZ-2016-02)"
    assert (company.base_currency, company.country, company.timezone) == ("NZD", "NZ", "Pacific/Auckland")
    assert company.reminders_on is False


@pytest.mark.parametrize(
    ("answer", "on"),
    [
        ({"json": {"InvoiceReminders": [{"Enabled": "true"}]}}, True),
        ({"json": {"InvoiceReminders": []}}, None),
        ({"json": {"InvoiceReminders": [{"Enabled": "perhaps"}]}}, None),
        ({"status": 403, "json": {"title": "Forbidden", "status": 403, "detail": "no scope"}}, None),
        ({"status": 404, "body": "The resource you're looking for cannot be found"}, None),
        ({"body": "<html>"}, None),
    ],
)
def test_reminders_that_cannot_be_asked_for_are_unknown(
    wire: responses.RequestsMock, answer: dict[str, Any], on: bool | None
) -> None:
    company_answers(wire, **answer)
    assert connector().company().reminders_on is on


def test_a_lost_tenant_is_told_from_the_consents_own_list(wire: responses.RequestsMock) -> None:
    forbidden = next(one for one in json.loads(xero_material("errors.json").read_text()) if one["status"] == 403)
    wire.get(f"{API}/Organisation", status=403, json=forbidden["body"])
    wire.get(
        "https://api.xero.com/connections", json=[{"id": guid(3), "tenantId": guid(2), "tenantName": "Another one"}]
    )
    with pytest.raises(NotCovered, match=f"covers 1 organisation, and not {TENANT}"):
        connector().company()


def test_what_explains_a_refusal_never_takes_its_place(wire: responses.RequestsMock) -> None:
    wire.get(f"{API}/Organisation", status=403, json={"Detail": "AuthenticationUnsuccessful"})
    explains = wire.get("https://api.xero.com/connections", status=503, headers={"Retry-After": "90"})
    clock = FixedClock(NOW)
    with pytest.raises(Reauthorise) as refused:
        connector(clock=clock).company()
    assert not isinstance(refused.value, NotCovered), "nobody said so"
    assert (explains.call_count, clock.slept) == (1, []), "and nobody waits for it"


def test_a_list_of_organisations_that_is_throttled_is_asked_for_again_when_xero_says(
    wire: responses.RequestsMock,
) -> None:
    """A consent's code is good for one use: connect waits a minute at most, and then says when to come back."""
    clock = FixedClock(NOW)
    settings = Settings.model_validate({"client_id": "app", "client_secret": "hush"})
    consent = Connector.consent(settings=settings, session=requests.Session(), clock=clock)
    listed = "https://api.xero.com/connections"
    wire.get(listed, status=429, headers={"Retry-After": "7"})
    wire.get(listed, status=503)
    wire.get(listed, json=[{"id": guid(3), "tenantId": TENANT, "tenantName": "Basket"}])
    assert [one.external_id for one in consent.companies("access-1", {})] == [TENANT]
    assert clock.slept == [7.0, 10.0]
    wire.get(listed, status=429, headers={"Retry-After": "3600"})
    with pytest.raises(RetryLater) as error:
        consent.companies("access-1", {})
    assert (error.value.after, clock.slept) == (3600.0, [7.0, 10.0])


def test_the_watermark_is_xeros_time_less_the_overlap(wire: responses.RequestsMock) -> None:
    wire.get(f"{API}/Organisation", body=example("get_Organisation"))
    assert connector().watermark() == '{"since":"2019-03-12T15:22:27.003000Z"}'


def test_the_watermark_falls_back_on_the_header(wire: responses.RequestsMock) -> None:
    wire.get(
        f"{API}/Organisation",
        json={"Organisations": [{"Name": "x"}]},
        headers={"Date": "Tue, 01 Sep 2026 11:00:00 GMT"},
    )
    assert connector().watermark() == '{"since":"2026-09-01T10:55:00Z"}'


# --- tokens, throttling, outages ---------------------------------------------------------------------------------


def test_a_refused_token_is_renewed_once_and_kept_before_it_is_used(wire: responses.RequestsMock) -> None:
    refused = next(one for one in json.loads(xero_material("errors.json").read_text()) if one["status"] == 401)
    wire.get(f"{API}/Overpayments", status=401, json=refused["body"])
    refresh = wire.post(TOKEN, json=token_answer(2))
    again = wire.get(f"{API}/Overpayments", json=EMPTY)
    vault = MemoryVault.with_access()
    assert overpayments(connector(vault=vault)) == 0
    assert [pair.refresh_token for pair in vault.replaced] == ["refresh-2"]
    assert again.calls[0].request.headers["Authorization"] == "Bearer access-2"
    assert refresh.calls[0].request.headers["Authorization"].startswith("Basic ")


def test_a_renewed_token_refused_as_well_ends_the_consent(wire: responses.RequestsMock) -> None:
    wire.get(f"{API}/Overpayments", status=401, json={"Title": "Unauthorized"})
    wire.post(TOKEN, json=token_answer(2))
    with pytest.raises(Reauthorise):
        overpayments(connector())


def test_a_consent_withdrawn_at_the_token_endpoint(wire: responses.RequestsMock) -> None:
    wire.post(TOKEN, status=400, json={"error": "invalid_grant"})
    with pytest.raises(Reauthorise, match="invalid_grant"):
        overpayments(connector(vault=MemoryVault.with_refresh("refresh-0")))


def test_a_throttled_read_waits_as_long_as_xero_asks(wire: responses.RequestsMock) -> None:
    problem = {"Retry-After": "17", "X-Rate-Limit-Problem": "minute"}
    wire.get(f"{API}/Overpayments", status=429, headers=problem, body="oauth_problem=rate%20limit%20exceeded")
    wire.get(f"{API}/Overpayments", json=EMPTY)
    clock = FixedClock(NOW)
    assert overpayments(connector(clock=clock)) == 0
    assert clock.slept == [17.0]


def test_a_spent_day_is_not_waited_for(wire: responses.RequestsMock) -> None:
    wire.get(f"{API}/Overpayments", status=429, headers={"Retry-After": "66975", "X-Rate-Limit-Problem": "day"})
    clock = FixedClock(NOW)
    with pytest.raises(RetryLater) as caught:
        overpayments(connector(clock=clock))
    assert caught.value.after == 66975
    assert clock.slept == []


@pytest.mark.parametrize(
    "failure",
    [{"status": 503}, {"status": 500}, {"body": requests.ConnectionError("reset")}, {"body": requests.Timeout()}],
)
def test_an_outage_of_a_read_is_waited_out(wire: responses.RequestsMock, failure: dict[str, Any]) -> None:
    wire.get(f"{API}/Overpayments", **failure)
    wire.get(f"{API}/Overpayments", json=EMPTY)
    assert overpayments(connector()) == 0
    assert len(wire.calls) == 2


def test_a_refused_question_says_why_and_is_not_repeated(wire: responses.RequestsMock) -> None:
    refusal = {"ErrorNumber": 16, "Type": "QueryParseException", "Message": "No property 'Wages' exists"}
    wire.get(f"{API}/Overpayments", status=400, json=refusal)
    with pytest.raises(Rejected, match="No property 'Wages' exists"):
        overpayments(connector())
    assert len(wire.calls) == 1


@pytest.mark.parametrize("body", ["<html>Down for maintenance</html>", '{"Overpayments": [', "{}"])
def test_an_answer_that_is_not_xeros_is_malformed(wire: responses.RequestsMock, body: str) -> None:
    wire.get(f"{API}/Overpayments", body=body)
    with pytest.raises(Malformed):
        overpayments(connector())


def test_lists_of_ids_go_out_as_one_value(wire: responses.RequestsMock) -> None:
    listed = wire.get(f"{API}/Contacts", json={"Contacts": []})
    list(connector().records(Resource.CUSTOMERS, [guid(2), guid(1)]))
    assert listed.calls[0].request.params == {
        "IDs": f"{guid(1)},{guid(2)}",
        "includeArchived": "true",
        "page": "1",
        "pageSize": "2",
    }


# --- notes -----------------------------------------------------------------------------------------------------


def test_a_note_goes_out_once_with_its_key(wire: responses.RequestsMock) -> None:
    put = wire.put(HISTORY, json=WRITTEN)
    assert connector().write_note(NOTE) == MARKER
    request = put.calls[0].request
    assert request.headers["Idempotency-Key"] == NOTE.key
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body or "") == {"HistoryRecords": [{"Details": NOTE.text}]}


def test_a_customers_note_goes_to_the_contact(wire: responses.RequestsMock) -> None:
    wire.put(f"{API}/Contacts/{guid(7_000)}/History", json=WRITTEN)
    assert connector().write_note(NoteDraft(CUSTOMER, NOTE.text, MARKER, "k")) == MARKER


@pytest.mark.parametrize(
    "failure",
    [
        {"body": requests.ReadTimeout("no answer")},
        {"body": requests.ConnectionError("reset")},
        {"body": requests.exceptions.ChunkedEncodingError("cut")},
        {"status": 500},
        {"status": 503},
        {"status": 200, "body": "<html>"},
    ],
)
def test_a_note_whose_answer_never_came_is_not_sent_again(
    wire: responses.RequestsMock, failure: dict[str, Any]
) -> None:
    wire.put(HISTORY, **failure)
    with pytest.raises(OutcomeUnknown):
        connector().write_note(NOTE)
    assert len(wire.calls) == 1


def test_a_note_that_never_left_may_go_later(wire: responses.RequestsMock) -> None:
    wire.put(HISTORY, body=requests.ConnectTimeout("no route"))
    with pytest.raises(RetryLater):
        connector().write_note(NOTE)


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (ssl.SSLError("decryption failed or bad record mac"), OutcomeUnknown),  # in mid-answer
        (ssl.SSLEOFError("EOF occurred in violation of protocol"), OutcomeUnknown),
        (ssl.SSLCertVerificationError("self-signed certificate"), RetryLater),  # before the first byte
    ],
)
def test_a_note_cut_off_by_tls_is_unknown_unless_the_server_was_not_trusted(
    wire: responses.RequestsMock, failure: ssl.SSLError, outcome: type[Exception]
) -> None:
    wire.put(HISTORY, body=requests.exceptions.SSLError(failure))
    with pytest.raises(outcome):
        connector().write_note(NOTE)
    assert len(wire.calls) == 1


def test_a_throttled_note_is_left_to_the_outbox(wire: responses.RequestsMock) -> None:
    wire.put(HISTORY, status=429, headers={"Retry-After": "30"})
    clock = FixedClock(NOW)
    with pytest.raises(RetryLater) as caught:
        connector(clock=clock).write_note(NOTE)
    assert (caught.value.after, clock.slept, len(wire.calls)) == (30, [], 1)


def test_a_note_with_an_expired_token_goes_out_after_one_renewal(wire: responses.RequestsMock) -> None:
    wire.put(HISTORY, status=401, json={"Title": "Unauthorized", "Detail": "TokenExpired"})
    wire.post(TOKEN, json=token_answer(2))
    wire.put(HISTORY, json=WRITTEN)
    assert connector().write_note(NOTE) == MARKER


def _validation(*messages: str) -> dict[str, Any]:
    elements = [{"Details": NOTE.text, "ValidationErrors": [{"Message": message} for message in messages]}]
    return {"ErrorNumber": 10, "Type": "ValidationException", "Message": "A validation", "Elements": elements}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"status": 400, "json": _validation("The document was not found.", "Too long.")}, "not found.; Too long."),
        ({"status": 400, "body": "oauth_problem"}, "HTTP 400"),
        ({"status": 404, "body": "The resource you're looking for cannot be found"}, "HTTP 404"),
        ({"status": 409, "json": {"Title": "Conflict", "Detail": "in progress"}}, "in progress"),
        ({"json": {"HistoryRecords": [{"ValidationErrors": [{"Message": "no"}]}]}}, "not accepted"),
    ],
)
def test_a_note_that_is_refused_says_why(wire: responses.RequestsMock, answer: dict[str, Any], reason: str) -> None:
    wire.put(HISTORY, **answer)
    with pytest.raises(Rejected, match=reason) as caught:
        connector().write_note(NOTE)
    assert "basket.nz" not in str(caught.value)
    assert len(wire.calls) == 1


def test_a_note_is_found_again_by_its_marker(wire: responses.RequestsMock) -> None:
    records = [{"Details": None}, "junk", {"Details": 7}, {"Changes": "Note", "Details": NOTE.text}]
    wire.get(HISTORY, json={"HistoryRecords": records})
    source = connector()
    assert source.find_note(INVOICE, MARKER) == MARKER
    assert source.find_note(INVOICE, "[arsync:other]") is None


def test_a_contacts_history_is_read_at_the_contact(wire: responses.RequestsMock) -> None:
    wire.get(f"{API}/Contacts/{guid(7_000)}/History", body=example("get_Contacts_ContactID_History"))
    assert connector().find_note(CUSTOMER, MARKER) is None


# --- settings ----------------------------------------------------------------------------------------------------


def test_the_settings_keep_their_secret_and_know_their_keys() -> None:
    settings = Settings.model_validate({"client_id": "client", "client_secret": "s3cret"})
    assert "s3cret" not in repr(settings)
    assert settings.api_url == API
    with pytest.raises(ValidationError, match="api_uri"):
        Settings.model_validate({"client_id": "client", "client_secret": "s3cret", "api_uri": "x"})


def test_the_entry_points_class_keeps_the_contract() -> None:
    factory: ConnectorFactory = Connector  # the type checker compares the signatures
    source: Contract = connector()
    assert factory.provider == source.provider == "xero"


def test_no_error_holds_a_token(wire: responses.RequestsMock) -> None:
    wire.get(f"{API}/Overpayments", body=requests.ConnectionError("Bearer access-1 refused"))
    reads: list[Callable[[], Any]] = [lambda: overpayments(connector())]
    for read in reads:
        with pytest.raises(RetryLater) as caught:
            read()
        assert "access-1" not in str(caught.value)
        assert caught.value.__cause__ is None
