"""A report as CSV, for spreadsheets and for programs."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Final

from arsync.report.sheet import Cell, Sheet

#: What a spreadsheet takes for the begin of a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def as_csv(sheet: Sheet) -> str:
    """The rows under the keys of their columns, without totals and notes. A name from outside is no formula, and one
    line."""
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([column.key for column in sheet.columns])
    lines.writerows([[_in_a_cell(value) for value in row] for row in sheet.rows])
    return text.getvalue()


def _in_a_cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, date | Decimal | int):
        return str(value)
    told = " ".join(_shown(value).split())
    return f"'{told}" if told.startswith(_FORMULA) else told


def _shown(text: str) -> str:
    """Without characters that steer a terminal or a program."""
    return "".join(
        char if char.isprintable() else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}" for char in text
    )
