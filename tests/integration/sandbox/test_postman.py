"""The sandbox posts as the vendors do: signed, doubled, backwards, and again until it is taken."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from pydantic import SecretStr
from tests.integration.store.books import NOW

from arsync.channel.sendgrid_events import SIGNATURE, TIMESTAMP, read, verify
from arsync.connector import Resource
from arsync.errors import Unverified
from arsync.inbox.inbound_parse import Door, read_post
from arsync.sandbox.launch import SandboxControl, running_sandbox
from arsync_quickbooks import Connector as QuickBooks
from arsync_quickbooks import Settings as QuickBooksSettings
from arsync_xero import Connector as Xero
from arsync_xero import Settings as XeroSettings

KEY = "key-of-the-app"
_CLIENT: dict[str, Any] = {"client_id": "c", "client_secret": "s"}
PATIENCE = 20.0


@dataclass
class Ear:
    """Whoever is posted to; answers 200, or what this test wants."""

    url: str = ""
    heard: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # the next ones

    def wait(self, count: int) -> list[tuple[str, dict[str, str], bytes]]:
        deadline = time.monotonic() + PATIENCE
        while len(self.heard) < count:
            assert time.monotonic() < deadline, self.heard
            time.sleep(0.02)
        return self.heard


@contextmanager
def listening() -> Iterator[Ear]:
    ear = Ear()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = dict(self.headers.items())
            status = ear.answers.pop(0) if ear.answers else 200
            if self.path == "/xero":
                try:
                    Xero.webhook(body, headers, settings=XeroSettings(webhook_key=SecretStr(KEY), **_CLIENT))
                except Unverified:
                    status = 401
            ear.heard.append((self.path, headers, body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ear.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield ear
        server.shutdown()


def settled(town: SandboxControl) -> list[dict[str, Any]]:
    """What came of each post, when none waits any more."""
    deadline = time.monotonic() + PATIENCE
    while (state := town.hooks())["waiting"]:
        assert time.monotonic() < deadline, state
        time.sleep(0.02)
    log: list[dict[str, Any]] = state["log"]
    return log


@pytest.fixture
def ear() -> Iterator[Ear]:
    with listening() as one:
        yield one


@pytest.fixture
def town() -> Iterator[SandboxControl]:
    with running_sandbox() as control:
        control.set_clock(NOW)
        yield control


def test_what_changed_at_intuit_is_told_by_events_that_our_connector_believes(town: SandboxControl, ear: Ear) -> None:
    card = town.create_company("quickbooks", invoices=10, customers=2, history_months=1)
    town.hooks(quickbooks={"url": f"{ear.url}/quickbooks", "key": KEY})
    customer = town.act(card["id"], "new_customer", name="Acme")["customer"]
    ((_, headers, body),) = ear.wait(1)
    (told,) = QuickBooks.webhook(
        body, headers, settings=QuickBooksSettings(webhook_verifier_token=SecretStr(KEY), **_CLIENT)
    )
    assert told.external_id == card["id"]
    assert told.ids == {Resource.CUSTOMERS: {customer}}
    assert json.loads(body)[0]["type"] == "qbo.customer.created.v1"


def test_xero_posts_nothing_before_its_intent_to_receive_was_answered_rightly(town: SandboxControl, ear: Ear) -> None:
    card = town.create_company("xero", invoices=10, customers=2, history_months=1)
    customer = town.act(card["id"], "new_customer", name="Acme")["customer"]
    town.hooks(xero={"url": f"{ear.url}/xero", "key": "another key than theirs"})
    town.act(card["id"], "new_invoice", customer=customer, amount="10.00")
    assert [json.loads(body)["events"] for _, _, body in ear.wait(2)] == [[], []]
    deadline = time.monotonic() + PATIENCE
    while (state := town.hooks()["addresses"]["xero"]["state"]) == "tried" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert state == "failed: {401: 401, 200: 401}"
    town.hooks(xero={"url": f"{ear.url}/xero", "key": KEY})
    _, headers, body = ear.wait(5)[4]
    (told,) = Xero.webhook(body, headers, settings=XeroSettings(webhook_key=SecretStr(KEY), **_CLIENT))
    assert told.external_id == card["id"]
    assert set(told.ids) == {Resource.INVOICES, Resource.CUSTOMERS}


def test_a_post_comes_again_until_it_is_taken_as_often_as_said_and_the_last_one_first(
    town: SandboxControl, ear: Ear
) -> None:
    card = town.create_company("quickbooks", invoices=10, customers=2, history_months=1)
    town.hooks(quickbooks={"url": f"{ear.url}/quickbooks", "key": KEY})
    ear.answers = [503, 401]
    town.act(card["id"], "new_customer", name="Acme")
    tries = ear.wait(3)
    assert len({body for _, _, body in tries}) == 1
    settled(town)
    town.rules(post_copies=2, post_backwards=1)
    for name in ("Birch", "Cedar"):
        town.act(card["id"], "new_customer", name=name)
    ids = [json.loads(body)[0]["intuitentityid"] for _, _, body in ear.wait(7)[3:]]
    assert ids == [max(ids)] * 2 + [min(ids)] * 2
    assert [(one["status"], one["tries"]) for one in settled(town)] == [(200, 3)] + [(200, 1)] * 4


def test_mail_tells_what_became_of_it_and_is_answered(town: SandboxControl, ear: Ear) -> None:
    key = town.hooks(sendgrid={"url": f"{ear.url}/events"}, inbound={"url": f"{ear.url}/in/s3cret", "key": "signed"})[
        "public_key"
    ]
    mail = {
        "personalizations": [{"to": [{"email": "ada@example.com"}]}], "from": {"email": "a@seller.example"},
        "subject": "Invoice", "content": [{"type": "text/plain", "value": "Please pay"}],
    }  # fmt: skip
    requests.post(
        f"{town.sendgrid_host}/v3/mail/send", json=mail, headers={"Authorization": "Bearer SG.sandbox"}, timeout=5
    ).raise_for_status()
    ((_, headers, body),) = ear.wait(1)
    verify(key, headers[SIGNATURE], headers[TIMESTAMP], body, now=NOW)
    assert [event.kind for event in read(body).events] == ["processed", "delivered"]
    town.answer(sender="Ada <ada@example.com>", to="a@seller.example", text="On Friday. Grüße", answers="<m@x>")
    path, headers, body = ear.wait(2)[1]
    posted = read_post(path, headers, body, door=Door("s3cret", key), now=NOW)
    assert (posted.mail.address, posted.mail.text.strip(), posted.mail.answers) == (
        "ada@example.com", "On Friday. Grüße", ("m@x",),
    )  # fmt: skip
