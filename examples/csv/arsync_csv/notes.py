"""`notes.csv`: one line for each note, only ever appended to."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from arsync.connector import Clock, NoteDraft, NoteTarget
from arsync.errors import OutcomeUnknown, RetryLater


class NoteBook:
    """The notes of one company. A line that a crash tore is passed over; its note is written again."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def write(self, note: NoteDraft) -> str:
        """The note's key, under which it stands once; on the disk when this returns."""
        if any(key == note.key for key, *_ in self._lines()):
            return note.key
        said = [note.key, note.target.kind.value, note.target.remote_id, self._clock.now().isoformat(), note.text]
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([value.replace("\n", "\\n") for value in said])
        data = line.getvalue().encode()
        if self._is_torn():
            data = b"\n" + data
        written = 0
        try:
            with self._path.open("ab", buffering=0) as file:
                written = file.write(data) or 0
                os.fsync(file.fileno())
        except OSError as error:
            raise RetryLater(f"{self._path.name}: {error.strerror}") from None
        if written != len(data):
            raise OutcomeUnknown(f"{self._path.name}: the disk is full")
        return note.key

    def find(self, target: NoteTarget, marker: str) -> str | None:
        """The key of the note there that holds the marker."""
        for key, kind, remote_id, _at, text in self._lines():
            if (kind, remote_id) == (target.kind.value, target.remote_id) and marker in text:
                return key
        return None

    def _lines(self) -> Iterator[tuple[str, str, str, str, str]]:
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8", errors="replace").split("\n"):
            values = next(csv.reader([line]), [])
            if len(values) == 5:
                key, kind, remote_id, at, text = values
                yield key, kind, remote_id, at, text.replace("\\n", "\n")

    def _is_torn(self) -> bool:
        return self._path.exists() and self._path.read_bytes()[-1:] not in (b"\n", b"")
