"""What a person does with a reply: read it, keep what it says, let the chase go on, take that back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text as text_of
from tests.integration.inbox.letters import letter, sent
from tests.integration.people.conftest import Desk

from arsync.bootstrap import App
from arsync.playbook.load import load as load_playbook
from arsync.settings import load
from arsync.store import connections, replies
from arsync.worker import tasks

SAID = ("--author", "mia")
MAILBOX = (
    '[inbox]\naddress = "billing@harbor.example"\nimap.host = "127.0.0.1"\nimap.tls = "off"\nimap.user = "mia"\n'
    'imap.password = "x"\n'
)


def answer(desk: Desk, text: str = "We will pay on Friday.", *, number: int = 1, sender: str = "tom@acme.example",
           answers: str = "", written: str = "Tue, 1 Sep 2026 09:00:00 -0400") -> str:  # fmt: skip
    """A mail to the company's address, taken; what is told of it."""
    file = desk.folder / f"{number}.eml"
    file.write_bytes(letter(text, sender=sender, to="a@harbor.example", answers=answers, number=number,
                            more=f"Date: {written}\n"))  # fmt: skip
    return desk.arsync("inbox", "read", str(file)).out


@pytest.fixture
def answered(desk: Desk) -> Desk:
    """Acme has answered a message about I1."""
    message = sent(desk.books, "A")
    assert "the chase is paused" in answer(desk, answers=f"{message.key}@harbor.example")
    return desk


def holds(desk: Desk) -> list[tuple[str, str | None]]:
    return [(one["hold"]["hold"]["kind"], one["hold"]["hold"]["invoice_id"]) for one in desk.json("holds")]


def test_a_reply_is_a_task_that_names_its_command(answered: Desk) -> None:
    (task,) = tasks.tasks(answered.books.store)
    assert task.startswith("reply 1 of Acme Stores: tom@acme.example answered, by the rules promise (")
    assert "arsync replies show 1" in task
    shown = answered.arsync("replies", "show", "1").out
    assert "We will pay on Friday." in shown
    assert "will pay" in shown
    assert "paused" in shown
    assert holds(answered) == [("reply", None)]
    assert "1" in answered.arsync("replies").out
    assert "reply 1 (person, by the rules promise) from tom@acme.example" in answered.arsync("explain", "I1").out


@pytest.mark.parametrize(
    ("options", "placed"),
    [
        ((), []),
        (("--promise", "2026-09-04"), [("promise", "I1")]),
        (("--promise", "2026-09-04=40"), [("promise", "I1")]),
        (("--dispute", "goods arrived broken"), [("dispute", "I1")]),
        (("--pause", "2026-09-10", "--comment", "sent a copy"), [("pause", "I1")]),
        (("--dispute", "wrong price", "--invoice", "I2"), [("dispute", "I2")]),
    ],
)
def test_done_keeps_what_it_says_and_undo_takes_it_back(
    answered: Desk, options: tuple[str, ...], placed: list[tuple[str, str | None]]
) -> None:
    notes = len(answered.notes())
    answered.arsync("replies", "done", "1", *options, *SAID)
    assert holds(answered) == placed
    assert len(answered.notes()) == notes + 1, "one note tells what was agreed, or that it is handled"
    assert tasks.tasks(answered.books.store) == []
    answered.arsync("replies", "done", "1", *options, status=2)
    answered.arsync("replies", "undo", "1", *SAID)
    assert holds(answered) == [("reply", None)]
    assert len(tasks.tasks(answered.books.store)) == 1
    answered.arsync("replies", "undo", "1", status=2)


def test_what_cannot_be_kept_leaves_the_reply_waiting(answered: Desk) -> None:
    for options in (
        ("--promise", "2026-08-01"), ("--promise", "friday"), ("--promise", "2026-09-04=1000"),
        ("--pause", "2026-08-01"), ("--dispute", " "), ("--dispute", "x", "--invoice", "I3"),
        ("--promise", "2026-09-04", "--dispute", "x"),
    ):  # fmt: skip
        answered.arsync("replies", "done", "1", *options, status=2)
    assert holds(answered) == [("reply", None)]


def test_two_answers_each_hold_until_both_are_done(answered: Desk) -> None:
    message = answered.books.rows("SELECT key FROM messages")[0][0]
    answer(answered, "And send me a copy please.", number=2, answers=f"{message}@harbor.example")
    answered.arsync("replies", "done", "1")
    assert holds(answered) == [("reply", None)]
    answered.arsync("replies", "done", "2")
    assert holds(answered) == []


def test_a_reply_of_nobody_is_matched_by_a_person(desk: Desk) -> None:
    assert "of nobody that is known" in answer(desk, sender="zoe@else.example")
    assert holds(desk) == []
    desk.arsync("replies", "done", "1", "--promise", "2026-09-04", status=2)
    before = desk.books.chase("B").version
    desk.arsync("replies", "match", "1", "--customer", "Birch Cafe", *SAID)
    assert holds(desk) == [("reply", None)]
    assert desk.books.chase("B").version > before
    assert [note[:2] for note in desk.notes()] == [("customer", "B")]
    desk.arsync("replies", "match", "1", "--customer", "Acme Stores", status=2)
    desk.arsync("replies", "done", "1", "--promise", "2026-09-04", *SAID)
    assert holds(desk) == [("promise", None)]


def app_of(folder: Path) -> App:
    return App(load(folder / "arsync.toml"))


def test_firm_steps_wait_for_a_person_until_the_inbox_is_read_and_again_when_it_falls_silent(desk: Desk) -> None:
    def replies_are_read() -> bool:
        app = app_of(desk.folder)
        try:
            with app.store.reading() as work:
                return app.policy(connections.connection(work, "harbor")).replies_read
        finally:
            app.close()

    assert not replies_are_read()
    toml = desk.folder / "arsync.toml"
    toml.write_text(toml.read_text() + MAILBOX)
    assert not replies_are_read(), "configured and never read"
    with desk.books.store.working() as work:
        name = "mia@127.0.0.1:993/INBOX"
        replies.move_place(work, name, uid_validity=1, last_uid=0)
        replies.polled(work, name, now=desk.clock.now() - timedelta(hours=25))
        work.commit()
    assert replies_are_read()
    type(desk.clock).at += timedelta(hours=2)
    try:
        assert not replies_are_read(), "27 hours ago"
    finally:
        type(desk.clock).at -= timedelta(hours=2)


def test_a_mailbox_that_cannot_be_read_is_said(desk: Desk) -> None:
    desk.arsync("inbox", "poll", status=2)
    toml = desk.folder / "arsync.toml"
    toml.write_text(toml.read_text() + MAILBOX + "imap.port = 9\n")
    assert "cannot be reached" in desk.arsync("inbox", "poll", status=1).err
    desk.arsync("inbox", "read", str(desk.folder / "missing.eml"), status=2)


def test_a_company_is_reached_at_its_inbox_and_at_its_sender(desk: Desk) -> None:
    toml = desk.folder / "arsync.toml"
    toml.write_text(toml.read_text() + MAILBOX)
    app = app_of(desk.folder)
    (front,) = app.fronts()
    app.close()
    assert front.addresses == {"billing@harbor.example", "a@harbor.example"}


@pytest.fixture
def following(desk: Desk) -> Desk:
    """The playbook says what to do of a reply; Acme was sent a message about I1."""
    shipped = Path(__file__).parents[3] / "playbooks"
    folder = desk.folder / "playbooks"
    folder.mkdir()
    text = (shipped / "standard.yaml").read_text(encoding="utf-8")
    said = "\non_reply:\n  confidence: 70\n  promise: record\n  says_paid: hold 5 days\n  payment_run: hold 5 days\n"
    (folder / "standard.yaml").write_text(text + said, encoding="utf-8")
    playbook, problems = load_playbook(folder / "standard.yaml", shipped / "templates")
    assert playbook is not None, problems
    message = sent(desk.books, "A")
    with desk.books.store.working() as work:
        named = {"version": playbook.version, "id": message.id}
        work.execute(text_of("UPDATE messages SET playbook='standard', playbook_version=:version WHERE id=:id"), named)
        work.execute(text_of("""UPDATE messages SET recipients='["Tom <tom@acme.example>"]'"""))
        work.commit()
    return desk


def their_answer(desk: Desk, text: str, number: int = 1) -> str:
    (key,) = desk.books.rows("SELECT key FROM messages")
    return answer(desk, text, number=number, answers=f"{key[0]}@harbor.example")


def test_a_promise_that_names_its_day_is_recorded_as_the_playbook_says_and_taken_back(following: Desk) -> None:
    """09-01 is a Tuesday."""
    told = their_answer(following, "We will pay the full amount on Friday, 4 September.")
    assert "100.00 EUR promised by 2026-09-04 for I1" in told
    assert holds(following) == [("promise", "I1")]
    assert tasks.tasks(following.books.store) == []
    shown = following.arsync("replies", "show", "1").out
    assert "as playbook standard says, by reply on 2026-09-01" in shown
    assert "promise" in following.arsync("explain", "I1").out
    following.arsync("replies", "undo", "1", *SAID)
    assert holds(following) == [("reply", None)]
    assert len(tasks.tasks(following.books.store)) == 1


def test_who_says_that_it_is_paid_is_left_alone_for_so_long(following: Desk) -> None:
    assert "I1 not chased until 2026-09-06" in their_answer(following, "This has already been paid, we paid last week.")
    assert holds(following) == [("pause", "I1")]
    (note,) = [said for kind, target, said in following.notes() if "Pause" in said]
    assert "set" in note


@pytest.mark.parametrize(
    "text",
    [
        "We will pay on Monday or Tuesday.",  # which?
        "We will pay half on Friday.",
        "We will pay on Friday, 4 September. Please send us a copy of the invoice.",
        "We will pay once the goods have come.",
        "The goods arrived broken, we dispute this invoice.",
        "Please send a copy of the invoice.",
        "It is not on the list for the payment run on Friday.",
        "Only part of it is in Friday's payment run.",
        "Wurde das nicht schon bezahlt?",
        "J'ai déjà payé deux fois, remboursez-moi.",
        "We will pay on Friday, 4 September.\n\nKind regards\nTom\n\nPS: only if the rest has come by then.",
        "We paid last week.\n\nBest regards\nTom Reed\n\nBut the second invoice is wrong.",
        "We paid last week.\n\nOn Tuesday you wrote:\n> Invoice 1\nnever ordered\n> Yours",
        "Hm.",
    ],
)
def test_what_is_doubtful_or_a_persons_waits_for_a_person(following: Desk, text: str) -> None:
    their_answer(following, text)
    assert holds(following) == [("reply", None)]
    assert len(tasks.tasks(following.books.store)) == 1


def test_what_stands_below_the_closing_or_between_the_lines_quoted_is_shown(answered: Desk) -> None:
    text = "We pay on Friday.\n\nKind regards\nTom\n\nPS: one box is missing."
    answer(answered, text + "\n\nOn Tuesday you wrote:\n> Invoice I1\nnot ordered\n> Yours", number=2)
    shown = answered.arsync("replies", "show", "2").out
    assert "We pay on Friday." in shown
    assert "PS: one box is missing." in shown
    assert "not ordered" in shown
    assert "Invoice I1\n" not in shown


def test_a_strangers_word_and_one_that_is_read_late_wait_for_a_person(following: Desk) -> None:
    (key,) = following.books.rows("SELECT key FROM messages")
    text, to = "We will pay on Friday.", f"{key[0]}@harbor.example"
    answer(following, text, number=7, sender="eve@else.example", answers=to)
    answer(following, text, number=8, answers=to, written="Thu, 27 Aug 2026 10:00:00 +0000")
    assert holds(following) == [("reply", None), ("reply", None)]


def test_who_says_again_that_it_is_paid_waits_for_a_person(following: Desk) -> None:
    said = "This has already been paid, we paid last week."
    their_answer(following, said)
    their_answer(following, said + " Really.", number=2)
    assert sorted(holds(following)) == [("pause", "I1"), ("reply", None)]


def test_without_the_key_a_promise_waits_for_a_person(answered: Desk) -> None:
    assert holds(answered) == [("reply", None)]
