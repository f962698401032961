"""tag: words on customers, by which playbooks are matched."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.output import dump, flat, say, table
from arsync.errors import Ambiguous, NotFound, UsageError
from arsync.store import connections, ledger, tags
from arsync.store.ledger import FoundCustomer


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
            left = sorted(tags.of_customer(work, found.connection_id, found.customer_id))
            work.commit()
    done = f"{', '.join(changed)} {'taken off' if remove else 'put on'}" if changed else "nothing changed"
    say(flat(f"{found.name}: {done}; now: {', '.join(left) or 'no tags'}"))


def _list(app: App, only: FoundCustomer | None, as_json: bool) -> None:
    with app.store.reading() as work:
        rows = [
            (one.name, customer_id, ledger.customer_name(work, one.id, customer_id), sorted(names))
            for one in connections.connections(work)
            for customer_id, names in tags.of_connection(work, one.id).items()
            if only is None or (one.id, customer_id) == (only.connection_id, only.customer_id)
        ]
    if as_json:
        dump([{"connection": a, "customer_id": b, "customer": c, "tags": d} for a, b, c, d in rows])
        return
    rows.sort(key=lambda row: (row[0], row[2]))
    table(("connection", "customer", "tags"), [(a, c, ", ".join(d)) for a, _b, c, d in rows])


def one_customer(app: App, name: str, connection: str | None) -> FoundCustomer:
    """The customer of that name or id; Ambiguous with the list where there are several."""
    with app.store.reading() as work:
        if connection is not None:
            connections.connection(work, connection)  # or NotFound, with the names there are
        people = ledger.find_customers(work, name, connection)
    if not people:
        raise NotFound(f"customer {name!r}")
    if len(people) > 1:
        listed = "; ".join(f"{one.customer_id} --connection {one.connection} ({flat(one.name)})" for one in people)
        raise Ambiguous(f"customer {name!r}: {listed}")
    return people[0]
