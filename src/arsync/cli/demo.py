"""The whole job on the sandbox: two companies, a night, a week later another one. No account needed."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from arsync.bootstrap import App
from arsync.bootstrap.linking import link_by_token
from arsync.cli.approving import approve_messages
from arsync.cli.holding import place
from arsync.cli.night import tell_night, tell_plans, work_night
from arsync.cli.output import say, table
from arsync.cli.pull import load_one, tell_loaded
from arsync.domain.states import HoldKind, MessageState, NoteState
from arsync.errors import UsageError
from arsync.sandbox.launch import SandboxControl, running_sandbox
from arsync.sandbox.rehearsal import RehearsalClock
from arsync.settings import load
from arsync.store import finding, messages, notes
from arsync.store.finding import FoundInvoice
from arsync.worker import jobs
from arsync.worker.jobs import Night

#: A Tuesday, ten in the morning in New York and three in the afternoon in London.
_NOW: Final = datetime(2026, 9, 15, 14, 0, tzinfo=UTC)
#: Vendors' limits run on the sandbox's clock; this fast, a minute's allowance is back in two seconds.
_SPEED: Final = 30
_MARK: Final = ".arsync-demo"
_COMPANIES: Final[tuple[Mapping[str, Any], ...]] = (
    {"provider": "quickbooks", "name": "Harbor Lights Electric", "currency": "USD", "timezone": "America/New_York",
     "country": "US", "seed": 7},
    {"provider": "xero", "name": "Thames Print Works", "currency": "GBP", "timezone": "Europe/London",
     "country": "GB", "seed": 11},
)  # fmt: skip


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(demo)


def demo(
    folder: Annotated[Path, typer.Option(help="Where to put its configuration, database and messages.")] = Path("demo"),
    invoices: Annotated[int, typer.Option(min=50, max=20_000, help="Invoices in each company.")] = 2000,
) -> None:
    """Runs the whole job on the sandbox: no account, no real customer, nothing leaves this machine."""
    _clear(folder)
    with running_sandbox() as sandbox:
        sandbox.set_clock(_NOW)
        say("1. A sandbox of QuickBooks, Xero and SendGrid is up on this machine. It is Tuesday, 15 September 2026.")
        companies = [
            sandbox.create_company(**order, invoices=invoices, customers=max(20, invoices // 10))
            for order in _COMPANIES
        ]
        sandbox.speed(_SPEED)
        config = folder / "arsync.toml"
        config.write_text(_configuration(sandbox, companies), encoding="utf-8")
        # The environment of a real installation must not reach into a rehearsal.
        app = App(load(config, environ={}))
        try:
            status = _tell(app, sandbox, companies, folder)
        finally:
            app.close()
    # The sandbox's clock ends with it; what was written stays to be looked at.
    kept = config.read_text(encoding="utf-8").partition("[sandbox]")[0]
    config.write_text(kept.rstrip() + "\n", encoding="utf-8")
    if status:
        raise typer.Exit(status)


def _clear(folder: Path) -> None:
    try:
        if folder.exists():
            if any(folder.iterdir()) and not (folder / _MARK).exists():
                raise UsageError(f"{folder} exists and is not a demo's folder: choose another by --folder")
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / _MARK).touch()
    except OSError as error:
        raise UsageError(f"{folder} cannot be made a demo's folder: {error.strerror}; use --folder") from None


def _configuration(sandbox: SandboxControl, companies: list[dict[str, Any]]) -> str:
    quickbooks, xero = companies
    return f"""# Written by `arsync demo`: two sandbox companies, messages as files.
[defaults]
playbook = "standard"
mode = "auto"
locale = "en"
legal_footer = "Registered in the sandbox. No real company, no real debt."
bank_details.USD = "First Harbor Bank, routing 021000089, account 4417 0021 88"
bank_details.GBP = "Thames Bank, sort code 20-00-00, account 5577 9911"
bank_details.EUR = "Thames Bank, IBAN GB33 BUKB 2020 1555 5555 55"
bank_details.CAD = "First Harbor Bank, transit 00011-004, account 998 1177"

[connection.harbor]
provider = "quickbooks"
external_id = "{quickbooks["id"]}"
reminders = "off"

[connection.thames]
provider = "xero"
external_id = "{xero["id"]}"

[delivery]
channel = "file"
from = "Accounts <accounts@sandbox.example>"
outbox_dir = "outbox"

[quickbooks]
client_id = "{quickbooks["client_id"]}"
client_secret = "{quickbooks["client_secret"]}"
api_url = "{sandbox.quickbooks_api}"
token_url = "{sandbox.quickbooks_token}"
authorize_url = "{sandbox.url}/quickbooks/connect/oauth2"

[xero]
client_id = "{xero["client_id"]}"
client_secret = "{xero["client_secret"]}"
api_url = "{sandbox.xero_api}"
token_url = "{sandbox.xero_token}"
authorize_url = "{sandbox.url}/xero/identity/connect/authorize"
connections_url = "{sandbox.xero_connections}"

[sandbox]
clock_url = "{sandbox.url}/_sandbox/clock"
"""


def _tell(app: App, sandbox: SandboxControl, companies: list[dict[str, Any]], folder: Path) -> int:
    for company in companies:
        link_by_token(
            app, company["provider"], refresh_token=company["refresh_token"], external_id=company["id"], author="demo"
        )
    say("\n2. Backfill: every open item and two years of history.", style="bold")
    for connection in app.linked():
        tell_loaded(connection, load_one(app, connection, quiet=False))

    say("\n3. The plan: what would go out and why, what would not and why.", style="bold")
    for connection in app.linked():
        tell_plans(connection.name, jobs.preview(app.store, app.desk(connection), app.clock), most=5)

    say("\n4. The first night.", style="bold")
    tell_night(app, work_night(app, app.linked()))
    say("A person reads the firm ones and lets them go (arsync approve --all):")
    approve_messages(app, None, "demo")
    tell_night(app, work_night(app, app.linked()))

    say("\n5. The same night again: nothing is sent twice.", style="bold")
    again = work_night(app, app.linked())
    tell_night(app, again)

    say("\n6. A week later. Some have paid, one disputes.", style="bold")
    disputed = _dispute_one(app)
    sandbox.advance(days=7)
    assert isinstance(app.clock, RehearsalClock), "the demo's settings name the sandbox's clock"
    app.clock.look_again()
    for company in companies:
        happened = Counter(event["what"] for event in sandbox.live(company["id"]))
        say(f"{company['name']}: " + ", ".join(f"{count} x {what}" for what, count in happened.most_common()))
    second = work_night(app, app.linked())
    tell_night(app, second)
    return _check(app, sandbox, folder, again, disputed)


def _dispute_one(app: App) -> FoundInvoice | None:
    """Somebody contests the invoice of the message that was sent last."""
    with app.store.reading() as work:
        sent = messages.in_states(work, (MessageState.ACCEPTED,))
        if not sent:
            return None
        item = messages.items(work, sent[-1].id)[0]
        wanted = (sent[-1].connection_id, item.invoice_id)
        # A number of one invoice may be the id of another.
        found = next(
            one for one in finding.find_invoices(work, item.invoice_id) if (one.connection_id, one.invoice_id) == wanted
        )
    place(app, found, kind=HoldKind.DISPUTE, reason="goods arrived damaged", until=None, author="demo")
    return found


def _check(app: App, sandbox: SandboxControl, folder: Path, again: Night, disputed: FoundInvoice | None) -> int:
    """Counts at the sandbox, not in our own tables: every message exactly one note for each of its targets."""
    say("\n7. Counted at the sandbox:", style="bold")
    with app.store.reading() as work:
        accepted = messages.in_states(work, (MessageState.ACCEPTED,))
        owed = notes.in_states(work, tuple(NoteState))
    letters = len(list((folder / "outbox").glob("*.eml")))
    mailed = sum(message.channel == "email" for message in accepted)
    seen = Counter(marker for note in sandbox.notes() for marker in [_marker(note["text"])] if marker is not None)
    wrong = [note for note in owed if seen[note.marker] != 1]
    rows = [
        ("messages accepted", len(accepted)),
        ("  by e-mail, and .eml files in the outbox", f"{mailed} and {letters}"),
        ("  on the call list", len(accepted) - mailed),
        ("notes owed, and found in the companies", f"{len(owed)} and {sum(seen.values())}"),
        ("notes missing or double", len(wrong)),
        ("sent by the second run of the same day", again.accepted),
    ]
    table(("", ""), rows)
    say("\nWhere to look:", style="bold")
    config = folder / "arsync.toml"
    say(f"  the database   sqlite3 {folder / 'arsync.db'}")
    say(f"  the messages   {folder / 'outbox'}{'/'}*.eml (open one in a mail program)")
    if disputed is not None:
        say(f"  the story      arsync --config {config} explain {disputed.number} --connection {disputed.connection}")
    say(f"  the holds      arsync --config {config} holds")
    return int(bool(wrong or again.accepted or mailed != letters))


def _marker(text: str) -> str | None:
    start = text.rfind("[arsync:")
    return text[start:].strip() if start >= 0 else None
