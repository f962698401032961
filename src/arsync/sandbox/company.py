"""What a vendor's emulation offers to the sandbox around it. QuickBooks and Xero have the same shape.

A provider module exposes `class XyzProvider` (one per sandbox, created as `XyzProvider(world)`) and `class XyzCompany`
(one per company file, created by `provider.create_company(order)`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Protocol

from arsync.sandbox.http import Answer, Request


class ControlError(Exception):
    """The control request names something that is not there or cannot be done; the text says what."""


@dataclass(frozen=True, slots=True)
class CompanyOrder:
    """The wish list of `POST /_sandbox/companies`: everything but the provider has a default."""

    provider: str
    id: str | None = None
    name: str | None = None
    invoices: int = 200
    customers: int = 40
    seed: int = 7
    currency: str = "USD"
    timezone: str = "America/Los_Angeles"
    country: str = "US"
    history_months: int = 24
    as_of: date | None = None  # default: the sandbox clock's date
    grant_of: str | None = None  # Xero: share the consent of this organisation


class Company(Protocol):
    """One emulated company file. Every method is called under the sandbox's lock."""

    provider: str
    id: str
    name: str

    def card(self) -> dict[str, Any]:
        """What `POST /companies` answers: id, name, provider, currency, timezone, client_id, client_secret,
        refresh_token."""

    def grant(self) -> dict[str, Any]:
        """A card with a freshly minted refresh token (as if a person had consented again)."""

    def act(self, do: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a person in the company would do; returns the ids touched; raises `ControlError`.

        pay(invoice, amount?, date?) · pay_unapplied(customer, amount, date?) ·
        apply(payment | credit, invoice, amount?) · credit_note(customer, amount, apply_to?) ·
        void(invoice | payment | credit) · delete(the same) ·
        edit(invoice, due_date?, memo?, number?, email?, reference?) ·
        edit_customer(customer, email?, name?, active?) ·
        delete_payment(payment) · new_customer(name, email?, currency?, parent?) ·
        new_invoice(customer, amount, date?, due_date?, reference?, description?) ·
        corrupt(invoice | payment | credit | customer, fields, drop?) · restore(the same)
        Answer: {"invoice": id, "payment": id, "credit": id, "customer": id}, those that apply.
        Dates are ISO, amounts text.
        """

    def live(self, until: date) -> list[dict[str, Any]]:
        """Customers behave from the last lived day up to and including `until`; returns a ledger of what happened."""

    def truth(self) -> dict[str, Any]:
        """The complete state: invoices, payments, credits, customers; money as strings."""

    def notes(self) -> list[dict[str, Any]]:
        """Each note: company, target_type, target_id, text, at, id, key."""

    def edit_served(self, ids: Sequence[str]) -> None:
        """Edit these invoices as a person would (their update time rises). Used by the rule `edit_after_page`."""


class Provider(Protocol):
    """One emulated vendor. `handle` is called under the sandbox's lock; the others must not change anything."""

    name: ClassVar[str]
    # name -> allowed values, the first is the default
    switches: ClassVar[Mapping[str, tuple[Any, ...]]]
    # window ("second", "minute", "day", "concurrent", "app_minute", "batch_minute") -> requests, None = unlimited
    limits: ClassVar[Mapping[str, int | None]]

    def create_company(self, order: CompanyOrder) -> Company:
        """Build a company, remember it, return it."""

    def place(self, request: Request) -> tuple[str | None, str]:
        """(company id, resource such as `invoice` or `token`) of a request, for faults, limits and the log."""

    def limited(self, request: Request) -> bool:
        """Whether the request counts against the vendor's limits (a token request does not)."""

    def handle(self, request: Request) -> Answer:
        """Do it, as the vendor would."""

    def throttled(self, request: Request, problem: str, retry_after: int) -> Answer:
        """429 in the vendor's shape; `problem` is the window that is full."""

    def expired(self, request: Request) -> Answer:
        """401 in the vendor's shape."""

    def broken(self, request: Request, status: int) -> Answer:
        """A 5xx (or other) error in the vendor's shape."""
