"""Letters: printed in a batch, read again at every touch, accepted when a person says that they were posted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.outbox.office import Books, Office

from arsync.cli.app import run
from arsync.resources import bundled
from arsync.store import touches
from arsync.worker.letters import to_pull

Opened = Callable[..., Office]

PLAYBOOK = """\
name: paper
gap: 1
window: {weekdays: [mon, tue, wed, thu, fri], opens: "09:00", closes: "17:00"}
steps:
  - {id: letter, offset: 3, channel: letter, tone: friendly, template: friendly}
  - {id: firm, offset: 30, channel: email, tone: firm, template: firm}
"""


def paper(open_office: Opened, vendor: str, folder: Path) -> tuple[Office, Books]:
    own = folder / "own"
    shutil.copytree(bundled("playbooks") / "templates", own / "templates")
    (own / "paper.yaml").write_text(PLAYBOOK)
    office = open_office(vendor, playbook=str(own / "paper.yaml"))
    return office, office.books[0]


def command(office: Office, *words: str) -> int:
    return run(["--config", str(office.config), "letters", *words])


def test_a_letter_is_printed_checked_and_accepted_when_it_is_posted(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    06-09 three letters on the pile; nothing leaves by itself
    06-09 printed; a second print is told and not made
    06-10 two of them are paid: posted is the third; one of the two had left the house already, the other is taken out
    """
    office, books = paper(open_office, "quickbooks", tmp_path)
    kept = books.invoice(books.customer("Aldgate Ltd"), "900.00", days_late=5)
    paid = [books.invoice(books.customer(f"{name} Ltd"), "500.00", days_late=5) for name in ("Borough", "Camden")]
    app = office.load()
    assert office.night(app).accepted == 0
    assert office.states(app) == ["approved"] * 3
    assert "Albany, " in office.messages(app)[0].recipients[0]
    to = tmp_path / "letters"

    assert command(office, "print", "--to", str(to)) == 0
    assert sorted(path.name for path in to.iterdir()) == ["L1-list.pdf", "L1.pdf"]
    assert all(path.read_bytes().startswith(b"%PDF-") for path in to.iterdir())
    capsys.readouterr()
    assert command(office, "print", "--to", str(to)) == 0
    assert "was printed by" in capsys.readouterr().err
    assert len(list(to.iterdir())) == 2

    office.pass_time(days=1)
    for invoice in paid:
        books.act("pay", invoice=invoice)
    office.pass_time(minutes=5)
    assert command(office, "posted", "L1") == 0
    assert "must not go out" in capsys.readouterr().err
    assert sorted(office.states(app)) == ["accepted", "superseded", "superseded"]
    (posted,) = [one for one in office.messages(app) if one.state == "accepted"]
    assert (posted.reference, posted.reason.partition(",")[0]) == ("L1", "posted on 2026-06-10")
    gone, _kept = [str(one.id) for one in office.messages(app) if one.state == "superseded"]
    assert command(office, "posted", gone, "--gone", "--on", "2026-06-09") == 0
    with app.store.reading() as work:
        (touch,) = touches.standing(work, posted.connection_id)
    assert (touch.kind, str(touch.made_on), touch.step_id) == ("letter", "2026-06-09", "letter")
    assert command(office, "pull") == 1
    assert command(office, "pull", "--done") == 0
    office.night(office.app())
    assert len(to_pull(app.store)) == 0
    assert [note["target_id"] for note in books.notes()] == [kept]
    assert "Letter posted on 2026-06-10" in books.notes()[0]["text"]


def test_a_letter_without_an_address_goes_by_mail_and_never_to_silence(open_office: Opened, tmp_path: Path) -> None:
    """The source knows no postal address of Aldgate."""
    office, books = paper(open_office, "xero", tmp_path)
    books.invoice(books.customer("Aldgate Ltd"), "900.00", days_late=5)
    app = office.load()
    office.plan(app)
    (message,) = office.messages(app)
    assert (message.channel, message.step_id) == ("email", "letter")


def test_a_letter_that_takes_a_mails_place_right_before_it_waits_for_a_person(
    open_office: Opened, tmp_path: Path
) -> None:
    """The source names postal addresses between the plan and the dispatch: nothing is handed to a channel."""
    office, books = paper(open_office, "xero", tmp_path)
    for name in ("Aldgate", "Borough"):
        books.invoice(books.customer(f"{name} Ltd"), "900.00", days_late=5)
    app = office.load()
    office.plan(app)
    with app.store.working() as work:
        work.execute(text("UPDATE customers SET address = '1 Market Street' || char(10) || '12207 Albany'"))
        work.commit()
    assert not office.dispatch(app).failed
    kept = [(one.channel, one.state.value, one.attempts) for one in office.messages(app)]
    assert sorted(kept) == [("email", "superseded", 0)] * 2 + [("letter", "approved", 0)] * 2


def test_a_letter_that_left_the_house_is_kept_whoever_has_it_by_now(open_office: Opened, tmp_path: Path) -> None:
    """Its approval was taken back after it was printed, or a worker that reads it again was killed."""
    office, books = paper(open_office, "quickbooks", tmp_path)
    for name in ("Aldgate", "Borough"):
        books.invoice(books.customer(f"{name} Ltd"), "900.00", days_late=5)
    app = office.load()
    office.night(app)
    assert command(office, "print", "--to", str(tmp_path / "letters")) == 0
    one, other = office.messages(app)
    with app.store.working() as work:
        work.execute(text(f"UPDATE messages SET state = 'planned' WHERE id = {one.id}"))
        work.execute(text(f"UPDATE messages SET state = 'claimed', claim_token = 'x' WHERE id = {other.id}"))
        work.commit()
    assert command(office, "posted", "L1", "--gone") == 0
    assert office.states(app) == ["accepted", "accepted"]


def test_what_was_never_printed_cannot_have_left_the_house(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a batch one letter is printed, one was not, and one was withdrawn before it could be."""
    office, books = paper(open_office, "quickbooks", tmp_path)
    for name in ("Aldgate", "Borough", "Camden"):
        books.invoice(books.customer(f"{name} Ltd"), "900.00", days_late=5)
    app = office.load()
    office.night(app)
    printed, waiting, withdrawn = office.messages(app)
    with app.store.working() as work:
        work.execute(text(f"UPDATE messages SET state = 'superseded' WHERE id = {withdrawn.id}"))
        work.commit()
    assert command(office, "print", str(printed.id), "--to", str(tmp_path / "letters")) == 0
    assert command(office, "posted", "L1", "--gone") == 0
    assert f"letter {waiting.id} was never printed" in capsys.readouterr().err
    assert office.states(app) == ["accepted", "approved", "superseded"]
    with app.store.reading() as work:
        assert touches.standing(work, printed.connection_id) == []
