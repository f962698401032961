"""What stands on invoices in the source beside notes: when the money is expected, that it was sent; and where notes go
that people want on the customer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from tests.integration.outbox.office import Books, Office

from arsync.bootstrap import App
from arsync.connector import Resource
from arsync.domain.chase import Hold
from arsync.domain.documents import Invoice
from arsync.domain.states import Health, HoldKind, WriteKind
from arsync.outbox import facts
from arsync.outbox.writeback import Written, write_back
from arsync.store import finding, holds
from arsync.store.finding import FoundInvoice
from arsync.store.notes import Note

Opened = Callable[..., Office]
PROMISED = date(2026, 6, 20)
UPDATE = {"provider": "xero", "method": "POST", "path_contains": "/Invoices/"}


def one_invoice(open_office: Opened, vendor: str = "xero", **more: Any) -> tuple[Office, Books, str, str]:
    """Aldgate owes 900.00, five days late."""
    office = open_office(vendor, **more)
    books = office.books[0]
    customer = books.customer("Aldgate Ltd")
    return office, books, customer, books.invoice(customer, "900.00", days_late=5)


def promise(app: App, invoice: str, on: date = PROMISED) -> None:
    with app.store.working() as work:
        facts.expect(work, 1, invoice, on, now=app.clock.now())
        work.commit()


def known(app: App, invoice: str) -> FoundInvoice:
    with app.store.reading() as work:
        (found,) = finding.find_invoices(work, invoice)
    return found


def written(office: Office, app: App, kind: WriteKind) -> list[Note]:
    return [one for one in office.stored_notes(app) if one.kind is kind]


def updates(office: Office) -> int:
    return sum(
        one["method"] == "POST" and "/Invoices/" in one["path"] and one["effect"]
        for one in office.sandbox.requests()
        if one["provider"] == "xero"
    )


def effects(office: Office, books: Books) -> list[str]:
    return [
        f"{one['method']} {one['path']}"
        for one in office.sandbox.requests()
        if one["effect"] and one["company"] == books.id
    ]


@pytest.fixture(autouse=True)
def _fresh_log(quiet_town: Any) -> None:
    quiet_town.clear_requests()


def test_a_promise_stands_in_xero_and_comes_back_with_the_next_sync(open_office: Opened) -> None:
    """
    06-09 promised for 06-20: written in the night, once
    06-10 the sync reads it from there
    """
    office, _books, _customer, invoice = one_invoice(open_office)
    app = office.load()
    promise(app, invoice)
    night = office.night(app)
    assert night.shifts[0].errors == []
    office.pass_time(days=1)
    office.night(app)
    assert known(app, invoice).expected_on == PROMISED
    assert updates(office) == 1
    (fact,) = written(office, app, WriteKind.EXPECTED_ON)
    assert (fact.state, fact.message_id) == ("written", None)


def hold(app: App, customer: str, invoice: str, until: date = PROMISED) -> int:
    """A promise as `arsync hold` places it."""
    with app.store.working() as work:
        now = app.clock.now()
        named = Hold(HoldKind.PROMISE, "they called", "mia", customer, invoice, begins=now.date(), until=until)
        placed = holds.place(work, 1, named, now=now)
        facts.expect(work, 1, invoice, until, now=now)
        work.commit()
    return placed


def lift(app: App, placed: int) -> bool:
    with app.store.working() as work:
        now = app.clock.now()
        lifted = holds.lift(work, placed, now=now)
        assert lifted is not None and lifted.hold.invoice_id is not None
        told = facts.follow_promises(work, 1, lifted.hold.invoice_id, today=now.date(), now=now)
        work.commit()
    return told


def expected(app: App, invoice: str) -> date | None:
    """What stands in Xero."""
    (page,) = app.connector(app.linked()[0]).records(Resource.INVOICES, [invoice])
    (found,) = page.records
    assert isinstance(found, Invoice)
    return found.expected_on


def write(app: App) -> Written:
    return write_back(app.store, 1, app.connector(app.linked()[0]), app.clock, beat=lambda: None)


EMPTIED = {"xero.expected_date_emptied": "taken"}


def test_a_promise_taken_back_is_taken_from_xero(open_office: Opened) -> None:
    """
    promised for 06-20, then for 06-27: Xero expects 06-27
    the second is taken back: 06-20 again; the first as well: no day
    """
    office, _books, customer, invoice = one_invoice(open_office)
    office.sandbox.switches(EMPTIED)
    app = office.load()
    first = hold(app, customer, invoice)
    write(app)
    second = hold(app, customer, invoice, date(2026, 6, 27))
    write(app)
    assert expected(app, invoice) == date(2026, 6, 27)
    for placed, left in ((second, PROMISED), (first, None)):
        assert lift(app, placed)
        assert write(app).errors == []
        assert expected(app, invoice) == left
    assert {one.state.value for one in written(office, app, WriteKind.EXPECTED_ON)} == {"written"}


def test_a_promise_taken_back_before_it_was_written_never_is(open_office: Opened) -> None:
    office, _books, customer, invoice = one_invoice(open_office)
    app = office.load()
    assert not lift(app, hold(app, customer, invoice)), "Xero has never heard of it"
    write(app)
    assert updates(office) == 0


@pytest.mark.parametrize("since", ["2026-06-30", None])
def test_a_day_that_somebody_else_entered_stays(open_office: Opened, since: str | None) -> None:
    office, books, customer, invoice = one_invoice(open_office)
    office.sandbox.switches(EMPTIED)
    app = office.load()
    placed = hold(app, customer, invoice)
    write(app)
    books.act("edit", invoice=invoice, expected_payment_date=since)
    lift(app, placed)
    assert write(app).errors == []
    assert expected(app, invoice) == (since and date.fromisoformat(since))
    assert updates(office) == 1, "nothing but our own day"
    assert written(office, app, WriteKind.EXPECTED_ON)[-1].state == "superseded"


def test_where_xero_does_not_let_go_of_a_day_it_is_told_once(open_office: Opened) -> None:
    office, _books, customer, invoice = one_invoice(open_office)
    office.sandbox.switches({"xero.expected_date_emptied": "ignored"})
    app = office.load()
    placed = hold(app, customer, invoice)
    write(app)
    lift(app, placed)
    (told,) = write(app).errors
    assert "is promised no more is refused" in told
    assert (write(app).errors, expected(app, invoice)) == ([], PROMISED)


@pytest.mark.parametrize("fault", ["disconnect_before", "disconnect_after"])
def test_what_is_taken_back_waits_for_a_lost_answer(open_office: Opened, fault: str) -> None:
    """The promise's own answer is lost, and it is taken back at once: it may come through yet, and goes after that."""
    office, _books, customer, invoice = one_invoice(open_office)
    office.sandbox.switches(EMPTIED)
    app = office.load()
    placed = hold(app, customer, invoice)
    office.sandbox.fault(fault, UPDATE)
    assert write(app).unknown == 1
    assert lift(app, placed)
    for _ in range(3):
        office.pass_time(minutes=5)
        result = write(app)
    assert (result.unknown, expected(app, invoice)) == (0, None)


def test_what_a_person_enters_there_is_read(open_office: Opened) -> None:
    office, books, _customer, invoice = one_invoice(open_office)
    books.act("edit", invoice=invoice, expected_payment_date="2026-06-30")
    app = office.load()
    assert known(app, invoice).expected_on == date(2026, 6, 30)


def test_only_the_newest_promise_is_written(open_office: Opened) -> None:
    """Promised for 06-20; the first try's answer is lost before it; then for 06-27: 06-27 stands, 06-20 never again."""
    office, _books, _customer, invoice = one_invoice(open_office)
    app = office.load()
    promise(app, invoice)
    promise(app, invoice, date(2026, 6, 27))
    office.night(app)
    assert [one.state.value for one in written(office, app, WriteKind.EXPECTED_ON)] == ["superseded", "written"]
    assert updates(office) == 1
    promise(app, invoice, date(2026, 7, 1))
    office.sandbox.fault("disconnect_before", UPDATE)
    connector = app.connector(app.linked()[0])
    with app.store.working() as work:
        from datetime import timedelta

        from arsync.store import notes

        lost = notes.claim(work, 1, term=timedelta(minutes=5), now=app.clock.now())
        assert lost is not None
        notes.move(
            work, lost, lost.state, type(lost.state).UNKNOWN, reason="lost", now=app.clock.now(),
            tried_at=app.clock.now(),
        )  # fmt: skip
        work.commit()
    promise(app, invoice, date(2026, 7, 8))
    office.sandbox.clear_faults()
    office.night(app)
    office.pass_time(minutes=10)
    office.night(app)
    states = [one.state.value for one in written(office, app, WriteKind.EXPECTED_ON)]
    assert states == ["superseded", "written", "superseded", "written"]
    (page,) = connector.records(Resource.INVOICES, [invoice])
    assert page.records[0].expected_on == date(2026, 7, 8)  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", ["disconnect_before", "disconnect_after"])
def test_a_promise_whose_answer_is_lost_stands_there_all_the_same(open_office: Opened, fault: str) -> None:
    office, _books, _customer, invoice = one_invoice(open_office)
    app = office.load()
    promise(app, invoice)
    office.sandbox.fault(fault, UPDATE)
    night = office.night(app)
    assert night.shifts[0].written.unknown == 0
    assert updates(office) == 1, "set once, found or set again"
    assert [one.state.value for one in written(office, app, WriteKind.EXPECTED_ON)] == ["written"]


@pytest.mark.parametrize("taken", ["refused", "ignored", "taken"])
def test_a_part_paid_invoice_may_not_take_a_date(open_office: Opened, taken: str) -> None:
    """Whether Xero refuses or ignores it cannot be known: either way it is told once and is no task for ever."""
    office, books, _customer, invoice = one_invoice(open_office)
    books.act("pay", invoice=invoice, amount="100.00")
    office.sandbox.switches({"xero.part_paid_expected_date": taken})
    app = office.load()
    promise(app, invoice)
    night = office.night(app)
    assert bool(night.shifts[0].errors) == (taken != "taken")
    assert all("is refused" in error for error in night.shifts[0].errors)
    assert night.tasks == []
    state = "written" if taken == "taken" else "failed"
    assert [one.state.value for one in written(office, app, WriteKind.EXPECTED_ON)] == [state]
    office.pass_time(days=1)
    assert office.night(app).shifts[0].errors == []


def test_a_closed_period_refuses_and_the_notes_go_on(open_office: Opened) -> None:
    office, books, _customer, invoice = one_invoice(open_office)
    books.act("lock_period", until="2026-06-08")
    app = office.load()
    promise(app, invoice)
    night = office.night(app)
    assert "period lock date" in night.shifts[0].errors[0]
    assert len(books.notes()) == 1


def test_quickbooks_has_no_place_for_either_and_is_asked_for_neither(open_office: Opened) -> None:
    office, books, _customer, _invoice = one_invoice(open_office, "quickbooks", defaults='mark_sent = "on"')
    app = office.load()
    (connection,) = app.linked()
    assert app.keeps(connection) == frozenset()
    assert office.night(app).shifts[0].errors == []
    assert [path.rpartition("/")[2] for path in effects(office, books) if "token" not in path] == ["attachable"]


@pytest.mark.parametrize(("setting", "marked"), [('mark_sent = "on"', 1), ("", 0)])
def test_an_invoice_that_was_demanded_is_marked_as_sent_where_that_is_wanted(
    open_office: Opened, setting: str, marked: int
) -> None:
    """Two invoices are demanded, one of them marked already by Xero; a second night marks nothing again."""
    office, books, customer, invoice = one_invoice(open_office, defaults=setting)
    books.invoice(customer, "90.00", days_late=6)
    books.act("edit", invoice=invoice, sent=False)
    app = office.load()
    for _ in range(2):
        assert office.night(app).shifts[0].errors == []
        office.pass_time(days=1)
    assert updates(office) == marked
    office.night(app)
    assert known(app, invoice).sent is bool(marked)
    assert len(office.sent()) == 1, "the mark is no news: no message for it"


def test_a_mark_that_is_refused_troubles_nobody(open_office: Opened) -> None:
    office, books, _customer, invoice = one_invoice(open_office, defaults='mark_sent = "on"')
    books.act("edit", invoice=invoice, sent=False)
    office.sandbox.fault("error", UPDATE, status=400, times=None)
    app = office.load()
    night = office.night(app)
    assert (night.shifts[0].errors, night.tasks) == ([], [])
    assert [one.state.value for one in written(office, app, WriteKind.SENT)] == ["failed"]


def test_with_writes_off_nothing_at_all_is_changed_at_the_source(open_office: Opened, vendor: str) -> None:
    """A message, a mark that is asked for, a promise planned while writing was on: not one effect there."""
    office, books, _customer, invoice = one_invoice(open_office, vendor, writes="off", defaults='mark_sent = "on"')
    if vendor == "xero":
        books.act("edit", invoice=invoice, sent=False)
    app = office.load()
    promise(app, invoice)
    office.sandbox.clear_requests()
    for _ in range(2):
        office.night(app)
        office.pass_time(days=1)
    assert len(office.sent()) == 1
    assert [path for path in effects(office, books) if "token" not in path] == []


def test_a_write_that_we_are_not_let_do_waits_and_the_connection_stays(open_office: Opened, vendor: str) -> None:
    """
    06-09 403 on every note: told, and the connection is as healthy as before
          ten minutes later, let do again: the note is there, and nothing is to do any more
    """
    office, books, _customer, _invoice = one_invoice(open_office, vendor)
    app = office.load()
    path = {"quickbooks": "attachable", "xero": "/History"}[vendor]
    match = {"provider": vendor, "path_contains": path, "method": {"quickbooks": "POST", "xero": "PUT"}[vendor]}
    office.sandbox.fault("error", match, status=403, times=None)
    night = office.night(app)
    assert any("a note" in error for error in night.shifts[0].errors) or vendor == "quickbooks"
    assert app.linked()[0].health is Health.OK
    assert books.notes() == []
    assert [task for task in night.tasks if task.startswith("note ")]
    office.sandbox.clear_faults()
    office.pass_time(minutes=10)
    night = office.night(app)
    assert len(books.notes()) == 1
    assert [task for task in night.tasks if task.startswith("note ")] == []


# --- notes on the customer -----------------------------------------------------------------------------------------

ON_CUSTOMERS = 'note_target = "customer"\n'


def notes_of(books: Books, customer: str) -> str:
    found = {one["id"]: one["notes"] for one in books.sandbox.truth(books.id)["customers"]}
    return str(found[customer])


def test_notes_go_into_the_customers_own_text_where_that_is_wanted(open_office: Opened) -> None:
    office, books, customer, _invoice = one_invoice(open_office, "quickbooks", client=ON_CUSTOMERS)
    books.act("edit_customer", customer=customer, notes="Pays by cheque.")
    app = office.load()
    office.night(app)
    text = notes_of(books, customer)
    assert text.startswith("[arsync]\nEmail sent on 2026-06-09") and text.endswith("Pays by cheque.")
    assert [path for path in effects(office, books) if not path.endswith("/customer")] == [], "no attachment, no memo"
    office.pass_time(days=1)
    office.night(app)
    assert notes_of(books, customer) == text


def test_what_somebody_writes_in_between_stays(open_office: Opened) -> None:
    """A person saves right before our update: 5010, read again, both are there."""
    office, books, customer, _invoice = one_invoice(open_office, "quickbooks", client=ON_CUSTOMERS)
    typed: list[str] = []

    def meanwhile(moment: str, what: str) -> None:
        if moment == "before" and what.startswith("POST") and what.endswith("/customer") and len(typed) < 2:
            typed.append(f"Called at {len(typed)}.")
            books.act("edit_customer", customer=customer, notes=" ".join(typed))

    office.load()
    app = office.app(meanwhile)
    office.night(app)
    text = notes_of(books, customer)
    assert text.count("[arsync:") == 1 and text.endswith("Called at 0. Called at 1.")


@pytest.mark.parametrize("fault", ["disconnect_before", "disconnect_after"])
def test_a_lost_note_on_the_customer_is_there_once(open_office: Opened, fault: str) -> None:
    office, books, customer, _invoice = one_invoice(open_office, "quickbooks", client=ON_CUSTOMERS)
    app = office.load()
    office.sandbox.fault(fault, {"provider": "quickbooks", "method": "POST", "path_contains": "/customer"})
    office.night(app)
    assert notes_of(books, customer).count("[arsync:") == 1
    assert {one.state.value for one in office.stored_notes(app)} == {"written"}


def test_a_full_text_is_a_task_and_keeps_every_word(open_office: Opened) -> None:
    office, books, customer, _invoice = one_invoice(open_office, "quickbooks", client=ON_CUSTOMERS)
    books.act("edit_customer", customer=customer, notes="x" * 1990)
    app = office.load()
    night = office.night(app)
    assert any("notes are full" in task for task in night.tasks)
    assert notes_of(books, customer) == "x" * 1990
