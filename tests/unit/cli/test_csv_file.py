"""A table of another tool, read by the line ends of files and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from arsync.cli.csv_file import What, read


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_what_unicode_calls_the_end_of_a_line_stays_in_its_field(tmp_path: Path, ending: str, inside: str) -> None:
    file = tmp_path / "tags.csv"
    text = ending.join(["customer;tag", f"Acme{inside}Stores;vip", f'"Birch{inside}Cafe";late payer', ""])
    file.write_text(text, encoding="utf-8", newline="")
    lines, problems = read(file, What.TAGS)
    assert problems == []
    assert [(line.number, line.values["customer"]) for line in lines] == [
        (2, f"Acme{inside}Stores"),
        (3, f"Birch{inside}Cafe"),
    ]


def test_a_line_end_inside_quotes_stays_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "holds.csv"
    file.write_text(
        'customer,kind,reason\r\nA,pause,"away\r\nuntil May"\r\nB,pause,too\r\n', encoding="utf-8", newline=""
    )
    lines, _ = read(file, What.HOLDS)
    assert [(line.number, line.values["reason"]) for line in lines] == [(2, "away\r\nuntil May"), (4, "too")]
