"""One emulated Xero organisation, as the control API sees it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from arsync.sandbox.company import CompanyOrder, ControlError
from arsync.sandbox.story import write_story
from arsync.sandbox.xero_books import Books
from arsync.sandbox.xero_desk import Desk
from arsync.sandbox.xero_grants import Connection, Grant, Grants
from arsync.sandbox.xero_life import Life
from arsync.sandbox.xero_lists import Lists
from arsync.sandbox.xero_records import ZERO, Contact, Credit, CreditKind, Invoice, Payment, Status
from arsync.sandbox.xero_render import Depth, contact_json, credit_json, invoice_json, payment_json, receivable

TIMEZONES = {
    "America/Los_Angeles": "PACIFICSTANDARDTIME",
    "America/Denver": "MOUNTAINSTANDARDTIME",
    "America/Chicago": "CENTRALSTANDARDTIME",
    "America/New_York": "EASTERNSTANDARDTIME",
    "Europe/London": "GMTSTANDARDTIME",
    "Europe/Dublin": "GMTSTANDARDTIME",
    "Europe/Berlin": "WEUROPESTANDARDTIME",
    "Europe/Rome": "WEUROPESTANDARDTIME",
    "Europe/Amsterdam": "WEUROPESTANDARDTIME",
    "Europe/Paris": "ROMANCESTANDARDTIME",
    "Europe/Madrid": "ROMANCESTANDARDTIME",
    "Australia/Sydney": "AUSEASTERNSTANDARDTIME",
    "Australia/Melbourne": "AUSEASTERNSTANDARDTIME",
    "Pacific/Auckland": "NEWZEALANDSTANDARDTIME",
    "Asia/Singapore": "SINGAPORESTANDARDTIME",
    "UTC": "UTC",
    "Etc/UTC": "UTC",
}
_STATES = {
    Status.DRAFT: "draft",
    Status.SUBMITTED: "draft",
    Status.AUTHORISED: "open",
    Status.PAID: "closed",
    Status.VOIDED: "voided",
    Status.DELETED: "deleted",
}
_TARGETS = {"Invoice": "invoice", "Contact": "customer", "CreditNote": "credit"}


class Clock(Protocol):
    """What an organisation needs of the sandbox around it."""

    def now(self) -> Any:
        """Aware UTC."""

    def switch(self, name: str) -> Any:
        """The value in force of a switch."""


class XeroCompany:
    """An organisation with its books, its customers' lives and the consent it is connected under."""

    provider = "xero"

    def __init__(
        self, order: CompanyOrder, *, company_id: str, name: str, world: Clock, grants: Grants, grant: Grant
    ) -> None:
        self.id = company_id
        self.name = name
        self.order = order
        self.world = world
        self.grants = grants
        self.consent = grant
        self.reminders = False
        rng = random.Random(f"xero/{company_id}/{order.seed}")
        self.books = Books(currency=order.currency, now=world.now, new_id=lambda: seeded_id(rng), switch=world.switch)
        as_of = order.as_of or world.now().date()
        story = write_story(
            seed=order.seed,
            customers=order.customers,
            invoices=order.invoices,
            currency=order.currency,
            as_of=as_of,
            history_months=order.history_months,
            country=order.country,
        )
        self.life = Life(self.books, story, rng)
        self.life.begin()
        self.desk = Desk(self.books, self.life)
        self.lists = Lists(self.books)
        self.created = world.now()
        self.connect()
        self._warm()

    def connect(self) -> None:
        """Connect this organisation under its consent, once."""
        if not self.consent.sees(self.id):
            connection_id = seeded_id(random.Random(f"connection/{self.id}/{self.consent.id}"))
            self.consent.connections.append(Connection(connection_id, self.id, self.name, self.world.now()))

    def _warm(self) -> None:
        """Write every record once, so that the first page is as quick as the others."""
        today = self.world.now().date()
        for invoice in self.books.invoices.values():
            invoice_json(invoice, Depth.PAGED)
        for payment in self.books.payments.values():
            payment_json(payment, Depth.PAGED)
        for credit in self.books.credits.values():
            credit_json(credit, Depth.PAGED)
        for contact in self.books.contacts.values():
            contact_json(contact, Depth.PAGED, today)

    # -- control ---------------------------------------------------------------------------------

    def card(self) -> dict[str, Any]:
        """What a client needs to connect, with a fresh refresh token."""
        return {
            "id": self.id,
            "name": self.name,
            "provider": self.provider,
            "currency": self.books.currency,
            "timezone": self.order.timezone,
            "country": self.order.country,
            "client_id": self.consent.client_id,
            "client_secret": self.consent.client_secret,
            "refresh_token": self.grants.mint(self.consent, self.world.now()),
            "tenants": [connection.tenant for connection in self.consent.connections],
        }

    def grant(self) -> dict[str, Any]:
        """Consent again: the organisation is connected (if it was not) and there is a fresh refresh token."""
        self.connect()
        return self.card()

    def act(self, do: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a person would do; also `reminders` (Xero's own, `enabled`) and `disconnect`."""
        if do == "reminders":
            self.reminders = bool(fields.get("enabled", True))
            return {"id": self.id, "ids": [], "enabled": self.reminders}
        if do == "become":
            self.name = str(fields["name"])
            self.books.currency = str(fields.get("currency") or self.books.currency)
            for place, contact in enumerate(self.books.contacts.values() if fields.get("strangers") else ()):
                contact.name = f"Stranger {place}"
                self.books.contact_changed(contact)
            return {"id": self.id, "ids": []}
        if do == "disconnect":
            self.consent.connections[:] = [one for one in self.consent.connections if one.tenant != self.id]
            return {"id": self.id, "ids": []}
        return self.desk.act(do, fields)

    def live(self, until: date) -> list[dict[str, Any]]:
        """Customers behave up to and including a day; the ledger of what happened."""
        return self.life.live(until)

    def edit_served(self, ids: Sequence[str]) -> None:
        """Edit these invoices as a person would."""
        for invoice_id in ids:
            invoice = self.books.invoices.get(invoice_id)
            if invoice is None:
                raise ControlError(f"no invoice {invoice_id}")
            self.desk.edit_served(invoice)

    def notes(self) -> list[dict[str, Any]]:
        """Each note that was ever written here, in order."""
        return [
            {
                "company": self.id,
                "target_type": _TARGETS[note.target_type],
                "target_id": note.target_id,
                "text": note.text,
                "at": note.at.isoformat(),
                "id": note.id,
                "key": note.key,
            }
            for note in self.books.notes
        ]

    def truth(self) -> dict[str, Any]:
        """The complete state of what customers owe; bills are left out."""
        given = self.books.credits.values()
        return {
            "invoices": [_invoice(one) for one in self.books.invoices.values() if one.type == "ACCREC"],
            "payments": [
                *(_payment(one) for one in self.books.payments.values()),
                *(_unapplied(one) for one in given if one.kind is not CreditKind.CREDIT_NOTE),
            ],
            "credits": [_credit(one) for one in given if one.kind is CreditKind.CREDIT_NOTE],
            "customers": [_customer(one) for one in self.books.contacts.values()],
        }


def seeded_id(rng: random.Random) -> str:
    """An identifier in the vendor's form that the seed decides."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _money(amount: Any) -> str:
    return f"{amount:.2f}"


def _invoice(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.id,
        "number": invoice.number,
        "reference": invoice.reference,
        "customer": invoice.contact.id,
        "total": _money(invoice.total),
        "balance": _money(invoice.amount_due),
        "issued": invoice.issued.isoformat(),
        "due": None if invoice.due is None else invoice.due.isoformat(),
        "state": _STATES[invoice.status],
        "status": str(invoice.status),
        "currency": invoice.currency,
        "updated": invoice.updated.isoformat(),
    }


def _payment(payment: Payment) -> dict[str, Any]:
    live = payment.status is Status.AUTHORISED
    allocation = {"kind": "invoice", "id": payment.invoice.id, "amount": _money(payment.amount)}
    return {
        "id": payment.id,
        "kind": "payment",
        "customer": payment.invoice.contact.id,
        "date": payment.on.isoformat(),
        "total": _money(payment.amount),
        "unapplied": _money(ZERO),
        "state": "received" if live else "deleted",
        "currency": payment.invoice.currency,
        "allocations": [allocation] if live else [],
        "updated": payment.updated.isoformat(),
    }


def _credit_allocations(credit: Credit) -> list[dict[str, str]]:
    return [{"kind": "invoice", "id": one.invoice.id, "amount": _money(one.amount)} for one in credit.allocations]


def _unapplied(credit: Credit) -> dict[str, Any]:
    void = credit.status is Status.VOIDED
    return {
        "id": credit.id,
        "kind": str(credit.kind).lower(),
        "customer": credit.contact.id,
        "date": credit.issued.isoformat(),
        "total": _money(credit.total),
        "unapplied": _money(credit.remaining),
        "state": "voided" if void else "received",
        "currency": credit.currency,
        "allocations": _credit_allocations(credit),
        "updated": credit.updated.isoformat(),
    }


def _credit(credit: Credit) -> dict[str, Any]:
    return {
        "id": credit.id,
        "number": credit.number,
        "customer": credit.contact.id,
        "date": credit.issued.isoformat(),
        "total": _money(credit.total),
        "unapplied": _money(credit.remaining),
        "state": _STATES[credit.status],
        "currency": credit.currency,
        "allocations": _credit_allocations(credit),
        "updated": credit.updated.isoformat(),
    }


def _customer(contact: Contact) -> dict[str, Any]:
    return {
        "id": contact.id,
        "name": contact.name,
        "email": contact.email or None,
        "active": contact.status == "ACTIVE",
        "parent": None,
        "balance": _money(receivable(contact)),
        "currency": contact.currency,
        "merged_to": contact.merged_to.id if contact.merged_to else None,
        "updated": contact.updated.isoformat(),
    }
