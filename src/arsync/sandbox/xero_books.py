"""One organisation's books: every change goes through here, so that stamps, balances and caches stay true."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from arsync.sandbox.xero_records import (
    Allocation,
    Contact,
    ContactGroup,
    Credit,
    Invoice,
    Note,
    Payment,
    Record,
    Status,
)


class BookError(Exception):
    """The books refuse this act."""


class Switches(Protocol):
    """The answers to what is unverified about the vendor."""

    def __call__(self, name: str) -> object: ...


class Books:
    """All records of an organisation; every change goes through here, so that time stamps and caches stay true.

    Not safe for threads: the caller holds the company's lock.
    """

    def __init__(self, *, currency: str, now: Callable[[], datetime], new_id: Callable[[], str], switch: Switches):
        self.currency = currency
        self.now = now
        self.new_id = new_id
        self.switch = switch
        self.revision = 0
        self.locked_until: date | None = None  # the period lock: documents up to that day stay as they are
        self.contacts: dict[str, Contact] = {}
        self.groups: dict[str, ContactGroup] = {}  # by name
        self.invoices: dict[str, Invoice] = {}
        self.payments: dict[str, Payment] = {}
        self.credits: dict[str, Credit] = {}
        self.notes: list[Note] = []
        self.notes_of: dict[str, list[Note]] = {}
        self.hidden: set[str] = set()  # kinds of which nothing is listed any more
        self.halved: set[str] = set()  # kinds of which lists leave out every second record

    # -- bookkeeping of changes ------------------------------------------------------------------

    def touch(self, record: Record, at: datetime | None = None, *, bump: bool = True) -> None:
        """Forget the record's bytes and, where the vendor would, move its UpdatedDateUTC."""
        record.rendered.clear()
        self.revision += 1
        if bump:
            record.updated = at or self.now()

    def _refresh_invoice(self, invoice: Invoice, on: date, at: datetime | None) -> None:
        if invoice.status in (Status.AUTHORISED, Status.PAID):
            settled = invoice.amount_due <= 0
            invoice.status = Status.PAID if settled else Status.AUTHORISED
            invoice.paid_in_full_on = on if settled else None
        self.touch(invoice, at, bump=bool(self.switch("xero.payment_bumps_invoice")))
        invoice.contact.rendered.clear()
        for allocation in invoice.allocations:
            allocation.credit.rendered.clear()
        for payment in invoice.payments:
            payment.rendered.clear()

    # -- adding ----------------------------------------------------------------------------------

    def add_contact(self, contact: Contact) -> Contact:
        """Keep a new contact."""
        self.contacts[contact.id] = contact
        self.revision += 1
        return contact

    def add_invoice(self, invoice: Invoice) -> Invoice:
        """Keep a new invoice or bill."""
        self.invoices[invoice.id] = invoice
        invoice.contact.invoices.append(invoice)
        invoice.contact.rendered.clear()
        self.revision += 1
        return invoice

    def add_credit(self, credit: Credit) -> Credit:
        """Keep a new credit note, overpayment or prepayment."""
        self.credits[credit.id] = credit
        credit.contact.credits.append(credit)
        credit.contact.rendered.clear()
        self.revision += 1
        return credit

    # -- money -----------------------------------------------------------------------------------

    def pay(
        self, invoice: Invoice, amount: Decimal, on: date, *, reference: str = "", at: datetime | None = None
    ) -> Payment:
        """Money applied to one invoice; BookError where the invoice is not open or would be overpaid."""
        if invoice.status is not Status.AUTHORISED:
            raise BookError(f"invoice {invoice.id} is {invoice.status}, not AUTHORISED")
        if not 0 < amount <= invoice.amount_due:
            raise BookError(f"{amount} is not between 0 and the amount due, {invoice.amount_due}")
        payment = Payment(self.new_id(), at or self.now(), invoice, amount, on, reference)
        self.payments[payment.id] = payment
        invoice.payments.append(payment)
        invoice.paid += amount
        self._refresh_invoice(invoice, on, at)
        return payment

    def delete_payment(self, payment: Payment) -> None:
        """Take a payment back: it stays, as DELETED, and its invoice is owed again."""
        if payment.status is Status.DELETED:
            raise BookError(f"payment {payment.id} is deleted already")
        payment.status = Status.DELETED
        payment.invoice.paid -= payment.amount
        payment.invoice.payments.remove(payment)
        self.touch(payment, bump=bool(self.switch("xero.deleted_payment_modified")))
        self._refresh_invoice(payment.invoice, self.now().date(), None)

    def allocate(
        self, credit: Credit, invoice: Invoice, amount: Decimal, on: date, *, at: datetime | None = None
    ) -> Allocation:
        """Put a part of a credit on an invoice; BookError where either has less than that open."""
        if invoice.status is not Status.AUTHORISED:
            raise BookError(f"invoice {invoice.id} is {invoice.status}, not AUTHORISED")
        if credit.currency != invoice.currency:
            raise BookError(f"a credit in {credit.currency} cannot go on an invoice in {invoice.currency}")
        if not 0 < amount <= min(credit.remaining, invoice.amount_due):
            raise BookError(f"{amount} is more than is open: {credit.remaining} credit, {invoice.amount_due} due")
        allocation = Allocation(self.new_id(), credit, invoice, amount, on)
        credit.allocations.append(allocation)
        invoice.allocations.append(allocation)
        invoice.credited += amount
        if credit.remaining == 0:
            credit.status = Status.PAID
        self.touch(credit, at)
        self._refresh_invoice(invoice, on, at)
        return allocation

    def remove_allocation(self, allocation: Allocation) -> None:
        """Take an allocation off again: both sides are open once more."""
        credit, invoice = allocation.credit, allocation.invoice
        credit.allocations.remove(allocation)
        invoice.allocations.remove(allocation)
        invoice.credited -= allocation.amount
        if credit.status is Status.PAID:
            credit.status = Status.AUTHORISED
        self.touch(credit)
        self._refresh_invoice(invoice, self.now().date(), None)

    # -- endings ---------------------------------------------------------------------------------

    def void_invoice(self, invoice: Invoice) -> list[str]:
        """Void an approved invoice, or delete one that never was; what was paid on it is taken off first.

        Returns the ids touched.
        """
        touched = [invoice.id]
        for payment in list(invoice.payments):
            self.delete_payment(payment)
            touched.append(payment.id)
        for allocation in list(invoice.allocations):
            self.remove_allocation(allocation)
            touched.append(allocation.credit.id)
        never_approved = invoice.status in (Status.DRAFT, Status.SUBMITTED)
        invoice.status = Status.DELETED if never_approved else Status.VOIDED
        invoice.contact.rendered.clear()
        self.touch(invoice)
        return touched

    def void_credit(self, credit: Credit) -> list[str]:
        """Void a credit; what was allocated of it is taken off first. Returns the ids touched."""
        touched = [credit.id]
        for allocation in list(credit.allocations):
            self.remove_allocation(allocation)
            touched.append(allocation.invoice.id)
        credit.status = Status.VOIDED
        credit.contact.rendered.clear()
        self.touch(credit)
        return touched

    # -- people ----------------------------------------------------------------------------------

    def group(self, name: str) -> ContactGroup:
        """The contact group of that name, made where there is none."""
        if name not in self.groups:
            rng = random.Random(f"group/{name}")  # of its own: the ids of records stay what they are
            digits = f"{rng.getrandbits(128):032x}"
            group_id = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
            self.groups[name] = ContactGroup(group_id, name)
        return self.groups[name]

    def put_into(self, contact: Contact, groups: Iterable[ContactGroup]) -> None:
        """The contact is in these groups and no others."""
        contact.groups = tuple(groups)
        self.touch(contact, bump=bool(self.switch("xero.group_bumps_contact")))

    def rename_group(self, group: ContactGroup, name: str) -> None:
        """The group has another name; its contacts keep their stamp."""
        self.groups[name] = self.groups.pop(group.name)
        group.name = name
        for contact in self.contacts.values():
            contact.rendered.clear()

    def contact_changed(self, contact: Contact) -> None:
        """A contact's own fields changed; documents that print its name forget their bytes but keep their stamp."""
        self.touch(contact)
        for invoice in contact.invoices:
            invoice.rendered.clear()
            for payment in invoice.payments:
                payment.rendered.clear()
        for credit in contact.credits:
            credit.rendered.clear()

    def merge(self, gone: Contact, survivor: Contact) -> None:
        """Merge one contact into another: its documents move, it stays as ARCHIVED and names the survivor."""
        if gone is survivor or survivor.merged_to is not None:
            raise BookError("a contact is merged into another, living one")
        documents: list[Invoice | Credit] = [*gone.invoices, *gone.credits]
        for document in documents:
            document.contact = survivor
            self.touch(document, bump=bool(self.switch("xero.merge_bumps_invoices")))
        survivor.invoices.extend(gone.invoices)
        survivor.credits.extend(gone.credits)
        gone.invoices.clear()
        gone.credits.clear()
        gone.status, gone.merged_to = "ARCHIVED", survivor
        self.contact_changed(survivor)
        self.contact_changed(gone)

    # -- notes -----------------------------------------------------------------------------------

    def add_note(self, target_type: str, target: Record, text: str, key: str | None) -> Note:
        """Write one entry into a record's history; it can never be changed or removed."""
        note = Note(self.new_id(), target_type, target.id, text, self.now(), key)
        self.notes.append(note)
        self.notes_of.setdefault(target.id, []).append(note)
        if self.switch("xero.note_bumps_record"):
            self.touch(target)
        return note

    def record(self, record_id: str) -> Record | None:
        """The record of any kind with this id."""
        found: Record | None = self.invoices.get(record_id)
        found = found or self.contacts.get(record_id) or self.payments.get(record_id)
        return found or self.credits.get(record_id)
