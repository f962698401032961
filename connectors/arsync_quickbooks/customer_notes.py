"""Notes in the free text of a customer (Customer.Notes), where people look who never open an attachment.

The field is one text of 2,000 characters that everybody edits. So it is read, changed and written back under its
SyncToken, newest note first; to make room arsync's own oldest notes go, and never a word of anybody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from arsync.connector import FoundNote, NoteDraft, NoteTarget, TargetKind
from arsync.errors import Malformed, Rejected, RetryLater, Stale
from arsync_quickbooks import wire
from arsync_quickbooks.client import Books
from arsync_quickbooks.pull import changed, escaped

LIMIT: Final = 2000
_TRIES: Final = 4
_OPENING: Final = "[arsync]"
_OWN: Final = re.compile(r"\[arsync\]\n(?:(?!\[arsync\]\n).)*?\[arsync:[0-9a-f]+-[0-9a-f]+\]\n?", re.DOTALL)
#: A note as it is read back, with or without its opening: people edit the text.
_NOTED: Final = re.compile(r"(.*?\[arsync:[0-9a-f]+-[0-9a-f]+\])", re.DOTALL)
_LEAST: Final = 80  # characters of a note below which it is worth nothing

_T = TypeVar("_T")


class CustomerNotes:
    """The notes of one company's customers."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def write(self, note: NoteDraft) -> str:
        """Puts the note first; the customer's id. RetryLater where others write all the time."""
        customer_id = self._customer_of(note.target)
        for attempt in range(_TRIES):
            customer = self._read(customer_id)
            there = customer.notes or ""
            if note.marker in there:
                return customer_id
            body = {"Id": customer_id, "SyncToken": str(customer.sync_token or "0"), "Notes": joined(note, there)}
            try:
                # A refusal may be remembered under its key: each try has its own.
                self._books.update("Customer", body, key=note.key if not attempt else f"{note.key}-{attempt}")
            except Stale:
                continue  # somebody wrote in between: what they wrote must stay
            return customer_id
        raise RetryLater("the customer is being edited by others", after=30.0)

    def find(self, target: NoteTarget, marker: str) -> str | None:
        """The customer's id, where its text holds the marker."""
        try:
            customer_id = self._customer_of(target)
            return customer_id if marker in (self._read(customer_id).notes or "") else None
        except Rejected:
            return None

    def since(self, moment: datetime) -> Iterator[FoundNote]:
        """Every note of arsync in the text of a customer who was changed since then; a thousand customers a request."""
        for raw in changed(self._books, "Customer", ("Active IN (true, false)",), since=moment):
            try:
                customer = wire.ANNOTATED.decode(raw)
            except msgspec.MsgspecError:
                continue  # one record never stops the others
            for text in parted(customer.notes or ""):
                yield FoundNote(NoteTarget(TargetKind.CUSTOMER, str(customer.id)), text)

    def _customer_of(self, target: NoteTarget) -> str:
        if target.kind is TargetKind.CUSTOMER:
            return target.remote_id
        invoice = self._first(wire.INVOICE, "Invoice", target.remote_id)
        reference = invoice.customer_ref if invoice is not None else None
        if not isinstance(reference, wire.Ref) or not reference.value:
            raise Rejected(f"invoice {target.remote_id} names no customer")
        return str(reference.value)

    def _read(self, customer_id: str) -> wire.Annotated:
        found = self._first(wire.ANNOTATED, "Customer", customer_id, "Active IN (true, false)")
        if found is None:
            raise Rejected(f"there is no customer {customer_id}")
        return found

    def _first(self, kind: msgspec.json.Decoder[_T], entity: str, remote_id: str, *where: str) -> _T | None:
        raws = self._books.find(entity, [*where, f"Id = '{escaped(remote_id)}'"]).raws
        try:
            return kind.decode(raws[0]) if raws else None
        except msgspec.MsgspecError:
            raise Malformed(f"{entity} {remote_id} cannot be read") from None


def joined(note: NoteDraft, there: str) -> str:
    """The text with the note first, within the limit; Rejected where others' text leaves no room."""
    own = [found.span() for found in _OWN.finditer(there)]
    block = f"{_OPENING}\n{note.text}\n"
    kept = there
    while own and _size(block) + _size(kept) > LIMIT:
        begin, end = own.pop()  # the last is the oldest
        kept = kept[:begin] + kept[end:]
    room = LIMIT - _size(kept)
    if _size(block) > room:
        ending = f"... {note.marker}\n"
        left = room - _size(f"{_OPENING}\n{ending}")
        if left < _LEAST:
            raise Rejected(f"the customer's notes are full: {_size(kept)} characters of others")
        text = note.text.removesuffix(note.marker)[:left]
        while _size(text) > left:
            text = text[:-1]
        block = f"{_OPENING}\n{text}{ending}"
    return block + kept


def parted(there: str) -> list[str]:
    """Each of arsync's notes in the text, from its opening, where it still has one, to its marker."""
    return [found.rpartition(_OPENING)[2].strip() for found in _NOTED.findall(there)]


def _size(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
