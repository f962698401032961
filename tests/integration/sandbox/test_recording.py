"""The referee of all tests is tested itself: real exchanges pass, the same ones spoilt in one place do not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.conftest import material
from tests.exchanges import Referee
from tests.integration.sandbox.xero_exchange import Xero

from arsync.sandbox.launch import SandboxControl, running_sandbox
from arsync.sandbox.recording import VARIABLE, Exchange, recorded

Json = dict[str, Any]
MAIL: Json = {
    "personalizations": [{"to": [{"email": "ann@customer.example"}], "custom_args": {"message": "m1"}}],
    "from": {"email": "billing@seller.example"},
    "subject": "Invoice 1001",
    "content": [{"type": "text/plain", "value": "Hello"}],
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> list[Exchange]:
    """What one sandbox recorded of a Xero page, a Xero note, a mail and a QuickBooks page."""
    material()
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        with running_sandbox() as sandbox:
            _exchange(sandbox)
            log = sandbox.requests()
    exchanges = list(recorded(folder))
    assert [one.number for one in exchanges] == [entry["n"] for entry in log], "every request that was served is kept"
    assert [one.status for one in exchanges] == [entry["status"] for entry in log]
    return exchanges


def _exchange(sandbox: SandboxControl) -> None:
    xero = Xero(sandbox, sandbox.create_company("xero", invoices=30, customers=5, seed=3))
    invoice = xero.records("Invoices", page=1)[0]["InvoiceID"]
    xero.note(f"Invoices/{invoice}", "called")
    bearer = {"Authorization": "Bearer SG.sandbox"}
    xero.session.post(f"{sandbox.sendgrid_host}/v3/mail/send", json=MAIL, headers=bearer, timeout=10)
    card = sandbox.create_company("quickbooks", invoices=30, customers=5, seed=3)
    granted = xero.session.post(
        sandbox.quickbooks_token,
        data={"grant_type": "refresh_token", "refresh_token": card["refresh_token"]},
        auth=(card["client_id"], card["client_secret"]),
        timeout=10,
    ).json()
    xero.session.get(
        f"{sandbox.quickbooks_api}/company/{card['id']}/query",
        params={"query": "SELECT * FROM Invoice"},
        headers={"Authorization": f"Bearer {granted['access_token']}"},
        timeout=10,
    )
    xero.session.close()


def one(kept: list[Exchange], provider: str, resource: str) -> Exchange:
    (found,) = (exchange for exchange in kept if (exchange.provider, exchange.resource) == (provider, resource))
    return found


def spoil(text: str, change: Callable[[Any], object]) -> str:
    content = json.loads(text)
    change(content)
    return json.dumps(content)


def test_a_recording_passes_and_holds_no_credential(kept: list[Exchange]) -> None:
    referee = Referee(material())
    assert [problem for exchange in kept for problem in referee.judge(exchange)] == []
    assert {provider: referee.counts[provider, "seen"] for provider in ("xero", "sendgrid", "quickbooks")} == {
        "xero": 3, "sendgrid": 1, "quickbooks": 2,
    }  # fmt: skip
    assert referee.counts["xero", "kinds of answer"] == 2
    assert referee.counts["sendgrid", "kinds of request"] == 1
    written = msgspec.json.encode(kept).decode()
    for secret in ("Bearer", "Basic", "refresh_token", "access_token", "client_secret", "SG.sandbox"):
        assert secret not in written


@pytest.mark.parametrize("warm", [False, True], ids=["first of its kind", "after a thousand like it"])
@pytest.mark.parametrize(
    ("place", "change", "told"),
    [
        (("xero", "invoices"), {"answer": lambda page: page["Invoices"][-1].update(Type=5)}, "Type"),
        (("xero", "invoices"), {"answer": lambda page: page["Invoices"][-1].update(Status="OWED")}, "OWED"),
        (("xero", "invoices"), {"answer": lambda page: page["Invoices"][7].update(Total="a lot")}, "Total"),
        (("xero", "invoices"), {"answer": lambda page: page["Invoices"][7].update(InvoiceID="7")}, "InvoiceID"),
        (("xero", "invoices"), {"answer": lambda page: page.update(Invoices={})}, "Invoices"),
        (("xero", "invoices"), {"query": "pages=1"}, "takes no pages"),
        (("xero", "invoices"), {"query": "page=one"}, "page"),
        (("xero", "invoices"), {"authorized": False}, "no credential"),
        (("xero", "history"), {"body": lambda note: note["HistoryRecords"][0].update(Detail="x")}, "Detail"),
        (("xero", "history"), {"body": lambda note: note["HistoryRecords"][0].update(Details=5)}, "Details"),
        (("xero", "history"), {"path": "/api.xro/2.0/Bills/1/History"}, "Path not found"),
        (("sendgrid", "mail/send"), {"body": lambda mail: mail.update(subjct="x")}, "subjct"),
        (("sendgrid", "mail/send"), {"body": lambda mail: mail["personalizations"][0].pop("to")}, "to"),
        (("sendgrid", "mail/send"), {"body": lambda mail: mail["content"][0].update(value="")}, "content/0/value"),
        (("sendgrid", "mail/send"), {"status": 418}, "418"),
        (
            ("quickbooks", "query"),
            {"answer": lambda page: page["QueryResponse"]["Invoice"][7].update(Balance="abc")},
            "Invoice.Balance",
        ),
        (
            ("quickbooks", "query"),
            {"answer": lambda page: page["QueryResponse"]["Invoice"][7]["Line"][0].update(Amuont=1)},
            "Amuont",
        ),
    ],
)
def test_one_wrong_place_is_found(
    kept: list[Exchange], place: tuple[str, str], change: dict[str, Any], told: str, warm: bool
) -> None:
    exchange = one(kept, *place)
    referee = Referee(material())
    if warm:
        assert [referee.judge(exchange) for _ in range(2)] == [[], []]
    spoilt = {
        name: spoil(getattr(exchange, name), value) if callable(value) else value for name, value in change.items()
    }
    found = referee.judge(msgspec.structs.replace(exchange, **spoilt))
    assert told in "\n".join(found)
    assert referee.judge(exchange) == [], "a broken exchange is never remembered as good"


def test_only_a_test_s_own_request_may_break_the_document_and_only_where_it_is_refused(kept: list[Exchange]) -> None:
    wrong = spoil(one(kept, "sendgrid", "mail/send").body, lambda mail: mail.update(subjct="x"))
    by_hand = msgspec.structs.replace(one(kept, "sendgrid", "mail/send"), body=wrong)
    refusal = {"status": 400, "answer": '{"errors": [{"message": "subjct"}]}', "answer_type": "application/json"}
    refused = msgspec.structs.replace(by_hand, **refusal)
    arsyncs = msgspec.structs.replace(refused, headers={**refused.headers, "user-agent": "arsync"})
    referee = Referee(material())
    assert referee.judge(by_hand) != []
    assert referee.judge(refused) == []
    assert referee.judge(arsyncs) != []


def test_a_corrupted_record_is_passed_over_and_its_neighbours_are_not(kept: list[Exchange]) -> None:
    page = one(kept, "xero", "invoices")
    first = json.loads(page.answer)["Invoices"][0]["InvoiceID"]

    def junk(place: int) -> str:
        return spoil(page.answer, lambda content: content["Invoices"][place].update(Total="a lot"))

    assert Referee(material()).judge(msgspec.structs.replace(page, answer=junk(0), spoilt=[first])) == []
    assert Referee(material()).judge(msgspec.structs.replace(page, answer=junk(1), spoilt=[first])) != []


def test_this_very_run_is_judged(referee: Referee) -> None:
    with running_sandbox() as sandbox:  # its own: others lift the limits of the session's
        xero = Xero(sandbox, sandbox.create_company("xero", invoices=1, customers=1))
        xero.get("Organisation")
        xero.session.close()
    folder = Path(os.environ[VARIABLE])
    assert [exchange.path for exchange in recorded(folder) if not referee.judge(exchange)][-1].endswith("/Organisation")
