"""What stops a chase: hold, dispute, pause, exclude."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from arsync.acts import holding as acts
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, author_or_me, opened
from arsync.cli.days import DAY
from arsync.cli.naming import CustomerOption, InvoiceArgument, one_invoice, whom
from arsync.cli.output import flat, say
from arsync.domain.chase import Hold
from arsync.domain.money import Money
from arsync.domain.people import DisputeCode
from arsync.domain.states import HoldKind
from arsync.errors import UsageError
from arsync.store import connections
from arsync.store.finding import FoundInvoice

Until = Annotated[datetime | None, typer.Option(formats=[DAY], help="The last day of it; default: until lifted.")]
Reason = Annotated[str, typer.Option(help="Why; it is shown wherever it stops something.")]

Everybody = Annotated[bool, typer.Option("--everybody", help="All customers of --connection instead.")]


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(hold)
    program.command()(dispute)
    program.command()(pause)
    program.command()(exclude)


def hold(
    context: typer.Context,
    reason: Reason,
    invoice: InvoiceArgument = None,
    customer: CustomerOption = None,
    everybody: Everybody = False,
    kind: Annotated[HoldKind, typer.Option(help="What kind of stop.")] = HoldKind.PAUSE,
    until: Until = None,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Stops the chase of one invoice, of everything a customer pays for, or of a whole company."""
    with opened(context) as app:
        last = until.date() if until else None
        if everybody:
            _stop_everybody(app, invoice, customer, connection, kind, reason, last, author)
        else:
            _stop(app, whom(app, invoice, customer, connection), kind, reason, last, author)


def dispute(
    context: typer.Context,
    invoice: Annotated[str, typer.Argument(help="The invoice's number.")],
    reason: Reason,
    part: Annotated[
        str | None, typer.Option("--amount", help="What of it is contested, as 120.50; the rest is chased.")
    ] = None,
    code: Annotated[DisputeCode | None, typer.Option(help="What is contested.")] = None,
    until: Until = None,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Says that the customer contests an invoice or a part of it: that is not chased; the rest is."""
    with opened(context) as app:
        found = one_invoice(app, invoice, connection)
        contested = None if part is None else acts.contested_part(found, part)
        last = until.date() if until else None
        place(app, found, kind=HoldKind.DISPUTE, reason=reason, until=last, author=author, part=contested, code=code)


def pause(
    context: typer.Context,
    until: Annotated[datetime, typer.Option(formats=[DAY], help="The last day of it.")],
    reason: Reason,
    invoice: InvoiceArgument = None,
    customer: CustomerOption = None,
    everybody: Everybody = False,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Stops the chase of an invoice, a customer or a whole company until a day."""
    with opened(context) as app:
        if everybody:
            _stop_everybody(app, invoice, customer, connection, HoldKind.PAUSE, reason, until.date(), author)
            return
        _stop(app, whom(app, invoice, customer, connection), HoldKind.PAUSE, reason, until.date(), author)


def exclude(
    context: typer.Context,
    reason: Reason,
    invoice: InvoiceArgument = None,
    customer: CustomerOption = None,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Says that an invoice or a customer is never chased, and who said so."""
    with opened(context) as app:
        _stop(app, whom(app, invoice, customer, connection), HoldKind.EXCLUDE, reason, None, author)


def place(
    app: App,
    found: FoundInvoice,
    *,
    kind: HoldKind,
    reason: str,
    until: date | None,
    author: str | None,
    part: Money | None = None,
    code: DisputeCode | None = None,
) -> int:
    """Places a hold on one invoice and says so."""
    named = Whom(found.connection_id, found.payer_id, found, f"invoice {found.number} of {found.customer}")
    return _stop(app, named, kind, reason, until, author, part=part, code=code)


def _stop(
    app: App,
    named: Whom,
    kind: HoldKind,
    reason: str,
    until: date | None,
    author: str | None,
    *,
    part: Money | None = None,
    code: DisputeCode | None = None,
) -> int:
    with app.store.reading() as work:
        today = app.today(connections.connection_by_id(work, named.connection_id))
    who = author_or_me(author)
    placed = Hold(kind, reason, who, named.payer_id, named.invoice_id, today, until, part, code)
    what = f"{part} of {named.what}" if part else named.what
    return _place(app, named.connection_id, placed, what=what)


def _stop_everybody(
    app: App, invoice: str | None, customer: str | None, connection: str | None, kind: HoldKind, reason: str,
    until: date | None, author: str | None,
) -> None:  # fmt: skip
    if invoice or customer or not connection:
        raise UsageError("--everybody goes with --connection alone")
    with app.store.reading() as work:
        company = connections.connection(work, connection)
    placed = Hold(kind, reason, author_or_me(author), None, None, app.today(company), until)
    _place(app, company.id, placed, what=f"all of {connection}")


def _place(app: App, connection_id: int, placed: Hold, *, what: str) -> int:
    hold_id, told_there = acts.place(app, connection_id, placed, what=what)
    last = f" until {placed.until}" if placed.until else ""
    expected = "; the accounting system is told with the next run" if told_there else ""
    say(flat(f"{placed.kind} on {what}{last} (lift it by: arsync lift {hold_id}){expected}"))
    return hold_id
