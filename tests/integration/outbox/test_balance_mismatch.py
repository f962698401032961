"""The source's own customer balance below our net: nobody is chased for a debt that the books have written off."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.outbox.office import VENDORS, an_office

from arsync.sandbox.launch import SandboxControl


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_write_off_that_touches_no_invoice_holds_the_payer_until_the_account_agrees(
    sandbox: SandboxControl, tmp_path: Path, vendor: str
) -> None:
    """
    06-09 09:00  Aldgate owes 900.00, five days late; planned
    06-09 09:05  a journal entry takes 900.00 off the account, no invoice hears of it
    06-09 09:06  dispatch: nothing goes out
    06-10        night: held, for the account and the invoices do not agree
    06-11        the credit is put on the invoice in the source: clear, nothing goes out
    """
    with an_office(sandbox, tmp_path, vendor) as office:
        (book,) = office.books
        customer = book.customer("Aldgate Ltd")
        invoice = book.invoice(customer, "900.00", days_late=5, number="A-1")
        app = office.load()
        office.plan(app)
        assert office.states(app) == ["approved"]
        book.act("journal", customer=customer, amount="900.00", silently=True)
        office.dispatch(app)
        assert office.sent() == []
        office.pass_time(days=1)
        office.night(app)
        assert office.sent() == []
        with app.store.reading() as work:
            rows = work.connection.exec_driver_sql("SELECT rule, reason FROM verdicts WHERE last_run IS NULL").all()
        ((rule, reason),) = list(rows)
        assert rule == "balance_mismatch"
        assert "owes 0.00 USD in all, less than" in reason
        assert "900.00" in reason
        book.act("pay", invoice=invoice)
        office.pass_time(days=1)
        office.night(app)
        assert office.sent() == []
