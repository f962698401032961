"""The file of an archive: lines of JSON, packed by gzip, each table with its sum and the whole with another.

    {"arsync_archive": 1, "schema": "0001", "taken_at": ...}
    {"table": "grants", "columns": {"id": "integer", ...}, "key": ["id"]}
    [1, "xero", ...]
    {"end": "grants", "rows": 1, "sha256": ...}
    ...
    {"end_of_archive": true, "tables": 52, "rows": 8461, "sha256": ...}

The last sum is over all bytes before its line. docs/data.md says it for people.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import secrets
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from arsync.errors import ConfigurationError, Damaged
from arsync.store.archive.rows import Row, Shape, Sum, Summed, line, read

VERSION: Final = 1
#: The names of archives that nobody has chosen.
UNNAMED: Final = re.compile(r"arsync-\d{8}T\d{6}Z\.jsonl\.gz")
_LEFT: Final = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part")
_decode: Final = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Head:
    """What an archive says of itself."""

    schema: str
    taken_at: datetime
    arsync: str
    database: str  # the kind that it was taken from
    installation: str | None


@dataclass(frozen=True, slots=True)
class Whole:
    """What an archive holds in all."""

    head: Head
    tables: dict[str, Sum]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(one.rows for one in self.tables.values())


def write(path: Path, head: Head, contents: Iterable[tuple[Shape, Iterable[Row]]]) -> Whole:
    """Writes an archive for its owner's eyes only: whole and on the disk, or not at all. An existing file is left alone
    (ConfigurationError), as is a folder that cannot be written into."""
    sums: dict[str, Sum] = {}
    with _drawn_up(path) as raw:
        out = _Lines(raw)
        out.say({"arsync_archive": VERSION, **asdict(head)})
        for shape, given in contents:
            out.say({"table": shape.name, "columns": dict(shape.columns), "key": list(shape.key)})
            summed = Summed()
            for row in given:
                cells = line(row)
                summed.add(cells)
                out.put(cells)
            sums[shape.name] = summed.sum
            out.say({"end": shape.name, **asdict(summed.sum)})
        whole = Whole(head, sums)
        out.say({"end_of_archive": True, "tables": len(sums), "rows": whole.rows, "sha256": out.hash})
        out.close()
    return whole


class _Lines:
    """Packed lines into a file, and their hash."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._packed = gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0)
        self._sum = sha256()

    def put(self, cells: bytes) -> None:
        self._packed.write(cells + b"\n")
        self._sum.update(cells + b"\n")

    def say(self, told: dict[str, Any]) -> None:
        self.put(msgspec.json.encode(told))

    @property
    def hash(self) -> str:
        return self._sum.hexdigest()

    def close(self) -> None:
        self._packed.close()


@contextmanager
def _drawn_up(path: Path) -> Iterator[IO[bytes]]:
    """A file beside, which gets its name when all is in it and on the disk. It is locked while it is written: what
    nobody holds has been left by one that was killed, and goes."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            raise ConfigurationError(f"{path} is there already")
        _clear_left(path)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as raw:
                fcntl.flock(raw, fcntl.LOCK_EX)
                yield raw
                raw.flush()
                os.fsync(raw.fileno())
            os.link(beside, path)  # unlike a renaming it replaces nothing
            _flush(path.parent)
        finally:
            with suppress(OSError):
                beside.unlink()
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None


def _clear_left(path: Path) -> None:
    """Removes what killed ones have left beside that path, of its name and of those that nobody has chosen."""
    for one in path.parent.glob(".*.part"):
        found = _LEFT.fullmatch(one.name)
        if found is None or (found[1] != path.name and not UNNAMED.fullmatch(found[1])):
            continue
        with suppress(OSError), one.open("rb") as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            one.unlink()


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Archive:
    """An archive that is read from its beginning to its end, once; Damaged where it is not what it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sums: dict[str, Sum] = {}  # of the tables read so far
        self._number = 0
        self._sum = sha256()

    def head(self) -> Head:
        """Only what it says of itself."""
        with self._opened() as lines:
            return self._head(lines)

    @contextmanager
    def read(self) -> Iterator[tuple[Head, Iterator[tuple[Shape, Iterator[Row]]]]]:
        """Its head, and its tables one after the other. Only when all tables have been read is it known to be whole."""
        with self._opened() as lines:
            yield self._head(lines), self._tables(lines)

    @contextmanager
    def _opened(self) -> Iterator[gzip.GzipFile]:
        self._number, self._sum, self.sums = 0, sha256(), {}
        try:
            packed = gzip.GzipFile(self.path, "rb")
        except OSError as error:
            raise ConfigurationError(f"cannot read {self.path}: {error.strerror}") from None
        with packed:
            yield packed

    def _head(self, lines: gzip.GzipFile) -> Head:
        told = self._said(lines)
        if told.get("arsync_archive") is None:
            raise Damaged(f"{self.path} is no archive of arsync")
        if told.pop("arsync_archive") != VERSION:
            raise ConfigurationError(f"{self.path} is an archive of a newer arsync; upgrade arsync")
        try:
            return msgspec.convert(told, Head)
        except msgspec.ValidationError as error:
            raise self._wrong(str(error)) from None

    def _tables(self, lines: gzip.GzipFile) -> Iterator[tuple[Shape, Iterator[Row]]]:
        tables = count = 0
        while True:
            before = self._sum.hexdigest()
            told = self._said(lines)
            if told.get("end_of_archive"):
                if (told.get("tables"), told.get("rows"), told.get("sha256")) != (tables, count, before):
                    raise self._wrong("its sum is another")
                if lines.read(1):
                    raise self._wrong("something follows its end")
                return
            try:
                shape = Shape(told["table"], dict(told["columns"]), tuple(told["key"]))
            except (KeyError, TypeError, ValueError):
                raise self._wrong("no table begins here") from None
            summed = Summed()
            given = self._rows(lines, shape, summed)
            yield shape, given
            for _ in given:
                pass  # what nobody asked for is read all the same
            self.sums[shape.name] = summed.sum
            tables, count = tables + 1, count + summed.sum.rows

    def _rows(self, lines: gzip.GzipFile, shape: Shape, summed: Summed) -> Iterator[Row]:
        while True:
            found = self._line(lines)
            if found.startswith(b"["):
                try:
                    row = read(shape, _decode(found))
                except ValueError as error:
                    raise self._wrong(f"table {shape.name}: {error}") from None
                summed.add(found)
                yield row
                continue
            told = self._told(found)
            if told != {"end": shape.name, **asdict(summed.sum)}:
                raise self._wrong(f"the sum of table {shape.name} is another")
            return

    def _said(self, lines: gzip.GzipFile) -> dict[str, Any]:
        return self._told(self._line(lines))

    def _told(self, found: bytes) -> dict[str, Any]:
        try:
            told = _decode(found)
        except ValueError:
            raise self._wrong("not JSON") from None
        if not isinstance(told, dict):
            raise self._wrong("out of place")
        return told

    def _line(self, lines: gzip.GzipFile) -> bytes:
        self._number += 1
        try:
            found = lines.readline()
        except (EOFError, OSError, zlib.error) as error:
            raise self._wrong("it breaks off" if isinstance(error, EOFError) else str(error)) from None
        if not found.endswith(b"\n"):
            raise self._wrong("it breaks off")
        self._sum.update(found)
        return found[:-1]

    def _wrong(self, what: str) -> Damaged:
        return Damaged(f"{self.path}, line {self._number}: {what}")
