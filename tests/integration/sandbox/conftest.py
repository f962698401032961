"""A QuickBooks company, and a client that speaks plain HTTP to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from arsync.sandbox.launch import SandboxControl

Json = dict[str, Any]


@dataclass
class QuickBooks:
    """One realm with a fresh access token."""

    sandbox: SandboxControl
    card: Json
    session: requests.Session = field(default_factory=requests.Session)
    refresh_token: str = ""

    @property
    def realm(self) -> str:
        return str(self.card["id"])

    def refresh(self, token: str | None = None) -> requests.Response:
        """Use a refresh token; the client takes the new pair where it is given one."""
        answer = self.session.post(
            self.sandbox.quickbooks_token,
            data={"grant_type": "refresh_token", "refresh_token": token or self.refresh_token},
            auth=(self.card["client_id"], self.card["client_secret"]),
            timeout=10,
        )
        if answer.status_code == 200:
            self.refresh_token = answer.json()["refresh_token"]
            self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    def get(self, path: str, **query: str) -> requests.Response:
        return self.session.get(f"{self.sandbox.quickbooks_api}/company/{self.realm}/{path}", params=query, timeout=10)

    def post(self, path: str, body: Any, **query: str) -> requests.Response:
        url = f"{self.sandbox.quickbooks_api}/company/{self.realm}/{path}"
        return self.session.post(url, json=body, params=query, timeout=10)

    def ask(self, query: str) -> requests.Response:
        """POST a query, as the SDK does."""
        return self.session.post(
            f"{self.sandbox.quickbooks_api}/company/{self.realm}/query?minorversion=75",
            data=query.encode(),
            headers={"Content-Type": "application/text"},
            timeout=10,
        )

    def find(self, query: str) -> list[Json]:
        """The records of a query."""
        answer = self.ask(query)
        assert answer.status_code == 200, answer.text
        lists = [value for value in answer.json()["QueryResponse"].values() if isinstance(value, list)]
        return lists[0] if lists else []

    def one(self, entity: str, record_id: str) -> Json:
        record: Json = self.get(f"{entity.lower()}/{record_id}").json()[entity]
        return record

    def act(self, do: str, **fields: Any) -> Json:
        return self.sandbox.act(self.realm, do, **fields)

    def new_customer(self) -> str:
        return str(self.act("new_customer")["customer"])

    def new_invoice(self, customer: str, amount: str, **fields: Any) -> str:
        return str(self.act("new_invoice", customer=customer, amount=amount, **fields)["invoice"])


def fault_code(answer: requests.Response) -> str:
    """The code of a QuickBooks fault."""
    return str(answer.json()["Fault"]["Error"][0]["code"])


@pytest.fixture
def quiet(sandbox: SandboxControl) -> Iterator[SandboxControl]:
    """The session's sandbox with its rules, faults, limits and switches put back afterwards."""
    switches = sandbox.switches()
    yield sandbox
    sandbox.clear_faults()
    sandbox.rules(edit_after_page=0, latency=0)
    sandbox.switches(switches)
    sandbox.limits("quickbooks", second=10, minute=500, batch_minute=40)


@pytest.fixture
def quickbooks(quiet: SandboxControl) -> Iterator[QuickBooks]:
    """A company of 300 invoices with the throttle lifted."""
    quiet.limits("quickbooks", second=None, minute=None, batch_minute=None)
    card = quiet.create_company("quickbooks", invoices=300, customers=30, seed=11)
    client = QuickBooks(quiet, card, refresh_token=card["refresh_token"])
    assert client.refresh().status_code == 200
    yield client
    client.session.close()
