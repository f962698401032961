"""The QuickBooks connector against the sandbox, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from tests.sandbox_clock import ToldTime

from arsync.connector import Linked, NoteDraft, NoteTarget, Page, Resource, TargetKind
from arsync.domain.documents import CreditNote, Customer, Deleted, Invoice, InvoiceState, Payment, Record
from arsync.errors import OutcomeUnknown, Rejected
from arsync.sandbox.launch import SandboxControl
from arsync.testing.ports import MemoryVault, UnlimitedBudget
from arsync_quickbooks import Connector, Settings

_TRUTH = {
    Resource.CUSTOMERS: "customers",
    Resource.INVOICES: "invoices",
    Resource.PAYMENTS: "payments",
    Resource.CREDIT_NOTES: "credits",
}


class SandboxClock:
    """The sandbox's time; a wait moves it on."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self._sandbox = sandbox
        self._told = ToldTime(sandbox)

    def now(self) -> datetime:
        return self._told.now()

    def elapsed(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self._sandbox.advance(seconds)


@dataclass(frozen=True)
class Shop:
    """A company in the sandbox and a connector to it."""

    sandbox: SandboxControl
    id: str
    quickbooks: Connector
    budget: UnlimitedBudget
    since: date

    def act(self, do: str, **fields: Any) -> dict[str, Any]:
        return self.sandbox.act(self.id, do, **fields)

    def truth(self) -> dict[str, dict[str, dict[str, Any]]]:
        found = self.sandbox.truth(self.id)
        return {kind: {row["id"]: row for row in found[kind]} for kind in _TRUTH.values()}

    def open_invoice(self, number: int = 0) -> dict[str, Any]:
        return [row for row in self.truth()["invoices"].values() if row["state"] == "open"][number]


def shop(sandbox: SandboxControl, *, invoices: int, customers: int = 40, months: int = 24) -> Shop:
    card = sandbox.create_company(
        "quickbooks",
        name="Harbour Tools",
        invoices=invoices,
        customers=customers,
        seed=7,
        currency="USD",
        timezone="America/New_York",
        history_months=months,
    )
    budget = UnlimitedBudget()
    quickbooks = Connector(
        settings=Settings.model_validate(
            {
                "client_id": card["client_id"],
                "client_secret": card["client_secret"],
                "api_url": sandbox.quickbooks_api,
                "token_url": sandbox.quickbooks_token,
            }
        ),
        linked=Linked(external_id=card["id"]),
        vault=MemoryVault.with_refresh(card["refresh_token"]),
        budget=budget,
        clock=SandboxClock(sandbox),
        session=requests.Session(),
    )
    since = (sandbox.now() - timedelta(days=31 * months)).date()
    return Shop(sandbox, card["id"], quickbooks, budget, since)


@pytest.fixture
def small(sandbox: SandboxControl) -> Shop:
    return shop(sandbox, invoices=120)


@contextmanager
def switched(sandbox: SandboxControl, **switches: Any) -> Iterator[None]:
    names = {name.replace("__", "."): value for name, value in switches.items()}
    before = {name: value for name, value in sandbox.switches().items() if name in names}
    sandbox.switches(names)
    try:
        yield
    finally:
        sandbox.switches(before)


def records(pages: Iterable[Page]) -> dict[tuple[Resource, str], Record]:
    """What a store would hold after these pages: the newest of each."""
    found: dict[tuple[Resource, str], Record] = {}
    for page in pages:
        for record in page.records:
            known = found.get((page.resource, record.remote_id))
            if known is None or record.updated_at >= known.updated_at:
                found[page.resource, record.remote_id] = record
    return found


def everything(shop: Shop) -> dict[tuple[Resource, str], Record]:
    found: dict[tuple[Resource, str], Record] = {}
    for resource in Resource:
        found |= records(shop.quickbooks.backfill(resource, since=shop.since, cursor=None))
    return found


def agree(found: dict[tuple[Resource, str], Record], truth: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Every record here is as it is there, and none is missing or left over."""
    for resource, kind in _TRUTH.items():
        here = {
            remote_id: record
            for (of, remote_id), record in found.items()
            if of is resource and not isinstance(record, Deleted)
        }
        there = {remote_id: row for remote_id, row in truth[kind].items() if row.get("state") != "deleted"}
        assert here.keys() == there.keys(), resource
        for remote_id, record in here.items():
            row = there[remote_id]
            match record:
                case Invoice():
                    assert (record.total, record.balance) == (Decimal(row["total"]), Decimal(row["balance"])), row
                    assert record.currency == row["currency"]
                case Payment():
                    assert (record.amount, record.unapplied) == (Decimal(row["total"]), Decimal(row["unapplied"])), row
                case CreditNote():
                    assert record.unapplied == Decimal(row["unapplied"]), row
                case Customer():
                    assert record.name == row["name"]


# --- everything -------------------------------------------------------------------------------------------


def test_a_backfill_agrees_with_the_books_to_the_cent(sandbox: SandboxControl) -> None:
    big = shop(sandbox, invoices=2500, customers=150)
    found = everything(big)
    agree(found, big.truth())
    for resource in Resource:
        assert big.quickbooks.count(resource, since=big.since) == sum(of is resource for of, _ in found)


def test_old_open_invoices_come_and_old_paid_ones_do_not(small: Shop) -> None:
    since = (small.sandbox.now() - timedelta(days=60)).date()
    pages = list(small.quickbooks.backfill(Resource.INVOICES, since=since, cursor=None))
    there = small.truth()["invoices"].values()
    wanted = {row["id"] for row in there if row["issued"] >= since.isoformat() or Decimal(row["balance"]) > 0}
    assert {remote_id for _, remote_id in records(pages)} == wanted
    assert len(wanted) < len(there)
    assert sum(page.seen for page in pages) == small.quickbooks.count(Resource.INVOICES, since=since)


def test_edits_after_every_page_lose_nothing_and_leave_nothing_stale(sandbox: SandboxControl) -> None:
    busy = shop(sandbox, invoices=3500, customers=100)
    watermark = busy.quickbooks.watermark()
    sandbox.rules(edit_after_page=3)
    try:
        found = everything(busy)
    finally:
        sandbox.rules(edit_after_page=0)
    found |= records(busy.quickbooks.delta(watermark))
    truth = busy.truth()
    agree(found, truth)
    edited = [
        row
        for row in truth["invoices"].values()
        if row["updated"] > (busy.sandbox.now() - timedelta(hours=1)).isoformat()
    ]
    assert len(edited) >= 9
    for row in truth["invoices"].values():
        updated_at = datetime.fromisoformat(row["updated"]).replace(microsecond=0)
        assert found[Resource.INVOICES, row["id"]].updated_at == updated_at


def test_a_backfill_goes_on_where_it_was_killed(sandbox: SandboxControl) -> None:
    killed = shop(sandbox, invoices=2600, customers=100)
    pages = killed.quickbooks.backfill(Resource.INVOICES, since=killed.since, cursor=None)
    before = [next(pages), next(pages), next(pages)]
    after = list(killed.quickbooks.backfill(Resource.INVOICES, since=killed.since, cursor=before[-1].cursor))
    assert {remote_id for _, remote_id in records(before) | records(after)} == killed.truth()["invoices"].keys()
    assert sum(page.seen for page in before + after) == 2600


def test_a_throttled_vendor_is_waited_for_on_its_own_clock(sandbox: SandboxControl) -> None:
    slow = shop(sandbox, invoices=100)
    sandbox.fault("throttle", {"company": slow.id}, every=2, times=3)
    agree(everything(slow), slow.truth())
    assert slow.budget.statuses.count(429) >= 3


def test_a_token_that_expires_between_two_pages_is_renewed(sandbox: SandboxControl) -> None:
    long = shop(sandbox, invoices=1500)
    pages = long.quickbooks.backfill(Resource.INVOICES, since=long.since, cursor=None)
    found = [next(pages), next(pages)]
    sandbox.advance(3601)
    found += pages
    assert {remote_id for _, remote_id in records(found)} == long.truth()["invoices"].keys()


# --- changes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bumps", [True, False])
@pytest.mark.parametrize("cap", ["total", "per_entity"])
def test_a_delta_brings_the_cache_up_to_the_books(small: Shop, bumps: bool, cap: str) -> None:
    with switched(small.sandbox, quickbooks__payment_bumps_invoice=bumps, quickbooks__cdc_cap=cap):
        watermark = small.quickbooks.watermark()
        found = everything(small)
        small.sandbox.advance(days=1)
        small.act("pay", invoice=small.open_invoice(0)["id"])
        small.act("pay_unapplied", customer=small.open_invoice(0)["customer"], amount="12.34")
        small.act("void", invoice=small.open_invoice(1)["id"])
        gone = small.act("delete", invoice=small.open_invoice(2)["id"])["invoice"]
        small.act("credit_note", apply_to=small.open_invoice(3)["id"], amount="1.00")
        small.act("edit_customer", customer=small.open_invoice(0)["customer"], active=False)
        new = small.act("new_customer", name="Newcomer")["customer"]
        small.act("new_invoice", customer=new, amount="99.95")
        found |= records(small.quickbooks.delta(watermark))
        agree(found, small.truth())
        assert isinstance(found[Resource.INVOICES, gone], Deleted)
        assert any(isinstance(each, Invoice) and each.state is InvoiceState.VOID for each in found.values())


def test_a_quiet_delta_is_one_request(small: Shop) -> None:
    watermark = small.quickbooks.watermark()
    small.sandbox.advance(3600)
    (first, *_), before = list(small.quickbooks.delta(watermark)), small.budget.spent
    again = list(small.quickbooks.delta(first.cursor))
    assert small.budget.spent == before + 1
    assert [page.records for page in again] == [(), (), (), ()]


def test_more_changes_than_one_answer_holds_lose_no_deletion(sandbox: SandboxControl) -> None:
    flooded = shop(sandbox, invoices=1300, customers=60, months=1)
    found = everything(flooded)
    gone = [row["id"] for row in list(flooded.truth()["invoices"].values())[:5]]
    for remote_id in gone:
        flooded.act("delete", invoice=remote_id)
    since = (sandbox.now() - timedelta(days=28)).isoformat()
    pages = list(flooded.quickbooks.delta(f'{{"since":"{since}"}}'))
    assert sum(page.seen for page in pages if page.resource is Resource.INVOICES) > 1000
    found |= records(pages)
    assert all(isinstance(found[Resource.INVOICES, remote_id], Deleted) for remote_id in gone)
    agree(found, flooded.truth())


@pytest.mark.parametrize("bumps", [True, False])
def test_a_refresh_sees_money_that_came_a_moment_ago(small: Shop, bumps: bool) -> None:
    with switched(small.sandbox, quickbooks__payment_bumps_invoice=bumps):
        watermark = small.quickbooks.watermark()
        paid, other = small.open_invoice(0), small.open_invoice(1)
        small.act("pay", invoice=paid["id"])
        small.act("pay_unapplied", customer=other["customer"], amount="5.00")
        small.quickbooks.company()  # each sync asks it, and the company's own currency with it
        before = small.budget.spent
        found = records(small.quickbooks.refresh([paid["customer"], other["customer"]], cursor=watermark))
        assert small.budget.spent - before <= 4
        invoice = found[Resource.INVOICES, paid["id"]]
        assert isinstance(invoice, Invoice)
        assert (invoice.state, invoice.balance) == (InvoiceState.PAID, Decimal(0))
        assert any(isinstance(each, Payment) and each.unapplied == Decimal(5) for each in found.values())
        theirs = [
            row
            for row in small.truth()["invoices"].values()
            if row["customer"] in (paid["customer"], other["customer"])
        ]
        assert {row["id"] for row in theirs if Decimal(row["balance"]) > 0} <= {
            remote_id for of, remote_id in found if of is Resource.INVOICES
        }


def test_three_broken_records_cost_three(small: Shop) -> None:
    invoices = list(small.truth()["invoices"])[:3]
    for remote_id, fields in zip(invoices, ({"Balance": "abc"}, {"TxnDate": 7}, {"MetaData": None}), strict=True):
        small.act("corrupt", invoice=remote_id, fields=fields)
    pages = list(small.quickbooks.backfill(Resource.INVOICES, since=small.since, cursor=None))
    assert sorted(str(each.remote_id) for page in pages for each in page.broken) == sorted(invoices)
    assert sum(len(page.records) for page in pages) == 117


def test_records_by_id_tell_what_is_gone(small: Shop) -> None:
    kept, gone = small.open_invoice(0)["id"], small.open_invoice(1)["id"]
    small.act("delete", invoice=gone)
    found = records(small.quickbooks.records(Resource.INVOICES, [kept, gone, "99999999"]))
    assert {remote_id: type(record) for (_, remote_id), record in found.items()} == {
        kept: Invoice,
        gone: Deleted,
        "99999999": Deleted,
    }


# --- notes ------------------------------------------------------------------------------------------------


def note(shop: Shop, number: int = 0) -> NoteDraft:
    return NoteDraft(
        target=NoteTarget(TargetKind.INVOICE, shop.open_invoice(number)["id"]),
        text=f"Reminder sent about it's due [arsync:{shop.id}-{number}]",
        marker=f"[arsync:{shop.id}-{number}]",
        key=f"key-{number}-{shop.id}",
    )


def written(shop: Shop) -> list[dict[str, Any]]:
    return [each for each in shop.sandbox.notes() if each["company"] == shop.id]


def test_a_note_written_twice_with_its_key_is_there_once(small: Shop) -> None:
    draft = note(small)
    first = small.quickbooks.write_note(draft)
    assert small.quickbooks.write_note(draft) == first
    assert [(each["target_id"], each["text"]) for each in written(small)] == [(draft.target.remote_id, draft.text)]
    assert small.quickbooks.find_note(draft.target, draft.marker) == first
    assert small.quickbooks.find_note(draft.target, "[arsync:other]") is None
    assert small.quickbooks.find_note(NoteTarget(TargetKind.CUSTOMER, draft.target.remote_id), draft.marker) is None


@pytest.mark.parametrize(("fault", "there"), [("disconnect_after", True), ("disconnect_before", False)])
def test_a_note_whose_answer_was_lost_is_found_where_it_was_written(small: Shop, fault: str, there: bool) -> None:
    draft = note(small)
    small.quickbooks.watermark()
    small.sandbox.fault(fault, {"company": small.id, "method": "POST", "path_contains": "/attachable"})
    with pytest.raises(OutcomeUnknown):
        small.quickbooks.write_note(draft)
    assert (small.quickbooks.find_note(draft.target, draft.marker) is not None) is there
    assert len(written(small)) == there


def test_a_note_at_a_document_that_is_gone_is_refused(small: Shop) -> None:
    draft = note(small)
    small.act("delete", invoice=draft.target.remote_id)
    with pytest.raises(Rejected, match="2500"):
        small.quickbooks.write_note(draft)
    assert written(small) == []


def test_a_customers_note_stands_at_the_customer(small: Shop) -> None:
    target = NoteTarget(TargetKind.CUSTOMER, small.open_invoice()["customer"])
    draft = NoteDraft(target=target, text="Five invoices chased [arsync:c1]", marker="[arsync:c1]", key=f"c-{small.id}")
    assert small.quickbooks.write_note(draft) == small.quickbooks.find_note(target, draft.marker)
