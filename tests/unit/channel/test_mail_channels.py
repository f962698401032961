"""What holds for every mail channel: addresses once, headers never forged, and the last gate before the first byte."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import formataddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
import requests

from arsync.channel.attached import fitting
from arsync.channel.call import CallChannel
from arsync.channel.contract import Attachment, Channel, Envelope, Evidence, Receipt
from arsync.channel.file import FileChannel
from arsync.channel.mail import mailbox
from arsync.channel.redirect import Redirected
from arsync.channel.sendgrid import SendGridChannel, payload
from arsync.domain.clock import SystemClock
from arsync.errors import OutcomeUnknown, Refused, Rejected, RetryLater
from arsync.session import before_first_byte, pooled_session

ENVELOPE = Envelope(
    message_id="0f9a8b7c6d5e4f30a1b2c3d4e5f60718",
    sender="Northwind Joinery <accounts@northwind.example>",
    reply_to="accounts@northwind.example",
    to=("Jane Okafor <jane@harbour.example>",),
    cc=(),
    bcc=(),
    subject="Überfällig: 2 Rechnungen – €1,545.50",
    text="Grüße\nund mehr\n",
    html="<p>Grüße</p>",
    at=datetime(2025, 11, 5, 9, 30, tzinfo=UTC),
    language="de",
    tags={"connection": "harbour", "playbook": "standard", "step": "firm"},
)


def opened(path: str) -> EmailMessage:
    """As a mail program reads it."""
    message = message_from_bytes(Path(path).read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body(preferencelist=(kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def refuse() -> None:
    raise Refused("stopped")


# --- the file -------------------------------------------------------------------------------------------


def test_a_message_becomes_a_file_that_a_mail_program_opens(tmp_path: Path) -> None:
    receipt = FileChannel(tmp_path / "outbox").send(ENVELOPE)
    raw = Path(receipt.reference).read_bytes()
    assert b"\r\n" in raw
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    message = opened(receipt.reference)
    assert Path(receipt.reference).name == f"{ENVELOPE.message_id}.eml"
    assert message["From"] == "Northwind Joinery <accounts@northwind.example>"
    assert message["To"] == "Jane Okafor <jane@harbour.example>"
    assert message["Reply-To"] == "accounts@northwind.example"
    assert message["Subject"] == ENVELOPE.subject
    assert message["Date"].datetime == ENVELOPE.at
    assert message["Message-ID"] == f"<{ENVELOPE.message_id}@northwind.example>"
    assert message["X-Unsent"] is None
    assert message.get_content_type() == "multipart/alternative"
    assert [piece.get_content_type() for piece in message.iter_parts()] == ["text/plain", "text/html"]
    assert part(message, "plain") == ENVELOPE.text
    assert part(message, "html").strip() == ENVELOPE.html


def test_a_second_try_finds_the_file_and_leaves_it_as_it_is(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path)
    first = channel.send(ENVELOPE)
    before = Path(first.reference).read_bytes(), Path(first.reference).stat().st_mtime_ns
    assert channel.send(replace(ENVELOPE, text="another")) == first
    assert (Path(first.reference).read_bytes(), Path(first.reference).stat().st_mtime_ns) == before
    assert [path.name for path in tmp_path.glob("*.eml")] == [f"{ENVELOPE.message_id}.eml"]


def test_of_two_at_the_same_time_one_file_remains_and_both_have_its_receipt(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path)
    other: list[Receipt] = []

    def the_other_is_faster() -> None:
        other.append(channel.send(replace(ENVELOPE, text="the other's")))

    with before_first_byte(the_other_is_faster):
        mine = channel.send(ENVELOPE)
    assert other == [mine]
    assert part(opened(mine.reference), "plain") == "the other's\n"
    assert len(list(tmp_path.glob("*.eml"))) == 1
    assert list(tmp_path.glob(".*.tmp")) == []


def test_a_file_is_looked_up_by_its_id(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path)
    assert channel.look_up(ENVELOPE.message_id) == (Evidence.NOT_SENT, None)
    receipt = channel.send(ENVELOPE)
    assert channel.look_up(ENVELOPE.message_id) == (Evidence.SENT, receipt.reference)


def test_a_file_that_a_pickup_has_taken_away_is_not_written_again(tmp_path: Path) -> None:
    """A mail program that empties the folder is no reason to chase anybody twice."""
    channel = FileChannel(tmp_path)
    Path(channel.send(ENVELOPE).reference).unlink()
    assert channel.look_up(ENVELOPE.message_id) == (Evidence.NOTHING, None)
    with pytest.raises(OutcomeUnknown, match="taken away"):
        channel.send(ENVELOPE)
    assert list(tmp_path.glob("*.eml")) == []


def test_another_disk_under_the_same_name_is_another_place(tmp_path: Path) -> None:
    """The volume is not mounted, or somebody has emptied the folder: it knows nothing of what was written before."""
    folder = tmp_path / "outbox"
    channel = FileChannel(folder)
    channel.prepare()
    place = channel.place
    channel.prepare()
    assert (channel.place, FileChannel(folder).place) == (place, place)
    folder.rename(tmp_path / "elsewhere")
    assert channel.place != place, "there is no folder"
    channel.prepare()
    assert channel.place != place, "there is a new one"


def test_what_could_not_be_marked_for_good_was_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = FileChannel(tmp_path)
    channel.prepare()

    def broken_disk(_handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched, pytest.raises(RetryLater, match="cannot write into"):
        patched.setattr(os, "fsync", broken_disk)
        channel.send(ENVELOPE)
    assert channel.look_up(ENVELOPE.message_id) == (Evidence.NOT_SENT, None)
    assert Path(channel.send(ENVELOPE).reference).exists()


def test_channels_of_one_place_answer_for_one_another_and_no_others(tmp_path: Path) -> None:
    place = FileChannel(tmp_path).place
    assert Redirected(FileChannel(tmp_path), redirect_to="us@harbour.example").place == place
    assert FileChannel(tmp_path / "elsewhere").place != place
    assert CallChannel().place != place


def test_a_closed_gate_leaves_no_file(tmp_path: Path) -> None:
    with before_first_byte(refuse), pytest.raises(Refused):
        FileChannel(tmp_path).send(ENVELOPE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_tried_again_later(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file where the folder should be")
    with pytest.raises(RetryLater, match="cannot write into"):
        FileChannel(tmp_path / "outbox").send(ENVELOPE)


def test_a_file_system_without_hard_links_is_a_clear_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(Rejected, match="no hard links"):
        FileChannel(tmp_path).send(ENVELOPE)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert FileChannel(tmp_path).look_up(ENVELOPE.message_id) == (Evidence.NOT_SENT, None)


# --- headers --------------------------------------------------------------------------------------------


def write(envelope: Envelope, folder: Path) -> None:
    FileChannel(folder).send(envelope)


def build(envelope: Envelope, folder: Path) -> None:
    payload(envelope)


FORGERIES = {
    "subject": replace(ENVELOPE, subject="x\r\nBcc: all@evil.example"),
    "from": replace(ENVELOPE, sender="x <a@b.example>\nBcc: all@evil.example"),
    "reply-to": replace(ENVELOPE, reply_to="a@b.example\r\nX: y"),
    "to": replace(ENVELOPE, to=("Jane\nBcc: all@evil.example <jane@harbour.example>",)),
    "cc": replace(ENVELOPE, cc=("no address",)),
    "bcc": replace(ENVELOPE, bcc=("jane@harbour.example\u2028",)),
    "language": replace(ENVELOPE, language="de\r\nX: y"),
    "message id": replace(ENVELOPE, message_id="../../etc/cron"),
}


@pytest.mark.parametrize("place", FORGERIES)
@pytest.mark.parametrize("channel", [write, build])
def test_a_forged_header_is_refused_and_its_place_named(
    place: str, channel: Callable[[Envelope, Path], None], tmp_path: Path
) -> None:
    with pytest.raises(Rejected, match=place) as caught:
        channel(FORGERIES[place], tmp_path / "outbox")
    assert "evil" not in str(caught.value)
    assert not list(tmp_path.rglob("*"))


def test_a_look_up_does_not_leave_its_folder(tmp_path: Path) -> None:
    with pytest.raises(Rejected):
        FileChannel(tmp_path).look_up("../secret")


@pytest.mark.parametrize(
    ("name", "address", "shown"),
    [
        ("Jane Okafor", "jane@harbour.example", "Jane Okafor <jane@harbour.example>"),
        ("", "jane@harbour.example", "jane@harbour.example"),
        ("Okafor, Jane", "jane@harbour.example", '"Okafor, Jane" <jane@harbour.example>'),
        ("a\r\nBcc: x@evil.example", "jane@harbour.example", '"a Bcc: x@evil.example" <jane@harbour.example>'),
        ('"<x@evil.example>', "jane@harbour.example", '"\\"<x@evil.example>" <jane@harbour.example>'),
        ("Jörg", "joerg@bücher.example", "Jörg <joerg@xn--bcher-kva.example>"),
    ],
)
def test_a_hostile_name_is_only_a_name(name: str, address: str, shown: str, tmp_path: Path) -> None:
    assert mailbox(name, address) == shown
    sent = FileChannel(tmp_path).send(replace(ENVELOPE, to=(shown,)))
    (only,) = opened(sent.reference)["To"].addresses
    assert only.addr_spec == shown.rpartition("<")[2].rstrip(">")


def test_an_encoded_name_is_shown_as_its_owner_writes_it() -> None:
    encoded = formataddr(("Jörg\r\nBcc: x", "joerg@harbour.example"))
    assert encoded.startswith("=?utf-8?")
    (personalization,) = payload(replace(ENVELOPE, to=(encoded,)))["personalizations"]
    assert personalization["to"] == [{"email": "joerg@harbour.example", "name": "Jörg Bcc: x"}]
    with pytest.raises(Rejected, match="not a mail address in to"):
        payload(replace(ENVELOPE, to=("=?no-such-charset?q?J=C3=B6rg?= <joerg@harbour.example>",)))


@pytest.mark.parametrize("address", ["", "jane", "@x.example", "a b@x.example", "a@x, b@y", "jane@x.example>", "a@b@c"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Rejected):
        mailbox("Jane", address)


# --- redirected -----------------------------------------------------------------------------------------


class Kept:
    """A channel that keeps what it is given."""

    name: ClassVar[str] = "kept"
    place = "a drawer"

    def prepare(self) -> None:
        pass

    def draw_up(self, envelope: Envelope) -> None:
        pass

    def finish(self) -> list[str]:
        return []

    def __init__(self) -> None:
        self.sent: list[Envelope] = []

    def send(self, envelope: Envelope) -> Receipt:
        self.sent.append(envelope)
        return Receipt("kept")

    def look_up(self, message_id: str) -> tuple[Evidence, str | None]:
        return Evidence.SENT, message_id


def test_a_redirected_message_reaches_nobody_else_and_tells_for_whom_it_was(tmp_path: Path) -> None:
    channel = Redirected(FileChannel(tmp_path), redirect_to="me@northwind.example", bcc="archive@northwind.example")
    envelope = replace(ENVELOPE, cc=("Bob <bob@harbour.example>",), bcc=("boss@harbour.example",))
    message = opened(channel.send(envelope).reference)
    assert message["To"] == "me@northwind.example"
    assert message["Cc"] is None
    assert message["Bcc"] == "archive@northwind.example"
    assert message["Subject"] == ENVELOPE.subject
    assert message["X-Arsync-Original-To"] == "Jane Okafor <jane@harbour.example>"
    assert message["X-Arsync-Original-Cc"] == "Bob <bob@harbour.example>"
    assert message["X-Arsync-Original-Bcc"] == "boss@harbour.example"
    assert channel.look_up(ENVELOPE.message_id)[0] is Evidence.SENT


@pytest.mark.parametrize("where", ["to", "cc", "bcc"])
def test_a_copy_goes_to_an_address_only_once(where: str) -> None:
    kept = Kept()
    mine = ("Archive <Archive@Northwind.example>",)
    changes = {"to": ENVELOPE.to, "cc": (), "bcc": ()} | {where: mine}
    Redirected(kept, bcc="archive@northwind.example").send(replace(ENVELOPE, **changes))  # type: ignore[arg-type]
    (sent,) = kept.sent
    assert [*sent.to, *sent.cc, *sent.bcc].count(mine[0]) == 1
    assert "archive@northwind.example" not in sent.bcc


def test_without_a_redirect_only_the_copy_is_added() -> None:
    kept = Kept()
    Redirected(kept, bcc="archive@northwind.example").send(ENVELOPE)
    (sent,) = kept.sent
    assert (sent.to, sent.cc, sent.bcc) == (ENVELOPE.to, (), ("archive@northwind.example",))
    assert (sent.subject, sent.text, sent.html) == (ENVELOPE.subject, ENVELOPE.text, ENVELOPE.html)


# --- the call list --------------------------------------------------------------------------------------


def test_a_call_is_on_the_list_unless_the_gate_has_closed() -> None:
    channel: Channel = CallChannel()
    assert channel.send(ENVELOPE) == Receipt("call list")
    assert channel.look_up(ENVELOPE.message_id) == (Evidence.SENT, "call list")
    with before_first_byte(refuse), pytest.raises(Refused):
        channel.send(ENVELOPE)


# --- the last gate, at a real server --------------------------------------------------------------------


class Recorder(BaseHTTPRequestHandler):
    """Accepts every message and counts connections and requests."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[list[object]]
    requests: ClassVar[list[bytes]]

    def setup(self) -> None:
        super().setup()
        self.connections.append(self.client_address)

    def do_POST(self) -> None:
        self.requests.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(202)
        self.send_header("X-Message-Id", f"sg-{len(self.requests)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Recorder]]]:
    """A loopback server and what it has seen."""
    seen = type("Seen", (Recorder,), {"connections": [], "requests": []})
    listening = ThreadingHTTPServer(("127.0.0.1", 0), seen)
    listening.daemon_threads = True
    thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}", seen
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with pooled_session() as opened_session:
        yield opened_session


def test_a_closed_gate_lets_no_byte_out_on_a_new_connection(
    server: tuple[str, type[Recorder]], session: requests.Session
) -> None:
    host, seen = server
    channel = SendGridChannel("SG.key", host, session, clock=SystemClock())
    with before_first_byte(refuse), pytest.raises(Refused):
        channel.send(ENVELOPE)
    assert channel.send(ENVELOPE) == Receipt("sg-1")  # the server answers in order: nothing came before
    assert len(seen.requests) == 1


def test_a_closed_gate_lets_no_byte_out_on_a_connection_that_is_open_already(
    server: tuple[str, type[Recorder]], session: requests.Session
) -> None:
    host, seen = server
    channel = SendGridChannel("SG.key", host, session, clock=SystemClock())
    assert channel.send(ENVELOPE) == Receipt("sg-1")
    assert channel.send(ENVELOPE) == Receipt("sg-2")
    assert len(seen.connections) == 1  # it is kept open
    with before_first_byte(refuse), pytest.raises(Refused):
        channel.send(ENVELOPE)
    assert len(seen.requests) == 2
    assert channel.send(ENVELOPE) == Receipt("sg-3")
    assert len(seen.requests) == 3


def test_the_gate_is_asked_once_per_message_when_the_connection_stands(
    server: tuple[str, type[Recorder]], session: requests.Session
) -> None:
    host, seen = server
    asked: list[int] = []
    with before_first_byte(lambda: asked.append(len(seen.connections))):
        SendGridChannel("SG.key", host, session, clock=SystemClock()).send(ENVELOPE)
    assert len(asked) == 1
    assert len(seen.requests) == 1


# --- attachments and threads ----------------------------------------------------------------------------


def test_attachments_and_the_thread_stand_in_the_message(tmp_path: Path) -> None:
    envelope = replace(
        ENVELOPE, attachments=(Attachment("Rechnung 7.pdf", "application/pdf", b"%PDF-1.7"),), thread=("aa11", "bb22")
    )
    message = opened(FileChannel(tmp_path).send(envelope).reference)
    assert message["In-Reply-To"] == "<bb22@northwind.example>"
    assert message["References"] == "<aa11@northwind.example> <bb22@northwind.example>"
    (file,) = message.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("Rechnung 7.pdf", "application/pdf")
    assert file.get_content() == b"%PDF-1.7"
    assert part(message, "plain") == ENVELOPE.text
    body = payload(envelope)
    assert body["headers"]["In-Reply-To"] == "<bb22@northwind.example>"
    assert body["attachments"] == [
        {
            "content": "JVBERi0xLjc=",
            "filename": "Rechnung 7.pdf",
            "type": "application/pdf",
            "disposition": "attachment",
        }
    ]


def test_a_long_thread_keeps_its_first_and_its_newest_messages(tmp_path: Path) -> None:
    """Of a sender whose domain alone fills a line, too."""
    domain = f"{'long-' * 11}name.example"
    keys = tuple(f"{number:032x}" for number in range(30))
    envelope = replace(ENVELOPE, sender=f"Credit <credit@{domain}>", thread=keys)
    message = opened(FileChannel(tmp_path).send(envelope).reference)
    named = str(message["References"]).split()
    assert named == [f"<{key}@{domain}>" for key in (keys[0], *keys[-8:])]
    assert message["In-Reply-To"] == f"<{keys[-1]}@{domain}>"


def test_what_is_too_large_stays_behind_with_one_clear_line() -> None:
    large = Attachment("Invoice 1042.pdf", "application/pdf", bytes(40_000_000))
    small = Attachment("Statement.pdf", "application/pdf", bytes(9_000))
    kept, refused = fitting((large, small))
    assert kept == (small,)
    assert refused == ("Invoice 1042.pdf (40.0 MB) is too large: at most 10.0 MB go with one message",)
    with pytest.raises(Rejected, match=r"the attachments \(Invoice 1042.pdf\) are 40.0 MB: at most 18.0 MB"):
        payload(replace(ENVELOPE, attachments=(large,)))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ('a"b\r\nBcc: eve@evil.example.pdf', "a-b Bcc- eve@evil.example.pdf"),
        ("\u202egnp.exe", "gnp.exe"),
        ("", "attachment"),
        (f"{'x' * 300}.pdf", f"{'x' * 96}.pdf"),
    ],
)
def test_a_hostile_file_name_is_only_a_name(tmp_path: Path, name: str, safe: str) -> None:
    envelope = replace(ENVELOPE, attachments=(Attachment(name, "application/pdf", b"%PDF"),))
    message = opened(FileChannel(tmp_path).send(envelope).reference)
    (file,) = message.iter_attachments()
    assert file.get_filename() == safe
    assert message["Bcc"] is None


def test_an_attachment_of_no_kind_is_refused() -> None:
    with pytest.raises(Rejected, match="has no media type"):
        payload(replace(ENVELOPE, attachments=(Attachment("a.pdf", "text/html\r\nX: y", b""),)))
