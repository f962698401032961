"""Every address, tried by who must not have what is there: a stranger, somebody of another company, somebody who only
looks."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from tests.integration.store.books import NOW, TODAY
from tests.integration.web.conftest import LETTER, Guest, House, a_call
from tests.integration.web.pages import Page
from tests.integration.web.test_replies import answered

from arsync.domain.people import CallOutcome
from arsync.domain.roles import Role
from arsync.store import letters, touches
from arsync.web.access import Needs, Open, Reach
from arsync.web.app import ROUTES
from arsync.web.routes import Declared

#: What stands for each name in an address: a thing of Harbour's. A new name needs a line here.
HARBOURS = {
    "company": "harbour", "payer": "C1", "report": "aging", "playbook": "standard", "step": "friendly",
    "provider": "quickbooks", "message": "1", "outcome": "1",
    "reply": "1", "comment": "1", "batch": "1",
}  # fmt: skip
#: Open addresses, and why: one more of them is thought about twice.
OPEN = {
    "/healthz", "/static/{name}", "/login", "/hooks/{provider}", "/hooks/sendgrid/events", "/hooks/sendgrid/inbound",
    "/hooks/sendgrid/inbound/{secret:path}",
}  # fmt: skip
ASKING = [route for route in ROUTES if isinstance(route.access, Needs)]


@pytest.fixture(autouse=True)
def called(house: House) -> None:
    """Of Harbour's message 1 is a call, outcome 1 how it went, reply 1 an answer, comment 1 something to remember, and
    message 2 a letter in batch 1."""
    a_call(house)
    with house.app.store.working() as work:
        touches.keep_outcome(
            work, 1, CallOutcome.NO_ANSWER, made_on=TODAY, comment="Acme of harbour was out", author="ann", now=NOW
        )
        touches.keep_comment(
            work, house.harbour.id, payer_id="C1", invoice_id=None, text="Acme of harbour moves", follow_up=TODAY,
            author="ann", now=NOW,
        )  # fmt: skip
        work.commit()
    answered(house)
    house.harbour.plan(step=LETTER)
    with house.app.store.working() as work:
        assert letters.gather(work, house.harbour.id, now=NOW) == 1
        work.commit()


def ids(route: Declared) -> str:
    return f"{','.join(sorted(route.methods or ()))} {route.path}"


def written(route: Declared) -> str:
    """The address with a thing of Harbour's in it."""
    return re.sub(r"{(\w+)(?::\w+)?}", lambda name: quote(HARBOURS[name[1]]), route.path)


def tried(guest: Guest, route: Declared) -> Page:
    if "POST" in (route.methods or ()):
        return guest.send(written(route))
    return guest.get(written(route))


def test_what_is_open_to_anybody_is_listed_here() -> None:
    assert {route.path for route in ROUTES if isinstance(route.access, Open)} == OPEN
    assert all(route.access.why for route in ROUTES if isinstance(route.access, Open))


@pytest.mark.parametrize("route", ASKING, ids=ids)
def test_a_stranger_gets_nothing(house: House, route: Declared) -> None:
    answer = tried(house.somebody(), route)
    if "POST" in (route.methods or ()):
        assert answer.status == 401
    else:
        assert (answer.status, answer.to.partition("?")[0]) == (303, "/login")
    assert "Acme" not in answer.source


@pytest.mark.parametrize("route", ASKING, ids=ids)
def test_who_sees_another_company_learns_nothing_of_this_one(house: House, route: Declared) -> None:
    assert isinstance(route.access, Needs)
    before = house.log()
    tom = house.comes("tom")
    answer = tried(tom, route)
    if not isinstance(route.access.of, Reach):
        assert answer.status == 404
        missing = tom.get("/customers/nobody-is-called-so/C1")
        assert answer.text == missing.text or "POST" in (route.methods or ())
    elif route.access.of is Reach.EVERYTHING:
        assert answer.status == 403
    else:
        assert answer.status in (200, 303)
    assert "Acme of harbour" not in answer.source
    assert not [line for line in house.log()[len(before) :] if line[0] not in ("logged_in", "logged_out")]


@pytest.mark.parametrize("route", [one for one in ASKING if one.access.role is not Role.VIEWER], ids=ids)  # type: ignore[union-attr]
def test_who_only_looks_may_do_nothing(house: House, route: Declared) -> None:
    vic = house.comes("vic")
    before = house.log()
    assert tried(vic, route).status == 403
    assert house.log() == before


@pytest.mark.parametrize("route", [one for one in ASKING if "POST" in (one.methods or ())], ids=ids)
def test_what_changes_anything_takes_the_token_of_a_page(house: House, route: Declared) -> None:
    bob = house.comes("bob")
    before = house.log()
    assert bob.send(written(route), token="").status == 403
    assert house.log() == before
