"""The connector against the sandbox over real HTTP: what it holds in the end is what the company holds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from tests.connectors.xero_stand_in import check_request, documents_at_hand
from tests.sandbox_clock import ToldTime

from arsync.connector import Linked, NoteDraft, NoteTarget, Page, Resource, TargetKind
from arsync.domain.documents import CreditNote, Customer, CustomerState, Deleted, Invoice, Payment, Record
from arsync.errors import NotCovered, OutcomeUnknown, Rejected
from arsync.sandbox.launch import SandboxControl, running_sandbox
from arsync.testing.ports import MemoryVault, UnlimitedBudget
from arsync_xero import Connector, Settings

INVOICES, CUSTOMERS = 2600, 150
MARKER = "[arsync:7f3a91]"
STATES = {
    "DRAFT": "draft",
    "SUBMITTED": "draft",
    "AUTHORISED": "open",
    "PAID": "paid",
    "VOIDED": "void",
    "DELETED": "deleted",
}


class SandboxClock:
    """The sandbox's own time; sleeping moves it on."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self._sandbox = sandbox
        self._told = ToldTime(sandbox)

    def now(self) -> datetime:
        return self._told.now()

    def elapsed(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self._sandbox.advance(seconds)


class WatchedSession(requests.Session):
    """A session that keeps what it sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        self.sent.append(request)
        return super().send(request, **options)


@dataclass
class Books:
    """One organisation, the connector's and the truth."""

    sandbox: SandboxControl
    id: str
    source: Connector
    session: WatchedSession
    held: dict[tuple[str, str], Record] = field(default_factory=dict)

    def act(self, do: str, **fields: Any) -> dict[str, Any]:
        self.sandbox.advance(2)
        return self.sandbox.act(self.id, do, **fields)

    def take(self, pages: Iterable[Page]) -> list[Page]:
        """Newest wins, as the store has it."""
        taken = list(pages)
        for page in taken:
            for record in page.records:
                key = (str(page.resource), record.remote_id)
                if key not in self.held or record.updated_at >= self.held[key].updated_at:
                    self.held[key] = record
        return taken

    def backfill(self, since: date) -> None:
        for resource in Resource:
            self.take(self.source.backfill(resource, since=since, cursor=None))

    def sync(self, cursor: str) -> str:
        return self.take(self.source.delta(cursor))[-1].cursor

    def invoices(self) -> dict[str, Invoice]:
        return {one.remote_id: one for one in self.held.values() if isinstance(one, Invoice)}

    def open_invoice(self, *, but: Iterable[str] = ()) -> Invoice:
        owed = [one for one in self.invoices().values() if one.state == "open" and one.remote_id not in set(but)]
        return min(owed, key=lambda one: (one.due_on or date.max, one.remote_id))

    def differences(self) -> dict[str, set[Any]]:
        """What is held and is not so, and what is so and is not held."""
        truth = self.sandbox.truth(self.id)
        mine: dict[str, set[Any]] = {"invoices": set(), "payments": set(), "credits": set(), "customers": set()}
        for one in self.held.values():
            match one:
                case Invoice():
                    mine["invoices"].add(
                        (one.remote_id, one.customer_id, one.state, one.total, one.balance, one.due_on)
                    )
                case Payment():
                    mine["payments"].add((one.remote_id, one.customer_id, one.amount, one.unapplied))
                case CreditNote():
                    mine["credits"].add((one.remote_id, one.customer_id, one.total, one.unapplied))
                case Customer():
                    mine["customers"].add((one.remote_id, one.name))
        theirs: dict[str, set[Any]] = {
            "invoices": {
                (
                    one["id"],
                    one["customer"],
                    STATES[one["status"]],
                    Decimal(one["total"]),
                    Decimal(one["balance"]),
                    date.fromisoformat(one["due"]) if one["due"] else None,
                )
                for one in truth["invoices"]
            },
            "payments": {
                (one["id"], one["customer"], Decimal(one["total"]), Decimal(one["unapplied"]))
                for one in truth["payments"]
            },
            "credits": {
                (one["id"], one["customer"], Decimal(one["total"]), Decimal(one["unapplied"]))
                for one in truth["credits"]
            },
            "customers": {(one["id"], one["name"]) for one in truth["customers"]},
        }
        return {name: mine[name] ^ theirs[name] for name in mine if mine[name] ^ theirs[name]}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox() as control:
        control.limits("xero", minute=None, day=None)
        yield control


@pytest.fixture
def books(sandbox: SandboxControl) -> Iterator[Books]:
    card = sandbox.create_company(
        "xero", name="Kiwi Tools", invoices=INVOICES, customers=CUSTOMERS, seed=11, currency="NZD"
    )
    session = WatchedSession()
    settings = {
        "client_id": card["client_id"],
        "client_secret": card["client_secret"],
        "api_url": sandbox.xero_api,
        "token_url": sandbox.xero_token,
        "connections_url": sandbox.xero_connections,
    }
    source = Connector(
        settings=Settings.model_validate(settings),
        linked=Linked(card["id"]),
        vault=MemoryVault.with_refresh(card["refresh_token"]),
        budget=UnlimitedBudget(),
        clock=SandboxClock(sandbox),
        session=session,
    )
    before = sandbox.switches()
    yield Books(sandbox, card["id"], source, session)
    sandbox.switches({name: value for name, value in before.items() if name.startswith("xero.")})
    sandbox.clear_faults()
    sandbox.rules(edit_after_page=0)
    session.close()
    if documents_at_hand():
        shapes: dict[tuple[Any, ...], requests.PreparedRequest] = {}
        for request in session.sent:
            if (request.url or "").startswith(sandbox.xero_api):
                kind = (request.method, len((request.url or "").split("/")), "Since" in str(request.headers))
                shapes.setdefault((*kind, (request.url or "").split("?", maxsplit=1)[0]), request)
        for request in list(shapes.values())[:60]:
            check_request(request, base=sandbox.xero_api)


@pytest.fixture
def since(sandbox: SandboxControl) -> date:
    """Before the first invoice: two years back, and the weekend that it may have been moved over."""
    return (sandbox.now() - timedelta(days=740)).date()


def test_the_company_is_the_one_it_was_linked_to(books: Books) -> None:
    company = books.source.company()
    assert (company.external_id, company.name, company.base_currency) == (books.id, "Kiwi Tools", "NZD")
    assert company.timezone is not None
    assert company.reminders_on is not None


def test_a_backfill_holds_what_the_company_holds_and_counts_as_it_does(books: Books, since: date) -> None:
    for resource in Resource:
        pages = books.take(books.source.backfill(resource, since=since, cursor=None))
        assert sum(page.seen for page in pages) == books.source.count(resource, since=since)
        assert not [page.broken for page in pages if page.broken]
    assert books.differences() == {}
    assert len(books.invoices()) == INVOICES


@pytest.mark.parametrize("inclusive", [True, False])
def test_edits_after_every_page_and_a_quiet_delta_lose_nothing(books: Books, since: date, inclusive: bool) -> None:
    books.sandbox.switches({"xero.modified_since_inclusive": inclusive})
    books.sandbox.rules(edit_after_page=3)
    cursor = books.source.watermark()
    books.backfill(since)
    books.sandbox.rules(edit_after_page=0)
    books.sync(cursor)
    assert books.differences() == {}


@pytest.mark.parametrize("bumps", [True, False])
def test_a_delta_brings_every_act(books: Books, since: date, bumps: bool) -> None:
    books.sandbox.switches({"xero.payment_bumps_invoice": bumps})
    books.backfill(since)
    cursor = books.source.watermark()
    done: list[str] = []

    def next_invoice() -> Invoice:
        found = books.open_invoice(but=done)
        done.append(found.remote_id)
        return found

    paid, part, credited, void, edited = (next_invoice() for _ in range(5))
    books.act("pay", invoice=paid.remote_id, amount=str(paid.balance))
    books.act("pay", invoice=part.remote_id, amount="1.00")
    books.act("credit_note", amount="1.00", apply_to=credited.remote_id)
    books.act("credit_note", amount="25.00", customer=credited.customer_id)
    books.act("void", invoice=void.remote_id)
    books.act("edit", invoice=edited.remote_id, due="2027-12-31")
    books.act("pay_unapplied", customer=edited.customer_id, amount="10.00")
    books.act("pay_unapplied", customer=edited.customer_id, amount="20.00", kind="prepayment")
    books.act("edit_customer", customer=edited.customer_id, name="Renamed Ltd", email="new@renamed.nz")
    books.act("new_customer", name="Newcomer")
    books.act("new_invoice", customer=edited.customer_id, amount="77.70")
    cursor = books.sync(cursor)
    assert books.differences() == {}
    books.sandbox.live(books.id, days=7)
    books.sync(cursor)
    assert books.differences() == {}


@pytest.mark.parametrize("tells", [True, False])
def test_a_deleted_payment_makes_the_invoice_owed_again(books: Books, since: date, tells: bool) -> None:
    books.sandbox.switches({"xero.deleted_payment_modified": tells})
    books.backfill(since)
    owed = books.open_invoice()
    receipt = books.act("pay", invoice=owed.remote_id, amount=str(owed.balance))
    cursor = books.sync(books.source.watermark())
    assert books.invoices()[owed.remote_id].balance == 0
    payment_id = next(one["id"] for one in books.sandbox.truth(books.id)["payments"] if one["id"] in str(receipt))
    books.act("delete_payment", payment=payment_id)
    books.sync(cursor)
    assert books.invoices()[owed.remote_id].balance == owed.balance
    (single,) = books.source.records(Resource.PAYMENTS, [payment_id])
    assert [one.state for one in single.records if isinstance(one, Payment)] == ["deleted"]


def test_a_refresh_brings_the_payers_open_items_and_new_money(books: Books, since: date) -> None:
    books.backfill(since)
    cursor = books.source.watermark()
    payers = sorted({one.customer_id for one in books.invoices().values() if one.state == "open"})[:40]
    theirs = [one for one in books.invoices().values() if one.customer_id in payers and one.state == "open"]
    books.act("pay", invoice=theirs[0].remote_id, amount=str(theirs[0].balance))
    on_account = books.act("pay_unapplied", customer=theirs[1].customer_id, amount="5.00")
    books.session.sent.clear()
    pages = list(books.source.refresh(payers, cursor=cursor))
    assert len(books.session.sent) <= 8
    records = {record.remote_id: record for page in pages for record in page.records}
    assert {one.remote_id for one in theirs} | set(payers) <= set(records)
    paid = records[theirs[0].remote_id]
    assert isinstance(paid, Invoice)
    assert paid.balance == 0
    on_hand = [one for one in records.values() if isinstance(one, Payment) and one.unapplied == Decimal("5.00")]
    assert [one.remote_id in str(on_account) for one in on_hand] == [True]


def test_a_merged_customers_invoices_are_refreshed_at_the_survivor(books: Books, since: date) -> None:
    books.backfill(since)
    cursor = books.source.watermark()
    owed = books.open_invoice()
    survivor = next(
        one.remote_id
        for one in books.held.values()
        if isinstance(one, Customer) and one.remote_id != owed.customer_id and one.state == "active"
    )
    books.act("merge", customer=owed.customer_id, into=survivor)
    records = {r.remote_id: r for page in books.source.refresh([owed.customer_id], cursor=cursor) for r in page.records}
    gone, moved = records[owed.customer_id], records[owed.remote_id]
    assert isinstance(gone, Customer)
    assert (gone.state, gone.merged_into) == (CustomerState.MERGED, survivor)
    assert isinstance(moved, Invoice)
    assert moved.customer_id == survivor


def test_a_broken_record_is_named_and_heals(books: Books, since: date) -> None:
    books.backfill(since)
    cursor = books.source.watermark()
    owed = books.open_invoice()
    books.act("corrupt", id=owed.remote_id, fields={"AmountDue": "plenty"})
    pages = list(books.source.delta(cursor))
    (broken,) = [one for page in pages for one in page.broken]
    assert (broken.remote_id, broken.customer_id) == (owed.remote_id, owed.customer_id)
    assert "AmountDue" in broken.reason
    books.act("restore", id=owed.remote_id)
    books.sync(pages[-1].cursor)
    assert books.differences() == {}


def test_records_the_company_never_had_come_as_deleted(books: Books, since: date) -> None:
    books.take(books.source.backfill(Resource.INVOICES, since=since, cursor=None))
    known, unknown = books.open_invoice().remote_id, "00000000-0000-4000-8000-000000000001"
    (page,) = books.source.records(Resource.INVOICES, [known, unknown])
    assert [(type(one), one.remote_id) for one in page.records] == [(Invoice, known), (Deleted, unknown)]


# --- notes -----------------------------------------------------------------------------------------------------


def written(books: Books) -> list[dict[str, Any]]:
    return [note for note in books.sandbox.notes() if note["company"] == books.id and MARKER in note["text"]]


def draft(books: Books, kind: TargetKind = TargetKind.INVOICE) -> NoteDraft:
    owed = books.open_invoice()
    remote_id = owed.remote_id if kind is TargetKind.INVOICE else owed.customer_id
    return NoteDraft(NoteTarget(kind, remote_id), f"Reminder – ‘zweite’ {MARKER}", MARKER, "0b1f9c2e-1")


@pytest.mark.parametrize("kind", list(TargetKind))
def test_a_note_written_twice_with_its_key_stands_once(books: Books, since: date, kind: TargetKind) -> None:
    books.take(books.source.backfill(Resource.INVOICES, since=since, cursor=None))
    note = draft(books, kind)
    assert books.source.find_note(note.target, MARKER) is None
    assert books.source.write_note(note) == books.source.write_note(note) == MARKER
    assert [(one["target_id"], one["text"]) for one in written(books)] == [(note.target.remote_id, note.text)]
    assert books.source.find_note(note.target, MARKER) == MARKER


def test_a_note_whose_answer_was_lost_is_found_and_not_sent_again(books: Books, since: date) -> None:
    books.take(books.source.backfill(Resource.INVOICES, since=since, cursor=None))
    note = draft(books)
    books.sandbox.fault("disconnect_after", {"provider": "xero", "method": "PUT"})
    with pytest.raises(OutcomeUnknown):
        books.source.write_note(note)
    assert len(written(books)) == 1
    assert books.source.find_note(note.target, MARKER) == MARKER
    assert len([one for one in books.session.sent if one.method == "PUT"]) == 1


def test_a_note_lost_before_its_effect_is_not_found(books: Books, since: date) -> None:
    books.take(books.source.backfill(Resource.INVOICES, since=since, cursor=None))
    note = draft(books)
    books.sandbox.fault("disconnect_before", {"provider": "xero", "method": "PUT"})
    with pytest.raises(OutcomeUnknown):
        books.source.write_note(note)
    assert (written(books), books.source.find_note(note.target, MARKER)) == ([], None)


def test_a_note_on_nothing_and_a_note_too_long_are_refused(books: Books, since: date) -> None:
    books.take(books.source.backfill(Resource.INVOICES, since=since, cursor=None))
    with pytest.raises(Rejected):
        books.source.write_note(NoteDraft(NoteTarget(TargetKind.INVOICE, books.id), MARKER, MARKER, "k"))
    with pytest.raises(Rejected):
        books.source.write_note(NoteDraft(draft(books).target, MARKER + "x" * 3000, MARKER, "k2"))
    assert written(books) == []


def test_an_organisation_with_the_old_limit_gets_the_notes_beginning_and_its_marker(books: Books, since: date) -> None:
    books.take(books.source.backfill(Resource.INVOICES, since=since, cursor=None))
    books.sandbox.switches({"xero.longest_note": 250})
    try:
        target = draft(books).target
        books.source.write_note(NoteDraft(target, f"Email sent {'x' * 600} {MARKER}", MARKER, "k3"))
    finally:
        books.sandbox.switches({"xero.longest_note": 2500})
    (note,) = written(books)
    assert len(note["text"]) == 250
    assert note["text"].startswith("Email sent xxx")
    assert books.source.find_note(target, MARKER) == MARKER


# --- when things go wrong ------------------------------------------------------------------------------------------


def test_throttling_outages_and_an_expired_token_cost_time_and_no_record(books: Books, since: date) -> None:
    books.sandbox.fault("throttle", {"provider": "xero", "method": "GET"}, every=3, seconds=1)
    books.sandbox.fault("error", {"provider": "xero", "method": "GET"}, status=503, skip=2)
    books.sandbox.fault("truncate", {"provider": "xero", "resource": "Invoices"}, skip=1)
    books.sandbox.fault("expired_token", {"provider": "xero", "method": "GET"}, skip=4)
    books.backfill(since)
    assert books.differences() == {}


def test_an_access_token_that_ends_in_mid_run_is_renewed(books: Books, since: date) -> None:
    pages = books.source.backfill(Resource.INVOICES, since=since, cursor=None)
    books.take([next(pages), next(pages)])
    books.sandbox.advance(31 * 60)
    books.take(pages)
    assert len(books.invoices()) == INVOICES


def test_another_organisation_than_the_consents_is_refused(books: Books) -> None:
    stranger = "00000000-0000-4000-8000-00000000beef"
    books.source._client._tenant = stranger
    books.source._external_id = stranger
    with pytest.raises(NotCovered, match="covers 1 organisation, and not"):
        books.source.company()
