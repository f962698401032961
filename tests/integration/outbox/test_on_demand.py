"""What is asked of the source only when it is needed: payment links, PDFs, and whether it reminds customers itself."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.integration.outbox.office import Books, Office

from arsync.bootstrap import App
from arsync.cli.app import run
from arsync.connector import Connector, OffersPayLinks, PrintsInvoices, pdf_in
from arsync.errors import Gone, Malformed
from arsync.ops.doctor import examine
from arsync.settings import load
from arsync.store import pay_links
from arsync.sync.pay_links import fetch

Opened = Callable[..., Office]
LINKS = 'pay_links = "on"'
NOWHERE = {"quickbooks": "999999", "xero": "00000000-0000-4000-8000-000000000000"}


def one_invoice(open_office: Opened, vendor: str, **more: Any) -> tuple[Office, Books, str]:
    """Aldgate owes 900.00, five days late; it can be paid online."""
    office = open_office(vendor, **more)
    books = office.books[0]
    invoice = books.invoice(books.customer("Aldgate Ltd"), "900.00", days_late=5)
    if vendor == "quickbooks":
        books.act("edit", invoice=invoice, online_payment=True)
    return office, books, invoice


def connector_of(app: App) -> Connector:
    return app.connector(app.linked()[0])


def asked_for_links(office: Office) -> int:
    return sum(
        "OnlineInvoice" in one["path"] or "invoiceLink" in str(one.get("query", one["path"]))
        for one in office.sandbox.requests()
    )


# --- payment links --------------------------------------------------------------------------------------------------


def test_a_message_says_where_to_pay_and_the_link_is_asked_for_once(open_office: Opened, vendor: str) -> None:
    office, _books, invoice = one_invoice(open_office, vendor, defaults=LINKS)
    app = office.load()
    office.sandbox.clear_requests()
    office.night(app)
    (letter,) = office.sent()
    assert "  Pay online:\n  https://" in letter["text"].replace("\r\n", "\n")
    assert office.messages(app)[0].html.count('<a href="https://') >= 1
    assert asked_for_links(office) == 1
    for _ in range(8):
        office.pass_time(days=1)
        office.night(app)
    assert asked_for_links(office) == 1, "kept for ever"
    with app.store.reading() as work:
        assert pay_links.of(work, 1, [invoice])[invoice].startswith("https://")


def test_nothing_is_asked_unless_it_is_wanted(open_office: Opened, vendor: str) -> None:
    office, _books, _invoice = one_invoice(open_office, vendor)
    app = office.load()
    office.sandbox.clear_requests()
    office.night(app)
    assert asked_for_links(office) == 0
    assert "Pay online" not in office.sent()[0]["text"]


def test_no_link_and_no_answer_harm_nobody(open_office: Opened, vendor: str) -> None:
    """An invoice that cannot be paid online, or a source that fails: the message goes out without."""
    office, books, invoice = one_invoice(open_office, vendor, defaults=LINKS)
    if vendor == "quickbooks":
        books.act("edit", invoice=invoice, online_payment=False)
    else:
        office.sandbox.fault("error", {"provider": vendor, "path_contains": "OnlineInvoice"}, status=400, times=None)
    app = office.load()
    night = office.night(app)
    assert night.shifts[0].errors == []
    assert "Pay online" not in office.sent()[0]["text"]
    assert isinstance(connector_of(app), OffersPayLinks)


class _Selling:
    """A connector whose links are dubious."""

    provider = "made-up"

    def __init__(self, url: str) -> None:
        self._url = url
        self.asked = 0

    def pay_link(self, invoice_id: str) -> str | None:
        self.asked += 1
        return self._url


@pytest.mark.parametrize(
    "url",
    ["http://in.xero.com/x", "javascript:alert(1)", 'https://x.example/"><b>', "https://x.example/\r\nBcc: a@b.example",
     "https://", "https://bank@evil.example/", "https://x.example/" + "y" * 2000],
)  # fmt: skip
def test_a_link_that_is_not_plainly_one_never_reaches_a_letter(open_office: Opened, url: str) -> None:
    office, _books, invoice = one_invoice(open_office, "quickbooks")
    app = office.load()
    seller: Any = _Selling(url)
    assert fetch(app.store, 1, seller, [invoice], app.clock) == 0
    fetch(app.store, 1, seller, [invoice], app.clock)
    assert seller.asked == 1, "not asked again before next week"
    with app.store.reading() as work:
        assert pay_links.of(work, 1, [invoice]) == {}


# --- PDFs -------------------------------------------------------------------------------------------------------------


def test_an_invoice_comes_as_pdf_in_memory_and_no_file_is_left(
    open_office: Opened, vendor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox's Xero names the file ../../../invoice.pdf: nobody writes there."""
    office, _books, invoice = one_invoice(open_office, vendor)
    app = office.load()
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    source = connector_of(app)
    assert isinstance(source, PrintsInvoices)
    assert source.invoice_pdf(invoice).startswith(b"%PDF-")
    assert list(tmp_path.rglob("*.pdf")) == []
    with pytest.raises(Gone):
        source.invoice_pdf(NOWHERE[vendor])


def test_arsync_pdf_writes_a_file_of_its_own_name_and_none_over_another(
    open_office: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, books, invoice = one_invoice(open_office, "xero")
    books.act("edit", invoice=invoice, number="../../INV 7")
    office.load()
    monkeypatch.chdir(tmp_path)
    assert run(["--config", str(office.config), "pdf", "../../INV 7"]) == 0
    assert (tmp_path / "invoice-______INV_7.pdf").read_bytes().startswith(b"%PDF-")
    assert run(["--config", str(office.config), "pdf", "../../INV 7"]) == 2


class _Raw:
    """A body that comes in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.taken = 0

    def stream(self, size: int, decode_content: bool = True) -> Iterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece

    def release_conn(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_body_without_end_is_cut_off_and_what_is_no_pdf_is_refused() -> None:
    endless = _Raw(b"%PDF-" + b"x" * 1_000_000 for _ in range(1_000))
    answer = requests.Response()
    answer.raw = endless
    with pytest.raises(Malformed, match="more than"):
        pdf_in(answer)
    assert endless.taken < 15
    other = requests.Response()
    other.raw = _Raw(iter([b"<html>"]))
    with pytest.raises(Malformed, match="not a PDF"):
        pdf_in(other)


# --- the source's own reminders ---------------------------------------------------------------------------------------


def arsync(office: Office, *arguments: str) -> int:
    return run(["--config", str(office.config), *arguments])


def findings(office: Office) -> list[str]:
    found = examine(lambda: load(office.config, environ={}), clock=office.app().clock, read_playbook=lambda _path: [])
    return [f"{one.detail} -> {one.mend}" for one in found if one.subject == "reminders"]


def test_quickbooks_cannot_be_asked_and_a_person_is_once(
    open_office: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    06-09 nobody knows: nothing goes out; the run, doctor and explain ask
    06-09 Ann says they are on: nothing goes out, and why is said
    06-09 Ann turned them off: the message goes out, and nobody asks any more
    """
    office, _books, invoice = one_invoice(open_office, "quickbooks", answered=False)
    app = office.load()
    assert "is not known" in findings(office)[0]
    night = office.night(app)
    assert night.accepted == 0
    assert "arsync reminders our-quickbooks off (or on)" in night.tasks[0]
    assert arsync(office, "explain", f"id:{invoice}") == 0
    assert "whether our-quickbooks sends reminders itself is not known" in capsys.readouterr().out
    assert arsync(office, "reminders", "our-quickbooks", "on", "--author", "Ann") == 0
    night = office.night(app)
    assert night.accepted == 0
    assert ["as Ann said on 2026-06-09: nothing goes" in task for task in night.tasks] == [True]
    assert "Ann said on 2026-06-09" in findings(office)[0].replace("as Ann", "Ann")
    capsys.readouterr()
    arsync(office, "explain", f"id:{invoice}")
    assert "Ann on 2026-06-09 said that the accounting system" in capsys.readouterr().out
    assert arsync(office, "reminders", "our-quickbooks", "off", "--author", "Ann") == 0
    night = office.night(app)
    assert (night.accepted, night.tasks) == (1, [])
    assert findings(office) == []
    capsys.readouterr()
    assert arsync(office, "reminders") == 0
    assert "off, said Ann on 2026-06-09" in " ".join(capsys.readouterr().out.split())


def test_an_answer_reaches_what_is_planned_already(open_office: Opened) -> None:
    """Planned and approved; then somebody says that QuickBooks reminds as well: it does not go out."""
    office, _books, _invoice = one_invoice(open_office, "quickbooks")
    app = office.load()
    office.plan(app)
    assert arsync(office, "reminders", "our-quickbooks", "on", "--author", "Ann") == 0
    assert office.dispatch(app).accepted == []
    assert office.sent() == []


def test_xero_tells_it_itself_and_no_answer_stands_against_it(
    open_office: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    06-09 Xero says that it does not remind; nobody may say otherwise here
    06-09 somebody turns them on at Xero: the run holds the message, and asks a person to turn them off there
    """
    office, books, _invoice = one_invoice(open_office, "xero")
    app = office.load()
    assert findings(office) == []
    assert arsync(office, "reminders", "our-xero", "on", "--author", "Ann") == 2
    assert "says itself that it does not" in capsys.readouterr().err
    assert arsync(office, "reminders", "--json") == 0
    assert '"told": false' in capsys.readouterr().out
    books.act("reminders", enabled=True)
    night = office.night(app)
    assert night.accepted == 0
    assert night.tasks == ["our-xero: it sends reminders itself: nothing goes out before a person turns them off there"]


def test_what_the_configuration_says_of_reminders_wins(open_office: Opened) -> None:
    office, _books, _invoice = one_invoice(open_office, "quickbooks", answered=False, defaults='reminders = "off"')
    app = office.load()
    assert findings(office) == []
    arsync(office, "reminders", "our-quickbooks", "on", "--author", "Ann")
    assert office.night(app).accepted == 1
