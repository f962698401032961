"""What stops a chase: hold, dispute, pause, exclude."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, author_or_me, opened
from arsync.cli.days import DAY
from arsync.cli.naming import CustomerOption, InvoiceArgument, Whom, one_invoice, whom
from arsync.cli.noting import kept, note
from arsync.cli.output import flat, say
from arsync.domain.chase import Hold
from arsync.domain.money import Money, amount
from arsync.domain.people import DisputeCode
from arsync.domain.states import HoldKind, WriteKind
from arsync.errors import UsageError
from arsync.outbox import facts
from arsync.store import connections, events, holds
from arsync.store.connections import Connection
from arsync.store.engine import Work
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
        contested = None if part is None else contested_part(found, part)
        last = until.date() if until else None
        place(app, found, kind=HoldKind.DISPUTE, reason=reason, until=last, author=author, part=contested, code=code)


def contested_part(found: FoundInvoice, written: str) -> Money | None:
    """The amount in the invoice's currency; None where it is all that is open."""
    contested = money(written, found.balance.currency)
    if contested > found.balance:
        raise UsageError(f"of {found.number} {found.balance} is open: no more of it can be contested")
    return contested if contested < found.balance else None


def money(written: str, currency: str) -> Money:
    """An amount above zero as a person writes it, `1,250.00` too; UsageError otherwise."""
    try:
        exact = amount(written.replace(",", ""))
    except ValueError:
        raise UsageError(f"{written!r} is no amount: write 1250.00") from None
    if exact <= 0:
        raise UsageError(f"{written!r}: an amount above zero")
    return Money(exact, currency)


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
    return place_hold(app, named.connection_id, placed, what=what)


def _stop_everybody(
    app: App, invoice: str | None, customer: str | None, connection: str | None, kind: HoldKind, reason: str,
    until: date | None, author: str | None,
) -> None:  # fmt: skip
    if invoice or customer or not connection:
        raise UsageError("--everybody goes with --connection alone")
    with app.store.reading() as work:
        company = connections.connection(work, connection)
    placed = Hold(kind, reason, author_or_me(author), None, None, app.today(company), until)
    place_hold(app, company.id, placed, what=f"all of {connection}")


def place_hold(app: App, connection_id: int, placed: Hold, *, what: str) -> int:
    """Places a hold with its note, and says so; its number."""
    if not placed.reason.strip():
        raise UsageError("--reason: say why")
    if placed.until is not None and placed.until < placed.begins:
        raise UsageError(f"--until {placed.until} has passed; today is {placed.begins}")
    expected = ""
    with app.store.working() as work:
        connection = connections.connection_by_id(work, connection_id)
        now = app.clock.now()
        hold_id = put(app, work, connection, placed, what=what, now=now)
        promised = placed.kind is HoldKind.PROMISE and WriteKind.EXPECTED_ON in kept(app, connection)
        if promised and placed.invoice_id is not None and placed.until is not None:
            facts.expect(work, connection_id, placed.invoice_id, placed.until, now=now)
            expected = "; the accounting system is told with the next run"
        work.commit()
    last = f" until {placed.until}" if placed.until else ""
    say(flat(f"{placed.kind} on {what}{last} (lift it by: arsync lift {hold_id}){expected}"))
    return hold_id


def put(
    app: App, work: Work, connection: Connection, placed: Hold, *, what: str, now: datetime, noted: bool = True,
    call_id: int | None = None,
) -> int:  # fmt: skip
    """Places a hold in this work, with its event and its note (one at its target); its number."""
    hold_id = holds.place(work, connection.id, placed, now=now, call_id=call_id)
    events.log(
        work, "hold_placed", at=now, author=placed.author, connection_id=connection.id, hold=hold_id,
        hold_kind=placed.kind.value, payer=placed.payer_id, invoice=placed.invoice_id, reason=placed.reason,
        part=placed.part and str(placed.part), code=placed.code,
    )  # fmt: skip
    if noted:
        said, more = told(placed, hold_id, what)
        note(
            app, work, connection, placed.payer_id, placed.invoice_id, what=f"{said} set", more=more,
            by=placed.author, now=now,
        )  # fmt: skip
    return hold_id


def told(placed: Hold, hold_id: int, what: str) -> tuple[str, tuple[str, ...]]:
    """A hold as its note tells it: what it is, and the lines below."""
    kind = placed.kind.value.replace("_", "-").capitalize()
    why = f"{placed.code.replace('_', ' ')}: {placed.reason}" if placed.code else placed.reason
    until = f"Until: {placed.until or 'lifted by a person'}"
    return f"{kind} (hold {hold_id}) of {what}", (f"Why: {why}", until)
