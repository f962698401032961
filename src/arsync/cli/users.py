"""Who may come to the desk: user."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from arsync.bootstrap import App
from arsync.cli.context import Author, Json, author_or_me, opened
from arsync.cli.output import dump, say, table
from arsync.domain.roles import Role
from arsync.errors import UsageError
from arsync.store import connections, events, users
from arsync.store.engine import Work

_user = typer.Typer(no_args_is_help=True, help="Says who may come to the desk.")
Name = Annotated[str, typer.Argument(help="The name to log in by.")]
Which = Annotated[list[str] | None, typer.Option("--connection", help="A company they see; may be repeated.")]
Everywhere = Annotated[bool, typer.Option("--everywhere", help="They see every company, those to come as well.")]


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    _user.command("add")(add)
    _user.command("list")(list_users)
    _user.command("role")(role)
    _user.command("password")(password)
    _user.command("remove")(remove)
    program.add_typer(_user, name="user")


def add(
    context: typer.Context,
    name: Name,
    as_role: Annotated[Role, typer.Option("--role", help="What they may do.")],
    connection: Which = None,
    everywhere: Everywhere = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="They come by the trusted proxy alone.")] = False,
    author: Author = None,
) -> None:
    """Lets a person come to the desk; asks for the password, or reads it from standard input."""
    with opened(context) as app:
        name, seen = users.normal(name), _seen(app, connection, everywhere)
        kept = None if no_password else _asked(name)
        with app.store.working() as work:
            users.add(work, name, as_role, seen, password=kept, now=app.clock.now())
            _log(app, work, "user_added", author, name, role=as_role.value, companies=connection)
            work.commit()
    say(f"{name} may come, as {as_role}")


def list_users(context: typer.Context, as_json: Json = False) -> None:
    """Lists who may come to the desk."""
    with opened(context) as app, app.store.reading() as work:
        names = {one.id: one.name for one in connections.connections(work)}
        every = users.everyone(work)
    rows = [
        {
            "name": one.person.name,
            "role": one.person.role,
            "companies": None if one.person.companies is None else sorted(names[of] for of in one.person.companies),
            "by": "password" if one.password is not None else "proxy",
        }
        for one in every
    ]
    if as_json:
        dump(rows)
        return
    told = ((one["name"], one["role"], _companies(one["companies"]), one["by"]) for one in rows)
    table(("name", "role", "companies", "comes by"), told)


def _companies(names: object) -> str:
    return "all" if not isinstance(names, list) else ", ".join(names) or "none"


def role(
    context: typer.Context,
    name: Name,
    as_role: Annotated[Role, typer.Argument(metavar="ROLE", help="What they may do from now on.")],
    connection: Which = None,
    everywhere: Everywhere = False,
    author: Author = None,
) -> None:
    """Says what a person may do from now on, and for which companies; sessions go on with that."""
    with opened(context) as app:
        seen = _seen(app, connection, everywhere)
        with app.store.working() as work:
            changed = users.change(work, name, as_role, seen)
            _log(app, work, "user_changed", author, changed.name, role=as_role.value, companies=connection)
            work.commit()
    say(f"{changed.name} is {as_role}")


def password(context: typer.Context, name: Name, author: Author = None) -> None:
    """Gives a person another password; their sessions end."""
    with opened(context) as app:
        with app.store.reading() as work:
            known = users.by_name(work, name).person.name
        kept = _asked(known)
        with app.store.working() as work:
            users.set_password(work, known, kept)
            _log(app, work, "password_changed", author, known)
            work.commit()
    say(f"{known} has another password; who was logged in by that name is so no more")


def remove(context: typer.Context, name: Name, author: Author = None) -> None:
    """Lets a person come no more, from this moment."""
    with opened(context) as app, app.store.working() as work:
        known = users.by_name(work, name).person.name
        users.remove(work, known)
        _log(app, work, "user_removed", author, known)
        work.commit()
    say(f"{known} comes no more; what they did keeps the name")


def _seen(app: App, names: list[str] | None, everywhere: bool) -> list[int] | None:
    if bool(names) == everywhere:
        raise UsageError("say which companies they see: each --connection, or --everywhere")
    return None if everywhere else [one.id for one in app.linked(names or ())]


def _asked(name: str) -> str:
    """The hash of a password that is typed twice, or of the first line of standard input."""
    from arsync.web.passwords import hashed  # noqa: PLC0415 - no other command needs it

    if sys.stdin.isatty():
        given: str = typer.prompt(f"password of {name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    return hashed(given, name)


def _log(app: App, work: Work, kind: str, author: str | None, name: str, **data: Any) -> None:
    events.log(work, kind, at=app.clock.now(), author=author_or_me(author), user=name, **data)
