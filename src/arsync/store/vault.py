"""The durable tokens of one grant: sealed at rest, one refresher at a time over threads and processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from arsync.connector import TokenPair
from arsync.domain.clock import Clock
from arsync.errors import Locked, Reauthorise, RetryLater
from arsync.store import connections, grants, leases
from arsync.store.engine import Store, Work

_TERM: Final = timedelta(seconds=90)  # longer than a refresh can take
_PATIENCE: Final = 45.0
#: Each waits for half a minute.
_TRIES: Final = 10


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

    def current(self) -> TokenPair:
        """The pair as stored now."""
        return load_pair(self._unseal(self._sealed()))

    def _sealed(self) -> str:
        """The tokens as sealed; Reauthorise where the vendor takes them no more, so that it is not even asked."""
        with self._store.reading() as work:
            found = grants.sealed(work, self._grant_id)
        if found is None:
            raise RetryLater("the company was connected anew meanwhile", after=1)
        sealed, ended = found
        if ended is not None:
            raise Reauthorise(ended)
        return sealed

    @contextmanager
    def refreshing(self) -> Iterator[TokenPair]:
        """The pair as stored, under the grant's lease; RetryLater where another process refreshes for too long."""
        try:
            with leases.held(self._store, self._clock, lease_name(self._grant_id), _TERM, patience=_PATIENCE):
                yield self.current()
        except Locked:
            raise RetryLater("another process is refreshing the token", after=10) from None

    def replace(self, pair: TokenPair, *, instead_of: TokenPair) -> None:
        """Commits the pair; it may be used from then on.

        A refresher that was suspended past its lease changes nothing where another has stored a newer pair meanwhile.
        A database that is busy is waited for: the vendor gives the pair to nobody a second time.
        """
        for left in reversed(range(_TRIES)):
            try:
                self._replace(pair, instead_of)
                return
            except Locked:
                if not left:
                    raise

    def _replace(self, pair: TokenPair, instead_of: TokenPair) -> None:
        now = self._clock.now()
        with self._store.working() as work:
            standing = self._standing(work, instead_of)
            if standing is None:
                return
            connections.replace_tokens(
                work,
                self._grant_id,
                self._seal(dump_pair(pair)),
                instead_of=standing,
                now=now,
                idle_until=pair.refresh_expires_at,
                hard_until=pair.consent_expires_at,
            )
            grants.revive(work, self._grant_id, now=now)
            work.commit()

    def ended(self, reason: str, *, refused: TokenPair) -> None:
        """Commits that the consent has ended, for every connection of the grant."""
        with self._store.working() as work:
            standing = self._standing(work, refused)
            if standing is not None:
                grants.end(work, self._grant_id, reason, instead_of=standing, now=self._clock.now())
            work.commit()

    def _standing(self, work: Work, pair: TokenPair) -> str | None:
        """The stored tokens as sealed, by whatever key, where they are still this pair's; nobody changes them until
        the work is over."""
        found = grants.sealed(work, self._grant_id, lock=True)
        if found is None or not found[0]:
            return None
        return found[0] if load_pair(self._unseal(found[0])).refresh_token == pair.refresh_token else None


def lease_name(grant_id: int) -> str:
    """What whoever changes a grant's tokens holds."""
    return f"grant {grant_id}"


def dump_pair(pair: TokenPair) -> str:
    """The pair as text, to be sealed."""
    idle, hard = pair.refresh_expires_at, pair.consent_expires_at
    return json.dumps(
        {
            "access": pair.access_token,
            "refresh": pair.refresh_token,
            "expires_at": pair.expires_at.isoformat(),
            "refresh_expires_at": idle.isoformat() if idle else None,
            "consent_expires_at": hard.isoformat() if hard else None,
        }
    )


def load_pair(text: str) -> TokenPair:
    """The pair that `dump_pair` wrote."""
    kept = json.loads(text)
    idle, hard = kept["refresh_expires_at"], kept.get("consent_expires_at")
    return TokenPair(
        access_token=kept["access"],
        refresh_token=kept["refresh"],
        expires_at=datetime.fromisoformat(kept["expires_at"]),
        refresh_expires_at=datetime.fromisoformat(idle) if idle else None,
        consent_expires_at=datetime.fromisoformat(hard) if hard else None,
    )
