"""The vault: what is sealed can be opened by its key alone."""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from arsync.errors import ConfigurationError
from arsync.vault import Vault, add_key, drop_old_keys, load_key


@dataclass
class Source:
    key_file: Path
    vault_key: str | None = None


def test_what_is_sealed_is_opened_by_the_same_key_and_is_not_readable() -> None:
    vault = Vault(Fernet.generate_key())
    token = vault.seal("refresh-ä")
    assert "refresh" not in token
    assert vault.open(token) == "refresh-ä"
    assert vault.seal("refresh-ä") != token


KEY = Fernet.generate_key()


@pytest.mark.parametrize(
    "token",
    [Vault(KEY).seal("x"), "no token", "", "ä"],
    ids=["another key's", "no token", "empty", "not ASCII"],
)
def test_another_key_and_another_text_are_one_clear_sentence(token: str) -> None:
    with pytest.raises(ConfigurationError, match="does not open what is stored: put back the key"):
        Vault(Fernet.generate_key()).open(token)


def test_after_a_rotation_the_first_key_seals_and_the_old_one_still_opens() -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    both = Vault(new + b"\n" + old + b"\n")
    assert both.open(Vault(old).seal("kept")) == "kept"
    assert Vault(new).open(both.seal("fresh")) == "fresh"


@pytest.mark.parametrize(
    "key", [b"", b"password", KEY[:-2], KEY + b" x"], ids=["empty", "password", "cut off", "two, one wrong"]
)
def test_what_is_no_key_is_refused_without_being_shown(key: bytes) -> None:
    with pytest.raises(ConfigurationError, match="is not a key") as caught:
        Vault(key)
    assert not key or key.decode() not in str(caught.value)


def test_a_missing_key_file_is_made_for_its_owner_only_and_then_kept(tmp_path: Path) -> None:
    source = Source(tmp_path / "arsync.key")
    key = load_key(source)
    assert Vault(key).open(Vault(load_key(source)).seal("x")) == "x"
    assert stat.S_IMODE(source.key_file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["arsync.key"]


def test_a_changed_key_file_stays_where_it_is_and_readable_by_whoever_read_it(tmp_path: Path) -> None:
    """A link to a file of the worker's user, who is not the one that changes it where that is root."""
    there, link = tmp_path / "secrets" / "key", tmp_path / "arsync.key"
    there.parent.mkdir()
    there.write_bytes(KEY)
    there.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(there, 65_534, 65_534)
    before = there.stat()
    link.symlink_to(there)
    for change, keys in ((add_key, 2), (drop_old_keys, 1)):
        change(link)
        after = there.stat()
        assert len(there.read_bytes().split()) == keys
        assert link.is_symlink()
        assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert list(there.parent.iterdir()) == [there]


def test_a_given_key_makes_no_file(tmp_path: Path) -> None:
    assert load_key(Source(tmp_path / "arsync.key", "given")) == b"given"
    assert not list(tmp_path.iterdir())


def test_many_that_make_it_at_once_have_the_same_key(tmp_path: Path) -> None:
    source, start = Source(tmp_path / "arsync.key"), threading.Barrier(8)
    keys: list[bytes] = []

    def make() -> None:
        start.wait()
        keys.append(load_key(source))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert set(keys) == {source.key_file.read_bytes()}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"the key file .*absent/arsync\.key: No such file"):
        load_key(Source(tmp_path / "absent" / "arsync.key"))
