"""One QuickBooks company: its story told into the books, and what people do in it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from arsync.sandbox.company import CompanyOrder
from arsync.sandbox.quickbooks_acts import Acts, credit_sale
from arsync.sandbox.quickbooks_books import Books
from arsync.sandbox.quickbooks_reading import Reader
from arsync.sandbox.quickbooks_records import Row, company_info_record, preferences_record
from arsync.sandbox.quickbooks_tokens import CLIENT_ID, CLIENT_SECRET, Tokens
from arsync.sandbox.quickbooks_writing import Writer
from arsync.sandbox.story import (
    Credit,
    Receipt,
    Sale,
    continue_story,
    write_story,
)
from arsync.sandbox.world import World


class QuickBooksCompany:
    """A realm. Acts stamp records with the sandbox's time; the story's past is stamped with its own days."""

    provider = "quickbooks"

    def __init__(self, world: World, tokens: Tokens, realm: str, order: CompanyOrder) -> None:
        self.id = realm
        self.name = order.name or f"Sandbox Company {realm[-4:]}"
        self.currency = order.currency
        self.timezone = order.timezone
        self._world = world
        self._tokens = tokens
        self.books = Books(
            order.currency,
            payment_bumps_invoice=lambda: world.switch("quickbooks.payment_bumps_invoice") is True,
            merge_bumps_documents=lambda: world.switch("quickbooks.merge_bumps_documents") is True,
            merged_are_deleted=lambda: world.switch("quickbooks.merged_customer") == "deleted",
            converts_balances=lambda: world.switch("quickbooks.foreign_balance") == "home",
        )
        self.reader = Reader(
            self.books,
            numeric_ids=lambda: world.switch("quickbooks.id_order") == "numeric",
            now=world.now,
        )
        self.writer = Writer(self.books)
        self.keys: dict[str, str] = {}  # note id -> requestid that it was created with
        as_of = order.as_of or world.today()
        self._story = write_story(
            seed=order.seed,
            customers=order.customers,
            invoices=order.invoices,
            currency=order.currency,
            as_of=as_of,
            history_months=order.history_months,
            country=order.country,
        )
        self._next_number = self._story.next_number
        self._lived_until = as_of
        self._agenda: list[tuple[date, int, Sale, Receipt | Credit | None]] = []
        self._agenda_number = 0
        self._people: dict[str, Row] = {}
        self._row_of_sale: dict[str, Row] = {}
        self._acts = Acts(self.books, currency=order.currency, now=self.now, next_number=self._take_number)
        self._tell(order)

    def card(self) -> dict[str, Any]:
        """What `POST /companies` answers, with a fresh refresh token."""
        return {
            "id": self.id,
            "external_id": self.id,
            "name": self.name,
            "provider": self.provider,
            "currency": self.currency,
            "timezone": self.timezone,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": self._tokens.grant(self.id, self._world.now()),
        }

    def grant(self) -> dict[str, Any]:
        """A card with a fresh refresh token."""
        return self.card()

    def now(self) -> datetime:
        """The instant a change is stamped with: whole seconds, as the vendor keeps them."""
        return self._world.now().replace(microsecond=0)

    def _tell(self, order: CompanyOrder) -> None:
        start = _morning(self._lived_until - timedelta(days=round(order.history_months * 30.44) + 60))
        self.books.add(
            company_info_record(self.id, self.name, country=order.country, timezone=self.timezone, now=start)
        )
        self.books.add(preferences_record(self.currency, start))
        for person in self._story.people:
            self._people[person.key] = self.books.add_customer(person, self._people.get(person.parent or ""), start)
        for sale in self._story.sales:
            self._expect(sale.issued, sale, None)
        limit = self.now()
        self._happen(self._lived_until, lambda day: min(limit, _morning(day)))
        for rows in self.books.rows.values():
            for row in rows.values():
                row.json()  # made here, so that the first page costs what the last one does

    def live(self, until: date) -> list[dict[str, Any]]:
        """New invoices and receipts of the days up to `until`, all entered now (so every delta sees them)."""
        for sale in continue_story(self._story, since=self._lived_until, until=until, next_number=self._next_number):
            self._next_number += 1
            self._expect(sale.issued, sale, None)
        self._lived_until = max(self._lived_until, until)
        now = self.now()
        return self._happen(until, lambda _: now)

    def _take_number(self) -> str:
        self._next_number += 1
        return str(self._next_number - 1)

    def _expect(self, day: date, sale: Sale, event: Receipt | Credit | None) -> None:
        self._agenda_number += 1
        heapq.heappush(self._agenda, (day, self._agenda_number, sale, event))

    def _happen(self, until: date, stamp: Callable[[date], datetime]) -> list[dict[str, Any]]:
        """Work off the agenda up to a day; returns the ledger."""
        ledger: list[dict[str, Any]] = []
        while self._agenda and self._agenda[0][0] <= until:
            day, _, sale, event = heapq.heappop(self._agenda)
            if event is None:
                entry: dict[str, Any] | None = self._issue(sale, stamp(day))
            elif isinstance(event, Receipt):
                entry = self._receive(sale, event, stamp(day))
            else:
                entry = self._credit(sale, event, stamp(day))
            if entry:
                ledger.append({"date": day.isoformat(), **entry})
        return ledger

    def _issue(self, sale: Sale, now: datetime) -> dict[str, Any]:
        customer = self._people[sale.person]
        row = self.books.add_invoice(sale, customer, now)
        self._row_of_sale[sale.number] = row
        for receipt in sale.payments:
            self._expect(receipt.date, sale, receipt)
        if sale.credit:
            self._expect(sale.credit.date, sale, sale.credit)
        return {"what": "invoice", "invoice": row.id, "customer": customer.id, "amount": str(sale.total)}

    def _receive(self, sale: Sale, receipt: Receipt, now: datetime) -> dict[str, Any] | None:
        invoice = self._row_of_sale[sale.number]
        open_balance = Decimal(invoice.doc["Balance"])
        part = min(receipt.amount, open_balance)
        customer = self._people[sale.person]
        if invoice.deleted or part <= 0 or customer.deleted:
            return None
        payment = self.books.add_payment(customer, part, paid_on=receipt.date, now=now)
        if receipt.applied:
            self.books.apply(payment, invoice, part, now)
        return {
            "what": ("payment" if part == open_balance else "part payment") if receipt.applied else "unapplied payment",
            "payment": payment.id,
            "invoice": invoice.id,
            "customer": customer.id,
            "amount": str(part),
        }

    def _credit(self, sale: Sale, credit: Credit, now: datetime) -> dict[str, Any] | None:
        invoice = self._row_of_sale[sale.number]
        customer = self._people[sale.person]
        part = min(credit.amount, Decimal(invoice.doc["Balance"]))
        if invoice.deleted or part <= 0 or customer.deleted:
            return None
        row = self.books.add_credit(credit_sale(f"CM-{sale.number}", sale.person, credit.date, part), customer, now)
        if credit.applied:
            self.books.apply_credit(row, invoice, part, day=credit.date, now=now)
        return {"what": "credit", "credit": row.id, "invoice": invoice.id, "customer": customer.id, "amount": str(part)}

    def act(self, do: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a person in the company would do; see `company.Company.act`."""
        return self._acts.do(do, fields)

    def edit_served(self, ids: Sequence[str]) -> None:
        """Change the memo of these invoices."""
        self._acts.edit_memos(ids)

    def truth(self) -> dict[str, Any]:
        """The complete state; deleted records are left out, voided ones are there with state `voided`."""
        return {
            "invoices": [
                {
                    "id": row.id,
                    "number": row.doc["DocNumber"],
                    "customer": row.doc["CustomerRef"]["value"],
                    "total": _text(row.doc["TotalAmt"]),
                    "balance": _text(row.doc["Balance"]),
                    "due": row.doc.get("DueDate"),
                    "issued": row.doc["TxnDate"],
                    "state": _state(row, "Balance"),
                    "currency": row.doc["CurrencyRef"]["value"],
                    "updated": row.updated.astimezone(UTC).isoformat(),
                }
                for row in self.books.live("Invoice")
            ],
            "payments": [
                {
                    "id": row.id,
                    "customer": row.doc["CustomerRef"]["value"],
                    "total": _text(row.doc["TotalAmt"]),
                    "unapplied": _text(row.doc["UnappliedAmt"]),
                    "state": "voided" if row.doc.get("PrivateNote") == "Voided" else "received",
                    "currency": row.doc["CurrencyRef"]["value"],
                    "allocations": [
                        {"kind": link.kind, "id": link.id, "amount": _text(link.amount)} for link in row.links
                    ],
                }
                for row in self.books.live("Payment")
            ],
            "credits": [
                {
                    "id": row.id,
                    "customer": row.doc["CustomerRef"]["value"],
                    "total": _text(row.doc["TotalAmt"]),
                    "unapplied": _text(row.doc["Balance"]),
                    "state": _state(row, "Balance"),
                    "currency": row.doc["CurrencyRef"]["value"],
                }
                for row in self.books.live("CreditMemo")
            ],
            "customers": [
                {
                    "id": row.id,
                    "name": row.doc["DisplayName"],
                    "email": row.doc.get("PrimaryEmailAddr", {}).get("Address"),
                    "active": row.doc["Active"],
                    "notes": row.doc.get("Notes", ""),
                    "parent": row.doc.get("ParentRef", {}).get("value"),
                    "balance": _text(row.doc["Balance"]),
                    "currency": row.doc["CurrencyRef"]["value"],
                }
                for row in self.books.live("Customer")
            ],
        }

    def notes(self) -> list[dict[str, Any]]:
        """Each note on each record it hangs on."""
        return [
            {
                "company": self.id,
                "target_type": reference["EntityRef"]["type"].lower(),
                "target_id": reference["EntityRef"]["value"],
                "text": row.doc.get("Note", ""),
                "at": row.created.astimezone(UTC).isoformat(),
                "id": row.id,
                "key": self.keys.get(row.id),
            }
            for row in self.books.live("Attachable")
            for reference in row.doc["AttachableRef"]
        ]


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(17), UTC)


def _text(value: Decimal | int) -> str:
    return f"{Decimal(value):.2f}"


def _state(row: Row, balance: str) -> str:
    if row.doc.get("PrivateNote") == "Voided":
        return "voided"
    return "open" if row.doc[balance] else "closed"
