"""What a note told the source can be read back from it."""

from __future__ import annotations

from datetime import date

from tests.unit.render.samples import invoice

from arsync.domain.policy import StepChannel
from arsync.render.note import customer_note, invoice_note, oldest_note
from arsync.render.note_reading import read

MARKER = "[arsync:0a1b2c3d-00112233aabb]"
KEY = "f" * 32
COMMON = {
    "channel": StepChannel.EMAIL, "step_id": "friendly", "playbook": "our own book", "message_id": KEY,
    "recipients": ["Ann <ann@example.com>"], "sent_on": date(2026, 6, 9), "marker": MARKER,
}  # fmt: skip


def test_each_kind_of_note_tells_its_message() -> None:
    items = [invoice(f"N-{number}", "10.00", date(2026, 6, 1)) for number in range(6)]
    for text in (
        invoice_note(subject="Step one of playbook x, message y", item=items[0], **COMMON),  # type: ignore[arg-type]
        customer_note(subject="Reminder", items=items, **COMMON),  # type: ignore[arg-type]
        oldest_note(items=items, **COMMON),  # type: ignore[arg-type]
    ):
        told = read(text)
        assert told is not None
        assert (told.marker, told.installation, told.message_key) == (MARKER, "0a1b2c3d", KEY)
        assert (told.step_id, told.playbook, told.sent_on) == ("friendly", "our own book", date(2026, 6, 9))
        assert not told.is_cut
    told = read(customer_note(subject="Reminder", items=items, **COMMON))  # type: ignore[arg-type]
    assert told is not None
    assert sorted(told.numbers) == [f"N-{number}" for number in range(6)]


def test_a_note_that_was_cut_tells_its_day_and_that_it_was_cut() -> None:
    whole = invoice_note(subject="Reminder", item=invoice("N-1", "10.00", date(2026, 6, 1)), **COMMON)  # type: ignore[arg-type]
    told = read(whole[:60] + f"... {MARKER}")
    assert told is not None
    assert (told.sent_on, told.step_id, told.message_key, told.is_cut) == (date(2026, 6, 9), None, None, True)


def test_what_is_not_a_note_of_a_message_tells_nothing() -> None:
    assert read("Email sent on 2026-06-09: hello") is None
    assert read(f"Promised by phone. {MARKER}") is None
    assert read(f"Email sent on 2026-99-99 {MARKER}") is None
