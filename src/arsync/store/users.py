"""Who of our people may come to the desk: names, roles, the companies that they see, and their passwords' hashes."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from arsync.domain.roles import Person, Role
from arsync.errors import NotFound, UsageError
from arsync.store import tables as t
from arsync.store.engine import Work

_U = t.users.c


@dataclass(frozen=True, slots=True)
class User:
    """A person with what lets them in."""

    person: Person
    key: str
    password: str | None  # its hash
    created_at: datetime


def normal(name: str) -> str:
    """A name as it is kept; UsageError where it cannot be one."""
    found = name.strip().casefold()
    if not found or len(found) > 64 or not found.isprintable() or " " in found:
        raise UsageError(f"{name!r} cannot be a name to log in by: up to 64 letters without blanks")
    return found


def add(
    work: Work, name: str, role: Role, companies: Collection[int] | None, *, password: str | None, now: datetime
) -> Person:
    """Adds a person; `companies` are the connections they see, None all. UsageError where the name is taken."""
    name = normal(name)
    if work.execute(select(_U.id).where(_U.name == name)).one_or_none() is not None:
        raise UsageError(f"somebody is called {name} already")
    row = insert(t.users).values(
        key=secrets.token_hex(16), name=name, role=role.value, everywhere=companies is None, password=password,
        created_at=now,
    )  # fmt: skip
    (number,) = work.execute(row.returning(_U.id)).one()
    _see(work, number, companies)
    return by_name(work, name).person


def change(work: Work, name: str, role: Role, companies: Collection[int] | None) -> Person:
    """Another role, other companies."""
    known = by_name(work, name)
    values = {"role": role.value, "everywhere": companies is None}
    work.execute(update(t.users).where(_U.id == known.person.id).values(**values))
    _see(work, known.person.id, companies)
    return by_name(work, name).person


def set_password(work: Work, name: str, password: str) -> None:
    """Another password, by its hash; every session of that person ends."""
    known = by_name(work, name)
    work.execute(update(t.users).where(_U.id == known.person.id).values(password=password))
    work.execute(delete(t.sessions).where(t.sessions.c.user_key == known.key))


def rehash(work: Work, key: str, password: str) -> None:
    """The same password by a newer hash."""
    work.execute(update(t.users).where(_U.key == key).values(password=password))


def remove(work: Work, name: str) -> None:
    """That person comes no more, from this moment; what they did keeps their name."""
    known = by_name(work, name)
    _see(work, known.person.id, None)
    work.execute(delete(t.sessions).where(t.sessions.c.user_key == known.key))
    work.execute(delete(t.users).where(_U.id == known.person.id))


def by_name(work: Work, name: str) -> User:
    """The person of that name in any case; NotFound where there is none."""
    found = _some(work, _U.name == name.strip().casefold())
    if not found:
        raise NotFound(f"a user {name!r}")
    return found[0]


def by_key(work: Work, key: str) -> User | None:
    """The person with that key."""
    return next(iter(_some(work, _U.key == key)), None)


def everyone(work: Work) -> list[User]:
    """All of them, by name."""
    return _some(work)


def _some(work: Work, *where: object) -> list[User]:
    columns = (_U.id, _U.key, _U.name, _U.role, _U.everywhere, _U.password, _U.created_at)
    rows = work.execute(select(*columns).where(*where).order_by(_U.name)).all()  # type: ignore[arg-type]
    c = t.user_companies.c
    limited = [row.id for row in rows if not row.everywhere]
    seen: dict[int, set[int]] = {number: set() for number in limited}
    if limited:
        for number, connection_id in work.execute(select(c.user_id, c.connection_id).where(c.user_id.in_(limited))):
            seen[number].add(connection_id)
    return [
        User(
            Person(row.id, row.name, Role(row.role), None if row.everywhere else frozenset(seen[row.id])), row.key,
            row.password, row.created_at,
        )
        for row in rows
    ]  # fmt: skip


def _see(work: Work, number: int, companies: Collection[int] | None) -> None:
    c = t.user_companies.c
    work.execute(delete(t.user_companies).where(c.user_id == number))
    for connection_id in sorted(set(companies or ())):
        work.execute(insert(t.user_companies).values(user_id=number, connection_id=connection_id))
