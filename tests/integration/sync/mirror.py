"""A company in the sandbox, an arsync that mirrors it, and what the mirror shows wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import requests
from sqlalchemy import text
from tests.sandbox_clock import ToldTime

from arsync.connector import Connector, Linked, Resource, TokenPair
from arsync.domain.money import from_units
from arsync.sandbox.launch import SandboxControl
from arsync.store import connections, customer_groups
from arsync.store.connections import Connection, Quarantined
from arsync.store.engine import Store
from arsync.store.ledger import Ledger, read
from arsync.store.records import Stored
from arsync.store.vault import StoredVault, dump_pair
from arsync.sync.backfill import Loaded, Progress, backfill
from arsync.sync.delta import Changed, sync
from arsync.sync.refresh import refresh
from arsync.testing.ports import NOON, UnlimitedBudget

_VOID = {"voided": "void", "deleted": "deleted", "draft": "draft"}


class SandboxClock:
    """The sandbox's time, or one that goes wrong by so much; a wait moves it on."""

    def __init__(self, sandbox: SandboxControl, wrong_by: timedelta = timedelta(0)) -> None:
        self._sandbox = sandbox
        self._wrong_by = wrong_by
        self.waited = 0.0
        self._told = ToldTime(sandbox)

    def now(self) -> datetime:
        return self._told.now() + self._wrong_by

    def elapsed(self) -> float:
        return self.waited

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        self._sandbox.advance(seconds)


class _AfterPages(Progress):
    def __init__(self, after_page: Callable[[Resource, int, int | None], None]) -> None:
        self._after_page = after_page

    def stored(self, resource: Resource, seen: int, of: int | None) -> None:
        self._after_page(resource, seen, of)


@dataclass
class Mirror:
    """One company and the cache of it."""

    sandbox: SandboxControl
    provider: str
    card: dict[str, Any]
    store: Store
    clock: SandboxClock

    @classmethod
    def of(
        cls, sandbox: SandboxControl, provider: str, store: Store, *, invoices: int = 120, customers: int = 20,
        wrong_by: timedelta = timedelta(0), **order: Any,
    ) -> Mirror:  # fmt: skip
        card = sandbox.create_company(provider, invoices=invoices, customers=customers, **order)
        mirror = cls(sandbox, provider, card, store, SandboxClock(sandbox, wrong_by))
        mirror.link(store)
        return mirror

    def link(self, store: Store) -> None:
        """Goes on with this database, in which the company is linked with a consent of its own."""
        self.store = store
        consent = self.sandbox.grant(self.id)
        pair = TokenPair("", consent["refresh_token"], NOON - timedelta(days=9999))
        with store.working() as work:
            now = self.clock.now()
            connections.found_installation(work, now=now)
            grant = connections.add_grant(work, provider=self.provider, sealed=dump_pair(pair), now=now)
            connections.link(work, name="mirror", provider=self.provider, external_id=self.id, grant_id=grant, now=now)
            work.commit()

    @property
    def id(self) -> str:
        return str(self.card["id"])

    @property
    def connection(self) -> Connection:
        with self.store.reading() as work:
            return connections.connection(work, "mirror")

    def settings(self) -> dict[str, Any]:
        """The connector's section."""
        urls = {
            "quickbooks": {"api_url": self.sandbox.quickbooks_api, "token_url": self.sandbox.quickbooks_token},
            "xero": {
                "api_url": self.sandbox.xero_api,
                "token_url": self.sandbox.xero_token,
                "connections_url": self.sandbox.xero_connections,
            },
        }[self.provider]
        return {"client_id": self.card["client_id"], "client_secret": self.card["client_secret"], **urls}

    def connector(self) -> Connector:
        """A fresh one, as a new process would make it."""
        package = import_module(f"arsync_{self.provider}")
        connector: Connector = package.Connector(
            settings=package.Settings.model_validate(self.settings()),
            linked=Linked(external_id=self.id),
            vault=StoredVault(self.store, self.clock, self.connection.grant_id, seal=str, unseal=str),
            budget=UnlimitedBudget(),
            clock=self.clock,
            session=requests.Session(),
        )
        return connector

    # --- what arsync does -----------------------------------------------------------------------------

    def backfill(self, after_page: Callable[[Resource, int, int | None], None] | None = None) -> Loaded:
        progress = _AfterPages(after_page) if after_page else None
        return backfill(self.store, self.connection, self.connector(), self.clock, progress=progress)

    def sync(self) -> Changed:
        return sync(self.store, self.connection, self.connector(), self.clock)

    def refresh(self, *payers: str) -> Stored:
        return refresh(self.store, self.connection, self.connector(), payers, self.clock)

    def ledger(self, payer: str | None = None) -> Ledger:
        with self.store.reading() as work:
            return read(work, self.connection.id, payer)

    def groups(self) -> Mapping[str, frozenset[str]]:
        with self.store.reading() as work:
            return customer_groups.of_customers(work, self.connection.id)

    def jailed(self) -> list[Quarantined]:
        with self.store.reading() as work:
            return connections.quarantined(work)

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.store.reading() as work:
            return list(work.execute(text(query), values))

    # --- what people do ---------------------------------------------------------------------------------

    def act(self, do: str, **fields: Any) -> dict[str, Any]:
        return self.sandbox.act(self.id, do, **fields)

    def truth(self) -> dict[str, dict[str, dict[str, Any]]]:
        found = self.sandbox.truth(self.id)
        return {kind: {row["id"]: row for row in found[kind]} for kind in found if kind != "id"}

    def open_invoices(self) -> list[dict[str, Any]]:
        return [row for row in self.truth()["invoices"].values() if row["state"] == "open"]

    def paid_payments(self) -> list[dict[str, Any]]:
        """Payments that lie wholly on one invoice."""
        found = self.truth()["payments"].values()
        return [row for row in found if row["state"] == "received" and len(row["allocations"]) == 1]

    # --- the difference ---------------------------------------------------------------------------------

    def differences(self, *, of_closed: bool = True) -> list[str]:
        """Everything that the cache shows otherwise than the company's books: lost, stale, ghosts.

        Without `of_closed` it does not count whose a document is that nobody owes or can spend any more: a merge moves
        such ones without a word.
        """
        truth = self.truth()
        found: list[str] = []
        for kind, table, facts in _COMPARED:
            cached = {row.remote_id: row for row in self.rows(f"SELECT * FROM {table}")}
            for remote_id, row in truth[kind].items():
                if remote_id not in cached:
                    # A record that was deleted before it was ever seen leaves no trace, and need not.
                    found += [] if row.get("state") in ("deleted", "draft") else [f"lost: {kind} {remote_id}"]
                    continue
                told, known = facts(row), _shown(kind, cached[remote_id])
                if not of_closed and kind != "customers" and not _is_open(kind, row) and told[1:] == known[1:]:
                    continue
                if told != known:
                    found.append(f"stale: {kind} {remote_id}: {known}, in truth {told}")
            for remote_id in cached.keys() - truth[kind].keys():
                if cached[remote_id].state != "deleted":
                    found.append(f"ghost: {kind} {remote_id}")
        return found + self._misallocated(truth)

    def _misallocated(self, truth: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
        query = "SELECT source_id, invoice_id, amount FROM allocations WHERE source = 'payments'"
        cached = sorted((row.source_id, row.invoice_id, from_units(int(row.amount))) for row in self.rows(query))
        told = sorted(
            (payment["id"], part["id"], Decimal(part["amount"]))
            for payment in truth["payments"].values()
            for part in payment["allocations"]
            if part["kind"].lower() == "invoice"
        )
        return [f"allocation: {part}" for part in sorted(set(cached) ^ set(told))]

    # --- requests ---------------------------------------------------------------------------------------

    @contextmanager
    def counted(self) -> Iterator[list[dict[str, Any]]]:
        """The company's vendor requests during the block, complete when it ends."""
        log = self.sandbox.requests()
        last = log[-1]["n"] if log else 0
        asked: list[dict[str, Any]] = []
        try:
            yield asked
        finally:
            asked += [one for one in self.sandbox.requests(last) if one["company"] == self.id]


def _invoice(row: dict[str, Any]) -> tuple[Any, ...]:
    state = _VOID.get(row["state"]) or ("open" if Decimal(row["balance"]) else "paid")
    balance = Decimal(0) if state in ("void", "deleted") else Decimal(row["balance"])
    return row["customer"], state, balance, Decimal(row["total"]), row["due"], row["number"], row["currency"]


def _is_open(kind: str, row: dict[str, Any]) -> bool:
    return bool(row["state"] == "open" if kind == "invoices" else Decimal(row["unapplied"]))


def _money(row: dict[str, Any]) -> tuple[Any, ...]:
    state = {"voided": "void", "deleted": "deleted", "draft": "void"}.get(row["state"], "active")
    return row["customer"], state, Decimal(row["unapplied"]) if state == "active" else Decimal(0), row["currency"]


def _customer(row: dict[str, Any]) -> tuple[Any, ...]:
    state = "merged" if row.get("merged_to") else "active" if row["active"] else "archived"
    return row["name"], state


_COMPARED = (
    ("customers", "customers", _customer),
    ("invoices", "invoices", _invoice),
    ("payments", "payments", _money),
    ("credits", "credit_notes", _money),
)


def _shown(kind: str, row: Any) -> tuple[Any, ...]:
    if kind == "customers":
        return row.name, row.state
    if kind == "invoices":
        due = row.due_on.isoformat() if isinstance(row.due_on, date) else row.due_on
        balance = Decimal(0) if row.state in ("void", "deleted") else from_units(int(row.balance))
        return row.customer_id, row.state, balance, from_units(int(row.total)), due, row.number, row.currency
    unapplied = from_units(int(row.unapplied)) if row.state == "active" else Decimal(0)
    return row.customer_id, row.state, unapplied, row.currency
