"""What every answer says, whoever asks and whatever for."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from arsync.bootstrap import App
from arsync.errors import ConfigurationError, DatabaseUnusable, UsageError
from arsync.settings import load
from arsync.web.app import ROUTES, create
from arsync.web.routes import Declared


def test_every_route_says_what_it_asks_of_who_comes(served: App) -> None:
    routes = create(served).routes
    assert routes == list(ROUTES)
    assert [route for route in routes if not isinstance(route, Declared)] == []


@pytest.mark.parametrize("path", ["/healthz", "/static/desk.css", "/no-such-page", "/static/no-such-file"])
def test_every_answer_keeps_strangers_out_of_the_page(browser: TestClient, path: str) -> None:
    said = browser.get(path).headers
    policy = dict(part.split(" ", 1) for part in said["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert said["x-content-type-options"] == "nosniff"
    assert said["referrer-policy"] == "same-origin"
    assert "server" not in said
    assert float(said["server-timing"].removeprefix("app;dur=")) >= 0


def test_a_style_is_kept_for_ever_under_the_name_of_its_version_alone(browser: TestClient) -> None:
    page = browser.get("/no-such-page").text
    address = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert address.startswith("/static/desk.css?v=")
    assert "immutable" in browser.get(address).headers["cache-control"]
    assert browser.get("/static/desk.css?v=of-yesterday").headers["cache-control"] == "no-cache"


def test_what_is_not_there_is_a_page_that_says_so(browser: TestClient) -> None:
    found = browser.get("/no-such-page")
    assert found.status_code == 404
    assert "There is no such thing" in found.text
    assert browser.post("/healthz").status_code == 405
    assert browser.get("/../../etc/passwd").status_code == 404


def test_an_error_is_a_sentence_and_a_fault_of_ours_keeps_its_words_to_the_log(
    served: App, caplog: pytest.LogCaptureFixture
) -> None:
    desk = create(served)

    def fails(error: Exception) -> object:
        async def fail(_request: Request) -> Response:
            raise error

        return fail

    for path, error in (
        ("/usage", UsageError("write 1250.00")),
        ("/away", DatabaseUnusable("it is away")),
        ("/fault", RuntimeError("the customer's name")),
    ):
        desk.router.routes.append(Route(path, fails(error)))  # type: ignore[arg-type]
    with TestClient(desk, base_url="http://localhost", raise_server_exceptions=False) as client:
        usage, away, fault = (client.get(path) for path in ("/usage", "/away", "/fault"))
    assert (usage.status_code, away.status_code, fault.status_code) == (422, 503, 500)
    assert "write 1250.00" in usage.text
    assert "the customer&#39;s name" not in fault.text
    assert "RuntimeError" not in fault.text
    assert [line.message for line in caplog.records if line.name == "arsync.web.faults"] == ["page_failed"]


def test_it_answers_to_its_own_name_alone_and_to_who_watches_by_any(served: App) -> None:
    for name, status in (("localhost:8600", 200), ("127.0.0.1", 200), ("evil.example", 421), ("[::1", 421), ("", 421)):
        with TestClient(create(served)) as client:
            assert client.get("/static/desk.css", headers={"Host": name}).status_code == status, name
            assert client.get("/healthz", headers={"Host": name}).text == "ok\n"


def test_listening_everywhere_takes_the_name_by_which_people_come(served: App, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    database = f'[database]\nurl = "{served.settings.database_url}"\n[serve]\nhost = "0.0.0.0"\n'
    path.write_text(database, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"serve\.public_url is missing"):
        create(App(load(path, environ={})))
    path.write_text(database + 'public_url = "https://desk.example.com"\n', encoding="utf-8")
    with TestClient(create(App(load(path, environ={}))), base_url="https://desk.example.com") as client:
        found = client.get("/static/desk.css")
    assert found.status_code == 200
    assert "max-age" in found.headers["strict-transport-security"]


def test_who_watches_hears_that_the_database_is_away(
    browser: TestClient, served: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert browser.get("/healthz").status_code == 200

    def away() -> object:
        raise DatabaseUnusable("it is away")

    monkeypatch.setattr(served.store, "reading", away)
    found = browser.get("/healthz")
    assert (found.status_code, found.text) == (503, "the database cannot be read\n")
