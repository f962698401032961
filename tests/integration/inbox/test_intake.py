"""A reply pauses its chase, once and in one commit; whose it is is told and never guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from sqlalchemy import text
from tests.integration.inbox.letters import BILLING, StillClock, front, letter, receive, sent
from tests.integration.store.books import NOW, TODAY, Books, contact, customer, invoice, open_books
from tests.unit.inbox.corpus import PARTS, Example, examples

from arsync.channel.contract import Envelope, Evidence, Receipt
from arsync.channel.file import FileChannel
from arsync.channel.routing import routed
from arsync.domain.policy import Happening, StepChannel
from arsync.domain.replies import MailKind, Meaning
from arsync.domain.states import HoldKind, MessageState
from arsync.outbox.accept import Acceptance
from arsync.outbox.send import Post, send
from arsync.outbox.settle import settle
from arsync.playbook.people import read as read_people
from arsync.store import holds, replies, suppressions
from arsync.store.messages import Message
from arsync.testing.builders import an_item, some_facts

DELAYED = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n"
REPORT = "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\nAction: {action}\n--b\n" \
         "Content-Type: message/rfc822\n\nMessage-ID: <{key}@example.com>\n\nDear Ada\n--b--"  # fmt: skip


def held(books: Books) -> list[tuple[str | None, HoldKind]]:
    with books.store.reading() as work:
        return [(one.hold.payer_id, one.hold.kind) for one in holds.active(work, books.id)]


def notes(books: Books) -> list[tuple[str, str, str]]:
    return [(kind, target, text) for kind, target, text in books.rows("SELECT target_kind, target_id, text FROM notes")]


def test_an_answer_stops_what_is_about_to_leave_and_is_kept_once(books: Books) -> None:
    first = sent(books)
    books.plan("C1", occurrence=2)
    (claimed,) = books.claim()
    assert books.confirm(claimed)
    raw = letter(to=routed(BILLING, first.key), sender="Somebody Else <else@debtor.example>")
    taken = receive(raw, books=books)
    assert (taken.kind, taken.paused, taken.match.message_id) == (MailKind.PERSON, True, first.id)
    assert books.pass_gate(claimed) == "a hold: reply"
    assert held(books) == [("C1", HoldKind.REPLY)]
    again = receive(raw.replace(b"\n", b"\r\n"), books=books)
    assert again.reply_id is None
    assert held(books) == [("C1", HoldKind.REPLY)]
    ((kind, target, text),) = notes(books)
    assert (kind, target) == ("invoice", "I1")
    assert "We will pay on Friday." in text
    with books.store.reading() as work:
        (kept,) = replies.waiting(work)
        assert (kept.meaning, kept.payer_id) == (Meaning.PROMISE, "C1")


class Listening:
    """A channel that keeps what it is given."""

    name: ClassVar[str] = "listening"

    @property
    def place(self) -> str:
        return "here"

    def __init__(self) -> None:
        self.given: list[Envelope] = []

    def prepare(self) -> None:
        pass

    def draw_up(self, envelope: Envelope) -> None:
        pass

    def send(self, envelope: Envelope) -> Receipt:
        self.given.append(envelope)
        return Receipt("1")

    def look_up(self, message_id: str) -> tuple[Evidence, str | None]:
        return Evidence.NOTHING, None

    def finish(self) -> list[str]:
        return []


def test_each_message_asks_for_answers_at_an_address_of_its_own(books: Books) -> None:
    books.plan()
    (message,) = books.claim()
    assert books.confirm(message)
    channel = Listening()
    post = Post({StepChannel.EMAIL: channel}, "a@x.example", "a@x.example", "harbour", inbox=f"Harbour <{BILLING}>")
    send(books.store, message, post, StillClock(), Acceptance(TODAY, writes=False))
    (envelope,) = channel.given
    assert envelope.reply_to == f"Harbour <billing+{message.key}@example.com>"
    assert receive(letter(to=envelope.reply_to, sender="zoe@else.example"), books=books).match.message_id == message.id


def test_an_answer_from_before_the_confirmation_is_known_to_it(books: Books) -> None:
    """Not only the hold: the chase's version has risen, so what was confirmed holds no more, lifted or not."""
    first = sent(books)
    books.plan("C1", occurrence=2)
    (claimed,) = books.claim()
    assert books.confirm(claimed)
    taken = receive(letter(answers=f"{first.key}@example.com"), books=books)
    assert taken.reply_id is not None
    with books.store.working() as work:
        holds.lift_with(work, books.id, reply_id=taken.reply_id, now=NOW)
        work.commit()
    assert books.pass_gate(claimed) == "something about the payer changed since the message was confirmed"


def test_the_planner_knows_that_the_payer_has_answered(books: Books) -> None:
    receive(letter(), books=books)
    with books.store.reading() as work:
        facts = read_people(work, books.id).onto(
            replace(some_facts(an_item()), payer_id="C1"), NOW.date(), lambda at: at.date()
        )
    assert [(one.what, one.on) for one in facts.happened] == [(Happening.REPLIED, TODAY)]


def test_whose_it_is_is_told_by_address_then_by_answer_then_by_sender(books: Books) -> None:
    one = sent(books, "C1")
    other = sent(books, "C2", invoices=("I3",))
    by_address = letter(to=routed(BILLING, other.key), answers=f"{one.key}@example.com", number=1)
    by_answer = letter(answers=f"{other.key}@example.com", number=2)
    by_thread = letter(more=f"References: <x@y> <{other.key}@example.com> <z@y>\n", number=3)
    by_sender = letter(sender="bob@EXAMPLE.com", number=4)
    for raw in (by_address, by_answer, by_thread, by_sender):
        assert receive(raw, books=books).match.payer_id == "C2"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (letter(sender="zoe@else.example"), "nobody's address"),
        (letter(to="other@example.com"), "no one company's address"),
        (letter(to=routed(BILLING, "0" * 32), sender="zoe@else.example"), "nobody's address"),
        (letter(sender=""), "names no sender"),
    ],
    ids=["an unknown sender", "an unknown address", "a key that is not ours", "no sender"],
)
def test_what_cannot_be_told_waits_for_a_person_and_stops_nobody(books: Books, raw: bytes, why: str) -> None:
    taken = receive(raw, books=books)
    assert why in taken.match.why
    assert held(books) == []
    with books.store.reading() as work:
        assert [one.payer_id for one in replies.waiting(work)] == [None]


def test_a_sender_of_two_payers_is_nobodys(books: Books) -> None:
    books.keep(customer("C2", minutes=1, contacts=[contact("Ada"), contact("Bob")]))
    assert "2 payers" in receive(letter(), books=books).match.why


def test_nobody_guesses_over_companies(books: Books) -> None:
    """Ada is known in one company only, and its address is not the one that was written to."""
    ledger = open_books(books.store, "thames")
    ledger.keep(customer("X1"), invoice("Y1", customer="X1"))
    shared = receive(letter(), front(books), front(ledger), books=books)
    assert "no one company's address" in shared.match.why
    there = receive(letter(number=2), front(books, "harbour@example.com"), front(ledger), books=books)
    assert (there.match.connection_id, there.match.payer_id) == (ledger.id, None)
    assert held(books) == []


def test_who_is_away_stops_nothing(books: Books) -> None:
    message = sent(books)
    raw = letter("I am on holiday.", answers=f"{message.key}@example.com", more="Auto-Submitted: auto-replied\n")
    assert receive(raw, books=books).kind is MailKind.AUTO_REPLY
    assert held(books) == []
    with books.store.reading() as work:
        assert replies.waiting(work) == []
        assert [one.payer_id for one in replies.every(work)] == ["C1"]


def test_a_bounce_marks_the_message_and_what_is_merely_late_does_not(books: Books) -> None:
    message = sent(books)
    before = books.chase().version
    for number, (action, state) in enumerate((("delayed", "accepted"), ("failed", "bounced"), ("failed", "bounced"))):
        raw = letter(REPORT.format(action=action, key=message.key), sender="MAILER-DAEMON@mx.example", number=number,
                     more=DELAYED)  # fmt: skip
        assert receive(raw, books=books).kind is MailKind.BOUNCE
        assert books.message(message.id).state is MessageState(state)
    assert books.chase().version > before, "it is planned anew"
    assert held(books) == []


def test_a_mail_bomb_pauses_the_chase_it_belongs_to_and_is_a_task(books: Books) -> None:
    message = sent(books)
    raw = letter("hello", to=routed(BILLING, message.key), more="X: y\n" * 5_000)
    taken = receive(raw, books=books)
    assert (taken.kind, taken.paused) == (MailKind.UNREADABLE, True)
    with books.store.reading() as work:
        (kept,) = replies.waiting(work)
    assert kept.text.startswith("its headers have")


def test_the_pause_follows_the_customer_to_who_pays_from_now_on(books: Books) -> None:
    taken = receive(letter(), books=books)
    books.keep(customer("C1", minutes=2, merged_into="C2"))
    assert ("C2", HoldKind.REPLY) in held(books)
    with books.store.working() as work:
        assert taken.reply_id is not None
        (kept,) = replies.waiting(work)
        assert kept.payer_id == "C2"
        holds.lift_with(work, books.id, reply_id=taken.reply_id, now=NOW)
        work.commit()
    assert held(books) == []


PEOPLE = [one for part in PARTS for one in examples(part) if one.by_person]


@pytest.mark.parametrize(
    "people",
    [
        list({(one.language, one.meaning): one for one in PEOPLE}.values())[::3],
        pytest.param(PEOPLE, marks=pytest.mark.long),
    ],
    ids=["some", "all"],
)
def test_every_human_reply_of_the_corpus_pauses_the_chase(books: Books, people: list[Example]) -> None:
    """That each is taken for a person's is asked of all of them in the unit tests."""
    message = sent(books)
    for one in people:
        raw = one.raw().replace(b"To: billing@example.com", f"To: {routed(BILLING, message.key)}".encode())
        assert receive(raw, books=books).paused, one.text
    assert len(held(books)) == len(people)


def test_what_several_messages_have_in_common_names_none_of_them(books: Books) -> None:
    """Letters of a batch share its number as their reference."""
    first, second = sent(books), sent(books, "C2", invoices=("I3",))
    with books.store.working() as work:
        for message in (first, second):
            work.execute(text(f"UPDATE messages SET reference = 'L3', channel = 'letter' WHERE id = {message.id}"))
        work.commit()
    taken = receive(letter(answers="L3@else.example", sender="zoe@else.example"), books=books)
    assert (taken.match.message_id, taken.paused) == (None, False)


def given_back(key: str, action: str, who: str, to: str, *, more: str = "", number: int = 1) -> bytes:
    """A delivery report about one recipient, with the headers of the mail that it is about."""
    return letter(
        f"--b\nContent-Type: text/plain\n\nYour mail of today\n--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; {who}\nAction: {action}\n{more}--b\n"
        f"Content-Type: message/rfc822\n\nTo: {to}\nMessage-ID: <{key}@example.com>\n\nDear Ada\n--b--",
        sender="MAILER-DAEMON@mx.example", number=number,
        more="Content-Type: multipart/report; report-type=delivery-status; boundary=b\n",
    )  # fmt: skip


def to_two(books: Books) -> Message:
    message = sent(books)
    with books.store.working() as work:
        both = '["Ada <ada@example.com>", "Bo <bo@example.com>"]'
        work.execute(text("UPDATE messages SET recipients = :both").bindparams(both=both))
        work.commit()
    return message


TWO = "Ada <ada@example.com>, Bo <bo@example.com>"


def told(books: Books) -> list[str]:
    with books.store.reading() as work:
        return [one.why.rpartition("; ")[2] for one in replies.waiting(work)]


def let_go(books: Books) -> list[tuple[str, str]]:
    with books.store.reading() as work:
        return [(one.address, one.kind.value) for one in suppressions.listed(work)]


def test_of_two_recipients_the_one_who_got_it_is_not_written_to_again(books: Books) -> None:
    """The mail given back names both in its own header; its report names one."""
    message = to_two(books)
    receive(given_back(message.key, "failed", "bo@example.com", TWO), books=books)
    assert books.message(message.id).state is MessageState.ACCEPTED
    assert told(books) == [f"1 of 2 recipients did not get message {message.id}"]


def test_two_reports_about_one_recipient_each_add_up(books: Books) -> None:
    """Each address has a mail server of its own, and both give it back; told twice, the first counts once."""
    message = to_two(books)
    for number, who in enumerate(("bo@example.com", "bo@example.com", "ada@example.com")):
        assert books.message(message.id).state is MessageState.ACCEPTED
        receive(given_back(message.key, "failed", who, TWO, number=number), books=books)
    assert books.message(message.id).state is MessageState.BOUNCED
    assert told(books)[-1] == f"message {message.id} did not reach anybody: mend the address (arsync contact)"


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ("Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\n", [("ada@example.com", "bounce")]),
        ("Diagnostic-Code: smtp; 550 No such user here\n", [("ada@example.com", "bounce")]),
        ("Status: 5.7.1\nDiagnostic-Code: smtp; 550 5.7.1 no such user\n", [("ada@example.com", "bounce")]),
        ("", [("ada@example.com", "bounce")]),
        ("Status: 5.2.2\nDiagnostic-Code: smtp; 552 mailbox full\n", []),
        ("Status: 5.7.1\nDiagnostic-Code: smtp; 554 refused by policy\n", []),
        ("Status: 4.4.7\nDiagnostic-Code: smtp; delivery time expired\n", []),
        ("Status: 5.0.0\nDiagnostic-Code: smtp; 554 message looks like spam\n", []),
    ],
)  # fmt: skip
def test_an_address_where_nobody_is_there_is_not_written_to_again(
    books: Books, more: str, kept: list[tuple[str, str]]
) -> None:
    """As with a bounce that SendGrid tells of; a mailbox that is full today may be written to again."""
    message = sent(books)
    receive(given_back(message.key, "failed", "ada@example.com", "ada@example.com", more=more), books=books)
    assert books.message(message.id).state is MessageState.BOUNCED
    assert let_go(books) == kept


def test_a_report_about_the_address_of_a_forward_does_not_end_ours(books: Books) -> None:
    """The message did not arrive, and a person looks; the address itself may be as good as ever."""
    message = sent(books)
    gone = "Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\n"
    receive(given_back(message.key, "failed", "old@forward.example", "ada@example.com", more=gone), books=books)
    assert books.message(message.id).state is MessageState.BOUNCED
    assert let_go(books) == []
    assert told(books) == [f"message {message.id} did not reach anybody: mend the address (arsync contact)"]


def test_who_disputes_and_encloses_the_report_of_another_mail_is_heard(books: Books) -> None:
    message = sent(books)
    raw = given_back(message.key, "failed", "us@example.com", "us@example.com", more="Status: 5.1.1\n")
    raw = raw.replace(b"multipart/report; report-type=delivery-status", b"multipart/mixed")
    raw = raw.replace(b"MAILER-DAEMON@mx.example", b"Ada <ada@example.com>").replace(b"Your mail of", b"We dispute it,")
    taken = receive(raw, books=books)
    assert (taken.kind, taken.paused) == (MailKind.PERSON, True)
    assert books.message(message.id).state is MessageState.ACCEPTED
    assert let_go(books) == []


@pytest.mark.parametrize("state", [MessageState.UNKNOWN, MessageState.PRESUMED_SENT])
def test_a_mail_that_comes_back_went_out(books: Books, state: MessageState, tmp_path: Path) -> None:
    """Its answer never came, perhaps for days; then a mail server gives it back."""
    message = sent(books, until=state)
    receive(given_back(message.key, "failed", "ada@example.com", "ada@example.com"), books=books)
    post = Post({StepChannel.EMAIL: FileChannel(tmp_path / "outbox")}, "a@example.com", "a@example.com", "harbour")
    settled = settle(books.store, StillClock(), lambda _: (post, Acceptance(TODAY, writes=False)), [books.id])
    assert settled.accepted == 1
    kept = books.message(message.id)
    assert (kept.state, kept.sent_on) == (MessageState.BOUNCED, TODAY)


def test_a_report_that_it_was_delivered_is_no_bounce(books: Books) -> None:
    message = sent(books)
    receive(given_back(message.key, "delivered", "ada@example.com", "ada@example.com"), books=books)
    assert books.message(message.id).state is MessageState.ACCEPTED
    assert let_go(books) == []
