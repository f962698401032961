"""tag: words on customers, by which playbooks are matched."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.acts.noting import note
from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.naming import by_customer, one_customer
from arsync.cli.output import dump, flat, say, table
from arsync.errors import UsageError
from arsync.store import connections, tags
from arsync.store.finding import FoundCustomer


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(tag)


def tag(
    context: typer.Context,
    customer: Annotated[str | None, typer.Argument(help="A customer's name or id; left out: all are listed.")] = None,
    names: Annotated[list[str] | None, typer.Argument(metavar="[TAG]...")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take these off.")] = False,
    connection: ConnectionOption = None,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Puts tags on a customer, or lists who has which."""
    with opened(context) as app:
        if customer is None or not names:
            found = None if customer is None else one_customer(app, customer, connection)
            _list(app, found, as_json)
            return
        found = one_customer(app, customer, connection)
        change = tags.remove if remove else tags.add
        with app.store.working() as work:
            try:
                who = author_or_me(author)
                changed = change(work, found.connection_id, found.customer_id, names, author=who, now=app.clock.now())
            except ValueError as error:
                raise UsageError(str(error)) from error
            if tags.AUTOPAY in changed:  # it stops the chase as a hold does; other tags are words of our own
                company = connections.connection_by_id(work, found.connection_id)
                what = f"{collected(found.name, remove)}, said"
                note(app, work, company, found.customer_id, None, what=what, by=who, now=app.clock.now())
            left = sorted(tags.of_customer(work, found.connection_id, found.customer_id))
            work.commit()
    done = f"{', '.join(changed)} {'taken off' if remove else 'put on'}" if changed else "nothing changed"
    back = " (take them off by: --remove)" if changed and not remove else ""
    say(flat(f"{found.name}: {done}; now: {', '.join(left) or 'no tags'}{back}"))


def collected(name: str, remove: bool = False) -> str:
    """What the tag `autopay` says of a customer, put on or taken off."""
    if remove:
        return f"Tag autopay taken off {name}: its invoices are chased again"
    return f"Tag autopay put on {name}: its invoices are collected by themselves and not chased"


def _list(app: App, only: FoundCustomer | None, as_json: bool) -> None:
    rows = by_customer(app, tags.of_connection, (only.connection_id, only.customer_id) if only else None)
    if as_json:
        dump([{"connection": a, "customer_id": b, "customer": c, "tags": sorted(d)} for a, b, c, d in rows])
        return
    table(("connection", "customer", "tags"), [(a, c, ", ".join(sorted(d))) for a, _, c, d in rows])
