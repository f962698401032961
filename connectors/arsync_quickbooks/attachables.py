"""Notes as attachments without a file, at an invoice or a customer: QuickBooks shows them there, to no customer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from arsync.connector import MARKED, FoundNote, NoteDraft, NoteTarget, TargetKind
from arsync.errors import Rejected
from arsync_quickbooks import wire
from arsync_quickbooks.client import Books
from arsync_quickbooks.pull import changed, escaped

#: characters of one note
LIMIT: Final = 2000
_TARGET: Final = {TargetKind.INVOICE: "Invoice", TargetKind.CUSTOMER: "Customer"}
_KIND: Final = {name: kind for kind, name in _TARGET.items()}


class Attachables:
    """The notes of one company as attachments."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def write(self, note: NoteDraft) -> str:
        """Adds the note at its target; the attachment's id."""
        if len(note.text) > LIMIT:
            raise Rejected(f"a note of {len(note.text)} characters; QuickBooks takes {LIMIT}")
        reference = {"type": _TARGET[note.target.kind], "value": note.target.remote_id}
        body = {"AttachableRef": [{"EntityRef": reference}], "Note": note.text}
        return str(self._books.create("Attachable", body, key=note.key).id)

    def find(self, target: NoteTarget, marker: str) -> str | None:
        """The id of the attachment at that document whose text holds the marker."""
        conditions = (
            f"AttachableRef.EntityRef.Type = '{_TARGET[target.kind]}'",
            f"AttachableRef.EntityRef.value = '{escaped(target.remote_id)}'",
        )
        notes = map(_note, changed(self._books, "Attachable", conditions))
        return next((str(note.id) for note in notes if note and note.note and marker in note.note), None)

    def since(self, moment: datetime) -> Iterator[FoundNote]:
        """Every note of arsync changed since then, wherever it stands; a thousand attachments a request."""
        met = set[str]()
        for note in map(_note, changed(self._books, "Attachable", since=moment)):
            if note is None or not note.note or MARKED not in note.note or str(note.id) in met:
                continue
            met.add(str(note.id))
            for reference in note.attachable_ref or ():
                at = reference.entity_ref
                if isinstance(at, wire.TypedRef) and at.value and at.type in _KIND:
                    yield FoundNote(NoteTarget(_KIND[at.type], str(at.value)), note.note)


def _note(raw: msgspec.Raw) -> wire.Attachable | None:
    try:
        return wire.ATTACHABLE.decode(raw)
    except msgspec.MsgspecError:
        return None  # one record never stops the others
