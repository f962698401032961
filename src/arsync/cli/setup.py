"""Setting up: init, connect, connections, db, doctor."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from arsync.bootstrap import App
from arsync.cli.context import Json, State, opened
from arsync.cli.init import lay_down
from arsync.cli.output import dump, say, table
from arsync.connector import TokenPair
from arsync.domain.clock import SystemClock
from arsync.ops.doctor import examine
from arsync.ops.finding import exit_status
from arsync.playbook.load import load as load_playbook
from arsync.resources import bundled
from arsync.settings import DEFAULT_NAME, load
from arsync.store import connections, events, upgrade
from arsync.store.connections import Connection
from arsync.store.vault import dump_pair

_database = typer.Typer(no_args_is_help=True, help="The database.")


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(init)
    program.command()(connect)
    program.command("connections")(list_connections)
    program.command()(doctor)
    program.add_typer(_database, name="db")


def init(folder: Annotated[Path, typer.Argument(help="Where to write them.")] = Path()) -> None:
    """Writes arsync.toml and copies the playbooks to edit; overwrites nothing."""
    for laid in lay_down(folder / DEFAULT_NAME):
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
        say(f"{linked.name}: {linked.company_name} ({linked.provider} {linked.external_id}), {linked.base_currency}")
        say("arsync will read customers, invoices, payments and credits, and write notes; nothing else.")
        say(f"next: arsync backfill {linked.name}")


def link(app: App, provider: str, *, refresh_token: str, external_id: str, name: str | None = None) -> Connection:
    """Stores the grant and proves it by reading the company; nothing is kept where that fails."""
    app.connector_settings(provider)
    upgrade.upgrade(app.unchecked_store)
    name = name or app.settings.name_for(provider, external_id) or f"{provider}-{external_id[:8]}"
    now = app.clock.now()
    pair = TokenPair(access_token="", refresh_token=refresh_token, expires_at=now - timedelta(days=1))
    with app.store.working() as work:
        grant_id = connections.add_grant(work, provider=provider, sealed=app.vault.seal(dump_pair(pair)), now=now)
        linked = connections.link(
            work, name=name, provider=provider, external_id=external_id, grant_id=grant_id, now=now
        )
        events.log(work, "connection_linked", at=now, connection_id=linked.id, provider=provider)
        work.commit()
    company = app.connector(linked).company()
    with app.store.working() as work:
        connections.describe(work, linked.id, company)
        work.commit()
    with app.store.reading() as work:
        return connections.connection(work, name)


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
    findings = examine(lambda: load(state.config), clock=SystemClock(), read_playbook=_read_playbook)
    if as_json:
        dump([finding.as_json() for finding in findings])
    else:
        table(
            ("", "what", "found", "mend"),
            [(finding.level, finding.subject, finding.detail, finding.mend) for finding in findings],
        )
    if status := exit_status(findings):
        raise typer.Exit(status)


def _read_playbook(path: Path) -> list[str]:
    templates = path.parent / "templates"
    _playbook, problems = load_playbook(path, templates if templates.is_dir() else bundled("playbooks") / "templates")
    return [str(problem) for problem in problems]
