"""Reconcile: whatever the delta had missed, afterwards the open items are the source's, and it says which were not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.integration.sync.mirror import Mirror

from arsync.connector.budget import is_bulk
from arsync.sandbox.launch import SandboxControl
from arsync.sync.reconcile import Reconciled, reconcile


def reconciled(mirror: Mirror) -> Reconciled:
    mirror.sync()
    return reconcile(mirror.store, mirror.connection, mirror.connector(), mirror.clock)


def spoil(mirror: Mirror, statement: str, *values: object) -> None:
    with mirror.store.working() as work:
        work.connection.exec_driver_sql(statement, tuple(values))
        work.commit()


def test_a_faithful_cache_has_missed_nothing(mirror: Mirror, quiet: SandboxControl) -> None:
    quiet.live(mirror.id, days=6)
    mirror.sync()
    mirror.sandbox.advance(3600)
    with mirror.counted() as asked:
        found = reconciled(mirror)
    assert (found.missed, found.unlisted, found.quarantined) == ([], {}, 0)
    assert found.compared["invoices"] == len(mirror.open_invoices())
    # The delta, then a page or two for each list; no record by itself.
    assert len(asked) <= {"quickbooks": 9, "xero": 15}[mirror.provider], [one["path"] for one in asked]


def test_comparing_leaves_the_reserve_to_what_goes_out(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(mirror.connector())
    honest, bulk = kind.backfill, set()

    def backfill(*some: Any, **more: Any) -> Any:
        bulk.add(is_bulk())
        return honest(*some, **more)

    monkeypatch.setattr(kind, "backfill", backfill)
    reconcile(mirror.store, mirror.connection, mirror.connector(), mirror.clock)
    assert bulk == {True}


def test_what_the_delta_had_missed_is_repaired_and_said(mirror: Mirror) -> None:
    """
    cache   A paid        B balance 1.00   C gone       D open, in truth paid    E newer than the source
    source  A open        B as invoiced    C open       D paid                   E as invoiced
    """
    a, b, c, e = (row["id"] for row in mirror.open_invoices()[:4])
    d = next(row["id"] for row in mirror.truth()["invoices"].values() if row["state"] in ("paid", "closed"))
    money = mirror.act("pay_unapplied", customer=mirror.open_invoices()[0]["customer"], amount="9.00")["payment"]
    mirror.sync()
    mirror.sandbox.advance(3600)
    mirror.sync()
    spoil(mirror, "UPDATE invoices SET state = 'paid', balance = 0 WHERE remote_id = ?", a)
    spoil(mirror, "UPDATE invoices SET balance = 10000 WHERE remote_id = ?", b)
    spoil(mirror, "DELETE FROM invoices WHERE remote_id = ?", c)
    spoil(mirror, "DELETE FROM invoice_lines WHERE invoice_id = ?", c)
    spoil(mirror, "UPDATE invoices SET state = 'open', balance = total WHERE remote_id = ?", d)
    spoil(
        mirror, "UPDATE invoices SET balance = 10000, updated_at = '2090-01-01 00:00:00.000000' WHERE remote_id = ?", e
    )
    spoil(mirror, "UPDATE payments SET unapplied = 0 WHERE remote_id = ?", money)
    mirror.sandbox.advance(60)
    mirror.sync()
    assert mirror.differences(), "a delta does not see them"
    found = reconciled(mirror)
    assert {one.remote_id for one in found.missed} == {a, b, c, d, e, money}
    assert all(one.repaired for one in found.missed)
    said = {one.remote_id: one.what for one in found.missed}
    assert said[c] == "not known here"
    assert "state paid, in the source open" in said[a]
    assert f"unapplied 0.00, in the source {Decimal('9.00')}" in said[money]
    assert mirror.differences() == []
    assert reconciled(mirror).missed == []


def test_what_people_do_meanwhile_is_not_missed(mirror: Mirror, quiet: SandboxControl) -> None:
    quiet.rules(edit_after_page=2)
    paid = mirror.open_invoices()[0]
    mirror.act("pay", invoice=paid["id"])
    found = reconciled(mirror)
    assert found.missed == []
    mirror.sync()
    assert mirror.differences() == []


def test_a_chase_wakes_where_a_record_is_repaired(mirror: Mirror) -> None:
    invoice = mirror.open_invoices()[0]
    spoil(mirror, "UPDATE invoices SET balance = 10000 WHERE remote_id = ?", invoice["id"])
    payer = mirror.rows("SELECT payer_id FROM customers WHERE remote_id = :id", id=invoice["customer"])[0].payer_id
    spoil(
        mirror,
        "INSERT INTO chases (connection_id, payer_id, currency, state, version, opened_at)"
        " VALUES (?, ?, ?, 'open', 1, '2026-01-01 00:00:00.000000')",
        mirror.connection.id, payer, invoice["currency"],
    )  # fmt: skip
    reconciled(mirror)
    assert mirror.rows("SELECT version FROM chases WHERE payer_id = :id", id=payer)[0].version > 1


def test_what_cannot_be_stored_is_not_called_repaired(mirror: Mirror) -> None:
    invoice = mirror.open_invoices()[0]["id"]
    spoil(mirror, "UPDATE invoices SET balance = 10000 WHERE remote_id = ?", invoice)
    spoil(
        mirror,
        "CREATE TRIGGER refuses BEFORE UPDATE ON invoices WHEN NEW.balance <> 10000"
        " BEGIN SELECT RAISE(ABORT, 'refused'); END",
    )
    (missed,) = reconciled(mirror).missed
    assert (missed.remote_id, missed.repaired) == (invoice, False)


@pytest.mark.parametrize("lost", ["invoices", "payments", "credit_notes"])
def test_an_emptied_cache_is_the_sources_again(mirror: Mirror, lost: str) -> None:
    spoil(mirror, f"DELETE FROM {lost}")
    spoil(
        mirror,
        "DELETE FROM invoice_lines" if lost == "invoices" else f"DELETE FROM allocations WHERE source = '{lost}'",
    )
    reconciled(mirror)
    open_in_truth = {row["id"] for row in mirror.open_invoices()}
    assert {
        row.remote_id for row in mirror.rows("SELECT remote_id FROM invoices WHERE state = 'open'")
    } == open_in_truth
    for kind, table in (("payments", "payments"), ("credits", "credit_notes")):
        left = {
            (row["id"], Decimal(row["unapplied"]))
            for row in mirror.truth()[kind].values()
            if row["state"] in ("received", "open") and Decimal(row["unapplied"])
        }
        here = mirror.rows(f"SELECT remote_id, unapplied FROM {table} WHERE state = 'active' AND unapplied <> 0")
        assert {(row.remote_id, Decimal(row.unapplied) / 10000) for row in here} == left
