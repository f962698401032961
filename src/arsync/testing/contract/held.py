"""What arsync would hold after some pages, and how it differs from the books."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from arsync.connector import Broken, Connector, Page, Resource
from arsync.domain.documents import (
    Allocation,
    CreditNote,
    Customer,
    Deleted,
    Invoice,
    InvoiceLine,
    InvoiceState,
    Payment,
    Record,
    resource_of,
)
from arsync.domain.money import amount
from arsync.testing.contract.source import Source

_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_GONE: Final = (InvoiceState.VOID, InvoiceState.DELETED)


class Held:
    """Of each record the newest, as the store keeps it; a page that breaks the contract's form is refused."""

    def __init__(self) -> None:
        self.records: dict[tuple[Resource, str], Record] = {}
        self.broken: list[Broken] = []

    def take(self, pages: Iterable[Page]) -> list[Page]:
        """Keeps what the pages hold; the pages."""
        taken = list(pages)
        for page in taken:
            check_form(page)
            self.broken += page.broken
            for record in page.records:
                key = (resource_of(record), record.remote_id)
                known = self.records.get(key)
                if known is None or record.updated_at >= known.updated_at:
                    self.records[key] = record
        return taken

    def backfill(self, connector: Connector, since: date) -> None:
        """Takes the whole backfill."""
        for resource in Resource:
            self.take(connector.backfill(resource, since=since, cursor=None))

    def follow(self, connector: Connector, cursor: str) -> str:
        """Takes a delta as arsync does, with the invoices that its payments name; the next delta's cursor."""
        pages = self.take(connector.delta(cursor))
        read = {one.remote_id for page in pages if page.resource is Resource.INVOICES for one in page.records}
        named = {
            part.invoice_id
            for page in pages
            for record in page.records
            if isinstance(record, Payment | CreditNote)
            for part in record.allocations
        }
        if unread := sorted(named - read):
            self.take(connector.records(Resource.INVOICES, unread))
        return pages[-1].cursor if pages else cursor

    def invoice(self, remote_id: str) -> Invoice | None:
        """The invoice; None where it is not held or deleted."""
        found = self.records.get((Resource.INVOICES, remote_id))
        return found if isinstance(found, Invoice) else None

    def ids(self, resource: Resource) -> set[str]:
        """The records of that kind, the deleted ones left out."""
        return {
            remote_id
            for (kind, remote_id), record in self.records.items()
            if kind is resource and not isinstance(record, Deleted)
        }

    def must_agree(self, source: Source) -> None:
        """AssertionError with what is held otherwise than it stands in the books."""
        found = self.differences(source)
        assert not found, f"{len(found)} invoices are not held as they stand in the books: " + "; ".join(found[:5])

    def differences(self, source: Source) -> list[str]:
        """A sentence for each invoice that is not held as it stands in the books."""
        found = []
        since = source.since
        books = {bill.remote_id: bill for bill in source.bills()}
        for bill in books.values():
            mine = self.invoice(bill.remote_id)
            if bill.state in _GONE:
                if mine is not None and mine.state not in _GONE:
                    found.append(f"{bill.remote_id} is {bill.state} and is held as {mine.state}")
            elif mine is None:
                if bill.state is InvoiceState.OPEN or bill.issued_on >= since:
                    found.append(f"{bill.remote_id} is {bill.state} and not held")
            else:
                theirs = (
                    bill.customer_id, bill.currency, bill.total, bill.balance, bill.issued_on, bill.due_on, bill.state,
                )  # fmt: skip
                held = (
                    mine.customer_id, mine.currency, mine.total, mine.balance, mine.issued_on, mine.due_on, mine.state,
                )  # fmt: skip
                if held != theirs:
                    found.append(f"{bill.remote_id} is {theirs} and is held as {held}")
        left_over = self.ids(Resource.INVOICES) - set(books)
        found += [
            f"{remote_id} is held and not in the books" for remote_id in sorted(left_over) if self._lives(remote_id)
        ]
        return found

    def _lives(self, remote_id: str) -> bool:
        mine = self.invoice(remote_id)
        return mine is not None and mine.state not in _GONE


def check_form(page: Page) -> None:
    """AssertionError where a page or one of its records is not of the form that the contract says."""
    assert isinstance(page.cursor, str), f"a cursor is text, not {type(page.cursor).__name__}"
    for record in page.records:
        assert resource_of(record) is page.resource, f"a {type(record).__name__} on a page of {page.resource}"
        where = f"{page.resource} {record.remote_id}"
        assert isinstance(record.remote_id, str), f"{where}: an id is text"
        assert record.remote_id, f"{where}: an id is not empty"
        assert isinstance(record.updated_at, datetime), f"{where}: updated_at is an instant"
        assert record.updated_at.utcoffset() is not None, f"{where}: updated_at has a zone"
        if not isinstance(record, Deleted | Customer):
            _check_money(where, record)
    for broken in page.broken:
        assert broken.resource is page.resource, f"a broken {broken.resource} on a page of {page.resource}"
        assert broken.reason, f"{page.resource} {broken.remote_id}: broken without a reason"


def _check_money(where: str, record: Invoice | Payment | CreditNote) -> None:
    assert _CURRENCY.fullmatch(record.currency), f"{where}: {record.currency!r} is no currency (ISO 4217)"
    amounts: list[Decimal] = []
    days: list[date | None] = []
    parts: tuple[Allocation | InvoiceLine, ...]
    match record:
        case Invoice():
            amounts, days, parts = [record.total, record.balance], [record.issued_on, record.due_on], record.lines
        case Payment():
            amounts, days, parts = [record.amount, record.unapplied], [record.received_on], record.allocations
        case CreditNote():
            amounts, days, parts = [record.total, record.unapplied], [record.issued_on], record.allocations
    for one in [*amounts, *(part.amount for part in parts)]:
        assert isinstance(one, Decimal), f"{where}: an amount is a Decimal, not {type(one).__name__}"
        assert amount(one) == one, f"{where}: {one} cannot be kept exactly"
    for day in days:
        assert day is None or type(day) is date, f"{where}: a day is a date, not {type(day).__name__}"
