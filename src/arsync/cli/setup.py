"""Setting up: init, connect, connections, db, doctor."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from arsync.bootstrap import App
from arsync.cli.context import Json, State, opened
from arsync.cli.init import lay_down
from arsync.cli.output import dump, flat, say, table
from arsync.connector import Clock, TokenPair
from arsync.domain.clock import SystemClock
from arsync.domain.states import Health
from arsync.errors import ConfigurationError, UsageError
from arsync.ops.doctor import examine
from arsync.ops.finding import exit_status
from arsync.playbook.load import load as load_playbook
from arsync.resources import bundled
from arsync.settings import DEFAULT_NAME, load
from arsync.store import connections, events, upgrade
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.vault import dump_pair

#: As a section [connection.<name>] may be called.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_database = typer.Typer(no_args_is_help=True, help="The database.")


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(init)
    program.command()(connect)
    program.command("connections")(list_connections)
    program.command()(doctor)
    program.add_typer(_database, name="db")


def init(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="Where to write them; default: here.")] = None,
) -> None:
    """Writes arsync.toml and copies the playbooks to edit; overwrites nothing."""
    state: State = context.obj
    if folder is not None and state.config is not None:
        raise UsageError("name a folder, or the file by --config")
    for laid in lay_down(state.config or (folder or Path()) / DEFAULT_NAME):
        say(f"{'wrote' if laid.made else 'kept '} {laid.path}")
    say("next: fill in arsync.toml, then `arsync doctor`")


@_database.command("upgrade")
def upgrade_database(context: typer.Context) -> None:
    """Creates the database, or brings it to this version's schema."""
    with opened(context) as app:
        say(f"the database is at {upgrade.upgrade(app.unchecked_store)}")


def connect(
    context: typer.Context,
    provider: Annotated[str, typer.Argument(help="quickbooks or xero")],
    refresh_token: Annotated[str, typer.Option(envvar="ARSYNC_REFRESH_TOKEN", help="From the vendor's consent page.")],
    external_id: Annotated[str, typer.Option(help="The company's realm id (QuickBooks) or tenant id (Xero).")],
    name: Annotated[str | None, typer.Option(help="What to call it; default: as in arsync.toml.")] = None,
) -> None:
    """Links one company by a refresh token: the form for servers without a browser."""
    with opened(context) as app:
        linked = link(app, provider, refresh_token=refresh_token, external_id=external_id, name=name)
        company = f"{linked.company_name} ({linked.provider} {linked.external_id}), {linked.base_currency}"
        say(flat(f"{linked.name}: {company}"))
        say("arsync will read customers, invoices, payments and credits, and write notes; nothing else.")
        say(f"next: arsync {'backfill' if linked.health is Health.RECOVERING else 'sync'} {linked.name}")


def link(app: App, provider: str, *, refresh_token: str, external_id: str, name: str | None = None) -> Connection:
    """Proves the consent by reading the company, then links it, or gives a known one its new grant.

    Nothing is kept of a consent that does not work, and what worked before goes on working.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(f"--name {name!r}: letters, digits, - and _ only, 64 at most")
    app.connector_settings(provider)
    upgrade.upgrade(app.unchecked_store)
    now = app.clock.now()
    pair = TokenPair(access_token="", refresh_token=refresh_token, expires_at=now - timedelta(days=1))
    with app.store.working() as work:
        # Stored before its first use: using a refresh token ends it, and its successor must not be lost.
        grant_id = connections.add_grant(work, provider=provider, sealed=app.vault.seal(dump_pair(pair)), now=now)
        work.commit()
    try:
        company = app.reach(provider, external_id, grant_id).company()
        with app.store.working() as work:
            linked = _link(app, work, provider, external_id, grant_id, name)
            connections.describe(work, linked.id, company)
            work.commit()
    except BaseException:
        with app.store.working() as work:
            connections.drop_grant(work, grant_id)
            work.commit()
        raise
    with app.store.reading() as work:
        return connections.connection_by_id(work, linked.id)


def _link(app: App, work: Work, provider: str, external_id: str, grant_id: int, name: str | None) -> Connection:
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
        connections.drop_grant(work, known.grant_id)
        if known.health is Health.REAUTHORISE:
            connections.set_health(work, linked.id, Health.PARTIAL, "connected again, not synced since")
    events.log(work, "connection_linked", at=now, connection_id=linked.id, provider=provider)
    return linked


def list_connections(context: typer.Context, as_json: Json = False) -> None:
    """Lists the linked companies and their health."""
    with opened(context) as app, app.store.reading() as work:
        every = connections.connections(work)
    if as_json:
        dump(every)
        return
    columns = ("connection", "company", "provider", "currency", "health", "why", "synced")
    table(
        columns,
        [
            (c.name, c.company_name, c.provider, c.base_currency, c.health, c.health_reason,
             f"{c.synced_at:%Y-%m-%d %H:%M} UTC" if c.synced_at else "never")
            for c in every
        ],
    )  # fmt: skip


def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Checks everything that must be right before messages go out; each finding with its mend."""
    state: State = context.obj
    findings = examine(lambda: load(state.config), clock=_clock(state), read_playbook=_read_playbook)
    if as_json:
        dump([finding.as_json() for finding in findings])
    else:
        table(
            ("", "what", "found", "mend"),
            [(finding.level, finding.subject, finding.detail, finding.mend) for finding in findings],
        )
    if status := exit_status(findings):
        raise typer.Exit(status)


def _clock(state: State) -> Clock:
    """The clock that a run would go by."""
    try:
        app = App(load(state.config))
        app.clock.now()
    except ConfigurationError:
        return SystemClock()
    return app.clock


def _read_playbook(path: Path) -> list[str]:
    templates = path.parent / "templates"
    _playbook, problems = load_playbook(path, templates if templates.is_dir() else bundled("playbooks") / "templates")
    return [str(problem) for problem in problems]
