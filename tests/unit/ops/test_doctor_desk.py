"""What the doctor says of the desk: who may come, by whose word, by which address."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.ops.test_doctor import FROM, NOW, connect, say, settings

from arsync.cli.init import lay_down
from arsync.domain.roles import Role
from arsync.ops.desk import examine_desk
from arsync.store import users
from arsync.store.engine import Store

HTTPS = 'public_url = "https://desk.example.com"'


@pytest.fixture
def house(tmp_path: Path) -> Path:
    lay_down(tmp_path / "arsync.toml")
    say(tmp_path, FROM)
    connect(tmp_path)
    return tmp_path


def told(house: Path, serve: str = "", *, more: str = "", running: bool = False) -> list[tuple[str, str]]:
    port = "" if "port" in serve else "port = 0\n"
    say(house, f"{FROM}[serve]\n{port}{serve}\n{more}")
    known = settings(house)
    with closing(Store(known.database_url)) as store, store.reading() as work:
        return [(one.level.value, one.detail) for one in examine_desk(known, work, lambda *_: running)]


def comes(house: Path, name: str, role: Role, *, everywhere: bool = True) -> None:
    with closing(Store(settings(house).database_url)) as store, store.working() as work:
        users.add(work, name, role, None if everywhere else [], password="a hash", now=NOW)
        work.commit()


def test_where_nobody_was_let_in_and_no_address_is_set_there_is_no_desk(house: Path) -> None:
    assert told(house) == []


def test_people_without_an_admin_of_everything_are_told(house: Path) -> None:
    assert told(house, HTTPS) == [("warn", "nobody may come to it")]
    comes(house, "ann", Role.COLLECTOR)
    comes(house, "tom", Role.ADMIN, everywhere=False)
    (found,) = told(house, HTTPS)
    assert found[1].startswith("nobody is an admin who sees every company")
    comes(house, "bob", Role.ADMIN)
    assert told(house, HTTPS) == [("ok", "3 people may come to it, 1 of them as admin of everything")]


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        ('trusted_proxies = ["0.0.0.0/0"]\nuser_header = "X-User"', "whoever sends X-User from there comes as anybody"),
        ('trusted_proxies = ["10.0.0.0/8"]', "anybody says where they come from"),
        ('trusted_proxies = ["::/0"]', "anybody says where they come from"),
    ],
)
def test_a_proxy_that_is_everybody_is_none(house: Path, serve: str, said: str) -> None:
    comes(house, "bob", Role.ADMIN)
    assert [(level, said in detail) for level, detail in told(house, f"{HTTPS}\n{serve}")][1:] == [("fail", True)]
    assert told(house, f'{HTTPS}\ntrusted_proxies = ["10.0.0.7", "192.168.1.0/24"]')[1:] == []


def test_an_address_that_is_not_encrypted_or_not_the_vendors_is_told(house: Path) -> None:
    comes(house, "bob", Role.ADMIN)
    (open_one,) = told(house, 'public_url = "http://desk.example.com"')[1:]
    assert open_one[0] == "warn"
    assert "without encryption" in open_one[1]
    back = '[quickbooks]\nredirect_uri = "https://desk.example.com/link/answer"\n'
    assert told(house, HTTPS, more=back)[1:] == []
    (_, other) = told(house, 'public_url = "http://desk.example.com"', more=back)[1:]
    assert other[0] == "fail"
    assert "quickbooks.redirect_uri is https://desk.example.com/link/answer" in other[1]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as there:
        yield there.getsockname()[1]


def test_a_port_that_something_else_has_is_told_and_one_that_we_answer_at_is_well(house: Path, taken: int) -> None:
    comes(house, "bob", Role.ADMIN)
    assert told(house, f"{HTTPS}\nport = {taken}")[1:] == [("fail", f"something else listens at 127.0.0.1:{taken}")]
    assert told(house, f"{HTTPS}\nport = {taken}", running=True)[1:] == [("ok", f"it answers at 127.0.0.1:{taken}")]
