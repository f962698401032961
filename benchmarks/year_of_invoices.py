"""A year of a company's invoices in a fresh database, nine in ten of them paid by now, most of those late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

from arsync.store import chases
from arsync.store import tables as t
from open_ledger import FIRST, a_contact, a_customer, currency, fill, founded, payer

LAST_DAY: Final = FIRST.date()
FIRST_DAY: Final = LAST_DAY - timedelta(days=364)
_TO_A_PAYER: Final = 10


def make(database: Path, invoices: int) -> int:
    """Fills it; how many are still open."""
    chance = Random(invoices)
    store, linked = founded(database, FIRST)
    payers = invoices // _TO_A_PAYER
    written = [_invoice(linked.id, number, payers, chance) for number in range(invoices)]
    with store.working() as work:
        fill(work, t.customers, (a_customer(linked.id, number) for number in range(payers)))
        fill(work, t.contacts, (a_contact(linked.id, number) for number in range(payers)))
        fill(work, t.invoices, (invoice for invoice, _ in written))
        paid = [(invoice, on) for invoice, on in written if on is not None]
        fill(work, t.payments, (_payment(invoice, on) for invoice, on in paid))
        fill(work, t.allocations, _allocations(paid))
        chases.follow(work, linked.id, now=FIRST)
        work.commit()
    store.close()
    return invoices - len(paid)


def _invoice(connection_id: int, number: int, payers: int, chance: Random) -> tuple[dict[str, Any], date | None]:
    issued = FIRST_DAY + timedelta(days=chance.randrange(365))
    due = issued + timedelta(days=30)
    late = chance.choice((-20, -5, 0, 2, 5, 9, 14, 20, 28, 40, 60))
    paid_on = due + timedelta(days=late + chance.randrange(5))
    is_paid = paid_on <= LAST_DAY and chance.random() < 0.99
    total = Decimal(chance.randint(5_000, 500_000)) / 100
    row = {
        "connection_id": connection_id, "remote_id": f"{number:08}", "number": f"INV-{number:08}",
        "customer_id": payer(number % payers), "state": "paid" if is_paid else "open",
        "currency": currency(number % payers), "total": total, "balance": Decimal("0.00") if is_paid else total,
        "issued_on": issued, "due_on": due, "reference": f"PO {number}", "email": None, "updated_at": FIRST,
        "version": "0", "purchase_order": None, "terms": None, "copies": None, "exchange_rate": None,
        "expected_on": None, "sent": True,
    }  # fmt: skip
    return row, paid_on if is_paid else None


def _payment(invoice: dict[str, Any], on: date) -> dict[str, Any]:
    return {
        "connection_id": invoice["connection_id"], "remote_id": f"P{invoice['remote_id']}", "kind": "payment",
        "customer_id": invoice["customer_id"], "state": "active", "currency": invoice["currency"],
        "amount": invoice["total"], "unapplied": Decimal("0.00"), "received_on": on, "updated_at": FIRST,
        "version": "0",
    }  # fmt: skip


def _allocations(paid: list[tuple[dict[str, Any], date]]) -> Iterator[dict[str, Any]]:
    for invoice, on in paid:
        yield {
            "connection_id": invoice["connection_id"], "source": "payments", "source_id": f"P{invoice['remote_id']}",
            "position": 0, "invoice_id": invoice["remote_id"], "amount": invoice["total"], "allocated_on": on,
        }  # fmt: skip
