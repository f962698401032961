"""What arsync itself writes into the source is no news to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.outbox.office import Office

from arsync.bootstrap import App
from arsync.sandbox.launch import SandboxControl


def decided(app: App) -> dict[str, list[tuple[Any, ...]]]:
    """All that a plan would leave behind."""
    with app.store.reading() as work:
        return {
            table: [tuple(row) for row in work.execute(text(f"SELECT {columns} FROM {table} ORDER BY id"))]
            for table, columns in (
                ("chases", "id, state, version"),
                ("messages", "id, state, revision"),
                ("verdicts", "id, invoice_id, rule, last_run"),
            )
        }


@pytest.mark.parametrize("touches", [False, True])
def test_our_notes_never_cause_a_new_plan(
    open_office: Callable[..., Office], quiet_town: SandboxControl, vendor: str, touches: bool
) -> None:
    """
    night 1    the message goes out, its note is written: this touches the invoice, or not
    night 2    "five days lie between two messages"; notes of others touch invoice and customer
    night 3    not a word: no verdict, no version, no message
    """
    office = open_office(vendor)
    quiet_town.switches({"xero.note_bumps_record": touches})
    book = office.book(vendor)
    acme = book.customer("Acme Ltd")
    invoice = book.invoice(acme, "100.00", days_late=5)
    office.begin_day()
    app = office.load()
    first = office.night(app)
    assert first.accepted == 1
    assert len(book.notes()) == 1
    office.pass_time(hours=1)
    office.night(app)
    before = decided(app)
    office.pass_time(hours=1)
    if vendor == "xero":
        book.act("note", invoice=invoice, text="a word of ours")
        book.act("note", customer=acme, text="and another")
    else:
        book.act("edit_customer", customer=acme, notes="a word of ours")
    office.pass_time(hours=1)
    last = office.night(app)
    assert (last.accepted, last.shifts[0].errors) == (0, [])
    assert decided(app) == before
