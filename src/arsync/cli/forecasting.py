"""How good the forecast is on one's own ledger: forecast evaluate."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from arsync.cli import invoice_file
from arsync.cli.context import Json, linked, opened
from arsync.cli.days import DAY
from arsync.cli.output import complain, flat
from arsync.cli.sheets import show
from arsync.domain.clock import local_date
from arsync.domain.forecast import Bill
from arsync.errors import UsageError
from arsync.report.backtest import Parted, evaluation
from arsync.report.forecast import bill
from arsync.store import asked

_group = typer.Typer(no_args_is_help=True, help="How good the forecast is.")
#: So many lines that cannot be read are told one by one.
_TOLD: Final = 5


@_group.callback()
def _forecast() -> None:
    """How good the forecast is."""


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.add_typer(_group, name="forecast")


@_group.command()
def evaluate(
    context: typer.Context,
    connections: Annotated[list[str] | None, typer.Argument(metavar="[CONNECTION]...")] = None,
    file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="A CSV file of invoices instead.")] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="OURS=THEIRS", help="What the file calls a column.")
    ] = None,
    days: Annotated[str, typer.Option(help="How the file writes days, as strftime does.")] = DAY,
    terms: Annotated[
        int | None, typer.Option(min=0, max=365, help="Days to pay where the file has no due date.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=[DAY], help="The last day of which is told; default the ledger's.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, max=365, help="A forecast every so many days.")] = 28,
    horizon: Annotated[int, typer.Option(min=30, max=365, help="Errors count up to so many days.")] = 90,
    by: Annotated[Parted, typer.Option(help="Rows for each method and segment, or for the chances.")] = Parted.SEGMENT,
    as_json: Json = False,
) -> None:
    """Makes the forecast on past days, from what was known then, and tells how near it was beside plain guesses."""
    told = None if until is None else until.date()
    if file is None:
        if column or terms is not None or days != DAY:
            raise UsageError("--column, --days and --terms are of a file: --csv FILE")
        ledgers = _linked(context, connections, told)
    elif connections:
        raise UsageError("a connection or --csv, not both")
    else:
        ledgers = [_filed(file, column or [], days, terms, told)]
    show(evaluation(ledgers, every, horizon, by), context.info_name or "", as_json=as_json, in_csv=False)


def _linked(context: typer.Context, names: list[str] | None, until: date | None) -> list[tuple[str, list[Bill], date]]:
    found = []
    with opened(context) as app:
        companies = linked(app, names)
        with app.store.reading() as work:
            for one in companies:
                read_on = app.today(one) if one.synced_at is None else local_date(one.synced_at, app.timezone(one))
                last = min(read_on, until or read_on)
                found.append((one.name, [bill(life) for life in asked.lives(work, one.id, last)], last))
    return found


def _filed(
    file: Path, columns: list[str], days: str, terms: int | None, until: date | None
) -> tuple[str, list[Bill], date]:
    named = dict(_pair(written) for written in columns)
    found = invoice_file.read(file, named=named, days=days, terms=terms)
    for problem in found.problems[:_TOLD]:
        complain(flat(problem))
    if len(found.problems) > _TOLD:
        complain(f"and {len(found.problems) - _TOLD} more lines")
    if found.problems:
        complain(f"left out: {len(found.problems)} of {len(found.problems) + len(found.bills)} lines")
    return file.name, found.bills, min(found.last, until or found.last)


def _pair(written: str) -> tuple[str, str]:
    ours, separator, theirs = written.partition("=")
    if not separator or ours not in invoice_file.COLUMNS:
        raise UsageError(f"--column {written}: write OURS=THEIRS, OURS one of {', '.join(invoice_file.COLUMNS)}")
    return ours, theirs
