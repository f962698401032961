"""Connections, their grants, how far their pulls have got, and what lies in quarantine."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from arsync.connector import Company
from arsync.domain.states import Health
from arsync.errors import NotFound
from arsync.store import chases, customer_groups, reminders
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Connection:
    """One authorised company file."""

    id: int
    name: str
    provider: str
    external_id: str
    grant_id: int
    company_name: str
    base_currency: str
    country: str | None
    timezone: str | None
    reminders_on: bool | None
    health: Health
    health_reason: str
    synced_at: datetime | None


@dataclass(frozen=True, slots=True)
class Installation:
    """This database's own identity and its red button."""

    key: str
    stopped_at: datetime | None
    stopped_by: str | None
    stop_reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a pull has got."""

    position: str | None
    done: bool
    seen: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that could not be read."""

    connection_id: int
    resource: str
    remote_id: str
    customer_id: str | None
    reason: str
    first_at: datetime
    last_at: datetime

    @property
    def has_id(self) -> bool:
        """Whether the source can be asked for it; otherwise `remote_id` is a hash of its text."""
        return not self.remote_id.startswith("sha256:")


# --- installation -----------------------------------------------------------------------------------------------


def installation(work: Work) -> Installation:
    """This database's identity; NotFound before `found_installation`."""
    found = _INSTALLATION(work)
    if not found:
        raise NotFound("the database has no identity yet")
    return Installation(*found[0])


def is_founded(work: Work) -> bool:
    """Whether the database has its identity."""
    return work.execute(select(t.installation.c.id)).one_or_none() is not None


def found_installation(work: Work, *, now: datetime) -> Installation:
    """Gives the database its identity, once."""
    try:
        return installation(work)
    except NotFound:
        work.execute(insert(t.installation).values(id=1, key=secrets.token_hex(4), created_at=now))
        return installation(work)


def press_stop(work: Work, *, author: str, reason: str, now: datetime) -> None:
    """Presses the red button: nothing passes the last gate any more."""
    work.execute(update(t.installation).values(stopped_at=now, stopped_by=author, stop_reason=reason))
    work.execute(update(t.chases).values(version=t.chases.c.version + 1))


def release_stop(work: Work) -> None:
    """Lets messages go out again."""
    work.execute(update(t.installation).values(stopped_at=None, stopped_by=None, stop_reason=None))


# --- connections --------------------------------------------------------------------------------------------------

_C = t.connections.c
_COLUMNS = (
    _C.id, _C.name, _C.provider, _C.external_id, _C.grant_id, _C.company_name, _C.base_currency,
    _C.country, _C.timezone, _C.reminders_on, _C.health, _C.health_reason, _C.synced_at,
)  # fmt: skip


def _connection(row: Sequence[object]) -> Connection:
    values = list(row)
    values[10] = Health(str(values[10]))
    return Connection(*values)  # type: ignore[arg-type] # the columns stand in the order of the fields


def connections(work: Work) -> list[Connection]:
    """Every connection, by name."""
    return [_connection(row) for row in work.execute(select(*_COLUMNS).order_by(_C.name))]


def connection(work: Work, name: str) -> Connection:
    """The connection of that name, or NotFound with the names there are."""
    row = work.execute(select(*_COLUMNS).where(_C.name == name)).one_or_none()
    if row is None:
        names = ", ".join(work.execute(select(_C.name).order_by(_C.name)).scalars()) or "none yet"
        raise NotFound(f"connection {name!r} (there are: {names})")
    return _connection(row)


def connection_by_id(work: Work, connection_id: int) -> Connection:
    """The connection with that id."""
    (row,) = _BY_ID(work, connection=connection_id)
    return _connection(row)


def add_grant(
    work: Work,
    *,
    provider: str,
    sealed: str,
    now: datetime,
    idle_until: datetime | None = None,
    hard_until: datetime | None = None,
    is_new: bool = True,
) -> int:
    """Stores a new grant's sealed tokens, and when they end; `is_new` unless its consent was given some time ago."""
    consented_at = now if is_new else None
    values = {"provider": provider, "sealed": sealed, "updated_at": now, "consented_at": consented_at}
    statement = insert(t.grants).values(**values, idle_until=idle_until, hard_until=hard_until).returning(t.grants.c.id)
    return int(work.execute(statement).scalar_one())


def has_grants(work: Work) -> bool:
    """Whether any token is kept."""
    return work.execute(select(t.grants.c.id).where(t.grants.c.sealed != "").limit(1)).first() is not None


def drop_grant(work: Work, grant_id: int) -> None:
    """Forgets a grant, unless a connection lives by it."""
    used = select(_C.id).where(_C.grant_id == grant_id).exists()
    work.execute(delete(t.grants).where(t.grants.c.id == grant_id, ~used))


def sealed_tokens(work: Work, grant_id: int) -> str:
    """The grant's tokens as sealed."""
    return str(work.execute(select(t.grants.c.sealed).where(t.grants.c.id == grant_id)).scalar_one())


def replace_tokens(
    work: Work,
    grant_id: int,
    sealed: str,
    *,
    now: datetime,
    instead_of: str | None = None,
    **ends: datetime | None,
) -> bool:
    """Stores the grant's rotated tokens, with `instead_of` only in place of those, and their `idle_until` and
    `hard_until`; whether it did."""
    g = t.grants.c
    statement = update(t.grants).where(g.id == grant_id).values(sealed=sealed, updated_at=now, **ends)
    return bool(work.execute(statement if instead_of is None else statement.where(g.sealed == instead_of)).rowcount)


def link(work: Work, *, name: str, provider: str, external_id: str, grant_id: int, now: datetime) -> Connection:
    """Links a company file (`recovering` until a backfill has come through), or gives a known one its new grant."""
    known = (_C.provider == provider, _C.external_id == external_id)
    statement = update(t.connections).where(*known).values(grant_id=grant_id, name=name)
    if not work.execute(statement).rowcount:
        work.execute(
            insert(t.connections).values(
                name=name,
                provider=provider,
                external_id=external_id,
                grant_id=grant_id,
                company_name=name,
                base_currency="",
                health=Health.RECOVERING.value,
                health_reason="not backfilled yet",
                created_at=now,
            )
        )
    return _connection(work.execute(select(*_COLUMNS).where(*known)).one())


def describe(work: Work, connection_id: int, company: Company, *, now: datetime) -> None:
    """Keeps what the source says of the company itself. Where it told before whether it reminds customers and does not
    tell now, that it does stands as an answer that a person may replace, and that it does not is known no more."""
    known = connection_by_id(work, connection_id)
    if company.reminders_on is None and known.reminders_on is not None:
        if known.reminders_on:
            reminders.answer(work, connection_id, reminds=True, author=f"{known.provider} (last told)", now=now)
        else:
            reminders.forget(work, connection_id)
    work.execute(
        update(t.connections)
        .where(_C.id == connection_id)
        .values(
            company_name=company.name,
            base_currency=company.base_currency,
            country=company.country,
            timezone=company.timezone,
            reminders_on=company.reminders_on,
        )
    )
    customer_groups.remember(work, connection_id, company.groups)
    if company.reminders_on != known.reminders_on:
        chases.bump_all(work, connection_id)  # what was confirmed is looked at again


def set_health(
    work: Work,
    connection_id: int,
    health: Health,
    reason: str,
    *,
    synced_at: datetime | None = None,
    instead_of: Health | None = None,
) -> None:
    """Says whether the connection's data may lead to messages, and since when they are whole.

    A disconnected connection stays so, whatever a pull still finds, but where `instead_of` names that state.
    """
    values: dict[str, object] = {"health": health.value, "health_reason": reason}
    if synced_at is not None:
        values["synced_at"] = synced_at
    before = _C.health != Health.DISCONNECTED.value if instead_of is None else _C.health == instead_of.value
    work.execute(update(t.connections).where(_C.id == connection_id, before).values(**values))


# --- cursors --------------------------------------------------------------------------------------------------------

_P: Final = t.cursors.c
_THIS: Final = (_P.connection_id == bindparam("of"), _P.pull == bindparam("which"))
#: Put together once: a load moves its cursor with every page.
_CURSOR: Final = Prepared(select(_P.position, _P.done, _P.seen).where(*_THIS))
_MOVE: Final = Prepared(
    update(t.cursors)
    .where(*_THIS)
    .values({name: bindparam(name) for name in ("position", "done", "seen", "updated_at")})
    .returning(_P.pull)
)
_BY_ID: Final = Prepared(select(*_COLUMNS).where(_C.id == bindparam("connection")))
_I = t.installation.c
_INSTALLATION: Final = Prepared(select(_I.key, _I.stopped_at, _I.stopped_by, _I.stop_reason, _I.created_at))


def cursor(work: Work, connection_id: int, pull: str) -> Cursor:
    """How far a pull has got; a fresh one where it never began."""
    rows = _CURSOR(work, of=connection_id, which=pull)
    return Cursor(*rows[0]) if rows else Cursor(None, done=False, seen=0)


def move_cursor(
    work: Work, connection_id: int, pull: str, *, position: str | None, done: bool, seen: int, now: datetime
) -> None:
    """Stores how far a pull has got; commit it together with the page."""
    values = {"position": position, "done": done, "seen": seen, "updated_at": now}
    if not _MOVE(work, of=connection_id, which=pull, **values):
        work.execute(insert(t.cursors), {"connection_id": connection_id, "pull": pull, **values})


# --- quarantine -------------------------------------------------------------------------------------------------------


def quarantined(
    work: Work, connection_id: int | None = None, *, first: int = 0, most: int | None = None
) -> list[Quarantined]:
    """What could not be read, oldest first; at most so many of them, from that place on."""
    q = t.quarantine.c
    query = select(q.connection_id, q.resource, q.remote_id, q.customer_id, q.reason, q.first_at, q.last_at)
    if connection_id is not None:
        query = query.where(q.connection_id == connection_id)
    query = query.order_by(q.first_at, q.remote_id).offset(first).limit(most)
    return [Quarantined(*tuple(row)) for row in work.execute(query)]


def quarantined_count(work: Work) -> dict[int, int]:
    """How many records of each connection could not be read, where there are any."""
    q = t.quarantine.c
    rows = work.execute(select(q.connection_id, func.count()).group_by(q.connection_id))
    return {connection_id: int(count) for connection_id, count in rows}
