"""SendGrid's answers, each named by what the worker does next; requests held against SendGrid's own document."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from threading import Thread
from typing import Any

import pytest
import requests
import responses
import yaml
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest
from responses import matchers
from tests.conftest import material
from tests.unit.channel.test_mail_channels import ENVELOPE

from arsync.channel import sendgrid
from arsync.channel.contract import Envelope, Evidence, Receipt
from arsync.channel.redirect import Redirected
from arsync.channel.sendgrid import SendGridChannel, payload
from arsync.errors import OutcomeUnknown, Rejected, RetryLater
from arsync.session import pooled_session

KEY = "SG.aaaa-secret.bbbb-secret"
HOST = "https://api.sendgrid.com"
SEND = f"{HOST}/v3/mail/send"


class FrozenClock:
    """Noon, always."""

    def now(self) -> datetime:
        return datetime(2025, 11, 5, 12, 0, tzinfo=UTC)

    def elapsed(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a channel never waits")


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with pooled_session() as opened:
        yield opened


@pytest.fixture
def channel(session: requests.Session) -> SendGridChannel:
    return SendGridChannel(KEY, f"{HOST}/", session, clock=FrozenClock(), activity_lookup=True)


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


# --- the request ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document() -> OpenAPI:
    return OpenAPI.from_dict(yaml.safe_load((material() / "sendgrid" / "sg_strict.yaml").read_text()))


FULL = replace(
    ENVELOPE,
    cc=("Bob <bob@harbour.example>", "JANE@harbour.example"),
    bcc=("archive@northwind.example",),
    tags={"connection": "harbour", "playbook": "standard", "step": "fällig", "note": "x" * 400},
)


@pytest.mark.parametrize("envelope", [ENVELOPE, FULL], ids=["plain", "full"])
def test_the_request_is_what_sendgrids_document_says(
    envelope: Any, document: OpenAPI, channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    vendor.post(SEND, status=202, headers={"X-Message-Id": "sg-1"})
    Redirected(channel, bcc="archive@northwind.example").send(envelope)
    sent = vendor.calls[0].request
    document.validate_request(RequestsOpenAPIRequest(sent))
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert vars(sent)["req_kwargs"]["timeout"] == (5.0, 30.0)


def test_the_document_refuses_what_is_misspelt(document: OpenAPI) -> None:
    body = payload(ENVELOPE) | {"catagories": ["x"]}
    prepared = requests.Request("POST", SEND, json=body, headers={"Authorization": "Bearer x"}).prepare()
    with pytest.raises(Exception, match=r"(?i)body|schema"):
        document.validate_request(RequestsOpenAPIRequest(prepared))


def test_our_id_goes_along_and_nobody_is_tracked() -> None:
    body = payload(FULL)
    (personalization,) = body["personalizations"]
    assert personalization["custom_args"]["message_id"] == ENVELOPE.message_id
    assert "custom_args" not in body
    assert [part["type"] for part in body["content"]] == ["text/plain", "text/html"]
    assert body["reply_to"] == {"email": "accounts@northwind.example"}
    assert body["headers"]["Message-ID"] == f"<{ENVELOPE.message_id}@northwind.example>"
    assert body["tracking_settings"] == {
        "click_tracking": {"enable": False, "enable_text": False},
        "open_tracking": {"enable": False},
        "subscription_tracking": {"enable": False},
    }
    assert "step:f?llig" in body["categories"]
    assert max(map(len, body["categories"])) <= 255


def test_an_address_stands_in_a_request_once_and_names_have_no_separators() -> None:
    body = payload(replace(FULL, to=('"Okafor; Jane, PhD" <jane@harbour.example>',)))
    (personalization,) = body["personalizations"]
    assert personalization["to"] == [{"email": "jane@harbour.example", "name": "Okafor Jane PhD"}]
    assert personalization["cc"] == [{"email": "bob@harbour.example", "name": "Bob"}]
    assert personalization["bcc"] == [{"email": "archive@northwind.example"}]


def test_a_name_that_looks_like_an_address_is_not_taken_for_one() -> None:
    body = payload(replace(ENVELOPE, to=('"x@evil.example" <jane@harbour.example>',)))
    assert body["personalizations"][0]["to"] == [{"email": "jane@harbour.example", "name": "x@evil.example"}]


def test_a_diverted_message_tells_for_whom_it_was_in_plain_letters(
    channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    vendor.post(SEND, status=202, headers={"X-Message-Id": "sg-1"})
    meant_for = "Jörg <joerg@harbour.example>"
    Redirected(channel, redirect_to="me@northwind.example").send(replace(ENVELOPE, to=(meant_for,)))
    body = json.loads(vendor.calls[0].request.body or "")
    told = body["headers"]["X-Arsync-Original-To"]
    assert told.isascii()
    assert "\n" not in told
    assert str(make_header(decode_header(told))) == meant_for
    assert body["personalizations"][0]["to"] == [{"email": "me@northwind.example"}]


def test_a_text_with_an_api_key_in_it_is_refused() -> None:
    with pytest.raises(Rejected, match="API key"):
        payload(replace(ENVELOPE, text="SG.abc.def is our key"))


# --- the answer -----------------------------------------------------------------------------------------


def test_an_accepted_message_has_sendgrids_id_as_receipt(
    channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    vendor.post(SEND, status=202, headers={"X-Message-Id": "sg-1"})
    assert channel.send(ENVELOPE) == Receipt("sg-1")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_a_refusal_gives_sendgrids_first_reason_without_keys_and_addresses(
    status: int, channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    said = f"The address jane@harbour.example is bad;\nkey {KEY} or SG.other.key"
    errors = [{"message": said, "field": "personalizations.0.to", "help": None}, {"message": "second"}]
    vendor.post(SEND, status=status, json={"errors": errors})
    with pytest.raises(Rejected) as caught:
        channel.send(ENVELOPE)
    assert f"SendGrid answered {status}: The address <address> is bad; key <key> or <key>" in str(caught.value)
    assert "(personalizations.0.to)" in str(caught.value)
    for hidden in ("secret", "other.key", "harbour", "second", "\n"):
        assert hidden not in str(caught.value)


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"errors": []}', '{"errors": [null]}', '{"errors": {"a": 1}}'])
def test_a_refusal_without_a_readable_reason_is_a_refusal(
    body: str, channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    vendor.post(SEND, status=400, body=body)
    with pytest.raises(Rejected, match="400: no reason given"):
        channel.send(ENVELOPE)


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({"X-RateLimit-Reset": "1762344030"}, 30.0),  # 12:00:30
        ({"X-RateLimit-Reset": "1762343000"}, 1.0),  # past: soon
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Wed, 05 Nov 2025 12:02:00 GMT"}, 120.0),
        ({"Retry-After": "99999999"}, 3600.0),
        ({"Retry-After": "soon"}, 60.0),
        ({"X-RateLimit-Reset": "never"}, 60.0),
        ({}, 60.0),
    ],
)
def test_a_throttled_message_is_tried_again_when_sendgrid_says(
    headers: dict[str, str], after: float, channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    vendor.post(SEND, status=429, headers=headers, json={"errors": [{"message": "too many requests"}]})
    with pytest.raises(RetryLater) as caught:
        channel.send(ENVELOPE)
    assert caught.value.after == after


@pytest.mark.parametrize("status", [200, 302, 307, 408, 409, 500, 502, 503, 504])
def test_an_answer_that_says_neither_is_unknown_and_no_redirect_is_followed(
    status: int, channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    vendor.post(SEND, status=status, headers={"Location": f"{HOST}/elsewhere"})
    with pytest.raises(OutcomeUnknown, match=str(status)):
        channel.send(ENVELOPE)
    assert len(vendor.calls) == 1


@pytest.mark.parametrize(
    "error",
    [requests.ReadTimeout("slow"), requests.ConnectionError("reset"), requests.exceptions.ChunkedEncodingError()],
)
def test_a_message_without_an_answer_is_unknown(
    error: Exception, channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    vendor.post(SEND, body=error)
    with pytest.raises(OutcomeUnknown):
        channel.send(ENVELOPE)


@contextlib.contextmanager
def server_that(behaves: Callable[[socket.socket], None]) -> Iterator[str]:
    """A loopback server for one connection."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(10)

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            behaves(connection)

    thread = Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        thread.join()
        listening.close()


def read_all(connection: socket.socket) -> None:
    head, rest = b"", b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65536)
    head, _, rest = head.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(rest) < length:
        rest += connection.recv(65536)


def test_a_server_that_is_not_there_has_seen_nothing(session: requests.Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(RetryLater, match="cannot be reached"):
        SendGridChannel(KEY, f"http://127.0.0.1:{port}", session, clock=FrozenClock()).send(ENVELOPE)


def test_a_server_that_hangs_up_may_have_sent_it(session: requests.Session) -> None:
    with (
        server_that(read_all) as host,
        pytest.raises(OutcomeUnknown) as caught,
    ):
        SendGridChannel(KEY, host, session, clock=FrozenClock()).send(ENVELOPE)
    assert KEY not in str(caught.value)


def test_a_server_that_does_not_answer_in_time_may_have_sent_it(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sendgrid, "_TIMEOUT", (5.0, 0.05))

    def silent(connection: socket.socket) -> None:
        read_all(connection)
        connection.recv(1)  # until the client has had enough

    with server_that(silent) as host, pytest.raises(OutcomeUnknown, match="ReadTimeout"):
        SendGridChannel(KEY, host, session, clock=FrozenClock()).send(ENVELOPE)


def test_an_acceptance_whose_body_breaks_off_is_an_acceptance(session: requests.Session) -> None:
    def breaks_off(connection: socket.socket) -> None:
        read_all(connection)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nX-Message-Id: sg-9\r\nContent-Length: 500\r\n\r\nno")

    with server_that(breaks_off) as host:
        receipt = SendGridChannel(KEY, host, session, clock=FrozenClock()).send(ENVELOPE)
    assert receipt == Receipt("sg-9")


# --- beforehand ---------------------------------------------------------------------------------------------


def test_what_was_drawn_up_leaves_as_it_would_have_without(
    channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    for _ in range(4):
        vendor.post(SEND, status=202)
    later = replace(ENVELOPE, at=datetime(2025, 11, 5, 12, 1, tzinfo=UTC))
    channel.send(ENVELOPE)
    channel.draw_up(ENVELOPE)
    channel.send(later)
    channel.draw_up(FULL)
    channel.send(ENVELOPE)  # another than was expected
    channel.send(FULL)
    bodies = [bytes(call.request.body or b"") for call in vendor.calls]  # type: ignore[arg-type]
    assert [json.loads(body) for body in bodies] == [payload(one) for one in (ENVELOPE, ENVELOPE, ENVELOPE, FULL)]
    assert [str(len(body)) for body in bodies] == [call.request.headers["Content-Length"] for call in vendor.calls]


def test_what_was_drawn_up_is_put_together_once(
    channel: SendGridChannel, vendor: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(envelope: Envelope) -> dict[str, Any]:
        made.append(envelope.message_id)
        return payload(envelope)

    monkeypatch.setattr(sendgrid, "payload", counted)
    vendor.post(SEND, status=202)
    channel.draw_up(ENVELOPE)
    channel.send(ENVELOPE)
    assert made == [ENVELOPE.message_id]


def test_what_cannot_be_drawn_up_is_refused_when_it_is_sent(channel: SendGridChannel) -> None:
    forged = replace(ENVELOPE, subject="Reminder\r\nBcc: all@x.example")
    for do in (channel.draw_up, channel.send):
        with pytest.raises(Rejected, match="subject"):
            do(forged)


# --- looking up -----------------------------------------------------------------------------------------


def in_the_feed(vendor: responses.RequestsMock, unique_args: str) -> None:
    query = {"query": f"unique_args['message_id']=\"{ENVELOPE.message_id}\"", "limit": "5"}
    vendor.get(
        f"{HOST}/v3/messages",
        match=[matchers.query_param_matcher(query)],
        json={"messages": [{"msg_id": "sg-1.filter/0", "status": "processed"}]},
    )
    vendor.get(f"{HOST}/v3/messages/sg-1.filter%2F0", json={"msg_id": "sg-1.filter/0", "unique_args": unique_args})


def test_a_message_in_the_feed_was_sent(channel: SendGridChannel, vendor: responses.RequestsMock) -> None:
    in_the_feed(vendor, json.dumps({"message_id": ENVELOPE.message_id}))
    assert channel.look_up(ENVELOPE.message_id) == (Evidence.SENT, "sg-1.filter/0")


def test_a_message_that_the_feed_gives_without_our_id_is_no_evidence(
    channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    in_the_feed(vendor, "{}")
    assert channel.look_up(ENVELOPE.message_id) == (Evidence.NOTHING, None)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, '{"messages": []}'),
        (200, "[]"),
        (200, "<html>"),
        (200, "null"),
        (403, "{}"),
        (404, ""),
        (429, "{}"),
        (500, ""),
    ],
)
def test_a_feed_without_the_message_says_nothing(
    status: int, body: str, channel: SendGridChannel, vendor: responses.RequestsMock
) -> None:
    vendor.get(f"{HOST}/v3/messages", status=status, body=body)
    assert channel.look_up(ENVELOPE.message_id) == (Evidence.NOTHING, None)


def test_a_feed_that_is_not_ours_is_not_asked(session: requests.Session, vendor: responses.RequestsMock) -> None:
    blind = SendGridChannel(KEY, HOST, session, clock=FrozenClock())
    assert blind.look_up(ENVELOPE.message_id) == (Evidence.NOTHING, None)
    assert len(vendor.calls) == 0


def test_the_sdk_does_not_log_the_key() -> None:
    assert not logging.getLogger("python_http_client.client").isEnabledFor(logging.DEBUG)
