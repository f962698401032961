"""How many requests a delta costs: stated in docs/vendors.md, counted at the sandbox."""

from __future__ import annotations

from tests.integration.sync.mirror import Mirror

from arsync.sync.refresh import refresh

#: A delta of nothing new. QuickBooks: the company's facts in one batch, change data capture. Xero: organisation and
#: reminder settings, then contacts, payments, overpayments, prepayments, credit notes and invoices.
QUIET = {"quickbooks": 2, "xero": 8}
#: Right before messages go out, for up to 40 payers. QuickBooks: customers and open invoices in one batch, and what
#: changed. Xero: the four kinds of money, the contacts, their invoices that changed, their open invoices.
AFRESH = {"quickbooks": 2, "xero": 7}


def test_a_quiet_delta_costs_no_more_than_is_said(mirror: Mirror) -> None:
    mirror.sync()
    mirror.sandbox.advance(1800)
    with mirror.counted() as asked:
        changed = mirror.sync()
    assert changed.written == 0
    assert len(asked) == QUIET[mirror.provider], [one["path"] for one in asked]


def test_a_delta_of_a_few_edits_costs_no_more_than_a_quiet_one(mirror: Mirror) -> None:
    mirror.sync()
    mirror.sandbox.advance(1800)
    for invoice in mirror.open_invoices()[:5]:
        mirror.act("edit", invoice=invoice["id"], due_date="2031-01-01")
    with mirror.counted() as asked:
        changed = mirror.sync()
    assert changed.written == 5
    assert len(asked) == QUIET[mirror.provider], [one["path"] for one in asked]


def test_forty_payers_are_read_afresh_at_once(mirror: Mirror) -> None:
    mirror.sync()
    payers = sorted(mirror.truth()["customers"])[:40]
    connector = mirror.connector()
    connector.company()  # as each night begins; QuickBooks tells the company's currency with it
    with mirror.counted() as asked:
        refresh(mirror.store, mirror.connection, connector, payers, mirror.clock)
    assert len(payers) > 10
    assert len(asked) == AFRESH[mirror.provider], [one["path"] for one in asked]
