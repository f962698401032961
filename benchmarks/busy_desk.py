"""Companies that a desk has worked on for two years: ledgers of the sandbox, loaded as every company is, and what was
sent, said and decided in that time, written straight into the database.

The same for the same sizes but for the day on which it is made.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from cryptography.fernet import Fernet

from arsync.bootstrap import App
from arsync.connector import TokenPair
from arsync.domain.roles import Role
from arsync.playbook.decide import decide
from arsync.resources import bundled
from arsync.sandbox.launch import SandboxControl
from arsync.settings import load
from arsync.store import connections, reminders, upgrade, users, verdicts
from arsync.store.engine import Store
from arsync.store.vault import dump_pair
from arsync.sync.backfill import backfill
from arsync.vault import Vault
from arsync.web import passwords
from two_years import remember

PASSWORD: Final = "a horse, a battery and a staple"
#: Of a hundred invoices so many are each company's; the last one is loaded while people click.
SHARES: Final[Mapping[str, tuple[str, int]]] = {
    "harbour": ("quickbooks", 40), "thames": ("xero", 30), "tyne": ("quickbooks", 20), "humber": ("quickbooks", 10),
}  # fmt: skip
LATE: Final = ("clyde", "quickbooks")
_TO_A_CUSTOMER: Final = 20
_NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
_ALLOWANCES: Final = {
    "quickbooks": {"per_second": 10_000, "per_minute": 600_000, "app_per_minute": 600_000},
    "xero": {"per_minute": 600_000, "per_day": 10_000_000, "app_per_minute": 600_000},
}


@dataclass
class Desk:
    """An installation in a folder, its companies in the sandbox by name, and who may come."""

    folder: Path
    sandbox: SandboxControl
    url: str  # of the database
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    port: int = 0

    @property
    def config(self) -> Path:
        """Its settings."""
        return self.folder / "arsync.toml"

    def app(self) -> App:
        """The installation, wired; close it."""
        return App(load(self.config, environ={}))


def people(number: int) -> list[str]:
    """The names of those who come; each tenth only looks."""
    return [f"person{one:02}" for one in range(number)]


def make(desk: Desk, invoices: int, crowd: int) -> dict[str, int]:
    """Fills a fresh database; how many rows the largest tables have."""
    _unlimited(desk.sandbox)
    for name, (provider, share) in SHARES.items():
        _found(desk, name, provider, invoices * share // 100)
    _found(desk, LATE[0], LATE[1], max(invoices // 10, 100))
    key = Fernet.generate_key().decode()
    _configure(desk, key)
    now = datetime.now(UTC)  # noqa: TID251 - the desk is on the machine's clock, and the sandbox too
    store = Store(desk.url)
    upgrade.upgrade(store)
    with store.working() as work:
        connections.found_installation(work, now=now)
        for name, card in desk.cards.items():
            pair = TokenPair("", card["refresh_token"], _NEVER)
            sealed = Vault(key.encode()).seal(dump_pair(pair))
            grant = connections.add_grant(work, provider=card["provider"], sealed=sealed, now=now)
            linked = connections.link(
                work, name=name, provider=card["provider"], external_id=card["id"], grant_id=grant, now=now
            )
            reminders.answer(work, linked.id, reminds=False, author="person00", now=now)
        work.commit()
    store.close()
    app = desk.app()
    for name in SHARES:
        (connection,) = app.linked([name])
        loaded = backfill(app.store, connection, app.connector(connection), app.clock)
        if loaded.quarantined or loaded.differences:
            raise RuntimeError(f"{name}: {loaded.quarantined} quarantined, differences: {loaded.differences}")
    _admit(app, crowd, now)
    with app.store.working() as work:
        for connection in app.linked(list(SHARES)):
            remember(work, connection.id, now)
        if work.dialect == "postgresql":  # which would count these tables by itself, a minute later
            work.connection.exec_driver_sql("ANALYZE")
        work.commit()
    with app.store.working() as work:
        run_id = verdicts.begin_run(work, "run", now=now)
        work.commit()
    for connection in app.linked(list(SHARES)):
        decide(app.store, connection, app.policy(connection), now=app.clock.now(), run_id=run_id)
    counts = _counts(app)
    app.close()
    return counts


def _unlimited(sandbox: SandboxControl) -> None:
    sandbox.limits("quickbooks", second=None, minute=None, batch_minute=None)
    sandbox.limits("xero", minute=None, day=None, app_minute=None, concurrent=None)
    sandbox.limits("sendgrid", second=None)


def _found(desk: Desk, name: str, provider: str, invoices: int) -> None:
    wish = {
        "invoices": invoices, "customers": max(invoices // _TO_A_CUSTOMER, 10), "seed": len(desk.cards) + 7,
        "timezone": "Europe/London", "country": "GB", "currency": "GBP",
    }  # fmt: skip
    desk.cards[name] = desk.sandbox.create_company(provider, name=f"{name.title()} Ltd", **wish)


def _configure(desk: Desk, key: str) -> None:
    """Mail goes out at any hour, so that a run has something to do whenever it is measured."""
    folder = desk.folder / "playbooks"
    shutil.copytree(bundled("playbooks") / "templates", folder / "templates", dirs_exist_ok=True)
    shipped = (bundled("playbooks") / "standard.yaml").read_text(encoding="utf-8")
    window = 'weekdays: [mon, tue, wed, thu, fri]\n  opens: "09:00"\n  closes: "17:00"'
    always = 'weekdays: [mon, tue, wed, thu, fri, sat, sun]\n  opens: "00:00"\n  closes: "23:59"'
    assert window in shipped
    (folder / "standard.yaml").write_text(shipped.replace(window, always), encoding="utf-8")
    sections: dict[str, dict[str, Any]] = {
        "database": {"url": desk.url},
        "vault": {"key": key},
        "defaults": {"company_name": "Harbour Tools", "timezone": "Europe/London", "country": "GB", "mode": "approve"},
        "delivery": {"channel": "sendgrid", "from": "Harbour Tools <credit@harbour.example>"},
        "sendgrid": {"api_key": "SG.sandbox", "host": desk.sandbox.sendgrid_host},
        "safety": {"max_messages_per_run": 1_000_000, "breaker_factor": 1000},
        "serve": {"port": desk.port},
    }  # fmt: skip
    for provider in ("quickbooks", "xero"):
        card = next(one for one in desk.cards.values() if one["provider"] == provider)
        names = ("api", "token", "authorize", *(("connections",) if provider == "xero" else ()))
        urls = {f"{one}_url": getattr(desk.sandbox, f"{provider}_{one}") for one in names}
        app = {"client_id": card["client_id"], "client_secret": card["client_secret"]}
        sections[provider] = {**app, **urls, **_ALLOWANCES[provider]}
    for name, card in desk.cards.items():
        sections[f"connection.{name}"] = {"provider": card["provider"], "external_id": card["id"]}
    text = "\n".join(
        f"[{name}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in section.items())
        for name, section in sections.items()
    )
    banks = "".join(f'{one} = "Harbour Bank 4417"\n' for one in ("GBP", "EUR", "USD", "AUD", "NZD", "CAD"))
    desk.config.write_text(f"{text}\n[defaults.bank_details]\n{banks}", encoding="utf-8")


def _admit(app: App, crowd: int, now: datetime) -> None:
    hashed = passwords.hashed(PASSWORD, "person")  # the same for all: reckoning fifty takes seconds
    with app.store.working() as work:
        mine = [one.id for one in connections.connections(work) if one.name in ("harbour", "tyne")]
        for number, name in enumerate(people(crowd)):
            role = Role.VIEWER if number % 10 == 9 else Role.COLLECTOR
            users.add(work, name, role, mine if number % 5 == 4 else None, password=hashed, now=now)
        work.commit()


#: What history is told of.
_TOLD: Final = (
    "customers", "invoices", "payments", "allocations", "messages", "message_items", "notes", "events", "verdicts",
)  # fmt: skip


def _counts(app: App) -> dict[str, int]:
    with app.store.reading() as work:
        driver = work.connection.exec_driver_sql
        return {name: int(driver(f"SELECT count(*) FROM {name}").scalar_one()) for name in _TOLD}


def owed(desk: Desk, name: str) -> dict[str, Decimal]:
    """What is open at the source, by currency, as its own books say."""
    found: dict[str, Decimal] = {}
    for one in _open(desk, name):
        found[one["currency"]] = found.get(one["currency"], Decimal(0)) + Decimal(one["balance"])
    return found


def _open(desk: Desk, name: str) -> list[dict[str, Any]]:
    every = desk.sandbox.truth(str(desk.cards[name]["id"]))["invoices"]
    return [one for one in every if one["state"] == "open" and Decimal(one["balance"])]


#: What people have done since, as it is kept, by kind of act.
KEPT: Final[Mapping[str, str]] = {
    "hold": "SELECT count(*) FROM holds WHERE kind = 'pause' AND author LIKE 'person%%' AND created_at >= '{since}'",
    "promise": "SELECT count(*) FROM promises WHERE author LIKE 'person%%' AND created_at >= '{since}'",
    "call outcome": "SELECT count(*) FROM call_outcomes WHERE author LIKE 'person%%' AND created_at >= '{since}'",
    "approve": "SELECT count(*) FROM events WHERE kind = 'message_approved' AND author LIKE 'person%%' "
    "AND at >= '{since}'",
}


def disturb(desk: Desk, payments: int, begin: int) -> None:
    """In each company so many customers pay, and as many are billed."""
    for name in SHARES:
        card = desk.cards[name]
        owing = _open(desk, name)
        for one in _some(owing, payments, begin):
            desk.sandbox.act(card["id"], "pay", invoice=one["id"])
        for one in _some(owing, payments, begin + payments):
            today = datetime.now(UTC).date()  # noqa: TID251 - as above
            dates = {"date": str(today), "due_date": str(today + timedelta(days=30))}
            desk.sandbox.act(card["id"], "new_invoice", customer=one["customer"], amount="120.00", **dates)


def _some(those: Sequence[dict[str, Any]], number: int, begin: int) -> Iterator[dict[str, Any]]:
    for place in range(number):
        yield those[(begin + place * 7) % len(those)]
