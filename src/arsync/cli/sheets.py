"""How a report is shown: a table for people, JSON for programs, CSV for spreadsheets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from arsync.cli.output import complain, dump, flat, say, table
from arsync.report.sheet import Cell, Sheet, Unit
from arsync.report.spreadsheet import as_csv

_RIGHT: Final = frozenset({Unit.MONEY, Unit.COUNT, Unit.DAYS, Unit.PERCENT})


def show(sheet: Sheet, name: str, *, as_json: bool, in_csv: bool) -> None:
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
    elif in_csv:
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
    sys.stdout.write(as_csv(sheet))
    for note in sheet.notes:
        complain(flat(note))
