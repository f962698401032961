"""The file of an archive: its owner's alone, whole or not there, and refused where it is not what it was."""

from __future__ import annotations

import gzip
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.store.books import NOW
from tests.integration.store.every_table import sums

from arsync.errors import ConfigurationError, Damaged, SchemaMismatch
from arsync.ops import archives
from arsync.store.archive import file
from arsync.store.archive.file import Archive, Head, write
from arsync.store.archive.rows import Row, Shape
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock

#: The file is the same whichever database it was taken from.
pytestmark = pytest.mark.parametrize("database", ["sqlite"])


def test_an_archive_is_its_owners_alone_and_replaces_nothing(kept: Path, filled: Store, clock: FixedClock) -> None:
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    was = kept.read_bytes()
    with pytest.raises(ConfigurationError, match=f"{kept} is there already"):
        archives.back_up(filled, kept, clock)
    assert kept.read_bytes() == was
    assert [one.name for one in kept.parent.glob("*kept*")] == ["kept.gz"]


def test_a_backup_that_fails_leaves_no_file(database: str, tmp_path: Path) -> None:
    def breaking() -> Iterator[tuple[Shape, Iterator[Row]]]:
        yield Shape("runs", {"id": "integer"}, ("id",)), iter([(1,)])
        raise Damaged("the disk cannot be read")

    with pytest.raises(Damaged):
        write(tmp_path / "a.gz", Head("0001", NOW, "0", "sqlite", None), breaking())
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_backup_has_left_goes_with_the_next_and_what_is_being_written_stays(
    filled: Store, tmp_path: Path, clock: FixedClock
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    left, anothers = folder / ".arsync-20260101T000000Z.jsonl.gz.0badcafe.part", folder / ".mine.part"
    left.write_bytes(b"half")
    anothers.write_bytes(b"")
    with file._drawn_up(folder / archives.name_for(clock.now())):
        archives.back_up(filled, folder / "a.jsonl.gz", clock)
        parts = {one.name for one in folder.iterdir() if one.suffix == ".part"}
        assert len(parts) == 2
        assert left.name not in parts
        assert anothers.name in parts, "it is not ours"
    assert {one.name for one in folder.iterdir()} == {"a.jsonl.gz", archives.name_for(clock.now()), ".mine.part"}


def test_the_newest_archives_stay_and_what_a_person_named_does(database: str, tmp_path: Path) -> None:
    names = [f"arsync-2026090{day}T020000Z.jsonl.gz" for day in (1, 2, 3)]
    for name in (*names, "before the move.jsonl.gz"):
        (tmp_path / name).touch()
    assert [one.name for one in archives.drop_older(tmp_path, 2)] == names[:1]
    assert {one.name for one in tmp_path.iterdir()} == {*names[1:], "before the move.jsonl.gz"}


# --- what is not whole is not believed --------------------------------------------------------------------------


def lines_of(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def first_row(lines: list[bytes]) -> int:
    return next(number for number, line in enumerate(lines) if line.startswith(b"["))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _cut_at_a_line(path: Path) -> None:
    path.write_bytes(gzip.compress(b"".join(lines_of(path)[:-1])))


def _flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 4
    path.write_bytes(raw)


def _row_changed(path: Path) -> None:
    lines = lines_of(path)
    at = first_row(lines)
    lines[at] = lines[at].replace(b"2026-09", b"2025-09", 1)
    path.write_bytes(gzip.compress(b"".join(lines)))


def _row_left_out(path: Path) -> None:
    lines = lines_of(path)
    del lines[first_row(lines)]
    path.write_bytes(gzip.compress(b"".join(lines)))


def _table_left_out(path: Path) -> None:
    lines = lines_of(path)
    begin = next(n for n, line in enumerate(lines) if line.startswith(b'{"table":"touched_invoices"'))
    end = next(n for n, line in enumerate(lines) if line.startswith(b'{"end":"touched_invoices"'))
    path.write_bytes(gzip.compress(b"".join(lines[:begin] + lines[end + 1 :])))


def _more_behind(path: Path) -> None:
    path.write_bytes(gzip.compress(b"".join(lines_of(path)) + b"[1]\n"))


def _no_archive(path: Path) -> None:
    path.write_bytes(gzip.compress(b'{"some": "thing"}\n'))


def _not_packed(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_cut, "breaks off"),
        (_cut_at_a_line, "breaks off"),
        (_flipped, "line"),
        (_row_changed, "the sum of table .* is another"),
        (_row_left_out, "the sum of table .* is another"),
        (_table_left_out, "its sum is another"),
        (_more_behind, "something follows its end"),
        (_no_archive, "no archive of arsync"),
        (_not_packed, "line 1"),
    ],
)
def test_a_damaged_archive_is_refused_and_nothing_is_touched(
    filled: Store, kept: Path, clock: FixedClock, spoil: object, said: str
) -> None:
    before = sums(filled)
    assert callable(spoil)
    spoil(kept)
    for attempt in (
        lambda: archives.read_through(kept),
        lambda: archives.unpacked(kept).__enter__(),
        lambda: archives.put_back(filled, kept, clock, author="ann", replace=True),
    ):
        with pytest.raises(Damaged, match=said):
            attempt()
    assert sums(filled) == before


def rewritten(path: Path, *, head: dict[str, object] | None = None, row: tuple[bytes, bytes] = (b"", b"")) -> None:
    """An archive with right sums over other contents."""
    with Archive(path).read() as (was, contents):
        tables_of = [(shape, list(rows)) for shape, rows in contents]
    changed = [
        (shape, [tuple(row[1] if cell == row[0] else cell for cell in one) for one in rows])
        for shape, rows in tables_of
    ]
    path.unlink()
    told = {"schema": was.schema, "taken_at": was.taken_at, "arsync": "9.9", "database": "sqlite", "installation": None}
    write(path, Head(**{**told, **(head or {})}), changed)  # type: ignore[arg-type]


def test_an_archive_of_a_newer_arsync_is_refused(filled: Store, kept: Path, clock: FixedClock) -> None:
    rewritten(kept, head={"schema": "9999"})
    with pytest.raises(SchemaMismatch, match="the data are at 9999, which is newer than this arsync; upgrade arsync"):
        archives.put_back(filled, kept, clock, author="ann", replace=True)
    lines = lines_of(kept)
    kept.write_bytes(
        gzip.compress(lines[0].replace(b'"arsync_archive":1', b'"arsync_archive":2') + b"".join(lines[1:]))
    )
    with pytest.raises(ConfigurationError, match="an archive of a newer arsync; upgrade arsync"):
        archives.read_through(kept)


def test_a_row_that_refers_to_nothing_is_found_whatever_the_sums_say(
    filled: Store, kept: Path, clock: FixedClock
) -> None:
    with Archive(kept).read() as (head, contents):
        lacking = [(shape, [] if shape.name == "letter_batches" else list(rows)) for shape, rows in contents]
    kept.unlink()
    write(kept, head, lacking)
    before = sums(filled)
    with pytest.raises(Damaged, match="letter_sheets"):
        archives.put_back(filled, kept, clock, author="ann", replace=True)
    assert sums(filled) == before
