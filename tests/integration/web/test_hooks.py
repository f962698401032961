"""What vendors and the mail provider post: checked before anything else, kept once, answered with a number."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from tests.integration.store.books import Books, open_books
from tests.unit.channel.test_sendgrid_events import NOW, PUBLIC, signed
from tests.unit.inbox.test_inbound_parse import HEADERS, MAIL, form

from arsync.bootstrap import App
from arsync.channel.sendgrid_events import MOST_BYTES, SIGNATURE, TIMESTAMP
from arsync.errors import DatabaseUnusable, Locked
from arsync.inbox.mail import MOST
from arsync.settings import load
from arsync.store import doors, hints, posts
from arsync.store.engine import Store
from arsync.store.posts import Post
from arsync.testing.ports import FixedClock
from arsync.web.app import create
from arsync.web.hooks.body import Full, Purse, Slow

INTUIT_KEY, XERO_KEY, SECRET = "verifier-token-of-intuit", "webhook-key-of-xero", "s3cret-of-the-address"
_CLIENT = 'client_id = "c"\nclient_secret = "of-the-client"\n'


@pytest.fixture
def hooked(store_url: str, tmp_path: Path) -> Iterator[App]:
    """An installation that every vendor knows."""
    app = installed(store_url, tmp_path)
    yield app
    app.close()


def installed(
    store_url: str,
    folder: Path,
    *,
    sendgrid: str = f'webhook_public_key = "{PUBLIC}"',
    inbox: str = f'inbound_parse_secret = "{SECRET}"',
) -> App:
    path = folder / "arsync.toml"
    path.write_text(
        f'[database]\nurl = "{store_url}"\n'
        f'[quickbooks]\n{_CLIENT}webhook_verifier_token = "{INTUIT_KEY}"\n'
        f'[xero]\n{_CLIENT}webhook_key = "{XERO_KEY}"\n'
        f"[sendgrid]\n{sendgrid}\n[inbox]\n{inbox}\n",
        encoding="utf-8",
    )
    app = App(load(path, environ={}))
    vars(app)["clock"] = FixedClock(NOW)
    return app


@pytest.fixture
def outside(hooked: App) -> Iterator[TestClient]:
    """The internet."""
    with TestClient(create(hooked), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def harbour(store: Store) -> Books:
    return open_books(store)


@pytest.fixture
def thames(harbour: Books) -> Books:
    return open_books(harbour.store, "thames", provider="xero")


def hmac_of(body: bytes, key: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def by_intuit(*events: tuple[str, str], key: str = INTUIT_KEY) -> dict[str, Any]:
    """(event, company): an invoice was updated there."""
    body = json.dumps(
        [
            {
                "specversion": "1.0",
                "id": event,
                "type": "qbo.invoice.updated.v1",
                "time": "2026-06-09T13:59:00.123456789Z",
                "intuitentityid": "95",
                "intuitaccountid": company,
                "data": {},
            }
            for event, company in events
        ]
    ).encode()
    return {"content": body, "headers": {"intuit-signature": hmac_of(body, key)}}


def by_xero(*invoices: str, company: str = "thames", key: str = XERO_KEY) -> dict[str, Any]:
    events = [
        {
            "resourceId": one,
            "tenantId": company,
            "eventCategory": "INVOICE",
            "eventType": "UPDATE",
            "eventDateUtc": "2026-06-09T13:59:00.123",
        }
        for one in invoices
    ]
    body = json.dumps({"events": events, "firstEventSequence": 1, "lastEventSequence": 1, "entropy": "e"}).encode()
    return {"content": body, "headers": {"x-xero-signature": hmac_of(body, key)}}


def by_sendgrid(*event_ids: str, at: Any = NOW, body: bytes | None = None) -> dict[str, Any]:
    events = [
        {"event": "delivered", "email": "jane@debtor.example", "timestamp": 1781013600, "sg_event_id": one}
        for one in event_ids
    ]
    raw = json.dumps(events).encode() + b"\r\n" if body is None else body
    signature, stamp = signed(raw, at)
    return {"content": raw, "headers": {SIGNATURE: signature, TIMESTAMP: stamp}}


def to_look_at(app: App) -> list[str]:
    with app.store.reading() as work:
        return list(hints.open_since(work))


def kept(app: App) -> list[Post]:
    found: list[Post] = []
    with app.store.reading() as work:
        while (post := posts.next_due(work, after=found[-1].id if found else 0, now=NOW)) is not None:
            found.append(post)
    return found


def counts(app: App) -> dict[str, tuple[int, int, int, int, int]]:
    """taken, known, stranger, refused, malformed."""
    with app.store.reading() as work:
        return {one.name: (one.taken, one.known, one.stranger, one.refused, one.malformed) for one in doors.every(work)}


# --- accounting systems ---------------------------------------------------------------------------------------------


def test_a_webhook_marks_its_companies_and_a_second_one_nothing(
    outside: TestClient, hooked: App, harbour: Books, thames: Books
) -> None:
    for _ in range(2):
        found = outside.post("/hooks/quickbooks", **by_intuit(("e-1", "harbour"), ("e-2", "of-somebody-else")))
        assert (found.status_code, found.content) == (200, b"")
    assert to_look_at(hooked) == ["harbour"]
    assert outside.post("/hooks/xero", **by_xero("i-1")).status_code == 200
    assert to_look_at(hooked) == ["harbour", "thames"]
    assert counts(hooked) == {"quickbooks": (1, 1, 2, 0, 0), "xero": (1, 0, 0, 0, 0)}


def test_xeros_intent_to_receive_is_answered_by_the_signature_alone_without_a_word_or_a_cookie(
    outside: TestClient, hooked: App, thames: Books
) -> None:
    for request, status in ((by_xero(), 200), (by_xero(key="not the key"), 401)):
        found = outside.post("/hooks/xero", **request)
        assert (found.status_code, found.content) == (status, b"")
        assert "set-cookie" not in found.headers
    assert to_look_at(hooked) == []


@pytest.mark.parametrize(
    ("path", "request_", "status"),
    [
        ("/hooks/quickbooks", by_intuit(("e", "harbour"), key="not the key"), 401),
        ("/hooks/quickbooks", {"content": b"[]"}, 401),
        ("/hooks/quickbooks", by_xero("i", company="harbour"), 401),
        ("/hooks/quickbooks", {"content": b"{", "headers": {"intuit-signature": hmac_of(b"{", INTUIT_KEY)}}, 400),
        ("/hooks/quickbooks", {"content": b"[3]", "headers": {"intuit-signature": hmac_of(b"[3]", INTUIT_KEY)}}, 400),
        ("/hooks/xero", {"content": b"[]", "headers": {"x-xero-signature": hmac_of(b"[]", XERO_KEY)}}, 400),
        ("/hooks/sendgrid/events", {"content": b"[]"}, 401),
        ("/hooks/sendgrid/events", by_sendgrid("e", at=NOW - timedelta(hours=26)), 401),
        ("/hooks/sendgrid/events", by_sendgrid("e", at=NOW + timedelta(hours=1)), 401),
        ("/hooks/sendgrid/events", by_sendgrid(body=b"{"), 400),
        ("/hooks/sendgrid/events", by_sendgrid(body=b'{"event": "delivered"}'), 400),
        ("/hooks/sendgrid/inbound/another", {"content": form(email=MAIL), "headers": HEADERS}, 401),
        ("/hooks/sendgrid/inbound", {"content": form(email=MAIL), "headers": HEADERS}, 401),
        (f"/hooks/sendgrid/inbound/{SECRET}", {"content": b"{}", "headers": {"content-type": "text/plain"}}, 400),
        ("/hooks/sage", {"content": b"{}"}, 404),
        ("/hooks/sendgrid", {"content": b"{}"}, 404),
    ],
)  # fmt: skip
def test_what_is_not_a_vendors_or_nothing_that_can_be_read_changes_nothing(
    outside: TestClient, hooked: App, harbour: Books, path: str, request_: dict[str, Any], status: int
) -> None:
    found = outside.post(path, **request_)
    assert (found.status_code, found.content) == (status, b"")
    assert to_look_at(hooked) == []
    assert kept(hooked) == []
    told = counts(hooked)
    if status == 404:
        assert told == {}
    else:
        (one,) = told.values()
        assert one == ((0, 0, 0, 1, 0) if status == 401 else (0, 0, 0, 0, 1))


def test_a_vendor_may_come_by_any_name_of_ours(outside: TestClient, hooked: App, harbour: Books) -> None:
    """By a tunnel or another name of the proxy: it is known by its signature, and what is sent away may be lost."""
    told = by_intuit(("e-1", "harbour"))
    headers = {**told["headers"], "Host": "tunnel.example"}
    assert outside.post("/hooks/quickbooks", content=told["content"], headers=headers).status_code == 200
    assert to_look_at(hooked) == ["harbour"]


def test_a_flood_of_forgeries_is_counted_and_written_down_once_in_a_minute(
    outside: TestClient, hooked: App, harbour: Books, caplog: pytest.LogCaptureFixture
) -> None:
    clock = hooked.clock
    assert isinstance(clock, FixedClock)
    forged = by_intuit(("e", "harbour"), key="not the key")
    for _ in range(50):
        assert outside.post("/hooks/quickbooks", **forged).status_code == 401
    assert counts(hooked) == {"quickbooks": (0, 0, 0, 1, 0)}
    clock.advance(61)
    outside.post("/hooks/quickbooks", **forged)
    assert counts(hooked) == {"quickbooks": (0, 0, 0, 51, 0)}
    assert [record.__dict__["count"] for record in caplog.records if record.message == "post_refused"] == [1, 50]


# --- the mail provider ----------------------------------------------------------------------------------------------


def test_events_are_kept_until_they_are_taken_in_and_twice_at_once_is_once(outside: TestClient, hooked: App) -> None:
    for _ in range(2):
        assert outside.post("/hooks/sendgrid/events", **by_sendgrid("e-1", "e-2")).status_code == 200
    (one,) = kept(hooked)
    assert [event["event_id"] for event in json.loads(one.content)] == ["e-1", "e-2"]
    assert counts(hooked) == {"sendgrid/events": (1, 1, 0, 0, 0)}


def test_of_events_nothing_is_kept_that_nobody_takes_in(outside: TestClient, hooked: App) -> None:
    opened = {"event": "open", "email": "jane@debtor.example", "timestamp": 1, "ip": "192.0.2.1", "useragent": "Mail"}
    body = json.dumps([opened]).encode()
    assert outside.post("/hooks/sendgrid/events", **by_sendgrid(body=body)).status_code == 200
    assert kept(hooked) == []


def test_a_bad_event_stops_no_other(outside: TestClient, hooked: App, caplog: pytest.LogCaptureFixture) -> None:
    good = {"event": "delivered", "email": "jane@debtor.example", "timestamp": 1781013600, "sg_event_id": "e-1"}
    body = json.dumps([{"event": "delivered"}, good]).encode()
    assert outside.post("/hooks/sendgrid/events", **by_sendgrid(body=body)).status_code == 200
    (one,) = kept(hooked)
    assert [event["event_id"] for event in json.loads(one.content)] == ["e-1"]
    assert "event 1 cannot be read: it has no email" in [record.__dict__.get("first") for record in caplog.records]


@pytest.mark.parametrize(
    "way",
    [
        {"url": f"/hooks/sendgrid/inbound/{SECRET}"},
        {"url": f"/hooks/sendgrid/inbound?secret={SECRET}"},
        {"url": "/hooks/sendgrid/inbound", "auth": ("sendgrid", SECRET)},
    ],
    ids=["in the path", "behind it", "as a password"],
)
def test_an_answer_is_let_in_by_its_secret_and_kept(outside: TestClient, hooked: App, way: dict[str, Any]) -> None:
    for _ in range(2):
        found = outside.post(**way, content=form(email=MAIL, envelope='{"to":["b@c.example"]}'), headers=HEADERS)
        assert (found.status_code, found.content) == (200, b"")
    (one,) = kept(hooked)
    told = json.loads(one.content)
    assert base64.b64decode(told["raw"]).decode() == MAIL
    assert told["sent_to"] == ["b@c.example"]


def test_a_secret_that_an_address_cannot_hold_as_it_is_is_known_all_the_same(store_url: str, tmp_path: Path) -> None:
    app = installed(store_url, tmp_path, inbox='inbound_parse_secret = "sécret /?#%"')
    with TestClient(create(app), base_url="http://localhost") as client:
        post: dict[str, Any] = {"content": form(email=MAIL), "headers": HEADERS}
        assert client.post("/hooks/sendgrid/inbound/s%C3%A9cret%20%2F%3F%23%25", **post).status_code == 200
        assert client.post("/hooks/sendgrid/inbound/s%C3%A9cret%20%2F%3F%23", **post).status_code == 401
    app.close()


def test_a_signed_answer_needs_no_secret_in_its_address(store_url: str, tmp_path: Path) -> None:
    app = installed(store_url, tmp_path, inbox=f'inbound_parse_public_key = "{PUBLIC}"')
    body = form(email=MAIL)
    signature, stamp = signed(body)
    with TestClient(create(app), base_url="http://localhost") as client:
        headers = {**HEADERS, SIGNATURE: signature, TIMESTAMP: stamp}
        assert client.post("/hooks/sendgrid/inbound", content=body, headers=headers).status_code == 200
        assert client.post("/hooks/sendgrid/inbound", content=body, headers=HEADERS).status_code == 401
        altered = body.replace(b"pay", b"not")
        assert client.post("/hooks/sendgrid/inbound", content=altered, headers=headers).status_code == 401
    assert len(kept(app)) == 1
    app.close()


def test_what_nobody_has_said_how_to_know_shall_come_again(store_url: str, tmp_path: Path) -> None:
    app = installed(store_url, tmp_path, sendgrid="", inbox="")
    with TestClient(create(app), base_url="http://localhost") as client:
        for path, request in (
            ("/hooks/sendgrid/events", by_sendgrid("e-1")),
            ("/hooks/sendgrid/inbound/anything", {"content": form(email=MAIL), "headers": HEADERS}),
        ):
            found = client.post(path, **request)
            assert (found.status_code, found.headers["retry-after"]) == (503, "60")
    assert kept(app) == []
    app.close()


# --- bounds ---------------------------------------------------------------------------------------------------------


class Pouring:
    """A body that never ends, in pieces; how much of it was asked for."""

    def __init__(self, beginning: bytes = b"") -> None:
        self.beginning, self.given = beginning, 0

    def __iter__(self) -> Iterator[bytes]:
        yield self.beginning
        while self.given < 1_000_000_000:
            self.given += 1_000_000
            yield b"x" * 1_000_000


def poured(app: App, path: str, body: Pouring, headers: dict[str, str]) -> int:
    """As a server hands it on, piece by piece; the status."""
    pieces, told = iter(body), list[int]()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": next(pieces), "more_body": True}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    written = [(name.lower().encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()]
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "scheme": "http", "headers": written,
        "server": ("localhost", 80), "client": ("192.0.2.1", 1), "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asyncio.run(create(app)(scope, receive, send))
    return told[0]


@pytest.mark.parametrize(
    ("path", "most"),
    [("/hooks/quickbooks", 2_000_000), ("/hooks/sendgrid/events", MOST_BYTES)],
)
@pytest.mark.parametrize("announced", [{}, {"content-length": "10"}, {"content-length": "999999999"}])
def test_no_more_is_read_than_is_allowed_whatever_was_announced(
    hooked: App, path: str, most: int, announced: dict[str, str]
) -> None:
    body = Pouring()
    assert poured(hooked, path, body, announced) == 413
    assert body.given <= most + 1_000_000
    if announced.get("content-length") == "999999999":
        assert body.given <= 1_000_000


def test_a_mail_that_is_larger_than_any_is_not_read_but_its_sender_and_its_size_are_kept(hooked: App) -> None:
    begins = form(email=MAIL).partition(b"\r\n--xYzZY--")[0]
    body = Pouring(begins)
    assert poured(hooked, f"/hooks/sendgrid/inbound/{SECRET}", body, HEADERS) == 413
    assert body.given <= MOST + 1_000_000
    (one,) = kept(hooked)
    told = json.loads(one.content)
    assert base64.b64decode(told["raw"]).decode().startswith("From: Jo <jo@reed.example>")
    assert told["size"] > MOST
    assert len(one.content) < 2_000_000


def test_without_its_secret_not_a_byte_of_a_mail_is_read(hooked: App) -> None:
    body = Pouring(b"begins")
    assert poured(hooked, "/hooks/sendgrid/inbound/another", body, HEADERS) == 401
    assert body.given == 0


def test_who_keeps_silent_in_the_middle_is_not_waited_for() -> None:
    async def stays_silent() -> None:
        async def receive() -> dict[str, Any]:
            await asyncio.sleep(3600)
            raise AssertionError

        request = Request({"type": "http", "method": "POST", "headers": []}, receive)
        purse = Purse(1000)
        with pytest.raises(Slow):
            async with purse.received(request, most=10, seconds=0.01):
                raise AssertionError

    asyncio.run(stays_silent())


def test_all_posts_together_hold_no_more_than_a_purse_and_it_is_given_back() -> None:
    def request(size: int) -> Request:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"x" * size, "more_body": False}

        return Request({"type": "http", "method": "POST", "headers": []}, receive)

    async def two_at_once() -> None:
        purse = Purse(1000)
        async with purse.received(request(700), most=900, seconds=5) as first:
            assert len(first.whole()) == 700
            with pytest.raises(Full):
                async with purse.received(request(700), most=900, seconds=5):
                    raise AssertionError
        async with purse.received(request(700), most=900, seconds=5) as third:
            assert third.is_whole

    asyncio.run(two_at_once())


# --- when we cannot -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [DatabaseUnusable("it is away"), Locked("another"), ZeroDivisionError("a body")])
@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/hooks/quickbooks", by_intuit(("e-1", "harbour"))),
        ("/hooks/sendgrid/events", by_sendgrid("e-1")),
        (f"/hooks/sendgrid/inbound/{SECRET}", {"content": form(email=MAIL), "headers": HEADERS}),
    ],
)
def test_what_we_cannot_take_comes_again_and_nobody_is_told_why(
    outside: TestClient, hooked: App, harbour: Books, monkeypatch: pytest.MonkeyPatch, path: str,
    request_: dict[str, Any], error: Exception,
) -> None:  # fmt: skip
    def fails(**_: object) -> object:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(hooked.store, "working", fails)
        found = outside.post(path, **request_)
    assert (found.status_code, found.content, found.headers["retry-after"]) == (503, b"", "60")
    assert outside.post(path, **request_).status_code == 200


def test_a_log_of_all_of_it_holds_no_secret_no_address_and_no_word_of_a_body(
    outside: TestClient, hooked: App, harbour: Books, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="arsync")
    mail = form(email=MAIL.replace("We will pay", "A word of the body"))
    for path, request in (
        (f"/hooks/sendgrid/inbound/{SECRET}", {"content": mail, "headers": HEADERS}),
        (f"/hooks/sendgrid/inbound/{SECRET}x", {"content": mail, "headers": HEADERS}),
        (f"/hooks/sendgrid/inbound/{SECRET}", {"content": b"A word of the body", "headers": {}}),
        ("/hooks/sendgrid/events", by_sendgrid("e-1")),
        ("/hooks/sendgrid/events", by_sendgrid(body=b"A word of the body")),
        ("/hooks/quickbooks", by_intuit(("e-1", "harbour"), key="no")),
    ):
        outside.post(path, **request)
    with monkeypatch.context() as patch:
        patch.setattr("arsync.web.hooks.mail.keep_mail", lambda *_, **__: 1 / 0)
        outside.post(f"/hooks/sendgrid/inbound/{SECRET}", content=mail, headers=HEADERS)
    ours = [str(record.__dict__) for record in caplog.records if record.name.startswith("arsync")]
    assert len(ours) >= 6
    for line in ours:
        for word in (SECRET, "A word of the body", "jane@debtor.example", "jo@reed.example", XERO_KEY):
            assert word not in line
