"""Restored, copied, made anew: what stands in the source as sent is known before anything goes out again."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfile

import pytest
from tests.integration.outbox.office import VENDORS, Office, an_office

from arsync.bootstrap import App
from arsync.domain.states import Health, MessageState
from arsync.sandbox.launch import SandboxControl
from arsync.store import connections, messages
from arsync.store.connections import Connection
from arsync.sync.trust import trust

NOTES = {"quickbooks": "attachable", "xero": "/History"}


def snapshot(office: Office, app: App, to: Path) -> None:
    """A backup as one is made: the database alone, after everything so far is in it."""
    with app.store.working() as work:
        work.connection.exec_driver_sql("SELECT 1")
    app.close()
    copyfile(office.folder / "arsync.db", to)


def restored(office: Office, backup: Path) -> App:
    for leftover in office.folder.glob("arsync.db*"):
        leftover.unlink()
    copyfile(backup, office.folder / "arsync.db")
    app = office.app()
    office.regrant(app, office.books[0].provider)
    return app


def the_one(app: App) -> Connection:
    (connection,) = app.linked()
    return connection


def steps(office: Office, app: App) -> list[tuple[str, str]]:
    return [(message.step_id, message.state.value) for message in office.messages(app)]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_restored_database_adopts_what_was_sent_after_the_backup(
    sandbox: SandboxControl, tmp_path: Path, vendor: str
) -> None:
    """
    06-09 08:00  backup
    06-09 09:00  friendly to Aldgate (two invoices) and to Bigelow (six: one note on the customer, one on the oldest)
    06-10        the backup is restored; night: the notes in the source are noticed, nothing goes out
    06-10 later  night: both are adopted as sent on 06-09; nothing goes out
    06-23        firm, once: the ladder stands where it stood
    """
    with an_office(sandbox, tmp_path, vendor) as office:
        (book,) = office.books
        aldgate, bigelow = book.customer("Aldgate Ltd"), book.customer("Bigelow Inc")
        for late in (5, 6):
            book.invoice(aldgate, f"3{late}.00", days_late=late)
        for late in range(4, 10):
            book.invoice(bigelow, f"1{late:02}.00", days_late=late)
        app = office.load()
        snapshot(office, app, tmp_path / "backup.db")
        office.night(office.app())
        assert len(office.sent()) == 2
        notes = len(book.notes())
        office.pass_time(days=1)
        app = restored(office, tmp_path / "backup.db")
        night = office.night(app)
        assert len(office.sent()) == 2
        assert the_one(app).health is Health.RECOVERING
        assert any("this database does not know" in error for error in night.shifts[0].errors)
        again = office.night(app)
        assert the_one(app).health is Health.OK
        told = [one.shifts[0].adopted for one in (night, again, office.night(app))]
        assert (told[0] > 0, sum(told), told[2]) == (True, 2, 0), "each run says what it took for sent"
        adopted = [m for m in office.messages(app) if m.state is MessageState.ACCEPTED]
        assert sorted((m.step_id, str(m.sent_on)) for m in adopted) == [("friendly", "2026-06-09")] * 2
        with app.store.reading() as work:
            about = sorted(len(messages.items(work, m.id)) for m in adopted)
        assert about == [2, 6], "of the six one invoice bears a line, the customer the list"
        assert len(office.sent()) == 2
        assert len(book.notes()) == notes, "nothing is noted twice"


def test_notes_in_the_customers_own_text_are_read_back(sandbox: SandboxControl, tmp_path: Path) -> None:
    """
    06-09 09:00  friendly to Aldgate, noted in its own text; the database from before it is restored
    06-09 later  the text is read back: adopted as sent, about that invoice; nothing goes out again
    """
    with an_office(sandbox, tmp_path, "quickbooks", client='note_target = "customer"\n') as office:
        (book,) = office.books
        owed = book.invoice(book.customer("Aldgate Ltd"), "35.00", days_late=5)
        app = office.load()
        snapshot(office, app, tmp_path / "backup.db")
        office.night(office.app())
        app = restored(office, tmp_path / "backup.db")
        for _ in range(2):
            office.night(app)
        assert the_one(app).health is Health.OK
        assert len(office.sent()) == 1
        (adopted,) = [message for message in office.messages(app) if message.state is MessageState.ACCEPTED]
        with app.store.reading() as work:
            assert [item.invoice_id for item in messages.items(work, adopted.id)] == [owed]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_message_that_the_backup_still_had_to_send_is_taken_for_sent(
    sandbox: SandboxControl, tmp_path: Path, vendor: str
) -> None:
    with an_office(sandbox, tmp_path, vendor) as office:
        (book,) = office.books
        book.invoice(book.customer("Aldgate Ltd"), "900.00", days_late=5)
        app = office.load()
        office.plan(app)
        snapshot(office, app, tmp_path / "backup.db")
        office.night(office.app())
        (letter,) = office.sent()
        app = restored(office, tmp_path / "backup.db")
        told = [office.night(app).shifts[0].adopted for _ in range(2)]
        assert sum(told) == 1, "the run that takes it for sent says so"
        assert len(office.sent()) == 1
        (message,) = office.messages(app)
        assert (message.key, message.state) == (letter["key"], MessageState.ACCEPTED)
        assert len(book.notes()) == 1


@pytest.mark.parametrize("tried", [False, True])
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_note_that_was_still_to_be_written_at_the_backup_is_not_written_again(
    sandbox: SandboxControl, tmp_path: Path, vendor: str, tried: bool
) -> None:
    """
    06-09 09:00  the message is accepted; its note waits, perhaps because the source asked to slow down; backup
    06-09 11:00  the note is written
    06-10        the backup is restored and nobody says so; nothing is to be sent: the note stands once
    """
    with an_office(sandbox, tmp_path, vendor) as office:
        (book,) = office.books
        book.invoice(book.customer("Aldgate Ltd"), "900.00", days_late=5)
        app = office.load()
        office.plan(app)
        office.dispatch(app)
        if tried:
            writes = {
                "provider": vendor,
                "method": "PUT" if vendor == "xero" else "POST",
                "path_contains": NOTES[vendor],
            }
            sandbox.fault("throttle", writes, times=None, seconds=3600)
            office.night(app)
            sandbox.clear_faults()
        assert [note.state.value for note in office.stored_notes(app)] == ["pending"]
        snapshot(office, app, tmp_path / "backup.db")
        office.pass_time(hours=2)
        office.night(office.app())
        assert len(book.notes()) == 1
        office.pass_time(days=1)
        app = restored(office, tmp_path / "backup.db")
        office.night(app)
        office.night(app)
        assert len(book.notes()) == 1
        assert [note.state.value for note in office.stored_notes(app)] == ["written"]
        assert the_one(app).health is Health.OK


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_second_installation_on_one_company_is_held_until_a_person_says_which_one_stays(
    sandbox: SandboxControl, tmp_path: Path, vendor: str
) -> None:
    with an_office(sandbox, tmp_path / "first", vendor) as office:
        (book,) = office.books
        book.invoice(book.customer("Aldgate Ltd"), "900.00", days_late=5)
        office.load()
        office.night()
        assert len(office.sent()) == 1
        second = Office(sandbox, tmp_path / "second", office.books)
        second.folder.mkdir()
        office.books[0].card["refresh_token"] = sandbox.grant(book.id)["refresh_token"]
        app = second.load()
        assert the_one(app).health is Health.SUSPECT
        assert "two installations on one company" in the_one(app).health_reason
        second.night(app)
        assert second.sent() == []
        connection = the_one(app)
        trust(app.store, connection, app.connector(connection), app.clock, author="Ada", reason="the other is gone")
        second.night(app)
        assert the_one(app).health is Health.OK
        assert second.sent() == [], "what the other sent counts as sent"
        assert steps(second, app) == [("friendly", "accepted")]
        second.close()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_first_connect_to_a_company_without_notes_is_quick(
    sandbox: SandboxControl, tmp_path: Path, vendor: str
) -> None:
    """Thirty overdue invoices: one request at QuickBooks, ten at Xero, and messages go out the same morning."""
    with an_office(sandbox, tmp_path, vendor) as office:
        (book,) = office.books
        for number in range(30):
            book.invoice(book.customer(f"Firm{number} Ltd"), "90.00", days_late=5)
        last = (sandbox.requests() or [{"n": 0}])[-1]["n"]
        app = office.load()
        asked = [one for one in sandbox.requests(last) if one["company"] == book.id]
        reads = [one for one in asked if "History" in one["path"] or "ttachable" in str(one)]
        assert the_one(app).health is Health.OK
        assert len(reads) <= {"quickbooks": 1, "xero": 10}[vendor]
        with app.store.reading() as work:
            assert connections.cursor(work, the_one(app).id, "notes").done
