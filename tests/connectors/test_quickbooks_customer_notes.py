"""Notes in a customer's own text: the newest first, of ours the oldest go, and nobody else's words ever do."""

from __future__ import annotations

import pytest

from arsync.connector import NoteDraft, NoteTarget, TargetKind
from arsync.errors import Rejected
from arsync_quickbooks.customer_notes import LIMIT, joined, parted


def note(number: int, text: str = "Email sent on 2026-06-09: Reminder") -> NoteDraft:
    marker = f"[arsync:7f3a91c2-{number:012x}]"
    return NoteDraft(NoteTarget(TargetKind.CUSTOMER, "7"), f"{text}\n{marker}", marker, f"key-{number}")


def test_the_newest_note_stands_first_and_what_others_wrote_below_it() -> None:
    first = joined(note(1), "Pays by cheque. Ring Ann.")
    second = joined(note(2), first)
    assert second.index("000000000002]") < second.index("000000000001]") < second.index("Pays by cheque. Ring Ann.")
    assert second.endswith("Pays by cheque. Ring Ann.")


def test_our_oldest_notes_make_room_and_the_words_of_others_stay_whole() -> None:
    text = "Pays by cheque."
    for number in range(60):
        text = joined(note(number), text)
        assert len(text) <= LIMIT
        if number == 20:
            text = f"Spoke to Ann today.\n{text}"  # somebody types above ours
        if number == 25:
            place = text.index("[arsync]", 1)
            text = f"{text[:place]}Between two of ours.\n{text[place:]}"
    assert text.count("Pays by cheque.") == text.count("Spoke to Ann today.") == text.count("Between two of ours.") == 1
    assert "00000000003b]" in text, "the newest is there"
    assert "000000000001]" not in text, "and the oldest is not"


def test_a_note_is_shortened_before_it_is_refused_and_keeps_its_marker() -> None:
    others = "x" * (LIMIT - 200)
    text = joined(note(1, "A long story. " * 40), others)
    assert len(text) <= LIMIT and text.endswith(others)
    assert "... [arsync:7f3a91c2-000000000001]" in text
    with pytest.raises(Rejected, match="1940 characters of others"):
        joined(note(1), "x" * 1940)


def test_what_only_looks_like_ours_is_not_cut() -> None:
    """A marker without our opening, an opening without a marker: somebody copied them."""
    others = "[arsync:7f3a91c2-0000000000aa] was wrong\n[arsync]\nto do: ask them. " + "y" * 1500
    text = joined(note(2), joined(note(1, "z" * 300), others))
    assert text.endswith(others)


def test_letters_beyond_the_common_plane_count_twice_as_the_vendor_counts_them() -> None:
    text = joined(note(1, "\U0001f4b6" * 1200), "others")
    assert len(text.encode("utf-16-le")) // 2 <= LIMIT and text.endswith("others")


def test_each_note_is_read_back_by_itself_whatever_stands_around_it() -> None:
    text = joined(note(2, "Email sent on 2026-06-20: Firm"), joined(note(1), "Pays by cheque."))
    place = text.index("[arsync]", 1)
    text = f"Spoke to Ann.\n{text[:place]}Between two of ours.\n{text[place:]}"
    assert parted(text) == [note(2, "Email sent on 2026-06-20: Firm").text, note(1).text]
    assert parted(text.replace("[arsync]\n", ""))[1].endswith(note(1).text), "also without its opening"
    assert parted("Pays by cheque. [arsync] is nice.") == []
