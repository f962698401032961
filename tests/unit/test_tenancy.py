"""What the watch over all statements sees, and what it lets pass."""

from __future__ import annotations

import pytest
from tests.tenancy import forgotten


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT invoices.balance FROM invoices WHERE invoices.remote_id = ?",
        "SELECT invoices.balance FROM invoices WHERE invoices.state = 'open'",
        "SELECT count(*) AS n FROM messages JOIN chases ON chases.id = messages.chase_id WHERE chases.payer_id = ?",
        "SELECT message_items.balance FROM message_items WHERE message_items.invoice_id IN (?, ?)",
        "SELECT i.balance FROM invoices AS i JOIN customers AS c ON c.remote_id = i.customer_id WHERE c.payer_id = ?",
        "UPDATE holds SET state='lifted' WHERE holds.payer_id = %(payer)s::VARCHAR",
        "DELETE FROM contacts WHERE customer_id = ?",
    ],
)
def test_a_statement_that_goes_by_the_sources_ids_alone_is_seen(sql: str) -> None:
    assert forgotten(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT invoices.balance FROM invoices WHERE invoices.connection_id = ? AND invoices.remote_id = ?",
        "SELECT invoices.connection_id, invoices.balance FROM invoices WHERE invoices.number = ?",
        "SELECT messages.state FROM messages WHERE messages.id = ?",
        "SELECT message_items.balance FROM message_items WHERE message_items.message_id = ?",
        "SELECT messages.connection_id, chases.payer_id FROM messages JOIN chases ON chases.id = messages.chase_id",
        "DELETE FROM contacts WHERE connection_id = ? AND customer_id = ?",
        "SELECT leases.name FROM leases",
    ],
)
def test_one_that_says_whose_or_goes_by_a_key_of_ours_is_let_pass(sql: str) -> None:
    assert forgotten(sql) == []
