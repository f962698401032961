"""Passwords: argon2id, by its defaults (RFC 9106's second recommendation: 64 MiB, three passes)."""

from __future__ import annotations

import secrets
import threading
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from arsync.errors import UsageError

#: Letters at least: what is long need not be strange.
SHORTEST: Final = 12
_LONGEST: Final = 256
_hasher: Final = PasswordHasher()
#: Each takes 64 MiB while it is reckoned: so many at once.
_at_once: Final = threading.BoundedSemaphore(2)


def hashed(password: str, name: str) -> str:
    """The hash to keep; UsageError where it is too easily guessed."""
    if len(password) < SHORTEST:
        raise UsageError(f"a password has {SHORTEST} letters at least; a few words are easy to keep in mind")
    if len(password) > _LONGEST:
        raise UsageError(f"a password has {_LONGEST} letters at most")
    if len(set(password)) < 5 or name.casefold() in password.casefold():
        raise UsageError("that password is too easily guessed: no name, and not the same letters again and again")
    with _at_once:
        return _hasher.hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """Whether it is the password of that hash; without one it takes as long, and is not."""
    try:
        with _at_once:
            right = _hasher.verify(kept or _strangers(), password[: _LONGEST + 1])
    except (Argon2Error, InvalidHashError):
        return False
    return right and kept is not None


@cache
def _strangers() -> str:
    """Of nothing that anybody knows: what a stranger's word is held against, for an answer that comes no sooner."""
    return _hasher.hash(secrets.token_hex())


def wants_rehash(kept: str) -> bool:
    """Whether a hash was made by weaker parameters than today's."""
    return _hasher.check_needs_rehash(kept)
