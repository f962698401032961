"""The pile of letters on the desk: what the commands do, by the same look at the source."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient
from tests.integration.outbox.office import Office
from tests.integration.outbox.test_letters import paper
from tests.integration.web.conftest import PASSWORD, Guest
from tests.integration.web.pages import Page

from arsync.bootstrap import App
from arsync.domain.roles import Role
from arsync.store import users
from arsync.web import passwords
from arsync.web.app import create

Opened = Callable[..., Office]


def collector(app: App) -> Guest:
    """Ann, logged in."""
    with app.store.working() as work:
        hashed = passwords.hashed(PASSWORD, "ann")
        users.add(work, "ann", Role.COLLECTOR, None, password=hashed, now=app.clock.now())
        work.commit()
    return comes(TestClient(create(app), base_url="http://localhost:8600"))


def comes(client: TestClient) -> Guest:
    """Ann, with a session of that day's."""
    assert Guest(client, None).send("/login", name="ann", password=PASSWORD).status == 303
    return Guest(client, "ann")


def files(page: Page) -> dict[str, bytes]:
    """What a page gives to keep."""
    found = re.findall(r'href="data:application/pdf;base64,([^"]+)" download="([^"]+)"', page.source)
    return {name: b64decode(written) for written, name in found}


def test_letters_are_read_again_before_they_are_printed_and_before_they_are_posted(
    open_office: Opened, tmp_path: Path
) -> None:
    """
    06-09 three letters on the pile, one paid since: two are printed, the third is not
    06-09 printed once more: both stay as they are
    06-10 one of the two is paid as well: the other is posted, the paper of that one is taken out
    """
    office, books = paper(open_office, "quickbooks", tmp_path)
    names = ("Aldgate Ltd", "Borough Ltd", "Camden Ltd")
    invoices = [books.invoice(books.customer(name), "500.00", days_late=5) for name in names]
    app = office.load()
    assert office.night(app).accepted == 0
    ann = collector(app)
    listed = ann.get("/letters")
    assert "3 to print, 0 to post" in listed.text
    assert "Letters 3" in ann.get("/").text

    books.act("pay", invoice=invoices[2])
    office.pass_time(minutes=5)
    printed = ann.send("/letters/1/print")
    assert "2 of L1 are to be put on paper" in printed.text
    assert "Must not go out Camden Ltd" in printed.text
    assert {name: body[:5] for name, body in files(printed).items()} == {"L1.pdf": b"%PDF-", "L1-list.pdf": b"%PDF-"}
    again = ann.send("/letters/1/print")
    assert "Nothing of L1 was printed. 2 were printed before" in again.text
    assert files(again) == {}
    assert office.states(app) == ["approved", "approved", "superseded"]

    office.pass_time(days=1)
    books.act("pay", invoice=invoices[1])
    office.pass_time(minutes=5)
    ann = comes(ann.client)
    posted = ann.send("/letters/1/posted", on="2026-06-10")
    assert "1 of L1 are kept as posted on Jun 10, 2026" in posted.text
    assert "Must not go out Borough Ltd" in posted.text
    assert "take its paper out of the pile" in posted.text
    assert office.states(app) == ["accepted", "superseded", "superseded"]
    out = posted.form("/letters/1/taken-out")
    assert "1 of L1 are kept as taken out" in ann.send("/letters/1/taken-out", letter=out.fields["letter"]).text
    assert "No letter is to be printed or posted." in ann.get("/letters").text


def test_without_the_source_nothing_is_printed_and_a_day_to_come_is_no_day_of_posting(
    open_office: Opened, tmp_path: Path
) -> None:
    office, books = paper(open_office, "quickbooks", tmp_path)
    books.invoice(books.customer("Aldgate Ltd"), "500.00", days_late=5)
    app = office.load()
    office.night(app)
    ann = collector(app)
    wrong = ann.send("/letters/1/posted", on="2026-06-30")
    assert (wrong.status, "is still to come" in wrong.text) == (422, True)
    office.sandbox.fault("error", {"provider": "quickbooks"}, status=503, times=50)
    dark = ann.send("/letters/1/print")
    assert dark.status == 502
    assert "Nothing was done:" in dark.text
    assert files(dark) == {}
    assert office.states(app) == ["approved"]
