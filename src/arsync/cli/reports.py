"""What a controller reads: report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from arsync.bootstrap import App
from arsync.cli.context import Json, linked, opened
from arsync.cli.days import DAY
from arsync.cli.sheets import show
from arsync.errors import UsageError
from arsync.report import aging as ages
from arsync.report import changes as moves
from arsync.report import forecast as expected
from arsync.report import outstanding, people
from arsync.report import steps as effects
from arsync.report.forecast import Dates, Rows
from arsync.report.outstanding import Level
from arsync.report.sheet import Office, Sheet
from arsync.store.engine import Work

_group = typer.Typer(no_args_is_help=True, help="Reports on what is owed and what became of it.")

Only = Annotated[list[str] | None, typer.Option("--connection", help="Only of that company; may be repeated.")]
OfGroup = Annotated[str | None, typer.Option("--group", help="Only of the companies of that group.")]
AsOf = Annotated[datetime | None, typer.Option(formats=[DAY], help="At the end of another day than today.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.add_typer(_group, name="report")


@dataclass(frozen=True, slots=True)
class Asked:
    """What every report is asked with."""

    connections: list[str] | None
    group: str | None
    as_of: datetime | None
    as_json: bool
    as_csv: bool


def _report(context: typer.Context, asked: Asked, make: Callable[[Work, list[Office]], Sheet]) -> None:
    if asked.as_json and asked.as_csv:
        raise UsageError("--json or --csv, not both")
    with opened(context) as app:
        offices = _offices(app, asked)
        with app.store.reading() as work:
            sheet = make(work, offices)
    show(sheet, context.info_name or "", as_json=asked.as_json, in_csv=asked.as_csv)


def _offices(app: App, asked: Asked) -> list[Office]:
    those = linked(app, asked.connections)
    if asked.group is not None:
        if asked.group not in app.settings.groups:
            there_are = ", ".join(sorted(app.settings.groups)) or "none"
            raise UsageError(f"there is no group {asked.group!r} in the settings (there are: {there_are})")
        known = app.settings.connections
        those = [one for one in those if one.name in known and known[one.name].group == asked.group]
    found = []
    for one in those:
        today = app.today(one)
        on = today if asked.as_of is None else asked.as_of.date()
        if on > today:
            raise UsageError(f"--as-of {on} is still to come; today is {today} at {one.name}")
        found.append(Office(one, on, today, app.timezone(one)))
    return found


@_group.command()
def aging(
    context: typer.Context,
    by: Annotated[ages.Whose, typer.Option(help="Whose rows: who pays, or who was billed.")] = ages.Whose.PAYER,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells who owes how much for how long, by currency, on any day."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    _report(context, asked, lambda work, offices: ages.aging(work, offices, by))


@_group.command()
def exposure(
    context: typer.Context,
    top: Annotated[int, typer.Option(min=1, help="So many payers in each currency.")] = 10,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells who owes most, and what part of all that is."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    _report(context, asked, lambda work, offices: ages.exposure(work, offices, top))


@_group.command()
def dso(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=731, help="The simple one: by the sales of so many days.")] = 90,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells days sales outstanding, simple and by counting back, the best possible, and the days delinquent."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    _report(context, asked, lambda work, offices: outstanding.dso(work, offices, days))


@_group.command()
def cei(
    context: typer.Context,
    months: Annotated[int | None, typer.Option(min=1, max=36, help="Of so many months; default 3.")] = None,
    annual: Annotated[bool, typer.Option("--annual", help="Of twelve months, their sales as one period.")] = False,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells the collection effectiveness index: what was collected of what could be."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    if annual and months is not None:
        raise UsageError("--annual is of twelve months: without --months")
    span = 12 if annual else months or 3
    _report(context, asked, lambda work, offices: outstanding.cei(work, offices, span, annual=annual))


@_group.command("days-to-pay")
def days_to_pay(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=731, help="The money of the last so many days.")] = 90,
    by: Annotated[Level, typer.Option(help="A row for each company, or payer.")] = Level.COMPANY,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells how many days after the invoice, and after its due date, money came, weighed by amount."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    _report(context, asked, lambda work, offices: outstanding.days_to_pay(work, offices, days, by))


@_group.command()
def promises(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Those that fell due in the last so many days.")] = 90,
    by: Annotated[Level, typer.Option(help="A row for each company, or payer.")] = Level.COMPANY,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells how much of what customers promised was kept, by count and by amount."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    _report(context, asked, lambda work, offices: people.promises(work, offices, days, by))


@_group.command()
def disputes(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=3650, help="New and ended in the last so many days.")] = 90,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells by reason what is contested, and how many disputes came and went."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    _report(context, asked, lambda work, offices: people.disputes(work, offices, days))


@_group.command()
def activity(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Of the last so many days.")] = 7,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells what each of our people did: calls, touches by hand, approvals, promises, disputes, replies."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    _report(context, asked, lambda work, offices: people.collectors(work, offices, days))


@_group.command()
def steps(
    context: typer.Context,
    within: Annotated[int, typer.Option(min=1, max=90, help="Paid within so many days of the step.")] = 14,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Steps of so many days up to those that are over.")] = 365,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells how much was paid after each step of the playbooks, beside invoices that nobody had asked for."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    _report(context, asked, lambda work, offices: effects.steps(work, offices, days, within))


@_group.command()
def forecast(
    context: typer.Context,
    by: Annotated[Rows, typer.Option(help="A row for each week, or for each open invoice.")] = Rows.WEEK,
    dates: Annotated[
        Dates, typer.Option(help="With --by invoice: days by habits, or by recent medians.")
    ] = Dates.HABITS,
    weeks: Annotated[int, typer.Option(min=1, max=52, help="With --by week: so many weeks.")] = 13,
    within: Annotated[int, typer.Option(min=1, max=365, help="With --by invoice: paid within so many days.")] = 30,
    seed: Annotated[
        int, typer.Option(help="With --by week: of the random numbers that the range is drawn with.")
    ] = expected.SEED,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells when open invoices are expected to be paid, and what comes in each of the next weeks."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    if by is Rows.INVOICE:
        _report(context, asked, lambda work, offices: expected.by_invoice(work, offices, within, dates))
    else:
        _report(context, asked, lambda work, offices: expected.by_week(work, offices, weeks, seed))


@_group.command()
def changes(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=366, help="Since so many days ago.")] = 7,
    by: Annotated[Level, typer.Option(help="What happened at each company, or whose balance changed.")] = Level.COMPANY,
    top: Annotated[int, typer.Option(min=1, help="With --by payer: so many in each currency.")] = 20,
    as_of: AsOf = None,
    connection: Only = None,
    group: OfGroup = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tells what changed since last week: from what was open then to what is open now, and by whom."""
    asked = Asked(connection, group, as_of, as_json, as_csv)
    if by is Level.PAYER:
        _report(context, asked, lambda work, offices: moves.by_payer(work, offices, days, top))
    else:
        _report(context, asked, lambda work, offices: moves.changes(work, offices, days))
