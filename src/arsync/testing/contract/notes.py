"""Clauses on notes: written once, found again."""

from __future__ import annotations

import pytest

from arsync.connector import NoteDraft, NoteTarget, Resource, TargetKind
from arsync.errors import Gone, OutcomeUnknown, Rejected, RetryLater
from arsync.testing.contract.held import Held
from arsync.testing.contract.source import Ability, Fault, Source

MARKER = "[arsync:7f3a91]"
KEY = "0b1f9c2e-5d57-4b59-9a1f-0c2f4f10aa01"


def _on(kind: TargetKind, remote_id: str, *, key: str = KEY, marker: str = MARKER, text: str = "") -> NoteDraft:
    words = text or f"Reminder sent to “Zoë” <zoe@example.com>, 1.234,00 € – 2nd {marker}"
    return NoteDraft(NoteTarget(kind, remote_id), words, marker, key)


def _on_invoice(source: Source, number: int = 0) -> NoteDraft:
    return _on(TargetKind.INVOICE, source.owed()[number].remote_id)


def _kept(source: Source, note: NoteDraft) -> list[str]:
    return [text for text in source.notes(note.target) if note.marker in text]


class Notes:
    """A note is the customer's file: twice is a lie, never is a gap."""

    def test_a_note_is_written_and_found_by_its_marker(self, source: Source) -> None:
        source.needs(Ability.NOTES)
        note = _on_invoice(source)
        written = source.connector().write_note(note)
        assert written, "the source's id of the note, or its marker"
        assert source.connector().find_note(note.target, MARKER) == written
        assert _kept(source, note) == [note.text]

    def test_a_note_on_a_customer_is_written_and_found(self, source: Source) -> None:
        source.needs(Ability.NOTES, Ability.CUSTOMER_NOTES)
        note = _on(TargetKind.CUSTOMER, source.owed()[0].customer_id)
        written = source.connector().write_note(note)
        assert source.connector().find_note(note.target, MARKER) == written
        assert _kept(source, note) == [note.text]

    def test_a_note_written_twice_with_its_key_stands_once(self, source: Source) -> None:
        source.needs(Ability.NOTES)
        note = _on_invoice(source)
        assert source.connector().write_note(note) == source.connector().write_note(note)
        assert _kept(source, note) == [note.text]

    def test_two_notes_with_two_keys_are_two(self, source: Source) -> None:
        source.needs(Ability.NOTES)
        target = _on_invoice(source).target
        first = _on(target.kind, target.remote_id)
        second = _on(target.kind, target.remote_id, key="another-key", marker="[arsync:second]")
        connector = source.connector()
        ids = [connector.write_note(note) for note in (first, second)]
        assert [connector.find_note(target, note.marker) for note in (first, second)] == ids
        assert (len(_kept(source, first)), len(_kept(source, second))) == (1, 1)

    def test_no_note_is_found_where_there_is_none(self, source: Source) -> None:
        source.needs(Ability.NOTES)
        note, other = _on_invoice(source), _on_invoice(source, 1)
        connector = source.connector()
        assert connector.find_note(note.target, MARKER) is None
        connector.write_note(note)
        assert connector.find_note(other.target, MARKER) is None, "a note is found at another document"
        assert connector.find_note(note.target, "[arsync:other]") is None, "another note is found"

    def test_a_note_on_nothing_is_refused(self, source: Source) -> None:
        source.needs(Ability.NOTES)
        note = _on(TargetKind.INVOICE, source.unknown_id)
        with pytest.raises((Rejected, Gone)):
            source.connector().write_note(note)

    def test_a_long_note_is_refused_or_keeps_its_marker(self, source: Source) -> None:
        source.needs(Ability.NOTES)
        remote_id = source.owed()[0].remote_id
        for length, key in ((1_000, "k-1"), (100_000, "k-2")):
            marker = f"[arsync:{key}]"
            note = _on(TargetKind.INVOICE, remote_id, key=key, marker=marker, text="x" * length + marker)
            try:
                source.connector().write_note(note)
            except Rejected:
                assert _kept(source, note) == [], "refused, and there all the same"
            else:
                assert source.connector().find_note(note.target, marker), "written, and cannot be found again"

    def test_a_note_changes_nothing_that_is_owed(self, source: Source) -> None:
        source.needs(Ability.NOTES)
        connector, held = source.connector(), Held()
        cursor = connector.watermark()
        held.backfill(connector, source.since)
        before = held.ids(Resource.INVOICES)
        connector.write_note(_on_invoice(source))
        held.follow(connector, cursor)
        assert held.ids(Resource.INVOICES) == before
        held.must_agree(source)

    # --- on a bad line ------------------------------------------------------------------------------------

    def test_a_note_whose_answer_is_lost_is_unknown_and_stands_once(self, source: Source) -> None:
        source.needs(Ability.NOTES, Fault.CUT_AFTER)
        note = _on_invoice(source)
        source.fault(Fault.CUT_AFTER, times=1, writes=True)
        with pytest.raises(OutcomeUnknown):
            source.connector().write_note(note)
        source.calm()
        assert _kept(source, note) == [note.text], "sent again by itself"
        assert source.connector().find_note(note.target, MARKER)

    def test_a_note_lost_on_its_way_is_not_taken_for_written(self, source: Source) -> None:
        for fault in (Fault.CUT_BEFORE, Fault.SILENT):
            source.needs(Ability.NOTES, fault)
            note = _on_invoice(source)
            source.fault(fault, times=1, writes=True)
            with pytest.raises(OutcomeUnknown):
                source.connector().write_note(note)
            source.calm()
            assert _kept(source, note) == []
            assert source.connector().find_note(note.target, MARKER) is None

    def test_a_note_that_is_throttled_comes_later(self, source: Source) -> None:
        source.needs(Ability.NOTES, Fault.THROTTLED)
        note = _on_invoice(source)
        source.fault(Fault.THROTTLED, writes=True)
        with pytest.raises(RetryLater) as told:
            source.connector().write_note(note)
        assert told.value.after > 0
        source.calm()
        assert _kept(source, note) == []
        source.connector().write_note(note)
        assert _kept(source, note) == [note.text]

    def test_a_note_refused_by_a_server_that_is_down_stands_at_most_once(self, source: Source) -> None:
        source.needs(Ability.NOTES, Fault.DOWN)
        note = _on_invoice(source)
        source.fault(Fault.DOWN, times=1, writes=True)
        with pytest.raises((OutcomeUnknown, RetryLater)):
            source.connector().write_note(note)
        source.calm()
        connector = source.connector()
        if connector.find_note(note.target, MARKER) is None:
            connector.write_note(note)
        assert _kept(source, note) == [note.text]

    def test_a_note_is_written_with_a_token_that_has_just_ended(self, source: Source) -> None:
        source.needs(Ability.NOTES, Ability.TOKENS, Fault.EXPIRED)
        connector, note = source.connector(), _on_invoice(source)
        connector.company()
        source.fault(Fault.EXPIRED, times=1, writes=True)
        connector.write_note(note)
        assert _kept(source, note) == [note.text]
