"""A company in the sandbox as the books behind a connector."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

import pytest
import requests
from tests.sandbox_clock import ToldTime

import arsync_quickbooks
import arsync_xero
from arsync.connector import Connector, Consent, Linked, NoteTarget, TokenPair
from arsync.domain.documents import InvoiceState
from arsync.sandbox.launch import SandboxControl
from arsync.testing.contract import Bill, Fault, Source
from arsync.testing.ports import MemoryVault, UnlimitedBudget

_FAULTS = {
    Fault.THROTTLED: "throttle",
    Fault.DOWN: "error",
    Fault.TRUNCATED: "truncate",
    Fault.SILENT: "timeout_before",
    Fault.CUT_BEFORE: "disconnect_before",
    Fault.CUT_AFTER: "disconnect_after",
    Fault.EXPIRED: "expired_token",
}
_STATES = {"draft": InvoiceState.DRAFT, "voided": InvoiceState.VOID, "deleted": InvoiceState.DELETED}
#: machine seconds until a client of the silent sandbox gives up
_SILENCE = 0.3


class SandboxClock:
    """The sandbox's time; a wait moves it on."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self._sandbox = sandbox
        self._told = ToldTime(sandbox)

    def now(self) -> datetime:
        return self._told.now()

    def elapsed(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self._sandbox.advance(seconds)


class ImpatientSession(requests.Session):
    """A session that waits for `patience` seconds only, where that is given."""

    patience: float | None = None

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if self.patience is not None:
            options["timeout"] = self.patience
        return super().send(request, **options)


class SandboxBooks(Source):
    """One company of either vendor."""

    provider: ClassVar[str]
    #: the fault's `match` of a request that writes
    writing: ClassVar[Mapping[str, str]]

    def __init__(self, sandbox: SandboxControl, *, invoices: int) -> None:
        self.sandbox = sandbox
        self.card = sandbox.create_company(
            self.provider,
            name="Harbour Tools",
            invoices=invoices,
            customers=max(8, invoices // 20),
            history_months=6,
            currency="NZD",
            timezone="Pacific/Auckland",
            country="NZ",
        )
        self.vault = MemoryVault.with_refresh(self.card["refresh_token"])
        self.sessions_given: list[ImpatientSession] = []

    @classmethod
    @contextmanager
    def opened(cls, request: pytest.FixtureRequest, *, invoices: int) -> Iterator[Self]:
        books = cls(request.getfixturevalue("sandbox"), invoices=invoices)
        try:
            yield books
        finally:
            books.calm()
            for session in books.sessions_given:
                session.close()

    def factory(self) -> Any:
        """The connector's class and its settings."""
        raise NotImplementedError

    def connector(self) -> Connector:
        factory, settings = self.factory()
        self.sessions_given.append(ImpatientSession())
        made: Connector = factory(
            settings=settings,
            linked=Linked(external_id=self.external_id),
            vault=self.vault,
            budget=UnlimitedBudget(),
            clock=SandboxClock(self.sandbox),
            session=self.sessions_given[-1],
        )
        return made

    @property
    def external_id(self) -> str:
        return str(self.card["id"])

    @property
    def today(self) -> date:
        return self.sandbox.now().astimezone(ZoneInfo("Pacific/Auckland")).date()

    # --- what people do --------------------------------------------------------------------------------

    def bills(self) -> Collection[Bill]:
        return [_bill(row) for row in self.sandbox.truth(self.external_id)["invoices"]]

    def act(self, do: str, **fields: Any) -> dict[str, Any]:
        self.sandbox.advance(2)  # time stamps are of whole seconds
        return self.sandbox.act(self.external_id, do, **fields)

    def new_customer(self, name: str) -> str:
        return str(self.act("new_customer", name=name)["customer"])

    def new_invoice(self, customer_id: str, amount: Decimal, *, issued_on: date, due_on: date) -> str:
        days = {"date": str(issued_on), "due_date": str(due_on)}
        return str(self.act("new_invoice", customer=customer_id, amount=str(amount), **days)["invoice"])

    def pay(self, invoice_id: str, amount: Decimal) -> str:
        return str(self.act("pay", invoice=invoice_id, amount=str(amount))["payment"])

    def edit(self, invoice_id: str, *, due_on: date) -> None:
        self.act("edit", invoice=invoice_id, due_date=str(due_on))

    def pay_on_account(self, customer_id: str, amount: Decimal) -> str:
        return str(self.act("pay_unapplied", customer=customer_id, amount=str(amount))["payment"])

    def credit(self, customer_id: str, amount: Decimal) -> str:
        return str(self.act("credit_note", customer=customer_id, amount=str(amount))["credit"])

    def void(self, invoice_id: str) -> None:
        self.act("void", invoice=invoice_id)

    def delete(self, invoice_id: str) -> None:
        self.act("delete", invoice=invoice_id)

    def mend_invoice(self, invoice_id: str) -> None:
        self.act("restore", invoice=invoice_id)

    def notes(self, target: NoteTarget) -> list[str]:
        here = (self.external_id, target.remote_id)
        return [note["text"] for note in self.sandbox.notes() if (note["company"], note["target_id"]) == here]

    # --- what happens on the way ------------------------------------------------------------------------

    def fault(self, fault: Fault, *, times: int | None = None, skip: int = 0, writes: bool = False) -> None:
        match = {"provider": self.provider, "company": self.external_id, **(self.writing if writes else {})}
        seconds = {"seconds": 30} if fault is Fault.THROTTLED else {}
        self.sandbox.fault(_FAULTS[fault], match, times=times, skip=skip, **seconds)
        if fault is Fault.SILENT:
            ImpatientSession.patience = _SILENCE

    def calm(self) -> None:
        self.sandbox.clear_faults()
        ImpatientSession.patience = None

    def let_pass(self, days: int) -> None:
        self.sandbox.advance(days=days)

    def asked(self) -> int:
        return len([one for one in self.sandbox.requests() if one["company"] == self.external_id])

    def renewals(self) -> int:
        return len(self.vault.replaced)

    def consent(self) -> Consent | None:
        factory, settings = self.factory()
        self.sessions_given.append(ImpatientSession())
        found: Consent = factory.consent(
            settings=settings, session=self.sessions_given[-1], clock=SandboxClock(self.sandbox)
        )
        return found

    def sessions(self) -> Collection[requests.Session]:
        return [*self.sessions_given, self.sandbox._session]

    def secrets(self) -> Collection[str]:
        pairs: list[TokenPair] = [*self.vault.replaced, self.vault.current()]
        tokens = {token for pair in pairs for token in (pair.access_token, pair.refresh_token)}
        return {self.card["client_secret"], self.card["refresh_token"], *tokens} - {""}


class QuickBooksBooks(SandboxBooks):
    """A company at QuickBooks."""

    provider = "quickbooks"
    writing: ClassVar = {"path_contains": "/attachable"}

    def factory(self) -> Any:
        settings = {"api_url": self.sandbox.quickbooks_api, "token_url": self.sandbox.quickbooks_token}
        return arsync_quickbooks.Connector, arsync_quickbooks.Settings.model_validate(
            {"client_id": self.card["client_id"], "client_secret": self.card["client_secret"], **settings}
        )

    def break_invoice(self, invoice_id: str) -> None:
        self.act("corrupt", invoice=invoice_id, fields={"Balance": "plenty"})


class XeroBooks(SandboxBooks):
    """An organisation at Xero."""

    provider = "xero"
    writing: ClassVar = {"method": "PUT"}
    unknown_id = "00000000-0000-4000-8000-000000000001"

    def factory(self) -> Any:
        return arsync_xero.Connector, arsync_xero.Settings.model_validate(
            {
                "client_id": self.card["client_id"],
                "client_secret": self.card["client_secret"],
                "api_url": self.sandbox.xero_api,
                "token_url": self.sandbox.xero_token,
                "connections_url": self.sandbox.xero_connections,
            }
        )

    def break_invoice(self, invoice_id: str) -> None:
        self.act("corrupt", invoice=invoice_id, fields={"AmountDue": "plenty"})


def _bill(row: Mapping[str, Any]) -> Bill:
    balance = Decimal(row["balance"])
    state = _STATES.get(row["state"]) or (InvoiceState.OPEN if balance > 0 else InvoiceState.PAID)
    due = date.fromisoformat(row["due"]) if row["due"] else None
    total = Decimal(row["total"])
    issued = date.fromisoformat(row["issued"])
    return Bill(row["id"], row["customer"], row["currency"], total, balance, issued, due, state)
