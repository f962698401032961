"""An installation as a new user has it: a folder, a configuration, companies in a sandbox, and the command line."""

from __future__ import annotations

import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.shortcuts import lay_database

from arsync.cli.app import run
from arsync.sandbox.launch import SandboxControl

#: A Tuesday, ten in the morning in New York and three in the afternoon in London.
MORNING = datetime(2026, 9, 15, 14, 0, tzinfo=UTC)
TODAY = MORNING.date()
API_KEY = "SG.sandbox"


def days_ago(days: int) -> str:
    """A date as the sandbox wants it."""
    return (TODAY - timedelta(days=days)).isoformat()


@dataclass(frozen=True)
class Ran:
    """One command that has ended."""

    arguments: tuple[str, ...]
    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Books:
    """One company, kept through the sandbox's control API."""

    sandbox: SandboxControl
    name: str
    card: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.card["id"])

    @property
    def provider(self) -> str:
        return str(self.card["provider"])

    def act(self, do: str, **fields: Any) -> dict[str, Any]:
        return self.sandbox.act(self.id, do, **fields)

    def customer(self, name: str, *, email: str | None = None) -> str:
        address = email or f"accounts@{re.sub('[^a-z]', '', name.lower())}.example"
        return str(self.act("new_customer", name=name, email=address)["customer"])

    def invoice(self, customer: str, amount: str = "500.00", *, days_late: int = 5, **more: Any) -> str:
        """Its id."""
        fields = {"date": days_ago(days_late + 30), "due_date": days_ago(days_late), **more}
        return str(self.act("new_invoice", customer=customer, amount=amount, **fields)["invoice"])

    def notes(self) -> list[dict[str, Any]]:
        return [note for note in self.sandbox.notes() if note["company"] == self.id]


@dataclass
class Installation:
    """Its commands run in this process (`arsync`) or in one of their own (`process`)."""

    sandbox: SandboxControl
    folder: Path
    books: dict[str, Books] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "arsync.toml"

    @property
    def database(self) -> Path:
        return self.folder / "arsync.db"

    @property
    def key(self) -> Path:
        return self.folder / "arsync.key"

    # --- commands -------------------------------------------------------------------------------------

    def arsync(self, *arguments: str, status: int | None = 0, observe: Callable[[str, str], None] | None = None) -> Ran:
        """Runs the command in this process, where an error that nobody thought of is a failed test."""
        return arsync_here("--config", str(self.config), *arguments, status=status, observe=observe)

    def process(self, *arguments: str, status: int | None = 0, **environ: str) -> Ran:
        """Runs the command as a program of its own."""
        return arsync_process("--config", str(self.config), *arguments, cwd=self.folder, status=status, environ=environ)

    def json(self, *arguments: str, status: int = 0) -> Any:
        return self.arsync(*arguments, "--json", status=status).json()

    # --- set-up ---------------------------------------------------------------------------------------

    def found(self, name: str, provider: str, *, invoices: int = 0, seed: int = 1) -> Books:
        """A new company in the sandbox."""
        american = provider == "quickbooks"
        card = self.sandbox.create_company(
            provider,
            name=f"The {name} company",
            invoices=invoices,
            customers=max(1, invoices // 10),
            seed=seed,
            currency="USD" if american else "GBP",
            timezone="America/New_York" if american else "Europe/London",
            country="US" if american else "GB",
        )
        self.books[name] = Books(self.sandbox, name, card)
        return self.books[name]

    def configure(self, *, mode: str = "auto", more: str = "", delivery: str = 'channel = "file"') -> None:
        """Writes arsync.toml for the companies there are."""
        clients = {one.provider: one.card for one in self.books.values()}
        town = self.sandbox
        urls = {
            "quickbooks": (
                f'api_url = "{town.quickbooks_api}"\ntoken_url = "{town.quickbooks_token}"\n'
                f'authorize_url = "{town.url}/quickbooks/connect/oauth2"\n'
            ),
            "xero": (
                f'api_url = "{town.xero_api}"\ntoken_url = "{town.xero_token}"\n'
                f'authorize_url = "{town.url}/xero/identity/connect/authorize"\n'
                f'connections_url = "{town.xero_connections}"\n'
            ),
        }
        text = (
            f'[defaults]\nmode = "{mode}"\n'
            'bank_details.USD = "Harbor Bank 4417"\nbank_details.GBP = "Thames Bank 5577"\n'
            f'[delivery]\nfrom = "Accounts <accounts@seller.example>"\n{delivery}\n'
            f'[sendgrid]\napi_key = "{API_KEY}"\nhost = "{town.sendgrid_host}"\n'
            f'[sandbox]\nclock_url = "{town.url}/_sandbox/clock"\n'
        )
        for provider, card in clients.items():
            text += (
                f'[{provider}]\nclient_id = "{card["client_id"]}"\nclient_secret = "{card["client_secret"]}"\n'
                f"{urls[provider]}"
            )
        for name, one in self.books.items():
            text += f'[connection.{name}]\nprovider = "{one.provider}"\nexternal_id = "{one.id}"\n'
        self.config.write_text(text + more, encoding="utf-8")

    def connect(self, name: str, *, token: str | None = None, status: int = 0) -> Ran:
        one = self.books[name]
        return self.arsync(
            "connect", one.provider, "--refresh-token", token or one.card["refresh_token"], "--external-id", one.id,
            *(("--reminders", "off") if one.provider == "quickbooks" else ()), status=status,
        )  # fmt: skip

    def load(self) -> None:
        """Connects every company and backfills it."""
        if not self.database.exists():
            lay_database(self.database)
        for name in self.books:
            self.connect(name)
        self.arsync("backfill")

    # --- what came of it ------------------------------------------------------------------------------------

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute(query, values).fetchall()

    def execute(self, statement: str) -> None:
        """Changes the database behind arsync's back."""
        with closing(sqlite3.connect(self.database)) as database, database:
            database.execute(statement)

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        names = [name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(self.rows(f"SELECT * FROM {name}"), key=repr) for name in names}

    def states(self) -> Counter[str]:
        """How many messages are in each state."""
        return Counter(dict(self.rows("SELECT state, count(*) FROM messages GROUP BY state")))

    def letters(self) -> list[EmailMessage]:
        """What the file channel wrote."""
        found = []
        for path in sorted((self.folder / "outbox").glob("*.eml")):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            assert isinstance(mail, EmailMessage)
            found.append(mail)
        return found


def arsync_here(*arguments: str, status: int | None = 0, observe: Callable[[str, str], None] | None = None) -> Ran:
    """The command in this process, in its folder and with its environment."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        left = run(arguments, observe=observe)
    return _checked(Ran(arguments, left, out.getvalue(), err.getvalue()), status)


def arsync_process(
    *arguments: str, cwd: Path, status: int | None = 0, environ: Mapping[str, str] | None = None, timeout: float = 90
) -> Ran:
    """`python -m arsync` in a folder, with nothing of our environment that could configure it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ARSYNC_")}
    done = subprocess.run(
        [sys.executable, "-m", "arsync", *arguments], cwd=cwd, env={**clean, **(environ or {})}, capture_output=True,
        text=True, timeout=timeout, check=False,
    )  # fmt: skip
    return _checked(Ran(arguments, done.returncode, done.stdout, done.stderr), status)


def _checked(ran: Ran, status: int | None) -> Ran:
    story = f"arsync {' '.join(ran.arguments)} ended with {ran.status}\n{ran.out}\n{ran.err}"
    assert "Traceback" not in ran.said, story
    assert "arsync itself failed" not in ran.said, story
    assert status is None or ran.status == status, story
    return ran
