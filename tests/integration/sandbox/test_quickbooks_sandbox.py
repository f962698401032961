"""QuickBooks as the sandbox plays it: its shapes against recorded answers, its behaviour as documented."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.conftest import material
from tests.integration.sandbox.conftest import Json, QuickBooks, fault_code


def shape(value: Any) -> Any:
    """Keys and JSON types, without values; a list is the shape of its first member."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def recorded(name: str) -> Any:
    return json.loads((material() / "quickbooks" / name).read_text())


def recorded_fault(code: str, status: int) -> Json:
    for fault in recorded("faults.json"):
        body = fault["body"]
        if fault["status"] == status and code in json.dumps(body):
            return dict(body)
    raise AssertionError(f"no recorded fault {code}")


@pytest.mark.parametrize("entity", ["Invoice", "Payment", "CreditMemo", "Customer", "Attachable", "CompanyInfo"])
def test_every_key_that_is_sent_is_in_the_vendors_field_list(quickbooks: QuickBooks, entity: str) -> None:
    fields = recorded("qbo_fields.json")["entities"]
    known = {name.lstrip("@") for name in fields[entity]}
    quickbooks.post("attachable", note("Customer", quickbooks.new_customer()))
    records = quickbooks.find(f"SELECT * FROM {entity} MAXRESULTS 1000")
    assert records
    assert {name for record in records for name in record} <= known
    lines = {name for record in records for line in record.get("Line", []) for name in line}
    assert lines <= {name.lstrip("@") for name in fields["Line"]}


@pytest.mark.parametrize("entity", ["Invoice", "Payment", "CreditMemo", "Customer"])
def test_records_have_the_keys_and_types_of_the_recorded_ones(quickbooks: QuickBooks, entity: str) -> None:
    real = [shape(record) for record in recorded("sandbox_records.json")[entity]]
    ours = [shape(record) for record in quickbooks.find(f"SELECT * FROM {entity} MAXRESULTS 1000")]
    always = set.intersection(*(set(record) for record in real))
    sometimes = {name: kind for record in real for name, kind in record.items() if not isinstance(kind, dict | list)}
    for record in ours:
        assert always - set(record) <= {"DueDate", "BillEmail", "PrimaryEmailAddr", "Line"}
        for name, kind in sometimes.items():
            assert record.get(name, kind) == kind, name
        assert record["MetaData"] == real[0]["MetaData"]


def test_time_stamps_carry_the_pacific_offset(quickbooks: QuickBooks) -> None:
    for record in quickbooks.find("SELECT * FROM Invoice MAXRESULTS 50"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-0[78]:00", record["MetaData"]["LastUpdatedTime"])


def test_a_query_pages_through_everything_once(quickbooks: QuickBooks) -> None:
    count = quickbooks.ask("select count(*) from Invoice").json()["QueryResponse"]["totalCount"]
    ids: list[str] = []
    for start in range(1, count + 1, 70):
        page = quickbooks.find(f"SELECT * FROM Invoice ORDERBY Id STARTPOSITION {start} MAXRESULTS 70")
        ids += [record["Id"] for record in page]
    assert count == 300
    assert [int(number) for number in ids] == sorted({int(number) for number in ids})
    assert len(ids) == count


def test_a_get_query_answers_as_a_posted_one(quickbooks: QuickBooks) -> None:
    query = "SELECT * FROM Invoice WHERE Balance > '0' ORDER BY TotalAmt DESC MAXRESULTS 5"
    asked = quickbooks.get("query", query=query, minorversion="75").json()["QueryResponse"]
    assert asked == quickbooks.ask(query).json()["QueryResponse"]
    totals = [record["TotalAmt"] for record in asked["Invoice"]]
    assert totals == sorted(totals, reverse=True)
    assert all(record["Balance"] > 0 for record in asked["Invoice"])
    assert (asked["startPosition"], asked["maxResults"]) == (1, 5)


def test_without_maxresults_a_hundred_come_and_an_empty_page_is_an_empty_object(quickbooks: QuickBooks) -> None:
    assert len(quickbooks.find("SELECT * FROM Invoice")) == 100
    assert quickbooks.ask("SELECT * FROM Invoice WHERE Id = '999999'").json()["QueryResponse"] == {}


def test_conditions_narrow(quickbooks: QuickBooks) -> None:
    customer = quickbooks.new_customer()
    first, second = (quickbooks.new_invoice(customer, amount) for amount in ("10.00", "20.00"))
    where = f"SELECT * FROM Invoice WHERE CustomerRef = '{customer}'"
    assert {record["Id"] for record in quickbooks.find(where)} == {first, second}
    assert [record["Id"] for record in quickbooks.find(f"{where} AND TotalAmt >= '15'")] == [second]
    listed = quickbooks.find(f"SELECT * FROM Invoice WHERE Id IN ('{first}', '{second}') ORDERBY Id")
    assert [record["Id"] for record in listed] == [first, second]
    third = quickbooks.new_invoice(customer, "30.00")
    assert {record["Id"] for record in quickbooks.find(where)} == {first, second, third}
    twice = (
        f"SELECT * FROM Invoice WHERE CustomerRef IN ('{customer}', '{customer}') AND Id IN ('{third}', '{third}', '0')"
    )
    assert [record["Id"] for record in quickbooks.find(twice)] == [third]


def test_an_apostrophe_is_written_with_a_backslash(quickbooks: QuickBooks) -> None:
    quickbooks.act("new_customer", name="O'Brien & Sons")
    assert len(quickbooks.find(r"SELECT * FROM Customer WHERE DisplayName = 'O\'Brien & Sons'")) == 1
    assert len(quickbooks.find(r"SELECT * FROM Customer WHERE DisplayName LIKE 'O\'Brien & S%'")) == 1


def test_a_list_of_customers_leaves_the_inactive_out(quickbooks: QuickBooks) -> None:
    customer = quickbooks.new_customer()
    quickbooks.act("edit_customer", customer=customer, active=False)
    where = f"SELECT * FROM Customer WHERE Id = '{customer}'"
    assert quickbooks.find(where) == []
    assert [record["Active"] for record in quickbooks.find(f"{where} AND Active IN (true, false)")] == [False]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT * FROM Custmoer", "4001"),
        ("SELECT * FROM Invoice STARTPOSITION 0", "4001"),
        ("SELECT * FROM Invoice MAXRESULTS 1001", "4001"),
        ("SELECT * FROM Invoice WHERE Nonsense = '1'", "4001"),
        ("SELECT * FROM Payment WHERE UnappliedAmt > '0'", "4001"),
        ("SELECT * FROM Invoice WHERE DueDate > 'soon'", "4001"),
        ("SELECT * FROM Invoice WHERE Balance > '0' OR Balance < '0'", "4000"),
        ("SELECT Id FROM Invoice", "4000"),
        ("SELECT * FROM Invoice WHERE Balance > 0", "4000"),
        ("SELECT * FROM Customer WHERE DisplayName = 'O'Brien'", "4000"),
        ("DELETE FROM Invoice", "4000"),
        ("", "4000"),
    ],
)
def test_a_wrong_query_is_refused(quickbooks: QuickBooks, query: str, code: str) -> None:
    answer = quickbooks.ask(query)
    assert (answer.status_code, fault_code(answer)) == (400, code)


def test_faults_have_the_recorded_shapes(quickbooks: QuickBooks) -> None:
    def same(ours: Any, real: Any) -> None:
        ours["Fault"]["Error"][0].pop("element", None)
        real["Fault"]["Error"][0].pop("element", None)
        assert shape(ours) == shape(real)

    same(quickbooks.ask("SELECT * FROM Custmoer").json(), recorded_fault("4001", 400))
    same(quickbooks.post("attachable", {"BadJson": True}).json(), recorded_fault('"2010"', 400))
    missing = quickbooks.get("invoice/999999")
    assert missing.status_code == 400
    same(missing.json(), recorded("faults.json")[8]["body"])
    unsupported = quickbooks.get("customer/1/5")
    assert (unsupported.status_code, fault_code(unsupported)) == (400, "500")
    assert fault_code(quickbooks.get("customer/1.5")) == "2030"
    quickbooks.sandbox.fault("throttle", {"provider": "quickbooks"})
    throttled = quickbooks.get("invoice/1")
    assert throttled.status_code == 429
    same(throttled.json(), recorded("derived/too_many_requests_error.json"))
    assert "Retry-After" not in throttled.headers


def test_a_wrong_token_is_refused_in_the_lower_case_shape(quickbooks: QuickBooks) -> None:
    quickbooks.session.headers["Authorization"] = "Bearer nonsense"
    answer = quickbooks.get("invoice/1")
    assert answer.status_code == 401
    assert shape(answer.json()) == shape(recorded_fault("3200", 401))
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_another_companys_token_is_forbidden(quickbooks: QuickBooks) -> None:
    other = quickbooks.sandbox.create_company("quickbooks", invoices=1, customers=1)
    url = f"{quickbooks.sandbox.quickbooks_api}/company/{other['id']}/companyinfo/{other['id']}"
    answer = quickbooks.session.get(url, timeout=10)
    assert (answer.status_code, fault_code(answer)) == (403, "3100")


def test_an_access_token_lives_an_hour_and_a_refresh_token_one_use(quickbooks: QuickBooks) -> None:
    # 00:00 token / 00:59 good / 01:00 401 / refresh / good / the old refresh token is dead
    used = quickbooks.refresh_token
    assert quickbooks.refresh().status_code == 200
    quickbooks.sandbox.advance(3_500)
    assert quickbooks.get("preferences").status_code == 200
    quickbooks.sandbox.advance(100)
    assert quickbooks.get("preferences").status_code == 401
    assert quickbooks.refresh().status_code == 200
    assert quickbooks.get("preferences").status_code == 200
    dead = quickbooks.refresh(used)
    assert (dead.status_code, dead.json()["error"]) == (400, "invalid_grant")


def test_where_the_switch_says_so_the_old_refresh_token_lives_another_day(quickbooks: QuickBooks) -> None:
    quickbooks.sandbox.switches({"quickbooks.old_refresh_token": "24h"})
    used = quickbooks.refresh_token
    assert quickbooks.refresh().status_code == 200
    assert quickbooks.refresh(used).status_code == 200
    quickbooks.sandbox.advance(days=1)
    assert quickbooks.refresh(used).status_code == 400


def test_an_unused_refresh_token_dies_after_its_hundred_days(quickbooks: QuickBooks) -> None:
    # asked for with the company's own grants, so that no other test's clock is in the way
    fresh = quickbooks.sandbox.grant(quickbooks.realm)["refresh_token"]
    lifetime = quickbooks.refresh(fresh).json()["x_refresh_token_expires_in"]
    last = quickbooks.refresh_token
    quickbooks.sandbox.advance(lifetime)
    assert quickbooks.refresh(last).json()["error"] == "invalid_grant"


def test_a_stranger_gets_no_token(quickbooks: QuickBooks) -> None:
    quickbooks.card["client_secret"] = "guess"
    answer = quickbooks.refresh()
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


def test_an_applied_payment_lowers_the_balance_and_bumps_the_invoice(quickbooks: QuickBooks) -> None:
    # 100.00 invoice / 40.00 paid / open 60.00
    customer = quickbooks.new_customer()
    invoice = quickbooks.new_invoice(customer, "100.00")
    before = quickbooks.one("Invoice", invoice)
    quickbooks.sandbox.advance(5)
    payment = quickbooks.act("pay", invoice=invoice, amount="40.00")["payment"]
    after = quickbooks.one("Invoice", invoice)
    assert after["Balance"] == 60.0
    assert after["SyncToken"] == str(int(before["SyncToken"]) + 1)
    assert after["MetaData"]["LastUpdatedTime"] > before["MetaData"]["LastUpdatedTime"]
    assert after["LinkedTxn"] == [{"TxnId": payment, "TxnType": "Payment"}]
    line = quickbooks.one("Payment", payment)["Line"][0]
    assert (line["Amount"], line["LinkedTxn"]) == (40.0, [{"TxnId": invoice, "TxnType": "Invoice"}])
    facts = {fact["value"]["Name"]: fact["value"]["Value"] for fact in line["LineEx"]["any"]}
    assert facts["txnOpenBalance"] == "100.00"
    assert quickbooks.one("Customer", customer)["Balance"] == 60.0


def test_where_the_switch_says_so_a_payment_leaves_the_invoices_stamp_alone(quickbooks: QuickBooks) -> None:
    quickbooks.sandbox.switches({"quickbooks.payment_bumps_invoice": False})
    invoice = quickbooks.new_invoice(quickbooks.new_customer(), "100.00")
    before = quickbooks.one("Invoice", invoice)
    quickbooks.sandbox.advance(5)
    quickbooks.act("pay", invoice=invoice)
    after = quickbooks.one("Invoice", invoice)
    assert (after["Balance"], after["MetaData"], after["SyncToken"]) == (0, before["MetaData"], before["SyncToken"])


def test_unapplied_money_waits_on_the_customer_until_it_is_applied(quickbooks: QuickBooks) -> None:
    customer = quickbooks.new_customer()
    invoice = quickbooks.new_invoice(customer, "100.00")
    payment = quickbooks.act("pay_unapplied", customer=customer, amount="70.00")["payment"]
    assert quickbooks.one("Invoice", invoice)["Balance"] == 100.0
    assert quickbooks.one("Payment", payment)["UnappliedAmt"] == 70.0
    assert quickbooks.one("Customer", customer)["Balance"] == 30.0
    quickbooks.act("apply", payment=payment, invoice=invoice)
    assert quickbooks.one("Invoice", invoice)["Balance"] == 30.0
    assert quickbooks.one("Payment", payment)["UnappliedAmt"] == 0
    assert quickbooks.one("Customer", customer)["Balance"] == 30.0


def test_a_credit_is_used_by_a_payment_of_nothing_that_links_both(quickbooks: QuickBooks) -> None:
    customer = quickbooks.new_customer()
    invoice = quickbooks.new_invoice(customer, "100.00")
    touched = quickbooks.act("credit_note", customer=customer, amount="25.00", apply_to=invoice)
    payment = quickbooks.one("Payment", touched["payment"])
    assert payment["TotalAmt"] == 0
    links = {(line["LinkedTxn"][0]["TxnType"], line["Amount"]) for line in payment["Line"]}
    assert links == {("Invoice", 25.0), ("CreditMemo", 25.0)}
    assert quickbooks.one("Invoice", invoice)["Balance"] == 75.0
    assert quickbooks.one("CreditMemo", touched["credit"])["RemainingCredit"] == 0


def test_a_void_is_zero_amounts_and_a_private_note(quickbooks: QuickBooks) -> None:
    customer = quickbooks.new_customer()
    invoice = quickbooks.new_invoice(customer, "100.00")
    payment = quickbooks.act("pay", invoice=invoice, amount="40.00")["payment"]
    before = quickbooks.one("Invoice", invoice)
    quickbooks.act("void", invoice=invoice)
    after = quickbooks.one("Invoice", invoice)
    assert (after["TotalAmt"], after["Balance"], after["PrivateNote"]) == (0, 0, "Voided")
    assert {line["Amount"] for line in after["Line"]} == {0}
    assert int(after["SyncToken"]) > int(before["SyncToken"])
    assert quickbooks.one("Payment", payment)["UnappliedAmt"] == 40.0
    assert quickbooks.one("Customer", customer)["Balance"] == -40.0


def test_a_delete_is_gone_from_queries_and_a_tombstone_in_the_changes(quickbooks: QuickBooks) -> None:
    invoice = quickbooks.new_invoice(quickbooks.new_customer(), "100.00")
    quickbooks.sandbox.advance(2)
    since = quickbooks.sandbox.now().isoformat(timespec="seconds")
    quickbooks.act("delete", invoice=invoice)
    assert quickbooks.find(f"SELECT * FROM Invoice WHERE Id = '{invoice}'") == []
    assert fault_code(quickbooks.get(f"invoice/{invoice}")) == "610"
    changes = quickbooks.get("cdc", entities="Invoice,Payment", changedSince=since).json()
    first, second = changes["CDCResponse"][0]["QueryResponse"]
    real = recorded("derived/invoice_changes.json")["CDCResponse"][0]["QueryResponse"][0]["Invoice"][0]
    assert [shape(record) for record in first["Invoice"]] == [shape(real)]
    assert (first["Invoice"][0]["Id"], first["Invoice"][0]["status"]) == (invoice, "Deleted")
    assert second == {}


def test_a_deleted_payment_opens_its_invoice_again(quickbooks: QuickBooks) -> None:
    invoice = quickbooks.new_invoice(quickbooks.new_customer(), "100.00")
    payment = quickbooks.act("pay", invoice=invoice)["payment"]
    assert quickbooks.one("Invoice", invoice)["Balance"] == 0
    quickbooks.act("delete_payment", payment=payment)
    reopened = quickbooks.one("Invoice", invoice)
    assert (reopened["Balance"], reopened["LinkedTxn"]) == (100.0, [])


def test_changes_look_back_thirty_days_and_no_further(quickbooks: QuickBooks) -> None:
    now = quickbooks.sandbox.now()
    good = quickbooks.get("cdc", entities="Invoice", changedSince=(now - timedelta(days=29)).isoformat())
    assert good.status_code == 200
    far = quickbooks.get("cdc", entities="Invoice", changedSince=(now - timedelta(days=31)).isoformat())
    assert far.status_code == 400


@pytest.mark.parametrize(("cap", "customers"), [("total", 0), ("per_entity", 10)])
def test_changes_stop_at_a_thousand(quickbooks: QuickBooks, cap: str, customers: int) -> None:
    sandbox = quickbooks.sandbox
    sandbox.switches({"quickbooks.cdc_cap": cap})
    card = sandbox.create_company("quickbooks", invoices=1_500, customers=10, history_months=1, seed=3)
    other = QuickBooks(sandbox, card, refresh_token=card["refresh_token"])
    other.refresh()
    since = (sandbox.now() - timedelta(days=29)).isoformat()
    answer = other.get("cdc", entities="Invoice,Customer", changedSince=since).json()
    first, second = answer["CDCResponse"][0]["QueryResponse"]
    other.session.close()
    assert (len(first["Invoice"]), len(second.get("Customer", []))) == (1_000, customers)


def test_the_debt_of_a_job_shows_on_the_parent_with_jobs(quickbooks: QuickBooks) -> None:
    parent = quickbooks.new_customer()
    job = quickbooks.act("new_customer", name="0969 Ocean View Road", parent=parent)["customer"]
    quickbooks.new_invoice(job, "562.50")
    record, child = quickbooks.one("Customer", parent), quickbooks.one("Customer", job)
    assert (record["Balance"], record["BalanceWithJobs"]) == (0, 562.5)
    assert (child["Balance"], child["ParentRef"], child["Job"]) == (562.5, {"value": parent}, True)


def note(kind: str, record_id: str, text: str = "Reminder sent") -> Json:
    return {"AttachableRef": [{"EntityRef": {"type": kind, "value": record_id}}], "Note": text}


def test_a_note_is_written_and_read_back_without_touching_its_invoice(quickbooks: QuickBooks) -> None:
    invoice = quickbooks.new_invoice(quickbooks.new_customer(), "100.00")
    before = quickbooks.one("Invoice", invoice)
    written = quickbooks.post("attachable", note("Invoice", invoice, "Sent on Monday"), requestid="r1").json()
    found = quickbooks.find(
        "SELECT * FROM Attachable WHERE AttachableRef.EntityRef.Type = 'invoice' "
        f"AND AttachableRef.EntityRef.value = '{invoice}'"
    )
    assert found == [written["Attachable"]]
    assert quickbooks.one("Invoice", invoice) == before
    mine = [entry for entry in quickbooks.sandbox.notes() if entry["company"] == quickbooks.realm]
    assert [(entry["target_type"], entry["target_id"], entry["text"], entry["key"]) for entry in mine] == [
        ("invoice", invoice, "Sent on Monday", "r1")
    ]


@pytest.mark.parametrize(("window", "notes"), [("300", 2), ("forever", 1)])
def test_a_requestid_is_honoured_for_five_minutes_and_then_forgotten(
    quickbooks: QuickBooks, window: str, notes: int
) -> None:
    # 00:00 written / 04:59 the same answer, no second note / 05:01 forgotten: a second note
    quickbooks.sandbox.switches({"quickbooks.requestid_window": window})
    invoice = quickbooks.new_invoice(quickbooks.new_customer(), "100.00")
    first = quickbooks.post("attachable", note("Invoice", invoice), requestid="same").json()
    quickbooks.sandbox.advance(290)
    replayed = quickbooks.post("attachable", note("Invoice", invoice), requestid="same").json()
    assert replayed == first
    quickbooks.sandbox.advance(20)
    quickbooks.post("attachable", note("Invoice", invoice), requestid="same")
    mine = [entry for entry in quickbooks.sandbox.notes() if entry["company"] == quickbooks.realm]
    assert len(mine) == notes
    effects = [entry["effect"] for entry in quickbooks.sandbox.requests() if entry["company"] == quickbooks.realm]
    assert effects.count(True) == notes


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Nte": "misspelt"}, "2010"),
        ({"Note": 5}, "2010"),
        ({"Note": "x" * 2001}, "2050"),
        ({"AttachableRef": [{"EntityRef": {"type": "Invoice", "value": "999999"}}]}, "2500"),
        ({"AttachableRef": [{"Entity": {}}]}, "2010"),
    ],
)
def test_a_wrong_note_is_refused_and_nothing_is_written(quickbooks: QuickBooks, change: Json, code: str) -> None:
    body = note("Customer", quickbooks.new_customer()) | change
    answer = quickbooks.post("attachable", body)
    assert (answer.status_code, fault_code(answer)) == (400, code)
    assert quickbooks.find("SELECT * FROM Attachable") == []


def test_a_sparse_update_changes_what_it_names_and_a_stale_one_is_refused(quickbooks: QuickBooks) -> None:
    invoice = quickbooks.new_invoice(quickbooks.new_customer(), "100.00")
    body = {"Id": invoice, "SyncToken": "0", "sparse": True, "EmailStatus": "EmailSent"}
    updated = quickbooks.post("invoice", body).json()["Invoice"]
    assert (updated["EmailStatus"], updated["TotalAmt"], updated["SyncToken"]) == ("EmailSent", 100.0, "1")
    assert fault_code(quickbooks.post("invoice", body)) == "5010"
    assert fault_code(quickbooks.post("invoice", body | {"SyncToken": "1", "Emailstatus": "x"})) == "2010"


def test_a_batch_carries_queries_and_its_faults_inside_an_ok(quickbooks: QuickBooks) -> None:
    items = [
        {"bId": "1", "Query": "SELECT * FROM Payment MAXRESULTS 2"},
        {"bId": "2", "Query": "SELECT * FROM Custmoer"},
        {"bId": "3", "operation": "create", "Attachable": note("Customer", quickbooks.new_customer())},
    ]
    answer = quickbooks.post("batch", {"BatchItemRequest": items})
    assert answer.status_code == 200
    one, two, three = answer.json()["BatchItemResponse"]
    assert len(one["QueryResponse"]["Payment"]) == 2
    assert two["Fault"]["Error"][0]["code"] == "4001"
    assert three["Attachable"]["Note"] == "Reminder sent"
    assert quickbooks.post("batch", {"BatchItemRequest": items * 11}).status_code == 400


def test_the_throttle_runs_on_the_sandboxs_clock(quickbooks: QuickBooks) -> None:
    quickbooks.sandbox.limits("quickbooks", second=None, minute=3)
    quickbooks.sandbox.advance(61)
    assert [quickbooks.get("preferences").status_code for _ in range(4)] == [200, 200, 200, 429]
    quickbooks.sandbox.advance(61)
    assert quickbooks.get("preferences").status_code == 200
    quickbooks.sandbox.switches({"quickbooks.retry_after_on_429": True})
    answers = [quickbooks.get("preferences") for _ in range(3)]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_the_same_seed_tells_the_same_story(quickbooks: QuickBooks) -> None:
    orders = {"invoices": 80, "customers": 12, "seed": 5, "as_of": "2026-06-30"}
    first, second = (quickbooks.sandbox.create_company("quickbooks", **orders) for _ in range(2))
    truths = [quickbooks.sandbox.truth(card["id"]) for card in (first, second)]
    assert truths[0] == truths[1]
    assert len(truths[0]["invoices"]) == 80


def test_every_customers_balance_is_its_open_invoices_less_credit_and_unapplied_money(quickbooks: QuickBooks) -> None:
    quickbooks.sandbox.live(quickbooks.realm, days=40)
    truth = quickbooks.sandbox.truth(quickbooks.realm)
    net: dict[str, Decimal] = {}
    for kind, key, sign in (("invoices", "balance", 1), ("payments", "unapplied", -1), ("credits", "unapplied", -1)):
        for record in truth[kind]:
            net[record["customer"]] = net.get(record["customer"], Decimal(0)) + sign * Decimal(record[key])
    for customer in truth["customers"]:
        assert Decimal(customer["balance"]) == net.get(customer["id"], Decimal(0)), customer["name"]
    paid: dict[str, Decimal] = {}
    for payment in truth["payments"]:
        for part in payment["allocations"]:
            if part["kind"] == "Invoice":
                paid[part["id"]] = paid.get(part["id"], Decimal(0)) + Decimal(part["amount"])
    for invoice in truth["invoices"]:
        assert Decimal(invoice["total"]) - paid.get(invoice["id"], Decimal(0)) == Decimal(invoice["balance"])


def test_the_ledger_has_what_a_credit_controller_meets(quickbooks: QuickBooks) -> None:
    card = quickbooks.sandbox.create_company("quickbooks", invoices=3000, customers=250, seed=7)
    truth = quickbooks.sandbox.truth(card["id"])
    today = quickbooks.sandbox.now().date().isoformat()
    long_ago = (quickbooks.sandbox.now().date() - timedelta(days=60)).isoformat()
    still_open = [record for record in truth["invoices"] if record["state"] == "open"]
    overdue = [record for record in still_open if record["due"] and record["due"] < today]
    assert 0.03 < len(still_open) / 3000 < 0.15
    assert len(overdue) > 40
    assert sum(record["due"] < long_ago for record in overdue) > 10
    assert any(record["due"] is None for record in truth["invoices"])
    assert len({record["currency"] for record in truth["invoices"]}) > 2
    assert any(Decimal(record["unapplied"]) > 0 for record in truth["payments"])
    assert any(Decimal(record["unapplied"]) > 0 for record in truth["credits"])
    assert any(record["parent"] for record in truth["customers"])
    assert any(record["email"] is None for record in truth["customers"])
    assert any(Decimal(0) < Decimal(record["balance"]) < Decimal(record["total"]) for record in still_open)


def test_customers_go_on_behaving_and_every_delta_sees_it(quickbooks: QuickBooks) -> None:
    since = quickbooks.sandbox.now().isoformat(timespec="seconds")
    ledger = quickbooks.sandbox.live(quickbooks.realm, days=30)
    assert {"invoice", "payment"} <= {entry["what"] for entry in ledger}
    quickbooks.refresh()
    changed = quickbooks.find(f"SELECT * FROM Payment WHERE MetaData.LastUpdatedTime > '{since}' MAXRESULTS 1000")
    assert {entry["payment"] for entry in ledger if "payment" in entry} <= {record["Id"] for record in changed}
    assert quickbooks.sandbox.live(quickbooks.realm) == []


def test_batches_have_a_limit_of_their_own(quickbooks: QuickBooks) -> None:
    quickbooks.sandbox.limits("quickbooks", second=None, minute=None, batch_minute=2)
    batch = {"BatchItemRequest": [{"bId": "1", "Query": "SELECT * FROM Payment MAXRESULTS 2"}]}
    assert [quickbooks.post("batch", batch).status_code for _ in range(3)] == [200, 200, 429]
    assert quickbooks.get("preferences").status_code == 200
    quickbooks.sandbox.advance(61)
    assert quickbooks.post("batch", batch).status_code == 200
