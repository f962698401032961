"""The morning's page goes to our own people with the first run of a day, before anything of that day goes out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes

import pytest
from tests.integration.outbox.office import Office

from arsync.bootstrap import App
from arsync.channel.contract import Envelope, Receipt
from arsync.channel.file import FileChannel
from arsync.cli.night import work_night
from arsync.store import leases
from arsync.worker.jobs import held_lock

Opened = Callable[..., Office]


def with_digest(office: Office, *lines: str) -> App:
    office.load()
    said = office.config.read_text(encoding="utf-8")
    office.config.write_text(said.replace("[delivery]\n", "\n".join(["[delivery]", *lines, ""])), encoding="utf-8")
    return office.app()


def mailed(office: Office) -> list[str]:
    """The recipients of every mail, in the order in which they went."""
    files = sorted((office.folder / "outbox").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    return [str(message_from_bytes(path.read_bytes())["To"]) for path in files]


@pytest.fixture
def office(open_office: Opened) -> Office:
    """One Ltd owes 900.00."""
    opened = open_office("quickbooks", channel="file")
    books = opened.books[0]
    books.invoice(books.customer("One Ltd", "jane@one.example"), "900.00", days_late=5)
    return opened


def test_it_goes_once_a_day_before_the_messages_it_tells_of(office: Office) -> None:
    app = with_digest(office, 'digest = "daily"', 'digest_to = "us@harbour.example"')
    night = work_night(app, app.linked())
    assert [to.split("<")[-1].strip(">") for to in mailed(office)] == ["us@harbour.example", "jane@one.example"]
    assert night.acted == ["the digest of 2026-06-09 was sent to us@harbour.example"]
    (page,) = (office.folder / "outbox").glob("digest-*.eml")
    told = page.read_text(encoding="utf-8")
    assert "1 message goes out" in told
    assert "One Ltd" in told
    assert work_night(app, app.linked()).acted == []


def test_where_it_cannot_go_the_run_says_so_and_goes_on(office: Office) -> None:
    app = with_digest(office, 'digest = "daily"')
    night = work_night(app, app.linked())
    assert any("delivery.digest_to is missing" in task for task in night.tasks)
    assert [message.state.value for message in office.messages(app)] == ["accepted"]


def test_a_fault_of_ours_does_not_lose_the_page_of_the_day(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    app = with_digest(office, 'digest = "daily"', 'digest_to = "us@harbour.example"')

    def broken(self: FileChannel, envelope: object) -> object:
        raise ValueError("before the first byte")

    with monkeypatch.context() as patched:
        patched.setattr(FileChannel, "send", broken)
        work_night(app, app.linked())
    assert work_night(app, app.linked()).acted == ["the digest of 2026-06-09 was sent to us@harbour.example"]


def test_a_fault_of_ours_after_its_first_byte_is_told_and_sends_no_second_one(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = with_digest(office, 'digest = "daily"', 'digest_to = "us@harbour.example"')
    kept = FileChannel.send

    def broken(self: FileChannel, envelope: Envelope) -> object:
        kept(self, envelope)
        if "digest" in envelope.message_id:
            raise ValueError("after the last byte")
        return Receipt("")

    monkeypatch.setattr(FileChannel, "send", broken)
    night = work_night(app, app.linked())
    assert any("the digest of 2026-06-09 was perhaps sent" in task for task in night.tasks)
    assert work_night(app, app.linked()).acted == []
    assert len(list((office.folder / "outbox").glob("digest-*.eml"))) == 1


def test_a_run_for_one_company_waits_neither_for_another_company_nor_for_another_page(open_office: Opened) -> None:
    """Xero's company is being worked for / then another process mails the page."""
    office = open_office("quickbooks", "xero", channel="file")
    app = with_digest(office, 'digest = "daily"', 'digest_to = "us@harbour.example"')
    (ours,), (other,) = app.linked(["our-quickbooks"]), app.linked(["our-xero"])
    lease = leases.Lease(app.store, app.clock, "digest", timedelta(minutes=5))
    lease.take()
    assert work_night(app, [ours]).acted == []
    lease.drop()
    lock = held_lock(app.store, app.clock, [other])
    try:
        assert work_night(app, [ours]).acted == ["the digest of 2026-06-09 was sent to us@harbour.example"]
    finally:
        lock.drop()
