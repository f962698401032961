"""Reports: any of them for one company and day, with its picture, its table, and the same as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from urllib.parse import quote, urlencode

from starlette.responses import Response

from arsync.domain.roles import Role
from arsync.errors import NotFound, UsageError
from arsync.report.catalogue import REPORTS, Choice, Report
from arsync.report.sheet import Cell, Column, Office, Sheet, Unit
from arsync.report.spreadsheet import as_csv
from arsync.store.connections import Connection
from arsync.web.access import Needs, Reach
from arsync.web.look import Look
from arsync.web.report_pictures import pictures
from arsync.web.routes import page
from arsync.web.threads import LONG
from arsync.web.visit import Visit

_RIGHT: Final = frozenset({Unit.MONEY, Unit.COUNT, Unit.DAYS, Unit.PERCENT})
#: Rows of a table that stand on one page.
_ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class Head:
    """Over a column: its name, where a click on it leads, and how the rows are sorted by it now."""

    name: str
    right: bool
    to: str
    sorted: str  # "", ascending, descending


@dataclass(frozen=True, slots=True)
class Table:
    """The rows that stand on this page, as they are read; `before` and `after` lead to the neighbours."""

    heads: tuple[Head, ...]
    rows: tuple[tuple[tuple[str, ...], str], ...]  # each with where its first cell leads, if anywhere
    totals: tuple[tuple[str, ...], ...]
    count: int
    first: int
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address asks for."""

    report: Report
    company: Connection
    office: Office
    choice: Choice
    currency: str


def reports(visit: Visit) -> Response:
    """Which there are."""
    return visit.render("reports.html", reports=REPORTS.values())


def report(visit: Visit) -> Response:
    """One of them."""
    if not visit.companies:
        return visit.render("report.html", report=_named(visit), asked=None)
    asked = _asked(visit)
    whole = _made(visit, asked)
    currencies = sorted({str(one["currency"]) for one in whole.records(whole.rows) if one.get("currency")})
    sheet = _of_currency(whole, asked.currency)
    look = visit.site.look
    return visit.render(
        "report.html", report=asked.report, asked=asked, sheet=sheet, currencies=currencies,
        pictures=pictures(asked.report.name, sheet, look), table=_table(visit, sheet, look, asked.company),
        csv=f"/reports/{asked.report.name}.csv?{_query(visit, page=None, sort=None)}",
    )  # fmt: skip


def report_as_csv(visit: Visit) -> Response:
    """The same rows, for a spreadsheet."""
    asked = _asked(visit)
    text = as_csv(_of_currency(_made(visit, asked), asked.currency))
    name = f"{asked.report.name}-{asked.company.name}-{asked.office.on}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _named(visit: Visit) -> Report:
    found = REPORTS.get(visit.named["report"])
    if found is None:
        raise NotFound(f"a report {visit.named['report']!r}")
    return found


def _asked(visit: Visit) -> _Asked:
    found = _named(visit)
    wanted = visit.query.get("company")
    company = next((one for one in visit.companies if wanted in (None, "", one.name)), None)
    if company is None:
        raise NotFound(f"a company {wanted!r}")
    today = visit.app.today(company)
    on = _day(visit.query.get("on", ""), today)
    office = Office(company, on, today, visit.app.timezone(company))
    return _Asked(found, company, office, found.choice(visit.query), visit.query.get("currency", ""))


def _day(text: str, today: date) -> date:
    if not text:
        return today
    try:
        on = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"on {text!r}: write a day as 2026-01-31") from None
    if on > today:
        raise UsageError(f"{on} is still to come; today is {today}")
    return on


def _made(visit: Visit, asked: _Asked) -> Sheet:
    return visit.site.sheets.of(visit.app.store, asked.report, asked.office, asked.choice)


def _of_currency(sheet: Sheet, currency: str) -> Sheet:
    """The rows of that currency; all where none is named, or where no row is of one."""
    place = next((place for place, one in enumerate(sheet.columns) if one.key == "currency"), None)
    if not currency or place is None:
        return sheet
    rows, totals = (tuple(row for row in those if row[place] == currency) for those in (sheet.rows, sheet.totals))
    return Sheet(sheet.title, sheet.columns, rows, totals, sheet.notes)


# --- the table --------------------------------------------------------------------------------------------------------


def _table(visit: Visit, sheet: Sheet, look: Look, company: Connection) -> Table:
    columns = [(place, one) for place, one in enumerate(sheet.columns) if not one.aside and one.key != "connection"]
    sort = visit.query.get("sort", "")
    rows = _sorted(sheet, sort)
    last = max(-(-len(rows) // _ROWS), 1)
    number = visit.query.get("page", "1")
    here = min(int(number), last) if number.isascii() and number.isdigit() and int(number) else 1
    shown = rows[(here - 1) * _ROWS : here * _ROWS]
    return Table(
        heads=tuple(_head(visit, one, sort) for _, one in columns),
        rows=tuple((_read(sheet, row, columns, look), _whose(sheet, row, company)) for row in shown),
        totals=tuple(_read(sheet, row, columns, look) for row in sheet.totals),
        count=len(rows),
        first=(here - 1) * _ROWS + 1 if rows else 0,
        before=_query(visit, page=f"{here - 1}") if here > 1 else None,
        after=_query(visit, page=f"{here + 1}") if here < last else None,
    )


def _whose(sheet: Sheet, row: Sequence[Cell], company: Connection) -> str:
    """The page of the payer whose row it is; empty where it is nobody's, or begins with something else."""
    places = {one.key: place for place, one in enumerate(sheet.columns)}
    payer_id = row[places["payer_id"]] if "payer_id" in places else None
    begins = next((one.key for one in sheet.columns if not one.aside and one.key != "connection"), "")
    return f"/customers/{company.name}/{quote(str(payer_id), safe='')}" if payer_id and begins == "payer" else ""


def _head(visit: Visit, column: Column, sort: str) -> Head:
    right = column.unit in _RIGHT
    down, up = f"-{column.key}", column.key
    now = "descending" if sort == down else "ascending" if sort == up else ""
    follows = up if now == "descending" or (not now and not right) else down
    return Head(column.name, right, _query(visit, sort=follows, page=None), now)


def _sorted(sheet: Sheet, sort: str) -> Sequence[tuple[Cell, ...]]:
    """As the report has them, or by a column; what has no value there comes last."""
    key = sort.removeprefix("-")
    place = next((place for place, one in enumerate(sheet.columns) if one.key == key), None)
    if place is None:
        return sheet.rows
    known = [row for row in sheet.rows if row[place] is not None]
    known.sort(key=lambda row: _ordered(row[place]), reverse=sort.startswith("-"))
    return [*known, *(row for row in sheet.rows if row[place] is None)]


def _ordered(value: Cell) -> str | int | Decimal | date:
    assert value is not None
    return value.casefold() if isinstance(value, str) else value


def _read(
    sheet: Sheet, row: Sequence[Cell], columns: Sequence[tuple[int, Column]], look: Look
) -> tuple[str, ...]:  # fmt: skip
    currency = next((str(row[place]) for place, one in enumerate(sheet.columns) if one.key == "currency"), "")
    return tuple(_in_words(row[place], one.unit, currency, look) for place, one in columns)


def _in_words(value: Cell, unit: Unit, currency: str, look: Look) -> str:
    if value is None:
        return ""
    if isinstance(value, date):
        return look.day(value)
    if isinstance(value, str):
        return value
    if unit is Unit.MONEY:
        return look.plain(Decimal(value), currency)
    return look.percent(Decimal(value)) if unit is Unit.PERCENT else look.number(value)


def _query(visit: Visit, **other: str | None) -> str:
    """The address's own question with some of it changed; None leaves out."""
    asked: Mapping[str, str | None] = {**visit.query, **other}
    return urlencode({name: value for name, value in asked.items() if value})


_VIEWER: Final = Needs(Role.VIEWER, Reach.THEIRS)
ROUTES = [
    page("/reports", reports, access=_VIEWER),
    page("/reports/{report}.csv", report_as_csv, access=_VIEWER, lane=LONG),
    page("/reports/{report}", report, access=_VIEWER, lane=LONG),
]
