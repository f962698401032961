"""Who may come, for how long, and how often somebody may try."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient
from tests.integration.web.conftest import PASSWORD, House
from tests.integration.web.pages import read

from arsync.bootstrap import App
from arsync.domain.roles import Role
from arsync.errors import ConfigurationError, NotFound, UsageError
from arsync.settings import load
from arsync.store import users
from arsync.web import passwords
from arsync.web.app import create

MINUTE = 60
HOUR = 60 * MINUTE


def kept(house: House) -> list[tuple[Any, ...]]:
    return house.harbour.rows("SELECT token_hash, user_key FROM sessions")


def test_a_stranger_is_asked_who_he_is_and_comes_back_to_where_he_wanted(house: House) -> None:
    guest = house.somebody()
    assert guest.get("/").to == "/login"
    asked = guest.get("/customers?q=acme")
    assert (asked.status, asked.to) == (303, "/login?to=%2Fcustomers%3Fq%3Dacme")
    form = guest.get(asked.to).form("/login")
    assert form.fields["to"] == "/customers?q=acme"
    came = guest.send("/login", name=" Ann ", password=PASSWORD, to=form.fields["to"])
    assert (came.status, came.to) == (303, "/customers?q=acme")
    assert guest.get("/").status == 200
    assert house.log()[-1] == ("logged_in", "ann")


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\nb", "", "evil"])
def test_nobody_is_sent_elsewhere_after_logging_in(house: House, to: str) -> None:
    assert house.somebody().send("/login", name="ann", password=PASSWORD, to=to).to == "/"


def test_the_cookie_is_for_the_browser_alone_and_the_database_has_its_hash(house: House) -> None:
    guest = house.somebody()
    before = guest.client.get("/login").headers["set-cookie"]
    came = guest.send("/login", name="ann", password=PASSWORD)
    cookie = came.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    token = cookie.partition("=")[2].partition(";")[0]
    assert token not in before, "what a stranger had is nobody's session"
    ((kept_hash, _),) = kept(house)
    assert kept_hash != token
    assert len(token) == 43


def test_over_https_the_cookie_goes_by_https_from_this_very_host(served: App, tmp_path: Path) -> None:
    path = tmp_path / "https.toml"
    path.write_text(
        f'[database]\nurl = "{served.settings.database_url}"\n[serve]\npublic_url = "https://desk.example.com"\n',
        encoding="utf-8",
    )
    app = App(load(path, environ={}))
    with TestClient(create(app), base_url="https://desk.example.com") as client:
        cookie = client.get("/login").headers["set-cookie"]
    app.close()
    assert cookie.startswith("__Host-arsync=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_wrong_words_are_answered_alike_whoever_it_is_and_take_the_same_work(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[str] = []
    passwords._strangers.cache_clear()
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher())
    with house.app.store.working() as work:
        users.set_password(work, "ann", passwords.hashed(PASSWORD, "ann"))
        work.commit()

    class Weighing:
        def verify(self, kept: str, password: str) -> bool:
            weighed.append(kept[:31])
            return hasher.verify(kept, password)

        def check_needs_rehash(self, kept: str) -> bool:
            return hasher.check_needs_rehash(kept)

        def hash(self, password: str) -> str:
            return hasher.hash(password)

    hasher = passwords._hasher
    monkeypatch.setattr(passwords, "_hasher", Weighing())
    guest = house.somebody()
    known = guest.send("/login", name="ann", password="wrong wrong wrong")
    unknown = guest.send("/login", name="nobody-is-called-so", password="wrong wrong wrong")
    assert known.status == unknown.status == 401
    assert known.text == unknown.text
    passwords._strangers.cache_clear()
    assert weighed == ["$argon2id$v=19$m=65536,t=3,p=4$"] * 2, "one reckoning for each, as heavy"
    assert house.log()[-2:] == [("login_refused", "nobody")] * 2
    assert kept(house) == []


def test_after_five_tries_of_a_name_from_an_address_even_the_right_word_waits_a_quarter_of_an_hour(
    house: House,
) -> None:
    guest = house.somebody()
    for _ in range(5):
        assert guest.send("/login", name="ann", password="wrong").status == 401
    assert guest.send("/login", name="ann", password=PASSWORD).status == 429
    assert guest.send("/login", name="ANN ", password=PASSWORD).status == 429, "another spelling is the same name"
    elsewhere = house.somebody(client=("198.51.100.7", 4711))
    assert elsewhere.send("/login", name="ann", password=PASSWORD).status == 303, "she is not locked out elsewhere"
    assert house.somebody().send("/login", name="vic", password=PASSWORD).status == 303
    house.clock.advance(15 * MINUTE)
    assert guest.send("/login", name="ann", password=PASSWORD).status == 303


def test_an_address_that_tries_many_names_is_not_heard_any_more(house: House) -> None:
    guest = house.somebody()
    for number in range(30):
        assert guest.send("/login", name=f"name-{number}", password="").status == 401
    assert guest.send("/login", name="vic", password=PASSWORD).status == 429


def test_who_comes_in_is_not_counted_so_an_office_behind_one_address_may_log_in(house: House) -> None:
    for _ in range(31):
        assert house.somebody().send("/login", name="ann", password=PASSWORD).status == 303


def test_a_session_ends_when_it_is_not_used_and_after_twelve_hours_however_it_is(house: House) -> None:
    ann, vic = house.comes("ann"), house.comes("vic")
    for _ in range(13):
        house.clock.advance(54 * MINUTE)
        assert ann.get("/").status == 200
    assert vic.get("/").to == "/login", "an hour unused"
    house.clock.advance(19 * MINUTE)
    assert ann.get("/").to == "/login", "after twelve hours"


def test_logging_out_ends_it_for_whoever_has_the_cookie(house: House) -> None:
    ann = house.comes("ann")
    cookie = dict(ann.client.cookies)
    assert ann.send("/logout").to == "/login"
    assert kept(house) == []
    thief = house.somebody(cookies=cookie)
    assert thief.get("/").to == "/login"
    assert house.log()[-1] == ("logged_out", "ann")


def test_another_password_another_role_and_being_removed_hold_at_the_next_click(house: House) -> None:
    ann, vic, tom = house.comes("ann"), house.comes("vic"), house.comes("tom")
    with house.app.store.working() as work:
        users.set_password(work, "ann", passwords.hashed("quite another word", "ann"))
        users.change(work, "vic", Role.VIEWER, [house.thames.id])
        users.remove(work, "tom")
        work.commit()
    assert ann.get("/").to == "/login"
    assert tom.get("/").to == "/login"
    assert "Acme of thames" in vic.get("/customers").text
    assert "Acme of harbour" not in vic.get("/customers").text


def test_a_session_is_no_other_persons_who_gets_the_same_number(house: House) -> None:
    tom = house.comes("tom")
    with house.app.store.working() as work:
        number = users.by_name(work, "tom").person.id
        users.remove(work, "tom")
        work.commit()
    house.harbour.rows("SELECT 1")
    with house.app.store.working() as work:
        users.add(work, "tom", Role.ADMIN, None, password=None, now=house.clock.now())
        work.commit()
        again = users.by_name(work, "tom")
    assert tom.get("/").to == "/login"
    assert again.person.id >= number


# --- forms ------------------------------------------------------------------------------------------------------------


def test_a_form_without_the_browsers_own_token_does_nothing(house: House) -> None:
    ann, bob = house.comes("ann"), house.comes("bob")
    assert ann.send("/logout", token="").status == 403
    assert ann.send("/logout", token=bob.get("/").token).status == 403
    assert ann.get("/").status == 200


def test_a_form_that_another_site_sends_does_nothing_even_with_the_token(house: House) -> None:
    ann = house.comes("ann")
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        answer = ann.client.post(
            "/logout", data={"token": ann.get("/").token}, headers={"Sec-Fetch-Site": site}, follow_redirects=False
        )
        assert answer.status_code == status, site


def test_logging_in_takes_a_token_as_well(house: House) -> None:
    assert house.somebody().send("/login", token="0" * 64, name="ann", password=PASSWORD).status == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x" * (256 * 1024 + 1), "application/x-www-form-urlencoded", 413),
        (b"name=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff=1", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=1" for _ in range(501)), "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
        (b"name=ann", "", 415),
    ],
)
def test_a_form_that_is_none_is_refused_before_anybody_looks(house: House, body: bytes, kind: str, status: int) -> None:
    client = house.somebody().client
    assert client.post("/login", content=body, headers={"Content-Type": kind}).status_code == status
    parts = (body[start : start + 1000] for start in range(0, len(body), 1000))
    assert client.post("/login", content=parts, headers={"Content-Type": kind}).status_code == status


# --- by a proxy -------------------------------------------------------------------------------------------------------


def proxied(served: App, tmp_path: Path, more: str = "") -> App:
    path = tmp_path / "proxied.toml"
    path.write_text(
        f'[database]\nurl = "{served.settings.database_url}"\n[serve]\nuser_header = "X-Remote-User"\n{more}\n',
        encoding="utf-8",
    )
    app = App(load(path, environ={}))
    vars(app)["clock"] = served.clock
    return app


def test_a_proxy_that_is_trusted_says_who_comes_and_nobody_else_does(house: House, tmp_path: Path) -> None:
    app = proxied(house.app, tmp_path, 'trusted_proxies = ["10.0.0.0/24"]')
    desk = create(app)
    told = {"X-Remote-User": "Ann"}
    with TestClient(desk, base_url="http://localhost", client=("10.0.0.7", 1), follow_redirects=False) as proxy:
        assert proxy.get("/", headers=told).status_code == 200
        assert proxy.get("/").status_code == 303, "its word, each time"
        assert proxy.get("/", headers={"X-Remote-User": "eve"}).status_code == 303
        twice = [("X-Remote-User", "ann"), ("X-Remote-User", "bob")]
        assert proxy.get("/", headers=twice).status_code == 303
        page = read(proxy.get("/", headers=told))
        assert proxy.post("/login", data={"token": page.token, "name": "bob", "password": PASSWORD}).status_code == 403
    with TestClient(desk, base_url="http://localhost", client=("10.0.1.7", 1), follow_redirects=False) as stranger:
        assert stranger.get("/", headers=told).status_code == 303
    app.close()


def test_a_header_that_anybody_could_send_is_refused_by_the_settings(served: App, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"serve\.trusted_proxies is missing"):
        create(proxied(served, tmp_path))
    with pytest.raises(ConfigurationError, match="no address and no network"):
        proxied(served, tmp_path, 'trusted_proxies = ["proxy.example"]')


def test_where_somebody_tries_from_is_what_the_trusted_proxy_says_and_no_more(house: House, tmp_path: Path) -> None:
    path = tmp_path / "proxied.toml"
    path.write_text(
        f'[database]\nurl = "{house.app.settings.database_url}"\n[serve]\ntrusted_proxies = ["10.0.0.7"]\n',
        encoding="utf-8",
    )
    app = App(load(path, environ={}))
    vars(app)["clock"] = house.clock
    with TestClient(create(app), base_url="http://localhost", client=("10.0.0.7", 1)) as proxy:
        page = read(proxy.get("/login"))

        def tries(forwarded: str) -> int:
            fields = {"token": page.token, "name": "ann", "password": "wrong"}
            return proxy.post("/login", data=fields, headers={"X-Forwarded-For": forwarded}).status_code

        assert [tries(f"203.0.113.{number}, 198.51.100.1") for number in range(6)] == [401] * 5 + [429]
        assert tries("203.0.113.1, 198.51.100.2") == 401
    app.close()


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["short", "aaaaaaaaaaaaaaaa", "ann ann ann ann", "x" * 257])
def test_a_password_that_is_easily_guessed_is_refused(word: str) -> None:
    with pytest.raises(UsageError):
        passwords.hashed(word, "ann")


def test_a_name_is_one_whatever_its_case(house: House) -> None:
    with house.app.store.working() as work:
        with pytest.raises(UsageError, match="somebody is called ann already"):
            users.add(work, "ANN", Role.VIEWER, None, password=None, now=house.clock.now())
        with pytest.raises(UsageError, match="without blanks"):
            users.add(work, "ann lee", Role.VIEWER, None, password=None, now=house.clock.now())
        with pytest.raises(NotFound):
            users.remove(work, "eve")
