"""The grant's tokens: sealed at rest, one refresher at a time, durable before use."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses
from sqlalchemy import text
from tests.integration.store.books import Books

from arsync.connector import TokenPair
from arsync.connector.tokens import Tokens
from arsync.errors import Locked, RetryLater
from arsync.store import leases
from arsync.store.engine import Store, Work
from arsync.store.vault import StoredVault, dump_pair, load_pair
from arsync.testing.ports import NOON, FixedClock
from arsync.vault import Vault

URL = "https://identity.example/token"


def vault_key() -> Vault:
    return Vault(b"3Yw7f0Nn3pZl0aQ3m5b8kq9v1c2x4z6u7t8r9e0w1q0=")


def pair(number: int, *, minutes: float = 60) -> TokenPair:
    return TokenPair(f"access-{number}", f"refresh-{number}", NOON + timedelta(minutes=minutes), None)


def a_vault(store: Store, books: Books, clock: FixedClock) -> StoredVault:
    key = vault_key()
    return StoredVault(store, clock, books.connection.grant_id, seal=key.seal, unseal=key.open)


@pytest.fixture
def vault(books: Books) -> StoredVault:
    clock = FixedClock()
    made = a_vault(books.store, books, clock)
    with made._store.working() as work:
        work.execute(
            text("UPDATE grants SET sealed = :sealed"), {"sealed": vault_key().seal(dump_pair(pair(1, minutes=-1)))}
        )
        work.commit()
    return made


class TokenEndpoint:
    """Rotates: each refresh token is good for one exchange."""

    def __init__(self, watch: Callable[[], None]) -> None:
        self.exchanged: list[str] = []
        self._lock = threading.Lock()
        self._watch = watch

    def answer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        body = str(request.body)
        self._watch()
        with self._lock:
            self.exchanged.append(body.rpartition("refresh_token=")[2])
            number = len(self.exchanged) + 1
        answer: dict[str, Any] = {
            "access_token": f"access-{number}", "refresh_token": f"refresh-{number}", "expires_in": 3600,
        }  # fmt: skip
        return 200, {}, json.dumps(answer)


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    made = TokenEndpoint(watch=lambda: None)
    with responses.RequestsMock() as mock:
        mock.add_callback(responses.POST, URL, callback=made.answer)
        yield made


def tokens(vault: StoredVault, clock: FixedClock) -> Tokens:
    return Tokens(
        vault=vault, session=requests.Session(), token_url=URL, client_id="id", client_secret="secret", clock=clock
    )


def test_tokens_are_kept_sealed(vault: StoredVault, books: Books) -> None:
    with vault.refreshing() as stored:
        assert stored == pair(1, minutes=-1)
        vault.replace(pair(2), instead_of=stored)
    assert vault.current() == pair(2)
    ((kept,),) = books.rows("SELECT sealed FROM grants")
    assert "refresh" not in kept
    assert "access" not in kept
    assert "refresh-2" not in repr(vault.current())


def test_two_threads_make_exactly_one_exchange(
    vault: StoredVault, books: Books, endpoint: TokenEndpoint, another_store: Callable[[], Store]
) -> None:
    del vault  # it has stored a pair that is over
    got: list[str] = []
    at_once = threading.Barrier(4)
    stores = [another_store() for _ in range(4)]

    def use(store: Store) -> None:
        clock = FixedClock()
        mine = tokens(a_vault(store, books, clock), clock)
        at_once.wait()
        got.append(mine.access())

    threads = [threading.Thread(target=use, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["access-2"] * 4
    assert endpoint.exchanged == ["refresh-1"]


def test_the_pair_is_durable_before_anybody_uses_it(
    vault: StoredVault, books: Books, endpoint: TokenEndpoint, another_store: Callable[[], Store]
) -> None:
    clock = FixedClock()
    used = tokens(vault, clock).access()
    as_another_process_sees_it = a_vault(another_store(), books, clock).current()
    assert (used, as_another_process_sees_it.access_token) == ("access-2", "access-2")
    assert as_another_process_sees_it.refresh_token == "refresh-2"
    assert len(endpoint.exchanged) == 1


def test_a_refresh_that_fails_changes_nothing_and_frees_the_grant(vault: StoredVault) -> None:
    with pytest.raises(ZeroDivisionError), vault.refreshing():
        _ = 1 / 0
    assert vault.current() == pair(1, minutes=-1)
    with vault.refreshing() as stored:
        assert stored == pair(1, minutes=-1)


class Impatient(FixedClock):
    """A clock on which every wait lasts five seconds."""

    def sleep(self, seconds: float) -> None:
        super().sleep(max(seconds, 5.0))


def test_a_process_that_refreshes_for_too_long_is_not_waited_for_for_ever(vault: StoredVault, books: Books) -> None:
    del vault
    leases.Lease(books.store, FixedClock(), f"grant {books.connection.grant_id}", timedelta(seconds=90)).take()
    clock = Impatient()
    mine = a_vault(books.store, books, clock)
    with pytest.raises(RetryLater, match="another process is refreshing"), mine.refreshing():
        pass
    assert 45 <= sum(clock.slept) < 60


def test_a_refresher_that_slept_past_its_lease_does_not_undo_a_newer_pair(vault: StoredVault, books: Books) -> None:
    later = a_vault(books.store, books, FixedClock(NOON + timedelta(seconds=91)))
    with vault.refreshing() as given:
        # suspended here for longer than the lease; another process exchanges meanwhile
        with later.refreshing() as stored:
            later.replace(pair(3), instead_of=stored)
        vault.replace(pair(2), instead_of=given)
        vault.ended("invalid_grant", refused=given)
    assert vault.current() == pair(3)


def test_a_refresher_that_slept_past_its_lease_keeps_what_it_gets_for_the_newer_pair(
    vault: StoredVault, books: Books
) -> None:
    """
    refresh-1 is taken up; suspended; another process stores refresh-2, which is over when this one wakes
    refresh-1 is refused; refresh-2 is read again and gives refresh-3, which nobody else has
    """
    rotated = a_vault(books.store, books, FixedClock(NOON + timedelta(seconds=91)))

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        if str(request.body).endswith("refresh_token=refresh-1"):
            with rotated.refreshing() as stored:
                rotated.replace(pair(2, minutes=-1), instead_of=stored)
            return 400, {}, json.dumps({"error": "invalid_grant"})
        return 200, {}, json.dumps({"access_token": "access-3", "refresh_token": "refresh-3", "expires_in": 3600})

    with responses.RequestsMock() as mock:
        mock.add_callback(responses.POST, URL, callback=answer)
        assert tokens(vault, FixedClock()).access() == "access-3"
    assert vault.current().refresh_token == "refresh-3"


def test_tokens_that_were_sealed_anew_meanwhile_are_the_same_tokens(vault: StoredVault, books: Books) -> None:
    with vault.refreshing() as given:
        with books.store.working() as work:
            work.execute(text("UPDATE grants SET sealed = :sealed"), {"sealed": vault_key().seal(dump_pair(given))})
            work.commit()
        vault.replace(pair(2), instead_of=given)
    assert vault.current() == pair(2)


def test_a_pair_waits_for_a_database_that_is_busy(
    vault: StoredVault, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, busy = books.store.working, [Locked(), Locked()]

    def when_free(**options: bool) -> AbstractContextManager[Work]:
        if busy:
            raise busy.pop()
        return working(**options)

    with vault.refreshing() as given:
        monkeypatch.setattr(books.store, "working", when_free)
        vault.replace(pair(2), instead_of=given)
    assert (vault.current(), busy) == (pair(2), [])


def test_a_pair_reads_back_as_written() -> None:
    with_idle = TokenPair("a", "r", NOON, NOON + timedelta(days=100))
    assert load_pair(dump_pair(with_idle)) == with_idle
    assert load_pair(dump_pair(pair(1))) == pair(1)
