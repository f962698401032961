"""What the emulated Xero does over time: paging, deltas, money, notes, tokens and limits."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from openapi_core.exceptions import OpenAPIError
from tests.integration.sandbox.xero_exchange import Xero

from arsync.sandbox.launch import SandboxControl, running_sandbox

OPEN_SALES = 'Type=="ACCREC" AND AmountDue>0'


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxControl]:
    with running_sandbox() as control:
        control.speed(0)
        yield control


@pytest.fixture
def sandbox(process: SandboxControl) -> Iterator[SandboxControl]:
    """The sandbox with every switch and rule as it was afterwards."""
    before = process.switches()
    yield process
    process.switches(before)
    process.rules(edit_after_page=0, latency=0)
    process.clear_faults()
    process.limits("xero", minute=60, concurrent=5)


def company(sandbox: SandboxControl, **order: Any) -> dict[str, Any]:
    return sandbox.create_company("xero", **{"invoices": 90, "customers": 12, "seed": 5, **order})


@pytest.fixture
def xero(sandbox: SandboxControl) -> Iterator[Xero]:
    client = Xero(sandbox, company(sandbox))
    with client.session:
        yield client


def fresh_invoice(xero: Xero, amount: str = "100.00") -> str:
    """A new invoice to a new customer, a minute before now."""
    customer = xero.sandbox.act(xero.tenant, "new_customer", name="Alder Joinery Ltd", email="a@alder.example")["id"]
    invoice = xero.sandbox.act(xero.tenant, "new_invoice", customer=customer, amount=amount)["id"]
    xero.sandbox.advance(60)
    return str(invoice)


def since(xero: Xero, moment: datetime, noun: str = "Invoices") -> list[str]:
    """Ids of what changed since a moment, asked as the vendor documents it."""
    answer = xero.get(noun, headers={"If-Modified-Since": moment.strftime("%Y-%m-%dT%H:%M:%SZ")})
    return [record[f"{noun[:-1]}ID"] for record in answer.json()[noun]]


# -- lists ---------------------------------------------------------------------------------------


def test_pages_hold_every_invoice_once_and_say_how_many_there_are(xero: Xero) -> None:
    truth = {invoice["id"] for invoice in xero.sandbox.truth(xero.tenant)["invoices"]}
    seen: list[str] = []
    page = 1
    while True:
        body = xero.get("Invoices", where='Type=="ACCREC"', page=page, pageSize=40).json()
        assert body["pagination"] == {"page": page, "pageSize": 40, "pageCount": 3, "itemCount": len(truth)}
        if not body["Invoices"]:
            break
        seen += [invoice["InvoiceID"] for invoice in body["Invoices"]]
        page += 1
    assert sorted(seen) == sorted(truth)


def test_line_items_come_with_pages_only_and_a_summary_leaves_payments_out(xero: Xero) -> None:
    paid = {"where": 'Status=="PAID" AND Type=="ACCREC" AND AmountPaid>0'}
    plain = xero.records("Invoices", **paid)[0]
    paged = xero.records("Invoices", page=1, **paid)[0]
    summary = xero.records("Invoices", summaryOnly="True", **paid)[0]
    assert plain["InvoiceID"] == paged["InvoiceID"] == summary["InvoiceID"]
    assert (plain["LineItems"], bool(plain["Payments"])) == ([], True)
    assert (bool(paged["LineItems"]), bool(paged["Payments"])) == (True, True)
    assert {"Payments", "LineItems", "HasAttachments"} & set(summary) == set()


def test_lines_tax_payments_and_credits_add_up_on_every_invoice(xero: Xero) -> None:
    for invoice in xero.records("Invoices", page=1, pageSize=1000):
        lines = invoice["LineItems"]
        names = ("SubTotal", "TotalTax", "Total", "AmountDue", "AmountPaid", "AmountCredited")
        money = {name: Decimal(str(invoice[name])) for name in names}
        assert sum(Decimal(str(line["LineAmount"])) for line in lines) == money["SubTotal"]
        assert sum(Decimal(str(line["TaxAmount"])) for line in lines) == money["TotalTax"]
        assert money["SubTotal"] + money["TotalTax"] == money["Total"]
        if invoice["Status"] not in ("VOIDED", "DELETED"):
            assert money["Total"] == money["AmountDue"] + money["AmountPaid"] + money["AmountCredited"]
            assert sum(Decimal(str(payment["Amount"])) for payment in invoice["Payments"]) == money["AmountPaid"]


def test_the_filters_of_a_first_pull_find_exactly_what_is_open(xero: Xero) -> None:
    truth = xero.sandbox.truth(xero.tenant)["invoices"]
    owed = {invoice["id"]: invoice for invoice in truth if invoice["state"] == "open"}
    found = xero.records("Invoices", Statuses="AUTHORISED", where=OPEN_SALES, page=1, pageSize=1000)
    assert {invoice["InvoiceID"]: f"{invoice['AmountDue']:.2f}" for invoice in found} == {
        key: invoice["balance"] for key, invoice in owed.items()
    }
    assert owed
    one = next(iter(owed.values()))
    for query in (
        {"ContactIDs": one["customer"]},
        {"where": f'Contact.ContactID==guid("{one["customer"]}") && Type=="ACCREC"'},
        {"where": f'(InvoiceNumber=="{one["number"]}")'},
        {"InvoiceNumbers": one["number"]},
        {"IDs": one["id"]},
    ):
        assert one["id"] in [invoice["InvoiceID"] for invoice in xero.records("Invoices", **query)], query
    year, month, day = map(int, one["issued"].split("-"))
    later = xero.records("Invoices", where=f'Type=="ACCREC" AND Date>=DateTime({year}, {month}, {day:02d})')
    assert {invoice["InvoiceID"] for invoice in later} == {
        invoice["id"] for invoice in truth if invoice["issued"] >= one["issued"]
    }


def test_a_list_of_ids_too_long_for_an_address_is_refused(xero: Xero) -> None:
    ids = [invoice["id"] for invoice in xero.sandbox.truth(xero.tenant)["invoices"]]
    assert len(xero.records("Invoices", IDs=",".join(ids[:40]))) == 40
    assert xero.get("Invoices", IDs=",".join(ids[:60])).status_code == 414


def test_edits_between_pages_lose_rows_by_update_time_but_not_by_id(sandbox: SandboxControl) -> None:
    def pull(order: str) -> set[str]:
        with Xero(sandbox, company(sandbox, invoices=200)).session as session:
            xero = Xero(sandbox, company(sandbox, invoices=200), session=session)
            sandbox.rules(edit_after_page=3)
            pages = [
                xero.records("Invoices", where='Type=="ACCREC"', page=page, pageSize=20, order=order)
                for page in range(1, 11)
            ]
            truth = {invoice["id"] for invoice in sandbox.truth(xero.tenant)["invoices"]}
            return truth - {invoice["InvoiceID"] for page in pages for invoice in page}

    assert len(pull("UpdatedDateUTC ASC")) > 10
    assert pull("InvoiceID ASC") == set()


def test_bills_are_in_the_list_until_sales_are_asked_for(xero: Xero) -> None:
    types = [invoice["Type"] for invoice in xero.records("Invoices", page=1, pageSize=1000)]
    assert set(types) == {"ACCREC", "ACCPAY"}
    assert types.count("ACCREC") == 90


# -- deltas --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("inclusive", "seen"), [(False, False), (True, True)])
def test_a_change_at_the_very_moment_asked_for_is_seen_as_the_switch_says(
    xero: Xero, inclusive: bool, seen: bool
) -> None:
    xero.sandbox.switches({"xero.modified_since_inclusive": inclusive})
    xero.sandbox.set_clock(xero.sandbox.now().replace(microsecond=0))
    moment = xero.sandbox.now()
    customer = xero.records("Contacts")[0]["ContactID"]
    invoice = xero.sandbox.act(xero.tenant, "new_invoice", customer=customer)["id"]
    assert (invoice in since(xero, moment)) is seen
    assert since(xero, moment + timedelta(days=366)) == []


def test_a_time_without_a_zone_is_utc_and_anything_else_is_refused(xero: Xero) -> None:
    everything = len(xero.records("Invoices"))
    for text, status in (("2001-01-01T00:00:00", 200), ("2001-01-01T02:00:00+02:00", 200), ("yesterday", 400)):
        answer = xero.get("Invoices", headers={"If-Modified-Since": text}, lax=True)
        assert answer.status_code == status
        if status == 200:
            assert len(answer.json()["Invoices"]) == everything


@pytest.mark.parametrize("bumps", [True, False])
def test_a_payment_lowers_what_is_due_and_moves_the_stamp_as_the_switch_says(xero: Xero, bumps: bool) -> None:
    invoice = fresh_invoice(xero)
    xero.sandbox.switches({"xero.payment_bumps_invoice": bumps})
    before = xero.sandbox.now()
    xero.sandbox.advance(5)
    payment = xero.sandbox.act(xero.tenant, "pay", invoice=invoice, amount="40.00")["id"]
    shown = xero.one("Invoices", invoice)
    assert (shown["AmountDue"], shown["AmountPaid"], shown["Status"]) == (60.0, 40.0, "AUTHORISED")
    assert [paid["PaymentID"] for paid in shown["Payments"]] == [payment]
    assert since(xero, before, "Payments") == [payment]
    assert since(xero, before) == ([invoice] if bumps else [])
    xero.sandbox.act(xero.tenant, "pay", invoice=invoice)
    shown = xero.one("Invoices", invoice)
    assert (shown["AmountDue"], shown["Status"]) == (0.0, "PAID")
    assert "FullyPaidOnDate" in shown


@pytest.mark.parametrize("modified", [True, False])
def test_a_deleted_payment_stays_as_deleted_and_its_invoice_is_owed_again(xero: Xero, modified: bool) -> None:
    invoice = fresh_invoice(xero)
    xero.sandbox.switches({"xero.deleted_payment_modified": modified})
    payment = xero.sandbox.act(xero.tenant, "pay", invoice=invoice)["id"]
    xero.sandbox.advance(60)
    before = xero.sandbox.now()
    xero.sandbox.advance(60)
    xero.sandbox.act(xero.tenant, "delete_payment", payment=payment)
    assert xero.one("Payments", payment)["Status"] == "DELETED"
    shown = xero.one("Invoices", invoice)
    assert (shown["AmountDue"], shown["Status"], shown["Payments"]) == (100.0, "AUTHORISED", [])
    assert since(xero, before, "Payments") == ([payment] if modified else [])
    assert since(xero, before) == [invoice]


# -- credits and endings -------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "noun"), [("overpayment", "Overpayments"), ("prepayment", "Prepayments")])
def test_money_on_account_leaves_the_invoice_open_until_it_is_allocated(xero: Xero, kind: str, noun: str) -> None:
    invoice = fresh_invoice(xero)
    customer = xero.one("Invoices", invoice)["Contact"]["ContactID"]
    credit = xero.sandbox.act(xero.tenant, "pay_unapplied", customer=customer, amount="130.00", kind=kind)["id"]
    assert xero.one("Invoices", invoice)["AmountDue"] == 100.0
    assert xero.one(noun, credit)["RemainingCredit"] == 130.0
    assert xero.one("Contacts", customer)["Balances"]["AccountsReceivable"]["Outstanding"] == -30.0
    xero.sandbox.act(xero.tenant, "apply", payment=credit, invoice=invoice)
    shown, left = xero.one("Invoices", invoice), xero.one(noun, credit)
    assert (shown["AmountDue"], shown["AmountCredited"], shown["Status"]) == (0.0, 100.0, "PAID")
    assert shown[noun][0]["AppliedAmount"] == 100.0
    assert (left["RemainingCredit"], left["Allocations"][0]["Invoice"]["InvoiceID"]) == (30.0, invoice)
    assert credit not in [payment["PaymentID"] for payment in xero.records("Payments")]


def test_a_credit_note_reduces_the_invoice_it_is_put_on(xero: Xero) -> None:
    invoice = fresh_invoice(xero)
    note = xero.sandbox.act(xero.tenant, "credit_note", amount="25.50", apply_to=invoice)["id"]
    shown = xero.one("Invoices", invoice)
    assert (shown["AmountDue"], shown["AmountCredited"]) == (74.5, 25.5)
    assert shown["CreditNotes"][0]["CreditNoteID"] == note
    assert (xero.one("CreditNotes", note)["Status"], xero.one("CreditNotes", note)["RemainingCredit"]) == ("PAID", 0.0)


def test_a_void_is_a_status_with_nothing_due_and_gives_back_what_was_applied(xero: Xero) -> None:
    invoice = fresh_invoice(xero)
    payment = xero.sandbox.act(xero.tenant, "pay", invoice=invoice, amount="10.00")["id"]
    touched = xero.sandbox.act(xero.tenant, "void", invoice=invoice)
    assert set(touched["ids"]) == {invoice, payment}
    shown = xero.one("Invoices", invoice)
    assert (shown["Status"], shown["AmountDue"], shown["Total"]) == ("VOIDED", 0.0, 100.0)
    customer = shown["Contact"]["ContactID"]
    draft = xero.sandbox.act(xero.tenant, "new_invoice", customer=customer, status="DRAFT")["id"]
    xero.sandbox.act(xero.tenant, "delete", invoice=draft)
    assert xero.one("Invoices", draft)["Status"] == "DELETED"


def test_more_than_is_due_cannot_be_paid(xero: Xero) -> None:
    invoice = fresh_invoice(xero)
    with pytest.raises(RuntimeError, match="amount due"):
        xero.sandbox.act(xero.tenant, "pay", invoice=invoice, amount="100.01")
    with pytest.raises(RuntimeError, match="does not know colour"):
        xero.sandbox.act(xero.tenant, "pay", invoice=invoice, colour="red")


# -- people --------------------------------------------------------------------------------------


def test_a_merged_contact_names_its_survivor_and_archived_ones_must_be_asked_for(xero: Xero) -> None:
    invoice = fresh_invoice(xero)
    gone = xero.one("Invoices", invoice)["Contact"]["ContactID"]
    survivor = xero.records("Contacts")[0]["ContactID"]
    xero.sandbox.act(xero.tenant, "merge", customer=gone, into=survivor)
    assert xero.one("Invoices", invoice)["Contact"]["ContactID"] == survivor
    assert gone not in [contact["ContactID"] for contact in xero.records("Contacts")]
    kept = {contact["ContactID"]: contact for contact in xero.records("Contacts", includeArchived="true")}
    assert (kept[gone]["ContactStatus"], kept[gone]["MergedToContactID"]) == ("ARCHIVED", survivor)


def test_an_edited_customer_shows_at_once_on_its_documents_without_moving_their_stamps(xero: Xero) -> None:
    invoice = fresh_invoice(xero)
    before = xero.one("Invoices", invoice)
    customer = before["Contact"]["ContactID"]
    xero.sandbox.act(xero.tenant, "edit_customer", customer=customer, name="Alder & Sons Ltd", email=None)
    after = xero.one("Invoices", invoice)
    assert after["Contact"]["Name"] == "Alder & Sons Ltd"
    assert after["UpdatedDateUTC"] == before["UpdatedDateUTC"]
    assert xero.one("Contacts", customer)["EmailAddress"] == ""


def test_some_customers_have_persons_no_address_or_another_currency(sandbox: SandboxControl) -> None:
    card = company(sandbox, invoices=300, customers=200)
    with Xero(sandbox, card).session as session:
        contacts = Xero(sandbox, card, session=session).records("Contacts", page=1, pageSize=1000)
    assert any(contact["EmailAddress"] == "" for contact in contacts)
    assert any(contact["DefaultCurrency"] != "USD" for contact in contacts)
    persons = [person for contact in contacts for person in contact["ContactPersons"]]
    assert {person["IncludeInEmails"] for person in persons} == {True, False}


# -- broken records ------------------------------------------------------------------------------


def test_a_corrupt_record_breaks_the_document_on_the_wire_until_it_is_restored(xero: Xero) -> None:
    invoice = fresh_invoice(xero)
    xero.sandbox.act(xero.tenant, "corrupt", id=invoice, fields={"AmountDue": "abc", "Contact": None})
    with pytest.raises(OpenAPIError):
        xero.one("Invoices", invoice)
    xero.sandbox.act(xero.tenant, "restore", id=invoice)
    assert xero.one("Invoices", invoice)["AmountDue"] == 100.0


# -- notes ---------------------------------------------------------------------------------------


def notes_on(xero: Xero, target: str) -> list[str]:
    return [note["text"] for note in xero.sandbox.notes() if note["target_id"] == target]


def test_a_key_stands_for_one_note_for_five_minutes_and_is_then_forgotten(xero: Xero) -> None:
    invoice = fresh_invoice(xero)
    path = f"Invoices/{invoice}"
    first = xero.note(path, "sent", key="k")
    xero.sandbox.advance(299)
    again = xero.note(path, "sent", key="k")
    assert (again.status_code, again.content) == (200, first.content)
    assert notes_on(xero, invoice) == ["sent"]
    xero.sandbox.advance(2)
    xero.note(path, "sent", key="k")
    assert notes_on(xero, invoice) == ["sent", "sent"]
    effects = [entry["effect"] for entry in xero.sandbox.requests() if entry["idempotency_key"] == "k"]
    assert effects[-3:] == [True, False, True]


@pytest.mark.parametrize(("window", "notes"), [("forever", 1), ("0", 2)])
def test_how_long_a_key_is_remembered_is_a_switch(xero: Xero, window: str, notes: int) -> None:
    xero.sandbox.switches({"xero.idempotency_window": window})
    invoice = fresh_invoice(xero)
    for _ in range(2):
        assert xero.note(f"Invoices/{invoice}", "sent", key="same").status_code == 200
        xero.sandbox.advance(1_000)
    assert len(notes_on(xero, invoice)) == notes


def test_a_key_belongs_to_one_request_and_is_128_characters_at_most(xero: Xero) -> None:
    invoice = fresh_invoice(xero)
    path = f"Invoices/{invoice}"
    assert xero.note(path, "one", key="k2").status_code == 200
    assert xero.note(path, "two", key="k2").status_code == 400
    assert xero.note(path, "three", key="k" * 129).status_code == 400
    assert notes_on(xero, invoice) == ["one"]


def test_the_longest_note_is_a_switch(xero: Xero) -> None:
    invoice = fresh_invoice(xero)
    path = f"Invoices/{invoice}"
    assert xero.note(path, "x" * 2500).status_code == 200
    xero.sandbox.switches({"xero.longest_note": 250})
    assert [xero.note(path, "x" * length).status_code for length in (250, 251)] == [200, 400]


def test_a_note_whose_answer_is_lost_is_there_and_its_key_still_answers(xero: Xero) -> None:
    invoice = fresh_invoice(xero)
    xero.sandbox.fault("disconnect_after", {"company": xero.tenant, "method": "PUT"})
    with pytest.raises(requests.ConnectionError):
        xero.note(f"Invoices/{invoice}", "sent", key="lost")
    assert notes_on(xero, invoice) == ["sent"]
    assert xero.note(f"Invoices/{invoice}", "sent", key="lost").status_code == 200
    assert notes_on(xero, invoice) == ["sent"]


# -- tokens --------------------------------------------------------------------------------------


def test_a_refresh_rotates_and_the_old_token_has_half_an_hour_of_grace(xero: Xero) -> None:
    old = xero.card["refresh_token"]
    assert xero.refresh_token != old
    xero.sandbox.advance(1_799)
    assert xero.ask_token(grant_type="refresh_token", refresh_token=old).status_code == 200
    xero.sandbox.advance(2)
    answer = xero.ask_token(grant_type="refresh_token", refresh_token=old)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})
    assert xero.sign_in(xero.refresh_token).status_code == 200


def test_an_access_token_lives_half_an_hour_and_an_unused_refresh_token_sixty_days(xero: Xero) -> None:
    xero.sandbox.advance(1_799)
    assert xero.get("Organisation").status_code == 200
    xero.sandbox.advance(2)
    assert xero.get("Organisation").status_code == 401
    assert xero.sign_in(xero.refresh_token).status_code == 200
    assert xero.get("Organisation").status_code == 200
    xero.sandbox.advance(days=60)
    assert xero.sign_in(xero.refresh_token).json() == {"error": "invalid_grant"}
    card = xero.sandbox.grant(xero.tenant)
    assert xero.sign_in(card["refresh_token"]).status_code == 200


def test_the_client_signs_in_by_form_or_header_and_a_wrong_secret_is_refused(xero: Xero) -> None:
    pair = f"{xero.card['client_id']}:{xero.card['client_secret']}"
    basic = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    form = {"grant_type": "refresh_token", "refresh_token": xero.refresh_token}
    answer = xero.session.post(xero.sandbox.xero_token, data=form, headers=basic, timeout=30)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "refresh_token", "expires_in", "token_type", "scope"}
    assert xero.ask_token(client_secret="wrong", **form).json() == {"error": "invalid_client"}
    assert xero.ask_token(grant_type="password").json() == {"error": "unsupported_grant_type"}
    custom = xero.ask_token(grant_type="client_credentials")
    assert "refresh_token" not in custom.json()
    xero.token = custom.json()["access_token"]
    assert xero.get("Organisation", headers={"xero-tenant-id": ""}).status_code == 200


def test_a_revoked_consent_answers_nothing_more(xero: Xero) -> None:
    client = {"client_id": xero.card["client_id"], "client_secret": xero.card["client_secret"]}
    url = f"{xero.sandbox.url}/xero/connect/revocation"
    assert xero.session.post(url, data={"token": xero.refresh_token} | client, timeout=30).status_code == 200
    assert xero.get("Organisation").status_code == 401
    assert xero.sign_in(xero.refresh_token).json() == {"error": "invalid_grant"}


def test_one_consent_may_hold_several_organisations(sandbox: SandboxControl) -> None:
    first = company(sandbox, name="Alder Group")
    second = company(sandbox, name="Birch Group", grant_of=first["id"])
    assert second["client_id"] == first["client_id"]
    with Xero(sandbox, second).session as session:
        here = Xero(sandbox, second, session=session)
        there = Xero(sandbox, first, session=session, tenant=first["id"], token=here.token)
        headers = {"Authorization": f"Bearer {here.token}"}
        listed = session.get(sandbox.xero_connections, headers=headers, timeout=30).json()
        assert [one["tenantName"] for one in listed] == ["Alder Group", "Birch Group"]
        names = [one.get("Organisation").json()["Organisations"][0]["Name"] for one in (there, here)]
        assert names == ["Alder Group", "Birch Group"]
        sandbox.act(first["id"], "disconnect")
        assert (there.get("Invoices").status_code, here.get("Invoices").status_code) == (403, 200)
        stranger = Xero(sandbox, company(sandbox), session=session)
        stranger.tenant = second["id"]
        assert stranger.get("Invoices").status_code == 403


# -- limits --------------------------------------------------------------------------------------


def test_a_sixth_request_at_once_is_429(xero: Xero) -> None:
    xero.sandbox.rules(latency=0.5)

    def ask(_: int) -> requests.Response:
        headers = {"Accept": "application/json", "xero-tenant-id": xero.tenant, "Authorization": f"Bearer {xero.token}"}
        return requests.get(f"{xero.sandbox.xero_api}/Organisation", headers=headers, timeout=30)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429]
    (refused,) = [answer for answer in answers if answer.status_code == 429]
    assert refused.headers["X-Rate-Limit-Problem"] == "concurrent"


def test_each_organisation_has_its_own_minute(xero: Xero) -> None:
    other = Xero(xero.sandbox, company(xero.sandbox), session=xero.session)
    xero.sandbox.limits("xero", minute=2)
    assert [xero.get("Organisation").status_code for _ in range(3)] == [200, 200, 429]
    assert other.get("Organisation").status_code == 200


# -- the company's life --------------------------------------------------------------------------


def test_the_same_seed_tells_the_same_story(sandbox: SandboxControl) -> None:
    """As of one day: midnight may pass between two companies."""
    today = sandbox.now().date().isoformat()

    def ledger(seed: int) -> list[tuple[str, ...]]:
        truth = sandbox.truth(company(sandbox, seed=seed, as_of=today)["id"])
        return [(one["number"], one["total"], one["balance"], one["due"] or "") for one in truth["invoices"]]

    assert ledger(5) == ledger(5)
    assert ledger(5) != ledger(6)


def test_a_week_of_life_is_in_the_delta_and_in_the_truth(sandbox: SandboxControl) -> None:
    card = company(sandbox, invoices=600, customers=40)
    before, when = sandbox.truth(card["id"]), sandbox.now()
    ledger = sandbox.live(card["id"], days=7)
    after = sandbox.truth(card["id"])
    assert {entry["what"] for entry in ledger} >= {"payment", "invoice"}
    assert len(after["invoices"]) - len(before["invoices"]) == sum(one["what"] == "invoice" for one in ledger)
    balance = {one["id"]: one["balance"] for one in before["invoices"]}
    changed = {one["id"] for one in after["invoices"] if balance.get(one["id"]) != one["balance"]}
    with Xero(sandbox, card).session as session:
        assert changed <= set(since(Xero(sandbox, card, session=session), when))
    assert changed
    assert sandbox.live(card["id"]) == []
