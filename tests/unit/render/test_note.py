"""A note tells a colleague what was sent, and is found again by its marker."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from tests.unit.render.samples import OLDEST, SECOND, TODAY, invoice

from arsync.domain.chase import Item
from arsync.domain.policy import StepChannel
from arsync.render import customer_note, invoice_note, oldest_note

MARKER = "[arsync:K3M9-0f9a8b7c]"
MESSAGE = "0f9a8b7c6d5e4f30a1b2c3d4e5f60718"


def on_invoice(item: Item = OLDEST, subject: str = "Overdue: invoice INV-1041", limit: int = 2000) -> str:
    return invoice_note(
        channel=StepChannel.EMAIL,
        step_id="firm",
        playbook="standard",
        message_id=MESSAGE,
        subject=subject,
        recipients=("Jane Okafor <jane@harbour.example>",),
        sent_on=TODAY,
        item=item,
        marker=MARKER,
        limit=limit,
    )


def on_customer(items: tuple[Item, ...], limit: int = 2000) -> str:
    return customer_note(
        channel=StepChannel.EMAIL,
        step_id="firm",
        playbook="standard",
        message_id=MESSAGE,
        subject="Overdue",
        recipients=("jane@harbour.example",),
        sent_on=TODAY,
        items=items,
        marker=MARKER,
        limit=limit,
    )


def test_a_note_on_an_invoice_reads_as_a_ledger() -> None:
    assert on_invoice().splitlines() == [
        "Email sent on 2025-11-05: Overdue: invoice INV-1041",
        "To: Jane Okafor <jane@harbour.example>",
        "Invoice INV-1041: 1,200.00 EUR open of 2,400.00 EUR, due 2025-10-01, 35 days late",
        f"Step firm of playbook standard, message {MESSAGE}",
        MARKER,
    ]


def test_a_note_on_a_customer_lists_its_invoices_oldest_first_with_one_sum_per_currency() -> None:
    pounds = invoice("INV-GB", "100.00", TODAY, currency="GBP")
    lines = on_customer((SECOND, pounds, OLDEST)).splitlines()
    assert lines[2:6] == [
        "3 invoices, 1,545.50 EUR, 100.00 GBP open:",
        "- Invoice INV-1041: 1,200.00 EUR open of 2,400.00 EUR, due 2025-10-01, 35 days late",
        "- Invoice INV-1058: 345.50 EUR open, due 2025-10-20, 16 days late",
        "- Invoice INV-GB: 100.00 GBP open, due 2025-11-05",
    ]
    assert lines[-1] == MARKER


def test_the_oldest_invoice_gets_one_line_that_points_to_the_customer() -> None:
    items = tuple(invoice(f"INV-{n}", "1.00", date(2025, 10, n)) for n in range(1, 8))
    text = oldest_note(
        channel=StepChannel.CALL,
        step_id="call",
        playbook="standard",
        message_id=MESSAGE,
        recipients=("Jane",),
        sent_on=TODAY,
        items=items,
        marker=MARKER,
    )
    assert text.splitlines()[0] == (
        "Call put on the call list on 2025-11-05 to Jane: this and 6 more invoices; see the note on the customer."
    )
    assert text.endswith(f"\n{MARKER}")


@pytest.mark.parametrize("count", [5, 25, 400])
def test_a_long_note_loses_its_middle_and_says_how_much(count: int) -> None:
    items = tuple(
        invoice(f"INV-{n:04}", "1.00", date(2025, 1, 1) + timedelta(days=n % 90), reference="x") for n in range(count)
    )
    text = on_customer(items)
    assert len(text) <= 2000
    assert text.endswith(f"message {MESSAGE}\n{MARKER}")
    shown = text.count("- Invoice")
    assert (f"… {count - shown} lines left out …" in text) == (shown < count)
    assert shown >= 5


@pytest.mark.parametrize("limit", [2000, 250, 120, 40, len(MARKER)])
def test_the_marker_is_never_cut(limit: int) -> None:
    text = on_invoice(subject="Sehr lang " * 500, limit=limit)
    assert len(text.encode("utf-16-le")) // 2 <= limit
    assert text.endswith(MARKER)
    assert text.count("[arsync:") == 1


def test_a_limit_that_no_marker_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="marker"):
        on_invoice(limit=10)


def test_the_vendors_count_an_emoji_as_two() -> None:
    text = on_customer(tuple(invoice("🧾" * 30 + str(n), "1.00", TODAY) for n in range(60)))
    assert len(text.encode("utf-16-le")) // 2 <= 2000


def test_no_value_from_the_source_passes_for_a_marker() -> None:
    forged = replace(OLDEST, number="[arsync:OTHER-11111111]")
    text = on_invoice(forged, subject="[ ARSYNC :OTHER-2]\n[arsync:OTHER-3]")
    assert text.count("[arsync:") == 1
    assert "[ ARSYNC" not in text
    assert len(text.splitlines()) == 5
