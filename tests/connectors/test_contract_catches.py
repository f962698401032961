"""The conformance suite catches what connectors get wrong: a table of broken connectors, each with its clause."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
import requests
from tests.connectors.sandbox_source import QuickBooksBooks, XeroBooks

from arsync.connector import Connector, InvoiceFact, NoteDraft, NoteTarget, Page, Resource
from arsync.domain.documents import Deleted, Invoice, Payment
from arsync.domain.states import WriteKind
from arsync.errors import OutcomeUnknown, Reauthorise, RetryLater, Stale
from arsync.testing.contract import ConnectorContract, Source
from arsync.testing.contract.alone import machine_time
from csv_books import CsvBooks

Pages = Iterator[Page]


class Sound:
    """A connector as it is; its mutants change one thing each."""

    provider = "mutant"

    def __init__(self, sound: Connector) -> None:
        self.sound = sound

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sound, name)

    def every(self, page: Page) -> Page:
        """What becomes of each page."""
        return page

    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Pages:
        return map(self.every, self.sound.backfill(resource, since=since, cursor=cursor))

    def delta(self, cursor: str) -> Pages:
        return map(self.every, self.sound.delta(cursor))

    def records(self, resource: Resource, remote_ids: Collection[str]) -> Pages:
        return map(self.every, self.sound.records(resource, remote_ids))

    def refresh(self, customer_ids: Collection[str], *, cursor: str) -> Pages:
        return map(self.every, self.sound.refresh(customer_ids, cursor=cursor))


def _invoices(page: Page, change: Callable[[Invoice], Invoice]) -> Page:
    return replace(page, records=tuple(change(one) if isinstance(one, Invoice) else one for one in page.records))


# --- reading ----------------------------------------------------------------------------------------------------


class DropsTheLastPage(Sound):
    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Pages:
        pages = list(self.sound.backfill(resource, since=since, cursor=cursor))
        yield from pages[:-1] if resource is Resource.INVOICES else pages


class TakesMoneyForFloats(Sound):
    def every(self, page: Page) -> Page:
        return _invoices(page, lambda one: replace(one, total=float(one.total)))  # type: ignore[arg-type]


class RoundsToWholeUnits(Sound):
    def every(self, page: Page) -> Page:
        return _invoices(page, lambda one: replace(one, balance=one.balance.quantize(Decimal(1))))


class HasInstantsWithoutZone(Sound):
    def every(self, page: Page) -> Page:
        return _invoices(page, lambda one: replace(one, updated_at=one.updated_at.replace(tzinfo=None)))


class ReadsDaysAsInstantsOfAnotherZone(Sound):
    def every(self, page: Page) -> Page:
        return _invoices(page, lambda one: replace(one, due_on=one.due_on and one.due_on - timedelta(days=1)))


class GivesInstantsForDays(Sound):
    def every(self, page: Page) -> Page:
        return _invoices(page, lambda one: replace(one, issued_on=datetime(2026, 1, 1, tzinfo=UTC)))


class SwallowsWhatIsBroken(Sound):
    def every(self, page: Page) -> Page:
        return replace(page, broken=())


class StopsAtWhatIsBroken(Sound):
    def every(self, page: Page) -> Page:
        return replace(page, records=()) if page.broken else page


class ForgetsWhoseItIs(Sound):
    def every(self, page: Page) -> Page:
        return replace(page, broken=tuple(replace(one, customer_id=None) for one in page.broken))


class LosesItsCursor(Sound):
    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Pages:
        return self.sound.backfill(resource, since=since, cursor=None)


class SkipsAPageWhenItGoesOn(Sound):
    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Pages:
        pages = self.sound.backfill(resource, since=since, cursor=cursor)
        if cursor is not None:
            next(pages, None)
        return pages


class PagesByNumberOverAListThatMoves(Sound):
    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Pages:
        for number in count():
            whole = [one for page in self.sound.backfill(resource, since=since, cursor=None) for one in page.records]
            whole.sort(key=lambda one: (isinstance(one, Invoice) and one.state != "open", one.remote_id))
            records = whole[number * 50 : number * 50 + 50]
            if not records:
                return
            yield Page(resource, tuple(records), (), str(number), len(records))


class NamesItsRecordsAnew(Sound):
    names = count()

    def every(self, page: Page) -> Page:
        return _invoices(page, lambda one: replace(one, remote_id=f"{one.remote_id}-{next(self.names)}"))


class TellsOfTheDeletedInABackfill(Sound):
    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Pages:
        yield from self.sound.backfill(resource, since=since, cursor=cursor)
        yield Page(resource, (Deleted(resource, "0", datetime(2026, 1, 1, tzinfo=UTC)),), (), "{}", 1)


class CountsWrong(Sound):
    def count(self, resource: Resource, *, since: date) -> int:
        return (self.sound.count(resource, since=since) or 0) + 1


class SaysNothingOfUnknownIds(Sound):
    def every(self, page: Page) -> Page:
        return replace(page, records=tuple(one for one in page.records if not isinstance(one, Deleted)))


class RefreshesOnlyWhatChanged(Sound):
    def refresh(self, customer_ids: Collection[str], *, cursor: str) -> Pages:
        return self.sound.delta(cursor)


class IsAnotherCompany(Sound):
    def company(self) -> Any:
        return replace(self.sound.company(), external_id="somebody-else")


# --- changes ----------------------------------------------------------------------------------------------------


class ForgetsPayments(Sound):
    def delta(self, cursor: str) -> Pages:
        for page in self.sound.delta(cursor):
            kept = tuple(one for one in page.records if not isinstance(one, Payment))
            yield replace(page, records=kept)


class ForgetsDeletions(SaysNothingOfUnknownIds):
    pass


class SetsTheWatermarkLate(Sound):
    """Its next delta begins when this one ended."""

    def delta(self, cursor: str) -> Pages:
        for page in list(self.sound.delta(cursor)):
            yield replace(page, cursor=self.sound.watermark())


class TakesABadCursorForNoChange(Sound):
    def delta(self, cursor: str) -> Pages:
        try:
            yield from self.sound.delta(cursor)
        except Stale:
            return


class GivesTheOldestLast(Sound):
    """Each record in a state that it was in before, with a later time stamp."""

    def delta(self, cursor: str) -> Pages:
        for page in self.sound.delta(cursor):
            yield page
            stale = _invoices(page, lambda one: replace(one, balance=one.total, updated_at=one.updated_at + _LATER))
            yield stale


_LATER: Final = timedelta(seconds=1)


# --- notes ------------------------------------------------------------------------------------------------------


class RepeatsNotes(Sound):
    keys = count()

    def write_note(self, note: NoteDraft) -> str:
        return self.sound.write_note(replace(note, key=f"key-{next(self.keys)}"))


class NeverFindsANote(Sound):
    def find_note(self, target: NoteTarget, marker: str) -> str | None:
        return None


class FindsAnyNote(Sound):
    def find_note(self, target: NoteTarget, marker: str) -> str | None:
        return marker


class CutsTheMarkerOff(Sound):
    def write_note(self, note: NoteDraft) -> str:
        return self.sound.write_note(replace(note, text=note.text[:500]))


class WritesOnNothing(Sound):
    def write_note(self, note: NoteDraft) -> str:
        try:
            return self.sound.write_note(note)
        except Exception:  # noqa: BLE001 - that is what is wrong with it
            return note.marker


# --- on a bad line (QuickBooks in the sandbox) --------------------------------------------------------------------


class TakesAnOutageForTheEnd(Sound):
    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Pages:
        try:
            yield from self.sound.backfill(resource, since=since, cursor=cursor)
        except RetryLater:
            return


class ComesBackAtOnce(Sound):
    def watermark(self) -> str:
        return self.sound.watermark()

    def delta(self, cursor: str) -> Pages:
        try:
            yield from self.sound.delta(cursor)
        except RetryLater:
            raise RetryLater("throttled", after=0) from None


class TakesAnOutageForTheEndOfConsent(Sound):
    def delta(self, cursor: str) -> Pages:
        try:
            yield from self.sound.delta(cursor)
        except RetryLater:
            raise Reauthorise from None


class RepeatsALostNote(Sound):
    def write_note(self, note: NoteDraft) -> str:
        try:
            return self.sound.write_note(note)
        except OutcomeUnknown:
            self.sound.write_note(replace(note, key="once-more"))
            raise


class TakesALostNoteForWritten(Sound):
    def write_note(self, note: NoteDraft) -> str:
        try:
            return self.sound.write_note(note)
        except OutcomeUnknown:
            return note.marker


class TellsItsToken(Sound):
    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Pages:
        try:
            yield from self.sound.backfill(resource, since=since, cursor=cursor)
        except RetryLater:
            token = getattr(self.sound, "_books")._transport.access_token  # noqa: B009
            raise RetryLater(f"refused: Bearer {token}") from None


class HasASessionOfItsOwn(Sound):
    def company(self) -> Any:
        with requests.Session() as own:
            own.get("http://127.0.0.1:9/")


class OnlySaysThatItSetAFact(Sound):
    facts: ClassVar = frozenset({WriteKind.EXPECTED_ON})

    def write_fact(self, fact: InvoiceFact) -> None:
        return


@dataclass(frozen=True)
class Case:
    mutant: type[Sound]
    clause: str
    books: type[Source] = CsvBooks


CASES = [
    Case(DropsTheLastPage, "a_backfill_holds_what_the_books_hold"),
    Case(TakesMoneyForFloats, "amounts_are_exact_to_the_cent"),
    Case(RoundsToWholeUnits, "amounts_are_exact_to_the_cent"),
    Case(HasInstantsWithoutZone, "two_backfills_give_the_same_records_under_the_same_ids"),
    Case(ReadsDaysAsInstantsOfAnotherZone, "days_are_the_days_on_the_invoice"),
    Case(GivesInstantsForDays, "days_are_the_days_on_the_invoice"),
    Case(SwallowsWhatIsBroken, "a_broken_record_is_named_and_stops_no_other"),
    Case(StopsAtWhatIsBroken, "a_broken_record_is_named_and_stops_no_other"),
    Case(ForgetsWhoseItIs, "a_broken_record_is_named_and_stops_no_other"),
    Case(LosesItsCursor, "a_backfill_goes_on_after_any_of_its_pages"),
    Case(SkipsAPageWhenItGoesOn, "a_backfill_goes_on_after_any_of_its_pages"),
    Case(PagesByNumberOverAListThatMoves, "a_backfill_loses_nothing_under_edits"),
    Case(NamesItsRecordsAnew, "two_backfills_give_the_same_records_under_the_same_ids"),
    Case(TellsOfTheDeletedInABackfill, "no_deleted_record_comes_in_a_backfill"),
    Case(CountsWrong, "the_count_is_what_a_backfill_sees"),
    Case(SaysNothingOfUnknownIds, "records_come_by_id_and_unknown_ones_as_deleted"),
    Case(RefreshesOnlyWhatChanged, "a_refresh_knows_open_invoices_older_than_its_cursor"),
    Case(IsAnotherCompany, "the_company_is_the_one_that_was_linked"),
    Case(ForgetsPayments, "a_payment_comes_with_what_it_was_put_on"),
    Case(ForgetsDeletions, "what_is_deleted_is_not_owed_any_more"),
    Case(SetsTheWatermarkLate, "what_changes_during_a_delta_comes_with_the_next"),
    Case(TakesABadCursorForNoChange, "a_cursor_that_cannot_be_read_is_stale"),
    Case(GivesTheOldestLast, "a_delta_sees_everything_since_the_watermark"),
    Case(RepeatsNotes, "a_note_written_twice_with_its_key_stands_once"),
    Case(NeverFindsANote, "a_note_is_written_and_found_by_its_marker"),
    Case(FindsAnyNote, "no_note_is_found_where_there_is_none"),
    Case(CutsTheMarkerOff, "a_long_note_is_refused_or_keeps_its_marker"),
    Case(WritesOnNothing, "a_note_on_nothing_is_refused"),
    Case(HasASessionOfItsOwn, "the_connector_uses_only_what_it_was_given"),
    Case(TakesAnOutageForTheEnd, "a_server_that_stays_down_is_asked_later", QuickBooksBooks),
    Case(ComesBackAtOnce, "throttling_that_lasts_comes_later", QuickBooksBooks),
    Case(TakesAnOutageForTheEndOfConsent, "a_server_that_stays_down_is_asked_later", QuickBooksBooks),
    Case(RepeatsALostNote, "a_note_whose_answer_is_lost_is_unknown_and_stands_once", QuickBooksBooks),
    Case(TakesALostNoteForWritten, "a_note_lost_on_its_way_is_not_taken_for_written", QuickBooksBooks),
    Case(OnlySaysThatItSetAFact, "a_fact_set_on_an_invoice_comes_with_the_next_delta", XeroBooks),
    Case(TellsItsToken, "no_secret_is_told", QuickBooksBooks),
]


def play(clause: str, books: type[Source], mutant: type[Sound] | None, request: pytest.FixtureRequest) -> None:
    """One clause on fresh books, over the connector or over a mutant of it."""
    run = getattr(ConnectorContract(), f"test_{clause}")
    with ExitStack() as stack:
        given: dict[str, Any] = {}
        for name in inspect.signature(run).parameters:
            if name == "caplog":
                given[name] = request.getfixturevalue("caplog")
                continue
            source = stack.enter_context(books.opened(request, invoices=150 if name == "large" else 30))
            sound = source.connector
            if mutant is not None:
                source.connector = lambda sound=sound: mutant(sound())  # type: ignore[method-assign,misc,assignment]
            given[name] = source
        run(**given)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.mutant.__name__)
def test_a_broken_connector_is_caught(case: Case, request: pytest.FixtureRequest) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        play(case.clause, case.books, case.mutant, request)


@pytest.mark.parametrize("clause", sorted({case.clause for case in CASES if case.books is CsvBooks}))
def test_the_sound_connector_keeps_the_same_clauses(clause: str, request: pytest.FixtureRequest) -> None:
    play(clause, CsvBooks, Sound, request)


def test_a_package_that_asks_the_machine_for_the_time_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "arsync_hasty"
    package.mkdir()
    (package / "__init__.py").write_text("import time\nfrom datetime import datetime\n\nat = datetime.now()\n")
    (package / "wait.py").write_text("import time\n\n\ndef pause(clock):\n    clock.now()\n    time.sleep(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(machine_time("arsync_hasty")) == ["__init__.py:4 (datetime.now)", "wait.py:6 (time.sleep)"]
