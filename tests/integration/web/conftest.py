"""An installation that is served, on a database of either kind: two companies whose sources give the same ids, and
people who see one of them or both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.integration.store.books import NOW, Books, customer, invoice, open_books
from tests.integration.web.pages import Page, read

from arsync.bootstrap import App
from arsync.domain.policy import Step, StepChannel, StepMode, Tone
from arsync.domain.roles import Role
from arsync.domain.states import MessageState
from arsync.settings import load
from arsync.store import messages, users
from arsync.testing.ports import FixedClock
from arsync.web import passwords
from arsync.web.app import create

CALL = Step("call", 21, StepChannel.CALL, Tone.FIRM, "call", StepMode.TASK)
LETTER = Step("letter", 14, StepChannel.LETTER, Tone.FIRM, "letter", None)
PASSWORD = "a long enough word"
_SETTINGS = """
[database]
url = "{url}"
[defaults]
timezone = "Europe/London"
bank_details.EUR = "Bank"
[delivery]
from = "Harbour <us@harbour.example>"
[quickbooks]
client_id = "ours"
client_secret = "a secret of ours"
[connection.harbour]
provider = "quickbooks"
external_id = "harbour"
[connection.thames]
provider = "quickbooks"
external_id = "thames"
"""


@cache
def _kept() -> str:
    """Its hash: what takes long is done once."""
    return passwords.hashed(PASSWORD, "ann")


@dataclass
class Guest:
    """Somebody with a browser."""

    client: TestClient
    name: str | None

    def get(self, path: str) -> Page:
        """A page as it is answered."""
        return read(self.client.get(path, follow_redirects=False))

    def send(self, path: str, token: str | None = None, **fields: str) -> Page:
        """Sends a form, with the token of this browser unless another is told."""
        if token is None:
            token = read(self.client.get("/login" if self.name is None else "/", follow_redirects=False)).token
        data = {"token": token, **fields}
        return read(self.client.post(path, data=data, follow_redirects=False))


@dataclass
class House:
    """Harbour and Thames: at each, customer C1 owes I1 and I2; ann sees Harbour, and so does vic, who only looks; tom
    sees Thames, bob both."""

    app: App
    desk: Starlette
    clock: FixedClock
    harbour: Books
    thames: Books
    _open: list[TestClient] = field(default_factory=list)

    def somebody(self, **options: Any) -> Guest:
        """A browser that has not been here."""
        client = TestClient(self.desk, base_url="http://localhost:8600", raise_server_exceptions=False, **options)
        self._open.append(client)
        return Guest(client, None)

    def comes(self, name: str) -> Guest:
        """That person, logged in."""
        guest = self.somebody()
        assert guest.send("/login", name=name, password=PASSWORD).status == 303
        return Guest(guest.client, name)

    def log(self) -> list[tuple[str, str]]:
        """The log's last lines: what, and who."""
        return [tuple(row) for row in self.harbour.rows("SELECT kind, author FROM events ORDER BY id")]

    def close(self) -> None:
        for client in self._open:
            client.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def database(request: pytest.FixtureRequest) -> str:
    """What pages ask of a database is tried on both where the store is tested; here on both in long runs."""
    return str(request.param)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are reckoned in no time; test_entry.py looks at what holds outside."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@contextmanager
def counted(house: House) -> Iterator[list[str]]:
    """The statements that are asked of the database meanwhile."""
    asked: list[str] = []

    def keep(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    engine = house.app.store.engine
    event.listen(engine, "before_cursor_execute", keep)
    yield asked
    event.remove(engine, "before_cursor_execute", keep)


def moved(house: House, message: int, *way: MessageState) -> int:
    """A message along its way."""
    with house.app.store.working() as work:
        for here, there in pairwise(way):
            assert messages.move(work, message, here, there, reason=f"it is {there}", now=NOW)
        work.commit()
    return message


def a_call(house: House, *invoices: str, payer: str = "C1") -> int:
    """A call to that customer of Harbour on the list, Acme, about these invoices."""
    message = house.harbour.plan(payer, step=CALL, invoices=invoices or ("I1",))
    return moved(
        house, message, MessageState.APPROVED, MessageState.CLAIMED, MessageState.SENDING, MessageState.ACCEPTED
    )


@pytest.fixture
def served(store_url: str, tmp_path: Path) -> Iterator[App]:
    """An installation without companies, at this arsync's schema; its clock stands still."""
    path = tmp_path / "arsync.toml"
    path.write_text(_SETTINGS.format(url=store_url), encoding="utf-8")
    app = App(load(path, environ={}))
    vars(app)["clock"] = FixedClock(NOW)
    yield app
    app.close()


@pytest.fixture
def browser(served: App) -> Iterator[TestClient]:
    """Whoever comes."""
    with TestClient(create(served), base_url="http://localhost:8600", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def house(served: App) -> Iterator[House]:
    """With two companies and four people."""
    harbour, thames = (open_books(served.unchecked_store, name) for name in ("harbour", "thames"))
    for books in (harbour, thames):
        books.keep(customer(name=f"Acme of {books.connection.name}"), invoice("I1"), invoice("I2", "60.00"))
        books.follow()
    with served.store.working() as work:
        for name, role, where in (
            ("ann", Role.COLLECTOR, [harbour.id]), ("vic", Role.VIEWER, [harbour.id]), ("tom", Role.ADMIN, [thames.id]),
            ("bob", Role.ADMIN, None),
        ):  # fmt: skip
            users.add(work, name, role, where, password=_kept(), now=NOW)
        work.commit()
    clock = served.clock
    assert isinstance(clock, FixedClock)
    found = House(served, create(served), clock, harbour, thames)
    yield found
    found.close()
