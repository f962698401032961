"""Every accepted message ends as exactly one note at each of its targets, whatever the source does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.outbox.office import Books, Office, clock_of, elsewhere

from arsync.bootstrap import App
from arsync.errors import Malformed, Stopped
from arsync.outbox import writeback

Opened = Callable[..., Office]
_PATHS = {"quickbooks": "attachable", "xero": "/History"}
_METHODS = {"quickbooks": "POST", "xero": "PUT"}


def write_of(vendor: str) -> dict[str, str]:
    return {"provider": vendor, "path_contains": _PATHS[vendor], "method": _METHODS[vendor]}


def two_invoices(open_office: Opened, vendor: str, **more: Any) -> tuple[Office, Books]:
    """Aldgate owes two invoices, one letter: two notes."""
    office = open_office(vendor, **more)
    books = office.books[0]
    customer = books.customer("Aldgate Ltd")
    for amount in ("900.00", "90.00"):
        books.invoice(customer, amount, days_late=5)
    return office, books


def per_target(books: Books) -> list[int]:
    return sorted(Counter((note["target_type"], note["target_id"]) for note in books.notes()).values())


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "disconnect_before", "disconnect_after"])
def test_a_note_whose_answer_is_lost_is_there_exactly_once(open_office: Opened, vendor: str, fault: str) -> None:
    """The same night settles it: read, waited out, read again, and written only where it is not there."""
    office, books = two_invoices(open_office, vendor)
    app = office.load()
    office.sandbox.fault(fault, write_of(vendor), seconds=0.1)
    night = office.night(app)
    written = night.shifts[0].written
    assert per_target(books) == [1, 1]
    assert (written.written + written.found, written.unknown) == (2, 0)
    assert written.found == (1 if fault.endswith("after") else 0)
    assert {note.state.value for note in office.stored_notes(app)} == {"written"}
    waited = clock_of(app).waited
    assert waited > 180 if fault.endswith("before") else waited < 5, "a note that is not there is waited for"


@pytest.mark.parametrize("fault", ["disconnect_before", "disconnect_after"])
def test_a_lost_note_is_settled_days_later_when_no_vendor_remembers_its_key(
    open_office: Opened, vendor: str, fault: str
) -> None:
    """
    06-09 the answer to the first note is lost, and then the source can be read no more
    06-11 it answers again: one note at each target
    """
    office, books = two_invoices(open_office, vendor)
    app = office.load()
    office.sandbox.fault(fault, write_of(vendor))
    connector = _Unreadable.of(office, app)
    night = office.night(app)
    assert night.shifts[0].written.unknown == 1
    assert [task for task in night.tasks if "is unknown" in task]
    connector.readable = True
    office.pass_time(days=2)
    night = office.night(app)
    assert night.tasks == []
    assert per_target(books) == [1, 1]


class _Unreadable:
    """A connector whose history cannot be read for a while."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.readable = False

    @classmethod
    def of(cls, office: Office, app: App) -> _Unreadable:
        (connection,) = app.linked()
        one = cls(app.connector(connection))
        app.__dict__["connector"] = lambda _connection: one
        return one

    def find_note(self, *given: Any) -> Any:
        if not self.readable:
            raise Malformed("no history today")
        return self._real.find_note(*given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _ToldToStop:
    """A connector that is told to stop while its first note waits for its turn at the vendor's limit, or after it."""

    def __init__(self, real: Any, *, after: bool) -> None:
        self._real, self._after = real, after

    def write_note(self, draft: Any) -> Any:
        if self._after:
            self._real.write_note(draft)
        raise Stopped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize("after", [False, True], ids=["waiting", "written"])
def test_a_note_that_a_stopped_worker_has_not_begun_is_another_s_to_write_at_once(
    open_office: Opened, vendor: str, after: bool
) -> None:
    """Told to stop before the first byte of a note: it stays to be written. After it: unknown. Nothing else begins."""
    office, books = two_invoices(open_office, vendor)
    app = office.load()
    (connection,) = app.linked()
    stopped = _ToldToStop(app.connector(connection), after=after)
    app.__dict__["connector"] = lambda _connection: stopped
    with pytest.raises(Stopped):
        office.night(app)
    assert [note.state.value for note in office.stored_notes(app)] == ["unknown" if after else "pending", "pending"]
    assert [note.attempts for note in office.stored_notes(app)] == [int(after), 0]
    app = office.app()
    office.night(app)
    assert per_target(books) == [1, 1]
    assert clock_of(app).waited < 5


def test_two_readings_are_needed_before_a_note_is_written_again(open_office: Opened) -> None:
    """A note that appears between the two readings is found, not doubled."""
    office, books = two_invoices(open_office, "xero")
    app = office.load()
    (connection,) = app.linked()
    real = app.connector(connection)
    held_back: list[Any] = []
    readings: list[bool] = []

    class Slow:
        """Loses the first note, and shows it only after the first reading."""

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def write_note(self, note: Any) -> str:
            if not held_back:
                held_back.append(note)
                from arsync.errors import OutcomeUnknown

                raise OutcomeUnknown("no answer")
            return real.write_note(note)

        def find_note(self, target: Any, marker: str) -> str | None:
            found = real.find_note(target, marker)
            readings.append(found is not None)
            if len(readings) == 2:  # the first that counts: the one before was too early
                real.write_note(held_back[0])
            return found

    app.__dict__["connector"] = lambda _connection: Slow()
    office.night(app)
    assert readings == [False, False, True]
    assert per_target(books) == [1, 1]


def test_a_refused_note_is_tried_a_few_times_and_then_a_task(open_office: Opened, vendor: str) -> None:
    """The other note is written the first night; the message is not sent again for it."""
    office, books = two_invoices(open_office, vendor)
    app = office.load()
    # Xero is asked once more with a shorter text: its limit is not documented.
    office.sandbox.fault("error", write_of(vendor), status=400, times=2 if vendor == "xero" else 1)
    office.night(app)
    assert sorted(note.state.value for note in office.stored_notes(app)) == ["pending", "written"]
    office.sandbox.fault("error", write_of(vendor), status=400, times=None)
    for _ in range(2 * writeback.TRIES):
        office.pass_time(hours=2)
        office.night(app)
    (failed,) = [note for note in office.stored_notes(app) if note.state == "failed"]
    assert failed.attempts == writeback.TRIES
    night = office.night(app)
    numbers = {one["id"]: one["number"] for one in books.sandbox.truth(books.id)["invoices"]}
    told = f"note {failed.id} on invoice {numbers[failed.target.remote_id]} is failed"
    assert [task for task in night.tasks if task.startswith(told)]
    assert per_target(books) == [1]
    assert len(office.sent()) == 1


def test_a_throttled_note_is_written_later_and_once(open_office: Opened, vendor: str) -> None:
    office, books = two_invoices(open_office, vendor)
    app = office.load()
    office.sandbox.fault("throttle", write_of(vendor), times=2, seconds=30)
    for _ in range(3):
        office.night(app)
        office.pass_time(minutes=3)
    assert per_target(books) == [1, 1]
    assert {note.state.value for note in office.stored_notes(app)} == {"written"}


def test_notes_that_were_throttled_for_nights_have_all_their_tries(open_office: Opened) -> None:
    """
    06-09 .. 06-15 the source asks to slow down for an hour: the notes wait
    06-16 it refuses them once: not the end
    06-17 one note at each target
    """
    office, books = two_invoices(open_office, "xero")
    app = office.load()
    office.sandbox.fault("throttle", write_of("xero"), times=None, seconds=3600)
    for _ in range(writeback.TRIES + 2):
        office.night(app)
        office.pass_time(days=1)
    office.sandbox.clear_faults()
    office.sandbox.fault("error", write_of("xero"), status=400, times=4)  # each is tried shorter at once
    office.night(app)
    assert {note.state.value for note in office.stored_notes(app)} == {"pending"}
    office.pass_time(days=1)
    office.night(app)
    assert per_target(books) == [1, 1]


def test_without_consent_notes_wait_and_lose_no_tries(open_office: Opened) -> None:
    """
    06-09 the message is accepted; then the consent ends: the notes wait
    06-10 .. 06-16 still no consent
    06-17 consent again: one note at each target
    """
    office, books = two_invoices(open_office, "quickbooks")
    app = office.load()
    office.plan(app)
    office.dispatch(app)
    _end_consent(office, app)
    for _ in range(7):
        office.pass_time(days=1)
        night = office.night(app)
        assert [task for task in night.tasks if "reauthorise" in task]
    assert {note.state.value for note in office.stored_notes(app)} == {"pending"}
    office.regrant(app, "quickbooks")
    office.pass_time(days=1)
    assert office.night(app).tasks == []
    assert per_target(books) == [1, 1]


def _end_consent(office: Office, app: App) -> None:
    """The refresh token is not the vendor's any more, and the access token soon is not either."""
    from arsync.connector import TokenPair
    from arsync.store import connections
    from arsync.store.vault import dump_pair

    with app.store.working() as work:
        (connection,) = connections.connections(work)
        ended = TokenPair("", "RT-long-gone", app.clock.now())
        connections.replace_tokens(work, connection.grant_id, app.vault.seal(dump_pair(ended)), now=app.clock.now())
        work.commit()


@pytest.mark.parametrize("place", ["claimed", "about to write"])
def test_a_worker_that_wakes_late_does_not_write_the_note(open_office: Opened, vendor: str, place: str) -> None:
    """
    the worker has claimed a note and is suspended, right away or before its request's first byte;
    ten minutes later another finds nothing in the source, twice, and writes it;
    the first wakes, when no vendor remembers the key: it must not write
    """
    office, books = two_invoices(open_office, vendor)
    office.load()
    other = office.app()
    app: App
    woken: list[str] = []

    def stands_there(moment: str, what: str) -> bool:
        if place == "claimed":
            return (moment, what) == ("after", "commit") and "claimed" in [
                one.state for one in office.stored_notes(other)
            ]
        return moment == "before" and what.startswith(_METHODS[vendor]) and _PATHS[vendor] in what

    def meanwhile(moment: str, what: str) -> None:
        if woken or not stands_there(moment, what):
            return
        woken.append(what)
        clock_of(app).machine += 600
        office.pass_time(minutes=10)
        (connection,) = other.linked()
        connector = other.connector(connection)
        elsewhere(lambda: write_all(other, connection.id, connector))
        assert per_target(books) == [1, 1]
        office.pass_time(minutes=10)

    app = office.app(meanwhile)
    office.night(app)
    assert woken
    assert per_target(books) == [1, 1]
    assert {note.state.value for note in office.stored_notes(app)} == {"written"}


def write_all(app: App, connection_id: int, connector: Any) -> None:
    """What a night does about notes."""
    written = writeback.write_back(app.store, connection_id, connector, app.clock, beat=lambda: None)
    writeback.wait_for_unknown(app.store, connection_id, connector, app.clock, written, beat=lambda: None)
    assert written.unknown == 0


@pytest.mark.parametrize("bumps", [False, True])
def test_our_own_notes_are_no_reason_to_chase_again(open_office: Opened, bumps: bool) -> None:
    """
    06-09 friendly, a note on each invoice, which are changed invoices for Xero by then, or not
    06-09 again: nothing; 06-10: nothing
    """
    office, books = two_invoices(open_office, "xero")
    office.sandbox.switches({"xero.note_bumps_record": bumps})
    app = office.load()
    assert office.night(app).accepted == 1
    assert office.night(app).accepted == 0
    office.pass_time(days=1)
    assert office.night(app).accepted == 0
    assert office.states(app) == ["accepted"]
    assert per_target(books) == [1, 1]


def test_writes_off_writes_nothing(open_office: Opened, vendor: str) -> None:
    office, books = two_invoices(open_office, vendor, writes="off")
    app = office.load()
    assert office.night(app).accepted == 1
    assert books.notes() == []
    assert office.stored_notes(app) == []
    office.configure(writes="on")
    office.pass_time(days=1)
    office.night(office.app())
    assert books.notes() == [], "what was sent while writing was off owes no note"


def test_five_invoices_make_one_note_on_the_customer_and_one_line_on_the_oldest(
    open_office: Opened, vendor: str
) -> None:
    office = open_office(vendor)
    books = office.books[0]
    customer = books.customer("Aldgate Ltd")
    ids = [books.invoice(customer, f"{100 + late}.00", days_late=late) for late in (5, 6, 9, 7, 8)]
    app = office.load()
    assert office.night(app).accepted == 1
    targets = {(note["target_type"], note["target_id"]) for note in books.notes()}
    assert targets == {("customer", customer), ("invoice", ids[2])}
    assert per_target(books) == [1, 1]
