"""The people on both sides: owner, contact."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.acts.noting import note
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.naming import by_customer, one_payer
from arsync.cli.output import dump, flat, say, table
from arsync.domain.documents import Contact, ContactRole
from arsync.domain.people import Owner
from arsync.errors import NotFound
from arsync.store import connections, events, own_contacts, owners
from arsync.store.connections import Connection
from arsync.store.engine import Work


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(owner)
    program.command()(contact)


def owner(
    context: typer.Context,
    customer: Annotated[str | None, typer.Argument(help="A customer; left out: all are listed.")] = None,
    name: Annotated[str | None, typer.Option(help="Who looks after it from now on.")] = None,
    email: Annotated[str | None, typer.Option(help="Their address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Their number.")] = None,
    signature: Annotated[
        str | None, typer.Option(help="What their messages end with; `\\n` begins another line.")
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Take the owner away.")] = False,
    connection: ConnectionOption = None,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Says who of our people looks after a customer, or lists it."""
    with opened(context) as app:
        if customer is None or not (name or nobody):
            _list_owners(app, customer, connection, as_json)
            return
        found = one_payer(app, customer, connection)
        named = Whom(found.connection_id, found.payer_id, None, found.name)
        lines = signature.replace("\\n", "\n") if signature else None
        with app.store.working() as work:
            company = connections.connection_by_id(work, found.connection_id)
            fresh = None if nobody else Owner(name or "", email, phone, lines)
            changed = change_owner(app, work, company, named, fresh, author_or_me(author))
            work.commit()
    say(flat(changed))


def change_owner(
    app: App, work: Work, company: Connection, named: Whom, fresh: Owner | None, who: str, *, noted: bool = True
) -> str:
    """Gives a payer another owner, or none, with its note: what was done, in a sentence."""
    now = app.clock.now()
    before = owners.of_customer(work, company.id, named.payer_id)
    was = f" (it was {before.name})" if before else ""
    if fresh is None:
        if owners.take_away(work, company.id, named.payer_id) is None:
            return f"{named.what} has no owner"
        what = f"{named.what} has no owner any more{was}"
    else:
        if not owners.put(work, company.id, named.payer_id, fresh, author=who, now=now):
            return f"{named.what}: {fresh.name} looks after it already"
        what = f"{named.what}: {fresh.name} looks after it{was}"
    if noted:
        note(app, work, company, named.payer_id, None, what=f"Owner: {what}, said", by=who, now=now)
    events.log(
        work, "owner_changed", at=now, author=who, connection_id=company.id, payer=named.payer_id,
        owner=fresh and fresh.name, before=before and before.name,
    )  # fmt: skip
    return what


def _list_owners(app: App, customer: str | None, connection: str | None, as_json: bool) -> None:
    only = None if customer is None else one_payer(app, customer, connection)
    rows = by_customer(app, owners.of_customers, (only.connection_id, only.payer_id) if only else None)
    if as_json:
        dump([{"connection": a, "customer_id": b, "customer": c, "owner": d} for a, b, c, d in rows])
        return
    table(
        ("connection", "customer", "owner", "e-mail", "phone"),
        [(a, c, one.name, one.email, one.phone) for a, _, c, one in rows],
    )


def contact(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="A customer's name, id or e-mail.")],
    email: Annotated[str, typer.Argument(help="The person's address.")],
    name: Annotated[str, typer.Option(help="The person's name.")] = "",
    phone: Annotated[str | None, typer.Option(help="The person's number.")] = None,
    role: Annotated[ContactRole, typer.Option(help="Who is sent the invoices is `billing`.")] = ContactRole.BILLING,
    remove: Annotated[bool, typer.Option("--remove", help="Forget the person that was added by hand.")] = False,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Adds a person at a customer whom the accounting system does not know; no sync takes them away."""
    with opened(context) as app:
        found = one_payer(app, customer, connection)
        named = Whom(found.connection_id, found.payer_id, None, found.name)
        with app.store.working() as work:
            company = connections.connection_by_id(work, found.connection_id)
            who = author_or_me(author)
            if remove:
                said = forget_contact(app, work, company, named, email, who)
            else:
                said = add_contact(app, work, company, named, Contact(name, email, phone, role), who)
            work.commit()
    say(flat(said))


def add_contact(
    app: App, work: Work, company: Connection, named: Whom, fresh: Contact, who: str, *, noted: bool = True
) -> str:
    """Adds or changes a person, with a note: what was done, in a sentence."""
    now = app.clock.now()
    if not own_contacts.put(work, company.id, named.payer_id, fresh, author=who, now=now):
        return f"{named.what}: {fresh.email} is known already"
    what = f"{named.what}: {fresh.name} <{fresh.email}> is {fresh.role}"
    if noted:
        note(app, work, company, named.payer_id, None, what=f"Contact by hand: {what}, said", by=who, now=now)
    events.log(
        work, "contact_added", at=now, author=who, connection_id=company.id, payer=named.payer_id, email=fresh.email,
        role=fresh.role.value,
    )  # fmt: skip
    return what


def forget_contact(app: App, work: Work, company: Connection, named: Whom, email: str, who: str) -> str:
    """Forgets a person that was added by hand; NotFound where there is none."""
    now = app.clock.now()
    if not own_contacts.take_away(work, company.id, named.payer_id, email):
        raise NotFound(f"contact {email} of {named.what} that was added by hand")
    what = f"{named.what}: {email} is no contact by hand any more"
    note(app, work, company, named.payer_id, None, what=f"Contact by hand: {what}, said", by=who, now=now)
    events.log(work, "contact_removed", at=now, author=who, connection_id=company.id, payer=named.payer_id, email=email)
    return what
