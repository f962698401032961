"""What nobody could verify of a vendor: arsync comes out right whichever way it is, and it does make a difference.

Each switch of the sandbox has one story here. A story is told once for each of the switch's values; it asserts what
arsync owes in any case, and returns what an observer of the vendor saw, which must differ from value to value: else the
story would not touch what the switch is about. A new switch without a story fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, cast

import pytest
import requests
from tests.integration.sandbox.conftest import QuickBooks
from tests.integration.sandbox.xero_exchange import Xero
from tests.integration.sync.mirror import Mirror, SandboxClock

from arsync.channel.contract import Envelope, Evidence
from arsync.channel.sendgrid import SendGridChannel
from arsync.connector import InvoiceFact, KeepsFacts, NoteDraft, NoteTarget, Resource, TargetKind
from arsync.domain.documents import Invoice
from arsync.domain.states import WriteKind
from arsync.errors import OutcomeUnknown, Rejected
from arsync.sandbox.launch import SandboxControl
from arsync.sandbox.server import build_world
from arsync.store import balances
from arsync.store.engine import Store

SWITCHES = {
    name: choices for provider in build_world().providers.values() for name, choices in provider.switches.items()
}
MARKER = "[arsync:7f3a91]"


@dataclass(frozen=True)
class Scene:
    """Where a story is told."""

    sandbox: SandboxControl
    make_store: Callable[[], Store]

    def mirror(self, provider: str, **order: Any) -> Mirror:
        """A small company, loaded an hour ago."""
        mirror = Mirror.of(self.sandbox, provider, self.make_store(), **{"invoices": 20, "customers": 3, **order})
        customer = next(iter(mirror.truth()["customers"]))
        for _ in range(3):
            mirror.act("new_invoice", customer=customer, amount="90.00")
        mirror.backfill()
        self.sandbox.advance(3600)
        return mirror


Story = Callable[[Scene], object]
STORIES: dict[str, Story] = {}


def story(*names: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """The story of a switch, or of one that both vendors have."""

    def keep(tell: Callable[..., object]) -> Callable[..., object]:
        for name in names:
            vendor = name.partition(".")[0]
            STORIES[name] = partial(tell, vendor=vendor) if len(names) > 1 else tell
        return tell

    return keep


@pytest.fixture
def scene(quiet: SandboxControl, make_store: Callable[[], Store]) -> Iterator[Scene]:
    yield Scene(quiet, make_store)
    quiet.speed(1)


@pytest.mark.parametrize("name", sorted(SWITCHES))
def test_arsync_comes_out_right_whichever_way_the_vendor_is(scene: Scene, name: str) -> None:
    seen = []
    for value in SWITCHES[name]:
        scene.sandbox.switches({name: value})
        seen.append(STORIES[name](scene))
    assert all(one != other for place, one in enumerate(seen) for other in seen[:place]), "it makes a difference"


def test_no_story_is_about_a_switch_that_is_gone() -> None:
    assert set(STORIES) == set(SWITCHES)


# --- what touches a record's time stamp ------------------------------------------------------------------------------


def touched(mirror: Mirror, resource: Resource, remote_id: str, do: Callable[[], object]) -> bool:
    """Whether the vendor says that the record changed when this was done."""

    def stamp() -> datetime:
        (page,) = mirror.connector().records(resource, [remote_id])
        (record,) = page.records
        return record.updated_at

    before = stamp()
    mirror.sandbox.advance(60)
    do()
    return stamp() != before


@story("quickbooks.payment_bumps_invoice", "xero.payment_bumps_invoice")
def a_payment(scene: Scene, vendor: str) -> object:
    mirror = scene.mirror(vendor)
    paid = mirror.open_invoices()[0]["id"]
    bumped = touched(mirror, Resource.INVOICES, paid, lambda: mirror.act("pay", invoice=paid))
    mirror.sync()
    assert mirror.differences() == []
    return bumped


@story("xero.deleted_payment_modified")
def a_deleted_payment(scene: Scene) -> object:
    mirror = scene.mirror("xero")
    payment = mirror.paid_payments()[0]["id"]
    modified = touched(mirror, Resource.PAYMENTS, payment, lambda: mirror.act("delete_payment", payment=payment))
    mirror.sync()
    assert mirror.differences() == []
    return modified


@story("quickbooks.merge_bumps_documents", "xero.merge_bumps_invoices")
def a_merge_of_customers(scene: Scene, vendor: str) -> object:
    mirror = scene.mirror(vendor)
    owed = mirror.open_invoices()[0]["id"]
    return touched(mirror, Resource.INVOICES, owed, lambda: merge_the_payer_of(mirror, owed))


@story("quickbooks.merged_customer")
def the_customer_that_is_no_more(scene: Scene) -> object:
    mirror = scene.mirror("quickbooks")
    gone = merge_the_payer_of(mirror, mirror.open_invoices()[0]["id"])
    (page,) = mirror.connector().records(Resource.CUSTOMERS, [gone])
    return [type(record).__name__ for record in page.records]


def merge_the_payer_of(mirror: Mirror, invoice: str) -> str:
    """The debt moves, and nobody is asked for it twice; the id of who is gone."""
    gone = str(mirror.truth()["invoices"][invoice]["customer"])
    survivor = next(name for name in mirror.truth()["customers"] if name != gone)
    mirror.act("merge", customer=gone, into=survivor)
    mirror.sync()
    ledger = mirror.ledger().items
    payers = [payer for (payer, _), items in ledger.items() if invoice in {item.invoice_id for item in items}]
    assert payers == [survivor]
    return gone


@story("xero.note_bumps_record")
def our_own_note(scene: Scene) -> object:
    mirror = scene.mirror("xero")
    mirror.sync()
    target = mirror.open_invoices()[0]["id"]
    bumped = touched(mirror, Resource.INVOICES, target, lambda: mirror.connector().write_note(note(target, "called")))
    mirror.sync()
    assert mirror.differences() == []
    again = mirror.sync()
    assert (again.written, again.customers) == (0, 0), "our own note is news once at most"
    return bumped


@story("xero.group_bumps_contact")
def a_customer_that_changes_its_group(scene: Scene) -> object:
    """Whatever the delta tells of it, right before anything goes out the payer is read anew."""
    mirror = scene.mirror("xero")
    customer = mirror.open_invoices()[0]["customer"]

    def groups() -> set[str]:
        return set(mirror.groups().get(customer, ()))

    bumped = touched(
        mirror, Resource.CUSTOMERS, customer, lambda: mirror.act("edit_customer", customer=customer, group="Public")
    )
    mirror.sync()
    told = groups() == {"public"}
    mirror.refresh(customer)
    assert groups() == {"public"}
    mirror.act("rename_group", group="Public", name="Public bodies")
    mirror.refresh(customer)
    assert groups() == {"public bodies"}
    assert told is bumped
    return bumped


@story("xero.modified_since_inclusive")
def an_edit_in_the_very_second_of_the_last_look(scene: Scene) -> object:
    mirror = scene.mirror("xero")
    scene.sandbox.speed(0)
    second = scene.sandbox.set_clock(scene.sandbox.now().replace(microsecond=0) + timedelta(seconds=1))
    mirror.sync()
    edited = mirror.open_invoices()[0]["id"]
    mirror.act("edit", invoice=edited, due_date="2031-01-31")
    mirror.sync()
    assert mirror.differences() == []
    desk = Xero(scene.sandbox, scene.sandbox.grant(mirror.id))
    headers = {
        "Accept": "application/json",
        "Authorization": f"Bearer {desk.token}",
        "xero-tenant-id": mirror.id,
        "If-Modified-Since": second.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    answer = desk.session.get(f"{scene.sandbox.xero_api}/Invoices?page=1", headers=headers, timeout=10)
    listed = {one["InvoiceID"] for one in answer.json()["Invoices"]}
    desk.session.close()
    return edited in listed


# --- notes -----------------------------------------------------------------------------------------------------------


def note(invoice: str, text: str, kind: TargetKind = TargetKind.INVOICE) -> NoteDraft:
    return NoteDraft(NoteTarget(kind, invoice), f"{text} {MARKER}", MARKER, "0b1f9c2e")


def written(mirror: Mirror) -> list[str]:
    return [one["text"] for one in mirror.sandbox.notes() if one["company"] == mirror.id]


@story("quickbooks.requestid_window", "xero.idempotency_window")
def a_note_whose_answer_was_lost(scene: Scene, vendor: str) -> object:
    mirror = scene.mirror(vendor)
    draft = note(mirror.open_invoices()[0]["id"], "called")
    path = {"quickbooks": "/attachable", "xero": "/History"}[vendor]
    method = {"quickbooks": "POST", "xero": "PUT"}[vendor]
    scene.sandbox.fault("disconnect_after", {"company": mirror.id, "method": method, "path_contains": path})
    with pytest.raises(OutcomeUnknown):
        mirror.connector().write_note(draft)
    scene.sandbox.advance(600)
    assert mirror.connector().find_note(draft.target, MARKER) is not None, "found, so it is not written again"
    assert len(written(mirror)) == 1
    counts = []
    for _ in range(2):  # what a second writing would have done: long after the first, and right after that
        mirror.connector().write_note(draft)
        counts.append(len(written(mirror)))
    return counts


@story("xero.part_paid_expected_date")
def a_promise_for_the_rest(scene: Scene) -> object:
    mirror = scene.mirror("xero")
    invoice = mirror.open_invoices()[0]["id"]
    mirror.act("pay", invoice=invoice, amount="1.00")
    day = date(2031, 1, 31)
    try:
        cast(KeepsFacts, mirror.connector()).write_fact(InvoiceFact(WriteKind.EXPECTED_ON, invoice, day, "0b1f9c2e"))
        told = "done"
    except Rejected as error:
        told = str(error)
    (page,) = mirror.connector().records(Resource.INVOICES, [invoice])
    stands = [one.expected_on == day for one in page.records if isinstance(one, Invoice)]
    assert stands == [told == "done"], "what is said of it is so"
    return told


@story("xero.expected_date_emptied")
def a_promise_taken_back(scene: Scene) -> object:
    mirror = scene.mirror("xero")
    invoice = mirror.open_invoices()[0]["id"]
    keeper = cast(KeepsFacts, mirror.connector())
    keeper.write_fact(InvoiceFact(WriteKind.EXPECTED_ON, invoice, date(2031, 1, 31), "0b1f9c2e"))
    try:
        keeper.write_fact(InvoiceFact(WriteKind.EXPECTED_ON, invoice, None, "0b1f9c2f"))
        told = "done"
    except Rejected as error:
        told = str(error)
    (page,) = mirror.connector().records(Resource.INVOICES, [invoice])
    left = [one.expected_on for one in page.records if isinstance(one, Invoice)]
    assert left == ([None] if told == "done" else [date(2031, 1, 31)]), "what is said of it is so"
    return told


@story("xero.longest_note")
def a_long_note(scene: Scene) -> object:
    mirror = scene.mirror("xero")
    draft = note(mirror.open_invoices()[0]["id"], "Email sent " + "x" * 600)
    mirror.connector().write_note(draft)
    (text,) = written(mirror)
    assert text.startswith("Email sent xxx")
    assert text.endswith(MARKER)
    assert mirror.connector().find_note(draft.target, MARKER) is not None
    return len(text)


# --- what a figure means ---------------------------------------------------------------------------------------------


@story("quickbooks.foreign_balance")
def a_customer_who_is_billed_in_another_currency(scene: Scene) -> object:
    """Owes 100.00 EUR to a company that counts in USD; a journal entry takes off 40.00, another the rest."""
    mirror = scene.mirror("quickbooks")
    customer = mirror.act("new_customer", name="Lindner GmbH", currency="EUR")["customer"]
    mirror.act("new_invoice", customer=customer, amount="100.00")
    mirror.sync()
    with desk_at(mirror) as desk:
        (seen,) = desk.find(f"SELECT * FROM Customer WHERE Id = '{customer}'")
    assert customer not in short(mirror), "whatever the figure means, it is not held for it"
    mirror.act("journal", customer=customer, amount="40.00")
    mirror.refresh(customer)
    assert customer not in short(mirror), "and not compared"
    mirror.act("journal", customer=customer, amount="60.00")
    mirror.refresh(customer)
    assert (short(mirror)[customer].told, short(mirror)[customer].net) == (Decimal(0), Decimal("100.00"))
    return seen["Balance"]


def short(mirror: Mirror) -> dict[str, balances.Account]:
    """The payers of whom the source says that less is owed than their items add up to."""
    with mirror.store.reading() as work:
        every = balances.accounts(work, mirror.connection.id)
    return {payer: one for payer, one in every.items() if one.falls_short}


# --- how much comes at once, and in what order -----------------------------------------------------------------------


@story("quickbooks.cdc_cap")
def more_changes_than_one_answer_holds(scene: Scene) -> object:
    mirror = Mirror.of(scene.sandbox, "quickbooks", scene.make_store(), invoices=990, customers=12, history_months=3)
    scene.sandbox.rules(edit_after_page=990)
    mirror.backfill()
    scene.sandbox.rules(edit_after_page=0)
    for customer in mirror.truth()["customers"]:
        mirror.act("edit_customer", customer=customer, email="new@renamed.example")
    mirror.sync()
    assert mirror.differences() == []
    with desk_at(mirror) as desk:
        since = (mirror.clock.now() - timedelta(days=1)).isoformat()
        answer = desk.get("cdc", entities="Invoice,Customer", changedSince=since).json()
    listed = [response.get(name, []) for response in answer["CDCResponse"][0]["QueryResponse"] for name in ENTITIES]
    return sum(map(len, listed))


ENTITIES = ("Invoice", "Customer")


@contextmanager
def desk_at(mirror: Mirror) -> Iterator[QuickBooks]:
    """An observer with a consent of its own."""
    card = mirror.sandbox.grant(mirror.id)
    desk = QuickBooks(mirror.sandbox, card, refresh_token=card["refresh_token"])
    try:
        desk.refresh()
        yield desk
    finally:
        desk.session.close()


@story("quickbooks.id_order")
def ids_of_one_and_of_two_digits(scene: Scene) -> object:
    mirror = scene.mirror("quickbooks", invoices=40)
    assert mirror.differences() == []
    mirror.sync()
    with desk_at(mirror) as desk:
        listed = [one["Id"] for one in desk.find("SELECT * FROM Invoice ORDERBY Id MAXRESULTS 1000")]
    return listed == sorted(listed, key=int)


@story("xero.largest_page")
def more_invoices_than_a_page_holds(scene: Scene) -> object:
    mirror = Mirror.of(scene.sandbox, "xero", scene.make_store(), invoices=230, customers=12, history_months=6)
    with mirror.counted() as asked:
        mirror.backfill()
    assert mirror.differences() == []
    return len([one for one in asked if one["resource"] == "invoices"])


# --- limits, tokens, mail --------------------------------------------------------------------------------------------


@story("quickbooks.retry_after_on_429")
def a_throttled_read(scene: Scene) -> object:
    mirror = scene.mirror("quickbooks")
    mirror.act("pay", invoice=mirror.open_invoices()[0]["id"])
    scene.sandbox.fault("throttle", {"company": mirror.id}, seconds=7)
    before = mirror.clock.waited
    mirror.sync()
    assert mirror.differences() == []
    return mirror.clock.waited - before


@story("quickbooks.old_refresh_token")
def an_hour_and_another(scene: Scene) -> object:
    mirror = scene.mirror("quickbooks")
    for _ in range(2):
        scene.sandbox.advance(7200)
        mirror.act("pay", invoice=mirror.open_invoices()[0]["id"])
        mirror.sync()
        assert mirror.differences() == []
    with desk_at(mirror) as desk:
        used = desk.refresh_token
        return [desk.refresh(used).status_code for _ in range(2)]


@story("sendgrid.activity")
def a_mail_whose_answer_was_lost(scene: Scene) -> object:
    """The feed settles it where there is one; where there is none nothing is concluded, and nothing sent again."""
    before = len(scene.sandbox.messages())
    with requests.Session() as session:
        session.headers["User-Agent"] = "arsync"
        channel = SendGridChannel(
            "SG.sandbox", scene.sandbox.sendgrid_host, session, clock=SandboxClock(scene.sandbox), activity_lookup=True
        )
        name = f"{before:032x}"
        scene.sandbox.fault("disconnect_after", {"provider": "sendgrid"})
        with pytest.raises(OutcomeUnknown):
            channel.send(envelope(name, scene.sandbox.now()))
        evidence, _ = channel.look_up(name)
    assert len(scene.sandbox.messages()) == before + 1
    assert evidence is not Evidence.NOT_SENT
    return evidence


def envelope(message_id: str, at: datetime) -> Envelope:
    return Envelope(
        message_id=message_id,
        sender="Harbour Tools <credit@harbour.example>",
        reply_to="credit@harbour.example",
        to=("Ann <ann@customer.example>",),
        cc=(),
        bcc=(),
        subject="Invoice 1001",
        text="Hello",
        html="<p>Hello</p>",
        at=at.astimezone(UTC),
        language="en",
    )
