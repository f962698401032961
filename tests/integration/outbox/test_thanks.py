"""Who paid what was asked for is thanked once: also where nothing more is owed, never where it was written off."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.integration.outbox.office import Office

from arsync.bootstrap import App
from arsync.resources import bundled

Opened = Callable[..., Office]

PLAYBOOK = """\
name: thankful
gap: 1
window: {weekdays: [mon, tue, wed, thu, fri], opens: "09:00", closes: "17:00"}
steps:
  - {id: friendly, offset: 3, channel: email, tone: friendly, template: friendly}
  - {id: firm, offset: 14, channel: email, tone: firm, template: firm}
  - {id: thanks, act: thank-you, channel: email, tone: courtesy, template: grateful}
"""


def thankful(open_office: Opened, vendor: str, folder: Path) -> Office:
    """An office whose playbook says thank you."""
    playbooks = folder / "own"
    shutil.copytree(bundled("playbooks") / "templates", playbooks / "templates")
    for language in ("en", "de", "fr"):
        (playbooks / "templates" / f"grateful.{language}.txt.j2").write_text(
            "Subject: Thank you\nPaid:{% for item in demanded %} {{ item.number }}{% endfor %}\n"
        )
        (playbooks / "templates" / f"grateful.{language}.html.j2").write_text("<p>Thank you</p>\n")
    (playbooks / "thankful.yaml").write_text(PLAYBOOK)
    return open_office(vendor, playbook=str(playbooks / "thankful.yaml"))


def steps(office: Office, app: App) -> list[str]:
    return [f"{message.step_id} {message.state.value}" for message in office.messages(app)]


def test_who_paid_all_is_thanked_once_and_who_was_written_off_is_not(open_office: Opened, tmp_path: Path) -> None:
    """06-09 friendly to both / 06-10 one pays, the other's is voided / 06-11 thanks to the one / then nothing more."""
    office = thankful(open_office, "xero", tmp_path)
    books = office.books[0]
    kind, gone = books.customer("Kind Ltd"), books.customer("Gone Ltd")
    paid = books.invoice(kind, "100.00", days_late=5)
    void = books.invoice(gone, "80.00", days_late=5)
    app = office.load()
    assert office.night(app).accepted == 2
    office.pass_time(days=1)
    books.act("pay", invoice=paid)
    books.act("void", invoice=void)
    office.pass_time(days=1)
    office.night(office.app())
    assert steps(office, app) == ["friendly accepted", "friendly accepted", "thanks accepted"]
    (thanks,) = [message for message in office.messages(app) if message.step_id == "thanks"]
    assert (str(thanks.amount), thanks.subject) == ("0.00", "Thank you")
    assert "accounts@kind.example" in thanks.recipients[0]
    office.pass_time(days=2)
    office.night(office.app())
    assert len(office.sent()) == 3


def test_a_payment_reversed_before_dispatch_takes_the_thanks_back(open_office: Opened, tmp_path: Path) -> None:
    office = thankful(open_office, "quickbooks", tmp_path)
    books = office.books[0]
    invoice = books.invoice(books.customer("Kind Ltd"), "100.00", days_late=5)
    app = office.load()
    assert office.night(app).accepted == 1
    office.pass_time(days=1)
    payment = books.act("pay", invoice=invoice)["payment"]
    office.pass_time(days=1)
    office.plan(app)
    assert steps(office, app) == ["friendly accepted", "thanks approved"]
    books.act("delete_payment", payment=payment)
    office.dispatch(app)
    assert steps(office, app)[:2] == ["friendly accepted", "thanks superseded"]
    assert len(office.sent()) == 1
