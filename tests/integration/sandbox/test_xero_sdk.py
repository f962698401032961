"""The vendor's own SDK, unchanged, against the emulated Xero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from tests.integration.sandbox.xero_exchange import Xero
from xero_python.accounting import AccountingApi, HistoryRecord, HistoryRecords
from xero_python.api_client import ApiClient, Configuration
from xero_python.api_client.oauth2 import OAuth2Token
from xero_python.exceptions import RateLimitException
from xero_python.identity import IdentityApi

from arsync.sandbox.launch import SandboxControl, running_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox() as control:
        yield control


@pytest.fixture
def signed_in(sandbox: SandboxControl) -> Iterator[tuple[Xero, Any]]:
    """An organisation, and the SDK's client with a token for it."""
    xero = Xero(sandbox, sandbox.create_company("xero", invoices=60, customers=9))
    configuration = Configuration()
    configuration.oauth2_token = OAuth2Token(client_id=xero.card["client_id"], client_secret=xero.card["client_secret"])
    client = ApiClient(configuration)
    client.rest_client.pool_manager.connection_pool_kw["retries"] = urllib3.Retry(total=0)
    token = {"access_token": xero.token, "expires_in": 1800, "token_type": "Bearer", "scope": ["accounting"]}
    client.oauth2_token_getter(lambda: token)
    client.oauth2_token_saver(lambda new: None)
    with xero.session:
        yield xero, client
        client.rest_client.pool_manager.clear()


def test_the_sdk_reads_models_and_writes_one_note_per_key(signed_in: tuple[Xero, Any]) -> None:
    xero, client = signed_in
    connections = IdentityApi(client, base_url=f"{xero.sandbox.url}/xero").get_connections()
    assert [connection.tenant_id for connection in connections] == [xero.tenant]
    api = AccountingApi(client, base_url=xero.sandbox.xero_api)
    invoices = api.get_invoices(xero.tenant, page=1, page_size=1000, where='Type=="ACCREC"').invoices
    truth = {one["id"]: one for one in xero.sandbox.truth(xero.tenant)["invoices"]}
    assert {one.invoice_id: f"{one.amount_due:.2f}" for one in invoices} == {
        key: one["balance"] for key, one in truth.items()
    }
    assert all(one.date.isoformat() == truth[one.invoice_id]["issued"] for one in invoices)
    assert len(api.get_contacts(xero.tenant, page=1, summary_only=False).contacts) == 9
    assert api.get_payments(xero.tenant, page=1).payments
    note = HistoryRecords(history_records=[HistoryRecord(details="Reminder sent")])
    for _ in range(2):
        api.create_invoice_history(xero.tenant, invoices[0].invoice_id, note, idempotency_key="once")
    history = api.get_invoice_history(xero.tenant, invoices[0].invoice_id).history_records
    assert [entry.details for entry in history].count("Reminder sent") == 1
    assert len([one for one in xero.sandbox.notes() if one["target_id"] == invoices[0].invoice_id]) == 1


def test_the_sdk_sees_a_throttle_as_its_rate_limit(signed_in: tuple[Xero, Any]) -> None:
    xero, client = signed_in
    xero.sandbox.fault("throttle", {"company": xero.tenant}, seconds=7)
    with pytest.raises(RateLimitException) as caught:
        AccountingApi(client, base_url=xero.sandbox.xero_api).get_invoices(xero.tenant)
    assert (caught.value.rate_limit, caught.value.headers["Retry-After"]) == ("minute", "7")
