"""The sandbox as a test drives it: clock, faults, rules, log."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import requests
from tests.integration.sandbox.conftest import QuickBooks

from arsync.sandbox.launch import SandboxControl, running_sandbox


def test_the_process_announces_itself_in_one_line_and_ends_on_sigterm(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_bytes(msgspec.json.encode({"companies": [{"provider": "quickbooks", "id": "42", "invoices": 3}]}))
    command = [sys.executable, "-m", "arsync.sandbox", "--port", "0", "--scenario", str(scenario)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = msgspec.json.decode(process.stdout.readline())
        assert ready["pid"] == process.pid
        assert [card["id"] for card in ready["companies"]] == ["42"]
        with SandboxControl(ready["url"]) as control:
            assert len(control.truth("42")["invoices"]) == 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_the_clock_is_set_advanced_and_speeded() -> None:
    with running_sandbox() as sandbox:
        sandbox.speed(0)
        assert sandbox.set_clock(datetime(2026, 7, 1, 9, tzinfo=UTC)) == datetime(2026, 7, 1, 9, tzinfo=UTC)
        assert sandbox.advance(days=2) == datetime(2026, 7, 3, 9, tzinfo=UTC)
        assert sandbox.now() == datetime(2026, 7, 3, 9, tzinfo=UTC)
        sandbox.speed(1_000_000)
        first, second = sandbox.now(), sandbox.now()
        assert (second - first).total_seconds() > 60


def test_a_wrong_order_is_refused_with_a_reason(sandbox: SandboxControl) -> None:
    for method, path, body, reason in (
        ("POST", "companies", {"provider": "sage"}, "no provider"),
        ("POST", "companies", {"provider": "quickbooks", "invoice": 5}, "invoice"),
        ("POST", "switches", {"quickbooks.nonsense": True}, "unknown switch"),
        ("POST", "switches", {"quickbooks.cdc_cap": 5}, "one of"),
        ("POST", "faults", {"fault": "explode"}, "fault is one of"),
        ("POST", "faults", {"fault": "error", "match": {"vendor": "x"}}, "match takes"),
        ("POST", "limits", {"quickbooks": {"hour": 5}}, "unknown limits"),
        ("GET", "companies/1234/truth", None, "no company"),
    ):
        with pytest.raises(RuntimeError, match=reason):
            sandbox.call(method, path, body)


def test_the_log_says_what_came_and_whether_it_changed_anything(quickbooks: QuickBooks) -> None:
    start = quickbooks.sandbox.requests()[-1]["n"]
    customer = quickbooks.new_customer()
    body = {"AttachableRef": [{"EntityRef": {"type": "Customer", "value": customer}}], "Note": "n"}
    quickbooks.get(f"customer/{customer}")
    quickbooks.post("attachable", body, requestid="k")
    quickbooks.post("attachable", body, requestid="k")
    log = quickbooks.sandbox.requests(since=start)
    assert [(entry["method"], entry["resource"], entry["effect"], entry["idempotency_key"]) for entry in log] == [
        ("GET", "customer", False, None),
        ("POST", "attachable", True, "k"),
        ("POST", "attachable", False, "k"),
    ]
    assert [entry["n"] for entry in log] == [start + 1, start + 2, start + 3]
    assert '"Note"' in log[1]["body"]


def test_an_error_strikes_as_often_as_it_is_told(quickbooks: QuickBooks) -> None:
    # skip 1, then 2 times
    quickbooks.sandbox.fault("error", {"resource": "preferences"}, status=503, skip=1, times=2)
    answers = [quickbooks.get("preferences").status_code for _ in range(5)]
    assert answers == [200, 503, 503, 200, 200]
    quickbooks.sandbox.clear_faults()
    quickbooks.sandbox.fault("throttle", {"resource": "preferences"}, every=3)
    answers = [quickbooks.get("preferences").status_code for _ in range(7)]
    assert answers == [200, 200, 429, 200, 200, 429, 200]


def test_a_fault_meets_only_what_it_matches(quickbooks: QuickBooks) -> None:
    quickbooks.sandbox.fault("expired_token", {"company": quickbooks.realm, "method": "GET", "path_contains": "/cdc"})
    assert quickbooks.get("preferences").status_code == 200
    assert quickbooks.get("cdc", entities="Invoice").status_code == 401
    assert quickbooks.get("preferences").status_code == 200


def test_a_fault_meets_a_posted_query_by_its_entity(quickbooks: QuickBooks) -> None:
    quickbooks.sandbox.fault("error", {"path_contains": "FROM Payment"}, status=500)
    assert quickbooks.ask("SELECT * FROM Invoice").status_code == 200
    assert quickbooks.ask("SELECT * FROM Payment").status_code == 500


@pytest.mark.parametrize(("fault", "effects"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_time_out_comes_before_or_after_the_effect(quickbooks: QuickBooks, fault: str, effects: int) -> None:
    customer = quickbooks.new_customer()
    body = {"AttachableRef": [{"EntityRef": {"type": "Customer", "value": customer}}], "Note": "n"}
    quickbooks.sandbox.fault(fault, {"resource": "attachable"})
    url = f"{quickbooks.sandbox.quickbooks_api}/company/{quickbooks.realm}/attachable"
    with pytest.raises(requests.ReadTimeout):
        quickbooks.session.post(url, json=body, timeout=0.3)
    assert len(quickbooks.find("SELECT * FROM Attachable")) == effects


def test_a_line_is_cut_and_a_body_is_cut(quickbooks: QuickBooks) -> None:
    quickbooks.sandbox.fault("disconnect_before", {"resource": "preferences"})
    with pytest.raises(requests.ConnectionError):
        quickbooks.get("preferences")
    quickbooks.sandbox.fault("truncate", {"resource": "query"})
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        quickbooks.ask("SELECT * FROM Invoice")
    assert len(quickbooks.find("SELECT * FROM Invoice")) == 100


def test_a_served_page_is_followed_by_edits_of_served_invoices(quickbooks: QuickBooks) -> None:
    quickbooks.sandbox.rules(edit_after_page=3)
    page = quickbooks.find("SELECT * FROM Invoice ORDERBY MetaData.LastUpdatedTime MAXRESULTS 100")
    served = {record["Id"]: record["SyncToken"] for record in page}
    quickbooks.sandbox.rules(edit_after_page=0)
    after = quickbooks.find("SELECT * FROM Invoice ORDERBY Id MAXRESULTS 1000")
    edited = {record["Id"] for record in after if int(record["SyncToken"]) > int(served.get(record["Id"], 10**6))}
    assert len(edited) == 3
    assert edited <= set(served)


def test_a_corrupt_record_is_broken_on_the_wire_and_costs_nobody_else(quickbooks: QuickBooks) -> None:
    invoice = quickbooks.new_invoice(quickbooks.new_customer(), "100.00")
    quickbooks.act("corrupt", invoice=invoice, fields={"Balance": "abc"}, drop=["DocNumber"])
    broken = quickbooks.one("Invoice", invoice)
    assert broken["Balance"] == "abc"
    assert "DocNumber" not in broken
    quickbooks.act("restore", invoice=invoice)
    assert quickbooks.one("Invoice", invoice)["Balance"] == 100.0
