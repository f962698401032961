"""What goes with an e-mail: fetched right before it leaves; what cannot be had makes it wait, or it goes without."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from tests.integration.outbox.office import Office, clock_of

from arsync.errors import Malformed, RetryLater
from arsync.resources import bundled
from arsync.store import messages
from arsync.worker import enclosures
from arsync.worker.enclosures import Missing
from arsync.worker.tasks import tasks

Opened = Callable[..., Office]
PLAYBOOK = """\
name: enclosing
gap: 1
window: {weekdays: [mon, tue, wed, thu, fri], opens: "09:00", closes: "17:00"}
steps:
  - {id: friendly, offset: 3, channel: email, tone: friendly, template: friendly, attach: [statement, invoices]%s}
"""


def enclosing(open_office: Opened, vendor: str, folder: Path, more: str = "") -> Office:
    own = folder / "own"
    shutil.copytree(bundled("playbooks") / "templates", own / "templates")
    (own / "enclosing.yaml").write_text(PLAYBOOK % more)
    return open_office(vendor, playbook=str(own / "enclosing.yaml"))


def enclosed(office: Office) -> list[tuple[str, bytes]]:
    (path,) = (office.folder / "outbox").glob("*.eml")
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    return [(str(part.get_filename()), part.get_content()) for part in mail.iter_attachments()]


def test_a_message_takes_its_statement_and_invoices_along(open_office: Opened, vendor: str, tmp_path: Path) -> None:
    office = enclosing(open_office, vendor, tmp_path)
    books = office.books[0]
    customer = books.customer("Aldgate Ltd")
    paid = books.invoice(customer, "80.00", days_late=5)
    books.invoice(customer, "900.00", days_late=5)
    app = office.load()
    office.plan(app)
    books.act("pay", invoice=paid)
    office.pass_time(minutes=5)
    office.night(app)
    files = enclosed(office)
    assert len(files) == 2, "of the invoice that was paid meanwhile there is none"
    assert [re.sub(r"Invoice [^.]+", "Invoice N", name) for name, _ in files] == [
        "Statement of account 2026-06-09 USD.pdf", "Invoice N.pdf",
    ]  # fmt: skip
    assert all(body.startswith(b"%PDF-") for _, body in files)
    (sent,) = [one for one in office.messages(app) if one.state == "accepted"]
    assert "with Statement of account" in sent.reason, "its story tells what went with it"


class Unprintable:
    """A source whose PDFs are broken, or that asks to come back later."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def invoice_pdf(self, invoice_id: str) -> bytes:
        raise self.error


def test_what_cannot_be_had_makes_it_wait_and_is_told_unless_the_step_lets_it_go(
    open_office: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """06-09 the source's PDF is broken: nothing leaves, a person is told / 06-10 it can be had again: it goes."""
    office = enclosing(open_office, "quickbooks", tmp_path)
    books = office.books[0]
    books.invoice(books.customer("Aldgate Ltd"), "900.00", days_late=5)
    app = office.load()
    kind = type(app.connector(app.linked()[0]))
    with monkeypatch.context() as broken:
        broken.setattr(kind, "invoice_pdf", Unprintable(Malformed("no PDF")).invoice_pdf, raising=True)
        assert office.night(app).accepted == 0
        (message,) = office.messages(app)
        assert (message.state.value, message.attempts) == ("approved", 0)
        (task,) = tasks(app.store)
        assert enclosures.WAITS in task

        desk = app.desk(app.linked()[0])
        arguments = (desk.connector, desk.policy, message, app.clock)
        with pytest.raises(Missing, match=r"invoice .*no PDF"):
            enclosures.fetch(app.store, *arguments)
        with app.store.working() as work:
            go = messages.get(work, message.id)
        object.__setattr__(go, "attached", "statement,invoices;go")
        files = enclosures.fetch(app.store, desk.connector, desk.policy, go, app.clock)
        assert (len(files.attachments), len(files.without)) == (1, 1)
        broken.setattr(kind, "invoice_pdf", Unprintable(RetryLater("busy")).invoice_pdf)
        with pytest.raises(RetryLater):
            enclosures.fetch(app.store, desk.connector, desk.policy, go, app.clock)
    office.pass_time(days=1)
    assert office.night(office.app()).accepted == 1
    assert len(enclosed(office)) == 2


def test_a_fault_of_ours_with_one_attachment_makes_that_message_wait_and_stops_no_other(
    open_office: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = enclosing(open_office, "quickbooks", tmp_path)
    books = office.books[0]
    poison = books.invoice(books.customer("Aldgate Ltd"), "900.00", days_late=5)  # the most money goes first
    books.invoice(books.customer("Bigelow Inc"), "100.00", days_late=5)
    app = office.load()
    kind = type(app.connector(app.linked()[0]))
    whole = kind.invoice_pdf  # type: ignore[attr-defined]

    def fails(connector: object, invoice_id: str) -> bytes:
        if invoice_id == poison:
            raise RuntimeError("a fault of ours")
        body: bytes = whole(connector, invoice_id)
        return body

    monkeypatch.setattr(kind, "invoice_pdf", fails)
    night = office.night(app)
    assert night.accepted == 1
    assert not night.shifts[0].errors
    assert {one.amount: (one.state.value, one.attempts) for one in office.messages(app)} == {
        Decimal("900.00"): ("approved", 0), Decimal("100.00"): ("accepted", 1),
    }  # fmt: skip
    (task,) = tasks(app.store)
    assert enclosures.WAITS in task
    assert "RuntimeError" in task


def test_a_pdf_of_40_mb_is_cut_off_told_in_one_line_and_stops_no_other(
    open_office: Opened, vendor: str, tmp_path: Path
) -> None:
    """Over the wire, as the vendor would serve it; on the next day it is a small one, and the message goes."""
    office = enclosing(open_office, vendor, tmp_path)
    books = office.books[0]
    books.invoice(books.customer("Aldgate Ltd"), "900.00", days_late=5)  # the most money goes first
    books.invoice(books.customer("Bigelow Inc"), "100.00", days_late=5)
    app = office.load()
    office.plan(app)
    office.sandbox.fault("oversize", {"provider": vendor, "accept": "application/pdf"})
    office.dispatch(app)
    assert {one.amount: one.state.value for one in office.messages(app)} == {
        Decimal("900.00"): "approved", Decimal("100.00"): "accepted",
    }  # fmt: skip
    (task,) = tasks(app.store)
    number = "1001" if vendor == "quickbooks" else "INV-1001"
    assert task.endswith(f": it waits for what goes with it: invoice {number}: a PDF of more than 10 MB"), task
    assert "\n" not in task
    office.pass_time(days=1)
    assert office.night(office.app()).accepted == 1


def test_what_is_paid_while_attachments_are_fetched_is_not_chased(
    open_office: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetching takes five minutes, and in the meantime the money comes."""
    office = enclosing(open_office, "quickbooks", tmp_path)
    books = office.books[0]
    invoice = books.invoice(books.customer("Aldgate Ltd"), "900.00", days_late=5)
    app = office.load()
    office.plan(app)

    def slowly(*_: object) -> enclosures.Enclosures:
        books.act("pay", invoice=invoice)
        office.pass_time(minutes=5)
        clock_of(app).machine += 300.0
        return enclosures.Enclosures()

    monkeypatch.setattr(enclosures, "fetch", slowly)
    office.dispatch(app)
    assert (office.sent(), office.states(app)) == ([], ["superseded"])
