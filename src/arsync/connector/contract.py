"""The connector contract: records in, notes out. An accounting system is one package that keeps it.

A connector is found by the entry point group `arsync.connectors`; its package exports `Connector` (this protocol) and
`Settings` (a pydantic model, configured under the entry point's name). It decides nothing and stores nothing: what it
needs to share between processes it is given as a port. Everything here may raise the errors of `arsync.errors`:

- `RetryLater`      the source throttles or is down; nothing was done
- `Reauthorise`     the consent has ended
- `NotCovered`      of `company()`: the consent lives, and the vendor says that this company is not in it
- `Rejected`        the source refuses this for good
- `OutcomeUnknown`  a write was sent and its answer never came
- `Malformed`       the answer as a whole cannot be read (a single bad record never raises: it is `Broken`)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

import requests

from arsync.domain.clock import Clock
from arsync.domain.documents import CustomerGroup, Record, Resource
from arsync.domain.states import WriteKind

# --- ports: what a connector is given -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What one consent holds; never printed."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    #: when the access token ends; an empty access token is written with an instant in the past
    expires_at: datetime
    #: when the refresh token ends if nobody uses it
    refresh_expires_at: datetime | None = None
    #: when the consent ends however often it is used; None where that is not known, or never
    consent_expires_at: datetime | None = None


class TokenVault(Protocol):
    """The durable tokens of one grant, shared by all threads and processes."""

    def current(self) -> TokenPair:
        """The stored pair, read anew; Reauthorise where the grant is known to have ended."""
        ...

    def refreshing(self) -> AbstractContextManager[TokenPair]:
        """Holds the grant's lock and gives the pair as stored *now*: another process may have rotated it."""
        ...

    def replace(self, pair: TokenPair, *, instead_of: TokenPair) -> None:
        """Stores what came of a pair, unless another is stored by now; durable when it returns. Only under
        `refreshing()`."""
        ...

    def ended(self, reason: str, *, refused: TokenPair) -> None:
        """The vendor takes this pair no more: nobody asks with it again until a person has connected anew. Says nothing
        of another that is stored by now. Only under `refreshing()`."""
        ...


class RateBudget(Protocol):
    """The allowance of one connection at its vendor, shared by all threads and processes.

    `Transport` keeps to it: a connector hands it on. Each `spend` is followed by `observe` or `lose`.
    """

    def spend(self) -> None:
        """Waits until one more request may go out; RetryLater where that is too far away."""
        ...

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Learns from an answer's status and headers."""
        ...

    def lose(self) -> None:
        """The request has ended without an answer."""
        ...


# --- what a connector gives ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Company:
    """The company file behind a connection, as the source describes it."""

    external_id: str
    name: str
    base_currency: str
    country: str | None
    timezone: str | None  # IANA, where the source tells one
    #: the source itself reminds customers of overdue invoices; None where it cannot be asked
    reminders_on: bool | None
    #: the source's time when it said so; None where it does not tell
    told_at: datetime | None = None
    #: the source's own id of the company, where it is another than the connection's; it never changes
    source_id: str | None = None
    #: the customer groups by name, where customers name theirs by the id alone
    groups: tuple[CustomerGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that could not be read: what it is as far as can be told, why, and its text."""

    resource: Resource
    remote_id: str | None
    customer_id: str | None
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one or more requests gave, to be committed together with `cursor`.

    In a backfill `cursor` resumes after this page. In a delta it is the position of the *next* delta, true only once
    every page of this one is stored. `seen` counts the records on the wire, read or broken.
    """

    resource: Resource
    records: tuple[Record, ...]
    broken: tuple[Broken, ...]
    cursor: str
    seen: int


#: How the marker at the end of each note begins.
MARKED: Final = "[arsync:"


class TargetKind(StrEnum):
    """Where in the source a note is kept."""

    INVOICE = "invoice"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class NoteTarget:
    """One document or customer in the source."""

    kind: TargetKind
    remote_id: str


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """A note to be written once. `marker` stands in `text` and finds it again; `key` makes a repeat harmless for as
    long as the vendor remembers it (at most 36 characters)."""

    target: NoteTarget
    text: str
    marker: str
    key: str


@dataclass(frozen=True, slots=True)
class InvoiceFact:
    """What is to stand on an invoice in the source; to set it twice is as good as once. `key` as a note's."""

    kind: WriteKind  # never a note
    invoice_id: str
    expected_on: date | None  # of `expected_on` only: the day, or none where what stands there is to go
    key: str


@dataclass(frozen=True, slots=True)
class Linked:
    """One connection as its connector sees it."""

    external_id: str


class Connector(Protocol):
    """One company in one accounting system."""

    provider: ClassVar[str]

    def company(self) -> Company:
        """Reads the company's own facts."""
        ...

    def watermark(self) -> str:
        """A delta cursor: a delta from it sees everything that changes from now on (the source's clock, less an
        overlap)."""
        ...

    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Iterator[Page]:
        """Every open item of any age and the history since that day, from the start or after `cursor`.

        Nothing is lost when records change while it runs; a record may come twice, and a `Deleted` never comes.
        """
        ...

    def count(self, resource: Resource, *, since: date) -> int | None:
        """How many distinct records a backfill must have seen, as the source counts; None where it does not count."""
        ...

    def delta(self, cursor: str) -> Iterator[Page]:
        """Everything changed since the cursor, deletions and voids included. `Deleted` was checked by a single read.

        Raises `Stale` where the cursor is older than the source remembers: a full pull must follow.
        """
        ...

    def refresh(self, customer_ids: Collection[str], *, cursor: str) -> Iterator[Page]:
        """These customers afresh: themselves, *all* their open invoices, and what changed of their payments and
        credits since the delta cursor."""
        ...

    def records(self, resource: Resource, remote_ids: Collection[str]) -> Iterator[Page]:
        """These records by id; one that the source does not know comes as `Deleted`."""
        ...

    def write_note(self, note: NoteDraft) -> str:
        """Writes the note and returns the source's id of it, or the marker where the source gives none."""
        ...

    def find_note(self, target: NoteTarget, marker: str) -> str | None:
        """The id of the note with that marker at the target, or None where there is none."""
        ...


# --- what a connector may give besides: asked for by isinstance, and not offered where a connector lacks it ----


@runtime_checkable
class KeepsFacts(Protocol):
    """The source has places on an invoice for some of the `WriteKind`s."""

    facts: ClassVar[frozenset[WriteKind]]

    def write_fact(self, fact: InvoiceFact) -> None:
        """Sets it; Rejected where the source will not have it there (a closed period, a paid invoice)."""
        ...


@dataclass(frozen=True, slots=True)
class FoundNote:
    """A note as it stands in the source."""

    target: NoteTarget
    text: str


@runtime_checkable
class ReadsNotes(Protocol):
    """The source's notes can be listed, so that a database that was restored, copied or lost learns what was sent.

    A connector that finds the notes of all targets in one list, whatever is asked for, has an attribute `lists_notes`
    that is true: it is then asked once for everything, not for some targets at a time.
    """

    def notes(self, targets: Collection[NoteTarget], *, since: datetime) -> Iterator[FoundNote]:
        """Every note with an arsync marker that was written at these targets since then; others may come as well."""
        ...


@runtime_checkable
class OffersPayLinks(Protocol):
    """Invoices can be paid online."""

    def pay_link(self, invoice_id: str) -> str | None:
        """The address where a customer pays that invoice, or None where there is none; once there is one, it stays."""
        ...


@runtime_checkable
class PrintsInvoices(Protocol):
    """The source prints an invoice as it was sent."""

    def invoice_pdf(self, invoice_id: str) -> bytes:
        """The PDF, at most 10 MB of it; `Gone` where there is no such invoice, Malformed where it is no PDF."""
        ...


class ConnectorFactory(Protocol):
    """What the entry point names: the class itself."""

    provider: str

    def __call__(
        self,
        *,
        settings: Any,
        linked: Linked,
        vault: TokenVault,
        budget: RateBudget,
        clock: Clock,
        session: requests.Session,
    ) -> Connector: ...
