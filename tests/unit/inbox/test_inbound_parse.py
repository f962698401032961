"""SendGrid's Inbound Parse: the shapes in its own examples (one of them is empty), and what is refused."""

from __future__ import annotations

import pytest
from tests.conftest import material

from arsync.errors import Malformed, Unverified
from arsync.inbox.inbound_parse import read_post
from arsync.inbox.mail import MOST

URL = "https://arsync.example/inbound/s3cret"
HEADERS = {"Content-Type": "multipart/form-data; boundary=xYzZY"}


def form(**fields: str) -> bytes:
    parts = [
        f'--xYzZY\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()
    ]
    return "\r\n".join([*parts, "--xYzZY--\r\n"]).encode()


@pytest.mark.parametrize("name", ["default_data", "raw_data", "raw_data_with_attachments"])
def test_sendgrids_own_examples_are_read(name: str) -> None:
    body = (material() / "sendgrid" / "inbound" / f"{name}.txt").read_bytes()
    for whole in (body, body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        mail = read_post(URL, HEADERS, whole, secret="s3cret").mail
        assert mail.refused is None
        assert mail.address == "test@example.com"
        assert "Hello Twilio SendGrid!" in mail.text
        assert any(address.startswith("inbound@inbound.") for address in mail.sent_to)


def test_the_envelope_tells_where_it_went_when_the_header_does_not() -> None:
    body = form(
        headers="From: Jo <jo@reed.example>\nMessage-ID: <a@b>", text="We will pay", charsets='{"text":"UTF-8"}',
        envelope='{"to":["billing+0123456789abcdef0123456789abcdef@example.com"],"from":"jo@reed.example"}',
    )  # fmt: skip
    mail = read_post(URL, HEADERS, body, secret="s3cret").mail
    assert mail.sent_to == ("billing+0123456789abcdef0123456789abcdef@example.com",)
    assert (mail.message_id, mail.text.strip()) == ("a@b", "We will pay")


@pytest.mark.parametrize(
    "url", ["https://x/inbound/other", "https://x/inbound/", "https://x/?secret=", "https://x/s3cre"]
)
def test_without_the_secret_nothing_is_read(url: str) -> None:
    with pytest.raises(Unverified):
        read_post(url, HEADERS, form(email="From: a@b\n\nhi"), secret="s3cret")


def test_without_a_secret_configured_nobody_is_let_in() -> None:
    with pytest.raises(Unverified):
        read_post("https://x/", HEADERS, form(email="From: a@b\n\nhi"), secret="")


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, b"{}"), ({"content-type": "application/json"}, b"{}"), (HEADERS, b""), (HEADERS, b"--xYzZY--"),
     (HEADERS, form(subject="only"))],
)  # fmt: skip
def test_what_is_no_inbound_parse_is_said(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(Malformed):
        read_post(URL, headers, body, secret="s3cret")


def test_a_post_that_is_too_large_is_a_mail_that_is_refused() -> None:
    posted = read_post(URL, HEADERS, b"--xYzZY\r\n" + b"x" * (MOST + 1), secret="s3cret")
    assert posted.mail.refused is not None
    assert posted.size > MOST
