"""The CSV files of one company: each row with its id, its line and a digest that changes when it does."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from arsync.errors import Malformed, RetryLater

_NAMELESS: Final = "(line "
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file; `problem` says why it cannot be read as a row."""

    line: int
    id: str
    fields: Mapping[str, str]
    raw: str
    digest: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One file as it was at `at`, the time of its last change."""

    rows: Mapping[str, Row]
    at: datetime


def read(path: Path, columns: tuple[str, ...]) -> Table:
    """The file, which has at least these columns, its id in the first of them.

    RetryLater while somebody writes it, Malformed where it is no such file; a bad row spoils only itself.
    """
    try:
        before = path.stat()
        data = path.read_bytes()
        after = path.stat()
    except FileNotFoundError:
        raise Malformed(f"there is no {path.name}") from None
    except OSError as error:
        raise RetryLater(f"{path.name}: {error.strerror}") from None
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise RetryLater(f"{path.name} is being written", after=5)
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        header = next(reader, [])
        lacking = [name for name in columns if name not in header]
        if lacking:
            raise Malformed(f"{path.name} has no column {', '.join(lacking)}")
        rows: dict[str, Row] = {}
        for values in reader:
            if values:
                row = _row(columns[0], header, values, reader.line_num)
                known = rows.get(row.id)
                rows[row.id] = row if known is None else _twice(known, row)
    except UnicodeDecodeError:
        raise Malformed(f"{path.name} is not UTF-8 text") from None
    except csv.Error as error:
        raise Malformed(f"{path.name}: {error}") from None
    # The change time as well: a file copied with its old date is new here.
    changed = max(after.st_mtime_ns, after.st_ctime_ns) // 1000
    return Table(rows, _EPOCH + timedelta(microseconds=changed))


def is_nameless(remote_id: str) -> bool:
    """Whether the row has no id of its own."""
    return remote_id.startswith(_NAMELESS)


def _row(key: str, header: list[str], values: list[str], line: int) -> Row:
    fields = {name: value.strip() for name, value in zip(header, values, strict=False)}
    raw = ",".join(values)
    digest = hashlib.sha256("\x1f".join(values).encode()).hexdigest()[:12]
    problem = "" if len(values) == len(header) else f"line {line} has {len(values)} fields instead of {len(header)}"
    remote_id = fields.get(key, "")
    if not remote_id:
        return Row(line, f"{_NAMELESS}{line})", fields, raw, digest, f"line {line} has no {key}")
    return Row(line, remote_id, fields, raw, digest, problem)


def _twice(known: Row, row: Row) -> Row:
    problem = f"lines {known.line} and {row.line} have the same id"
    return Row(row.line, row.id, row.fields, row.raw, f"{known.digest}{row.digest}", problem)
