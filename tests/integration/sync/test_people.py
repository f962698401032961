"""Customers are merged, archived, put under others: the cache follows, by every answer to what is unverified."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import product

import pytest
from tests.integration.sync.mirror import Mirror

from arsync.domain.chase import Hold
from arsync.domain.clock import local_date
from arsync.domain.states import HoldKind
from arsync.sandbox.launch import SandboxControl
from arsync.store import chases, holds
from arsync.store.engine import Store


@pytest.fixture
def company(quiet: SandboxControl, provider: str, make_store: Callable[[], Store]) -> Mirror:
    """A company without a story: only what the test tells."""
    return Mirror.of(quiet, provider, make_store(), invoices=0, customers=1)


def customer(company: Mirror, name: str, **more: str) -> str:
    return str(company.act("new_customer", name=name, **more)["customer"])


def invoice(company: Mirror, of: str, amount: str, **more: str) -> str:
    return str(company.act("new_invoice", customer=of, amount=amount, **more)["invoice"])


def owing(company: Mirror) -> dict[str, dict[str, Decimal]]:
    """What each payer owes, by invoice."""
    found: dict[str, dict[str, Decimal]] = {}
    for (payer, _), items in company.ledger().items.items():
        found[payer] = {item.invoice_id: item.balance.amount for item in items}
    return found


def free(company: Mirror) -> dict[str, Decimal]:
    return {payer: amount for (payer, _), amount in company.ledger().unapplied.items() if amount}


def stop(company: Mirror, payer: str) -> None:
    now = company.clock.now()
    hold = Hold(HoldKind.DISPUTE, "broken goods", "ann", payer, None, local_date(now, "UTC"), None)
    with company.store.working() as work:
        chases.follow(work, company.connection.id, now=now)
        holds.place(work, company.connection.id, hold, now=now)
        work.commit()


def held(company: Mirror) -> set[str | None]:
    with company.store.reading() as work:
        return {one.hold.payer_id for one in holds.active(work, company.connection.id) if one.hold.invoice_id is None}


MERGES = {
    "quickbooks": ("quickbooks.merge_bumps_documents", "quickbooks.merged_customer", ("inactive", "deleted")),
    "xero": ("xero.merge_bumps_invoices", "xero.payment_bumps_invoice", (True, False)),
}


@pytest.mark.parametrize(("bumps", "second"), list(product((False, True), (0, 1))))
def test_a_merge_moves_debt_money_and_holds(company: Mirror, quiet: SandboxControl, bumps: bool, second: int) -> None:
    """
    A owes 10 and 20, has paid 5 too much and is on hold; B owes 30. A is merged into B
    => B owes 60, has 5 to spend, and is on hold
    """
    first, other, values = MERGES[company.provider]
    quiet.switches({first: bumps, other: values[second]})
    a, b = customer(company, "A"), customer(company, "B")
    ten, twenty, thirty = invoice(company, a, "10.00"), invoice(company, a, "20.00"), invoice(company, b, "30.00")
    company.act("pay_unapplied", customer=a, amount="5.00")
    company.backfill()
    stop(company, a)
    quiet.advance(3600)
    company.act("merge", customer=a, into=b)
    company.sync()
    assert owing(company) == {b: {ten: Decimal(10), twenty: Decimal(20), thirty: Decimal(30)}}
    assert free(company) == {b: Decimal(5)}
    assert held(company) == {b}
    again = company.sync()
    assert (again.written, again.customers) == (0, 0)
    assert company.differences() == []


@pytest.mark.parametrize("bumps", [False, True])
def test_a_customer_who_was_gone_already_is_merged(
    quiet: SandboxControl, make_store: Callable[[], Store], bumps: bool
) -> None:
    """At Xero, for at QuickBooks only who is active can be merged.

    A owes 10 and is archived, which the cache knows; then A is merged into B      => B owes 10
    A is active again, gets an invoice of 20, and is merged into C                 => B owes 10, C owes 20
    """
    quiet.switches({MERGES["xero"][0]: bumps})
    company = Mirror.of(quiet, "xero", make_store(), invoices=0, customers=1)
    a, b, c = customer(company, "A"), customer(company, "B"), customer(company, "C")
    ten = invoice(company, a, "10.00")
    company.backfill()
    quiet.advance(3600)
    company.act("edit_customer", customer=a, active=False)
    company.sync()
    quiet.advance(3600)
    company.act("merge", customer=a, into=b)
    company.sync()
    assert owing(company) == {b: {ten: Decimal(10)}}
    quiet.advance(3600)
    company.act("edit_customer", customer=a, active=True)
    twenty = invoice(company, a, "20.00")
    company.sync()
    quiet.advance(3600)
    company.act("merge", customer=a, into=c)
    company.sync()
    assert owing(company) == {b: {ten: Decimal(10)}, c: {twenty: Decimal(20)}}
    assert company.differences() == []


def test_a_merge_right_before_a_message_is_seen(company: Mirror, quiet: SandboxControl) -> None:
    a, b = customer(company, "A"), customer(company, "B")
    ten = invoice(company, a, "10.00")
    company.backfill()
    stop(company, a)
    quiet.advance(3600)
    company.act("merge", customer=a, into=b)
    company.refresh(a)
    assert owing(company) == {b: {ten: Decimal(10)}}
    assert held(company) == {b}


def test_a_merge_whose_sync_is_killed_between_its_pages_is_finished_by_the_next(
    company: Mirror, quiet: SandboxControl
) -> None:
    a, b = customer(company, "A"), customer(company, "B")
    made = {invoice(company, a, "10.00"), invoice(company, a, "20.00")}
    company.backfill()
    stop(company, a)
    quiet.advance(3600)
    company.act("merge", customer=a, into=b)
    for skip in range(1, 9):
        quiet.fault("error", {"company": company.id}, status=503, skip=skip, every=1)
        try:
            company.sync()
        except Exception as error:  # noqa: BLE001 - whatever stops it, the next one goes on
            assert "503" in str(error)
        quiet.clear_faults()
    company.sync()
    assert {payer: set(items) for payer, items in owing(company).items()} == {b: made}
    assert held(company) == {b}


def test_an_archived_customer_still_owes(company: Mirror, quiet: SandboxControl) -> None:
    a = customer(company, "A")
    ten = invoice(company, a, "10.00")
    company.backfill()
    quiet.advance(3600)
    company.act("edit_customer", customer=a, active=False)
    company.sync()
    assert company.differences() == []
    assert owing(company) == {a: {ten: Decimal(10)}}
    company.act("edit_customer", customer=a, active=True)
    company.sync()
    assert company.differences() == []


def test_an_invoice_is_reopened_when_money_is_taken_off_it(company: Mirror, quiet: SandboxControl) -> None:
    """
    10 paid => taken off => owed again; 20 paid by what lay unapplied => taken off => owed again, and free again
    """
    a = customer(company, "A")
    ten, twenty = invoice(company, a, "10.00"), invoice(company, a, "20.00")
    payment = company.act("pay", invoice=ten)["payment"]
    receipt = company.act("pay_unapplied", customer=a, amount="25.00")["payment"]
    company.act("apply", payment=receipt, invoice=twenty)
    company.backfill()
    assert owing(company) == {}
    quiet.advance(3600)
    company.act("delete_payment", payment=payment)
    company.act("unapply", payment=receipt, invoice=twenty)
    company.sync()
    assert company.differences() == []
    assert owing(company) == {a: {ten: Decimal(10), twenty: Decimal(20)}}
    assert free(company) == {a: Decimal(25)}


def test_a_due_date_that_is_put_off_or_taken_away_is_seen(company: Mirror, quiet: SandboxControl) -> None:
    a = customer(company, "A")
    later, never = invoice(company, a, "10.00"), invoice(company, a, "20.00")
    company.backfill()
    quiet.advance(3600)
    company.act("edit", invoice=later, due_date="2031-03-03")
    company.act("edit", invoice=never, due_date=None)
    company.sync()
    due = {row.remote_id: row.due_on for row in company.rows("SELECT remote_id, due_on FROM invoices")}
    assert due == {later: "2031-03-03", never: None}
    assert company.differences() == []


# --- branches: QuickBooks only ---------------------------------------------------------------------------------------


def test_a_branch_moves_from_head_to_head_to_its_own(quiet: SandboxControl, make_store: Callable[[], Store]) -> None:
    company = Mirror.of(quiet, "quickbooks", make_store(), invoices=0, customers=1)
    one, two = customer(company, "One"), customer(company, "Two")
    branch = customer(company, "Branch", parent=one)
    ten = invoice(company, branch, "10.00")
    twenty = invoice(company, one, "20.00")
    company.backfill()
    stop(company, one)
    assert owing(company) == {one: {ten: Decimal(10), twenty: Decimal(20)}}
    for parent, payer in ((two, two), (None, branch), (one, one)):
        quiet.advance(3600)
        company.act("edit_customer", customer=branch, parent=parent)
        company.sync()
        assert owing(company)[payer][ten] == Decimal(10)
        assert {payer, one} <= held(company), "held where it was, and where it is"
        assert company.differences() == []


def test_the_branches_of_a_merged_head_go_with_it(quiet: SandboxControl, make_store: Callable[[], Store]) -> None:
    company = Mirror.of(quiet, "quickbooks", make_store(), invoices=0, customers=1)
    one, two = customer(company, "One"), customer(company, "Two")
    branch = customer(company, "Branch", parent=one)
    ten = invoice(company, branch, "10.00")
    company.backfill()
    stop(company, one)
    quiet.advance(3600)
    company.act("merge", customer=one, into=two)
    company.sync()
    assert owing(company) == {two: {ten: Decimal(10)}}
    assert two in held(company)
