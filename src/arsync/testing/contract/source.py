"""The books behind a connector, as the people who keep them and the weather on the line see them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Self

import pytest
import requests

from arsync.connector import Connector, Consent, NoteTarget
from arsync.domain.documents import InvoiceState


class Ability(StrEnum):
    """What some sources cannot do; a source that cannot says so in `Source.cannot`, with the reason."""

    COUNTING = "counting"  # `Connector.count` gives a number
    ON_ACCOUNT = "money on account"  # a payment that is put on no invoice
    CREDITS = "credit notes"
    VOIDING = "voiding"  # an invoice is cancelled and stays in the books
    DELETING = "deleting"  # an invoice goes from the books
    BREAKING = "breaking"  # a record can be made unreadable
    FORGETTING = "forgetting"  # the source tells changes for a limited time only
    REQUESTS = "requests"  # what the connector asks can be counted
    TOKENS = "tokens"  # access is by tokens that end
    NOTES = "notes"  # there is a place for notes
    CUSTOMER_NOTES = "notes on customers"


class Fault(StrEnum):
    """What can befall a request; a source without a line in between names them in `Source.cannot`, too."""

    THROTTLED = "throttled"  # refused for a while: too many requests
    DOWN = "down"  # answered with a server error
    TRUNCATED = "truncated"  # half of the answer
    SILENT = "silent"  # no answer within the time-out, and no effect
    CUT_BEFORE = "cut before"  # the line breaks before the request has its effect
    CUT_AFTER = "cut after"  # the line breaks after it
    EXPIRED = "expired"  # the access token is refused


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice as the books have it; amounts exact, days as printed on it."""

    remote_id: str
    customer_id: str
    currency: str
    total: Decimal
    balance: Decimal
    issued_on: date
    due_on: date | None
    state: InvoiceState


class Source(ABC):
    """One company's books for one test. The author of a connector writes this; every act takes effect at once, and
    two acts never bear the same time stamp."""

    #: what this source cannot do or suffer, and why: those clauses are reported as not applicable
    cannot: ClassVar[Mapping[Ability | Fault, str]] = {}
    #: as many invoices as make a page of a backfill
    page_size: ClassVar[int] = 1000
    #: an id of the right form that no record has
    unknown_id: ClassVar[str] = "999999"

    @classmethod
    @contextmanager
    def opened(cls, request: pytest.FixtureRequest, *, invoices: int) -> Iterator[Self]:
        """Books with at least so many invoices, some of them paid; by `request` it may use pytest's fixtures."""
        raise NotImplementedError(f"{cls.__name__}.opened")
        yield

    # --- the connector ----------------------------------------------------------------------------------

    @abstractmethod
    def connector(self) -> Connector:
        """A new connector to these books, as after a restart of arsync; the stored tokens stay."""

    @property
    @abstractmethod
    def external_id(self) -> str:
        """The company's id, by which it is linked."""

    @property
    @abstractmethod
    def today(self) -> date:
        """The day in the company."""

    @property
    def since(self) -> date:
        """From when on the clauses ask for the history: most of the invoices, some of them older."""
        return self.today - timedelta(days=150)

    # --- what people do --------------------------------------------------------------------------------

    @abstractmethod
    def bills(self) -> Collection[Bill]:
        """Every invoice in the books, read without the connector; a deleted one may be left out."""

    @abstractmethod
    def new_customer(self, name: str) -> str:
        """A new customer's id."""

    @abstractmethod
    def new_invoice(self, customer_id: str, amount: Decimal, *, issued_on: date, due_on: date) -> str:
        """A new open invoice's id; in the company's currency, without tax."""

    @abstractmethod
    def pay(self, invoice_id: str, amount: Decimal) -> str:
        """Money is received and put on the invoice; the payment's id."""

    @abstractmethod
    def edit(self, invoice_id: str, *, due_on: date) -> None:
        """The invoice is due on another day."""

    def pay_on_account(self, customer_id: str, amount: Decimal) -> str:
        """Money is received and put on nothing; the payment's id (ON_ACCOUNT)."""
        raise NotImplementedError

    def credit(self, customer_id: str, amount: Decimal) -> str:
        """A credit note is given and put on nothing; its id (CREDITS)."""
        raise NotImplementedError

    def void(self, invoice_id: str) -> None:
        """The invoice is cancelled (VOIDING)."""
        raise NotImplementedError

    def delete(self, invoice_id: str) -> None:
        """The invoice is deleted (DELETING)."""
        raise NotImplementedError

    def break_invoice(self, invoice_id: str) -> None:
        """The invoice's amounts cannot be read any more; its id and its customer can (BREAKING)."""
        raise NotImplementedError

    def mend_invoice(self, invoice_id: str) -> None:
        """It is as it was before it was broken (BREAKING)."""
        raise NotImplementedError

    def notes(self, target: NoteTarget) -> list[str]:
        """The text of each note there, read without the connector (NOTES)."""
        raise NotImplementedError

    # --- what happens on the way ------------------------------------------------------------------------

    def fault(self, fault: Fault, *, times: int | None = None, skip: int = 0, writes: bool = False) -> None:
        """That befalls the next requests, so often or until `calm`, after it let `skip` through. With `writes` only
        those that write, else all but those for tokens."""
        raise NotImplementedError

    def calm(self) -> None:  # noqa: B027 - a source without faults is calm
        """No more faults."""

    def let_pass(self, days: int) -> None:
        """So much time passes (FORGETTING)."""
        raise NotImplementedError

    def asked(self) -> int:
        """How many requests have arrived so far (REQUESTS)."""
        raise NotImplementedError

    def renewals(self) -> int:
        """How many times new tokens were stored so far (TOKENS)."""
        raise NotImplementedError

    def consent(self) -> Consent | None:
        """The app's consent, as the connector's class gives it; None where it needs none."""
        return None

    def sessions(self) -> Collection[requests.Session]:
        """The sessions through which requests may leave: those that were given to connectors, and the source's own."""
        return ()

    def secrets(self) -> Collection[str]:
        """What nobody may read: every token and key that the connector has been given."""
        return ()

    # --- for the clauses --------------------------------------------------------------------------------

    def needs(self, *wanted: Ability | Fault) -> None:
        """Reports the clause as not applicable where the source cannot do one of these."""
        for one in wanted:
            if one in self.cannot:
                pytest.skip(f"not applicable to {type(self).__name__}: {one.value} ({self.cannot[one]})")

    def bill(self, remote_id: str) -> Bill:
        """The invoice as the books have it."""
        return next(bill for bill in self.bills() if bill.remote_id == remote_id)

    def owed(self) -> list[Bill]:
        """The open invoices in a fixed order."""
        found = [bill for bill in self.bills() if bill.state is InvoiceState.OPEN]
        return sorted(found, key=lambda bill: (bill.issued_on, bill.remote_id))
