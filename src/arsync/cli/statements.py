"""All that is open with one customer, on screen or on paper: statement."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from arsync.acts.locking import locked
from arsync.acts.stating import on_paper
from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.naming import one_payer
from arsync.cli.output import complain, dump, flat, say, table
from arsync.domain.statement import Statement
from arsync.domain.states import MessageState
from arsync.errors import UsageError
from arsync.playbook.resending import statement as plan_statement
from arsync.store import connections, ledger, statements
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.finding import FoundCustomer
from arsync.store.ledger import Payer

_DAY = "%Y-%m-%d"


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(statement)


def statement(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="A customer's name, id or e-mail.")],
    pdf: Annotated[Path | None, typer.Option(help="Write it as PDF into this file.")] = None,
    as_of: Annotated[datetime | None, typer.Option(formats=[_DAY], help="Aged on another day than today.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Mail it, through the outbox, as your own.")] = False,
    connection: ConnectionOption = None,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Shows what is open with a customer, by currency: every item, credit on no invoice, aging, running balance."""
    if send and (pdf is not None or as_of is not None):
        raise UsageError("--send is of today, and by mail: without --pdf and --as-of")
    with opened(context) as app:
        found = one_payer(app, customer, connection)
        if send:
            _send(app, found, author_or_me(author), as_json)
            return
        with app.store.reading() as work:
            company = connections.connection_by_id(work, found.connection_id)
            on = as_of.date() if as_of else app.today(company)
            open_now = statements.of_payer(work, company.id, found.payer_id, on=on)
            doubts = _doubts(work, company, found)
            payer = ledger.read(work, company.id, found.payer_id).payers.get(found.payer_id)
        if pdf is not None:
            for path, body in _printed(app, company, open_now, payer, pdf):
                _write(path, body)
        elif as_json:
            dump([_as_json(one) for one in open_now])
        else:
            for one in open_now:
                _tell(one)
            if not open_now:
                say(flat(f"nothing is open with {found.name}"))
            if company.synced_at is not None:
                say(f"as the books of {company.name} stood at {company.synced_at:%Y-%m-%d %H:%M} UTC")
    for doubt in doubts:
        complain(doubt)


def _send(app: App, found: FoundCustomer, author: str, as_json: bool) -> None:
    """Plans it for each currency; the last gate reads the books again."""
    with app.store.reading() as work:
        company = connections.connection_by_id(work, found.connection_id)
    with locked(app, [company]):
        policy, now = app.policy(company), app.clock.now()
        made = plan_statement(app.store, company, policy, found.payer_id, author=author, now=now)
    if as_json:
        dump([{"currency": each, "message": one and one.id, "state": one and one.state, "why": why}
              for each, one, why in made])  # fmt: skip
    for each, one, why in () if as_json else made:
        if one is None:
            complain(flat(f"no statement in {each} is sent to {found.name}: {why}"))
            continue
        then = f"arsync approve {one.id}" if one.state is MessageState.PLANNED else "it goes out at the next run"
        to = ", ".join((*one.recipients, *(f"cc {copy}" for copy in one.copies)))
        say(flat(f"message {one.id}: a statement of account in {each} to {to}: {then}"))
    if not made:
        complain(flat(f"nothing is open with {found.name}: no statement is sent"))
    if not made or any(one is None for _each, one, _why in made):
        raise typer.Exit(1)


def _doubts(work: Work, company: Connection, found: FoundCustomer) -> list[str]:
    """Why the statement may not be complete."""
    read = ledger.read(work, company.id, found.payer_id)
    return [
        flat(f"it may lack something: {why}")
        for why in [*read.quarantined.get(found.payer_id, ()), *read.quarantined_for_all]
    ]


def _printed(
    app: App, company: Connection, those: tuple[Statement, ...], payer: Payer | None, path: Path
) -> list[tuple[Path, bytes]]:
    if not those:
        raise UsageError("nothing is open: there is nothing to print")
    printed = []
    for one in those:
        own = path if len(those) == 1 else path.with_stem(f"{path.stem}-{one.currency}")
        if own.exists():
            raise UsageError(f"{own} is there already: name another")
        printed.append((own, on_paper(app, company, one, payer)))
    return printed


def _write(path: Path, body: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(body)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    say(f"wrote {path} ({len(body):,} bytes)")


def _tell(one: Statement) -> None:
    say(flat(f"{one.payer_name}: {one.balance} on {one.on}"), style="bold")
    table(
        ("date", "document", "due", "late", "amount", "open", "balance"),
        [
            (
                line.entry.on,
                f"{line.entry.kind.replace('_', ' ')} {line.entry.number or ''}".strip(),
                line.entry.due_on,
                line.days_late if line.days_late and line.days_late > 0 else None,
                *(f"{money.amount:,.2f}" for money in (line.entry.total, line.entry.open, line.running)),
            )
            for line in one.lines
        ],
        right=("late", "amount", "open", "balance"),
    )
    table(
        (*one.aging, "credit on no invoice", "balance"),
        [[f"{money.amount:,.2f}" for money in (*one.aging.values(), one.unapplied, one.balance)]],
        right=(*one.aging, "credit on no invoice", "balance"),
    )


def _as_json(one: Statement) -> dict[str, Any]:
    return {
        "payer_id": one.payer_id,
        "payer": one.payer_name,
        "currency": one.currency,
        "on": one.on,
        "items": [
            {
                "kind": line.entry.kind,
                "id": line.entry.remote_id,
                "number": line.entry.number,
                "on": line.entry.on,
                "due_on": line.entry.due_on,
                "days_late": line.days_late,
                "customer": line.entry.customer_name,
                "reference": line.entry.reference,
                "amount": line.entry.total.amount,
                "open": line.entry.open.amount,
                "balance": line.running.amount,
            }
            for line in one.lines
        ],
        "aging": {name.value: money.amount for name, money in one.aging.items()},
        "owed": one.owed.amount,
        "overdue": one.overdue.amount,
        "unapplied": one.unapplied.amount,
        "balance": one.balance.amount,
    }
