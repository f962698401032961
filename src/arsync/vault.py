"""Secrets at rest: sealed by a key that lies beside the configuration, never in the database."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path
from typing import Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from arsync.errors import ConfigurationError


class KeySource(Protocol):
    """What the settings say of the key."""

    @property
    def vault_key(self) -> str | None:
        """The key itself, where it is given."""
        ...

    @property
    def key_file(self) -> Path:
        """Where it lies otherwise."""
        ...


class Vault:
    """Seals text with the first of its keys and opens what any of them sealed."""

    def __init__(self, key: bytes) -> None:
        """`key`: one or more Fernet keys, apart by white space or commas; ConfigurationError where one is none."""
        try:
            several = [Fernet(part) for part in _split(key)]
        except ValueError:
            raise ConfigurationError("the vault's key is not a key (`arsync init` makes one)") from None
        #: how many there are
        self.keys = len(several)
        self._first = several[0]
        self._keys = MultiFernet(several)

    def seal(self, text: str) -> str:
        """The text as a token that is safe to store."""
        return self._keys.encrypt(text.encode()).decode("ascii")

    def open(self, token: str) -> str:
        """The text of a token; ConfigurationError where it was sealed by another key."""
        try:
            return self._keys.decrypt(token.encode()).decode()
        except (InvalidToken, UnicodeError):
            raise ConfigurationError(
                "the vault's key does not open what is stored: put back the key it was sealed with, or connect again"
            ) from None

    def is_newest(self, token: str) -> bool:
        """Whether the first key opens it, so that it outlives the others."""
        try:
            self._first.decrypt(token.encode())
        except (InvalidToken, UnicodeError):
            return False
        return True

    def reseal(self, token: str) -> str:
        """The same text under the first key; ConfigurationError where none of the keys opens it."""
        return self.seal(self.open(token))


def _split(keys: bytes) -> list[bytes]:
    return re.split(rb"[\s,]+", keys.strip(b" \t\r\n,"))


def add_key(path: Path) -> None:
    """Puts a new key before those in the file: whole or not at all, and on disk when this returns."""
    _rewrite(path, [Fernet.generate_key(), *_split(path.read_bytes())])


def drop_old_keys(path: Path) -> None:
    """Leaves the first key in the file: whole or not at all, and on disk when this returns."""
    _rewrite(path, _split(path.read_bytes())[:1])


def _rewrite(path: Path, keys: list[bytes]) -> None:
    path = path.resolve()  # the file that a link names, not the link
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write(draft, keys, like=path.stat())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigurationError(f"the key file {path}: {error.strerror or error}") from None


def _write(draft: Path, keys: list[bytes], *, like: os.stat_result | None = None) -> None:
    """Readable by its owner only, or by whoever could read the file that it is to replace."""
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        if like is not None:
            mine = os.fstat(handle)
            if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
                os.fchown(handle, like.st_uid, like.st_gid)
            os.fchmod(handle, stat.S_IMODE(like.st_mode))
        file.write(b"\n".join(keys) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load_key(source: KeySource) -> bytes:
    """The vault's key; where its file is missing it is made, readable by its owner only.

    Two processes that make it at once end with the same key, and it is on disk when this returns.
    """
    given = source.vault_key
    if given is not None:
        return given.encode()
    path = source.key_file
    try:
        if not path.exists():
            _make(path)
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the key file {path}: {error.strerror or error}") from None


def _make(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write(draft, [Fernet.generate_key()])
        try:
            os.link(draft, path)  # whole or not at all, and never over another's
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)
