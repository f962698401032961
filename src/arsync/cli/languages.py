"""The language that a customer is written to in: language."""

from __future__ import annotations

import re
from typing import Annotated, Final

import typer

from arsync.acts.noting import note
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.naming import by_customer, one_payer
from arsync.cli.output import dump, flat, say, table
from arsync.errors import UsageError
from arsync.store import connections, events, languages
from arsync.store.connections import Connection
from arsync.store.engine import Work

#: With its region, which is left out: templates are written by language.
_TAG: Final = re.compile(r"([a-z]{2,3})([-_][a-z0-9]{2,8})*")


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(language)


def language(
    context: typer.Context,
    customer: Annotated[str | None, typer.Argument(help="A customer; left out: all are listed.")] = None,
    tongue: Annotated[str | None, typer.Argument(metavar="[LANGUAGE]", help="Such as `de`.")] = None,
    source: Annotated[bool, typer.Option("--source", help="Undo: the accounting system's word counts.")] = False,
    connection: ConnectionOption = None,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Says in which language a customer is written to, whatever the accounting system says; or lists it."""
    if tongue is not None and source:
        raise UsageError("either a language or --source")
    with opened(context) as app:
        if customer is None or not (tongue or source):
            _list(app, customer, connection, as_json)
            return
        found = one_payer(app, customer, connection)
        named = Whom(found.connection_id, found.payer_id, None, found.name)
        fresh = None if tongue is None else tag(tongue)
        with app.store.working() as work:
            company = connections.connection_by_id(work, found.connection_id)
            said = change_language(app, work, company, named, fresh, author_or_me(author))
            missing = fresh is not None and fresh not in app.policy(company).locales
            work.commit()
    say(flat(said))
    if missing:
        there = ", ".join(sorted(app.policy(company).locales)) or "none"
        say(f"the playbook has no templates in {fresh!r} (there is: {there}): its messages wait until they are written",
            style="yellow")  # fmt: skip


def tag(written: str) -> str:
    """The language without its region, in lower case; UsageError where it is none."""
    match = _TAG.fullmatch(written.strip().lower())
    if match is None:
        raise UsageError(f"language: {written!r} is none; write such as de, or fr-CA")
    return match[1]


def change_language(
    app: App, work: Work, company: Connection, named: Whom, fresh: str | None, who: str, *, noted: bool = True
) -> str:
    """Gives a payer another language, or that of the source, with its note: what was done, in a sentence."""
    now = app.clock.now()
    before = languages.of_customer(work, company.id, named.payer_id)
    was = f" (it was {before})" if before else ""
    if fresh is None:
        if languages.take_away(work, company.id, named.payer_id) is None:
            return f"{named.what} has no language by hand"
        what = f"{named.what} is written to in the language that the accounting system says{was}"
    else:
        if not languages.put(work, company.id, named.payer_id, fresh, author=who, now=now):
            return f"{named.what} is written to in {fresh} already"
        what = f"{named.what} is written to in {fresh}{was}"
    if noted:
        note(app, work, company, named.payer_id, None, what=f"Language: {what}, said", by=who, now=now)
    events.log(
        work, "language_changed", at=now, author=who, connection_id=company.id, payer=named.payer_id, language=fresh,
        before=before,
    )  # fmt: skip
    return what


def _list(app: App, customer: str | None, connection: str | None, as_json: bool) -> None:
    only = None if customer is None else one_payer(app, customer, connection)
    rows = by_customer(app, languages.of_customers, (only.connection_id, only.payer_id) if only else None)
    if as_json:
        dump([{"connection": a, "customer_id": b, "customer": c, "language": d} for a, b, c, d in rows])
        return
    table(("connection", "customer", "language"), [(a, c, said) for a, _, c, said in rows])
