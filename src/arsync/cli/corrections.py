"""What was asked for though it had been paid: corrections."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.acts import correcting
from arsync.cli.context import Author, Json, author_or_me, opened
from arsync.cli.output import dump, say, so_many, table
from arsync.errors import UsageError
from arsync.store import corrections as rows
from arsync.store import finding


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(corrections)


def corrections(
    context: typer.Context,
    message_ids: Annotated[list[int] | None, typer.Argument(metavar="MESSAGE", help="With --done: these.")] = None,
    done: Annotated[bool, typer.Option("--done", help="Somebody has said sorry, or need not.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also those that were answered for.")] = False,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Lists messages that had asked for what was paid before they went, as the books told later."""
    if message_ids and not done:
        raise UsageError("name messages with --done")
    with opened(context) as app:
        if done:
            if not message_ids:
                raise UsageError("--done: which messages?")
            correcting.settle(app, message_ids, who=author_or_me(author))
            say(so_many(len(message_ids), "is answered for", "are answered for"))
            return
        with app.store.reading() as work:
            found = rows.every(work) if every else rows.unsettled(work)
            names = {one.payer_id: finding.customer_name(work, one.connection_id, one.payer_id) for one in found}
    if as_json:
        dump(found)
        return
    table(
        ("message", "sent", "payer", "invoice", "paid", "answered for"),
        [
            (one.message_id, one.sent_on, names[one.payer_id], one.number, one.paid_on,
             f"by {one.settled_by} on {one.settled_at:%Y-%m-%d}" if one.settled_at else "")
            for one in found
        ],
    )  # fmt: skip
