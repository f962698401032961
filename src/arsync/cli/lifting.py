"""What is stopped, and its end: holds, lift."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.acts.lifting import end, scope
from arsync.cli.context import Author, Json, OfCompany, author_or_me, companies, opened
from arsync.cli.output import dump, flat, say, table
from arsync.store import holds


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command("holds")(list_holds)
    program.command()(lift)


def list_holds(context: typer.Context, connection: OfCompany = None, as_json: Json = False) -> None:
    """Lists what is stopped, why and by whom."""
    with opened(context) as app, app.store.reading() as work:
        every = [
            (one.name, held)
            for one in companies(work, connection)
            for held in holds.active(work, one.id)
            if held.hold.until is None or held.hold.until >= app.today(one)  # the next run marks it as over
        ]
        names = {one.id: scope(work, one) for _, one in every}
    if as_json:
        dump([{"connection": name, "hold": held} for name, held in every])
        return
    table(
        ("id", "connection", "kind", "stops", "reason", "author", "from", "until"),
        [
            (one.id, name, one.hold.kind, names[one.id], one.hold.reason, one.hold.author, one.hold.begins,
             one.hold.until or "somebody lifts it")
            for name, one in every
        ],
    )  # fmt: skip


def lift(
    context: typer.Context,
    hold_id: Annotated[int, typer.Argument(metavar="HOLD", help="As `arsync holds` lists it.")],
    author: Author = None,
) -> None:
    """Ends a hold, with the promise or the plan that it stands for."""
    with opened(context) as app, app.store.working() as work:
        said = end(app, work, hold_id, who=author_or_me(author))
        work.commit()
    say(flat(said))
