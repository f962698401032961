"""A CSV file of another tool: its columns by their names, its records by their lines, and what is wrong with it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Final

from arsync.errors import UsageError


class What(StrEnum):
    """What a file holds."""

    HOLDS = "holds"
    CONTACTS = "contacts"
    TAGS = "tags"
    OWNERS = "owners"
    LANGUAGES = "languages"


#: The columns of each kind; those before the bar are needed.
COLUMNS: Final[Mapping[What, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    What.HOLDS: (("kind", "reason"), ("customer", "invoice", "until", "amount", "code", "author", "connection")),
    What.CONTACTS: (("customer", "email"), ("name", "phone", "role", "author", "connection")),
    What.TAGS: (("customer", "tag"), ("author", "connection")),
    What.OWNERS: (("customer", "name"), ("email", "phone", "signature", "author", "connection")),
    What.LANGUAGES: (("customer", "language"), ("author", "connection")),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One record of the file by its columns, stripped; absent where empty."""

    number: int
    values: Mapping[str, str]

    def get(self, column: str) -> str | None:
        return self.values.get(column)


def read(file: Path, what: What) -> tuple[list[Line], list[str]]:
    """The file's records, and what is wrong with it; UsageError where it cannot be read as a table at all."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            text = opened.read()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 at byte {error.start}; save it as CSV UTF-8") from error
    # By the line ends of files alone: a name may hold what Unicode calls the end of a line or of a paragraph.
    table = StringIO(text, newline="")
    head = next(table, "")
    table.seek(0)
    rows = csv.reader(table, delimiter=max(",;\t", key=head.count))
    needed, optional = COLUMNS[what]
    columns = [name.strip().lower().replace(" ", "_") for name in next(rows, [])]
    if lacking := [name for name in needed if name not in columns]:
        raise UsageError(f"{file}, line 1: no column {', '.join(lacking)}; {what} have {', '.join(needed + optional)}")
    problems = [_unknown(name, needed + optional) for name in columns if name not in needed + optional]
    lines: list[Line] = []
    before = rows.line_num
    for row in _rows(rows, problems):
        number, before = before + 1, rows.line_num
        if len(row) > len(columns):
            problems.append(f"line {number}: {len(row)} values for {len(columns)} columns")
        elif any(value.strip() for value in row):
            values = {name: value.strip() for name, value in zip(columns, row, strict=False) if value.strip()}
            empty = [name for name in needed if name not in values]
            if empty:
                problems.append(f"line {number}: no {', '.join(empty)}")
            else:
                lines.append(Line(number, values))
    return lines, problems


def _rows(rows: Iterator[list[str]], problems: list[str]) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:
        problems.append(f"what follows cannot be read as CSV: {error}")


def _unknown(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"line 1: no column {name!r}{f'; do you mean {near[0]!r}?' if near else ''}: it is left out"
