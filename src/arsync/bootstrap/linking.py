"""Linking companies: from tokens in hand to connections in the database, and away again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from arsync.bootstrap.app import App
from arsync.connector import Reachable, TokenPair
from arsync.domain.states import Health
from arsync.errors import ConnectorError, NotFound, Reauthorise, UsageError
from arsync.store import chases, connections, events, grants, reminders, upgrade
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.vault import dump_pair

#: As a section [connection.<name>] may be called.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
#: Of several companies that a consent opens, those to link.
Picker = Callable[[tuple[Reachable, ...]], Sequence[Reachable]]


@dataclass(slots=True)
class Linked:
    """What a consent led to."""

    linked: list[Connection] = field(default_factory=list)
    renewed: list[Connection] = field(default_factory=list)  # not picked, but opened by the new consent as well
    failed: list[tuple[Reachable, str]] = field(default_factory=list)


def refresh_only(app: App, refresh_token: str) -> TokenPair:
    """The pair of a refresh token that somebody has got by hand."""
    return TokenPair(access_token="", refresh_token=refresh_token, expires_at=app.clock.now() - timedelta(days=1))


def check_name(name: str | None) -> None:
    """UsageError where a connection cannot be called so."""
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(f"--name {name!r}: letters, digits, - and _ only, 64 at most")


def expected(app: App, provider: str, name: str | None) -> str | None:
    """The company that this name stands for, by the database or the settings; None where it is a new name.

    Brings the database to this version's schema: what is wrong with it is told before a person is asked.
    """
    upgrade.upgrade(app.unchecked_store)
    if name is None:
        return None
    with app.store.reading() as work:
        try:
            known = connections.connection(work, name)
        except NotFound:
            own = app.settings.connections.get(name)
            return own.external_id if own is not None and own.provider == provider else None
    if known.provider != provider:
        raise UsageError(f"{name} is a company at {known.provider}, not at {provider}")
    return known.external_id


def link_by_token(
    app: App, provider: str, *, refresh_token: str, external_id: str, author: str, name: str | None = None
) -> Connection:
    """Proves a refresh token by reading the company, then links it, or gives a known one its new grant."""
    company = Reachable(external_id, "")
    done = link(
        app, provider, refresh_only(app, refresh_token), pick=lambda _: [company], told=None, name=name,
        author=author, offered=(company,),
    )  # fmt: skip
    return done.linked[0]


def link(
    app: App,
    provider: str,
    pair: TokenPair,
    *,
    pick: Picker,
    told: Mapping[str, str] | None,
    author: str,
    name: str | None = None,
    offered: tuple[Reachable, ...] | None = None,
) -> Linked:
    """Links the companies picked of those that the tokens open, or gives known ones their new grant.

    The tokens are durable before their first use. Nothing is kept of a consent that leads to no company, and what
    worked before goes on working. Raises what the last of the companies said where none could be linked.
    """
    check_name(name)
    app.connector_settings(provider)
    upgrade.upgrade(app.unchecked_store)
    with app.store.working() as work:
        grant_id = connections.add_grant(
            work,
            provider=provider,
            sealed=app.vault.seal(dump_pair(pair)),
            now=app.clock.now(),
            idle_until=pair.refresh_expires_at,
            hard_until=pair.consent_expires_at,
            is_new=offered is None,
        )
        work.commit()
    try:
        consent = app.consent(provider)
        there = offered or (consent.companies(pair.access_token, told or {}) if consent is not None else ())
        picked = pick(there)
        if name is not None and len(picked) > 1:
            raise UsageError("--name is for one company: pick one by --company")
        done = _link_each(app, provider, grant_id, picked, name, author)
    except BaseException:
        _forget(app, grant_id)
        raise
    done.renewed = _renew_others(app, provider, grant_id, there, done.linked)
    return done


def _link_each(
    app: App, provider: str, grant_id: int, picked: Sequence[Reachable], name: str | None, author: str
) -> Linked:
    done = Linked()
    refusal: ConnectorError | None = None
    for one in picked:
        try:
            company = app.reach(provider, one.external_id, grant_id).company()
        except ConnectorError as error:
            refusal = error
            done.failed.append((one, str(error)))
            continue
        with app.store.working() as work:
            linked = _place(app, work, provider, one.external_id, grant_id, name, author)
            connections.describe(work, linked.id, company, now=app.clock.now())
            work.commit()
        with app.store.reading() as work:
            done.linked.append(connections.connection_by_id(work, linked.id))
    if not done.linked:
        raise refusal or UsageError("no company was picked: nothing was linked")
    return done


def _forget(app: App, grant_id: int) -> None:
    with app.store.working() as work:
        connections.drop_grant(work, grant_id)
        work.commit()


def _place(
    app: App, work: Work, provider: str, external_id: str, grant_id: int, name: str | None, author: str
) -> Connection:
    every = connections.connections(work)
    known = next((one for one in every if (one.provider, one.external_id) == (provider, external_id)), None)
    others = {one.name for one in every if one is not known}
    chosen = name or app.settings.name_for(provider, external_id) or (known.name if known else None)
    if chosen is None:
        short = f"{provider}-{external_id[:8]}"
        chosen = f"{provider}-{external_id}"[:64] if short in others else short
    if chosen in others:
        raise UsageError(f"another company is called {chosen!r} already: choose a name by --name")
    now = app.clock.now()
    linked = connections.link(work, name=chosen, provider=provider, external_id=external_id, grant_id=grant_id, now=now)
    if known is not None:
        _settle(app, work, known)
    events.log(work, "connection_linked", at=now, author=author, connection_id=linked.id, provider=provider)
    return linked


def _settle(app: App, work: Work, before: Connection) -> None:
    """A known company has its new grant: the old one goes with its last, and the company may be read again."""
    connections.drop_grant(work, before.grant_id)
    if before.health in (Health.REAUTHORISE, Health.DISCONNECTED):
        grants.resume(work, before, "connected again, not synced since", now=app.clock.now())


def _renew_others(
    app: App, provider: str, grant_id: int, there: Sequence[Reachable], linked: Sequence[Connection]
) -> list[Connection]:
    """The linked companies that the new consent opens as well live by it from now on: theirs may have ended."""
    consent = app.consent(provider)
    reachable = {one.external_id for one in there}
    if consent is not None:
        try:
            told = {"realmId": linked[0].external_id}
            reachable |= {one.external_id for one in consent.companies(consent.access(app.tokens(grant_id)), told)}
        except ConnectorError:
            pass  # they keep what they have
    with app.store.working() as work:
        others = [
            one
            for one in connections.connections(work)
            if one.provider == provider
            and one.external_id in reachable
            and one.grant_id != grant_id
            and one.health is not Health.DISCONNECTED
        ]
        for one in others:
            connections.link(
                work, name=one.name, provider=provider, external_id=one.external_id, grant_id=grant_id,
                now=app.clock.now(),
            )  # fmt: skip
            _settle(app, work, one)
        work.commit()
    with app.store.reading() as work:
        return [connections.connection_by_id(work, one.id) for one in others]


# --- what nobody but a person can tell ----------------------------------------------------------------------------


def is_unanswered(app: App, connection: Connection) -> bool:
    """Whether nobody knows if the company sends reminders itself: then nothing goes out."""
    if connection.reminders_on is not None or app.settings.company(connection.name).reminders == "off":
        return False
    with app.store.reading() as work:
        return reminders.answered(work, connection.id) is None


def keep_answer(app: App, name: str, *, reminds: bool, author: str) -> None:
    """Keeps what a person says of a company's own reminders; UsageError where the company tells it itself."""
    now = app.clock.now()
    with app.store.working() as work:
        connection = connections.connection(work, name)
        if connection.reminders_on is not None:
            tells = "does" if connection.reminders_on else "does not"
            raise UsageError(f"{connection.company_name} says itself that it {tells}; change it there")
        reminders.answer(work, connection.id, reminds=reminds, author=author, now=now)
        chases.bump_all(work, connection.id)
        told = "on" if reminds else "off"
        events.log(work, "reminders_answered", at=now, author=author, connection_id=connection.id, reminds=told)
        work.commit()


# --- away again ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parted:
    """What a disconnection came to: whether the whole consent was ended, and what the vendor could not be told."""

    whole: bool
    untold: str | None


def disconnect(app: App, connection: Connection, *, author: str) -> Parted:
    """Nothing is read, written or sent for the company from the first commit on; then the vendor is told.

    Killed in between, or where the vendor does not answer, it may be called again.
    """
    now = app.clock.now()
    with app.store.working() as work:
        if connection.health is not Health.DISCONNECTED:
            grants.disconnect(work, connection, author=author, now=now)
        others = [
            one
            for one in grants.connections_of(work, connection.grant_id)
            if one.id != connection.id and one.health is not Health.DISCONNECTED
        ]
        own = grants.grants(work)[connection.grant_id]
        work.commit()
    whole = not others
    if own.has_tokens:
        try:
            whole = _tell(app, connection, alone=not others)
        except Reauthorise:
            pass  # the vendor has ended it already
        except ConnectorError as error:
            return Parted(False, str(error))  # the tokens are kept, so that the vendor can be told yet
    with app.store.working() as work:
        grants.leave(work, connection, now=now)
        work.commit()
    return Parted(whole, None)


def _tell(app: App, connection: Connection, *, alone: bool) -> bool:
    """Releases the company; ends the consent where no other company here lives by it. Whether it did end it."""
    consent = app.consent(connection.provider)
    if consent is None:
        return True
    tokens = app.tokens(connection.grant_id)
    access = consent.access(tokens)
    consent.release(access, connection.external_id)
    if not alone:
        return False
    told = {"realmId": connection.external_id}
    still_open = {one.external_id for one in consent.companies(access, told)} - {connection.external_id}
    with app.store.reading() as work:
        used = [
            one.name
            for one in connections.connections(work)
            if one.provider == connection.provider
            and one.external_id in still_open
            and one.health is not Health.DISCONNECTED
        ]
    if used:
        return False  # the same person's consent, seen through other tokens: ending it would end theirs
    consent.revoke(tokens.current())
    return True
