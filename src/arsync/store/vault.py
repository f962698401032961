"""The durable tokens of one grant: sealed at rest, one refresher at a time over threads and processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from arsync.connector import TokenPair
from arsync.domain.clock import Clock
from arsync.errors import Locked, RetryLater
from arsync.store import connections, leases
from arsync.store.engine import Store

_TERM: Final = timedelta(seconds=90)  # longer than a refresh can take
_PATIENCE: Final = 45.0


class StoredVault:
    """A `TokenVault` over the database."""

    def __init__(
        self, store: Store, clock: Clock, grant_id: int, *, seal: Callable[[str], str], unseal: Callable[[str], str]
    ) -> None:
        self._store = store
        self._clock = clock
        self._grant_id = grant_id
        self._seal = seal
        self._unseal = unseal
        self._given = ""

    def current(self) -> TokenPair:
        """The pair as stored now."""
        return load_pair(self._unseal(self._sealed()))

    def _sealed(self) -> str:
        with self._store.reading() as work:
            return connections.sealed_tokens(work, self._grant_id)

    @contextmanager
    def refreshing(self) -> Iterator[TokenPair]:
        """The pair as stored, under the grant's lease; RetryLater where another process refreshes for too long."""
        name = f"grant {self._grant_id}"
        try:
            with leases.held(self._store, self._clock, name, _TERM, patience=_PATIENCE):
                self._given = self._sealed()
                yield load_pair(self._unseal(self._given))
        except Locked:
            raise RetryLater("another process is refreshing the token", after=10) from None

    def replace(self, pair: TokenPair) -> None:
        """Commits the pair; it may be used from then on.

        A refresher that was suspended past its lease changes nothing where another has stored a newer pair meanwhile.
        """
        with self._store.working() as work:
            connections.replace_tokens(
                work, self._grant_id, self._seal(dump_pair(pair)), instead_of=self._given, now=self._clock.now()
            )
            work.commit()


def dump_pair(pair: TokenPair) -> str:
    """The pair as text, to be sealed."""
    idle = pair.refresh_expires_at
    return json.dumps(
        {
            "access": pair.access_token,
            "refresh": pair.refresh_token,
            "expires_at": pair.expires_at.isoformat(),
            "refresh_expires_at": idle.isoformat() if idle else None,
        }
    )


def load_pair(text: str) -> TokenPair:
    """The pair that `dump_pair` wrote."""
    kept = json.loads(text)
    idle = kept["refresh_expires_at"]
    return TokenPair(
        access_token=kept["access"],
        refresh_token=kept["refresh"],
        expires_at=datetime.fromisoformat(kept["expires_at"]),
        refresh_expires_at=datetime.fromisoformat(idle) if idle else None,
    )
