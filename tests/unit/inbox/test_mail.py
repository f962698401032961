"""Mails as they come: anybody's bytes. Read within bounds, or refused with one line; never an error."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import material

from arsync.domain.replies import MailKind
from arsync.inbox.classify import classify
from arsync.inbox.html import plain
from arsync.inbox.machines import who_wrote
from arsync.inbox.mail import MOST, Mail, read
from arsync.inbox.quoting import left_out, new_text

_KEY = "0123456789abcdef0123456789abcdef"
HEAD = (
    b"From: Jo <jo@reed.example>\nTo: billing+" + _KEY.encode() + b"@example.com\nSubject: Re: invoice\n"
    b"Message-ID: <m1@reed.example>\nIn-Reply-To: <" + _KEY.encode() + b"@example.com>\n"
)


def nested(depth: int) -> bytes:
    lines = [b"MIME-Version: 1.0"]
    for level in range(depth):
        lines += [b"Content-Type: multipart/mixed; boundary=b%d" % level, b"", b"--b%d" % level]
    return HEAD + b"\n".join([*lines, b"Content-Type: text/plain", b"", b"hello"])


BOMBS = {
    "40 MB and more": (HEAD + b"\n" + b"x" * 1000, MOST + 1),
    "a thousand parts within parts": (nested(1000), None),
    "mails within mails": (HEAD + b"\n" + b"Content-Type: message/rfc822\n\n" * 400, None),
    "headers without end": (HEAD + b"X-Filler: " + b"y" * 300_000 + b"\n\nhello", None),
    "ten thousand headers": (HEAD + b"X: y\n" * 10_000 + b"\nhello", None),
    "a thousand parts": (
        HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 1000 + b"--b--", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_mail_bomb_is_refused_in_one_line_and_its_headers_still_tell_whose_it_is(bomb: str) -> None:
    raw, size = BOMBS[bomb]
    mail = read(raw, size=size)
    assert mail.refused is not None
    assert "\n" not in mail.refused
    assert who_wrote(mail) == (MailKind.UNREADABLE, mail.refused)
    assert mail.sent_to == (f"billing+{_KEY}@example.com",)
    assert mail.answers == (f"{_KEY}@example.com",)
    assert mail.text == ""


def test_a_large_attachment_is_left_out_and_the_answer_is_read() -> None:
    """20 MB of pictures of broken goods: a dispute, not a bomb."""
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "jo@reed.example", "Re: invoice"
    mail.set_content("The goods arrived damaged, see the pictures.")
    mail.add_attachment(b"\xff" * 6_000_000, maintype="image", subtype="jpeg", filename="goods.jpg")
    raw = mail.as_bytes()
    found = read(raw[:5_000_000], size=len(raw))
    assert found.refused is None
    assert found.text.strip() == "The goods arrived damaged, see the pictures."


def test_what_is_packed_into_an_attachment_is_not_unpacked() -> None:
    """A zip of zeros that would fill the memory: the answer beside it is read, and the zip is not opened."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("invoice.pdf", bytes(5_000_000))
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "jo@reed.example", "Re: invoice"
    mail.set_content("We have paid, see the receipt.")
    mail.add_attachment(packed.getvalue(), maintype="application", subtype="zip", filename="receipt.zip")
    mail.add_attachment(packed.getvalue(), maintype="message", subtype="x-packed", filename="more.zip")
    raw = mail.as_bytes()
    tracemalloc.start()
    found = read(raw)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.refused, found.text.strip()) == (None, "We have paid, see the receipt.")
    assert most < 20 * len(raw) + 1_000_000


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_no_bytes_raise(raw: bytes) -> None:
    for whole in (raw, HEAD + raw, HEAD + b"Content-Type: text/html; charset=utf-7\n\n" + raw):
        mail = read(whole)
        kind, why = who_wrote(mail)
        assert isinstance(kind, MailKind)
        assert why.isprintable()
        classify(new_text(mail.text))
        left_out(mail.text)


@settings(max_examples=30)
@given(st.text(max_size=200))
def test_no_text_raises_and_none_steers_a_terminal(written: str) -> None:
    head = f"From: {written}\nSubject: {written}\n\n".encode("utf-8", "surrogatepass")
    mail = read(head + written.encode("utf-8", "surrogatepass"))
    assert mail.sender.isprintable()
    assert mail.subject.isprintable()
    assert all(char == "\n" or char.isprintable() for char in mail.text)
    plain(written)
    classify(written)


@pytest.mark.parametrize(
    "text",
    [
        "mail " * 5_000, "a" * 100_000, "> " * 50_000, "On Mon, wrote:\n" * 3_000, "_" * 50_000, "\n" * 50_000,
        "This email is confidential mail " * 2_000, "will be paid by " * 2_000, "-- \n" * 5_000, "From: a@b\n" * 4_000,
        "> \n" * 20_000, " \n.\n" * 20_000, "Ok.\n\nKind regards\n\n" + "PS the rest is wrong\n\n" * 2_000,
    ],
    ids=range(13),
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    begun = time.process_time()
    mail = read(b"\n" + text.encode())
    classify(new_text(mail.text))
    left_out(mail.text)
    assert time.process_time() - begun < 1.0


def test_the_same_mail_by_another_way_is_the_same() -> None:
    one = read(HEAD + b"\nPaid on Friday.\n")
    again = read(b"Received: by mx\nX-Spam: no\n" + HEAD.replace(b"\n", b"\r\n") + b"\r\nPaid  on Friday.\r\n\r\n")
    other = read(HEAD + b"\nPaid on Monday.\n")
    assert one.identity == again.identity != other.identity


def test_the_same_words_weeks_later_are_said_anew_where_a_mail_has_no_id_of_its_own() -> None:
    head = b"From: jo@reed.example\nSubject: Invoice 1042\n"
    for dates in (
        (b"Date: Mon, 1 Jun 2026 09:00:00 +0000\n", b"Date: Mon, 22 Jun 2026 09:00:00 +0000\n"),
        (
            b"Received: by mx; Mon, 1 Jun 2026 09:05:00 +0000\nReceived: from ap; Mon, 1 Jun 2026 09:00:00 +0000\n",
            b"Received: by mx; Mon, 1 Jun 2026 09:05:00 +0000\nReceived: from ap; Mon, 22 Jun 2026 09:00:00 +0000\n",
        ),
    ):
        first, later = (read(date + head + b"\nPlease send a statement.\n") for date in dates)
        assert first.identity != later.identity
        again = read(b"Received: by another; Tue, 2 Jun 2026 10:00:00 +0000\n" + dates[0] + head
                     + b"\nPlease send a statement.\n")  # fmt: skip
        assert again.identity == first.identity


def test_encoded_words_and_charsets_are_read() -> None:
    mail = read(
        b"From: =?utf-8?q?J=C3=B6rg?= <JOERG@Ried.example>\nSubject: =?iso-8859-1?q?Zahlung_n=E4chste?= Woche\n"
        b"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n\xdcber=FCber\n"
    )
    assert (mail.sender, mail.address) == ("Jörg <JOERG@Ried.example>", "joerg@ried.example")
    assert mail.subject == "Zahlung nächste Woche"
    assert "über" in mail.text


def test_a_page_is_read_as_its_text_and_what_it_quotes_is_marked() -> None:
    page = (
        "<html><head><style>p {x}</style></head><body><p>We will <b>pay</b> on&nbsp;Friday.</p>"
        "<blockquote>If you dispute it, tell us.</blockquote></body></html>"
    )
    mail = read(HEAD + b"Content-Type: text/html\n\n" + page.encode())
    assert new_text(mail.text) == "We will pay on Friday."


def test_an_answer_below_what_is_quoted_is_found() -> None:
    text = "On Mon, 4 May 2026 Accounts wrote:\n> Please pay.\n> Thank you.\n\nThis has been paid.\n"
    assert new_text(text) == "This has been paid."


def test_what_thirteen_mail_programs_quote_is_left_out() -> None:
    folder = material() / "mail" / "replies"
    answers: dict[str, str] = {}
    for file in sorted([*folder.glob("html_replies/*.html"), *folder.glob("standard_replies/*.eml")]):
        head = b"Content-Type: text/html; charset=utf-8\n\n" if file.suffix == ".html" else b""
        answers[file.stem] = new_text(read(head + file.read_bytes()).text)
    assert len(answers) >= 18
    clean = {name for name, text in answers.items() if text in ("Hello", "Hi. I am fine.", "Hi. I am fine.\n-Alex")}
    assert set(answers) - clean <= {"android"}, "its introduction is Russian"


def test_an_empty_mail_is_a_mail() -> None:
    assert read(b"") == Mail(kinds=("text/plain",))


def test_a_header_may_be_written_in_utf_8_as_it_is() -> None:
    """RFC 6532, and mail programs that never heard of encoded words."""
    mail = read("From: Jörg Müller <joerg@ried.example>\nSubject: Zahlung fällig – später\n\nGruß\n".encode())
    assert (mail.sender, mail.subject) == ("Jörg Müller <joerg@ried.example>", "Zahlung fällig – später")
