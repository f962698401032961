"""Consent by way of the desk: from a page of ours to the vendor's and back, in one browser and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.acceptance.consenting import decide
from tests.acceptance.installation import Installation
from tests.integration.web.pages import Page, read

from arsync.bootstrap import App
from arsync.domain.roles import Role
from arsync.sandbox.rehearsal import RehearsalClock
from arsync.settings import load
from arsync.store import users
from arsync.web import passwords
from arsync.web.app import create

DESK = "http://localhost:8600"
PASSWORD = "a long enough word"


class Browser:
    """Somebody who is logged in."""

    def __init__(self, app: App, name: str) -> None:
        self._client = TestClient(create(app), base_url=DESK)
        token = self.get("/login").token
        sent = self._client.post(
            "/login", data={"token": token, "name": name, "password": PASSWORD}, follow_redirects=False
        )
        assert sent.status_code == 303

    def get(self, path: str) -> Page:
        return read(self._client.get(path.removeprefix(DESK), follow_redirects=False))

    def send(self, path: str, **fields: Any) -> Page:
        return read(self._client.post(path, data=fields, follow_redirects=False))

    def to_the_vendor(self, provider: str) -> str:
        """The address that leads there."""
        return next(link for link in self.get(f"/link/{provider}").links if "state=" in link)


@pytest.fixture
def desk(empty: Installation) -> Iterator[App]:
    """A desk to which the vendors' pages lead back; bob and eve are admins."""
    for name, provider in (("harbor", "quickbooks"), ("thames", "xero")):
        empty.found(name, provider)
    empty.configure()
    empty.sandbox.register_redirect(f"{DESK}/link/answer")
    written = re.sub(r"\[connection\.[^\]]+\]\n(?:[^\[\n].*\n|\n)*", "", empty.config.read_text())
    for provider in ("quickbooks", "xero"):
        written = written.replace(f"[{provider}]\n", f'[{provider}]\nredirect_uri = "{DESK}/link/answer"\n')
    empty.config.write_text(written)
    empty.arsync("db", "upgrade")
    app = App(load(empty.config, environ={}))
    with app.store.working() as work:
        for name in ("bob", "eve"):
            secret = passwords.hashed(PASSWORD, name)
            users.add(work, name, Role.ADMIN, None, password=secret, now=app.clock.now())
        work.commit()
    yield app
    app.close()


@pytest.mark.parametrize(("provider", "name"), [("quickbooks", "harbor"), ("xero", "thames")])
def test_a_company_is_linked_from_the_desk(desk: App, empty: Installation, provider: str, name: str) -> None:
    bob = Browser(desk, "bob")
    assert f"/link/{provider}" in bob.get("/connections").links
    back = decide(bob.to_the_vendor(provider), [empty.books[name].id])
    page = bob.get(back)
    assert page.status == 200
    assert empty.json("connections") == []  # nothing before a person has said which
    form = page.form("/link").fields
    assert form["company"] == empty.books[name].id
    (sealed,) = [value for key, value in form.items() if key == "held"]
    assert "refresh" not in sealed
    linked = bob.send("/link", token=form["token"], held=sealed, company=form["company"])
    assert linked.status == 303
    (listed,) = empty.json("connections")
    assert (listed["provider"], listed["health"]) == (provider, "recovering")
    assert linked.to == f"/connections/{listed['name']}"
    assert ("connection_linked", "bob") in [
        tuple(row) for row in empty.rows("SELECT kind, author FROM events ORDER BY id")
    ]
    assert "recovering" in bob.get(linked.to).text


def test_an_answer_that_is_anothers_or_too_old_or_was_used_links_nothing(desk: App, empty: Installation) -> None:
    bob, eve = Browser(desk, "bob"), Browser(desk, "eve")
    address = bob.to_the_vendor("xero")
    back = decide(address, [empty.books["thames"].id])
    assert eve.get(back).status == 422
    assert bob.get(back.replace("state=xero", "state=quickbooks")).status == 422
    page = bob.get(back)
    assert page.status == 200
    assert bob.get(back).status == 502  # a code is good once
    form = page.form("/link").fields
    assert eve.send("/link", token=eve.get("/connections").token, held=form["held"], company="x").status == 422
    assert bob.send("/link", token=form["token"], held=form["held"]).status == 422
    denied = decide(bob.to_the_vendor("xero"), allow=False)
    assert "access was denied there" in bob.get(denied).text
    clock = desk.clock
    assert isinstance(clock, RehearsalClock)
    empty.sandbox.set_clock(clock.now() + timedelta(minutes=16))
    clock.look_again()
    assert bob.get(decide(address, [empty.books["thames"].id])).status == 422
    assert bob.send("/link", token=form["token"], held=form["held"], company=form["company"]).status == 422
    assert empty.rows("SELECT * FROM grants") == []
