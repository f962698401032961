"""Secrets at rest: sealed by a key that lies beside the configuration, never in the database."""

from __future__ import annotations

import os
import re
import secrets
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
            self._keys = MultiFernet([Fernet(part) for part in re.split(rb"[\s,]+", key.strip(b" \t\r\n,"))])
        except ValueError:
            raise ConfigurationError("the vault's key is not a key (`arsync init` makes one)") from None

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
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # whole or not at all, and never over another's
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
