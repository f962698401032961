"""SendGrid's Inbound Parse: the shapes in its own examples (one of them is empty), and what is refused."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import material
from tests.unit.channel.test_sendgrid_events import NOW, PUBLIC, signed

from arsync.bootstrap import App
from arsync.channel.sendgrid_events import SIGNATURE, TIMESTAMP
from arsync.errors import Malformed, Unverified
from arsync.inbox.inbound_parse import Door, read_post
from arsync.inbox.mail import MOST
from arsync.settings.load import load

URL = "https://arsync.example/inbound/s3cret"
HEADERS = {"Content-Type": "multipart/form-data; boundary=xYzZY"}


DOOR = Door(secret="s3cret")
MAIL = "From: Jo <jo@reed.example>\n\nWe will pay"


def form(**fields: str) -> bytes:
    parts = [
        f'--xYzZY\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()
    ]
    return "\r\n".join([*parts, "--xYzZY--\r\n"]).encode()


@pytest.mark.parametrize("name", ["default_data", "raw_data", "raw_data_with_attachments"])
def test_sendgrids_own_examples_are_read(name: str) -> None:
    body = (material() / "sendgrid" / "inbound" / f"{name}.txt").read_bytes()
    for whole in (body, body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        mail = read_post(URL, HEADERS, whole, door=DOOR, now=NOW).mail
        assert mail.refused is None
        assert mail.address == "test@example.com"
        assert "Hello Twilio SendGrid!" in mail.text
        assert any(address.startswith("inbound@inbound.") for address in mail.sent_to)


def test_the_envelope_tells_where_it_went_when_the_header_does_not() -> None:
    body = form(
        headers="From: Jo <jo@reed.example>\nMessage-ID: <a@b>", text="We will pay", charsets='{"text":"UTF-8"}',
        envelope='{"to":["billing+0123456789abcdef0123456789abcdef@example.com"],"from":"jo@reed.example"}',
    )  # fmt: skip
    mail = read_post(URL, HEADERS, body, door=DOOR, now=NOW).mail
    assert mail.sent_to == ("billing+0123456789abcdef0123456789abcdef@example.com",)
    assert (mail.message_id, mail.text.strip()) == ("a@b", "We will pay")


@pytest.mark.parametrize(
    "url", ["https://x/inbound/other", "https://x/inbound/", "https://x/?secret=", "https://x/s3cre"]
)
def test_without_the_secret_nothing_is_read(url: str) -> None:
    with pytest.raises(Unverified):
        read_post(url, HEADERS, form(email="From: a@b\n\nhi"), door=DOOR, now=NOW)


def test_without_a_secret_configured_nobody_is_let_in() -> None:
    with pytest.raises(Unverified):
        read_post("https://x/", HEADERS, form(email="From: a@b\n\nhi"), door=Door(), now=NOW)


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, b"{}"), ({"content-type": "application/json"}, b"{}"), (HEADERS, b""), (HEADERS, b"--xYzZY--"),
     (HEADERS, form(subject="only"))],
)  # fmt: skip
def test_what_is_no_inbound_parse_is_said(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(Malformed):
        read_post(URL, headers, body, door=DOOR, now=NOW)


def test_a_post_that_is_too_large_is_a_mail_that_is_refused() -> None:
    posted = read_post(URL, HEADERS, b"--xYzZY\r\n" + b"x" * (MOST + 1), door=DOOR, now=NOW)
    assert posted.mail.refused is not None
    assert posted.size > MOST


def test_what_sendgrid_signed_is_read_wherever_it_was_posted_to() -> None:
    body = form(email=MAIL)
    signature, timestamp = signed(body)
    written = {SIGNATURE: signature, TIMESTAMP.lower(): timestamp, **HEADERS}
    mail = read_post("https://x/replies", written, body, door=Door(public_key=PUBLIC), now=NOW).mail
    assert mail.address == "jo@reed.example"
    late = NOW + timedelta(days=2)
    assert read_post("https://x/", written, body, door=Door(public_key=PUBLIC), now=late).mail == mail, "tried again"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"headers": {}}, "not signed"),
        ({"body": form(email=MAIL.replace("pay", "not"))}, "does not fit"),
        ({"now": NOW + timedelta(days=4)}, "too long ago"),
        ({"door": Door(secret="s3cret", public_key=PUBLIC)}, "the secret"),
    ],
    ids=["unsigned", "altered", "old", "signed, and the secret is missing"],
)  # fmt: skip
def test_what_sendgrid_did_not_sign_is_not_read(change: dict[str, Any], said: str) -> None:
    body = form(email=MAIL)
    signature, timestamp = signed(body)
    given = {
        "headers": {SIGNATURE: signature, TIMESTAMP: timestamp}, "body": body, "now": NOW,
        "door": Door(public_key=PUBLIC), **change,
    }  # fmt: skip
    with pytest.raises(Unverified, match=said) as refusal:
        read_post(
            "https://x/replies", {**HEADERS, **given["headers"]}, given["body"], door=given["door"], now=given["now"]
        )
    assert "\n" not in str(refusal.value)


def test_the_secret_may_be_the_password_of_the_address() -> None:
    def posted(password: str) -> str:
        basic = base64.b64encode(f"sendgrid:{password}".encode()).decode()
        headers = {**HEADERS, "authorization": f"Basic {basic}"}
        return read_post("https://x/replies", headers, form(email=MAIL), door=DOOR, now=NOW).mail.address

    assert posted("s3cret") == "jo@reed.example"
    with pytest.raises(Unverified):
        posted("s3cre")


def test_whoever_serves_the_address_hands_over_what_was_posted(tmp_path: Path) -> None:
    config = tmp_path / "arsync.toml"
    config.write_text('[inbox]\ninbound_parse_secret = "s3cret"\n')
    app = App(load(config, environ={}))
    assert app.mailroom.read_reply(URL, HEADERS, form(email=MAIL)).mail.address == "jo@reed.example"
    with pytest.raises(Unverified, match="secret"):
        app.mailroom.read_reply("https://x/replies", HEADERS, form(email=MAIL))
    config.write_text("")
    with pytest.raises(Unverified, match="nobody is let in"):
        App(load(config, environ={})).mailroom.read_reply(URL, HEADERS, form(email=MAIL))
