"""One company at QuickBooks Online, as the connector contract asks for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import ClassVar, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import requests
from babel.numbers import get_territory_currencies

from arsync.connector import (
    Changed,
    Clock,
    Company,
    Flights,
    FoundNote,
    Linked,
    NoteDraft,
    NoteTarget,
    Page,
    Place,
    RateBudget,
    Resource,
    TokenVault,
    Transport,
)
from arsync.domain.documents import CreditNote, CustomerGroup, Payment, Record
from arsync.errors import Gone, Malformed, Unverified
from arsync_quickbooks import webhook, wire
from arsync_quickbooks.attachables import Attachables
from arsync_quickbooks.auth import NotePlace, Settings, tokens
from arsync_quickbooks.changes import ChangeLog, cursor_at
from arsync_quickbooks.client import Books
from arsync_quickbooks.consent import Consent
from arsync_quickbooks.customer_notes import CustomerNotes
from arsync_quickbooks.paging import PAGE_SIZE
from arsync_quickbooks.people import country_code
from arsync_quickbooks.pull import Pull, page

T = TypeVar("T")
#: Customers keep a type that was made inactive.
_TYPES: Final = ("CustomerType", ("Active IN (true, false)",), f"MAXRESULTS {PAGE_SIZE}")


class Connector:
    """Reads and annotates one QuickBooks company; keeps nothing."""

    provider: ClassVar[str] = "quickbooks"
    lists_notes: ClassVar[bool] = True

    def __init__(
        self,
        *,
        settings: Settings,
        linked: Linked,
        vault: TokenVault,
        budget: RateBudget,
        clock: Clock,
        session: requests.Session,
    ) -> None:
        self._realm = linked.external_id
        self._home_currency: str | None = None
        self.pages_in_flight = settings.pages_in_flight
        self._flights = Flights(settings.pages_in_flight, bounded=True)
        transport = Transport(
            session=session,
            tokens=tokens(settings, vault=vault, session=session, clock=clock),
            budget=budget,
            clock=clock,
            at_once=settings.pages_in_flight,
        )
        self._books = Books(transport=transport, base_url=settings.base_url, realm=self._realm, clock=clock)
        self._pull = Pull(self._books, self._home)
        self._changes = ChangeLog(self._books, self._pull, clock)
        self._attachables = Attachables(self._books)
        self._customer_notes = CustomerNotes(self._books)
        self._on_customers = settings.note_target is NotePlace.CUSTOMER

    @staticmethod
    def webhook(body: bytes, headers: Mapping[str, str], *, settings: Settings) -> tuple[Changed, ...]:
        """What changed, by one of Intuit's webhooks; Unverified where its signature is wrong."""
        if settings.webhook_verifier_token is None:
            raise Unverified("quickbooks.webhook_verifier_token is not configured")
        webhook.verify(body, headers, settings.webhook_verifier_token.get_secret_value())
        return webhook.read(body)

    @staticmethod
    def consent(*, settings: Settings, session: requests.Session, clock: Clock) -> Consent:
        """How people let the app in those settings into their companies."""
        return Consent(settings=settings, session=session, clock=clock)

    # --- the company ----------------------------------------------------------------------------------

    def company(self) -> Company:
        """The company's facts; QuickBooks does not tell whether it reminds customers itself."""
        told, preferred, types = self._flights.ask(
            lambda: self._books.together(
                ("CompanyInfo", (), ""), ("Preferences", (), ""), _TYPES, dispensable=("CustomerType",)
            )
        )
        info = _first(wire.COMPANY_INFO, told.raws) or wire.CompanyInfo()
        self._home_currency = _home_of(preferred.raws) or _currency_of(country_code(info.country))
        return Company(
            external_id=self._realm,
            name=info.company_name or info.legal_name or self._realm,
            base_currency=self._home_currency,
            country=country_code(info.country),
            timezone=_zone(info.default_time_zone),
            reminders_on=None,
            told_at=told.at,
            groups=tuple(_groups(types.raws)),
        )

    def _info(self) -> wire.CompanyInfo:
        return _first(wire.COMPANY_INFO, self._books.find("CompanyInfo").raws) or wire.CompanyInfo()

    def _home(self) -> str:
        """The company's own currency, asked once: without multicurrency its records may leave it out."""
        if self._home_currency is None:
            told = _home_of(self._books.find("Preferences").raws)
            self._home_currency = told or _currency_of(country_code(self._info().country))
        return self._home_currency

    # --- records --------------------------------------------------------------------------------------

    def watermark(self) -> str:
        """Now by QuickBooks' clock, less five minutes."""
        _, at = self._flights.ask(lambda: self._books.count("Customer"))
        return cursor_at(at)

    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Iterator[Page]:
        """Invoices: the open ones from before that day, then all since. The others: all of any age, of which the old
        with nothing left to give are counted and not handed on."""
        passes = _passes(resource, since)
        number, place = _resumed(cursor)
        while number < len(passes):
            for stretch in self._pull.numbered(resource, passes[number]).walk(self._flights, place):
                then = _Cursor(number + 1) if stretch.then is None else _Cursor(number, stretch.then)
                found = page(resource, stretch.rows, msgspec.json.encode(then).decode())
                yield replace(found, records=tuple([one for one in found.records if _is_kept(one, since)]))
            number, place = number + 1, Place()

    def count(self, resource: Resource, *, since: date) -> int | None:
        """How many distinct records a backfill sees."""
        return sum(self._flights.in_order(partial(self._pull.count, resource, one) for one in _passes(resource, since)))

    def delta(self, cursor: str) -> Iterator[Page]:
        """What changed since, deletions checked; Stale where QuickBooks does not tell all of it."""
        return self._changes.delta(cursor)

    def refresh(self, customer_ids: Collection[str], *, cursor: str) -> Iterator[Page]:
        """These customers, their open invoices, and what changed of anybody's since the cursor."""
        return self._changes.refresh(customer_ids, cursor)

    def records(self, resource: Resource, remote_ids: Collection[str]) -> Iterator[Page]:
        """These records, a hundred to a request; one that QuickBooks does not find comes as `Deleted`."""
        return self._pull.by_id(resource, remote_ids, "")

    # --- on demand ------------------------------------------------------------------------------------

    def pay_link(self, invoice_id: str) -> str | None:
        """The invoice's link, which it has where online payment is on and an address is on file; one request each."""
        try:
            told = wire.LINKED.decode(self._books.single("Invoice", invoice_id, include="invoiceLink"))
        except (Gone, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return (told.invoice.invoice_link or None) if told.invoice is not None else None

    def invoice_pdf(self, invoice_id: str) -> bytes:
        """The invoice as QuickBooks prints it, at most 10 MB."""
        return self._books.pdf("Invoice", invoice_id)

    # --- notes ----------------------------------------------------------------------------------------

    def write_note(self, note: NoteDraft) -> str:
        """Adds a note that customers do not see (an Attachable without a file, or a part of the customer's own notes);
        returns the id of the one or the other."""
        if self._on_customers:
            return self._customer_notes.write(note)
        return self._attachables.write(note)

    def find_note(self, target: NoteTarget, marker: str) -> str | None:
        """The id of the note at that document whose text holds the marker; or of the customer whose notes do."""
        if self._on_customers and (found := self._customer_notes.find(target, marker)):
            return found
        return self._attachables.find(target, marker)

    def notes(self, targets: Collection[NoteTarget], *, since: datetime) -> Iterator[FoundNote]:
        """Every note of arsync changed since then, wherever it stands: one request for a thousand attachments, and
        where notes go to customers one more for a thousand customers."""
        if self._on_customers:
            yield from self._customer_notes.since(since)
        yield from self._attachables.since(since)


def _passes(resource: Resource, since: date) -> tuple[tuple[str, ...], ...]:
    """The conditions of each pass; no record stands under two of them."""
    if resource is Resource.INVOICES:
        # By the day of issue, which stays: a payment while the pull runs cannot move an invoice between them.
        return (f"TxnDate < '{since}'", "Balance > '0'"), (f"TxnDate >= '{since}'",)
    return ((),)


def _is_kept(record: Record, since: date) -> bool:
    """Old and put on invoices to the last cent, it changes nothing any more."""
    match record:
        case Payment():
            return record.received_on >= since or bool(record.unapplied)
        case CreditNote():
            return record.issued_on >= since or bool(record.unapplied)
        case _:
            return True


class _Cursor(msgspec.Struct, frozen=True):
    """Which pass, and where in it; a pass beyond the last one is the end."""

    number: int = 0
    place: Place = Place()


def _resumed(cursor: str | None) -> tuple[int, Place]:
    """The pass and the place in a backfill's cursor; the start where it holds none."""
    try:
        found = msgspec.json.decode(cursor, type=_Cursor) if cursor else _Cursor()
    except msgspec.DecodeError:
        found = _Cursor()  # reading all once more loses nothing
    return found.number, found.place


def _first(kind: msgspec.json.Decoder[T], raws: Sequence[msgspec.Raw]) -> T | None:
    try:
        return kind.decode(raws[0]) if raws else None
    except msgspec.MsgspecError:
        return None


def _groups(raws: Sequence[msgspec.Raw]) -> Iterator[CustomerGroup]:
    """QuickBooks' customer types; a customer names its own by the id."""
    for raw in raws:
        found = _first(wire.CUSTOMER_TYPE, (raw,))
        if found is not None and found.id and found.name:
            yield CustomerGroup(str(found.id), found.name)


def _zone(name: str | None) -> str | None:
    try:
        return ZoneInfo(name).key if name else None
    except (KeyError, OSError, ValueError):
        return None


def _home_of(raws: Sequence[msgspec.Raw]) -> str | None:
    """The company's own currency by its preferences, where they tell it."""
    found = _first(wire.PREFERENCES, raws)
    prefs = found.currency_prefs if found else None
    home = prefs.home_currency if isinstance(prefs, wire.CurrencyPrefs) else None
    return str(home.value) if isinstance(home, wire.Ref) and home.value else None


def _currency_of(country: str | None) -> str:
    """A company's currency where its preferences do not tell it."""
    currencies = get_territory_currencies(country) if country else []
    if len(currencies) != 1:
        raise Malformed("the company's preferences do not tell its currency")
    return str(currencies[0])
