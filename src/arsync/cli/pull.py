"""Pulling: backfill, sync, quarantine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated

import typer

from arsync.acts.locking import locked
from arsync.bootstrap import App
from arsync.cli.context import Connections, Json, linked, opened
from arsync.cli.loading import Shown
from arsync.cli.output import complain, counted, dump, err, say, table, taken_for_sent
from arsync.domain.states import Health
from arsync.errors import ConnectorError
from arsync.store import connections, events, suspicion
from arsync.store.adoption import ADOPTED
from arsync.store.connections import Connection
from arsync.sync.backfill import Loaded, measure
from arsync.sync.recover import first_look
from arsync.worker import pulling


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(backfill)
    program.command()(sync)
    program.command()(quarantine)


def backfill(
    context: typer.Context,
    names: Connections = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day of the history; default: 24 months back.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count, and say how long it would take.")] = False,
    as_json: Json = False,
) -> None:
    """Loads companies whole: every open item and 24 months of history. Interrupted, it goes on where it was."""
    first_day = since.date() if since else None
    if dry_run:
        _estimate(context, names, first_day, as_json=as_json)
        return
    with opened(context) as app, locked(app, those := linked(app, names)) as lock:
        results: dict[str, object] = {}
        failed = False
        for connection in those:
            before = _last_event(app)
            try:
                loaded = load_one(app, connection, quiet=as_json, since=first_day, beat=lock.renew)
            except ConnectorError as error:
                complain(f"{connection.name}: {error}")
                results[connection.name] = {"error": str(error)}
                failed = True
                continue
            suspect, mend = _suspicion(app, connection.name)
            failed = failed or bool(loaded.differences) or loaded.quarantined > 0 or suspect is not None
            results[connection.name] = {
                "suspect": suspect,
                "seen": loaded.seen,
                "source_counts": loaded.expected,
                "quarantined": loaded.quarantined,
                "resumed": loaded.resumed,
                "adopted": (adopted := _adopted(app, connection, before)),
            }
            if not as_json:
                tell_loaded(connection, loaded)
                _tell_adopted(connection.name, adopted)
            _tell_suspicion(connection.name, suspect, mend)
        if as_json:
            dump(results)
    if failed:
        raise typer.Exit(1)


def _estimate(context: typer.Context, names: list[str] | None, since: date | None, *, as_json: bool) -> None:
    """Counts what a load would read. Stores nothing but its own requests in the budget."""
    results: dict[str, object] = {}
    failed = False
    with opened(context) as app:
        for connection in linked(app, names):
            try:
                size = measure(app.connector(connection), app.clock, since)
            except ConnectorError as error:
                complain(f"{connection.name}: {error}")
                results[connection.name] = {"error": str(error)}
                failed = True
                continue
            seconds = app.budget(connection.provider, connection.external_id).duration(size.requests)
            results[connection.name] = {
                "since": size.since,
                "counts": size.counts,
                "requests": size.requests,
                "seconds_by_the_vendors_limits": round(seconds),
            }
            if not as_json:
                parts = ", ".join(
                    f"{'?' if count is None else count} {name.replace('_', ' ')}" for name, count in size.counts.items()
                )
                say(f"{connection.name}: {parts} since {size.since}: about {size.requests} requests")
                say(f"{connection.name}: the vendor's limits, and what is spent of them, make that {_long(seconds)}")
        if as_json:
            dump(results)
    if failed:
        raise typer.Exit(1)


def _long(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"at least {minutes} min" if minutes < 120 else f"at least {minutes // 60} h {minutes % 60} min"


def load_one(
    app: App,
    connection: Connection,
    *,
    quiet: bool,
    since: date | None = None,
    beat: Callable[[], None] = lambda: None,
) -> Loaded:
    """Backfills one connection and shows its progress; `beat` is called after every page."""
    allowed = app.budget(connection.provider, connection.external_id).duration
    intake = app.intake(connection)
    after = first_look(intake.connector) if connection.health is Health.RECOVERING else 0
    with Shown(connection.name, err, allowed=allowed, beat=beat, quiet=quiet, after=after) as progress:
        return pulling.load(app.store, intake, app.clock, since=since, progress=progress)


def tell_loaded(connection: Connection, loaded: Loaded) -> None:
    """Says what a backfill found, and where the source counts otherwise."""
    parts = ", ".join(f"{count} {resource.replace('_', ' ')}" for resource, count in loaded.seen.items())
    checked = "as the source counts" if not loaded.differences else "; ".join(loaded.differences)
    say(f"{connection.name}: {parts} ({checked}){'; resumed' if loaded.resumed else ''}")
    if loaded.quarantined:
        say(f"{connection.name}: {loaded.quarantined} records could not be read: arsync quarantine")


def sync(context: typer.Context, names: Connections = None, as_json: Json = False) -> None:
    """Pulls what changed since the last time, deletions and voids included."""
    with opened(context) as app, locked(app, those := linked(app, names)):
        results: dict[str, object] = {}
        failed = False
        before = _last_event(app)

        def pull(one: Connection) -> int:
            return pulling.update(app.store, app.intake(one), app.clock)

        for connection, written in pulling.in_turn(those, pull):
            if isinstance(written, ConnectorError):
                complain(f"{connection.name}: {written}")
                results[connection.name] = {"error": str(written)}
                failed = True
                continue
            suspect, mend = _suspicion(app, connection.name)
            with app.store.reading() as work:
                jailed = len(connections.quarantined(work, connection.id))
            adopted = _adopted(app, connection, before)
            results[connection.name] = {
                "written": written,
                "suspect": suspect,
                "quarantined": jailed,
                "adopted": adopted,
            }
            failed = failed or suspect is not None or jailed > 0
            if not as_json:
                say(f"{connection.name}: {counted(written, 'record')} changed")
                _tell_adopted(connection.name, adopted)
            if jailed:
                complain(f"{connection.name}: {counted(jailed, 'record')} cannot be read: arsync quarantine")
            _tell_suspicion(connection.name, suspect, mend)
        if as_json:
            dump(results)
    if failed:
        raise typer.Exit(1)


def _last_event(app: App) -> int:
    with app.store.reading() as work:
        return events.last(work)


def _adopted(app: App, connection: Connection, before: int) -> int:
    """Messages that were taken for sent since the event of that number."""
    with app.store.reading() as work:
        return events.count(work, connection.id, ADOPTED, after=before)


def _tell_adopted(name: str, adopted: int) -> None:
    if adopted:
        say(f"{name}: {taken_for_sent(adopted)}")


def _suspicion(app: App, name: str) -> tuple[str | None, str]:
    """What stands against the connection, if anything, and what to do about it."""
    (now,) = app.linked([name])
    if now.health is not Health.SUSPECT:
        return None, ""
    with app.store.reading() as work:
        return now.health_reason, suspicion.ends_by(work, now.id, name)


def _tell_suspicion(name: str, suspect: str | None, mend: str) -> None:
    if suspect is not None:
        complain(f"{name} is suspect, nothing is sent from it: {suspect}: {mend}")


def quarantine(context: typer.Context, as_json: Json = False) -> None:
    """Lists the records that could not be read, and why; each holds its payer until it can."""
    with opened(context) as app, app.store.reading() as work:
        names = {connection.id: connection.name for connection in connections.connections(work)}
        jailed = connections.quarantined(work)
    if as_json:
        dump([{"connection": names[one.connection_id], **_plain(one)} for one in jailed])
        return
    table(
        ("connection", "record", "id", "customer", "reason", "since"),
        [
            (
                names[one.connection_id],
                one.resource,
                one.remote_id,
                one.customer_id,
                one.reason,
                f"{one.first_at:%Y-%m-%d}",
            )
            for one in jailed
        ],
    )


def _plain(one: connections.Quarantined) -> dict[str, object]:
    return {
        "resource": one.resource,
        "remote_id": one.remote_id,
        "customer_id": one.customer_id,
        "reason": one.reason,
        "first_at": one.first_at,
        "last_at": one.last_at,
    }
