"""The delta: whatever people do to the books, the next sync shows it, by every answer to what is unverified."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest
from tests.integration.sync.mirror import Mirror

from arsync.connector import Resource
from arsync.domain.chase import Item
from arsync.domain.states import Health
from arsync.errors import NotCovered, Reauthorise, RetryLater, Stale, UsageError
from arsync.sandbox.launch import SandboxControl
from arsync.store import chases, grants
from arsync.store.engine import Store
from arsync.worker import pulling
from arsync.worker.dispatch import Intake


def a_busy_day(mirror: Mirror) -> None:
    """Each kind of change once."""
    invoices = mirror.open_invoices()
    paid, part, void, edited, credited, covered, unpaid = invoices[:7]
    mirror.act("pay", invoice=paid["id"])
    mirror.act("pay", invoice=part["id"], amount="1.00")
    mirror.act("void" if mirror.provider == "xero" else "delete", invoice=void["id"])
    mirror.act("edit", invoice=edited["id"], due_date="2030-01-31", number="EDITED-1")
    mirror.act("credit_note", customer=credited["customer"], amount="2.00", apply_to=credited["id"])
    receipt = mirror.act("pay_unapplied", customer=covered["customer"], amount="5.00")["payment"]
    mirror.act("apply", payment=receipt, invoice=covered["id"], amount="3.00")
    mirror.act("pay_unapplied", customer=unpaid["customer"], amount="7.00")
    mirror.act("credit_note", customer=unpaid["customer"], amount="4.00")
    old = mirror.paid_payments()[0]
    mirror.act("delete_payment", payment=old["id"])
    mirror.act("edit_customer", customer=unpaid["customer"], name="Renamed & Sons", email="new@renamed.example")
    new = mirror.act("new_customer", name="Newcomer Ltd")["customer"]
    mirror.act("new_invoice", customer=new, amount="12.34")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_a_busy_day_is_seen_by_every_answer_to_what_is_unverified(
    mirror: Mirror, quiet: SandboxControl, first: bool, second: bool
) -> None:
    if mirror.provider == "quickbooks":
        quiet.switches(
            {
                "quickbooks.payment_bumps_invoice": first,
                "quickbooks.cdc_cap": "total" if second else "per_entity",
                "quickbooks.id_order": "text" if second else "numeric",
            }
        )
    else:
        quiet.switches(
            {
                "xero.payment_bumps_invoice": True,  # else a deleted payment leaves no trace at all
                "xero.deleted_payment_modified": first,
                "xero.modified_since_inclusive": second,
                "xero.merge_bumps_invoices": first,
            }
        )
    mirror.sandbox.advance(3600)
    a_busy_day(mirror)
    changed = mirror.sync()
    assert mirror.differences() == []
    assert changed.quarantined == 0
    again = mirror.sync()
    assert (again.written, again.customers) == (0, 0), "the overlap says nothing new"
    assert mirror.differences() == []


def test_payments_that_do_not_touch_their_invoices_are_followed(mirror: Mirror, quiet: SandboxControl) -> None:
    quiet.switches({f"{mirror.provider}.payment_bumps_invoice": False, "xero.deleted_payment_modified": True})
    paid, part, covered = mirror.open_invoices()[:3]
    receipt = mirror.act("pay_unapplied", customer=covered["customer"], amount="5.00")["payment"]
    mirror.sync()
    quiet.advance(3600)
    payment = mirror.act("pay", invoice=paid["id"])["payment"]
    mirror.act("pay", invoice=part["id"], amount="1.00")
    mirror.act("apply", payment=receipt, invoice=covered["id"], amount="3.00")
    mirror.sync()
    assert mirror.differences() == []
    quiet.advance(3600)
    mirror.act("delete_payment", payment=payment)
    mirror.sync()
    assert mirror.differences() == []
    assert mirror.rows("SELECT state FROM invoices WHERE remote_id = :id", id=paid["id"])[0].state == "open"


@pytest.mark.parametrize("bumps", [True, False])
def test_a_sync_killed_between_a_payments_page_and_its_invoices_catches_up(
    quiet: SandboxControl, make_store: Callable[[], Store], bumps: bool
) -> None:
    """A deleted payment names its invoices no more: what it was put on must not be forgotten with it."""
    mirror = Mirror.of(quiet, "quickbooks", make_store())
    mirror.backfill()
    quiet.switches({"quickbooks.payment_bumps_invoice": bumps})
    quiet.advance(3600)
    mirror.act("delete_payment", payment=mirror.paid_payments()[0]["id"])
    for skip in range(1, 8):  # the n-th request of the sync and all after it fail
        quiet.fault("error", {"company": mirror.id}, status=503, skip=skip, every=1)
        try:
            mirror.sync()
        except RetryLater:
            assert mirror.connection.health is Health.PARTIAL
        quiet.clear_faults()
    mirror.sync()
    assert mirror.connection.health is Health.OK
    assert mirror.differences() == []


def test_a_year_of_customers_behaving_is_mirrored_week_by_week(mirror: Mirror) -> None:
    for week in range(6):
        mirror.sandbox.live(mirror.id, days=7)
        mirror.sync()
        assert mirror.differences() == [], f"week {week}"


def test_voids_of_everything(mirror: Mirror) -> None:
    customer = mirror.act("new_customer", name="Short Lived Ltd")["customer"]
    owed = mirror.act("new_invoice", customer=customer, amount="50.00")["invoice"]
    receipt = mirror.act("pay_unapplied", customer=customer, amount="5.00")["payment"]
    credit = mirror.act("credit_note", customer=customer, amount="6.00")["credit"]
    mirror.sync()
    assert mirror.differences() == []
    assert free(mirror, customer) == Decimal("11.00")
    if mirror.provider == "quickbooks":
        mirror.act("void", payment=receipt)
    else:
        mirror.act("delete_payment", payment=receipt)
    mirror.act("void", credit=credit)
    mirror.act("void", invoice=owed)
    mirror.sync()
    assert mirror.differences() == []
    assert free(mirror, customer) == 0
    assert owing(mirror, customer) == {}


def test_a_merge_moves_the_debt(quiet: SandboxControl, make_store: Callable[[], Store]) -> None:
    for bumps in (True, False):
        quiet.switches({"xero.merge_bumps_invoices": bumps})
        mirror = Mirror.of(quiet, "xero", make_store())
        mirror.backfill()
        owed = mirror.open_invoices()[0]
        survivor = next(name for name in mirror.truth()["customers"] if name != owed["customer"])
        mirror.act("merge", customer=owed["customer"], into=survivor)
        mirror.sync()
        owing = {payer for (payer, _), items in mirror.ledger().items.items() if owed["id"] in ids(items)}
        assert owing == {survivor}


def ids(items: Iterable[Item]) -> set[str]:
    return {item.invoice_id for item in items}


def test_only_whom_it_concerns_is_woken(mirror: Mirror) -> None:
    with mirror.store.working() as work:
        chases.follow(work, mirror.connection.id, now=mirror.clock.now())
        work.commit()
    paid = mirror.open_invoices()[0]
    query = "SELECT payer_id, version FROM chases"
    before = dict(tuple(row) for row in mirror.rows(query))
    mirror.sync()
    assert dict(tuple(row) for row in mirror.rows(query)) == before
    mirror.act("pay", invoice=paid["id"], amount="1.00")
    mirror.sync()
    after = dict(tuple(row) for row in mirror.rows(query))
    assert {payer for payer in after if after[payer] != before[payer]} == {paid["customer"]}


def test_a_delta_that_fails_leaves_the_connection_unfit_and_its_cursor_where_it_was(mirror: Mirror) -> None:
    paid = mirror.open_invoices()[0]
    mirror.act("pay", invoice=paid["id"])
    mirror.sandbox.fault("error", {"company": mirror.id}, status=503, skip=1, every=1)
    with pytest.raises(RetryLater):
        mirror.sync()
    assert (mirror.connection.health, "503" in mirror.connection.health_reason) == (Health.PARTIAL, True)
    mirror.sandbox.clear_faults()
    mirror.sync()
    assert mirror.differences() == []
    assert mirror.connection.health is Health.OK


def test_a_vendor_that_refuses_good_tokens_for_a_while_is_asked_again(mirror: Mirror) -> None:
    """Refreshed twice, and refused again: the grant lives, so the next sync asks, and nobody has to connect."""
    mirror.sandbox.fault("expired_token", {"company": mirror.id}, times=3)
    with pytest.raises(Reauthorise):
        mirror.sync()
    states = [mirror.connection.health]
    mirror.sync()
    states.append(mirror.connection.health)
    assert states == [Health.PARTIAL, Health.OK]


def test_an_organisation_taken_off_the_app_waits_for_a_person_and_its_consent_lives(
    quiet: SandboxControl, make_store: Callable[[], Store]
) -> None:
    """Its siblings live by the same grant; it is not asked for again, and says so in the same words."""
    mirror = Mirror.of(quiet, "xero", make_store(), invoices=12, customers=3)
    mirror.backfill()
    mirror.act("disconnect")
    with pytest.raises(NotCovered) as told:
        mirror.sync()
    connection = mirror.connection
    assert (connection.health, connection.health_reason) == (Health.REAUTHORISE, str(told.value))
    with mirror.store.reading() as work:
        assert not grants.has_ended(work, connection.grant_id)
    desk = cast(Intake, SimpleNamespace(connection=connection, connector=None))
    with pytest.raises(NotCovered) as again:
        pulling.update(mirror.store, desk, mirror.clock)
    assert str(again.value) == str(told.value)


def test_an_organisation_taken_off_in_mid_load_waits_for_a_person(
    quiet: SandboxControl, make_store: Callable[[], Store]
) -> None:
    mirror = Mirror.of(quiet, "xero", make_store(), invoices=12, customers=3)

    def taken_off(_resource: Resource, _seen: int, _of: int | None) -> None:
        mirror.act("disconnect")

    with pytest.raises(NotCovered):
        mirror.backfill(after_page=taken_off)
    assert mirror.connection.health is Health.REAUTHORISE


def test_a_company_that_was_never_loaded_has_no_delta(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store]
) -> None:
    mirror = Mirror.of(quiet, provider, make_store())
    with pytest.raises(UsageError, match="run `arsync backfill mirror`"):
        mirror.sync()


# --- broken records --------------------------------------------------------------------------------------------------


def test_three_broken_records_in_a_thousand_cost_three(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store]
) -> None:
    # A year's invoices: none is older than the history that is pulled, whatever the sandbox's date is by now.
    mirror = Mirror.of(quiet, provider, make_store(), invoices=1000, history_months=12)
    broken = [row["id"] for row in list(mirror.truth()["invoices"].values())[100:900:300]]
    field = {"quickbooks": "TotalAmt", "xero": "Total"}[provider]
    for remote_id in broken:
        mirror.act("corrupt", invoice=remote_id, fields={field: "a lot"})
    loaded = mirror.backfill()
    assert loaded.quarantined >= 3
    assert mirror.rows("SELECT count(*) AS n FROM invoices")[0].n == 997
    jailed = mirror.jailed()
    assert sorted(one.remote_id for one in jailed) == sorted(broken)
    assert all(one.resource == "invoices" and field in one.reason for one in jailed)
    assert mirror.connection.health is Health.OK
    for remote_id in broken:
        mirror.act("restore", invoice=remote_id)
    mirror.sync()
    assert mirror.jailed() == []
    assert mirror.differences() == []


@pytest.mark.parametrize("kind", ["payment", "credit"])
def test_unreadable_money_holds_its_payer_until_it_is_mended(mirror: Mirror, kind: str) -> None:
    owed = mirror.open_invoices()[0]
    act = {"payment": "pay_unapplied", "credit": "credit_note"}[kind]
    money = mirror.act(act, customer=owed["customer"], amount="9.00")[kind]
    field = {
        ("quickbooks", "payment"): "TotalAmt", ("quickbooks", "credit"): "Balance",
        ("xero", "payment"): "RemainingCredit", ("xero", "credit"): "RemainingCredit",
    }[mirror.provider, kind]  # fmt: skip
    mirror.act("corrupt", fields={field: "some"}, **{kind: money})
    mirror.sync()
    (jailed,) = mirror.jailed()
    assert (jailed.remote_id, jailed.customer_id) == (money, owed["customer"])
    book = mirror.ledger()
    assert list(book.quarantined) == [owed["customer"]]
    assert book.quarantined_for_all == []
    mirror.sync()
    assert len(mirror.jailed()) == 1, "still broken, still held"
    mirror.act("restore", **{kind: money})
    mirror.sync()
    assert mirror.jailed() == []
    assert not mirror.ledger().quarantined
    assert mirror.ledger().unapplied[owed["customer"], "USD"] >= Decimal("9.00")


def test_a_record_whose_very_id_is_broken_neither_stops_the_sync_nor_stays_for_ever(mirror: Mirror) -> None:
    invoice = mirror.open_invoices()[0]["id"]
    name = {"quickbooks": "Id", "xero": "InvoiceID"}[mirror.provider]
    mirror.act("corrupt", invoice=invoice, fields={name: ["'; drop table"]})
    mirror.sync()
    (jailed,) = mirror.jailed()
    assert not jailed.has_id
    mirror.sync()
    mirror.act("restore", invoice=invoice)
    mirror.backfill()
    assert mirror.jailed() == []
    assert mirror.differences() == []


# --- single payers ---------------------------------------------------------------------------------------------------


def owing(mirror: Mirror, payer: str) -> dict[str, Decimal]:
    book = mirror.ledger(payer)
    return {item.invoice_id: item.balance.amount for items in book.items.values() for item in items}


def free(mirror: Mirror, payer: str) -> Decimal:
    return sum(mirror.ledger(payer).unapplied.values(), start=Decimal(0))


@pytest.mark.parametrize("bumps", [True, False])
def test_what_happened_since_the_sync_is_seen_before_a_message_leaves(
    mirror: Mirror, quiet: SandboxControl, bumps: bool
) -> None:
    quiet.switches({f"{mirror.provider}.payment_bumps_invoice": bumps})
    customer = mirror.act("new_customer", name="Just Now Ltd")["customer"]
    made = [mirror.act("new_invoice", customer=customer, amount=f"{n}0.00")["invoice"] for n in range(1, 6)]
    mirror.sync()
    assert owing(mirror, customer) == {name: Decimal(10 * n) for n, name in enumerate(made, 1)}
    quiet.advance(3600)
    payment = mirror.act("pay", invoice=made[0])["payment"]
    mirror.act("void" if mirror.provider == "xero" else "delete", invoice=made[1])
    mirror.act("void", invoice=made[2])
    mirror.act("pay_unapplied", customer=customer, amount="5.00")
    mirror.act("credit_note", customer=customer, amount="2.50")
    mirror.act("edit", invoice=made[3], due_date="2031-05-05")
    late = mirror.act("new_invoice", customer=customer, amount="99.00")["invoice"]
    mirror.refresh(customer)
    assert owing(mirror, customer) == {made[3]: Decimal(40), made[4]: Decimal(50), late: Decimal(99)}
    assert free(mirror, customer) == Decimal("7.50")
    assert mirror.rows("SELECT due_on FROM invoices WHERE remote_id = :id", id=made[3])[0].due_on == "2031-05-05"
    if bumps:
        mirror.act("delete_payment", payment=payment)
        mirror.refresh(customer)
        assert owing(mirror, customer)[made[0]] == Decimal(10), "a payment taken back is owed again"
    mirror.sync()
    assert mirror.differences() == []


def test_a_refresh_of_nothing_new_wakes_nobody(mirror: Mirror) -> None:
    payers = {row["customer"] for row in mirror.open_invoices()}
    mirror.sync()
    with mirror.counted() as asked:
        stored = mirror.refresh(*payers)
    assert (stored.written, stored.customers) == (0, set())
    assert len(asked) < 12, "a handful of requests for all of them"


def test_a_refresh_reads_a_branch_as_well_as_its_head(quiet: SandboxControl, make_store: Callable[[], Store]) -> None:
    mirror = Mirror.of(quiet, "quickbooks", make_store())
    head = mirror.act("new_customer", name="Head")["customer"]
    branch = mirror.act("new_customer", name="Branch", parent=head)["customer"]
    invoice = mirror.act("new_invoice", customer=branch, amount="10.00")["invoice"]
    mirror.backfill()
    assert owing(mirror, head) == {invoice: Decimal(10)}
    mirror.act("pay_unapplied", customer=branch, amount="4.00")
    mirror.act("pay", invoice=invoice, amount="1.00")
    mirror.refresh(head)
    assert owing(mirror, head) == {invoice: Decimal(9)}
    assert free(mirror, head) == Decimal(4)


def test_money_that_breaks_between_sync_and_message_holds_the_payer(mirror: Mirror) -> None:
    owed = mirror.open_invoices()[0]
    receipt = mirror.act("pay_unapplied", customer=owed["customer"], amount="9.00")["payment"]
    mirror.act("corrupt", payment=receipt, drop=["TotalAmt" if mirror.provider == "quickbooks" else "RemainingCredit"])
    mirror.refresh(owed["customer"])
    assert [one.resource for one in mirror.jailed()] == [Resource.PAYMENTS]
    assert list(mirror.ledger(owed["customer"]).quarantined) == [owed["customer"]]


@pytest.mark.parametrize("cap", ["total", pytest.param("per_entity", marks=pytest.mark.long)])
def test_more_changes_than_one_answer_holds(quiet: SandboxControl, make_store: Callable[[], Store], cap: str) -> None:
    quiet.switches({"quickbooks.cdc_cap": cap})
    mirror = Mirror.of(quiet, "quickbooks", make_store(), invoices=1100)
    mirror.backfill()
    quiet.advance(3600)
    for number, name in enumerate(mirror.truth()["invoices"]):
        mirror.act("edit", invoice=name, due_date="2031-01-01")
        if number % 300 == 0:
            quiet.advance(5)
    mirror.act("delete", invoice=mirror.open_invoices()[0]["id"])
    mirror.act("pay", invoice=mirror.open_invoices()[0]["id"])
    mirror.sync()
    assert mirror.differences() == []


def test_a_cursor_older_than_the_source_remembers_asks_for_a_load(
    quiet: SandboxControl, make_store: Callable[[], Store]
) -> None:
    mirror = Mirror.of(quiet, "quickbooks", make_store())
    mirror.backfill()
    gone, paid = mirror.open_invoices()[:2]
    mirror.act("delete", invoice=gone["id"])
    mirror.act("pay", invoice=paid["id"])
    quiet.advance(days=31)
    with pytest.raises(Stale):
        mirror.sync()
    assert mirror.connection.health is Health.PARTIAL
    with pytest.raises(UsageError, match="not loaded yet"):
        mirror.sync()
    assert not mirror.backfill().resumed
    assert mirror.differences() == []
    mirror.sync()
    assert mirror.connection.synced_at is not None


@pytest.mark.parametrize("merged", ["inactive", "deleted"])
def test_what_went_while_nobody_looked_is_swept_out(
    quiet: SandboxControl, make_store: Callable[[], Store], merged: str
) -> None:
    """A load meets what is there; what is not there any more has to be missed."""
    quiet.switches({"quickbooks.merged_customer": merged})
    mirror = Mirror.of(quiet, "quickbooks", make_store())
    gone = mirror.act("new_customer", name="Gone Ltd")["customer"]
    heir = mirror.act("new_customer", name="Heir Ltd")["customer"]
    paid = mirror.act("new_invoice", customer=heir, amount="50.00")["invoice"]
    payment = mirror.act("pay", invoice=paid)["payment"]
    receipt = mirror.act("pay_unapplied", customer=heir, amount="5.00")["payment"]
    credit = mirror.act("credit_note", customer=heir, amount="6.00")["credit"]
    moved = mirror.act("new_invoice", customer=gone, amount="70.00")["invoice"]
    mirror.backfill()
    assert free(mirror, heir) == Decimal(11)
    for kind, name in (("payment", payment), ("payment", receipt), ("credit", credit)):
        mirror.act("delete", **{kind: name})
    mirror.act("merge", customer=gone, into=heir)
    quiet.advance(days=31)
    with pytest.raises(Stale):
        mirror.sync()
    mirror.backfill()
    assert mirror.differences() == []
    assert free(mirror, heir) == 0
    assert owing(mirror, heir) == {paid: Decimal(50), moved: Decimal(70)}
