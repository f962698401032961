"""How a report is shown: a table for people, JSON for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from arsync.cli.output import clean, complain, dump, flat, say, table
from arsync.report.sheet import Cell, Sheet, Unit

_RIGHT: Final = frozenset({Unit.MONEY, Unit.COUNT, Unit.DAYS, Unit.PERCENT})
#: What a spreadsheet takes for the begin of a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def show(sheet: Sheet, name: str, *, as_json: bool, as_csv: bool) -> None:
    """Prints the sheet of that report. As CSV the totals are left out, and the notes go to standard error."""
    if as_json:
        dump(
            {
                "report": name,
                "title": sheet.title,
                "rows": sheet.records(sheet.rows),
                "totals": sheet.records(sheet.totals),
                "notes": sheet.notes,
            }
        )
    elif as_csv:
        _write(sheet)
    else:
        _tell(sheet)


def _tell(sheet: Sheet) -> None:
    say(sheet.title, style="bold")
    shown = [place for place, column in enumerate(sheet.columns) if not column.aside]
    columns = [sheet.columns[place] for place in shown]
    rows = [_told(sheet, shown, row) for row in (*sheet.rows, *sheet.totals)]
    if rows:
        names = [column.name for column in columns]
        table(names, rows, right=(column.name for column in columns if column.unit in _RIGHT))
    else:
        say("nothing to tell")
    for note in sheet.notes:
        say(flat(note))


def _told(sheet: Sheet, shown: Sequence[int], row: Sequence[Cell]) -> list[str]:
    return [_in_words(row[place], sheet.columns[place].unit) for place in shown]


def _in_words(value: Cell, unit: Unit) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal | int) and unit in (Unit.MONEY, Unit.COUNT):
        return f"{value:,}"
    return f"{value} %" if unit is Unit.PERCENT else str(value)


def _write(sheet: Sheet) -> None:
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow([column.key for column in sheet.columns])
    lines.writerows([[_in_a_cell(value) for value in row] for row in sheet.rows])
    for note in sheet.notes:
        complain(flat(note))


def _in_a_cell(value: Cell) -> str:
    """A name from outside is no formula, and one line."""
    if value is None:
        return ""
    if isinstance(value, date | Decimal | int):
        return str(value)
    text = flat(clean(value))
    return f"'{text}" if text.startswith(_FORMULA) else text
