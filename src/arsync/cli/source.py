"""What is asked of the accounting system, or of a person in its place: reminders, pdf."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from arsync.bootstrap import App, linking
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.naming import one_invoice
from arsync.cli.output import dump, say, table
from arsync.connector import PrintsInvoices
from arsync.errors import NotFound, UsageError
from arsync.store import connections, reminders
from arsync.store.connections import Connection
from arsync.store.reminders import Answer


class Said(StrEnum):
    """Whether the accounting system sends reminders itself."""

    ON = "on"  # it does: nothing goes out from here
    OFF = "off"  # it does not


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command("reminders")(say_reminders)
    program.command()(pdf)


def say_reminders(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[CONNECTION]", help="Of which company.")] = None,
    said: Annotated[Said | None, typer.Argument(metavar="[on|off]", help="Whether it reminds by itself.")] = None,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Lists whether each accounting system sends reminders itself, or keeps what a person says of one."""
    with opened(context) as app:
        if name is not None and said is not None:
            keep_answer(app, name, said, author_or_me(author))
            return
        with app.store.reading() as work:
            every = [connections.connection(work, name)] if name else connections.connections(work)
            rows = [(one, reminders.answered(work, one.id)) for one in every]
        off = {one.id: app.settings.company(one.name).reminders == "off" for one in every}
    if as_json:
        dump(
            [
                {"connection": one.name, "told": one.reminders_on, "answer": answer, "set_off": off[one.id]}
                for one, answer in rows
            ]
        )
        return
    table(("connection", "its own reminders"), [(one.name, standing(one, answer, off[one.id])) for one, answer in rows])


def keep_answer(app: App, name: str, said: Said, author: str) -> None:
    """Keeps what a person says of a company's own reminders, and says so."""
    linking.keep_answer(app, name, reminds=said is Said.ON, author=author)
    stops = "; nothing goes out until it is off" if said is Said.ON else ""
    say(f"{name}: its own reminders are {said}, says {author}{stops}")


def standing(connection: Connection, answer: Answer | None, set_off: bool) -> str:
    """What is known, and by whom."""
    if set_off:
        return "off, says arsync.toml"
    if connection.reminders_on is not None:
        return f"{'on' if connection.reminders_on else 'off'}, as it tells itself"
    if answer is not None:
        return f"{'on' if answer.reminds else 'off'}, said {answer.author} on {answer.at:%Y-%m-%d}"
    return f"not known: nothing goes out; look there, then `arsync reminders {connection.name} off` (or on)"


def pdf(
    context: typer.Context,
    invoice: Annotated[str, typer.Argument(help="The invoice's number.")],
    to: Annotated[Path | None, typer.Option(help="The file to write; default: by its number, here.")] = None,
    connection: ConnectionOption = None,
) -> None:
    """Fetches an invoice as the accounting system prints it; overwrites nothing."""
    with opened(context) as app:
        found = one_invoice(app, invoice, connection)
        with app.store.reading() as work:
            source = app.connector(connections.connection_by_id(work, found.connection_id))
        if not isinstance(source, PrintsInvoices):
            raise NotFound(f"a PDF: {source.provider} does not print invoices for others")
        # Of our own making: neither the number nor the answer may choose a path.
        path = to or Path(f"invoice-{re.sub(r'[^A-Za-z0-9_-]', '_', found.number or found.invoice_id)[:80]}.pdf")
        if path.exists():
            raise UsageError(f"{path} is there already: choose another by --to")
        body = source.invoice_pdf(found.invoice_id)
        try:
            with path.open("xb") as file:
                file.write(body)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    say(f"wrote {path} ({len(body):,} bytes)")
