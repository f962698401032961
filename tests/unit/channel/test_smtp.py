"""The SMTP channel against a mail server of this machine: what its answers mean, and what a lost one does not."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from tests.unit.channel.mail_server import PASSWORD, USER, Mailbox, Taker, certificate, mail_server, mailbox_server
from tests.unit.channel.test_mail_channels import ENVELOPE

from arsync.channel.contract import Attachment, Evidence
from arsync.channel.sent_folder import SentFolder
from arsync.channel.smtp import Encryption, MailServer, SmtpChannel
from arsync.errors import Barred, ConnectorError, Deferred, OutcomeUnknown, Refused, Rejected, RetryLater
from arsync.session import before_first_byte

JANE = "jane@harbour.example"


class StandingClock:
    elapsed_seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 6, 9, 9, 0, tzinfo=UTC)

    def elapsed(self) -> float:
        return self.elapsed_seconds

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


@contextmanager
def channel(taker: Taker, sent: SentFolder | None = None) -> Iterator[SmtpChannel]:
    with mail_server(taker) as door:
        opened = SmtpChannel(MailServer(door.host, door.port, Encryption.NONE), clock=StandingClock(), sent=sent)
        try:
            yield opened
        finally:
            opened.finish()


def test_a_batch_leaves_by_one_connection_and_the_servers_words_are_the_receipt() -> None:
    taker = Taker()
    envelope = replace(
        ENVELOPE,
        cc=("Bo <bo@harbour.example>",),
        bcc=("archive@northwind.example",),
        text="One\n.\n..two\nFrom me\n",
        attachments=(Attachment("7.pdf", "application/pdf", bytes(range(256)) * 9),),
    )
    with channel(taker) as smtp:
        smtp.prepare()
        receipts = [smtp.send(replace(envelope, message_id=f"{number:032x}")) for number in range(3)]
    assert [one.reference for one in receipts] == [f"250 2.0.0 queued as {number}" for number in (1, 2, 3)]
    assert len(taker.connections) == 1
    sender, recipients, content = taker.taken[0]
    assert (sender, recipients) == (
        "accounts@northwind.example",
        [JANE, "bo@harbour.example", "archive@northwind.example"],
    )
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert message["Bcc"] is None
    assert message["Message-ID"] == f"<{0:032x}@northwind.example>"
    body = message.get_body(preferencelist=("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == envelope.text
    (file,) = message.iter_attachments()
    assert file.get_content() == envelope.attachments[0].content


@pytest.mark.parametrize("implicit", [True, False])
def test_the_line_is_encrypted_and_its_certificate_checked(tmp_path: Path, implicit: bool) -> None:
    theirs, ours = certificate(tmp_path)
    way = Encryption.IMPLICIT if implicit else Encryption.STARTTLS
    with mail_server(tls=theirs, implicit=implicit) as door:
        server = MailServer(door.host, door.port, way, USER, PASSWORD)
        right = SmtpChannel(server, clock=StandingClock(), context=ours)
        right.send(ENVELOPE)
        right.finish()
        stranger = SmtpChannel(server, clock=StandingClock(), context=ssl.create_default_context())
        with pytest.raises(Barred, match="certificate is not to be trusted"):
            stranger.send(ENVELOPE)
        wrong = SmtpChannel(replace(server, password="guess"), clock=StandingClock(), context=ours)
        with pytest.raises(Barred, match=r"does not let us in \(535\)"):
            wrong.send(ENVELOPE)
    assert len(door.taker.taken) == 1


def test_a_server_without_encryption_gets_nothing() -> None:
    with mail_server() as door:
        smtp = SmtpChannel(MailServer(door.host, door.port, user=USER, password=PASSWORD), clock=StandingClock())
        smtp.prepare()
        with pytest.raises(Barred, match="offers no encryption"):
            smtp.send(ENVELOPE)
    assert door.taker.connections == set()


@pytest.mark.parametrize(
    ("answers", "error", "said"),
    [
        (Taker(sender="550 no such sender"), Barred, "nothing from delivery.from: 550"),
        (Taker(sender="452 too busy"), RetryLater, "takes nothing for now: 452"),
        (Taker(sender="552 too big"), Rejected, "no message of this size: 552"),
        (Taker(recipients={JANE: f"550 5.1.1 <{JANE}> unknown"}), Rejected, "no recipient was taken: 550 5.1.1 <<addr"),
        (Taker(recipients={JANE: "451 greylisted"}), Deferred, "mailbox takes nothing for now: 451 greylisted"),
        (Taker(recipients={JANE: "421 closing"}), RetryLater, "closes the connection"),
        (Taker(message="554 spam"), Rejected, "refused it: 554 spam"),
        (Taker(message="451 try later"), Deferred, "takes it later: 451"),
    ],
)
def test_a_refusal_says_whether_to_come_back(answers: Taker, error: type[ConnectorError], said: str) -> None:
    """And who is refused today does not stand in the way of the next message."""
    with channel(answers) as smtp:
        with pytest.raises(ConnectorError) as refusal:
            smtp.send(ENVELOPE)
        assert type(refusal.value) is error
        assert said in str(refusal.value)
        assert answers.taken == []
        answers.message = ""
        smtp.send(replace(ENVELOPE, to=("Bo <bo@harbour.example>",)))
    assert [recipients for _, recipients, _ in answers.taken] == [["bo@harbour.example"]]


def test_who_is_not_taken_among_several_is_named() -> None:
    answers = Taker(recipients={"gone@harbour.example": "550 unknown"})
    with channel(answers) as smtp:
        receipt = smtp.send(replace(ENVELOPE, to=(*ENVELOPE.to, "gone@harbour.example")))
        assert receipt.remark == "not taken for gone@harbour.example (550 unknown)"
        with pytest.raises(Rejected, match="no recipient was taken"):
            smtp.send(replace(ENVELOPE, to=("gone@harbour.example",), cc=ENVELOPE.to))
    assert [recipients for _, recipients, _ in answers.taken] == [[JANE]]


def test_an_answer_that_is_lost_after_the_message_is_no_reason_to_send_it_again() -> None:
    taker = Taker(message="gone")
    with channel(taker) as smtp:
        with pytest.raises(OutcomeUnknown, match="did not answer"):
            smtp.send(ENVELOPE)
        assert len(taker.taken) == 1, "it had arrived"
        assert smtp.look_up(ENVELOPE.message_id) == (Evidence.NOTHING, None)


def test_a_closed_gate_stops_it_before_its_first_byte() -> None:
    """The server, left in the middle, throws away what it has not got; the next message goes by another connection."""

    def closed() -> None:
        raise Refused("too late")

    taker = Taker()
    with channel(taker) as smtp:
        smtp.prepare()
        with before_first_byte(closed), pytest.raises(Refused):
            smtp.send(ENVELOPE)
        assert taker.taken == []
        smtp.send(ENVELOPE)
    assert len(taker.taken) == 1
    assert len(taker.connections) == 2


def test_a_line_that_breaks_in_the_middle_of_a_message_has_sent_nothing() -> None:
    """Before the final dot the server has no message: it may be tried again."""
    taker = Taker()
    with channel(taker) as smtp:
        smtp.prepare()
        assert smtp._line is not None
        line = smtp._line

        def cut() -> None:
            assert line.sock is not None
            line.sock.shutdown(socket.SHUT_RDWR)

        with before_first_byte(cut), pytest.raises(RetryLater, match="before the message had left"):
            smtp.send(ENVELOPE)
    assert taker.taken == []


@pytest.mark.parametrize("rest", [0.0, 3_600.0])
def test_a_server_that_has_hung_up_meanwhile_is_called_again(rest: float) -> None:
    taker = Taker()
    with channel(taker) as smtp:
        smtp.send(ENVELOPE)
        assert smtp._line is not None
        taker.sender = "421 you were idle"
        smtp._clock.elapsed_seconds = rest  # type: ignore[attr-defined]
        if rest:
            smtp._line.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
            taker.sender = ""
        smtp.send(ENVELOPE)
    assert len(taker.taken) == 2
    assert len(taker.connections) == 2


def test_nobody_at_home_is_a_reason_to_come_back() -> None:
    with mail_server() as door:
        pass
    smtp = SmtpChannel(MailServer(door.host, door.port, Encryption.NONE), clock=StandingClock())
    with pytest.raises(RetryLater, match="cannot be reached"):
        smtp.prepare()


def test_a_name_cannot_add_a_header_or_a_recipient() -> None:
    taker = Taker()
    hostile = replace(ENVELOPE, to=("Jane\r\nBcc: eve@evil.example <jane@harbour.example>",))
    with channel(taker) as smtp, pytest.raises(Rejected, match="a line break in to"):
        smtp.send(hostile)
    assert taker.taken == []


# --- the Sent folder ----------------------------------------------------------------------------------------


@contextmanager
def office(mailbox: Mailbox, taker: Taker, name: str = "") -> Iterator[SmtpChannel]:
    with (
        mailbox_server(mailbox) as port,
        channel(taker, SentFolder("127.0.0.1", port, USER, PASSWORD, name, encrypted=False)) as smtp,
    ):
        yield smtp


def test_a_copy_lies_in_the_sent_folder_once() -> None:
    """A server that keeps what it sends has one already."""
    mailbox, taker = Mailbox(), Taker()
    with office(mailbox, taker) as smtp:
        smtp.send(ENVELOPE)
        smtp.send(replace(ENVELOPE, message_id="a" * 32, bcc=("archive@northwind.example",)))
        mailbox.folders["Gesendet"].append(taker.taken[0][2])
        assert smtp.finish() == []
        assert smtp.finish() == [], "what was laid in is not laid in again"
    assert mailbox.laid_in == 1
    copy = message_from_bytes(mailbox.folders["Gesendet"][1], policy=policy.default)
    assert copy["Message-ID"] == f"<{'a' * 32}@northwind.example>"
    assert copy["Bcc"] == "archive@northwind.example"


def test_a_copy_that_fails_is_told_and_repeats_nothing() -> None:
    mailbox, taker = Mailbox(refuses=True), Taker()
    with office(mailbox, taker) as smtp:
        smtp.send(ENVELOPE)
        assert smtp.finish() == ["no copy of 1 sent message in the Sent folder: [OVERQUOTA] full"]
        assert smtp.finish() == []
    assert len(taker.taken) == 1


def test_a_folder_that_is_not_there_is_named() -> None:
    with office(Mailbox(), Taker(), "Outbox") as smtp:
        smtp.send(ENVELOPE)
        (said,) = smtp.finish()
    assert 'there is no folder "Outbox"' in said


def test_a_message_whose_answer_was_lost_is_found_in_the_sent_folder() -> None:
    mailbox, taker = Mailbox(), Taker(message="gone")
    with office(mailbox, taker) as smtp:
        with pytest.raises(OutcomeUnknown):
            smtp.send(ENVELOPE)
        assert smtp.look_up(ENVELOPE.message_id) == (Evidence.NOTHING, None)
        mailbox.folders["Gesendet"].append(taker.taken[0][2])
        assert smtp.look_up(ENVELOPE.message_id) == (Evidence.SENT, f"<{ENVELOPE.message_id}>")


def test_a_mailbox_that_does_not_let_us_in_is_no_evidence() -> None:
    with mailbox_server(Mailbox()) as port:
        for password in ("guess", "ratën"):  # IMAP knows no password that is not ASCII
            folder = SentFolder("127.0.0.1", port, USER, password, encrypted=False)
            with pytest.raises(RetryLater, match="Sent folder cannot be read"):
                folder.find(ENVELOPE.message_id)
            assert folder.keep([("<a@b>", b"")], StandingClock().now())
