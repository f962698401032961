"""How a story is lived in an organisation's books: the past at once, the future day by day."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from arsync.sandbox import story as told
from arsync.sandbox.story import Person, Receipt, Sale, Story, continue_story
from arsync.sandbox.xero_books import Books
from arsync.sandbox.xero_records import ZERO, Contact, ContactPerson, Credit, CreditKind, Invoice, Line, Status

# Units of the foreign currency for one of the organisation's own; only their order of size matters.
_USD_VALUE = {"USD": "1.0", "GBP": "1.27", "EUR": "1.08", "AUD": "0.66", "NZD": "0.60", "CAD": "0.73"}
_VOID_SHARE = 0.008
_DRAFT_SHARE = 0.2  # of what was issued in the last three days
_COUNTRY = {
    "US": "United States", "GB": "United Kingdom", "DE": "Germany", "FR": "France", "ES": "Spain", "IT": "Italy",
    "NL": "Netherlands", "AU": "Australia", "NZ": "New Zealand", "CA": "Canada",
}  # fmt: skip


@dataclass(order=True, slots=True)
class _Event:
    day: date
    order: int
    happening: Sale | Receipt | told.Credit = field(compare=False)
    invoice_number: str = field(compare=False)


class Life:
    """Puts a story into books. Not safe for threads."""

    def __init__(self, books: Books, story: Story, rng: random.Random) -> None:
        self.books = books
        self.story = story
        self.rng = rng
        self.lived_until = story.as_of
        self.next_number = story.next_number
        self.next_credit = 1
        self.contacts: dict[str, Contact] = {}
        self._ahead: list[_Event] = []
        self._order = 0
        self._on_account = 0
        self._invoices: dict[str, Invoice] = {}

    # -- the past --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Everything up to the story's day, each change stamped with the day it was made on."""
        first = min((sale.issued for sale in self.story.sales), default=self.story.as_of)
        for person in self.story.people:
            self._meet(person, self._moment(first - timedelta(days=1)))
        for sale in self.story.sales:
            self._expect(sale.issued, sale, sale.number)
        for event in self._due(self.story.as_of):
            self._happen(event, self._moment(event.day))
        self._buy()

    def _moment(self, day: date) -> datetime:
        """Some time in office hours of a day, never later than now."""
        second = self.rng.randrange(7 * 3_600, 18 * 3_600)
        moment = datetime.combine(day, time(), UTC) + timedelta(seconds=second, milliseconds=self.rng.randrange(1000))
        return min(moment, self.books.now())

    def _meet(self, person: Person, at: datetime) -> Contact:
        first = person.contacts[0] if person.contacts else None
        contact = Contact(
            self.books.new_id(),
            at,
            person.name,
            number=person.key.upper(),
            first_name=first.first_name if first else "",
            last_name=first.last_name if first else "",
            email=person.email or "",
            phone=person.phone,
            address=(person.address.street,),
            city=person.address.city,
            region=person.address.region,
            postal_code=person.address.postal_code,
            country=_COUNTRY.get(person.address.country, person.address.country),
            currency=person.currency,
            terms_days=told.TERMS_DAYS,
            persons=tuple(
                ContactPerson(who.first_name, who.last_name, who.email or "", who.included_in_emails)
                for who in person.contacts[1:]
            ),
        )
        if person.group is not None:
            contact.groups = (self.books.group(person.group),)
        self.contacts[person.key] = contact
        return self.books.add_contact(contact)

    def _buy(self) -> None:
        """A few bills to pay, so that a reader who forgets to ask for sales notices."""
        customers = list(self.contacts.values())
        for number in range(len(self.story.sales) // 50 if customers else 0):
            contact = self.rng.choice(customers)
            contact.is_supplier = True
            issued = self.story.as_of - timedelta(days=self.rng.randrange(1, 300))
            amount = Decimal(self.rng.randrange(2_000, 90_000)) / 100
            self.books.add_invoice(
                Invoice(
                    self.books.new_id(),
                    self._moment(issued),
                    "ACCPAY",
                    f"BILL-{number + 1:05d}",
                    "",
                    contact,
                    issued,
                    issued + timedelta(days=14),
                    contact.currency or self.books.currency,
                    self.rate(contact.currency),
                    (Line(self.books.new_id(), "Supplies", Decimal(1), amount, ZERO),),
                    Status.AUTHORISED,
                    amount,
                    ZERO,
                    self._moment(issued),
                )
            )

    # -- the future ------------------------------------------------------------------------------

    def live(self, until: date) -> list[dict[str, Any]]:
        """What happens after the last lived day, up to and including `until`; every change is stamped now."""
        if until <= self.lived_until:
            return []
        for sale in continue_story(self.story, since=self.lived_until, until=until, next_number=self.next_number):
            self._expect(sale.issued, sale, sale.number)
            self.next_number += 1
        ledger = [entry for event in self._due(until) if (entry := self._happen(event, None)) is not None]
        self.lived_until = until
        return ledger

    def _expect(self, day: date, happening: Sale | Receipt | told.Credit, number: str) -> None:
        self._order += 1
        heapq.heappush(self._ahead, _Event(day, self._order, happening, number))

    def _due(self, until: date) -> Iterator[_Event]:
        while self._ahead and self._ahead[0].day <= until:
            yield heapq.heappop(self._ahead)

    # -- what happens ----------------------------------------------------------------------------

    def _happen(self, event: _Event, at: datetime | None) -> dict[str, Any] | None:
        happening = event.happening
        if isinstance(happening, Sale):
            return self._issue(happening, at)
        invoice = self._invoices.get(event.invoice_number)
        if invoice is None or invoice.status in (Status.VOIDED, Status.DELETED, Status.DRAFT, Status.SUBMITTED):
            return None
        if isinstance(happening, Receipt):
            return self._receive(invoice, happening, at)
        return self._credit(invoice, happening, at)

    def _issue(self, sale: Sale, at: datetime | None) -> dict[str, Any]:
        contact = self.contacts[sale.person]
        moment = at or self.books.now()
        fresh = (self.story.as_of - sale.issued).days <= 3
        status = Status.AUTHORISED
        if at is not None and self.rng.random() < _VOID_SHARE:
            status = Status.VOIDED
        elif at is not None and fresh and self.rng.random() < _DRAFT_SHARE:
            status = self.rng.choice((Status.DRAFT, Status.SUBMITTED))
        net = sum((line.amount for line in sale.lines), ZERO)
        invoice = Invoice(
            self.books.new_id(),
            moment,
            "ACCREC",
            f"INV-{sale.number}",
            sale.reference,
            contact,
            sale.issued,
            sale.due,
            contact.currency or self.books.currency,
            self.rate(contact.currency),
            _lines(sale, self.books),
            status,
            net,
            sale.tax,
            moment,
            sent=status is Status.AUTHORISED,
        )
        self.books.add_invoice(invoice)
        if status is Status.AUTHORISED:
            self._invoices[sale.number] = invoice
            for receipt in sale.payments:
                self._expect(max(receipt.date, sale.issued), receipt, sale.number)
            if sale.credit is not None:
                self._expect(max(sale.credit.date, sale.issued), sale.credit, sale.number)
        return _entry("invoice", sale.issued, invoice, invoice.total, invoice.id)

    def _receive(self, invoice: Invoice, receipt: Receipt, at: datetime | None) -> dict[str, Any] | None:
        if invoice.amount_due <= 0:
            return None  # somebody paid or credited it already
        if receipt.applied:
            amount = min(receipt.amount, invoice.amount_due)
            payment = self.books.pay(invoice, amount, receipt.date, reference=invoice.number, at=at)
            what = "part payment" if invoice.amount_due > 0 else "payment"
            return _entry(what, receipt.date, invoice, amount, payment.id)
        self._on_account += 1
        kind = CreditKind.PREPAYMENT if self._on_account % 3 == 0 else CreditKind.OVERPAYMENT
        credit = self.put_on_account(
            invoice.contact, receipt.amount, receipt.date, kind=kind, currency=invoice.currency, at=at
        )
        return _entry("unapplied payment", receipt.date, invoice, receipt.amount, credit.id)

    def _credit(self, invoice: Invoice, credit: told.Credit, at: datetime | None) -> dict[str, Any] | None:
        note = self.give_credit(invoice.contact, credit.amount, credit.date, currency=invoice.currency, at=at)
        if credit.applied and invoice.amount_due > 0:
            self.books.allocate(note, invoice, min(credit.amount, invoice.amount_due), credit.date, at=at)
        return _entry("credit", credit.date, invoice, credit.amount, note.id)

    def put_on_account(
        self,
        contact: Contact,
        amount: Decimal,
        on: date,
        *,
        kind: CreditKind,
        currency: str,
        at: datetime | None = None,
        reference: str = "",
    ) -> Credit:
        """Money received that is on no invoice yet."""
        return self._add_credit(kind, contact, amount, on, currency=currency, at=at, reference=reference)

    def give_credit(
        self, contact: Contact, amount: Decimal, on: date, *, currency: str, at: datetime | None = None
    ) -> Credit:
        """A credit note that is on no invoice yet."""
        return self._add_credit(CreditKind.CREDIT_NOTE, contact, amount, on, currency=currency, at=at, reference="")

    def _add_credit(
        self,
        kind: CreditKind,
        contact: Contact,
        amount: Decimal,
        on: date,
        *,
        currency: str,
        at: datetime | None,
        reference: str,
    ) -> Credit:
        moment = at or self.books.now()
        number = ""
        if kind is CreditKind.CREDIT_NOTE:
            number, self.next_credit = f"CN-{self.next_credit:04d}", self.next_credit + 1
        words = {
            CreditKind.CREDIT_NOTE: "Credit for goods returned",
            CreditKind.OVERPAYMENT: "Overpayment",
            CreditKind.PREPAYMENT: "Prepayment",
        }
        return self.books.add_credit(
            Credit(
                self.books.new_id(),
                moment,
                kind,
                number,
                reference,
                contact,
                on,
                currency,
                self.rate(currency),
                words[kind],
                amount,
                ZERO,
                moment,
            )
        )

    def rate(self, currency: str) -> Decimal:
        """Units of this currency for one of the organisation's own, with six places."""
        own = Decimal(_USD_VALUE.get(self.books.currency, "1"))
        return (own / Decimal(_USD_VALUE.get(currency or self.books.currency, "1"))).quantize(Decimal("0.000001"))


def _lines(sale: Sale, books: Books) -> tuple[Line, ...]:
    """The sale's lines; cents of tax that rounding leaves over go on the last."""
    lines: list[Line] = []
    left = sale.tax
    for place, line in enumerate(sale.lines, start=1):
        last = place == len(sale.lines)
        tax = left if last else (line.amount * sale.tax_rate / 100).quantize(told.CENT)
        left -= tax
        lines.append(Line(books.new_id(), line.description, line.quantity, line.unit_price, tax))
    return tuple(lines)


def _entry(what: str, day: date, invoice: Invoice, amount: Decimal, record_id: str) -> dict[str, Any]:
    return {
        "date": day.isoformat(),
        "what": what,
        "id": record_id,
        "invoice": invoice.id,
        "number": invoice.number,
        "customer": invoice.contact.id,
        "amount": str(amount),
        "currency": invoice.currency,
    }
