"""Real bounces, complaints and auto-replies: none may be taken for a person's answer."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from tests.conftest import material

from arsync.domain.feedback import EventKind
from arsync.domain.replies import MailKind
from arsync.inbox.machines import who_wrote
from arsync.inbox.mail import read
from arsync.inbox.returned import losses

NOW = datetime(2026, 6, 9, tzinfo=UTC)

_PLAIN = b"From: Jo <jo@reed.example>\r\nTo: billing@example.com\r\nSubject: %s\r\n%s\r\nWe pay on Friday.\r\n"


def test_of_the_real_bounces_hardly_one_is_taken_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    mails = sorted((material() / "mail" / "bounces").glob("*.eml"))
    kinds = Counter(who_wrote(read(mail.read_bytes()))[0] for mail in mails)
    share = (kinds[MailKind.PERSON] + kinds[MailKind.UNREADABLE]) / len(mails)
    with capsys.disabled():
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        sys.stdout.write(
            f"\n{len(mails)} bounces, complaints and auto-replies: {counted}; {share:.1%} taken for a person\n"
        )
    assert len(mails) == 315
    assert share <= 0.02


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (b"Auto-Submitted: auto-replied\r\n", MailKind.AUTO_REPLY),
        (b"Auto-Submitted: no\r\n", MailKind.PERSON),
        (b"X-Autoreply: yes\r\n", MailKind.AUTO_REPLY),
        (b"Precedence: auto_reply\r\n", MailKind.AUTO_REPLY),
        (b"Precedence: list\r\n", MailKind.PERSON),  # a team's mailing list is answered by people
        (b"Return-Path: <>\r\n", MailKind.AUTO_REPLY),
        (b"List-Unsubscribe: <https://offers.example/u>\r\n", MailKind.AUTO_REPLY),
        (b"List-Unsubscribe: <mailto:ap+leave@reed.example>\r\nIn-Reply-To: <a@b>\r\n", MailKind.PERSON),
        (b"Return-Path: <jo@reed.example>\r\n", MailKind.PERSON),
        (b"X-Failed-Recipients: ada@example.com\r\n", MailKind.BOUNCE),
        (b"X-Auto-Response-Suppress: All\r\n", MailKind.PERSON),  # Exchange sets it on people's mail as well
    ],
)
def test_the_headers_tell_a_program_from_a_person(header: bytes, kind: MailKind) -> None:
    assert who_wrote(read(_PLAIN % (b"Re: your invoice", header)))[0] is kind


@pytest.mark.parametrize(
    "subject",
    [b"Re: Undeliverable goods", b"Re: delivery problem with your order", b"Re: out of office hours surcharge"],
)
def test_a_person_who_writes_about_deliveries_is_a_person(subject: bytes) -> None:
    answers = b"In-Reply-To: <0123456789abcdef0123456789abcdef@example.com>\r\n"
    assert who_wrote(read(_PLAIN % (subject, answers)))[0] is MailKind.PERSON


@pytest.mark.parametrize(
    "subject",
    [
        "Delivery problem with invoice 1042", "Ware nicht zugestellt", "Colis non remis, facture 1042",
        "Absence of a purchase order for invoice 1042", "Absence de bon de commande",
    ],
)  # fmt: skip
@pytest.mark.parametrize("to", ["billing@example.com", "billing+0123456789abcdef0123456789abcdef@example.com"])
def test_a_dispute_that_is_no_answer_is_a_persons_too(subject: str, to: str) -> None:
    """Not every mail program says which mail one answers, and whoever contests an invoice may write a mail anew."""
    raw = f"From: Jo <jo@reed.example>\nTo: {to}\nSubject: {subject}\n\nThe goods never came, we do not pay.\n"
    assert who_wrote(read(raw.encode()))[0] is MailKind.PERSON


def test_a_receipt_that_it_was_read_gives_nothing_back() -> None:
    raw = (
        b"From: Jo <jo@reed.example>\nReturn-Path: <>\nSubject: Read: your invoice\nContent-Type: multipart/report; "
        b"report-type=disposition-notification; boundary=b\n\n--b\n\nIt was read.\n--b\n"
        b"Content-Type: message/disposition-notification\n\nDisposition: manual-action; displayed\n--b--"
    )
    assert who_wrote(read(raw))[0] is MailKind.AUTO_REPLY


def test_a_person_at_a_mail_servers_address_is_a_person_and_a_server_that_gives_nothing_back_no_bounce() -> None:
    disputes = b"From: Tom <postmaster@acme.example>\nTo: b@x.example\nSubject: %s\n\nThe goods were not delivered.\n"
    assert who_wrote(read(disputes % b"Re: Invoice 1003"))[0] is MailKind.PERSON
    assert who_wrote(read(disputes % b"Delivery problem, invoice 1003"))[0] is MailKind.PERSON
    held = b"From: %s@acme.example\nSubject: Message held for review\n%s\nIt waits for our administrator.\n"
    assert who_wrote(read(held % (b"postmaster", b"Auto-Submitted: auto-generated\n")))[0] is MailKind.AUTO_REPLY
    assert who_wrote(read(held % (b"mailer-daemon", b"")))[0] is MailKind.AUTO_REPLY


@pytest.mark.parametrize(
    ("text", "for_good"),
    [
        (b"<tom@acme.example>: host mx said: 550 5.1.1 user unknown", True),
        (b"<tom@acme.example>:\nno such user here", True),
        (b"<old@forward.example>: 550 5.1.1 user unknown\n\nReceived: for <tom@acme.example>; no such user", False),
        (b"<tom@acme.example>: your message is held for review", False),
        (b"user unknown", False),
    ],
)
def test_a_report_in_words_ends_the_address_that_it_names_as_nobodys_and_no_other(text: bytes, for_good: bool) -> None:
    mail = read(b"From: mailer-daemon@mx.example\nSubject: Undelivered\n\n" + text + b"\n")
    (told,) = losses(mail, {"tom@acme.example"}, "k", now=NOW) or []
    assert (told.suppresses is not None, told.kind) == (
        for_good,
        EventKind.BOUNCED if for_good else EventKind.BLOCKED,
    )
