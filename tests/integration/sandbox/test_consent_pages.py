"""The sandbox's consent pages are as strict as the vendors: what is wrong goes nowhere, and a code is good once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from arsync.sandbox.launch import SandboxControl

BACK = "http://localhost:8974/callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SCOPES = {"quickbooks": "com.intuit.quickbooks.accounting", "xero": "offline_access accounting.invoices.read"}


class Vendor:
    """One company of one vendor, and the requests of an app."""

    def __init__(self, sandbox: SandboxControl, provider: str) -> None:
        self.sandbox, self.provider = sandbox, provider
        self.card = sandbox.create_company(provider, invoices=0, customers=1)
        self.page = sandbox.quickbooks_authorize if provider == "quickbooks" else sandbox.xero_authorize
        self.token_url = sandbox.quickbooks_token if provider == "quickbooks" else sandbox.xero_token

    def ask(self, **change: str | None) -> requests.Response:
        given: dict[str, str | None] = {
            "response_type": "code", "client_id": self.card["client_id"], "redirect_uri": BACK,
            "scope": SCOPES[self.provider], "state": "st",
        }  # fmt: skip
        if self.provider == "xero":
            given |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        return requests.get(self.page, params={**given, **change}, timeout=10, allow_redirects=False)

    def code(self, **change: str) -> dict[str, str]:
        form = {"company": self.card["id"], "decision": "allow"}
        sent = requests.post(self.ask(**change).url, data=form, timeout=10, allow_redirects=False)
        return told(sent)

    def exchange(self, code: str, **change: str | None) -> requests.Response:
        form: dict[str, str | None] = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
        if self.provider == "xero":
            form["code_verifier"] = VERIFIER
        client = (self.card["client_id"], self.card["client_secret"])
        return requests.post(self.token_url, data={**form, **change}, auth=client, timeout=10)


def told(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(BACK + "?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


@pytest.fixture(params=["quickbooks", "xero"])
def vendor(request: pytest.FixtureRequest, sandbox: SandboxControl) -> Iterator[Vendor]:
    yield Vendor(sandbox, request.param)


@pytest.mark.parametrize("change", [{"client_id": "nobody"}, {"redirect_uri": BACK + "/"}, {"redirect_uri": None}])
def test_an_unknown_app_or_address_is_told_on_the_page_and_sent_nowhere(vendor: Vendor, change: dict[str, Any]) -> None:
    answer = vendor.ask(**change)
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"state": None}, "invalid_request"),
        ({"surprise": "x"}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_wrong_question_comes_back_as_its_error(vendor: Vendor, change: dict[str, Any], error: str) -> None:
    assert told(vendor.ask(**change))["error"] == error


def test_a_code_is_good_for_one_use(vendor: Vendor) -> None:
    back = vendor.code()
    assert back["state"] == "st"
    assert (back.get("realmId") == vendor.card["id"]) is (vendor.provider == "quickbooks")
    assert vendor.exchange(back["code"]).status_code == 200
    again = vendor.exchange(back["code"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("change", [{"redirect_uri": "http://localhost:1/"}, {"code_verifier": "w" * 64}])
def test_a_code_is_bound_to_its_question(vendor: Vendor, change: dict[str, str]) -> None:
    refused = vendor.exchange(vendor.code()["code"], **change)
    assert refused.json()["error"] == "invalid_grant"


def test_a_code_without_its_proof_is_refused(sandbox: SandboxControl) -> None:
    vendor = Vendor(sandbox, "xero")
    assert vendor.exchange(vendor.code()["code"], code_verifier=None).json()["error"] == "invalid_grant"


def test_scopes_open_what_they_name_and_no_more(sandbox: SandboxControl) -> None:
    vendor = Vendor(sandbox, "xero")
    pair = vendor.exchange(vendor.code()["code"]).json()
    assert pair["scope"] == SCOPES["xero"]
    headers = {
        "Authorization": f"Bearer {pair['access_token']}", "Xero-Tenant-Id": vendor.card["id"],
        "Accept": "application/json",
    }  # fmt: skip
    seen = {
        place: requests.get(f"{sandbox.xero_api}/{place}", headers=headers, timeout=10).status_code
        for place in ("Invoices", "Contacts", "Payments", "Organisation")
    }
    assert seen == {"Invoices": 200, "Contacts": 401, "Payments": 401, "Organisation": 401}


def test_without_offline_access_there_is_no_refresh_token(sandbox: SandboxControl) -> None:
    vendor = Vendor(sandbox, "xero")
    pair = vendor.exchange(vendor.code(scope="accounting.invoices.read")["code"]).json()
    assert "refresh_token" not in pair
