"""History and notes: what was done to a record, and what a program may add to it."""

from __future__ import annotations

from typing import Any

from arsync.sandbox.http import Request
from arsync.sandbox.xero_books import Books
from arsync.sandbox.xero_nouns import Noun, record_of
from arsync.sandbox.xero_render import history
from arsync.sandbox.xero_wire import encode, envelope, invalid, milliseconds, not_found

_NO_DOCUMENT = "The document with the supplied id was not found for this endpoint."
_KNOWN = {"Details", "Changes", "User", "DateUTC"}


def read_history(noun: Noun, books: Books, key: str) -> bytes:
    """The history of a record, newest first; 404 where there is none."""
    record = record_of(noun, books, key)
    if record is None:
        raise not_found()
    return envelope(books.now(), "HistoryRecords", history(record, books.notes_of.get(record.id, [])))


def write_history(noun: Noun, books: Books, key: str, request: Request) -> bytes:
    """Write the notes of a request's body; all of them are right, or none is written."""
    texts = _texts(request, longest=int(str(books.switch("xero.longest_note"))))
    record = record_of(noun, books, key) if noun.notes else None
    if record is None:
        raise invalid([_NO_DOCUMENT], {"Details": texts[0]})
    notes = [books.add_note(noun.one, record, text, request.header("idempotency-key") or None) for text in texts]
    written: list[dict[str, Any]] = [
        {
            "DateUTCString": note.at.strftime("%Y-%m-%dT%H:%M:%S"),
            "DateUTC": f"/Date({milliseconds(note.at)})/",
            "Details": note.text,
            "ValidationErrors": [],
        }
        for note in notes
    ]
    return envelope(books.now(), "HistoryRecords", [encode(entry) for entry in written])


def _texts(request: Request, *, longest: int) -> list[str]:
    try:
        body = request.json()
    except ValueError:
        raise invalid(["The request body is not JSON"]) from None
    if not isinstance(body, dict) or set(body) != {"HistoryRecords"}:
        raise invalid(["The body is one object with HistoryRecords"])
    entries = body["HistoryRecords"]
    if not isinstance(entries, list) or not entries:
        raise invalid(["HistoryRecords is a list of at least one record"])
    return [_text(entry, longest=longest) for entry in entries]


def _text(entry: Any, *, longest: int) -> str:
    if not isinstance(entry, dict):
        raise invalid(["A history record is an object"])
    if unknown := set(entry) - _KNOWN:
        raise invalid([f"Unknown field '{name}' in a history record" for name in sorted(unknown)])
    text = entry.get("Details")
    if not isinstance(text, str) or not text.strip():
        raise invalid(["Details must be supplied"])
    if len(text) > longest:
        raise invalid([f"Details must not be more than {longest} characters"], {"Details": text})
    return text
