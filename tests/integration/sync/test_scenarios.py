"""What public readers of these sources get wrong: edits, deletions and voids, also throttled, or with a token that dies
on the way. Live edits, crash and resume, and counts are in test_backfill."""

from __future__ import annotations

import pytest
from tests.integration.sync.mirror import Mirror

from arsync.sandbox.launch import SandboxControl

_TROUBLES = {
    "none": {},
    "throttled": {"fault": "throttle", "seconds": 1, "every": 3},
    "a dead token": {"fault": "expired_token", "skip": 2},
    "a broken line": {"fault": "disconnect_before", "skip": 1, "times": 2},
    "half an answer": {"fault": "truncate", "skip": 1, "times": 2},
}


@pytest.mark.parametrize("trouble", _TROUBLES)
def test_fifty_edits_five_deletions_and_five_voids_are_seen_by_the_second_sync(
    mirror: Mirror, quiet: SandboxControl, trouble: str
) -> None:
    customer = mirror.act("new_customer", name="Sixty Ltd")["customer"]
    made = [mirror.act("new_invoice", customer=customer, amount=f"{n}.00")["invoice"] for n in range(1, 61)]
    mirror.sync()
    quiet.advance(3600)
    for number, invoice in enumerate(made[:50]):
        mirror.act("edit", invoice=invoice, due_date=f"2031-01-{1 + number % 28:02}")
    for invoice in made[50:55]:
        mirror.act("delete", invoice=invoice)
    for invoice in made[55:]:
        mirror.act("void", invoice=invoice)
    order = dict(_TROUBLES[trouble])
    if order:
        quiet.fault(str(order.pop("fault")), {"company": mirror.id}, **order)
    changed = mirror.sync()
    assert changed.written >= 60
    assert mirror.differences() == []
    states = {row.remote_id: row.state for row in mirror.rows("SELECT remote_id, state FROM invoices")}
    ended = {"quickbooks": "deleted", "xero": "void"}[mirror.provider]
    assert [states[name] for name in made[50:]] == [ended] * 5 + ["void"] * 5
