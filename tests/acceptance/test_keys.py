"""Changing the vault's key: whatever is killed, every token stays open to the keys in the file."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable

import pytest
from tests.acceptance.installation import Installation

from arsync.bootstrap import App
from arsync.settings import load
from arsync.vault import Vault


class Killed(BaseException):
    """The process is no more."""


@pytest.fixture
def linked(empty: Installation) -> Installation:
    """Two companies, linked."""
    for name, provider in (("harbor", "quickbooks"), ("thames", "xero")):
        empty.found(name, provider)
    empty.configure()
    for name in empty.books:
        empty.connect(name)
    return empty


def sealed(installation: Installation) -> list[str]:
    return [token for (token,) in installation.rows("SELECT sealed FROM grants ORDER BY id")]


def test_a_new_key_seals_everything_and_the_old_one_can_go(linked: Installation) -> None:
    old = Vault(linked.key.read_bytes())
    pairs = [old.open(token) for token in sealed(linked)]
    assert "2 consents sealed by the first key now, 0 were before" in linked.arsync("rotate-key", "--new").out
    assert len(linked.key.read_text().split()) == 2
    assert stat.S_IMODE(linked.key.stat().st_mode) == 0o600
    assert "0 consents sealed by the first key now, 2 were before" in linked.arsync("rotate-key").out
    linked.arsync("rotate-key", "--drop-old")
    assert len(linked.key.read_text().split()) == 1
    new = Vault(linked.key.read_bytes())
    assert [new.open(token) for token in sealed(linked)] == pairs
    assert not any(old.is_newest(token) for token in sealed(linked))
    linked.arsync("backfill")


def test_a_process_that_runs_while_the_key_is_changed_reads_it_again(linked: Installation) -> None:
    """What it refreshes afterwards is sealed by the new key: the old one is gone."""
    app = App(load(linked.config, environ={}))
    ((grant,), *_) = linked.rows("SELECT id FROM grants ORDER BY id")
    vault = app.tokens(grant)
    stored = vault.current()
    linked.arsync("rotate-key", "--new", "--drop-old")
    with vault.refreshing() as again:
        assert again == stored
        vault.replace(again, instead_of=stored)
    app.close()
    assert Vault(linked.key.read_bytes()).is_newest(sealed(linked)[0])


def test_doctor_finds_tokens_that_only_an_old_key_opens(linked: Installation) -> None:
    from arsync.vault import add_key

    add_key(linked.key)
    found = linked.arsync("doctor").out
    assert len(re.findall("its tokens are sealed by an old key", found)) == 2
    linked.arsync("rotate-key")
    assert "sealed by an old key" not in linked.arsync("doctor").out


def _killer(at: int) -> Callable[[str, str], None]:
    seen = 0

    def observe(moment: str, what: str) -> None:
        nonlocal seen
        if what == "commit":
            seen += 1
            if seen == at:
                raise Killed

    return observe


def test_killed_at_any_commit_it_is_finished_by_running_it_again(linked: Installation) -> None:
    old = Vault(linked.key.read_bytes())
    pairs = [old.open(token) for token in sealed(linked)]
    kills = 0
    for at in range(1, 60):
        try:
            linked.arsync("rotate-key", *(["--new"] if at == 1 else []), observe=_killer(at))
        except Killed:
            kills += 1
            linked.sandbox.advance(300)  # leases of a process that lives on end by their time
            keys = Vault(linked.key.read_bytes())
            assert [keys.open(token) for token in sealed(linked)] == pairs
        else:
            break
    assert kills >= 4
    linked.arsync("rotate-key", "--drop-old")
    new = Vault(linked.key.read_bytes())
    assert [new.open(token) for token in sealed(linked)] == pairs


def test_a_token_that_no_key_opens_stops_it_before_anything_is_changed(linked: Installation) -> None:
    key, before = linked.key.read_bytes(), sealed(linked)
    linked.key.write_bytes(b"3Yw7f0Nn3pZl0aQ3m5b8kq9v1c2x4z6u7t8r9e0w1q0=\n")
    refused = linked.arsync("rotate-key", "--new", "--drop-old", status=2)
    assert "does not open what is stored" in refused.err
    assert linked.key.read_bytes() == b"3Yw7f0Nn3pZl0aQ3m5b8kq9v1c2x4z6u7t8r9e0w1q0=\n"
    assert sealed(linked) == before
    linked.key.write_bytes(key)
