"""Changing the vault's key: every token under the first key, whatever is killed meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from arsync.domain.clock import Clock
from arsync.store import grants, leases
from arsync.store.engine import Store
from arsync.store.vault import lease_name
from arsync.vault import Vault

_TERM: Final = timedelta(seconds=90)
_PATIENCE: Final = 45.0


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many consents got another seal, and how many had it already."""

    anew: int
    before: int


def check_keys(store: Store, vault: Vault) -> None:
    """ConfigurationError where a token is opened by none of the keys."""
    with store.reading() as work:
        for token in grants.all_sealed(work).values():
            vault.open(token)


def reseal(store: Store, vault: Vault, clock: Clock) -> Resealed:
    """Seals every token by the first key; each is durable by itself, so that it may be killed and called again.

    ConfigurationError where a token is opened by none of the keys. Nobody refreshes a token meanwhile.
    """
    with store.reading() as work:
        every = grants.all_sealed(work)
    anew = 0
    for grant_id in every:
        with leases.held(store, clock, lease_name(grant_id), _TERM, patience=_PATIENCE), store.working() as work:
            token = grants.all_sealed(work).get(grant_id)
            if token is None or vault.is_newest(token):
                continue
            grants.reseal(work, grant_id, vault.reseal(token), instead_of=token)
            work.commit()
            anew += 1
    return Resealed(anew, len(every) - anew)
