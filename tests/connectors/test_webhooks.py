"""What the vendors' webhooks say, and that nobody else's are believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from tests.connectors.xero_stand_in import xero_material

from arsync.connector import Changed, ReadsWebhooks, Resource
from arsync.errors import Malformed, Unverified
from arsync_quickbooks import Connector as QuickBooks
from arsync_quickbooks import Settings as QuickBooksSettings
from arsync_xero import Connector as Xero
from arsync_xero import Settings as XeroSettings

KEY = "d1b5c8a0-key-of-the-app"
_CLIENT: dict[str, Any] = {"client_id": "c", "client_secret": "s"}
_INTUIT = QuickBooksSettings(webhook_verifier_token=SecretStr(KEY), **_CLIENT)
_XERO = XeroSettings(webhook_key=SecretStr(KEY), **_CLIENT)


def signed(body: bytes, key: str = KEY) -> str:
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def from_intuit(body: Any, signature: str | None = None) -> tuple[Changed, ...]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return QuickBooks.webhook(raw, {"Intuit-Signature": signature or signed(raw)}, settings=_INTUIT)


def from_xero(body: Any, signature: str | None = None) -> tuple[Changed, ...]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Xero.webhook(raw, {"x-xero-signature": signature or signed(raw)}, settings=_XERO)


def cloud(kind: str, entity: str, *, event: str, realm: str = "1185883450", **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event,
        "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
        "type": f"qbo.{kind}.v1",
        "datacontenttype": "application/json",
        "time": "2026-06-09T15:13:16.123456789Z",
        "intuitentityid": entity,
        "intuitaccountid": realm,
        "data": {},
        **more,
    }


def test_both_connectors_read_webhooks() -> None:
    assert isinstance(QuickBooks, ReadsWebhooks) and isinstance(Xero, ReadsWebhooks)


def test_cloud_events_are_sorted_by_company_and_a_repeat_is_the_same_event() -> None:
    """Two companies; an invoice told twice under one id, a payment, a merge of customers, a bill that is not ours."""
    told = from_intuit(
        [
            cloud("invoice.created", "95", event="e-1"),
            cloud("invoice.created", "95", event="e-1"),
            cloud("payment.updated", "77", event="e-2"),
            cloud("customer.merged", "12", event="e-3", data={"deletedId": "13"}),
            cloud("bill.updated", "5", event="e-4"),
            cloud("creditmemo.deleted", "8", event="e-5", realm="99"),
        ]
    )
    first, second = told
    assert first.external_id == "1185883450"
    assert first.ids == {
        Resource.INVOICES: {"95"},
        Resource.PAYMENTS: {"77"},
        Resource.CUSTOMERS: {"12", "13"},
    }
    assert first.events == {"e-1", "e-2", "e-3", "e-4"}
    assert first.at == datetime(2026, 6, 9, 15, 13, 16, 123456, tzinfo=UTC), "nine digits of a second"
    assert second.external_id == "99"
    assert second.ids == {Resource.CREDIT_NOTES: {"8"}}


def test_the_older_format_gives_the_same_and_its_events_get_ids() -> None:
    entities = [
        {"name": "Invoice", "id": "95", "operation": "Update", "lastUpdated": "2026-06-09T08:13:16-07:00"},
        {"name": "Customer", "id": "12", "operation": "Merge", "lastUpdated": "2026-06-09T15:00:00.000Z",
         "deletedId": "13"},
    ]  # fmt: skip
    body = {"eventNotifications": [{"realmId": "1185883450", "dataChangeEvent": {"entities": entities}}]}
    (told,) = from_intuit(body)
    (again,) = from_intuit(body)
    assert told.ids == {Resource.INVOICES: {"95"}, Resource.CUSTOMERS: {"12", "13"}}
    assert told.at == datetime(2026, 6, 9, 15, 13, 16, tzinfo=UTC)
    assert told.events == again.events and len(told.events) == 2
    entities[0]["lastUpdated"] = "2026-06-09T08:14:00-07:00"
    (later,) = from_intuit(body)
    assert len(later.events & told.events) == 1, "another change of the same invoice is another event"


@pytest.mark.parametrize("signature", ["", "x", "not base64!", "ümlaut", "AAAA", signed(b"[]", "another key")])
@pytest.mark.parametrize("receive", [from_intuit, from_xero])
def test_a_wrong_signature_is_refused_and_never_a_crash(receive: Any, signature: str) -> None:
    body = b'{"events": [], "firstEventSequence": 0, "lastEventSequence": 0, "entropy": "S"}'
    with pytest.raises(Unverified):
        receive(body, signature or "=")


def test_the_signature_is_over_the_bytes_as_sent() -> None:
    body = b"[ ]\r\n"
    assert from_intuit(body) == ()
    with pytest.raises(Unverified):
        from_intuit(body.strip(), signed(body))


def test_without_a_key_nothing_is_believed() -> None:
    with pytest.raises(Unverified, match="webhook_verifier_token"):
        QuickBooks.webhook(b"[]", {"intuit-signature": signed(b"[]", "")}, settings=QuickBooksSettings(**_CLIENT))
    with pytest.raises(Unverified, match="webhook_key"):
        Xero.webhook(b"{}", {"x-xero-signature": signed(b"{}", "")}, settings=XeroSettings(**_CLIENT))


@pytest.mark.parametrize("body", [b"", b"nothing", b"7", b"{}", b"[7]", b'[{"id": "e"}]', b'{"events": [{}]}', b"\xff"])
@pytest.mark.parametrize("receive", [from_intuit, from_xero])
def test_a_signed_body_that_is_no_webhook_is_malformed(receive: Any, body: bytes) -> None:
    with pytest.raises(Malformed):
        receive(body)


def test_an_intent_to_receive_says_nothing_and_is_believed_by_its_signature() -> None:
    body = {"events": [], "firstEventSequence": 0, "lastEventSequence": 0, "entropy": "S0m3r4Nd0mt3xt"}
    assert from_xero(body) == ()
    with pytest.raises(Unverified):
        from_xero(body, signed(b"something else"))


def test_xeros_own_example_is_a_suppliers_credit_and_changes_nothing_of_ours() -> None:
    document = yaml.safe_load(xero_material("xero-webhooks.yaml").read_text())
    media = document["webhooks"]["creditNotes"]["post"]["requestBody"]["content"]["application/json"]
    example = json.loads(json.dumps(media["examples"]["creditNoteCreate"]["value"], default=str))
    (told,) = from_xero(example)
    assert (told.external_id, told.ids, len(told.events)) == ("aef86862-2015-4b6b-88bc-d89032cecc50", {}, 1)
    example["events"][0]["data"]["Type"] = "ACCRECCREDIT"
    (ours,) = from_xero(example)
    assert ours.ids == {Resource.CREDIT_NOTES: {"55d84274-a3da-4829-a7c0-0cab601b95cc"}}


def test_xeros_events_are_sorted_by_organisation() -> None:
    def event(category: str, resource: str, tenant: str, at: str) -> dict[str, Any]:
        return {
            "resourceUrl": "https://api.xero.com/api.xro/2.0/x/" + resource, "resourceId": resource,
            "tenantId": tenant, "tenantType": "ORGANISATION", "eventCategory": category, "eventType": "UPDATE",
            "eventDateUtc": at,
        }  # fmt: skip

    events = [
        event("INVOICE", "i-1", "t-1", "2026-06-09T15:13:16.123"),
        event("INVOICE", "i-1", "t-1", "2026-06-09T15:13:16.123"),
        event("CONTACT", "c-1", "t-1", "2026-06-09T15:13:17.5"),
        event("SUBSCRIPTION", "s-1", "t-2", "2026-06-09T15:13:17"),
    ]
    first, second = from_xero({"events": events, "firstEventSequence": 1, "lastEventSequence": 4, "entropy": "E"})
    assert first.ids == {Resource.INVOICES: {"i-1"}, Resource.CUSTOMERS: {"c-1"}}
    assert (len(first.events), first.at) == (2, datetime(2026, 6, 9, 15, 13, 17, 500000, tzinfo=UTC))
    assert (second.external_id, second.ids) == ("t-2", {})
