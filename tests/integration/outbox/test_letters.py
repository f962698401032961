"""Letters: printed in a batch, read again at every touch, accepted when a person says that they were posted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.outbox.office import Books, Office

from arsync.bootstrap import App
from arsync.cli.app import run
from arsync.render.letter import letter_values
from arsync.resources import bundled
from arsync.store import letters, messages, touches
from arsync.worker import letters as post_room
from arsync.worker import tasks
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


def paper(open_office: Opened, vendor: str, folder: Path, mode: str = "auto") -> tuple[Office, Books]:
    own = folder / "own"
    shutil.copytree(bundled("playbooks") / "templates", own / "templates")
    (own / "paper.yaml").write_text(PLAYBOOK.replace("template: friendly", f"template: friendly, mode: {mode}"))
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
    assert capsys.readouterr().err.count("take its paper out of the pile") == 2
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
    capsys.readouterr()
    assert command(office, "posted", "L1") == 0
    told = capsys.readouterr()
    assert "take its paper out" not in told.err
    assert told.err.count("its paper is not in the pile any more") == 2
    assert told.out.endswith("0 letters posted on 2026-06-10\n")
    office.night(office.app())
    assert len(to_pull(app.store)) == 0
    assert [note["target_id"] for note in books.notes()] == [kept]
    assert "Letter posted on 2026-06-10" in books.notes()[0]["text"]


def test_the_run_and_the_day_tell_of_letters_that_wait_for_hands(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three to be printed; two of them are; the third is paid by then."""
    office, books = paper(open_office, "quickbooks", tmp_path)
    owed = [books.invoice(books.customer(f"{name} Ltd"), "500.00", days_late=5) for name in ("Ald", "Bor", "Cam")]
    office.load()

    def told(*words: str) -> list[str]:
        run(["--config", str(office.config), *words])
        return [line.strip() for line in capsys.readouterr().out.splitlines() if "letter" in line]

    assert told("run") == ["3 letters wait to be printed: arsync letters"]
    assert told("today") == [
        "letters: 3", *(f"letter {one}: letter to {name} Ltd, 500.00 USD: to be printed"
                        for one, name in enumerate(("Ald", "Bor", "Cam"), start=1)),
    ]  # fmt: skip
    assert command(office, "print", "1", "2", "--to", str(tmp_path / "letters")) == 0
    capsys.readouterr()
    assert told("run") == [
        "1 letter waits to be printed: arsync letters",
        "2 letters wait to be posted: arsync letters",
    ]
    for invoice in owed:
        books.act("pay", invoice=invoice)
    office.pass_time(minutes=5)
    assert [line for line in told("run") if "wait" in line] == [], "what is to be taken out of the pile is a to-do"


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


def three(open_office: Opened, folder: Path, delivery: str = "") -> tuple[Office, Books, App]:
    """Three letters on the pile, approved by a person."""
    office, books = paper(open_office, "quickbooks", folder, mode="approve")
    for name in ("Aldgate", "Borough", "Camden"):
        books.invoice(books.customer(f"{name} Ltd"), "900.00", days_late=5)
    app = office.load()
    said = office.config.read_text(encoding="utf-8")
    office.config.write_text(said.replace("[delivery]\n", f"[delivery]\n{delivery}\n"), encoding="utf-8")
    office.night(app)
    assert run(["--config", str(office.config), "approve", "--all"]) == 0
    return office, books, app


def pile(app: App) -> list[tuple[int, bool]]:
    """The letters that stand on the list, and whether their paper must be taken out."""
    with app.store.reading() as work:
        return sorted((one.message.id, one.to_be_pulled) for one in letters.on_the_pile(work))


def test_a_letter_that_was_opened_is_read_again_and_stays_on_the_pile(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of three has been paid since: it is told, and the others still hold."""
    office, books, app = three(open_office, tmp_path)
    first, *others = office.messages(app)
    with app.store.reading() as work:
        paid = messages.items(work, first.id)[0].invoice_id
    books.act("pay", invoice=paid)
    office.pass_time(minutes=5)
    capsys.readouterr()
    assert command(office, "open", "L1", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["message"] for one in told["holding"]] == [one.id for one in others]
    assert [one["message"] for one in told["pull"]] == [first.id]
    assert (told["later"], told["failed"]) == ([], [])
    assert office.states(app) == ["superseded", "approved", "approved"]
    assert command(office, "open", str(others[0].id)) == 0
    assert "to be printed" in capsys.readouterr().out
    assert command(office, "open", "L9") == 2
    assert pile(app) == [(one.id, False) for one in others]


def test_a_fault_with_one_letter_makes_that_one_wait_and_the_others_are_printed(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first cannot be worded, the second cannot be typeset: either is a task, and the third is on paper."""
    office, _, app = three(open_office, tmp_path)
    first, second, third = office.messages(app)

    def worded(*given: Any) -> dict[str, Any]:
        values = letter_values(*given)
        if values["address"][0].startswith("Aldgate"):
            raise KeyError("a slip of ours")
        return {**values, "window": "none"} if values["address"][0].startswith("Borough") else values

    monkeypatch.setattr(post_room, "letter_values", worded)
    to = tmp_path / "letters"
    capsys.readouterr()
    assert command(office, "print", "--to", str(to)) == 1
    said = capsys.readouterr().err
    assert f"letter {first.id} of L1: arsync failed on it (KeyError)" in said
    assert f"letter {second.id} of L1: arsync failed on it (TemplateError)" in said
    with app.store.reading() as work:
        assert [one.prints for one in letters.of_messages(work, [first.id, second.id])] == [0, 0]
        assert [one.prints for one in letters.of_messages(work, [third.id])] == [1]
    assert (to / "L1.pdf").read_bytes().startswith(b"%PDF-")
    assert office.states(app) == ["approved"] * 3
    assert [task for task in tasks.tasks(app.store) if "arsync failed on it" in task and f"message {first.id}" in task]
    monkeypatch.undo()
    assert command(office, "print", "--to", str(tmp_path / "again")) == 0
    assert not [task for task in tasks.tasks(app.store) if "arsync failed on it" in task]


def test_a_printed_letter_whose_approval_was_taken_back_stands_on_the_list_until_it_is_taken_out(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office, _, app = three(open_office, tmp_path)
    first, second, third = office.messages(app)
    assert command(office, "print", str(first.id), str(second.id), "--to", str(tmp_path / "letters")) == 0
    assert run(["--config", str(office.config), "unapprove", str(first.id), str(third.id)]) == 0
    assert pile(app) == [(first.id, True), (second.id, False)], "the third is not on paper"
    assert [task for task in tasks.tasks(app.store) if f"letter {first.id} of L1 must be taken out" in task]
    capsys.readouterr()
    assert command(office, "posted", "L1") == 0
    assert f"letter {first.id} must not go out" in capsys.readouterr().err
    assert office.states(app) == ["planned", "accepted", "planned"]
    assert command(office, "pull", "--done") == 0
    assert pile(app) == []
    assert run(["--config", str(office.config), "approve", str(first.id)]) == 0
    assert pile(app) == [(first.id, False)]
    capsys.readouterr()
    assert command(office, "posted", str(first.id)) == 0
    assert "its paper was taken out of the pile: print it again" in capsys.readouterr().out
    assert command(office, "print", "--to", str(tmp_path / "again")) == 0
    assert command(office, "posted", "L1") == 0
    assert office.states(app) == ["accepted", "accepted", "planned"]


def test_where_messages_are_diverted_a_letter_is_printed_as_a_trial_and_posted_to_nobody(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office, _, app = three(open_office, tmp_path, 'redirect_to = "me@example.com"')
    to = tmp_path / "letters"
    assert command(office, "print", "--to", str(to)) == 0
    assert "a trial, not to be posted: delivery.redirect_to is set" in capsys.readouterr().out
    assert sorted(path.name for path in to.iterdir()) == ["L1-trial-list.pdf", "L1-trial.pdf"]
    assert command(office, "posted", "L1") == 0
    assert "no letter goes to a customer" in capsys.readouterr().out
    assert office.states(app) == ["approved"] * 3
    with app.store.reading() as work:
        assert [one.prints for one in letters.on_the_pile(work)] == [0, 0, 0]


def test_a_letter_is_not_printed_while_its_approval_can_be_taken_back(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """10:00 approved, with 15 minutes to think; 10:16 printed."""
    office, _, app = three(open_office, tmp_path, "undo_minutes = 15")
    first = office.messages(app)[0]
    to = tmp_path / "letters"
    capsys.readouterr()
    assert command(office, "print", str(first.id), "--to", str(to)) == 0
    assert f"its approval can be taken back (arsync unapprove {first.id})" in capsys.readouterr().out
    assert not to.exists()
    office.pass_time(minutes=16)
    assert command(office, "print", str(first.id), "--to", str(to)) == 0
    assert sorted(path.name for path in to.iterdir()) == ["L1-list.pdf", "L1.pdf"]
