"""Five weeks of two companies, audited against the sandbox's own books: the promises, not our tables."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.acceptance.installation import MORNING, TODAY, Installation

_WEEKS = 5


def _truths(installation: Installation) -> dict[str, dict[str, Any]]:
    return {name: installation.sandbox.truth(one.id) for name, one in installation.books.items()}


def _money_on_no_invoice(truth: dict[str, Any], payer_of: dict[str, str]) -> dict[tuple[str, str], Decimal]:
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for record in [*truth["payments"], *truth["credits"]]:
        if record["customer"] is not None and record["state"] not in ("voided", "deleted", "draft"):
            held[payer_of.get(record["customer"], record["customer"]), record["currency"]] += Decimal(
                record["unapplied"]
            )
    return held


@pytest.fixture
def two_companies(empty: Installation) -> Installation:
    empty.found("harbor", "quickbooks", invoices=400, seed=3)
    empty.found("thames", "xero", invoices=400, seed=5)
    empty.configure()
    empty.load()
    return empty


def test_five_weeks_nobody_is_chased_for_what_they_do_not_owe_nor_twice(two_companies: Installation) -> None:
    """Each night: truth first, then the run, then every message of the run is held against the truth. Nobody makes the
    calls, so that few come to a final notice."""
    last_message: dict[tuple[str, str, str], date] = {}
    audited = 0
    newest = 0
    for week in range(_WEEKS):
        today = TODAY + timedelta(weeks=week)
        two_companies.sandbox.set_clock(MORNING + timedelta(weeks=week))
        if week:
            for one in two_companies.books.values():
                two_companies.sandbox.live(one.id)
        two_companies.arsync("sync")
        two_companies.arsync("approve", "--all", status=None)
        truths = _truths(two_companies)
        two_companies.arsync("run", status=None)
        two_companies.arsync("approve", "--all", status=None)
        two_companies.arsync("run", status=None)

        sent = two_companies.rows(
            "SELECT m.id, n.name, h.payer_id, m.currency, m.step_id, m.tone, m.amount, m.sent_on FROM messages m "
            "JOIN chases h ON h.id = m.chase_id JOIN connections n ON n.id = m.connection_id "
            "WHERE m.state = 'accepted' AND m.id > ? ORDER BY m.id",
            newest,
        )
        for message_id, name, payer, currency, step, tone, amount, sent_on in sent:
            newest = max(newest, message_id)
            assert sent_on == today.isoformat()
            truth = truths[name]
            invoices = {record["id"]: record for record in truth["invoices"]}
            payer_of = dict(two_companies.rows(
                "SELECT c.remote_id, c.payer_id FROM customers c JOIN connections n ON n.id = c.connection_id "
                "WHERE n.name = ?", name,
            ))  # fmt: skip
            held = _money_on_no_invoice(truth, payer_of)[payer, currency]
            demanded = two_companies.rows(
                "SELECT invoice_id, amount FROM message_items WHERE message_id = ? AND demanded", message_id
            )
            asked = Decimal(0)
            for invoice_id, units in demanded:
                record = invoices[invoice_id]
                assert record["state"] == "open", (step, record)
                assert Decimal(record["balance"]) == Decimal(units).scaleb(-4), (step, record)
                assert record["currency"] == currency
                assert payer_of[record["customer"]] == payer
                if tone > 0:
                    assert date.fromisoformat(record["due"]) < today, (step, record)
                asked += Decimal(record["balance"])
            assert asked == Decimal(amount).scaleb(-4)
            assert held < asked, f"{step} to {payer} though {held} {currency} of theirs is on no invoice"
            before = last_message.get((name, payer, currency))
            assert before is None or today - before >= timedelta(days=5), "the gap between two messages"
            last_message[name, payer, currency] = today
            audited += 1
    doubled = two_companies.rows(
        "SELECT chase_id, step_id, invoice_id, count(*) FROM messages m JOIN message_items i ON i.message_id = m.id "
        "WHERE m.state = 'accepted' AND i.demanded GROUP BY chase_id, step_id, invoice_id HAVING count(*) > 1"
    )
    assert doubled == [], "a step is never repeated for an invoice already in one"
    assert audited > 12
