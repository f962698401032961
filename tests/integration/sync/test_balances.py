"""The source's own figures: customer balances below ours, invoices that drift, and quarantine tried again in turn."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.integration.sync.mirror import Mirror

from arsync.sandbox.launch import SandboxControl
from arsync.store import balances, drift, statements
from arsync.sync import pull


def short(mirror: Mirror) -> dict[str, balances.Account]:
    with mirror.store.reading() as work:
        every = balances.accounts(work, mirror.connection.id)
    return {payer: one for payer, one in every.items() if one.falls_short}


def test_after_a_load_and_a_month_of_life_no_balance_speaks_against_the_items(
    mirror: Mirror, quiet: SandboxControl
) -> None:
    assert short(mirror) == {}
    for _ in range(4):
        quiet.live(mirror.id, days=8)
        mirror.sync()
        assert short(mirror) == {}, "new invoices that the source's figure did not know yet are read again first"


def test_every_statement_comes_to_what_the_source_says_is_owed(mirror: Mirror) -> None:
    """Invoices paid in part, credits and money on no invoice: customer by customer, in one currency each."""
    with mirror.store.reading() as work:
        every = balances.accounts(work, mirror.connection.id).values()
        told = [one for one in every if one.told is not None and len(one.currencies) == 1]
        assert len(told) >= 5
        for account in told:
            on = mirror.sandbox.now().date()
            (statement,) = statements.of_payer(work, mirror.connection.id, account.payer_id, on=on)
            assert statement.balance.amount == statement.lines[-1].running.amount == account.told
            assert sum(money.amount for money in statement.aging.values()) == statement.owed.amount


def test_a_journal_entry_that_no_invoice_hears_of_is_seen(mirror: Mirror) -> None:
    """Balance 300.00; a journal entry takes off 120.00; the invoice still says 300.00."""
    customer = mirror.act("new_customer", name="Journaled Ltd")["customer"]
    mirror.act("new_invoice", customer=customer, amount="300.00")
    mirror.sync()
    assert customer not in short(mirror)
    mirror.sandbox.advance(60)
    mirror.act("journal", customer=customer, amount="120.00")
    mirror.refresh(customer)
    found = short(mirror)[customer]
    assert (found.told, found.net) == (Decimal("180.00"), Decimal("300.00"))
    mirror.act("pay_unapplied", customer=customer, amount="100.00")
    mirror.sync()
    mirror.refresh(customer)
    assert short(mirror)[customer].told == Decimal("80.00"), "money on account lowers both sides"


def test_a_job_and_its_parent_are_one_account(mirror: Mirror) -> None:
    if mirror.provider != "quickbooks":
        return  # Xero has no sub-customers
    parent = mirror.act("new_customer", name="Parent Ltd")["customer"]
    job = mirror.act("new_customer", name="Job Ltd", parent=parent)["customer"]
    mirror.act("new_invoice", customer=job, amount="50.00")
    mirror.act("new_invoice", customer=parent, amount="70.00")
    mirror.sync()
    assert parent not in short(mirror)
    mirror.act("journal", customer=job, amount="1.00")
    mirror.sync()
    assert (short(mirror)[parent].told, short(mirror)[parent].net) == (Decimal("119.00"), Decimal("120.00"))


def test_a_balance_that_no_known_payment_explains_is_drift_and_the_sources_rules(mirror: Mirror) -> None:
    with mirror.store.reading() as work:
        assert drift.drifting(work, mirror.connection.id) == [], "part payments and credits explain every balance"
    part = mirror.open_invoices()[0]
    mirror.act("pay", invoice=part["id"], amount="1.00")
    mirror.sync()
    # The payment is lost to the cache, as one from before the pulled history would be.
    with mirror.store.working() as work:
        work.connection.exec_driver_sql("DELETE FROM allocations WHERE invoice_id = ?", (part["id"],))
        work.commit()
    with mirror.store.reading() as work:
        (one,) = drift.drifting(work, mirror.connection.id)
    assert (one.invoice_id, one.difference) == (part["id"], Decimal(part["total"]) - one.balance)
    with mirror.store.working() as work:
        work.connection.exec_driver_sql(
            "UPDATE invoices SET issued_on = '2001-01-01' WHERE remote_id = ?", (part["id"],)
        )
        work.commit()
    with mirror.store.reading() as work:
        assert drift.drifting(work, mirror.connection.id) == [], "money on an old invoice may be older than the history"


def test_quarantine_is_tried_again_in_turn_a_bounded_number_at_a_time(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [row["id"] for row in mirror.open_invoices()[:5]]
    for one in broken:
        mirror.act("corrupt", invoice=one, fields={"TotalAmt": "n/a", "Total": "n/a"})
    for _ in range(2):  # until the changes themselves are behind the cursor
        mirror.sync()
        mirror.sandbox.advance(3600)
    monkeypatch.setattr(pull, "RETRIED", 2)
    tried = []
    for _ in range(3):
        mirror.sandbox.advance(600)
        before = {one.remote_id: one.last_at for one in mirror.jailed()}
        mirror.sync()
        tried.append({one.remote_id for one in mirror.jailed() if one.last_at != before[one.remote_id]})
    assert [len(some) for some in tried] == [2, 2, 2]
    assert set().union(*tried) == set(broken), "in turn: none is left out for ever"
    for one in broken:
        mirror.act("restore", invoice=one)
    mirror.sync()
    assert mirror.jailed() == []
    assert len(mirror.rows("SELECT data FROM events WHERE kind = 'record_released'")) == 5
