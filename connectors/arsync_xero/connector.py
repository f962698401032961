"""One Xero organisation under the connector contract."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import chain
from typing import Any, ClassVar, Final

import msgspec
import requests

from arsync.connector import (
    MARKED,
    Changed,
    Clock,
    Company,
    Flights,
    FoundNote,
    InvoiceFact,
    Linked,
    NoteDraft,
    NoteTarget,
    Numbered,
    Page,
    Place,
    RateBudget,
    Resource,
    TokenVault,
    Transport,
)
from arsync.connector import Answer as Listed
from arsync.domain.documents import CreditNote, Customer, Deleted, Payment, Record
from arsync.domain.states import WriteKind
from arsync.errors import Gone, Malformed, NotCovered, Reauthorise, Rejected, RetryLater, Unverified
from arsync_xero import webhook
from arsync_xero.auth import Settings, tokens_of
from arsync_xero.client import Client
from arsync_xero.consent import Consent
from arsync_xero.mapping import expected_on
from arsync_xero.paging import PAGE_SIZE, Anchor, Stretch, goes_on, size_given, walk, window
from arsync_xero.passes import (
    EVERYBODY,
    OPEN,
    OVERLAP,
    SALES,
    BackfillCursor,
    Pass,
    backfill_cursor,
    delta_cursor,
    passes_of,
    since_of,
)
from arsync_xero.places import timezone_of
from arsync_xero.rows import (
    CONTACTS,
    CREDIT_NOTES,
    INVOICES,
    MONEY,
    OVERPAYMENTS,
    PAYMENTS,
    PREPAYMENTS,
    Answer,
    Row,
    Source,
)
from arsync_xero.tenants import Tenants

#: ids in one address: it fails at about 52
_BATCH: Final = 40
#: characters of a note: the documented limit, and the one of an older page
_NOTE_LIMIT: Final = 2500
_OLD_NOTE_LIMIT: Final = 250
#: seconds to connect and to be answered, for what only explains
_BRIEFLY: Final = (3.0, 5.0)


class Connector:
    """Reads and annotates one organisation."""

    provider: ClassVar[str] = "xero"
    facts: ClassVar[frozenset[WriteKind]] = frozenset({WriteKind.EXPECTED_ON, WriteKind.SENT})

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
        self._external_id = linked.external_id
        self.pages_in_flight = settings.pages_in_flight
        self._flights = Flights(settings.pages_in_flight, bounded=True)
        self._counted: dict[tuple[str, str | None], int | None] = {}
        self._clock = clock
        tokens = tokens_of(settings, vault=vault, session=session, clock=clock)
        self._transport = Transport(
            session=session, tokens=tokens, budget=budget, clock=clock, at_once=settings.pages_in_flight
        )
        self._tenants = Tenants(session, settings.connections_url, clock, timeout=_BRIEFLY)
        self._client = Client(
            transport=self._transport,
            tenant_id=linked.external_id,
            api_url=settings.api_url,
            client_id=settings.client_id,
            clock=clock,
        )

    @staticmethod
    def webhook(body: bytes, headers: Mapping[str, str], *, settings: Settings) -> tuple[Changed, ...]:
        """What changed, by one of Xero's webhooks; Unverified where its signature is wrong."""
        if settings.webhook_key is None:
            raise Unverified("xero.webhook_key is not configured")
        webhook.verify(body, headers, settings.webhook_key.get_secret_value())
        return webhook.read(body)

    @staticmethod
    def consent(*, settings: Settings, session: requests.Session, clock: Clock) -> Consent:
        """How people let the app in those settings into their companies."""
        return Consent(settings=settings, session=session, clock=clock)

    # --- the company --------------------------------------------------------------------------------------

    def company(self) -> Company:
        """The organisation's own facts; NotCovered where the consent does not cover it (any more)."""
        try:
            organisation, told_at = self._flights.ask(self._client.organisation)
        except Reauthorise as refused:
            raise self._explained(refused) from None
        if not organisation.base_currency:
            raise Malformed("the organisation has no base currency")
        return Company(
            external_id=self._external_id,
            name=str(organisation.name or ""),
            base_currency=organisation.base_currency.upper(),
            country=organisation.country_code or None,
            timezone=timezone_of(organisation.timezone),
            reminders_on=self._reminders(),
            told_at=told_at,
            source_id=organisation.organisation_id,
        )

    def _reminders(self) -> bool | None:
        try:
            return self._flights.ask(self._client.reminders)
        except (Rejected, Gone, Reauthorise, Malformed):  # a consent may lack the scope for settings
            return None

    def _explained(self, refused: Reauthorise) -> Reauthorise:
        try:
            covered = self._tenants.reachable(self._transport.access_token)  # once, and not for long
        except (Rejected, Reauthorise, Malformed, RetryLater):  # it only explains
            return refused
        if any(one.external_id == self._external_id for one in covered):
            return refused
        others = "1 organisation" if len(covered) == 1 else f"{len(covered)} organisations"
        return NotCovered(f"it covers {others}, and not {self._external_id}")

    # --- everything ---------------------------------------------------------------------------------------

    def watermark(self) -> str:
        """A delta cursor at Xero's own time, less the overlap."""
        _, at = self._flights.ask(self._client.organisation)
        return delta_cursor(at)

    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Iterator[Page]:
        """Everything open and the history since that day; old credits that are used up are counted, not given.

        `seen` counts no record twice unless it changed in between: on a quiet company its sum is `count()`.
        """
        passes = passes_of(resource, since)
        begin = backfill_cursor(cursor)
        for step in range(begin.step, len(passes)):
            place = begin.place if step == begin.step else Place()
            for stretch in self._numbered(passes[step]).walk(self._flights, place):
                then = BackfillCursor(step + 1) if stretch.then is None else BackfillCursor(step, stretch.then)
                yield _page(resource, stretch.rows, msgspec.json.encode(then).decode(), since=since)

    def count(self, resource: Resource, *, since: date) -> int | None:
        """The distinct records of a backfill by Xero's own count; one request for each of its passes."""
        counts = list(self._flights.in_order(partial(self._count, one) for one in passes_of(resource, since)))
        return None if None in counts else sum(count for count in counts if count is not None)

    def _count(self, one: Pass) -> int | None:
        count = self._client.page(one.source, size=1, where=one.where, **one.filters)().item_count
        self._counted[one.source.list_method, one.where] = count
        return count

    def _numbered(self, one: Pass) -> Numbered[Row]:
        def fetch(begin: int, size: int) -> Callable[[], Listed[Row]]:
            number = begin // size + 1
            order = f"{one.source.id_key} ASC"
            page = self._client.page(one.source, number=number, size=size, where=one.where, order=order, **one.filters)
            return partial(read, page, number, size)

        def read(page: Callable[[], Answer], number: int, size: int) -> Listed[Row]:
            answer = page()
            given = size_given(answer, size)
            more = goes_on(answer, number, given)
            return Listed(answer.rows, (number - 1) * given, given, more, answer.item_count, answer.envelope)

        counted = self._counted.get((one.source.list_method, one.where))
        return Numbered(fetch, lambda row: row.remote_id, page_size=PAGE_SIZE, begin=window, total=counted)

    # --- what changed ---------------------------------------------------------------------------------------

    def delta(self, cursor: str) -> Iterator[Page]:
        """Everything changed since the cursor. Voids and deletions are states of a record in Xero, so no `Deleted`
        comes. Money comes before the invoices it reduces; invoices that a payment names but Xero does not list as
        changed are read by id."""
        since = since_of(cursor)
        read: set[str] = set()
        touched: set[str] = set()
        # Most are one short page: asked for together they cost the time of two requests.
        money = self._together([Pass(source, None, {}) for source in MONEY], since)
        others = [Pass(CONTACTS, None, EVERYBODY)]
        if all(one.first is None or one.first.then is None for one in money):
            others.append(Pass(INVOICES, SALES, {}))  # else they are asked for behind the last page of the money
        begun = self._together(others, since)
        told = (one.first.at for one in (*money, *begun) if one.first)
        at = min((at for at in told if at), default=since)
        following = delta_cursor(max(at, since + OVERLAP))
        for one in (begun[0], *money):
            for stretch in one.stretches():
                for row in stretch.rows:
                    touched.update(row.touches)
                yield _page(one.source.resource, stretch.rows, following)
        invoices = begun[1].stretches() if begun[1:] else self._walk(Pass(INVOICES, SALES, {}), Anchor(since))
        for stretch in invoices:
            read.update(row.remote_id for row in stretch.rows if row.remote_id)
            yield _page(INVOICES.resource, stretch.rows, following)
        yield from self._invoices(touched - read, following)

    def _together(self, lists: Sequence[Pass], since: datetime) -> list[_Begun]:
        """The walks of these lists, the first page of each read."""
        return list(self._flights.in_order(partial(self._begun, one, Anchor(since)) for one in lists))

    def _begun(self, one: Pass, start: Anchor) -> _Begun:
        walked = self._walk(one, start)
        return _Begun(one.source, next(walked, None), walked)

    def refresh(self, customer_ids: Collection[str], *, cursor: str) -> Iterator[Page]:
        """These customers, their open invoices and those changed since the cursor, and all money that moved since;
        seven requests for forty customers on a usual day."""
        if not customer_ids:
            return
        since = since_of(cursor)
        read: set[str] = set()
        touched: set[str] = set()
        concerned = {None, *customer_ids}
        for source in MONEY:
            for stretch in self._walk(Pass(source, None, {}), Anchor(since)):
                for row in stretch.rows:
                    if _customer_of(row) in concerned:
                        touched.update(row.touches)
                yield _page(source.resource, stretch.rows, cursor)
        for batch in _batches(customer_ids):
            everyone = self._client.by_ids(CONTACTS, batch, **EVERYBODY)
            yield _page(CONTACTS.resource, everyone.rows, cursor)
            # After a merge Xero keeps the invoices under the survivor.
            survivors = {row.record.merged_into for row in everyone.rows if isinstance(row.record, Customer)}
            for payers in _batches({*batch, *(one for one in survivors if one)}):
                theirs = {"contact_i_ds": payers}
                changed = self._walk(Pass(INVOICES, SALES, theirs), Anchor(since))
                owed = self._walk(Pass(INVOICES, OPEN, {**theirs, "statuses": ["AUTHORISED"]}), Anchor())
                for walked in (changed, owed):
                    for stretch in walked:
                        read.update(row.remote_id for row in stretch.rows if row.remote_id)
                        yield _page(INVOICES.resource, stretch.rows, cursor)
        yield from self._invoices(touched - read, cursor)

    # --- single records -------------------------------------------------------------------------------------

    def records(self, resource: Resource, remote_ids: Collection[str]) -> Iterator[Page]:
        """These records by id, invoices and customers by forties; unknown ones come as `Deleted`."""
        listed = {Resource.INVOICES: (INVOICES, {}), Resource.CUSTOMERS: (CONTACTS, EVERYBODY)}
        if resource in listed:
            source, filters = listed[resource]
            for batch in _batches(remote_ids):
                answer = self._client.by_ids(source, batch, **filters)
                present = {row.remote_id.lower() for row in answer.rows if row.remote_id}
                absent = [remote_id for remote_id in batch if remote_id.lower() not in present]
                yield _page(resource, answer.rows, "", gone=self._gone(resource, absent, answer.at))
            return
        sources = (CREDIT_NOTES,) if resource is Resource.CREDIT_NOTES else (PAYMENTS, OVERPAYMENTS, PREPAYMENTS)
        for remote_id in remote_ids:
            rows = self._single(sources, remote_id)
            yield _page(resource, rows, "", gone=self._gone(resource, () if rows else (remote_id,), None))

    def _single(self, sources: Iterable[Source], remote_id: str) -> tuple[Row, ...]:
        """An id does not tell whether it is a payment, an overpayment or a prepayment: each is asked in turn."""
        for source in sources:
            answer = self._client.single(source, remote_id)
            if answer is not None and answer.rows:
                return answer.rows
        return ()

    def _gone(self, resource: Resource, remote_ids: Sequence[str], at: datetime | None) -> tuple[Deleted, ...]:
        instant = at or self._clock.now()
        return tuple(Deleted(resource, remote_id, instant) for remote_id in remote_ids)

    def _invoices(self, remote_ids: Collection[str], cursor: str) -> Iterator[Page]:
        for batch in _batches(remote_ids):
            yield _page(INVOICES.resource, self._client.by_ids(INVOICES, batch).rows, cursor)

    def _walk(self, one: Pass, start: Anchor) -> Iterator[Stretch]:
        def read(since: datetime | None, number: int, size: int) -> Any:
            return self._client.page(
                one.source, number=number, size=size, since=since, where=one.where, **one.filters
            )()

        return walk(read, start)

    # --- notes ------------------------------------------------------------------------------------------------

    def write_note(self, note: NoteDraft) -> str:
        """Adds the note to the target's history; its marker, for Xero gives history no ids.

        An organisation that still keeps the old limit gets the beginning of the note, its marker whole.
        """
        try:
            self._client.add_history(note.target, note.text, note.key)
        except Rejected:
            if not _OLD_NOTE_LIMIT < len(note.text) <= _NOTE_LIMIT:
                raise
            self._client.add_history(note.target, _shortened(note), f"{note.key}-s")
        return note.marker

    def find_note(self, target: NoteTarget, marker: str) -> str | None:
        """The marker, where the target's history holds it."""
        return marker if any(marker in text for text in self._client.history(target)) else None

    def notes(self, targets: Collection[NoteTarget], *, since: datetime) -> Iterator[FoundNote]:
        """The notes of arsync at each of these, of any age: one request for each."""
        for target in targets:
            try:
                texts = self._client.history(target)
            except Gone:
                continue
            for text in texts:
                if MARKED in text:
                    yield FoundNote(target, text)

    # --- on demand ----------------------------------------------------------------------------------------------

    def pay_link(self, invoice_id: str) -> str | None:
        """The online invoice's address; one request each."""
        return self._client.online_invoice(invoice_id)

    def invoice_pdf(self, invoice_id: str) -> bytes:
        """The invoice as Xero prints it, at most 10 MB."""
        return self._client.pdf(invoice_id)

    # --- facts on invoices --------------------------------------------------------------------------------------

    def write_fact(self, fact: InvoiceFact) -> None:
        """Sets ExpectedPaymentDate or SentToContact; Rejected also where Xero takes the request and leaves the invoice
        as it is."""
        if fact.kind is WriteKind.SENT:
            updated = self._client.set_on_invoice(fact.invoice_id, {"SentToContact": True}, fact.key)
            stands = updated.sent_to_contact is True
        else:
            # An empty ExpectedPaymentDate changes nothing; the text beside it is said to.
            emptied = {"ExpectedPaymentDateString": ""}
            day = {"ExpectedPaymentDate": fact.expected_on.isoformat()} if fact.expected_on else emptied
            updated = self._client.set_on_invoice(fact.invoice_id, day, fact.key)
            stands = expected_on(updated) == fact.expected_on
        if not stands:
            raise Rejected("Xero took the request and left the invoice as it was")


@dataclass(frozen=True, slots=True)
class _Begun:
    """A walk of which the first page is read."""

    source: Source
    first: Stretch | None
    others: Iterator[Stretch]

    def stretches(self) -> Iterator[Stretch]:
        return chain([self.first] if self.first else [], self.others)


def _shortened(note: NoteDraft) -> str:
    ending = f"... {note.marker}"
    return note.text[: _OLD_NOTE_LIMIT - len(ending)] + ending


def _page(
    resource: Resource,
    rows: Iterable[Row],
    cursor: str,
    *,
    since: date | None = None,
    gone: tuple[Deleted, ...] = (),
) -> Page:
    found: list[Record] = []
    broken = []
    seen = 0
    for row in rows:
        seen += 1
        if row.broken is not None:
            broken.append(row.broken)
        elif row.record is not None and not _used_up(row.record, since):
            found.append(row.record)
    return Page(resource, (*found, *gone), tuple(broken), cursor, seen)


def _used_up(record: Record, since: date | None) -> bool:
    """An old credit of which nothing is left."""
    if since is None:
        return False
    if isinstance(record, CreditNote):
        return record.issued_on < since and not record.unapplied
    return isinstance(record, Payment) and record.received_on < since and not record.unapplied


def _customer_of(row: Row) -> str | None:
    if row.broken is not None:
        return row.broken.customer_id
    return row.record.customer_id if isinstance(row.record, Payment | CreditNote) else None


def _batches(remote_ids: Collection[str]) -> Iterator[list[str]]:
    ids = sorted(remote_ids)
    for begin in range(0, len(ids), _BATCH):
        yield ids[begin : begin + _BATCH]
