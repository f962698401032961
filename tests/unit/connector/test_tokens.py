"""The access token of a grant: what each answer of the token endpoint leads to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import responses

from arsync.connector import Lifetimes, TokenPair, Tokens
from arsync.errors import Barred, Malformed, Reauthorise, RetryLater
from arsync.testing.ports import NOON, FixedClock, MemoryVault

URL = "https://identity.example/token"
ENDED = {"error": "invalid_grant", "error_description": "RT-secret is no good"}


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(registry=responses.registries.OrderedRegistry) as mock:
        yield mock


def tokens(vault: MemoryVault, clock: FixedClock, **more: Any) -> Tokens:
    return Tokens(
        vault=vault, session=requests.Session(), token_url=URL, client_id="id", client_secret="the-secret", clock=clock,
        **more,
    )  # fmt: skip


def asked(vendor: responses.RequestsMock) -> list[str]:
    """The refresh tokens that were sent."""
    return [parse_qs(str(call.request.body))["refresh_token"][0] for call in vendor.calls]


def good(number: int, **more: Any) -> dict[str, Any]:
    return {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}", "expires_in": 3600, **more}


def test_a_refusal_is_believed_the_second_time_and_then_nobody_asks_again(vendor: responses.RequestsMock) -> None:
    vault = MemoryVault.with_refresh("refresh-1")
    for _ in range(2):
        vendor.post(URL, json=ENDED, status=400)
    for _ in range(3):
        with pytest.raises(Reauthorise, match="invalid_grant") as caught:
            tokens(vault, FixedClock()).access()
        assert "RT-secret" not in str(caught.value)
    assert asked(vendor) == ["refresh-1", "refresh-1"]


def test_a_refusal_that_was_a_hiccup_costs_one_more_request(vendor: responses.RequestsMock) -> None:
    vault = MemoryVault.with_refresh("refresh-1")
    vendor.post(URL, json=ENDED, status=400)
    vendor.post(URL, json=good(2))
    assert tokens(vault, FixedClock()).access() == "access-2"
    assert vault.ended_by is None


class Overtaken(MemoryVault):
    """While this process waits for the vendor, another one stores its pair."""

    def __init__(self, pair: TokenPair, meanwhile: TokenPair) -> None:
        super().__init__(pair)
        self._meanwhile = meanwhile
        self._reads = 0

    def current(self) -> TokenPair:
        self._reads += 1
        return super().current() if self._reads <= 2 else self._meanwhile


def test_after_a_refusal_the_pair_that_another_process_stored_is_taken(vendor: responses.RequestsMock) -> None:
    old = TokenPair("", "refresh-1", NOON - timedelta(days=1))
    vault = Overtaken(old, TokenPair("access-9", "refresh-9", NOON + timedelta(hours=1)))
    vendor.post(URL, json=ENDED, status=400)
    assert tokens(vault, FixedClock()).access() == "access-9"
    assert asked(vendor) == ["refresh-1"]


def test_and_where_its_access_token_is_over_its_refresh_token_is_tried(vendor: responses.RequestsMock) -> None:
    old = TokenPair("", "refresh-1", NOON - timedelta(days=1))
    vault = Overtaken(old, TokenPair("access-9", "refresh-9", NOON - timedelta(hours=1)))
    vendor.post(URL, json=ENDED, status=400)
    vendor.post(URL, json=good(10))
    assert tokens(vault, FixedClock()).access() == "access-10"
    assert asked(vendor) == ["refresh-1", "refresh-9"]


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "invalid_scope", "invalid_request"])
def test_what_the_settings_mend_does_not_end_the_consent(vendor: responses.RequestsMock, error: str) -> None:
    vault = MemoryVault.with_refresh("refresh-1")
    vendor.post(URL, json={"error": error}, status=401)
    with pytest.raises(Barred, match=error):
        tokens(vault, FixedClock()).access()
    assert vault.ended_by is None
    vendor.post(URL, json=good(2))
    assert tokens(vault, FixedClock()).access() == "access-2"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_vendor_that_is_down_ends_nothing(vendor: responses.RequestsMock, status: int) -> None:
    vault = MemoryVault.with_refresh("refresh-1")
    vendor.post(URL, body="<html>", status=status)
    with pytest.raises(RetryLater):
        tokens(vault, FixedClock()).access()
    assert (vault.ended_by, vault.replaced) == (None, [])


@pytest.mark.parametrize("body", [{}, {"access_token": "x"}, {"access_token": "", "expires_in": 9}, {"expires_in": 9}])
def test_an_answer_without_a_token_stores_nothing(vendor: responses.RequestsMock, body: dict[str, Any]) -> None:
    vault = MemoryVault.with_refresh("refresh-1")
    vendor.post(URL, json=body)
    with pytest.raises(Malformed, match="lacks a token"):
        tokens(vault, FixedClock()).access()
    assert vault.replaced == []


@pytest.mark.parametrize(
    ("lifetimes", "answer", "idle"),
    [
        (Lifetimes(idle_field="lasts"), {"lasts": 8_640_000}, 100),
        (Lifetimes(idle=timedelta(days=60)), {}, 60),
        (Lifetimes(idle=timedelta(days=60), idle_field="lasts"), {"lasts": "rubbish"}, 60),
        (Lifetimes(), {"lasts": 8_640_000}, None),
    ],
    ids=["told", "documented", "told wrongly", "neither"],
)
def test_the_end_of_an_unused_consent_is_the_vendors_word(
    vendor: responses.RequestsMock, lifetimes: Lifetimes, answer: dict[str, Any], idle: int | None
) -> None:
    vault = MemoryVault.with_refresh("refresh-1")
    vendor.post(URL, json=good(2, **answer))
    tokens(vault, FixedClock(), lifetimes=lifetimes).access()
    assert vault.current().refresh_expires_at == (None if idle is None else NOON + timedelta(days=idle))


def test_the_hard_end_stays_where_the_consent_put_it(vendor: responses.RequestsMock) -> None:
    end = NOON + timedelta(days=1000)
    vault = MemoryVault(TokenPair("", "refresh-1", NOON - timedelta(days=1), None, end))
    vendor.post(URL, json=good(2))
    tokens(vault, FixedClock(), lifetimes=Lifetimes(hard=timedelta(days=1825))).access()
    assert vault.current().consent_expires_at == end


def test_an_app_that_is_its_own_consent_asks_anew_each_time(vendor: responses.RequestsMock) -> None:
    vault = MemoryVault(TokenPair("", "", NOON - timedelta(days=1)))
    vendor.post(URL, json={"access_token": "access-1", "expires_in": 1800})
    vendor.post(URL, json={"access_token": "access-2", "expires_in": 1800})
    clock = FixedClock()
    mine = tokens(vault, clock, client_scopes="read")
    assert mine.access() == "access-1"
    clock.advance(1800)
    assert mine.access() == "access-2"
    forms = [parse_qs(str(call.request.body)) for call in vendor.calls]
    assert forms == [{"grant_type": ["client_credentials"], "scope": ["read"]}] * 2


def test_no_token_shows_in_the_text_of_a_pair_or_an_error(vendor: responses.RequestsMock) -> None:
    pair = TokenPair("access-1", "refresh-1", NOON)
    assert "access-1" not in repr(pair)
    assert "refresh-1" not in repr(pair)
    vendor.post(URL, body=requests.ConnectionError("POST body refresh_token=refresh-1"))
    with pytest.raises(RetryLater) as caught:
        tokens(MemoryVault(pair), FixedClock()).access()
    assert "refresh-1" not in f"{caught.value!r} {caught.value} {caught.value.__cause__}"
